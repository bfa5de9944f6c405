//! Judges records by their values, node by node.

use std::ops::Range;

use crate::engine::passes::{Duplicates, Learned, Learner, Verdict};
use crate::engine::references;
use crate::engine::source::{Block, CsvSource, Record};
use crate::engine::values::bind::{Bound, bind, is_numeric};
use crate::engine::values::columns::{Columns, Reading};
use crate::engine::values::row::{Form, Row};
use crate::error::RunError;
use crate::kernel::canonical;
use crate::kernel::fingerprint::{self, Cells};
use crate::plan::{Keys, Plan, Predicate, RelOp, Test, Value};
use crate::spec::{ColumnType, Equality};

/// A record of a block, judged as far as it goes without knowing the records before it.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) row: Row,
    /// The steps that changed it, a bit for each.
    pub(super) repairs: u64,
    verdict: Option<Verdict>,
    /// The distinct node that it has reached, and its fingerprint.
    reached: Option<(usize, u128)>,
}

/// A value does not fit the type that was guessed for its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misfit {
    /// Which record of the block.
    pub(super) at: usize,
}

/// Judges records against the first nodes of a plan.
pub(super) struct Judge<'p> {
    plan: &'p Plan,
    kinds: Vec<ColumnType>,
    learned: &'p [Option<Learned>],
    bound: Vec<Bound>,
    pub(super) duplicates: Duplicates,
    separator: u8,
    cells: Cells,
    line: Vec<u8>,
    scratch: Vec<u8>,
    other: Vec<u8>,
}

impl<'p> Judge<'p> {
    /// A judge of the first `until` nodes.
    ///
    /// # Errors
    /// Those of nodes that ask what the type of their column cannot answer.
    pub(super) fn new(
        plan: &'p Plan,
        kinds: &[ColumnType],
        learned: &'p [Option<Learned>],
        until: usize,
        separator: u8,
    ) -> Result<Self, RunError> {
        let bound = (0..until).map(|node| bind(plan, node, kinds, learned));
        Ok(Self {
            plan,
            kinds: kinds.to_vec(),
            learned,
            bound: bound.collect::<Result<_, _>>()?,
            duplicates: Duplicates::new(plan),
            separator,
            cells: Cells::default(),
            line: Vec::new(),
            scratch: Vec::new(),
            other: Vec::new(),
        })
    }

    /// Reads every record of a block, judges it as far as it goes without knowing the records before it, and reads ahead
    /// what the first distinct node will ask for.
    pub(super) fn look_ahead(
        &mut self,
        columns: &mut Columns<'_>,
        source: &CsvSource,
        block: &Block,
        judged: &mut Vec<Judged>,
    ) -> Result<(), Misfit> {
        let nodes = &self.plan.nodes[..self.bound.len()];
        let is_distinct = |op: &RelOp| matches!(op, RelOp::Distinct { .. });
        let distinct = nodes.iter().position(|node| is_distinct(&node.op));
        judged.resize_with(block.len(), Judged::default);
        for (at, judged) in judged.iter_mut().enumerate() {
            let record = source.record(block, at);
            judged.repairs = 0;
            judged.reached = None;
            let verdict = match columns.read(&record, &mut judged.row) {
                Reading::Misfit => return Err(Misfit { at }),
                Reading::Refused(reason) => Verdict::Refuse(reason),
                Reading::Sound => self.verdict(&record, judged, 0..distinct.unwrap_or(nodes.len())),
            };
            judged.verdict = Some(verdict);
            if let (Verdict::Keep, Some(node)) = (verdict, distinct)
                && let RelOp::Distinct { keys, .. } = &self.plan.nodes[node].op
            {
                judged.reached = Some((node, self.fingerprint(&record, &judged.row, keys)));
                judged.verdict = None;
            }
        }
        if let Some(node) = distinct {
            let prints = judged.iter().filter_map(|judged| judged.reached);
            self.duplicates.touch(node, prints.map(|(_, print)| print));
        }
        Ok(())
    }

    /// What becomes of a record that has been looked at ahead.
    #[inline]
    pub(super) fn verdict_after(&mut self, record: &Record<'_>, judged: &mut Judged) -> Verdict {
        if let Some(verdict) = judged.verdict {
            return verdict;
        }
        let (node, print) = judged
            .reached
            .expect("what has no verdict waits at a distinct node");
        match self.distinct(record, &judged.row, node, Some(print)) {
            Verdict::Keep => self.verdict(record, judged, node + 1..self.bound.len()),
            verdict => verdict,
        }
    }

    fn verdict(&mut self, record: &Record<'_>, judged: &mut Judged, nodes: Range<usize>) -> Verdict {
        let plan = self.plan;
        for index in nodes {
            let verdict = match &plan.nodes[index].op {
                RelOp::Select { predicate, reason } => {
                    if self.holds(record, &judged.row, index, predicate) {
                        Verdict::Keep
                    } else {
                        Verdict::Refuse(*reason)
                    }
                }
                RelOp::Distinct { .. } => self.distinct(record, &judged.row, index, None),
                RelOp::Deny { reason, .. } | RelOp::Isolate { reason, .. } => {
                    let learned = self.learned[index].as_ref();
                    if learned.is_some_and(|rows| rows.has_row(record.row)) {
                        Verdict::Refuse(*reason)
                    } else {
                        Verdict::Keep
                    }
                }
                RelOp::Project { column, value } => {
                    if self.project(record, &mut judged.row, index, *column, value) {
                        judged.repairs |= 1 << plan.nodes[index].step;
                    }
                    Verdict::Keep
                }
                RelOp::Aggregate { .. } => Verdict::Keep,
            };
            if verdict != Verdict::Keep {
                return verdict;
            }
        }
        Verdict::Keep
    }

    fn distinct(&mut self, record: &Record<'_>, row: &Row, index: usize, print: Option<u128>) -> Verdict {
        let RelOp::Distinct { keys, keep, reason } = &self.plan.nodes[index].op else {
            unreachable!("only distinct nodes are asked")
        };
        let print = print.unwrap_or_else(|| self.fingerprint(record, row, keys));
        let learned = self.learned[index].as_ref();
        self.duplicates
            .judge(index, *keep, *reason, print, record.row, learned)
    }

    #[inline]
    fn holds(&mut self, record: &Record<'_>, row: &Row, node: usize, predicate: &Predicate) -> bool {
        match predicate {
            Predicate::Cell {
                column,
                test: Test::NotNull,
            } => !row.is_missing(record, *column),
            Predicate::Cell { column, test } => self.passes(record, row, node, *column, test),
            Predicate::AnyPresent { columns } => {
                columns.iter().any(|&column| !row.is_missing(record, column))
            }
            Predicate::Compare {
                left,
                comparison,
                right,
            } => {
                let (left_kind, right_kind) = (self.kinds[*left], self.kinds[*right]);
                let left = row.text(record, *left, &mut self.scratch);
                let right = row.text(record, *right, &mut self.other);
                let Some((left, right)) = left.zip(right) else {
                    return true;
                };
                if (left_kind, right_kind) == (ColumnType::Int, ColumnType::Int) {
                    comparison.allows(Some(whole(left).cmp(&whole(right))))
                } else if is_numeric(left_kind) && is_numeric(right_kind) {
                    comparison.allows(number(left).partial_cmp(&number(right)))
                } else {
                    comparison.holds(&written(left_kind, left), &written(right_kind, right))
                }
            }
            Predicate::Referenced { columns, .. } => {
                self.cells.clear();
                for &column in columns {
                    match row.text(record, column, &mut self.scratch) {
                        Some(text) => references::lay(&mut self.cells, Some(self.kinds[column]), text),
                        None => return true,
                    }
                }
                let key = self.cells.fingerprint();
                self.learned[node].as_ref().is_some_and(|keys| keys.has_key(key))
            }
        }
    }

    /// Whether a cell passes a test; a missing one fails `NotNull` alone.
    fn passes(&mut self, record: &Record<'_>, row: &Row, node: usize, column: usize, test: &Test) -> bool {
        let Some(text) = row.text(record, column, &mut self.scratch) else {
            return !matches!(test, Test::NotNull);
        };
        match (test, &self.bound[node]) {
            (Test::NotNull, _) => true,
            (Test::NotNan, _) => text != "NaN",
            (_, Bound::Interval(min, max)) => {
                let value = number(text);
                !value.is_nan() && !is_under(value, *min) && !is_under(*max, value)
            }
            (_, Bound::Numbers(numbers)) => {
                let value = number(text);
                numbers
                    .iter()
                    .any(|&n| n == value || n.is_nan() && value.is_nan())
            }
            (test, _) => test.passes_text(Some(text)),
        }
    }

    /// Gives `column` its new value; whether that is a repair.
    fn project(
        &mut self,
        record: &Record<'_>,
        row: &mut Row,
        node: usize,
        column: usize,
        value: &Value,
    ) -> bool {
        let mut changed = std::mem::take(&mut self.line);
        changed.clear();
        let mut repaired = true;
        match (value, &self.bound[node]) {
            (Value::Fails { column: judged, test }, _) => {
                let failed = !self.passes(record, row, node, *judged, test);
                row.set(record, column, if failed { b"true" } else { b"false" });
                repaired = false;
            }
            (Value::Fill(_), Bound::Text(text)) if row.is_missing(record, column) => {
                row.set(record, column, text);
            }
            (Value::Clamp(_), bound) => match (row.text(record, column, &mut self.scratch), bound) {
                (Some(text), &Bound::Whole(low, high)) if !(low..=high).contains(&whole(text)) => {
                    canonical::write_int(whole(text).clamp(low, high), &mut changed);
                    row.set(record, column, &changed);
                }
                (Some(text), &Bound::Interval(min, _)) if is_under(number(text), min) => {
                    canonical::write_float(min, &mut changed);
                    row.set(record, column, &changed);
                }
                (Some(text), &Bound::Interval(_, max)) if is_under(max, number(text)) => {
                    canonical::write_float(max, &mut changed);
                    row.set(record, column, &changed);
                }
                _ => repaired = false,
            },
            _ => repaired = false,
        }
        self.line = changed;
        repaired
    }

    /// A fingerprint that equal keys share: canonical texts are equal where values are, but for the two zeros.
    fn fingerprint(&mut self, record: &Record<'_>, row: &Row, keys: &Keys) -> u128 {
        let normalised = keys.equality == Equality::Normalised;
        if keys.columns.is_none() && !normalised {
            if row.is_as_read() {
                return fingerprint::of(record.body);
            }
            self.line.clear();
            let form = Form {
                kinds: &self.kinds,
                read: self.separator,
                write: self.separator,
                one_zero: true,
            };
            row.write_csv(record, self.plan.inputs, form, &mut self.line);
            return fingerprint::of(&self.line);
        }
        self.cells.clear();
        let count = keys.columns.as_ref().map_or(self.plan.inputs, Vec::len);
        for at in 0..count {
            let column = keys.columns.as_ref().map_or(at, |columns| columns[at]);
            let kind = self.kinds[column];
            match row.text(record, column, &mut self.scratch) {
                None => self.cells.missing(),
                Some(text) if normalised && kind == ColumnType::Text => self.cells.normalised(text),
                Some("-0.0") if kind == ColumnType::Float => self.cells.text(b"0.0"),
                Some(text) => self.cells.text(text.as_bytes()),
            }
        }
        self.cells.fingerprint()
    }

    fn numeric(&self, column: usize) -> Result<(), RunError> {
        if is_numeric(self.kinds[column]) {
            return Ok(());
        }
        Err(RunError::NotNumeric {
            column: self.plan.columns[column].clone(),
        })
    }

    /// Shows a record that has reached `op` to its learner.
    pub(super) fn teach(
        &mut self,
        record: &Record<'_>,
        row: &Row,
        op: &RelOp,
        learner: &mut Learner,
    ) -> Result<(), RunError> {
        match op {
            RelOp::Aggregate { columns, .. } => {
                for (which, &column) in columns.iter().enumerate() {
                    self.numeric(column)?;
                    if let Some(text) = row.text(record, column, &mut self.scratch) {
                        learner.value(which, number(text));
                    }
                }
            }
            RelOp::Distinct { keys, .. } => {
                learner.fingerprint(self.fingerprint(record, row, keys), record.row);
            }
            RelOp::Isolate { columns, .. } => {
                let mut numbers = Vec::with_capacity(columns.len());
                for &column in columns {
                    self.numeric(column)?;
                    numbers.push(row.text(record, column, &mut self.scratch).map(number));
                }
                learner.numbers(numbers.into_iter(), record.row);
            }
            RelOp::Deny { columns, .. } => {
                let mut cells = Vec::with_capacity(columns.len());
                for &column in columns {
                    let text = row.text(record, column, &mut self.scratch);
                    cells.push(text.map_or_else(String::new, |text| written(self.kinds[column], text)));
                }
                learner.cells(cells, record.row);
            }
            RelOp::Select { .. } | RelOp::Project { .. } => {}
        }
        Ok(())
    }
}

/// The number that a canonical text says.
pub(super) fn number(text: &str) -> f64 {
    text.parse().expect("the canonical text of a number")
}

fn whole(text: &str) -> i64 {
    text.parse().expect("the canonical text of a whole number")
}

/// A value as constraints compare it: numbers without an exponent and without a fraction that is zero.
fn written(kind: ColumnType, text: &str) -> String {
    match kind {
        ColumnType::Float => number(text).to_string(),
        _ => text.to_owned(),
    }
}

/// Whether `value` comes before `bound`, with NaN behind everything.
fn is_under(value: f64, bound: f64) -> bool {
    value < bound || bound.is_nan() && !value.is_nan()
}
