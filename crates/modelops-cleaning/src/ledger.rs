//! The ledger: what became of every record, and why.

use std::fmt;
use std::io;

use serde::Serialize;

use crate::error::LedgerError;

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Outcome<'a> {
    /// It is in the clean file as it was read.
    Kept,
    /// It is in the clean file with at least one value changed by a step.
    Repaired,
    /// It is in the quarantine file.
    Quarantined(&'a Reason),
    /// It was left out on purpose.
    Dropped {
        /// Why.
        reason: &'a Reason,
        /// For a duplicate: the record that survived in its stead, where one did.
        survivor: Option<u64>,
    },
}

/// What a reason leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Disposition {
    /// The record goes to quarantine.
    Quarantined,
    /// The record is left out.
    Dropped,
}

/// Why a record is not in the clean file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The line is blank.
    BlankLine,
    /// The record has another number of fields than the header.
    FieldCount,
    /// The record is not UTF-8.
    NotUtf8,
    /// Text follows a closing quote.
    TextAfterQuote,
    /// A quote is open at the end of the file.
    UnclosedQuote,
    /// The line is no JSON object.
    NotAnObject,
    /// The value does not fit the declared type of its column.
    Type,
    /// A value is missing.
    Missing,
    /// The record repeats another one.
    Duplicate,
    /// The number is out of range.
    Range,
    /// The value is none of the allowed ones.
    NotInSet,
    /// The text does not match.
    NoMatch,
    /// The text is too short or too long.
    Length,
    /// The value is far from the others of its column.
    Outlier,
    /// Another record has the same key.
    NotUnique,
    /// Two columns do not stand in their relation.
    Comparison,
    /// The key is not in the file referred to.
    NoReference,
    /// A constraint is broken.
    Denied,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlankLine => "blank line",
            Self::FieldCount => "wrong number of fields",
            Self::NotUtf8 => "not UTF-8",
            Self::TextAfterQuote => "text after a closing quote",
            Self::UnclosedQuote => "quote never closed",
            Self::NotAnObject => "not a JSON object",
            Self::Type => "wrong type",
            Self::Missing => "missing value",
            Self::Duplicate => "duplicate",
            Self::Range => "out of range",
            Self::NotInSet => "not in the set",
            Self::NoMatch => "no match",
            Self::Length => "wrong length",
            Self::Outlier => "outlier",
            Self::NotUnique => "not unique",
            Self::Comparison => "columns disagree",
            Self::NoReference => "no such key",
            Self::Denied => "constraint broken",
        })
    }
}

/// Why a record is not in the clean file: the cause, the step and the column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Reason {
    /// The cause.
    pub cause: Cause,
    /// The step that refused it, from 0; none where the record could not even be read.
    pub step: Option<usize>,
    /// The column, where one is to blame.
    pub column: Option<String>,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        if let Some(column) = &self.column {
            write!(f, " in {column}")?;
        }
        match self.step {
            Some(step) => write!(f, " (step {step})"),
            None => write!(f, " (reading)"),
        }
    }
}

/// The reasons that a pipeline can give, in a fixed order; a record's outcome is an index into it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Reasons(Vec<(Reason, Disposition)>);

impl Reasons {
    pub(crate) fn add(
        &mut self,
        cause: Cause,
        step: Option<usize>,
        column: Option<&str>,
        disposition: Disposition,
    ) -> u16 {
        let reason = Reason {
            cause,
            step,
            column: column.map(str::to_owned),
        };
        if let Some(known) = self.0.iter().position(|(r, _)| *r == reason) {
            return known as u16;
        }
        self.0.push((reason, disposition));
        (self.0.len() - 1) as u16
    }

    pub(crate) fn reason(&self, index: u16) -> &(Reason, Disposition) {
        &self.0[usize::from(index)]
    }

    #[cfg(feature = "distributed")]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

const NONE: u16 = 0;
const KEPT: u16 = 1;
const REPAIRED: u16 = 2;
const FIRST_REASON: u16 = 3;

/// What became of every record: kept, repaired, quarantined or dropped, each with its reason.
///
/// Two bytes a record, and eight more for each duplicate (its survivor). A run returns a ledger only after
/// [`Ledger::verify`] has held against a record count that the engine had no part in.
#[doc(alias("lineage", "provenance"))]
#[derive(Debug, Clone, PartialEq)]
pub struct Ledger {
    records_in: u64,
    codes: Vec<u16>,
    reasons: Reasons,
    counts: Vec<u64>,
    repairs: Vec<u64>,
    survivors: Vec<(u32, u32)>,
}

impl Ledger {
    pub(crate) fn new(records: u64, reasons: Reasons, steps: usize) -> Self {
        let counts = vec![0; reasons.0.len() + usize::from(FIRST_REASON)];
        Self {
            records_in: records,
            codes: Vec::with_capacity(usize::try_from(records).unwrap_or(0)),
            reasons,
            counts,
            repairs: vec![0; steps],
            survivors: Vec::new(),
        }
    }

    /// Says how many records came in, where that is known only at the end.
    pub(crate) fn set_records_in(&mut self, records: u64) {
        self.records_in = records;
    }

    fn put(&mut self, row: u32, code: u16) {
        let row = row as usize;
        if self.codes.len() <= row {
            self.codes.resize(row + 1, NONE);
        }
        debug_assert_eq!(self.codes[row], NONE, "a record has one outcome");
        self.codes[row] = code;
        self.counts[usize::from(code)] += 1;
    }

    pub(crate) fn keep(&mut self, row: u32, repairs: u64) {
        self.put(row, if repairs == 0 { KEPT } else { REPAIRED });
        let mut rest = repairs;
        while rest != 0 {
            self.repairs[rest.trailing_zeros() as usize] += 1;
            rest &= rest - 1;
        }
    }

    pub(crate) fn refuse(&mut self, row: u32, reason: u16) {
        self.put(row, FIRST_REASON + reason);
    }

    pub(crate) fn duplicate(&mut self, row: u32, reason: u16, survivor: Option<u32>) {
        self.refuse(row, reason);
        if let Some(survivor) = survivor {
            self.survivors.push((row, survivor));
        }
    }

    /// The codes of some rows, and those duplicates among them that have a survivor.
    pub(crate) fn entries(&self, rows: std::ops::Range<u32>) -> (&[u16], &[(u32, u32)]) {
        let from = self.survivors.partition_point(|pair| pair.0 < rows.start);
        let until = self.survivors.partition_point(|pair| pair.0 < rows.end);
        (
            &self.codes[rows.start as usize..rows.end as usize],
            &self.survivors[from..until],
        )
    }

    /// Says how many duplicates there will be, so that their list never has to move.
    pub(crate) fn expect_duplicates(&mut self, duplicates: u64) {
        self.survivors
            .reserve_exact(usize::try_from(duplicates).unwrap_or(0));
    }

    /// Appends the outcome of the next row, as an earlier run has stored it.
    pub(crate) fn restore(&mut self, code: u16) -> Option<()> {
        *self.counts.get_mut(usize::from(code)).filter(|_| code != NONE)? += 1;
        self.codes.push(code);
        Some(())
    }

    /// Appends a duplicate and its survivor, as an earlier run has stored them.
    pub(crate) fn restore_survivor(&mut self, row: u32, survivor: u32) {
        self.survivors.push((row, survivor));
    }

    /// How many rows have an outcome or come before one that has.
    pub(crate) fn rows(&self) -> u64 {
        self.codes.len() as u64
    }

    /// How many records the independent counter saw.
    #[must_use]
    pub fn records_in(&self) -> u64 {
        self.records_in
    }

    /// Records in the clean file as they were read.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.counts[usize::from(KEPT)]
    }

    /// Records in the clean file with at least one value changed.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.counts[usize::from(REPAIRED)]
    }

    /// Records in the quarantine file.
    #[must_use]
    pub fn quarantined(&self) -> u64 {
        self.sum(Disposition::Quarantined)
    }

    /// Records left out on purpose.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.sum(Disposition::Dropped)
    }

    fn sum(&self, disposition: Disposition) -> u64 {
        self.reasons()
            .filter(|(_, d, _)| *d == disposition)
            .map(|(_, _, count)| count)
            .sum()
    }

    /// Every reason the pipeline could give, with what it leads to and how many records it met.
    pub fn reasons(&self) -> impl Iterator<Item = (&Reason, Disposition, u64)> {
        self.reasons
            .0
            .iter()
            .zip(&self.counts[usize::from(FIRST_REASON)..])
            .map(|((reason, disposition), &count)| (reason, *disposition, count))
    }

    /// How many of the records in the clean file each step has changed.
    #[must_use]
    pub fn repairs(&self) -> &[u64] {
        &self.repairs
    }

    /// What became of record `row`, counted from 0 without the header; `None` beyond the last.
    #[must_use]
    pub fn outcome(&self, row: u64) -> Option<Outcome<'_>> {
        let code = *self.codes.get(usize::try_from(row).ok()?)?;
        Some(match code {
            NONE => return None,
            KEPT => Outcome::Kept,
            REPAIRED => Outcome::Repaired,
            _ => {
                let (reason, disposition) = self.reasons.reason(code - FIRST_REASON);
                match disposition {
                    Disposition::Quarantined => Outcome::Quarantined(reason),
                    Disposition::Dropped => Outcome::Dropped {
                        reason,
                        survivor: self.survivor(row),
                    },
                }
            }
        })
    }

    fn survivor(&self, row: u64) -> Option<u64> {
        let row = u32::try_from(row).ok()?;
        let at = self.survivors.binary_search_by_key(&row, |p| p.0).ok()?;
        Some(u64::from(self.survivors[at].1))
    }

    pub(crate) fn is_quarantined(&self, row: u32) -> Option<u16> {
        let code = *self.codes.get(row as usize)?;
        if code < FIRST_REASON {
            return None;
        }
        let index = code - FIRST_REASON;
        (self.reasons.reason(index).1 == Disposition::Quarantined).then_some(index)
    }

    pub(crate) fn reason(&self, index: u16) -> &Reason {
        &self.reasons.reason(index).0
    }

    /// Puts the entries in their final order once every record has its outcome.
    pub(crate) fn settle(&mut self) {
        self.survivors.sort_unstable();
    }

    /// Checks that every record that came in has exactly one outcome.
    ///
    /// # Errors
    /// [`LedgerError::Unbalanced`] with both numbers.
    pub fn verify(&self) -> Result<(), LedgerError> {
        let accounted: u64 = self.counts[usize::from(KEPT)..].iter().sum();
        let without = self.codes.iter().filter(|&&c| c == NONE).count();
        if accounted == self.records_in && self.codes.len() as u64 == accounted && without == 0 {
            Ok(())
        } else {
            Err(LedgerError::Unbalanced {
                records_in: self.records_in,
                accounted,
            })
        }
    }

    /// Writes one JSON object a record: row, outcome, cause, step, column and survivor, as they apply.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_json_lines(&self, out: &mut impl io::Write) -> io::Result<()> {
        for row in 0..self.codes.len() as u64 {
            let mut line = serde_json::Map::new();
            line.insert("row".into(), row.into());
            let (name, reason, survivor) = match self.outcome(row) {
                None => ("unknown", None, None),
                Some(Outcome::Kept) => ("kept", None, None),
                Some(Outcome::Repaired) => ("repaired", None, None),
                Some(Outcome::Quarantined(reason)) => ("quarantined", Some(reason), None),
                Some(Outcome::Dropped { reason, survivor }) => ("dropped", Some(reason), survivor),
            };
            line.insert("outcome".into(), name.into());
            if let Some(reason) = reason {
                line.insert("reason".into(), reason.to_string().into());
            }
            if let Some(survivor) = survivor {
                line.insert("survivor".into(), survivor.into());
            }
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

impl fmt::Display for Ledger {
    /// The whole ledger as a small table; reasons that met no record are left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12}  records in", self.records_in)?;
        writeln!(f, "{:>12}  kept", self.kept())?;
        writeln!(f, "{:>12}  repaired", self.repaired())?;
        for (step, &rows) in self.repairs.iter().enumerate().filter(|(_, r)| **r > 0) {
            writeln!(f, "{rows:>16}  by step {step}")?;
        }
        for (name, disposition, total) in [
            ("quarantined", Disposition::Quarantined, self.quarantined()),
            ("dropped", Disposition::Dropped, self.dropped()),
        ] {
            writeln!(f, "{total:>12}  {name}")?;
            for (reason, _, count) in self
                .reasons()
                .filter(|(_, d, count)| *d == disposition && *count > 0)
            {
                writeln!(f, "{count:>16}  {reason}")?;
            }
        }
        let balance = if self.verify().is_ok() { "=" } else { "≠" };
        write!(
            f,
            "{:>12}  {balance} kept + repaired + quarantined + dropped",
            self.records_in
        )
    }
}
