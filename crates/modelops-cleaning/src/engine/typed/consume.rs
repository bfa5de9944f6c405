//! Takes batches in input order: duplicates, outcomes, and what is left as clean rows.

use std::borrow::Cow;

use polars::prelude::*;

use crate::engine::passes::{Duplicates, Learned, Learner, Verdict};
use crate::engine::survey::Survey;
use crate::engine::typed::query::{OUTCOME, REPAIRS, changed_later, position, snapshot};
use crate::engine::typed::{engine, write};
use crate::error::RunError;
use crate::kernel::fingerprint::Cells;
use crate::ledger::Ledger;
use crate::plan::{Keys, Plan, Predicate, RelOp};
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

    fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Text(array) => array.get(row).is_none(),
            Self::Int(array) => array.get(row).is_none(),
            Self::Float(array) => array.get(row).is_none(),
            Self::Bool(array) => array.get(row).is_none(),
        }
    }

    /// The value as text; `None` where it is missing.
    fn written(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(array) => array.get(row).map(Cow::Borrowed),
            Self::Int(array) => array.get(row).map(|v| v.to_string().into()),
            Self::Float(array) => array.get(row).map(|v| v.to_string().into()),
            Self::Bool(array) => array.get(row).map(|v| v.to_string().into()),
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

/// One node that is judged row by row behind the plan of the engine.
struct ByRow {
    node: usize,
    /// Each column, and whether a snapshot of it must be used.
    columns: Vec<(usize, bool)>,
    normalised: bool,
}

impl ByRow {
    fn fingerprint(&self, views: &[View<'_>], row: usize, cells: &mut Cells) -> u128 {
        cells.clear();
        for view in views {
            view.lay(row, self.normalised, cells);
        }
        cells.fingerprint()
    }
}

/// Rows whose fingerprints are looked for together.
const AHEAD: usize = 256;

type Faults<'p> = std::iter::Peekable<std::slice::Iter<'p, (u32, u16)>>;

/// The input row of the next sound record.
fn next_row(next: &mut u32, faults: &mut Faults<'_>) -> u32 {
    while faults.next_if(|(row, _)| *row == *next).is_some() {
        *next += 1;
    }
    *next += 1;
    *next - 1
}

/// Takes batches in input order.
pub(super) struct Consumer<'p> {
    plan: &'p Plan,
    learned: &'p [Option<Learned>],
    duplicates: Duplicates,
    steps: Vec<ByRow>,
    faults: Faults<'p>,
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
            .filter_map(|(index, node)| by_row(plan, index, &node.op, until))
            .collect();
        let mut duplicates = Duplicates::new(plan);
        duplicates.expect(survey.records);
        Self {
            plan,
            learned,
            duplicates,
            steps,
            faults: survey.faults.iter().peekable(),
            next_row: 0,
            cells: Cells::default(),
        }
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
        // The step that refuses the row in the plan, if one does: reading counts as before the first.
        let refusal = |code: u32| {
            let reason = code.checked_sub(1)? as u16;
            Some((reason, self.plan.reasons.reason(reason).0.step))
        };
        let reaches = |refused: Option<(u16, Option<usize>)>, node: usize| {
            let step = self.plan.nodes[node].step;
            refused.is_none_or(|(_, at)| at.is_some_and(|at| at >= step))
        };
        let codes: Vec<u32> = codes.values_iter().copied().collect();
        let mut cells = std::mem::take(&mut self.cells);
        let mut ahead = Vec::with_capacity(AHEAD);
        let is_distinct = |node: usize| matches!(self.plan.nodes[node].op, RelOp::Distinct { .. });
        // The first duplicate step, where no other step is judged before it.
        let first = self.steps.first().filter(|step| is_distinct(step.node));
        for (i, &code) in codes.iter().enumerate() {
            if i % AHEAD == 0 {
                // The first duplicate step does not depend on the rows before: what it will ask for is read at once.
                ahead.clear();
                if let (Some(step), Some(views)) = (first, views.first()) {
                    for (i, &code) in codes.iter().enumerate().skip(i).take(AHEAD) {
                        let reached = reaches(refusal(code), step.node);
                        ahead.push(reached.then(|| step.fingerprint(views, i, &mut cells)));
                    }
                    self.duplicates.touch(step.node, ahead.iter().flatten().copied());
                }
            }
            let row = next_row(&mut self.next_row, &mut self.faults);
            let refused = refusal(code);
            let mut verdict = Verdict::Keep;
            for (at, (step, views)) in self.steps.iter().zip(&views).enumerate() {
                if !reaches(refused, step.node) {
                    break;
                }
                let learned = self.learned[step.node].as_ref();
                verdict = match &self.plan.nodes[step.node].op {
                    RelOp::Distinct { keep, reason, .. } => {
                        let known = if at == 0 { ahead[i % AHEAD] } else { None };
                        let print = known.unwrap_or_else(|| step.fingerprint(views, i, &mut cells));
                        self.duplicates
                            .judge(step.node, *keep, *reason, print, row, learned)
                    }
                    RelOp::Deny { reason, .. } | RelOp::Isolate { reason, .. }
                        if learned.is_some_and(|rows| rows.has_row(row)) =>
                    {
                        Verdict::Refuse(*reason)
                    }
                    RelOp::Select { predicate, reason } => {
                        let mut has_key = || {
                            let print = step.fingerprint(views, i, &mut cells);
                            learned.is_some_and(|keys| keys.has_key(print))
                        };
                        if holds(predicate, views, i, &mut has_key) {
                            Verdict::Keep
                        } else {
                            Verdict::Refuse(*reason)
                        }
                    }
                    _ => Verdict::Keep,
                };
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
        self.cells = cells;
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

    fn numeric(&self, column: usize, view: &View<'_>) -> Result<(), RunError> {
        if matches!(view, View::Int(_) | View::Float(_)) {
            return Ok(());
        }
        Err(RunError::NotNumeric {
            column: self.plan.columns[column].clone(),
        })
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
                    self.numeric(at, &view)?;
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
                    None => (0..self.plan.inputs).map(view).collect(),
                };
                for (i, row) in reached {
                    self.cells.clear();
                    for view in &views {
                        view.lay(i, normalised(keys), &mut self.cells);
                    }
                    learner.fingerprint(self.cells.fingerprint(), row);
                }
            }
            RelOp::Isolate { columns, .. } => {
                let views: Vec<View<'_>> = columns.iter().map(|&at| view(at)).collect();
                for (&at, view) in columns.iter().zip(&views) {
                    self.numeric(at, view)?;
                }
                for (i, row) in reached {
                    learner.numbers(views.iter().map(|view| view.number(i)), row);
                }
            }
            RelOp::Deny { columns, .. } => {
                let views: Vec<View<'_>> = columns.iter().map(|&at| view(at)).collect();
                for (i, row) in reached {
                    let text = |view: &View<'_>| view.written(i).unwrap_or_default().into_owned();
                    learner.cells(views.iter().map(text).collect(), row);
                }
            }
            RelOp::Select { .. } | RelOp::Project { .. } => {}
        }
        Ok(())
    }
}

/// Whether row `i` meets a predicate over several cells.
fn holds(predicate: &Predicate, views: &[View<'_>], i: usize, has_key: &mut impl FnMut() -> bool) -> bool {
    match predicate {
        Predicate::Compare { comparison, .. } => {
            let (left, right) = (&views[0], &views[1]);
            if let (View::Int(left), View::Int(right)) = (left, right) {
                let pair = left.get(i).zip(right.get(i));
                return pair.is_none_or(|(left, right)| comparison.allows(Some(left.cmp(&right))));
            }
            if let Some((left, right)) = left.number(i).zip(right.number(i)) {
                return comparison.allows(left.partial_cmp(&right));
            }
            let pair = left.written(i).zip(right.written(i));
            pair.is_none_or(|(left, right)| comparison.holds(&left, &right))
        }
        Predicate::Referenced { .. } => views.iter().any(|view| view.is_missing(i)) || has_key(),
        Predicate::Cell { .. } | Predicate::AnyPresent { .. } => true,
    }
}

/// The step that judges a node row by row; `None` for one that the engine judges.
fn by_row(plan: &Plan, node: usize, op: &RelOp, until: usize) -> Option<ByRow> {
    let changed = changed_later(plan, node, until);
    let columns = match op {
        RelOp::Distinct { keys, .. } => match &keys.columns {
            Some(columns) => columns.clone(),
            None => (0..plan.inputs).collect(),
        },
        RelOp::Select { predicate, .. } => match predicate {
            Predicate::Compare { left, right, .. } => vec![*left, *right],
            Predicate::Referenced { columns, .. } => columns.clone(),
            Predicate::Cell { .. } | Predicate::AnyPresent { .. } => return None,
        },
        RelOp::Deny { .. } | RelOp::Isolate { .. } => Vec::new(),
        RelOp::Project { .. } | RelOp::Aggregate { .. } => return None,
    };
    Some(ByRow {
        node,
        columns: columns
            .into_iter()
            .map(|at| (at, changed.contains(&at)))
            .collect(),
        normalised: matches!(op, RelOp::Distinct { keys, .. } if normalised(keys)),
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
