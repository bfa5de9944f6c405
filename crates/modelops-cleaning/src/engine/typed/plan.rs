//! The one polars plan: columns read, judged and repaired, with an outcome column beside them.
//!
//! Columns are known by position (`c0`, `c1`, …), so no name of the input can collide with one of ours. `outcome` is the
//! reason of the first step that refuses the record, plus one; `repairs` has a bit for every step that changed it.
//! This module and its neighbours are the only ones that know polars.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use polars::prelude::*;

use crate::engine::passes::Learned;
use crate::engine::program::{Op, Program, Test};
use crate::engine::typed::survey::Survey;
use crate::engine::typed::{engine, stage};
use crate::error::RunError;
use crate::spec::{ColumnType, Format, How, PipelineSpec};

pub(super) const OUTCOME: &str = "outcome";
pub(super) const REPAIRS: &str = "repairs";

pub(super) fn position(column: usize) -> PlSmallStr {
    format!("c{column}").into()
}

/// The value of `column` as step `step` saw it, where a later step changes it.
pub(super) fn snapshot(step: usize, column: usize) -> PlSmallStr {
    format!("s{step}c{column}").into()
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
        program: &Program,
        staged: Option<&Path>,
    ) -> Result<Self, RunError> {
        let kinds: Vec<ColumnType> = survey
            .candidates
            .iter()
            .zip(&program.casts)
            .map(|(candidate, cast)| cast.map_or(candidate.kind(), |(kind, _)| kind))
            .collect();
        let path = staged.unwrap_or(&spec.read.path);
        let plain_path = PlRefPath::try_from_path(path).map_err(|e| engine(&e))?;
        if spec.read.format == Format::Parquet {
            let args = ScanArgsParquet {
                glob: false,
                ..Default::default()
            };
            let native: Vec<ColumnType> = survey.candidates.iter().map(|c| c.kind()).collect();
            let columns: Vec<Expr> = program
                .columns
                .iter()
                .zip(&native)
                .enumerate()
                .map(|(at, (name, &kind))| col(name.as_str()).cast(data_type(kind)).alias(position(at)))
                .collect();
            let scan = LazyFrame::scan_parquet(plain_path, args)
                .map_err(|e| engine(&e))?
                .select(columns);
            let raw_text = native
                .iter()
                .zip(&kinds)
                .map(|(native, kind)| native != kind || *native == ColumnType::Text)
                .collect();
            return Ok(Self {
                scan,
                kinds,
                raw_text,
                touched: survey.touched.clone(),
            });
        }
        let raw_text: Vec<bool> = (0..kinds.len())
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
        Ok(Self {
            scan,
            kinds,
            raw_text,
            touched: survey.touched.clone(),
        })
    }

    /// The type of each column after reading.
    pub(super) fn kinds(&self) -> &[ColumnType] {
        &self.kinds
    }

    /// The plan of the first `until` steps.
    pub(super) fn plan(
        &self,
        program: &Program,
        learned: &[Option<Learned>],
        until: usize,
    ) -> Result<LazyFrame, RunError> {
        let mut plan = Plan {
            frame: self.scan.clone(),
            kinds: &self.kinds,
        };
        self.read(program, &mut plan);
        for (index, op) in program.ops[..until].iter().enumerate() {
            plan.step(program, index, op, learned[index].as_ref(), until)?;
        }
        // A step that is being taught sees the columns as they stand now; its own snapshots are not needed.
        Ok(plan.frame)
    }

    /// Understands text: white space, sentinels, declared types.
    fn read(&self, program: &Program, plan: &mut Plan<'_>) {
        let mut texts = Vec::new();
        let mut values = Vec::new();
        let mut outcome = lit(0u32);
        for at in (0..self.kinds.len()).rev() {
            if !self.raw_text[at] {
                continue;
            }
            let name = position(at);
            let kind = self.kinds[at];
            let sentinels = program.sentinels[at].clone();
            if self.touched[at] {
                let trim = program.trim;
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
                if let Some((_, reason)) = program.casts[at] {
                    let lost = value.clone().is_null().and(col(name.clone()).is_not_null());
                    outcome = when(lost).then(lit(u32::from(reason) + 1)).otherwise(outcome);
                }
                values.push(value.alias(name));
            } else if program.casts[at].is_some() {
                values.push(col(name.clone()).cast(DataType::String).alias(name));
            }
        }
        if !texts.is_empty() {
            plan.frame = plan.frame.clone().with_columns(texts);
        }
        values.push(outcome.cast(DataType::UInt32).alias(OUTCOME));
        values.push(lit(0u64).cast(DataType::UInt64).alias(REPAIRS));
        plan.frame = plan.frame.clone().with_columns(values);
    }
}

struct Plan<'a> {
    frame: LazyFrame,
    kinds: &'a [ColumnType],
}

impl Plan<'_> {
    fn with(&mut self, columns: Vec<Expr>) {
        self.frame = self.frame.clone().with_columns(columns);
    }

    /// Gives `reason` to records that meet `failed` and have no outcome yet.
    fn refuse(&mut self, failures: &[(Expr, u16)]) {
        let mut code = col(OUTCOME);
        for (failed, reason) in failures.iter().rev() {
            let first = col(OUTCOME).eq(lit(0u32)).and(failed.clone());
            code = when(first).then(lit(u32::from(*reason) + 1)).otherwise(code);
        }
        self.with(vec![code.cast(DataType::UInt32).alias(OUTCOME)]);
    }

    fn repair(&mut self, step: usize, column: usize, changed: Expr, value: Expr) {
        let bit = when(changed).then(lit(1u64 << step)).otherwise(lit(0u64));
        self.with(vec![
            value.alias(position(column)),
            (col(REPAIRS) + bit).cast(DataType::UInt64).alias(REPAIRS),
        ]);
    }

    fn step(
        &mut self,
        program: &Program,
        index: usize,
        op: &Op,
        learned: Option<&Learned>,
        until: usize,
    ) -> Result<(), RunError> {
        match op {
            Op::DropMissing { columns, how } => {
                let missing = |at: usize| col(position(at)).is_null();
                let failures: Vec<(Expr, u16)> = match how {
                    How::Any => columns.iter().map(|&(at, r)| (missing(at), r)).collect(),
                    How::All => {
                        let all = columns.iter().map(|c| missing(c.0)).reduce(Expr::and);
                        all.into_iter().map(|all| (all, columns[0].1)).collect()
                    }
                };
                self.refuse(&failures);
            }
            Op::DropDuplicates { .. } => {
                let frozen: Vec<Expr> = changed_later(program, index, until)
                    .into_iter()
                    .map(|at| col(position(at)).alias(snapshot(index, at)))
                    .collect();
                if !frozen.is_empty() {
                    self.with(frozen);
                }
            }
            Op::Check {
                column,
                test,
                reason,
                clip,
            } => self.check(program, index, (*column, test, *reason, *clip))?,
            Op::Fill { column, value } => {
                let at = *column;
                let constant = constant(self.kinds[at], value).ok_or_else(|| RunError::BadConstant {
                    step: index,
                    column: program.columns[at].clone(),
                    value: value.clone(),
                })?;
                let missing = col(position(at)).is_null();
                let filled = when(missing.clone()).then(constant).otherwise(col(position(at)));
                self.repair(index, at, missing, filled);
            }
            Op::Outliers { columns, clip, .. } => {
                let Some(Learned::Intervals(intervals)) = learned else {
                    unreachable!("a preparatory pass has learned the intervals")
                };
                for (&(at, reason), &(min, max)) in columns.iter().zip(intervals) {
                    let test = Test::Range { min, max };
                    self.check(program, index, (at, &test, reason, *clip))?;
                }
            }
        }
        Ok(())
    }

    fn check(
        &mut self,
        program: &Program,
        index: usize,
        (at, test, reason, clip): (usize, &Test, u16, bool),
    ) -> Result<(), RunError> {
        let column = || program.columns[at].clone();
        let cell = col(position(at));
        let kind = self.kinds[at];
        let numeric = matches!(kind, ColumnType::Int | ColumnType::Float);
        let failed = match test {
            Test::NotNull => cell.is_null(),
            Test::Range { .. } if !numeric => {
                return Err(RunError::NotNumeric { column: column() });
            }
            Test::Range { min, max } if clip => {
                return self.clip(program, index, (at, reason), (*min, *max));
            }
            Test::Range { min, max } => outside(&cell, kind, *min, *max),
            Test::InSet { ordered, .. } if numeric => {
                let numbers: Option<Vec<f64>> = ordered.iter().map(|v| v.parse().ok()).collect();
                let Some(numbers) = numbers else {
                    return Err(RunError::BadConstant {
                        step: index,
                        column: column(),
                        value: ordered
                            .iter()
                            .find(|v| v.parse::<f64>().is_err())
                            .cloned()
                            .unwrap_or_default(),
                    });
                };
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
        };
        self.refuse(&[(failed, reason)]);
        Ok(())
    }

    /// Moves numbers into the interval; NaN has no nearest value and is refused.
    fn clip(
        &mut self,
        program: &Program,
        index: usize,
        (at, reason): (usize, u16),
        (min, max): (f64, f64),
    ) -> Result<(), RunError> {
        let cell = col(position(at));
        let (low, high) = if self.kinds[at] == ColumnType::Int {
            // The nearest whole numbers inside; a cast saturates at the ends of the type.
            let (low, high) = (min.ceil() as i64, max.floor() as i64);
            if low > high {
                return Err(RunError::BadConstant {
                    step: index,
                    column: program.columns[at].clone(),
                    value: format!("[{min}, {max}]"),
                });
            }
            (lit(low), lit(high))
        } else {
            self.refuse(&[(cell.clone().is_nan(), reason)]);
            (lit(min), lit(max))
        };
        let (under, over) = (cell.clone().lt(low.clone()), cell.clone().gt(high.clone()));
        let value = when(under.clone())
            .then(low)
            .when(over.clone())
            .then(high)
            .otherwise(cell);
        self.repair(index, at, under.or(over), value);
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

/// Columns that a step after `index` changes.
pub(super) fn changed_later(program: &Program, index: usize, until: usize) -> Vec<usize> {
    let mut changed = Vec::new();
    for op in program.ops[..until].iter().skip(index + 1) {
        match op {
            Op::Fill { column, .. }
            | Op::Check {
                column, clip: true, ..
            } => changed.push(*column),
            Op::Outliers {
                columns, clip: true, ..
            } => changed.extend(columns.iter().map(|c| c.0)),
            _ => {}
        }
    }
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
