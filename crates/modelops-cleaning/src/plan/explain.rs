//! A plan as text, one line an operator.

use std::fmt::Write as _;

use super::{Bounds, Node, Plan, Predicate, RelOp, Test, Value};
use crate::ledger::Disposition;
use crate::spec::{Blame, Equality, Format, Keep, Mode, OutlierMethod, PipelineSpec};

/// The plan as text. Names are quoted as Rust quotes them, so no name can pretend to be an operator.
pub(crate) fn explain(spec: &PipelineSpec, plan: &Plan) -> String {
    let mode = match spec.mode {
        Mode::Typed => "typed",
        Mode::Textual => "textual",
    };
    let mut text = format!(
        "{mode} scan of {} {:?}, {} columns\n",
        format_name(spec.read.format),
        spec.read.path,
        plan.inputs
    );
    for (at, cast) in plan.casts.iter().enumerate() {
        if let Some((kind, reason)) = cast {
            line(
                &mut text,
                "read",
                "cast",
                &format!("{:?} to {kind:?}", plan.columns[at]),
            );
            refuse(&mut text, plan, *reason);
        }
    }
    for node in &plan.nodes {
        explain_node(&mut text, plan, node);
    }
    match &spec.write {
        Some(write) => {
            let _ = writeln!(text, "clean to {} {:?}", format_name(write.format), write.path);
        }
        None => text.push_str("clean counted only\n"),
    }
    match &spec.quarantine {
        Some(path) => {
            let _ = writeln!(text, "quarantined to json_lines {path:?}");
        }
        None => text.push_str("quarantined counted only\n"),
    }
    text
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Csv { .. } => "csv",
        Format::JsonLines => "json_lines",
        Format::Parquet => "parquet",
    }
}

fn line(text: &mut String, step: &str, operator: &str, what: &str) {
    let _ = writeln!(text, "{step:>5}  {operator:<9}  {what}");
}

fn refuse(text: &mut String, plan: &Plan, reason: u16) {
    let (reason, disposition) = plan.reasons.reason(reason);
    let action = match disposition {
        Disposition::Quarantined => "quarantine",
        Disposition::Dropped => "drop",
    };
    // The line of the operator goes on.
    text.pop();
    let _ = writeln!(text, ", else {action}: {}", reason.cause);
}

/// One operator in the words of [`explain`].
#[cfg(feature = "distributed")]
pub(crate) fn describe(plan: &Plan, node: usize) -> String {
    let mut text = String::new();
    explain_node(&mut text, plan, &plan.nodes[node]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn explain_node(text: &mut String, plan: &Plan, node: &Node) {
    let name = |at: usize| format!("{:?}", plan.columns[at]);
    let names = |columns: &[usize]| columns.iter().map(|&at| name(at)).collect::<Vec<_>>().join(", ");
    let step = node.step.to_string();
    match &node.op {
        RelOp::Select { predicate, reason } => {
            let what = match predicate {
                Predicate::Cell { column, test } => format!("{} {}", name(*column), test_name(test)),
                Predicate::AnyPresent { columns } => format!("any of {} present", names(columns)),
                Predicate::Compare {
                    left,
                    comparison,
                    right,
                } => {
                    format!("{} {} {}", name(*left), comparison.name(), name(*right))
                }
                Predicate::Referenced { columns, path, keys } => {
                    format!("{} among {keys:?} of {path:?}", names(columns))
                }
            };
            line(text, &step, "select", &what);
            refuse(text, plan, *reason);
        }
        RelOp::Distinct { keys, keep, reason } => {
            let keep = match keep {
                Keep::First => "first",
                Keep::Last => "last",
                Keep::None => "none",
            };
            let equality = match keys.equality {
                Equality::Exact => "exact",
                Equality::Typed => "typed",
                Equality::Normalised => "normalised",
            };
            let columns = keys.columns.as_ref().map_or("every column".into(), |c| names(c));
            line(
                text,
                &step,
                "distinct",
                &format!("{columns}, {equality}, keep {keep}"),
            );
            refuse(text, plan, *reason);
        }
        RelOp::Project { column, value } => {
            let value = match value {
                Value::Fill(constant) => format!("fill({}, {constant:?})", name(*column)),
                Value::Clamp(bounds) => format!("clamp({}, {})", name(*column), bounds_name(*bounds)),
                Value::Fails { column, test } => format!("not {} {}", name(*column), test_name(test)),
            };
            line(text, &step, "project", &format!("{} := {value}", name(*column)));
        }
        RelOp::Deny {
            columns,
            blame,
            reason,
            ..
        } => {
            let blame = match blame {
                Blame::Every => "every record that breaks",
                Blame::Suspects => "records to blame for",
            };
            line(
                text,
                &step,
                "deny",
                &format!("{blame} a constraint on {}", names(columns)),
            );
            refuse(text, plan, *reason);
        }
        RelOp::Isolate { columns, reason, .. } => {
            let what = format!("records that a forest sets apart by {}", names(columns));
            line(text, &step, "isolate", &what);
            refuse(text, plan, *reason);
        }
        RelOp::Aggregate { columns, statistic } => {
            let statistic = match statistic {
                OutlierMethod::ZScore(k) => format!("mean ± {k}·s"),
                OutlierMethod::Mad(k) => format!("median ± {k}·MAD/0.6745"),
                OutlierMethod::Iqr(k) => format!("quartiles ± {k}·IQR"),
            };
            line(
                text,
                &step,
                "aggregate",
                &format!("{statistic} of {}", names(columns)),
            );
        }
    }
}

fn test_name(test: &Test) -> String {
    match test {
        Test::NotNull => "present".into(),
        Test::NotNan => "not NaN".into(),
        Test::Range(bounds) => format!("within {}", bounds_name(*bounds)),
        Test::InSet { ordered, .. } => format!("in {ordered:?}"),
        Test::Regex(regex) => format!("matches {:?}", regex.as_str()),
        Test::Length { min, max: usize::MAX } => format!("has {min} characters or more"),
        Test::Length { min, max } => format!("has {min} to {max} characters"),
    }
}

fn bounds_name(bounds: Bounds) -> String {
    match bounds {
        Bounds::Fixed { min, max } => format!("[{min}, {max}]"),
        Bounds::Learned { .. } => "the interval above".into(),
    }
}
