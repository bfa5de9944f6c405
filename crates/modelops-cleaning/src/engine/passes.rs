//! What both engines share while records pass: the state of duplicates, and what a preparatory pass learns.

use crate::engine::outlier;
use crate::engine::program::{Op, Program};
use crate::kernel::seen::Seen;
use crate::ledger::Ledger;
use crate::spec::Keep;

/// What a preparatory pass learned for one step.
#[derive(Debug)]
pub(crate) enum Learned {
    /// Intervals of the columns of an outlier step.
    Intervals(Vec<(f64, f64)>),
    /// The surviving row of every fingerprint; [`REPEATED`] where none survives.
    Survivors(Seen),
}

/// Marks a fingerprint that more than one record has, where none may survive.
pub(crate) const REPEATED: u32 = u32::MAX;

/// What becomes of a record at the first step that refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Keep,
    Refuse(u16),
    Duplicate { reason: u16, survivor: Option<u32> },
}

impl Verdict {
    pub(crate) fn enter(self, ledger: &mut Ledger, row: u32, repairs: u64) {
        match self {
            Self::Keep => ledger.keep(row, repairs),
            Self::Refuse(reason) => ledger.refuse(row, reason),
            Self::Duplicate { reason, survivor } => ledger.duplicate(row, reason, survivor),
        }
    }
}

/// The fingerprints met so far at each step that keeps the first.
#[derive(Debug)]
pub(crate) struct Duplicates(Vec<Seen>);

impl Duplicates {
    pub(crate) fn new(program: &Program) -> Self {
        Self(program.ops.iter().map(|_| Seen::default()).collect())
    }

    /// Judges `fingerprint` at step `index`.
    #[inline]
    pub(crate) fn judge(
        &mut self,
        index: usize,
        keep: Keep,
        reason: u16,
        fingerprint: u128,
        row: u32,
        learned: Option<&Learned>,
    ) -> Verdict {
        if keep == Keep::First {
            return match self.0[index].insert(fingerprint, row) {
                None => Verdict::Keep,
                Some(survivor) => Verdict::Duplicate {
                    reason,
                    survivor: Some(survivor),
                },
            };
        }
        let Some(Learned::Survivors(survivors)) = learned else {
            unreachable!("a preparatory pass has met every record that reaches this step")
        };
        match survivors.row(fingerprint) {
            Some(survivor) if survivor == row => Verdict::Keep,
            Some(REPEATED) => Verdict::Duplicate {
                reason,
                survivor: None,
            },
            survivor => Verdict::Duplicate { reason, survivor },
        }
    }
}

/// Gathers what one step has to learn.
#[derive(Debug)]
pub(crate) enum Learner {
    Intervals(Vec<Vec<f64>>),
    Last(Seen),
    Only(Seen),
}

impl Learner {
    pub(crate) fn new(op: &Op) -> Self {
        match op {
            Op::Outliers { columns, .. } => Self::Intervals(vec![Vec::new(); columns.len()]),
            Op::DropDuplicates { keep: Keep::Last, .. } => Self::Last(Seen::default()),
            _ => Self::Only(Seen::default()),
        }
    }

    pub(crate) fn fingerprint(&mut self, fingerprint: u128, row: u32) {
        match self {
            Self::Last(seen) => {
                seen.replace(fingerprint, row);
            }
            Self::Only(seen) => {
                if seen.insert(fingerprint, row).is_some() {
                    seen.replace(fingerprint, REPEATED);
                }
            }
            Self::Intervals(_) => {}
        }
    }

    pub(crate) fn value(&mut self, column: usize, value: f64) {
        if let Self::Intervals(columns) = self {
            columns[column].push(value);
        }
    }

    pub(crate) fn finish(self, op: &Op) -> Learned {
        match (self, op) {
            (Self::Intervals(mut columns), Op::Outliers { method, .. }) => Learned::Intervals(
                columns
                    .iter_mut()
                    .map(|values| outlier::interval(*method, values))
                    .collect(),
            ),
            (Self::Last(seen) | Self::Only(seen), _) => Learned::Survivors(seen),
            (Self::Intervals(_), _) => unreachable!("only outliers learn intervals"),
        }
    }
}
