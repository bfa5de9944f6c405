//! The one polars plan: columns read, judged and repaired, with an outcome column beside them.
//!
//! Columns are known by position (`c0`, `c1`, …), so no name of the input can collide with one of ours. `outcome` is the
//! reason of the first step that refuses the record, plus one; `repairs` has a bit for every step that changed it.
//! This module and its neighbours are the only ones that know polars.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use polars::prelude::*;

use crate::engine::passes::{Learned, resolve};
use crate::engine::survey::Survey;
use crate::engine::typed::{engine, stage};
use crate::error::RunError;
use crate::plan::{Bounds, Plan, Predicate, RelOp, Test, Value};
use crate::spec::{ColumnType, Format, PipelineSpec};

pub(super) const OUTCOME: &str = "outcome";
pub(super) const REPAIRS: &str = "repairs";

pub(super) fn position(column: usize) -> PlSmallStr {
    format!("c{column}").into()
}

/// The value of `column` as node `node` saw it, where a later one changes it.
pub(super) fn snapshot(node: usize, column: usize) -> PlSmallStr {
    format!("s{node}c{column}").into()
}

pub(super) fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Int => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Text => DataType::String,
    }
}

/// The input as polars shall read it.
pub(super) struct Input {
    scan: LazyFrame,
    kinds: Vec<ColumnType>,
    /// Whether the scan delivers the column as text that still has to be understood.
    raw_text: Vec<bool>,
    touched: Vec<bool>,
}

impl Input {
    pub(super) fn new(
        spec: &PipelineSpec,
        survey: &Survey,
        plan: &Plan,
        staged: Option<&Path>,
    ) -> Result<Self, RunError> {
        let mut kinds: Vec<ColumnType> = survey
            .candidates
            .iter()
            .zip(&plan.casts)
            .map(|(candidate, cast)| cast.map_or(candidate.kind(), |(kind, _)| kind))
            .collect();
        let mut touched = survey.touched.clone();
        let path = staged.unwrap_or(&spec.read.path);
        let plain_path = PlRefPath::try_from_path(path).map_err(|e| engine(&e))?;
        if spec.read.format == Format::Parquet {
            let args = ScanArgsParquet {
                glob: false,
                ..Default::default()
            };
            let native: Vec<ColumnType> = survey.candidates.iter().map(|c| c.kind()).collect();
            let columns: Vec<Expr> = plan
                .columns
                .iter()
                .zip(&native)
                .enumerate()
                .map(|(at, (name, &kind))| col(name.as_str()).cast(data_type(kind)).alias(position(at)))
                .collect();
            let scan = LazyFrame::scan_parquet(plain_path, args)
                .map_err(|e| engine(&e))?
                .select(columns);
            let mut raw_text: Vec<bool> = native
                .iter()
                .zip(&kinds)
                .map(|(native, kind)| native != kind || *native == ColumnType::Text)
                .collect();
            add(plan, &mut kinds, &mut raw_text, &mut touched);
            return Ok(Self {
                scan,
                kinds,
                raw_text,
                touched,
            });
        }
        let mut raw_text: Vec<bool> = (0..kinds.len())
            .map(|at| {
                kinds[at] == ColumnType::Text || survey.touched[at] || !survey.candidates[at].fits(kinds[at])
            })
            .collect();
        let schema: Schema = kinds
            .iter()
            .zip(&raw_text)
            .enumerate()
            .map(|(at, (&kind, &raw))| {
                let kind = if raw { ColumnType::Text } else { kind };
                Field::new(position(at), data_type(kind))
            })
            .collect();
        let scan = LazyCsvReader::new(plain_path)
            .with_has_header(true)
            .with_separator(stage::comma_or(spec, staged.is_some()))
            .with_schema(Some(Arc::new(schema)))
            .with_missing_is_null(true)
            .with_raise_if_empty(false)
            .with_glob(false)
            .finish()
            .map_err(|e| engine(&e))?;
        add(plan, &mut kinds, &mut raw_text, &mut touched);
        Ok(Self {
            scan,
            kinds,
            raw_text,
            touched,
        })
    }

    /// The type of each column after reading.
    pub(super) fn kinds(&self) -> &[ColumnType] {
        &self.kinds
    }

    /// The query of the first `until` nodes.
    pub(super) fn query(
        &self,
        plan: &Plan,
        learned: &[Option<Learned>],
        until: usize,
    ) -> Result<LazyFrame, RunError> {
        let mut query = Query {
            frame: self.scan.clone(),
            kinds: &self.kinds,
            plan,
            learned,
            failures: Vec::new(),
        };
        self.read(plan, &mut query);
        for index in 0..until {
            query.node(index, until)?;
        }
        query.flush();
        // A node that is being taught sees the columns as they stand now; its own snapshots are not needed.
        Ok(query.frame)
    }

    /// Understands text: white space, sentinels, declared types.
    fn read(&self, plan: &Plan, query: &mut Query<'_>) {
        let mut texts = Vec::new();
        let mut values = Vec::new();
        let mut outcome = lit(0u32);
        for at in (0..self.kinds.len()).rev() {
            if !self.raw_text[at] {
                continue;
            }
            let name = position(at);
            let kind = self.kinds[at];
            let sentinels = plan.sentinels[at].clone();
            if self.touched[at] {
                let trim = plan.trim;
                texts.push(col(name.clone()).map_with_fmt_str(
                    move |column| Ok(understand(column.str()?, trim, &sentinels).into_column()),
                    |_, field| Ok(field.clone()),
                    "understand",
                ));
            }
            if kind != ColumnType::Text {
                let value = if kind == ColumnType::Bool {
                    col(name.clone()).map_with_fmt_str(
                        |column| Ok(booleans(column.cast(&DataType::String)?.str()?).into_column()),
                        |_, field| Ok(Field::new(field.name().clone(), DataType::Boolean)),
                        "boolean",
                    )
                } else {
                    col(name.clone()).cast(data_type(kind))
                };
                if let Some((_, reason)) = plan.casts[at] {
                    let lost = value.clone().is_null().and(col(name.clone()).is_not_null());
                    outcome = when(lost).then(lit(u32::from(reason) + 1)).otherwise(outcome);
                }
                values.push(value.alias(name));
            } else if plan.casts[at].is_some() {
                values.push(col(name.clone()).cast(DataType::String).alias(name));
            }
        }
        if !texts.is_empty() {
            query.frame = query.frame.clone().with_columns(texts);
        }
        values.push(outcome.cast(DataType::UInt32).alias(OUTCOME));
        values.push(lit(0u64).cast(DataType::UInt64).alias(REPAIRS));
        query.frame = query.frame.clone().with_columns(values);
    }
}

/// Columns that steps add are flags, and nobody reads them.
fn add(plan: &Plan, kinds: &mut Vec<ColumnType>, raw_text: &mut Vec<bool>, touched: &mut Vec<bool>) {
    kinds.resize(plan.columns.len(), ColumnType::Bool);
    raw_text.resize(plan.columns.len(), false);
    touched.resize(plan.columns.len(), false);
}

struct Query<'a> {
    frame: LazyFrame,
    kinds: &'a [ColumnType],
    plan: &'a Plan,
    learned: &'a [Option<Learned>],
    /// What neighbouring selections refuse, in order: they see the same columns, so they become one expression.
    failures: Vec<(Expr, u16)>,
}

impl Query<'_> {
    fn with(&mut self, columns: Vec<Expr>) {
        self.frame = self.frame.clone().with_columns(columns);
    }

    /// Gives each waiting reason to the records that meet its condition and have no outcome yet.
    fn flush(&mut self) {
        if self.failures.is_empty() {
            return;
        }
        let mut code = col(OUTCOME);
        for (failed, reason) in std::mem::take(&mut self.failures).into_iter().rev() {
            let first = col(OUTCOME).eq(lit(0u32)).and(failed);
            code = when(first).then(lit(u32::from(reason) + 1)).otherwise(code);
        }
        self.with(vec![code.cast(DataType::UInt32).alias(OUTCOME)]);
    }

    fn repair(&mut self, step: usize, column: usize, changed: Expr, value: Expr) {
        self.flush();
        let bit = when(changed).then(lit(1u64 << step)).otherwise(lit(0u64));
        self.with(vec![
            value.alias(position(column)),
            col(REPAIRS).or(bit.cast(DataType::UInt64)).alias(REPAIRS),
        ]);
    }

    fn node(&mut self, index: usize, until: usize) -> Result<(), RunError> {
        let plan = self.plan;
        let node = &plan.nodes[index];
        match &node.op {
            RelOp::Select { predicate, reason } => {
                let failed = match predicate {
                    Predicate::Compare { .. } | Predicate::Referenced { .. } => {
                        self.freeze(index, until);
                        return Ok(());
                    }
                    Predicate::Cell { column, test } => self.fails(node.step, *column, test)?,
                    Predicate::AnyPresent { columns } => columns
                        .iter()
                        .map(|&at| col(position(at)).is_null())
                        .reduce(Expr::and),
                };
                self.failures.extend(failed.map(|failed| (failed, *reason)));
            }
            RelOp::Distinct { .. } => self.freeze(index, until),
            RelOp::Project { column, value } => match value {
                Value::Fill(constant) => self.fill(node.step, *column, constant)?,
                Value::Clamp(bounds) => self.clamp(node.step, *column, *bounds)?,
                Value::Fails { column: judged, test } => {
                    let failed = self.fails(node.step, *judged, test)?.unwrap_or(lit(false));
                    self.with(vec![failed.fill_null(lit(false)).alias(position(*column))]);
                }
            },
            RelOp::Isolate { columns, .. } => {
                let numeric = |&&at: &&usize| matches!(self.kinds[at], ColumnType::Int | ColumnType::Float);
                if let Some(&at) = columns.iter().find(|at| !numeric(at)) {
                    let column = plan.columns[at].clone();
                    return Err(RunError::NotNumeric { column });
                }
            }
            RelOp::Aggregate { .. } | RelOp::Deny { .. } => {}
        }
        Ok(())
    }

    /// Keeps the columns that a later node changes as this one sees them: it is judged row by row behind the plan.
    fn freeze(&mut self, index: usize, until: usize) {
        let frozen: Vec<Expr> = changed_later(self.plan, index, until)
            .into_iter()
            .map(|at| col(position(at)).alias(snapshot(index, at)))
            .collect();
        if !frozen.is_empty() {
            self.with(frozen);
        }
    }

    /// When the cell fails the test; `None` where no value of its type can.
    fn fails(&self, step: usize, at: usize, test: &Test) -> Result<Option<Expr>, RunError> {
        let column = || self.plan.columns[at].clone();
        let cell = col(position(at));
        let kind = self.kinds[at];
        let numeric = matches!(kind, ColumnType::Int | ColumnType::Float);
        Ok(Some(match test {
            Test::NotNull => cell.is_null(),
            Test::Range(_) | Test::NotNan if !numeric => {
                return Err(RunError::NotNumeric { column: column() });
            }
            Test::NotNan if kind == ColumnType::Int => return Ok(None),
            Test::NotNan => cell.is_nan(),
            Test::Range(bounds) => {
                let (min, max) = resolve(*bounds, self.learned);
                outside(&cell, kind, min, max)
            }
            Test::InSet { ordered, .. } if numeric => {
                let number = |text: &String| {
                    text.parse::<f64>().map_err(|_| RunError::BadConstant {
                        step,
                        column: column(),
                        value: text.clone(),
                    })
                };
                let numbers = ordered.iter().map(number).collect::<Result<Vec<f64>, _>>()?;
                let found = numbers
                    .into_iter()
                    .map(|n| cell.clone().cast(DataType::Float64).eq(lit(n)))
                    .reduce(Expr::or);
                found.map_or(lit(true), Expr::not)
            }
            _ if kind != ColumnType::Text => return Err(RunError::NotText { column: column() }),
            test => {
                let test = test.clone();
                cell.map_with_fmt_str(
                    move |column| {
                        let name = column.name().clone();
                        let failed: BooleanChunked = column
                            .str()?
                            .iter()
                            .map(|text| Some(!test.passes_text(text)))
                            .collect();
                        Ok(failed.with_name(name).into_column())
                    },
                    |_, field| Ok(Field::new(field.name().clone(), DataType::Boolean)),
                    "breaks_rule",
                )
            }
        }))
    }

    fn fill(&mut self, step: usize, at: usize, value: &str) -> Result<(), RunError> {
        let constant = constant(self.kinds[at], value).ok_or_else(|| RunError::BadConstant {
            step,
            column: self.plan.columns[at].clone(),
            value: value.to_owned(),
        })?;
        let missing = col(position(at)).is_null();
        let filled = when(missing.clone()).then(constant).otherwise(col(position(at)));
        self.repair(step, at, missing, filled);
        Ok(())
    }

    fn clamp(&mut self, step: usize, at: usize, bounds: Bounds) -> Result<(), RunError> {
        let (min, max) = resolve(bounds, self.learned);
        let cell = col(position(at));
        let (low, high) = if self.kinds[at] == ColumnType::Int {
            // The nearest whole numbers inside; a cast saturates at the ends of the type.
            let (low, high) = (min.ceil() as i64, max.floor() as i64);
            if low > high {
                return Err(RunError::BadConstant {
                    step,
                    column: self.plan.columns[at].clone(),
                    value: format!("[{min}, {max}]"),
                });
            }
            (lit(low), lit(high))
        } else {
            (lit(min), lit(max))
        };
        let (under, over) = (cell.clone().lt(low.clone()), cell.clone().gt(high.clone()));
        let value = when(under.clone())
            .then(low)
            .when(over.clone())
            .then(high)
            .otherwise(cell);
        self.repair(step, at, under.or(over), value);
        Ok(())
    }
}

fn outside(cell: &Expr, kind: ColumnType, min: f64, max: f64) -> Expr {
    let number = cell.clone().cast(DataType::Float64);
    let outside = number.clone().lt(lit(min)).or(number.clone().gt(lit(max)));
    if kind == ColumnType::Float {
        outside.or(number.is_nan())
    } else {
        outside
    }
}

/// Columns that a node after `index` changes.
pub(super) fn changed_later(plan: &Plan, index: usize, until: usize) -> Vec<usize> {
    let later = plan.nodes[..until].iter().skip(index + 1);
    let mut changed: Vec<usize> = later
        .filter_map(|node| match &node.op {
            // A column that a step adds is never changed again.
            RelOp::Project { column, .. } if *column < plan.inputs => Some(*column),
            _ => None,
        })
        .collect();
    changed.sort_unstable();
    changed.dedup();
    changed
}

fn constant(kind: ColumnType, value: &str) -> Option<Expr> {
    Some(match kind {
        ColumnType::Int => lit(value.parse::<i64>().ok()?),
        ColumnType::Float => lit(value.parse::<f64>().ok()?),
        ColumnType::Bool => lit(value.parse::<bool>().ok()?),
        ColumnType::Text => lit(value.to_owned()),
    })
}

fn understand(column: &StringChunked, trim: bool, sentinels: &[String]) -> StringChunked {
    let understood: StringChunked = column
        .iter()
        .map(|text| {
            let text = if trim { text?.trim() } else { text? };
            let missing = text.is_empty() || sentinels.iter().any(|s| s == text);
            (!missing).then_some(text)
        })
        .collect();
    understood.with_name(column.name().clone())
}

fn booleans(column: &StringChunked) -> BooleanChunked {
    let values: BooleanChunked = column
        .iter()
        .map(|text| match text? {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        })
        .collect();
    values.with_name(column.name().clone())
}

/// Runs the plan on the streaming engine and hands over its batches in input order, on this thread.
pub(super) fn batches(
    frame: LazyFrame,
    mut take: impl FnMut(DataFrame) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let (send, receive) = sync_channel::<DataFrame>(2);
    let sink = frame
        .sink_batches(
            // A closed channel means that the consumer has failed: stop early.
            PlanCallback::new(move |batch| Ok(send.send(batch).is_err())),
            true,
            None,
        )
        .map_err(|e| engine(&e))?;
    std::thread::scope(|scope| {
        let runner = scope.spawn(move || sink.collect_with_engine(Engine::Streaming).map(drop));
        let mut taken = Ok(());
        for batch in receive {
            taken = take(batch);
            if taken.is_err() {
                break;
            }
        }
        // The receiver is gone here in either case, so the runner cannot wait for us.
        let ran = runner
            .join()
            .expect("polars reports failures rather than panicking");
        taken?;
        ran.map_err(|e| engine(&e))
    })
}
