//! Constants of a plan as values of the types of their columns.

use crate::engine::passes::{Learned, resolve};
use crate::error::RunError;
use crate::kernel::canonical;
use crate::plan::{Plan, Predicate, RelOp, Test, Value};
use crate::spec::ColumnType;

/// What a node needs beside itself.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Nothing,
    /// Allowed numbers.
    Numbers(Vec<f64>),
    /// An interval, both ends included.
    Interval(f64, f64),
    /// An interval of whole numbers.
    Whole(i64, i64),
    /// Canonical text.
    Text(Vec<u8>),
}

/// Binds a node, now that all before it have learned what they need.
pub(super) fn bind(
    plan: &Plan,
    node: usize,
    kinds: &[ColumnType],
    learned: &[Option<Learned>],
) -> Result<Bound, RunError> {
    let step = plan.nodes[node].step;
    let bad = |column: usize, value: String| RunError::BadConstant {
        step,
        column: plan.columns[column].clone(),
        value,
    };
    match &plan.nodes[node].op {
        RelOp::Select {
            predicate: Predicate::Cell { column, test },
            ..
        }
        | RelOp::Project {
            value: Value::Fails { column, test },
            ..
        } => bind_test(plan, step, *column, test, kinds, learned),
        RelOp::Project {
            column,
            value: Value::Fill(constant),
        } => {
            let mut text = Vec::new();
            canonical::write(kinds[*column], constant, &mut text)
                .map(|()| Bound::Text(text))
                .ok_or_else(|| bad(*column, constant.clone()))
        }
        RelOp::Project {
            column,
            value: Value::Clamp(bounds),
        } => {
            let (min, max) = resolve(*bounds, learned);
            if kinds[*column] != ColumnType::Int {
                return Ok(Bound::Interval(min, max));
            }
            // The nearest whole numbers inside; a cast saturates at the ends of the type.
            let (low, high) = (min.ceil() as i64, max.floor() as i64);
            if low > high {
                return Err(bad(*column, format!("[{min}, {max}]")));
            }
            Ok(Bound::Whole(low, high))
        }
        RelOp::Isolate { columns, .. } => match columns.iter().find(|&&at| !is_numeric(kinds[at])) {
            None => Ok(Bound::Nothing),
            Some(&at) => Err(RunError::NotNumeric {
                column: plan.columns[at].clone(),
            }),
        },
        RelOp::Select { .. } | RelOp::Distinct { .. } | RelOp::Aggregate { .. } | RelOp::Deny { .. } => {
            Ok(Bound::Nothing)
        }
    }
}

fn bind_test(
    plan: &Plan,
    step: usize,
    column: usize,
    test: &Test,
    kinds: &[ColumnType],
    learned: &[Option<Learned>],
) -> Result<Bound, RunError> {
    let name = || plan.columns[column].clone();
    let kind = kinds[column];
    let numeric = is_numeric(kind);
    match test {
        Test::NotNull => Ok(Bound::Nothing),
        Test::Range(_) | Test::NotNan if !numeric => Err(RunError::NotNumeric { column: name() }),
        Test::NotNan => Ok(Bound::Nothing),
        Test::Range(bounds) => {
            let (min, max) = resolve(*bounds, learned);
            Ok(Bound::Interval(min, max))
        }
        Test::InSet { ordered, .. } if numeric => {
            let number = |text: &String| {
                text.parse::<f64>().map_err(|_| RunError::BadConstant {
                    step,
                    column: name(),
                    value: text.clone(),
                })
            };
            let numbers = ordered.iter().map(number).collect::<Result<_, _>>()?;
            Ok(Bound::Numbers(numbers))
        }
        _ if kind != ColumnType::Text => Err(RunError::NotText { column: name() }),
        Test::InSet { .. } | Test::Regex(_) | Test::Length { .. } => Ok(Bound::Nothing),
    }
}

pub(super) fn is_numeric(kind: ColumnType) -> bool {
    matches!(kind, ColumnType::Int | ColumnType::Float)
}
