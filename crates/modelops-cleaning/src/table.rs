//! A small clean table in memory, and its encoding as numbers.

use std::collections::BTreeSet;
use std::path::Path;

use ndarray::Array2;

use crate::dataset::Dataset;
use crate::engine::source::CsvSource;
use crate::error::{DataError, RunError};
use crate::kernel::csv::unquote;
use crate::kernel::infer::Candidate;
use crate::spec::{ColumnType, Read};

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Values {
    /// Numbers; a missing one is NaN.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<Option<String>>),
}

/// A clean table in memory: named columns of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    rows: usize,
    columns: Vec<(String, Values)>,
}

/// Why a column is not among the features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skipped {
    /// The caller said so.
    Excluded,
    /// It has no value at all, or one value in every row.
    Constant,
    /// It is text with more different values than the limit: a name, an id or a remark.
    TooManyCategories {
        /// Its different values.
        distinct: usize,
    },
}

/// How a table becomes numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EncodeOptions {
    /// The most different values a text column may have to become features. Default 20.
    pub max_categories: usize,
    /// Columns left out, an identifier for instance.
    pub exclude: Vec<String>,
}

impl Default for EncodeOptions {
    fn default() -> Self {
        Self {
            max_categories: 20,
            exclude: Vec::new(),
        }
    }
}

impl EncodeOptions {
    /// Sets the most different values a text column may have.
    #[must_use]
    pub fn with_max_categories(mut self, most: usize) -> Self {
        self.max_categories = most;
        self
    }

    /// Leaves `column` out.
    #[must_use]
    pub fn with_excluded(mut self, column: impl Into<String>) -> Self {
        self.exclude.push(column.into());
        self
    }
}

/// The most classes a target may have.
const MOST_CLASSES: usize = 100;

impl Table {
    /// Reads a clean CSV file with a header. Types are inferred from every value, as [`Read`] says.
    ///
    /// # Errors
    /// [`DataError::Io`], or [`DataError::Malformed`] for a record that a pipeline would quarantine.
    pub fn read_csv(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let lift = |error: RunError| match error {
            RunError::Io { path, kind } => DataError::Io { path, kind },
            _ => DataError::Malformed { record: 0 },
        };
        let mut source = CsvSource::open(&Read::csv(path)).map_err(lift)?;
        let names = source.header.names.clone();
        let mut candidates = vec![Candidate::default(); names.len()];
        let mut texts: Vec<Vec<Option<String>>> = vec![Vec::new(); names.len()];
        let mut scratch = Vec::new();
        let mut rows = 0;
        while let Some(record) = source.next_record().map_err(lift)? {
            let malformed = DataError::Malformed {
                record: u64::from(record.row),
            };
            let unsound = record.traits.unclosed
                || record.traits.text_after_quote
                || record.body.is_empty()
                || record.fields() != names.len();
            if unsound {
                return Err(malformed);
            }
            for (column, (candidate, texts)) in candidates.iter_mut().zip(&mut texts).enumerate() {
                let text = std::str::from_utf8(unquote(record.field(column), &mut scratch))
                    .map_err(|_| malformed.clone())?;
                if !text.is_empty() {
                    candidate.see(text.as_bytes());
                }
                texts.push((!text.is_empty()).then(|| text.to_owned()));
            }
            rows += 1;
        }
        let columns = names
            .into_iter()
            .zip(candidates)
            .zip(texts)
            .map(|((name, candidate), texts)| {
                let values = match candidate.kind() {
                    ColumnType::Int | ColumnType::Float => Values::Numbers(
                        texts
                            .iter()
                            .map(|text| {
                                // Every value was seen to be a number: parsing cannot fail.
                                text.as_ref()
                                    .and_then(|text| text.parse().ok())
                                    .unwrap_or(f64::NAN)
                            })
                            .collect(),
                    ),
                    _ => Values::Texts(texts),
                };
                (name, values)
            })
            .collect();
        Ok(Self { rows, columns })
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns, in their order.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.columns.iter().map(|(name, values)| (name.as_str(), values))
    }

    /// Turns the table into numbers and labels.
    ///
    /// Numbers stay; a missing one is NaN. A text column with two values becomes one feature, 1 for the second in
    /// alphabetical order and NaN where it is missing; one with more becomes a feature for each value, all zero where
    /// it is missing. Classes are the target's values in alphabetical order (numbers as they are written).
    ///
    /// # Errors
    /// [`DataError::UnknownColumn`], [`DataError::MissingTarget`], [`DataError::TooManyClasses`] and
    /// [`DataError::NoFeatures`].
    pub fn encode(&self, target: &str, options: &EncodeOptions) -> Result<Dataset, DataError> {
        let find = |name: &str| {
            self.columns
                .iter()
                .find(|(known, _)| known == name)
                .ok_or_else(|| DataError::UnknownColumn {
                    column: name.to_owned(),
                })
        };
        let (classes, labels) = labels(target, &find(target)?.1)?;
        for name in &options.exclude {
            find(name)?;
        }
        let mut features: Vec<(String, Vec<f64>)> = Vec::new();
        let mut skipped = Vec::new();
        for (name, values) in self.columns.iter().filter(|(name, _)| name != target) {
            if options.exclude.contains(name) {
                skipped.push((name.clone(), Skipped::Excluded));
                continue;
            }
            match encode(name, values, options.max_categories) {
                Ok(mut new) => features.append(&mut new),
                Err(why) => skipped.push((name.clone(), why)),
            }
        }
        if features.is_empty() {
            return Err(DataError::NoFeatures);
        }
        let x = Array2::from_shape_fn((self.rows, features.len()), |(row, column)| {
            features[column].1[row]
        });
        let names = features.into_iter().map(|(name, _)| name).collect();
        Ok(Dataset::try_new(x, labels, classes)?
            .with_feature_names(names)
            .with_skipped(skipped))
    }
}

fn encode(name: &str, values: &Values, most: usize) -> Result<Vec<(String, Vec<f64>)>, Skipped> {
    match values {
        Values::Numbers(numbers) => {
            let mut known = numbers.iter().filter(|v| !v.is_nan());
            let first = known.next().ok_or(Skipped::Constant)?;
            let complete = numbers.iter().all(|v| !v.is_nan());
            if complete && known.all(|v| v == first) {
                return Err(Skipped::Constant);
            }
            Ok(vec![(name.to_owned(), numbers.clone())])
        }
        Values::Texts(texts) => {
            let distinct: BTreeSet<&str> = texts.iter().flatten().map(String::as_str).collect();
            if distinct.len() < 2 {
                return Err(Skipped::Constant);
            }
            if distinct.len() > most {
                return Err(Skipped::TooManyCategories {
                    distinct: distinct.len(),
                });
            }
            let binary = distinct.len() == 2;
            let feature = |category: &str| {
                let column = texts
                    .iter()
                    .map(|text| match text {
                        Some(text) => f64::from(u8::from(text == category)),
                        None if binary => f64::NAN,
                        None => 0.0,
                    })
                    .collect();
                (format!("{name}={category}"), column)
            };
            Ok(distinct
                .into_iter()
                .skip(usize::from(binary))
                .map(feature)
                .collect())
        }
    }
}

fn labels(target: &str, values: &Values) -> Result<(Vec<String>, Vec<usize>), DataError> {
    let texts: Vec<Option<String>> = match values {
        Values::Texts(texts) => texts.clone(),
        Values::Numbers(numbers) => numbers
            .iter()
            .map(|v| (!v.is_nan()).then(|| v.to_string()))
            .collect(),
    };
    if let Some(row) = texts.iter().position(Option::is_none) {
        return Err(DataError::MissingTarget {
            row,
            column: target.to_owned(),
        });
    }
    let distinct: BTreeSet<&str> = texts.iter().flatten().map(String::as_str).collect();
    if distinct.len() > MOST_CLASSES {
        return Err(DataError::TooManyClasses {
            column: target.to_owned(),
            classes: distinct.len(),
            limit: MOST_CLASSES,
        });
    }
    let classes: Vec<String> = distinct.into_iter().map(str::to_owned).collect();
    let labels = texts
        .iter()
        .flatten()
        .map(|text| classes.binary_search(text).expect("it is one of them"))
        .collect();
    Ok((classes, labels))
}
