//! The types of the columns: guessed from the first records, held against every later one.

use crate::engine::source::{CsvSource, Record};
use crate::engine::values::row::Row;
use crate::error::RunError;
use crate::kernel::canonical;
use crate::kernel::infer::Candidate;
use crate::plan::Plan;
use crate::spec::ColumnType;

/// What reading a record gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Sound,
    /// It cannot be read, or a value does not fit the declared type of its column.
    Refused(u16),
    /// A value does not fit the type that was guessed for its column.
    Misfit,
}

/// How the cells of each column are understood.
#[derive(Debug)]
pub(super) struct Columns<'p> {
    plan: &'p Plan,
    separator: u8,
    /// The types, those of columns that steps add included.
    kinds: Vec<ColumnType>,
    /// What the values seen so far allow.
    candidates: Vec<Candidate>,
    /// For each column of the input, whether a text may be taken as it stands: no value can change the type any more.
    settled: Vec<bool>,
    /// Whether every record has been seen.
    exact: bool,
    scratch: Vec<u8>,
}

impl<'p> Columns<'p> {
    /// Guesses the types from the first `sample` records of `source`, which is left where it was.
    pub(super) fn guess(
        source: &mut CsvSource,
        plan: &'p Plan,
        separator: u8,
        sample: u64,
    ) -> Result<Self, RunError> {
        let mut columns = Self {
            plan,
            separator,
            kinds: Vec::new(),
            candidates: vec![Candidate::default(); plan.inputs],
            settled: Vec::new(),
            exact: false,
            scratch: Vec::new(),
        };
        let first = source.place();
        columns.exact = columns.observe(source, sample)?;
        columns.settle();
        source.seek(first)?;
        Ok(columns)
    }

    /// Completes the types from where `source` stands to its end.
    pub(super) fn complete(&mut self, source: &mut CsvSource) -> Result<(), RunError> {
        self.observe(source, u64::MAX)?;
        self.exact = true;
        self.settle();
        Ok(())
    }

    /// Says that every record has been read without a misfit.
    pub(super) fn confirm(&mut self) {
        self.exact = true;
        self.settle();
    }

    /// Whether the types are those of the whole file.
    pub(super) fn are_exact(&self) -> bool {
        self.exact
    }

    /// The types, those of columns that steps add included.
    pub(super) fn kinds(&self) -> &[ColumnType] {
        &self.kinds
    }

    fn settle(&mut self) {
        let declared = &self.plan.casts;
        let kinds = self.candidates.iter().zip(declared);
        self.kinds = kinds
            .map(|(candidate, cast)| cast.map_or(candidate.kind(), |(kind, _)| kind))
            .collect();
        // Columns that steps add are flags.
        self.kinds.resize(self.plan.columns.len(), ColumnType::Bool);
        self.settled = (0..self.plan.inputs)
            .map(|at| self.exact || declared[at].is_some() || self.candidates[at].is_text())
            .collect();
    }

    /// Shows the next records to the candidates; whether these were the last ones.
    fn observe(&mut self, source: &mut CsvSource, records: u64) -> Result<bool, RunError> {
        let plan = self.plan;
        for _ in 0..records {
            let Some(record) = source.next_record()? else {
                return Ok(true);
            };
            if record.fault(plan.inputs, plan.reading).is_some() {
                continue;
            }
            for (column, candidate) in self.candidates.iter_mut().enumerate() {
                if !candidate.is_text()
                    && let Some(text) = record.cell(plan, column, &mut self.scratch)
                {
                    candidate.see(text.as_bytes());
                }
            }
        }
        Ok(false)
    }

    /// Reads the values of a record into `row`.
    #[inline]
    pub(super) fn read(&mut self, record: &Record<'_>, row: &mut Row) -> Reading {
        if let Some(reason) = record.fault(self.plan.inputs, self.plan.reading) {
            return Reading::Refused(reason);
        }
        row.start();
        for column in 0..self.plan.inputs {
            let field = record.field(column);
            if !field.is_empty() && self.canonical(record, column, field) != Some(field.len()) {
                return self.read_closely(record, row);
            }
        }
        Reading::Sound
    }

    /// Reads a record of which at least one cell is written in another way than it was read.
    fn read_closely(&mut self, record: &Record<'_>, row: &mut Row) -> Reading {
        let mut reading = Reading::Sound;
        row.rewrite();
        for column in 0..self.plan.inputs {
            let field = record.field(column);
            if field.is_empty() {
                row.push_missing();
                continue;
            }
            if let Some(length) = self.canonical(record, column, field) {
                row.push_read(record, column, length);
                continue;
            }
            let Some(text) = record.cell(self.plan, column, &mut self.scratch) else {
                row.push_missing();
                continue;
            };
            if !self.settled[column] {
                self.candidates[column].see(text.as_bytes());
                if self.candidates[column].kind() != self.kinds[column] {
                    return Reading::Misfit;
                }
                self.settled[column] = self.candidates[column].is_text();
            }
            let written = row.push_own(|out| canonical::write(self.kinds[column], text, out));
            if written.is_none() && reading == Reading::Sound {
                let (_, reason) = self.plan.casts[column].expect("a type that was inferred fits every value");
                reading = Reading::Refused(reason);
            }
        }
        reading
    }

    /// How many of the bytes of a field that is not empty are the canonical text of its value, where that can be told at
    /// a glance.
    #[inline]
    fn canonical(&self, record: &Record<'_>, column: usize, field: &[u8]) -> Option<usize> {
        let length = match self.kinds[column] {
            ColumnType::Int => canonical::is_int(field).then_some(field.len())?,
            ColumnType::Float => canonical::float_prefix(field)?,
            ColumnType::Bool => matches!(field, b"true" | b"false").then_some(field.len())?,
            ColumnType::Text => self.text(record, column, field).then_some(field.len())?,
        };
        // A field in quotes may be a sentinel without them.
        let sentinels = &self.plan.sentinels[column];
        let missing = !sentinels.is_empty() && (field[0] == b'"' || self.plan.is_missing(column, field));
        (!missing).then_some(length)
    }

    /// Whether a text is written just as it stands.
    #[inline]
    fn text(&self, record: &Record<'_>, column: usize, field: &[u8]) -> bool {
        let text = match field {
            [b'"', inner @ .., b'"'] => {
                let mark = |&b: &u8| b == self.separator || matches!(b, b'"' | b'\n' | b'\r');
                if !inner.iter().any(mark) {
                    return false;
                }
                inner
            }
            _ if record.traits.stray_quote => return false,
            _ => field,
        };
        // White space outside ASCII is taken off too: any byte that may be part of it asks for a closer look.
        let edge = |byte: Option<&u8>| byte.is_some_and(|b| matches!(b, b'!'..=b'~'));
        self.settled[column] && (!self.plan.trim || edge(text.first()) && edge(text.last()))
    }
}
