//! The textual engine: judges bytes, never rewrites them.

use crate::engine::output::{Pending, quarantine_line};
use crate::engine::passes::{Duplicates, Learned, Learner, Verdict};
use crate::engine::program::{Op, Program};
use crate::engine::source::{CsvSource, Record};
use crate::error::RunError;
use crate::kernel::fingerprint::{self, Cells};
use crate::ledger::Ledger;
use crate::spec::{How, PipelineSpec};

/// Runs a textual pipeline: one pass for each step that has to learn, then the one that writes.
pub(crate) fn run(spec: &PipelineSpec) -> Result<Ledger, RunError> {
    let mut source = CsvSource::open(&spec.read)?;
    let program = Program::bind(spec, source.header.names.clone())?;
    let first = source.place();
    let mut judge = Judge::new(&program);
    for (index, op) in program.ops.iter().enumerate() {
        if op.needs_fit() {
            let mut learner = Learner::new(op);
            judge.restart();
            while let Some(record) = source.next_record()? {
                if record.fault(program.columns.len(), program.reading).is_none()
                    && judge.verdict(&record, index)? == Verdict::Keep
                {
                    judge.teach(&record, op, &mut learner)?;
                }
            }
            judge.learned[index] = Some(learner.finish(op));
            source.seek(first)?;
        }
    }

    let mut ledger = Ledger::new(0, program.reasons.clone(), program.ops.len());
    let mut clean = spec
        .write
        .as_ref()
        .map(|write| Pending::create(&write.path))
        .transpose()?;
    let mut quarantine = spec.quarantine.as_deref().map(Pending::create).transpose()?;
    if let Some(clean) = &mut clean {
        clean.write(&source.header.raw)?;
    }
    judge.restart();
    while let Some(record) = source.next_record()? {
        let verdict = match record.fault(program.columns.len(), program.reading) {
            Some(reason) => Verdict::Refuse(reason),
            None => judge.verdict(&record, program.ops.len())?,
        };
        verdict.enter(&mut ledger, record.row, 0);
        if verdict == Verdict::Keep {
            if let Some(clean) = &mut clean {
                clean.write(record.raw)?;
            }
        } else if let Some(file) = &mut quarantine
            && let Some(reason) = ledger.is_quarantined(record.row)
        {
            file.write(&quarantine_line(
                record.row,
                Some(record.line),
                Some(record.offset),
                ledger.reason(reason),
                record.raw,
            ))?;
        }
    }
    ledger.set_records_in(source.rows());
    ledger.settle();
    ledger.verify()?;
    for file in [&mut quarantine, &mut clean].into_iter().flatten() {
        file.finish()?;
    }
    for file in [quarantine, clean].into_iter().flatten() {
        file.commit()?;
    }
    Ok(ledger)
}

struct Judge<'p> {
    program: &'p Program,
    learned: Vec<Option<Learned>>,
    duplicates: Duplicates,
    cells: Cells,
    scratch: Vec<u8>,
}

impl<'p> Judge<'p> {
    fn new(program: &'p Program) -> Self {
        Self {
            program,
            learned: program.ops.iter().map(|_| None).collect(),
            duplicates: Duplicates::new(program),
            cells: Cells::default(),
            scratch: Vec::new(),
        }
    }

    fn restart(&mut self) {
        self.duplicates = Duplicates::new(self.program);
    }

    /// What becomes of a sound record in the first `until` steps.
    #[inline]
    fn verdict(&mut self, record: &Record<'_>, until: usize) -> Result<Verdict, RunError> {
        let program = self.program;
        for (index, op) in program.ops[..until].iter().enumerate() {
            match op {
                Op::DropMissing { columns, how } => {
                    let mut missing = columns
                        .iter()
                        .filter(|(column, _)| is_missing(program, record, *column, &mut self.scratch))
                        .map(|(_, reason)| *reason);
                    let refused = match how {
                        How::Any => missing.next(),
                        How::All => (missing.count() == columns.len())
                            .then(|| columns.first().map(|c| c.1))
                            .flatten(),
                    };
                    if let Some(reason) = refused {
                        return Ok(Verdict::Refuse(reason));
                    }
                }
                Op::DropDuplicates { keep, reason, .. } => {
                    let fingerprint = self.fingerprint(record, op);
                    let verdict = self.duplicates.judge(
                        index,
                        *keep,
                        *reason,
                        fingerprint,
                        record.row,
                        self.learned[index].as_ref(),
                    );
                    if verdict != Verdict::Keep {
                        return Ok(verdict);
                    }
                }
                Op::Check {
                    column, test, reason, ..
                } => {
                    let cell = record.cell(program, *column, &mut self.scratch);
                    if !test.passes_text(cell) {
                        return Ok(Verdict::Refuse(*reason));
                    }
                }
                Op::Outliers { columns, .. } => {
                    let Some(Learned::Intervals(intervals)) = &self.learned[index] else {
                        unreachable!("a preparatory pass has learned the intervals")
                    };
                    for ((column, reason), (low, high)) in columns.iter().zip(intervals) {
                        let cell = record.cell(program, *column, &mut self.scratch);
                        if let Some(value) = number(program, *column, cell)?
                            && !(value >= *low && value <= *high)
                        {
                            return Ok(Verdict::Refuse(*reason));
                        }
                    }
                }
                Op::Fill { .. } => unreachable!("refused when the pipeline was made"),
            }
        }
        Ok(Verdict::Keep)
    }

    #[inline]
    fn fingerprint(&mut self, record: &Record<'_>, op: &Op) -> u128 {
        let Op::DropDuplicates {
            columns, normalised, ..
        } = op
        else {
            unreachable!("only duplicates have fingerprints")
        };
        if columns.is_none() && !normalised {
            return fingerprint::of(record.body);
        }
        self.cells.clear();
        let count = columns.as_ref().map_or(record.fields(), Vec::len);
        for i in 0..count {
            let column = columns.as_ref().map_or(i, |columns| columns[i]);
            if *normalised {
                match record.cell(self.program, column, &mut self.scratch) {
                    Some(text) => self.cells.normalised(text),
                    None => self.cells.missing(),
                }
            } else {
                self.cells.text(record.field(column));
            }
        }
        self.cells.fingerprint()
    }

    fn teach(&mut self, record: &Record<'_>, op: &Op, learner: &mut Learner) -> Result<(), RunError> {
        match op {
            Op::Outliers { columns, .. } => {
                for (i, (column, _)) in columns.iter().enumerate() {
                    let cell = record.cell(self.program, *column, &mut self.scratch);
                    if let Some(value) = number(self.program, *column, cell)? {
                        learner.value(i, value);
                    }
                }
            }
            _ => learner.fingerprint(self.fingerprint(record, op), record.row),
        }
        Ok(())
    }
}

fn is_missing(program: &Program, record: &Record<'_>, column: usize, scratch: &mut Vec<u8>) -> bool {
    let field = record.field(column);
    if field.is_empty() {
        return true;
    }
    if !program.trim && program.sentinels[column].is_empty() {
        return field == b"\"\"";
    }
    record.cell(program, column, scratch).is_none()
}

fn number(program: &Program, column: usize, cell: Option<&str>) -> Result<Option<f64>, RunError> {
    let Some(text) = cell else { return Ok(None) };
    text.parse().map(Some).map_err(|_| RunError::NotNumeric {
        column: program.columns[column].clone(),
    })
}
