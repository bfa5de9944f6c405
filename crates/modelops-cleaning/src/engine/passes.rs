//! What both engines share while records pass: the state of duplicates, and what a preparatory pass learns.

use std::collections::HashSet;

use ndarray::Array2;

use crate::constraint::Constraints;
use crate::engine::outlier;
use crate::kernel::seen::Seen;
use crate::ledger::Ledger;
use crate::outlier::IsolationForest;
use crate::plan::{Bounds, Plan, RelOp};
use crate::spec::{Blame, Keep};

/// What a preparatory pass learned for one node of the plan.
#[derive(Debug)]
pub(crate) enum Learned {
    /// Intervals of the columns of an aggregate.
    Intervals(Vec<(f64, f64)>),
    /// The surviving row of every fingerprint; [`REPEATED`] where none survives.
    Survivors(Seen),
    /// The fingerprints of the keys of a file.
    Keys(HashSet<u128>),
    /// The rows to refuse, in order.
    Rows(Vec<u32>),
}

impl Learned {
    /// Whether a file has this key.
    pub(crate) fn has_key(&self, fingerprint: u128) -> bool {
        matches!(self, Self::Keys(keys) if keys.contains(&fingerprint))
    }

    /// Whether the row is to be refused.
    pub(crate) fn has_row(&self, row: u32) -> bool {
        matches!(self, Self::Rows(rows) if rows.binary_search(&row).is_ok())
    }
}

/// The interval that `bounds` stands for.
pub(crate) fn resolve(bounds: Bounds, learned: &[Option<Learned>]) -> (f64, f64) {
    match bounds {
        Bounds::Fixed { min, max } => (min, max),
        Bounds::Learned { node, index } => match &learned[node] {
            Some(Learned::Intervals(intervals)) => intervals[index],
            _ => unreachable!("a preparatory pass has learned the intervals"),
        },
    }
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

/// The records of a stretch of the input that repeat another one, each with its survivor, in order.
#[derive(Debug)]
pub(crate) struct Listed {
    pairs: Vec<(u32, u32)>,
    at: usize,
}

impl Listed {
    /// In the place of a survivor where there is none.
    pub(crate) const NONE: u32 = u32::MAX;

    /// Rows are asked for in order.
    fn judge(&mut self, row: u32, reason: u16) -> Verdict {
        while self.pairs.get(self.at).is_some_and(|pair| pair.0 < row) {
            self.at += 1;
        }
        match self.pairs.get(self.at) {
            Some(&(listed, survivor)) if listed == row => Verdict::Duplicate {
                reason,
                survivor: (survivor != Self::NONE).then_some(survivor),
            },
            _ => Verdict::Keep,
        }
    }
}

/// What is known of duplicates at each node: the fingerprints met so far, or a list made beforehand.
#[derive(Debug)]
pub(crate) struct Duplicates {
    seen: Vec<Seen>,
    listed: Vec<Option<Listed>>,
}

impl Duplicates {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            seen: plan.nodes.iter().map(|_| Seen::default()).collect(),
            listed: plan.nodes.iter().map(|_| None).collect(),
        }
    }

    /// For one node that is judged alone.
    pub(crate) fn one() -> Self {
        Self {
            seen: vec![Seen::default()],
            listed: vec![None],
        }
    }

    /// Makes known which records of the stretch to come repeat another one at `node`.
    pub(crate) fn list(&mut self, node: usize, pairs: Vec<(u32, u32)>) {
        self.listed[node] = Some(Listed { pairs, at: 0 });
    }

    /// Says about how many rows there will be.
    pub(crate) fn expect(&mut self, rows: u64) {
        for seen in &mut self.seen {
            seen.expect(rows);
        }
    }

    /// Reads ahead what is held of these fingerprints at `node`.
    pub(crate) fn touch(&self, node: usize, fingerprints: impl Iterator<Item = u128>) {
        std::hint::black_box(self.seen[node].touch(fingerprints));
    }

    /// The verdict of a list made beforehand.
    #[inline]
    pub(crate) fn listed(&mut self, node: usize, row: u32, reason: u16) -> Option<Verdict> {
        self.listed[node].as_mut().map(|listed| listed.judge(row, reason))
    }

    /// Judges `fingerprint` at node `index`.
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
            return match self.seen[index].insert(fingerprint, row) {
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

/// Gathers what one node has to learn.
#[derive(Debug)]
pub(crate) enum Learner {
    Intervals(Vec<Vec<f64>>),
    Last(Seen),
    Only(Seen),
    /// The cells that a constraint is about, and their rows.
    Cells(Vec<Vec<String>>, Vec<u32>),
    /// The numbers that a forest grows on, row by row, and their rows.
    Numbers(Vec<f64>, Vec<u32>),
}

impl Learner {
    pub(crate) fn new(op: &RelOp) -> Self {
        match op {
            RelOp::Aggregate { columns, .. } => Self::Intervals(vec![Vec::new(); columns.len()]),
            RelOp::Distinct { keep: Keep::Last, .. } => Self::Last(Seen::default()),
            RelOp::Deny { .. } => Self::Cells(Vec::new(), Vec::new()),
            RelOp::Isolate { .. } => Self::Numbers(Vec::new(), Vec::new()),
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
            Self::Intervals(_) | Self::Cells(..) | Self::Numbers(..) => {}
        }
    }

    /// The cells of a row; rows come in order.
    pub(crate) fn cells(&mut self, cells: Vec<String>, row: u32) {
        if let Self::Cells(all, rows) = self {
            all.push(cells);
            rows.push(row);
        }
    }

    /// The numbers of a row, which is passed over where one is missing or not finite; rows come in order.
    pub(crate) fn numbers(&mut self, numbers: impl Iterator<Item = Option<f64>>, row: u32) {
        if let Self::Numbers(all, rows) = self {
            let known = all.len();
            for number in numbers {
                match number.filter(|number| number.is_finite()) {
                    Some(number) => all.push(number),
                    None => return all.truncate(known),
                }
            }
            rows.push(row);
        }
    }

    pub(crate) fn value(&mut self, column: usize, value: f64) {
        if let Self::Intervals(columns) = self {
            columns[column].push(value);
        }
    }

    pub(crate) fn finish(self, op: &RelOp) -> Learned {
        match (self, op) {
            (Self::Intervals(mut columns), RelOp::Aggregate { statistic, .. }) => Learned::Intervals(
                columns
                    .iter_mut()
                    .map(|values| outlier::interval(*statistic, values))
                    .collect(),
            ),
            (Self::Last(seen) | Self::Only(seen), _) => Learned::Survivors(seen),
            (
                Self::Cells(cells, rows),
                RelOp::Deny {
                    constraint, blame, ..
                },
            ) => Learned::Rows(refused(constraint, *blame, &cells, &rows)),
            (Self::Numbers(numbers, rows), RelOp::Isolate { forest, seed, .. }) => {
                Learned::Rows(isolated(*forest, *seed, numbers, rows))
            }
            (Self::Intervals(_) | Self::Cells(..) | Self::Numbers(..), _) => {
                unreachable!("a node learns what it asks for")
            }
        }
    }
}

fn isolated(forest: IsolationForest, seed: u64, numbers: Vec<f64>, rows: Vec<u32>) -> Vec<u32> {
    if rows.is_empty() {
        return rows;
    }
    let shape = (rows.len(), numbers.len() / rows.len());
    let x = Array2::from_shape_vec(shape, numbers).expect("as many numbers in every row");
    let apart = forest.apart(x.view(), seed);
    let apart = rows.iter().zip(apart).filter(|(_, apart)| *apart);
    apart.map(|(&row, _)| row).collect()
}

fn refused(constraint: &Constraints, blame: Blame, cells: &[Vec<String>], rows: &[u32]) -> Vec<u32> {
    match blame {
        Blame::Every => {
            let broken = constraint.broken(cells);
            let rows = rows.iter().zip(broken);
            rows.filter_map(|(&row, broken)| broken.then_some(row)).collect()
        }
        Blame::Suspects => {
            let mut refused: Vec<u32> = constraint.suspects(cells).iter().map(|s| rows[s.row]).collect();
            refused.dedup();
            refused
        }
    }
}
