//! What can be said against a specification before its input is read.

use regex::Regex;

use crate::constraint::DenialConstraint;
use crate::engine::values;
use crate::error::SpecError;
use crate::spec::{Action, Format, Mode, OutlierMethod, PipelineSpec, Rule, Step};

/// Checks what can be checked without the input.
pub(crate) fn check(spec: &PipelineSpec) -> Result<(), SpecError> {
    if spec.steps.len() > 64 {
        return Err(SpecError::TooManySteps {
            found: spec.steps.len(),
        });
    }
    let formats = [Some(spec.read.format), spec.write.as_ref().map(|w| w.format)];
    for format in formats.into_iter().flatten() {
        if let Format::Csv { separator } = format
            && (!separator.is_ascii() || matches!(separator, '"' | '\r' | '\n'))
        {
            return Err(SpecError::Separator { separator });
        }
    }
    if spec.mode == Mode::Textual {
        let same = spec
            .write
            .as_ref()
            .is_none_or(|write| write.format == spec.read.format);
        if !matches!(spec.read.format, Format::Csv { .. }) || !same {
            return Err(SpecError::TextualFormat);
        }
    } else if !cfg!(feature = "frame") && !values::covers(spec) {
        return Err(SpecError::FrameMissing);
    }
    let referred = spec.steps.iter().filter_map(|step| match step {
        Step::References(step) if step.path != spec.read.path => Some(&step.path),
        _ => None,
    });
    let written = [spec.write.as_ref().map(|w| &w.path), spec.quarantine.as_ref()];
    let paths: Vec<_> = std::iter::once(&spec.read.path)
        .chain(referred)
        .chain(written.into_iter().flatten())
        .collect();
    let read = paths.len() - written.iter().flatten().count();
    for (i, path) in paths.iter().enumerate().skip(read) {
        if paths[..i].contains(path) {
            return Err(SpecError::SamePath {
                path: path.to_path_buf(),
            });
        }
    }
    for (index, step) in spec.steps.iter().enumerate() {
        check_step(step, index, spec.mode)?;
    }
    Ok(())
}

fn check_step(step: &Step, index: usize, mode: Mode) -> Result<(), SpecError> {
    let textual = mode == Mode::Textual;
    match step {
        Step::DropMissing(_) | Step::DropDuplicates(_) => {}
        Step::Fill(_) if textual => return Err(SpecError::NotTextual { step: index }),
        Step::Fill(_) => {}
        Step::Check(check) => {
            if changes(check.on_fail) && textual {
                return Err(SpecError::NotTextual { step: index });
            }
            if check.on_fail == Action::Clip && !matches!(check.rule, Rule::Range { .. }) {
                return Err(SpecError::CannotClip { step: index });
            }
            match &check.rule {
                Rule::Range { min, max } => {
                    let (min, max) = bounds(*min, *max);
                    if min.is_nan() || max.is_nan() || min > max {
                        return Err(SpecError::Bounds { step: index });
                    }
                }
                Rule::Length { min, max } if min > max => {
                    return Err(SpecError::Bounds { step: index });
                }
                Rule::InSet(values) if values.is_empty() => {
                    return Err(SpecError::Empty { step: index });
                }
                Rule::Regex(pattern) if Regex::new(pattern).is_err() => {
                    return Err(SpecError::Regex { step: index });
                }
                _ => {}
            }
        }
        Step::Unique(step) => {
            refuses(step.on_fail, index)?;
            if step.columns.is_empty() {
                return Err(SpecError::Empty { step: index });
            }
        }
        Step::Compare(step) => refuses(step.on_fail, index)?,
        Step::References(step) => {
            refuses(step.on_fail, index)?;
            if step.columns.is_empty() {
                return Err(SpecError::Empty { step: index });
            }
            if !step.keys.is_empty() && step.keys.len() != step.columns.len() {
                return Err(SpecError::Keys { step: index });
            }
        }
        Step::Deny(step) => {
            refuses(step.on_fail, index)?;
            let parsed = step.constraint.parse::<DenialConstraint>();
            let constraint = parsed.map_err(|_| SpecError::Constraint { step: index })?;
            if constraint.is_over_pairs() && !constraint.equates() {
                return Err(SpecError::Unjoined { step: index });
            }
        }
        Step::Isolate(step) => {
            refuses(step.on_fail, index)?;
            if step.columns.is_empty() {
                return Err(SpecError::Empty { step: index });
            }
        }
        Step::Outliers(outliers) => {
            if outliers.columns.is_empty() {
                return Err(SpecError::Empty { step: index });
            }
            if changes(outliers.action) && textual {
                return Err(SpecError::NotTextual { step: index });
            }
            let (OutlierMethod::ZScore(k) | OutlierMethod::Mad(k) | OutlierMethod::Iqr(k)) = outliers.method;
            if !k.is_finite() || k <= 0.0 {
                return Err(SpecError::Bounds { step: index });
            }
        }
    }
    Ok(())
}

/// Refuses an action other than quarantine and drop.
fn refuses(action: Action, step: usize) -> Result<(), SpecError> {
    match action {
        Action::Quarantine | Action::Drop => Ok(()),
        Action::Flag => Err(SpecError::CannotFlag { step }),
        Action::Clip => Err(SpecError::CannotClip { step }),
    }
}

/// Whether the action changes what a clean record says.
fn changes(action: Action) -> bool {
    matches!(action, Action::Clip | Action::Flag)
}

pub(super) fn bounds(min: Option<f64>, max: Option<f64>) -> (f64, f64) {
    (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY))
}
