//! Takes batches in input order: duplicates, outcomes, and what is left as clean rows.

use polars::prelude::*;

use crate::engine::passes::{Duplicates, Learned, Learner, Verdict};
use crate::engine::typed::query::{OUTCOME, REPAIRS, changed_later, position, snapshot};
use crate::engine::typed::survey::Survey;
use crate::engine::typed::{engine, write};
use crate::error::RunError;
use crate::kernel::fingerprint::Cells;
use crate::ledger::Ledger;
use crate::plan::{Keys, Plan, RelOp};
use crate::profile::Profile;
use crate::spec::Equality;

type ArrayOf<T> = <T as PolarsDataType>::Array;

/// The values of one column of a batch.
pub(super) enum View<'a> {
    Text(&'a ArrayOf<StringType>),
    Int(&'a ArrayOf<Int64Type>),
    Float(&'a ArrayOf<Float64Type>),
    Bool(&'a ArrayOf<BooleanType>),
}

impl<'a> View<'a> {
    /// A column of one of the four types, in one chunk.
    pub(super) fn new(column: &'a Column) -> Self {
        let series = column.as_materialized_series();
        match series.dtype() {
            DataType::String => Self::Text(series.str().expect("its type").downcast_as_array()),
            DataType::Int64 => Self::Int(series.i64().expect("its type").downcast_as_array()),
            DataType::Float64 => Self::Float(series.f64().expect("its type").downcast_as_array()),
            DataType::Boolean => Self::Bool(series.bool().expect("its type").downcast_as_array()),
            other => unreachable!("the plan has no column of type {other}"),
        }
    }

    #[inline]
    fn lay(&self, row: usize, normalised: bool, cells: &mut Cells) {
        match self {
            Self::Text(array) => match array.get(row) {
                Some(text) if normalised => cells.normalised(text),
                Some(text) => cells.text(text.as_bytes()),
                None => cells.missing(),
            },
            Self::Int(array) => match array.get(row) {
                Some(value) => cells.int(value),
                None => cells.missing(),
            },
            Self::Float(array) => match array.get(row) {
                Some(value) => cells.float(value),
                None => cells.missing(),
            },
            Self::Bool(array) => match array.get(row) {
                Some(value) => cells.bool(value),
                None => cells.missing(),
            },
        }
    }

    fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Int(array) => array.get(row).map(|v| v as f64),
            Self::Float(array) => array.get(row),
            Self::Text(_) | Self::Bool(_) => None,
        }
    }
}

/// One distinct node, ready for batches.
struct Duplicate {
    node: usize,
    /// Each column, and whether a snapshot of it must be used.
    columns: Vec<(usize, bool)>,
    normalised: bool,
}

/// Takes batches in input order.
pub(super) struct Consumer<'p> {
    plan: &'p Plan,
    learned: &'p [Option<Learned>],
    duplicates: Duplicates,
    steps: Vec<Duplicate>,
    faults: std::iter::Peekable<std::slice::Iter<'p, (u32, u16)>>,
    next_row: u32,
    cells: Cells,
}

impl<'p> Consumer<'p> {
    /// A consumer for the first `until` nodes.
    pub(super) fn new(
        plan: &'p Plan,
        survey: &'p Survey,
        learned: &'p [Option<Learned>],
        until: usize,
    ) -> Self {
        let steps = plan.nodes[..until]
            .iter()
            .enumerate()
            .filter_map(|(index, node)| duplicate(plan, index, &node.op, until))
            .collect();
        Self {
            plan,
            learned,
            duplicates: Duplicates::new(plan),
            steps,
            faults: survey.faults.iter().peekable(),
            next_row: 0,
            cells: Cells::default(),
        }
    }

    /// The input row of the next sound record.
    fn row(&mut self) -> u32 {
        while self.faults.next_if(|(row, _)| *row == self.next_row).is_some() {
            self.next_row += 1;
        }
        self.next_row += 1;
        self.next_row - 1
    }

    /// Judges every row of a batch in order.
    fn judge(&mut self, batch: &DataFrame, mut each: impl FnMut(usize, u32, Verdict)) {
        let codes = batch
            .column(OUTCOME)
            .and_then(|c| c.u32())
            .expect("the plan has this column")
            .downcast_as_array()
            .clone();
        let views: Vec<Vec<View<'_>>> = self
            .steps
            .iter()
            .map(|step| {
                step.columns
                    .iter()
                    .map(|&(at, frozen)| {
                        let name = if frozen {
                            snapshot(step.node, at)
                        } else {
                            position(at)
                        };
                        View::new(batch.column(&name).expect("the plan has this column"))
                    })
                    .collect()
            })
            .collect();
        for (i, code) in codes.values_iter().enumerate() {
            let row = self.row();
            // The step that refuses the row in the plan, if one does: reading counts as before the first.
            let refused = code.checked_sub(1).map(|reason| {
                let reason = reason as u16;
                (reason, self.plan.reasons.reason(reason).0.step)
            });
            let mut verdict = Verdict::Keep;
            for (step, views) in self.steps.iter().zip(&views) {
                let node = &self.plan.nodes[step.node];
                if refused.is_some_and(|(_, at)| at.is_none_or(|at| at < node.step)) {
                    break;
                }
                self.cells.clear();
                for view in views {
                    view.lay(i, step.normalised, &mut self.cells);
                }
                let RelOp::Distinct { keep, reason, .. } = &node.op else {
                    unreachable!("only distinct nodes are gathered here")
                };
                verdict = self.duplicates.judge(
                    step.node,
                    *keep,
                    *reason,
                    self.cells.fingerprint(),
                    row,
                    self.learned[step.node].as_ref(),
                );
                if verdict != Verdict::Keep {
                    break;
                }
            }
            if verdict == Verdict::Keep
                && let Some((reason, _)) = refused
            {
                verdict = Verdict::Refuse(reason);
            }
            each(i, row, verdict);
        }
    }

    /// Enters the outcome of every row into the ledger and returns the clean rows, named by position.
    pub(super) fn settle(
        &mut self,
        mut batch: DataFrame,
        ledger: &mut Ledger,
        mut quarantined: impl FnMut(u32, u16, String) -> Result<(), RunError>,
        with_raw: bool,
    ) -> Result<DataFrame, RunError> {
        batch.rechunk_mut();
        let repairs = batch
            .column(REPAIRS)
            .and_then(|c| c.u64())
            .expect("the plan has this column")
            .downcast_as_array()
            .clone();
        let mut keep = Vec::with_capacity(batch.height());
        let mut refused = Vec::new();
        self.judge(&batch, |i, row, verdict| {
            verdict.enter(ledger, row, repairs.value(i));
            keep.push(verdict == Verdict::Keep);
            if with_raw && let Some(reason) = ledger.is_quarantined(row) {
                refused.push((i, row, reason));
            }
        });
        let columns = self.plan.columns.len();
        let names: Vec<PlSmallStr> = (0..columns).map(position).collect();
        let clean = batch.select(names).map_err(|e| engine(&e))?;
        if !refused.is_empty() {
            let views: Vec<View<'_>> = clean.columns().iter().map(View::new).collect();
            for (i, row, reason) in refused {
                let mut line = Vec::new();
                write::json_row(&mut line, &self.plan.columns, &views, i);
                let raw = String::from_utf8(line).expect("JSON is UTF-8");
                quarantined(row, reason, raw)?;
            }
        }
        if keep.iter().all(|&k| k) {
            return Ok(clean);
        }
        let mask: BooleanChunked = keep.into_iter().map(Some).collect();
        let mut clean = clean.filter(&mask).map_err(|e| engine(&e))?;
        clean.rechunk_mut();
        Ok(clean)
    }

    /// Shows the rows that reach `op` to its learner.
    pub(super) fn teach(
        &mut self,
        mut batch: DataFrame,
        op: &RelOp,
        learner: &mut Learner,
    ) -> Result<(), RunError> {
        batch.rechunk_mut();
        let mut reached = Vec::new();
        self.judge(&batch, |i, row, verdict| {
            if verdict == Verdict::Keep {
                reached.push((i, row));
            }
        });
        let view = |at: usize| View::new(batch.column(&position(at)).expect("in the plan"));
        match op {
            RelOp::Aggregate { columns, .. } => {
                for (which, &at) in columns.iter().enumerate() {
                    let view = view(at);
                    if matches!(view, View::Text(_) | View::Bool(_)) {
                        return Err(RunError::NotNumeric {
                            column: self.plan.columns[at].clone(),
                        });
                    }
                    for &(i, _) in &reached {
                        if let Some(value) = view.number(i) {
                            learner.value(which, value);
                        }
                    }
                }
            }
            RelOp::Distinct { keys, .. } => {
                let views: Vec<View<'_>> = match &keys.columns {
                    Some(columns) => columns.iter().map(|&at| view(at)).collect(),
                    None => (0..self.plan.columns.len()).map(view).collect(),
                };
                for (i, row) in reached {
                    self.cells.clear();
                    for view in &views {
                        view.lay(i, normalised(keys), &mut self.cells);
                    }
                    learner.fingerprint(self.cells.fingerprint(), row);
                }
            }
            RelOp::Select { .. } | RelOp::Project { .. } => {}
        }
        Ok(())
    }
}

fn duplicate(plan: &Plan, node: usize, op: &RelOp, until: usize) -> Option<Duplicate> {
    let RelOp::Distinct { keys, .. } = op else {
        return None;
    };
    let changed = changed_later(plan, node, until);
    let columns = match &keys.columns {
        Some(columns) => columns.clone(),
        None => (0..plan.columns.len()).collect(),
    };
    Some(Duplicate {
        node,
        columns: columns
            .into_iter()
            .map(|at| (at, changed.contains(&at)))
            .collect(),
        normalised: normalised(keys),
    })
}

fn normalised(keys: &Keys) -> bool {
    keys.equality == Equality::Normalised
}

/// Shows clean rows to the profile.
pub(super) fn observe(profile: &mut Profile, clean: &DataFrame) {
    for (at, column) in clean.columns().iter().enumerate() {
        match View::new(column) {
            View::Text(array) => array.iter().for_each(|v| profile.text(at, v)),
            View::Int(array) => array
                .iter()
                .for_each(|v| profile.number(at, v.map(|v| *v as f64))),
            View::Float(array) => array.iter().for_each(|v| profile.number(at, v.copied())),
            View::Bool(array) => array.iter().for_each(|v| {
                profile.text(at, v.map(|v| if v { "true" } else { "false" }));
            }),
        }
    }
    profile.rows(clean.height() as u64);
}
