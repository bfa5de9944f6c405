//! A specification bound to the columns of an input: names are positions, rules are compiled, reasons are numbered.

use std::collections::HashSet;

use regex::Regex;

use crate::error::{RunError, SpecError};
use crate::ledger::{Cause, Disposition, Reasons};
use crate::spec::{
    Action, ColumnType, Equality, Format, How, Keep, Mode, OutlierMethod, PipelineSpec, Rule, Step,
};

/// A rule ready to judge.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    NotNull,
    Range {
        min: f64,
        max: f64,
    },
    InSet {
        texts: HashSet<String>,
        ordered: Vec<String>,
    },
    Regex(Regex),
    Length {
        min: usize,
        max: usize,
    },
}

/// A step ready to run.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    DropMissing {
        /// Each column with the reason it gives.
        columns: Vec<(usize, u16)>,
        how: How,
    },
    DropDuplicates {
        /// Every column where `None`.
        columns: Option<Vec<usize>>,
        keep: Keep,
        normalised: bool,
        reason: u16,
    },
    Check {
        column: usize,
        test: Test,
        reason: u16,
        clip: bool,
    },
    Fill {
        column: usize,
        value: String,
    },
    Outliers {
        columns: Vec<(usize, u16)>,
        method: OutlierMethod,
        clip: bool,
    },
}

impl Op {
    /// Whether the step needs a pass over the records before it can judge.
    pub(crate) fn needs_fit(&self) -> bool {
        match self {
            Self::DropDuplicates { keep, .. } => *keep != Keep::First,
            Self::Outliers { .. } => true,
            _ => false,
        }
    }
}

/// Reasons given while reading, before any step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadingReasons {
    pub(crate) blank: u16,
    pub(crate) fields: u16,
    pub(crate) utf8: u16,
    pub(crate) after_quote: u16,
    pub(crate) unclosed: u16,
    pub(crate) not_object: u16,
}

/// A specification bound to the columns of an input.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) columns: Vec<String>,
    pub(crate) ops: Vec<Op>,
    pub(crate) reasons: Reasons,
    pub(crate) reading: ReadingReasons,
    /// For each column with a declared type, the reason for a value that does not fit.
    pub(crate) casts: Vec<Option<(ColumnType, u16)>>,
    /// Texts that stand for a missing value, for each column.
    pub(crate) sentinels: Vec<Vec<String>>,
    pub(crate) trim: bool,
}

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
    } else if !cfg!(feature = "frame") {
        return Err(SpecError::FrameMissing);
    }
    let paths: Vec<_> = [
        Some(&spec.read.path),
        spec.write.as_ref().map(|w| &w.path),
        spec.quarantine.as_ref(),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (i, path) in paths.iter().enumerate() {
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
            if check.on_fail == Action::Clip {
                if textual {
                    return Err(SpecError::NotTextual { step: index });
                }
                if !matches!(check.rule, Rule::Range { .. }) {
                    return Err(SpecError::CannotClip { step: index });
                }
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
        Step::Outliers(outliers) => {
            if outliers.columns.is_empty() {
                return Err(SpecError::Empty { step: index });
            }
            if outliers.action == Action::Clip && textual {
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

fn bounds(min: Option<f64>, max: Option<f64>) -> (f64, f64) {
    (min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY))
}

fn disposition(action: Action) -> Disposition {
    match action {
        Action::Drop => Disposition::Dropped,
        _ => Disposition::Quarantined,
    }
}

impl Program {
    /// Binds a checked specification to the columns of the input.
    pub(crate) fn bind(spec: &PipelineSpec, columns: Vec<String>) -> Result<Self, RunError> {
        let find = |name: &str| {
            let mut found = columns.iter().enumerate().filter(|(_, c)| *c == name);
            match (found.next(), found.next()) {
                (Some((at, _)), None) => Ok(at),
                (Some(_), Some(_)) => Err(RunError::DuplicateColumn {
                    column: name.to_owned(),
                }),
                (None, _) => Err(RunError::UnknownColumn {
                    column: name.to_owned(),
                }),
            }
        };
        let find_all = |names: &[String]| {
            if names.is_empty() {
                Ok((0..columns.len()).collect())
            } else {
                names.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>()
            }
        };
        let mut reasons = Reasons::default();
        let mut early = |cause, disposition| reasons.add(cause, None, None, disposition);
        let reading = ReadingReasons {
            blank: early(Cause::BlankLine, Disposition::Dropped),
            fields: early(Cause::FieldCount, Disposition::Quarantined),
            utf8: early(Cause::NotUtf8, Disposition::Quarantined),
            after_quote: early(Cause::TextAfterQuote, Disposition::Quarantined),
            unclosed: early(Cause::UnclosedQuote, Disposition::Quarantined),
            not_object: early(Cause::NotAnObject, Disposition::Quarantined),
        };
        let mut casts = vec![None; columns.len()];
        for (name, &kind) in &spec.read.types {
            let at = find(name)?;
            let reason = reasons.add(Cause::Type, None, Some(name), Disposition::Quarantined);
            casts[at] = Some((kind, reason));
        }
        let mut sentinels = vec![spec.read.sentinels.everywhere.clone(); columns.len()];
        for (name, texts) in &spec.read.sentinels.columns {
            sentinels[find(name)?].extend(texts.iter().cloned());
        }
        let mut ops = Vec::with_capacity(spec.steps.len());
        for (index, step) in spec.steps.iter().enumerate() {
            let step_index = Some(index);
            let op = match step {
                Step::DropMissing(drop) => {
                    let all = drop.how == How::All;
                    let columns = find_all(&drop.columns)?
                        .into_iter()
                        .map(|at| {
                            let name = (!all).then_some(columns[at].as_str());
                            let reason = reasons.add(Cause::Missing, step_index, name, Disposition::Dropped);
                            (at, reason)
                        })
                        .collect();
                    Op::DropMissing {
                        columns,
                        how: drop.how,
                    }
                }
                Step::DropDuplicates(drop) => Op::DropDuplicates {
                    columns: if drop.columns.is_empty() {
                        None
                    } else {
                        Some(find_all(&drop.columns)?)
                    },
                    keep: drop.keep,
                    normalised: drop.equality == Equality::Normalised,
                    reason: reasons.add(Cause::Duplicate, step_index, None, Disposition::Dropped),
                },
                Step::Check(check) => {
                    let (cause, test) = compile(&check.rule);
                    Op::Check {
                        column: find(&check.column)?,
                        test,
                        reason: reasons.add(
                            cause,
                            step_index,
                            Some(&check.column),
                            disposition(check.on_fail),
                        ),
                        clip: check.on_fail == Action::Clip,
                    }
                }
                Step::Fill(fill) => Op::Fill {
                    column: find(&fill.column)?,
                    value: fill.value.clone(),
                },
                Step::Outliers(outliers) => Op::Outliers {
                    columns: find_all(&outliers.columns)?
                        .into_iter()
                        .map(|at| {
                            let reason = reasons.add(
                                Cause::Outlier,
                                step_index,
                                Some(&columns[at]),
                                disposition(outliers.action),
                            );
                            (at, reason)
                        })
                        .collect(),
                    method: outliers.method,
                    clip: outliers.action == Action::Clip,
                },
            };
            ops.push(op);
        }
        Ok(Self {
            columns,
            ops,
            reasons,
            reading,
            casts,
            sentinels,
            trim: spec.read.trim,
        })
    }

    /// Whether `text` stands for a missing value in `column`.
    #[inline]
    pub(crate) fn is_missing(&self, column: usize, text: &[u8]) -> bool {
        text.is_empty() || self.sentinels[column].iter().any(|s| s.as_bytes() == text)
    }
}

fn compile(rule: &Rule) -> (Cause, Test) {
    match rule {
        Rule::NotNull => (Cause::Missing, Test::NotNull),
        Rule::Range { min, max } => {
            let (min, max) = bounds(*min, *max);
            (Cause::Range, Test::Range { min, max })
        }
        Rule::InSet(values) => (
            Cause::NotInSet,
            Test::InSet {
                texts: values.iter().cloned().collect(),
                ordered: values.clone(),
            },
        ),
        Rule::Regex(pattern) => (
            Cause::NoMatch,
            Test::Regex(Regex::new(pattern).expect("checked when the pipeline was made")),
        ),
        Rule::Length { min, max } => (Cause::Length, Test::Length { min: *min, max: *max }),
    }
}

impl Test {
    /// Whether the text of a cell passes; `None` is a missing cell.
    pub(crate) fn passes_text(&self, cell: Option<&str>) -> bool {
        let Some(text) = cell else {
            return !matches!(self, Self::NotNull);
        };
        match self {
            Self::NotNull => true,
            Self::Range { min, max } => text
                .parse::<f64>()
                .is_ok_and(|value| value >= *min && value <= *max),
            Self::InSet { texts, .. } => texts.contains(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Length { min, max } => {
                let length = text.chars().count();
                length >= *min && length <= *max
            }
        }
    }
}
