//! What can go wrong, one enum a fallible step.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where and why a text is no specification. The words are the parser's and may change between versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    line: u64,
    column: u64,
    message: Box<str>,
}

impl SyntaxError {
    pub(crate) fn new(line: u64, column: u64, message: &dyn fmt::Display) -> Self {
        let message = message.to_string();
        Self {
            line,
            column,
            message: message.lines().next().unwrap_or_default().into(),
        }
    }

    /// The line, from 1; 0 where the parser could not tell.
    #[must_use]
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The column, from 1; 0 where the parser could not tell.
    #[must_use]
    pub fn column(&self) -> u64 {
        self.column
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why a specification cannot become a pipeline.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// The text is no specification: unknown field, wrong type, bad YAML or JSON.
    #[error("not a pipeline specification: {0}")]
    Syntax(SyntaxError),
    /// The specification has a version that this crate does not know.
    #[error("specification version {found} is not known; use version 1")]
    Version {
        /// The version found.
        found: u32,
    },
    /// More than 64 steps.
    #[error("{found} steps are more than the 64 that one pipeline may have")]
    TooManySteps {
        /// How many there are.
        found: usize,
    },
    /// The step needs values, and a textual pipeline has only bytes.
    #[error("step {step} rewrites values, which a textual pipeline never does; use mode typed")]
    NotTextual {
        /// The step, from 0.
        step: usize,
    },
    /// A textual pipeline reads CSV only.
    #[error("a textual pipeline reads and writes csv only; use mode typed")]
    TextualFormat,
    /// The crate was built without its `frame` feature.
    #[error(
        "reading JSON lines and reading or writing Parquet need the feature `frame` of modelops-cleaning"
    )]
    FrameMissing,
    /// The action makes no sense for this rule.
    #[error("step {step} cannot clip: only a range or an outlier interval has a nearest allowed value")]
    CannotClip {
        /// The step, from 0.
        step: usize,
    },
    /// Only a check of one column or an outlier step can flag.
    #[error(
        "step {step} cannot flag: only a check or an outlier step marks records in a column of their own"
    )]
    CannotFlag {
        /// The step, from 0.
        step: usize,
    },
    /// A reference has not as many columns here as there.
    #[error("step {step} names not as many columns here as in the other file")]
    Keys {
        /// The step, from 0.
        step: usize,
    },
    /// A constraint that does not parse.
    #[error("step {step} has no denial constraint; write t1&t2&EQ(t1.a,t2.a)&IQ(t1.b,t2.b)")]
    Constraint {
        /// The step, from 0.
        step: usize,
    },
    /// A constraint over two records that equates none of their columns, so that all pairs would be compared.
    #[error("step {step} compares all pairs of records; equate a column of both")]
    Unjoined {
        /// The step, from 0.
        step: usize,
    },
    /// A bound is NaN, an interval is empty, or a factor is not a positive number.
    #[error("step {step} has bounds that no value can meet")]
    Bounds {
        /// The step, from 0.
        step: usize,
    },
    /// A regular expression that does not compile.
    #[error("step {step} has a regular expression that does not compile")]
    Regex {
        /// The step, from 0.
        step: usize,
    },
    /// An empty list where at least one entry is needed.
    #[error("step {step} names no column or no value")]
    Empty {
        /// The step, from 0.
        step: usize,
    },
    /// The separator is not one ASCII character, or it is a quote or a line end.
    #[error("{separator:?} cannot separate fields; use one ASCII character other than quote, CR and LF")]
    Separator {
        /// The separator found.
        separator: char,
    },
    /// Two of the files named are the same.
    #[error("{} is named twice; input, output and quarantine must be different files", path.display())]
    SamePath {
        /// The path.
        path: PathBuf,
    },
}

/// The engine's own words about a failure that this crate has no name for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError(Box<str>);

impl EngineError {
    #[cfg(any(feature = "frame", feature = "distributed"))]
    pub(crate) fn new(error: &dyn fmt::Display) -> Self {
        Self(error.to_string().into())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a run stopped. No output has its final name then.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file could not be read or written.
    #[error("{}: {kind}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The input has no header, or no record at all.
    #[error("{} is empty: there is no header to read", path.display())]
    EmptyInput {
        /// The file.
        path: PathBuf,
    },
    /// The input is UTF-16.
    #[error("{} is UTF-16; convert it to UTF-8 first", path.display())]
    Utf16 {
        /// The file.
        path: PathBuf,
    },
    /// The header is not UTF-8.
    #[error("the header of {} is not UTF-8; convert the file first", path.display())]
    HeaderNotUtf8 {
        /// The file.
        path: PathBuf,
    },
    /// Two columns have the same name.
    #[error("two columns are called {column:?}; rename one of them")]
    DuplicateColumn {
        /// The name.
        column: String,
    },
    /// A step or a declared type names a column that the input does not have.
    #[error("there is no column {column:?} in the input")]
    UnknownColumn {
        /// The name.
        column: String,
    },
    /// A step needs numbers and the column has text.
    #[error("column {column:?} is not numeric; declare its type or clean it first")]
    NotNumeric {
        /// The column.
        column: String,
    },
    /// A step needs text and the column has other values.
    #[error("column {column:?} is not text; declare its type as text")]
    NotText {
        /// The column.
        column: String,
    },
    /// A constant does not fit the type of its column.
    #[error("step {step}: {value:?} does not fit the type of column {column:?}")]
    BadConstant {
        /// The step, from 0.
        step: usize,
        /// The column.
        column: String,
        /// The constant.
        value: String,
    },
    /// A column of a Parquet file has a type without a plain form.
    #[error("column {column:?} has a nested or unknown type; flatten it first")]
    UnsupportedColumn {
        /// The column.
        column: String,
    },
    /// A record is longer than the limit; often a quote that was never closed.
    #[error("the record at byte {offset} is longer than {limit} bytes; is a quote never closed?")]
    RecordTooLong {
        /// Where the record starts.
        offset: u64,
        /// The limit.
        limit: usize,
    },
    /// A record of a file that is referred to is not sound.
    #[error("record {record} of {} is not sound CSV; run a pipeline over that file first", path.display())]
    Unsound {
        /// The file.
        path: PathBuf,
        /// The record, from 0, the header not counted.
        record: u64,
    },
    /// The run was asked for bounded memory and has a part that needs more: typed mode, or a step that learns from
    /// every value.
    #[error("only textual pipelines without outlier, constraint and reference steps run in bounded memory{}", match step {
        Some(step) => format!("; step {step} needs every value"),
        None => String::new(),
    })]
    NotBounded {
        /// The step, from 0, where one is to blame.
        step: Option<usize>,
    },
    /// The input is not what it was when an earlier pass or an earlier, unfinished run read it.
    #[error("the input has changed since it was first read; run again")]
    InputChanged,
    /// Another run works in this folder.
    #[error("another run works in {}", path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The observer asked the run to stop. What is complete is kept: a later run goes on from there.
    #[error("stopped; run again to go on")]
    Stopped,
    /// More records than 32 bits can number.
    #[error("more than 4,294,967,295 records; split the input")]
    TooManyRecords,
    /// The engine delivered another number of records than the independent counter saw. Nothing was written.
    #[error("the counter saw {expected} sound records, the engine delivered {delivered}")]
    RowsLost {
        /// What the counter saw.
        expected: u64,
        /// What the engine delivered.
        delivered: u64,
    },
    /// The engine failed.
    #[error("engine: {0}")]
    Engine(EngineError),
    /// The ledger does not add up.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl RunError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io {
            path: path.to_path_buf(),
            kind: error.kind(),
        }
    }
}

/// Why a ledger is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// Records without an outcome, or with more than one.
    #[error("{records_in} records came in, {accounted} have an outcome")]
    Unbalanced {
        /// What the independent counter saw.
        records_in: u64,
        /// Records with an outcome.
        accounted: u64,
    },
}

/// Why a table or a data set is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file could not be read.
    #[error("{}: {kind}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// A record of a CSV file is not sound; clean the file with a pipeline first.
    #[error("record {record} is not sound CSV; run a pipeline over the file first")]
    Malformed {
        /// The record, from 0, the header not counted.
        record: u64,
    },
    /// There is no such column.
    #[error("there is no column {column:?}")]
    UnknownColumn {
        /// The name.
        column: String,
    },
    /// The target has a missing value.
    #[error("row {row} has no value in the target column {column:?}; drop such rows first")]
    MissingTarget {
        /// The row, from 0.
        row: usize,
        /// The target.
        column: String,
    },
    /// Lengths differ.
    #[error("expected {expected} rows, found {found}")]
    Length {
        /// Rows of the features.
        expected: usize,
        /// Rows of the other part.
        found: usize,
    },
    /// A label is not among the classes.
    #[error("label {label} is not below the number of classes, {classes}")]
    Label {
        /// The label.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// Too few rows to have one in each part.
    #[error("{rows} rows are too few to split")]
    TooFewRows {
        /// The rows.
        rows: usize,
    },
    /// The target has so many different values that it is no class label.
    #[error("the target {column:?} has {classes} different values, more than {limit} classes")]
    TooManyClasses {
        /// The target.
        column: String,
        /// Its different values.
        classes: usize,
        /// The most that are accepted.
        limit: usize,
    },
    /// The fraction is not inside (0, 1).
    #[error("{fraction} is no fraction between 0 and 1")]
    Fraction {
        /// The fraction.
        fraction: f64,
    },
    /// No column is left to use as a feature.
    #[error("no column is left to use as a feature")]
    NoFeatures,
}

/// Why a transformer cannot be fitted or applied.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The training part has no row.
    #[error("the training part has no row")]
    Empty,
    /// A column has no value at all in the training part.
    #[error("feature {feature} has no value in the training part; drop it or fill it with a constant")]
    NoValue {
        /// The feature, from 0.
        feature: usize,
    },
    /// An infinite value.
    #[error("row {row}, feature {feature} is infinite")]
    Infinite {
        /// The row, from 0.
        row: usize,
        /// The feature, from 0.
        feature: usize,
    },
    /// The part has another number of features than the one fitted on.
    #[error("fitted on {fitted} features, given {found}")]
    Width {
        /// Features fitted on.
        fitted: usize,
        /// Features given.
        found: usize,
    },
    /// The part does not have a feature that the transformer names.
    #[error("there is no feature {feature} among {features}")]
    Feature {
        /// The feature, from 0.
        feature: usize,
        /// How many there are.
        features: usize,
    },
    /// A value is missing where every one is needed.
    #[error("row {row}, feature {feature} is missing; impute first")]
    Missing {
        /// The row, from 0.
        row: usize,
        /// The feature, from 0.
        feature: usize,
    },
    /// A parameter that must be at least one is zero.
    #[error("the number of neighbours, rounds, trees or grouping features must be at least one")]
    Zero,
    /// A factor or fraction is out of its range.
    #[error(
        "{value} is out of range; expected a factor above zero, or a fraction above zero and at most one half"
    )]
    Parameter {
        /// The value.
        value: f64,
    },
}

/// Why stored state is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file could not be read or written.
    #[error("the state could not be read or written: {kind}")]
    Io {
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The text is no state, or one that was cut short or changed.
    #[error("this is no fitted state, or it has been changed since it was saved; fit again")]
    Damaged,
    /// The state has a version that this crate does not know.
    #[error("state version {found} is not known; use version 1")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The state was fitted for another preparation.
    #[error("the state was fitted for another preparation; fit this one")]
    OtherPreparation,
    /// The state was fitted on another training part.
    #[error("the state was fitted on another training part; fit again")]
    OtherTraining,
}

/// Why a training part cannot be resampled.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ResampleError {
    /// A missing or infinite value: impute first.
    #[error("row {row}, feature {feature} is not finite; impute first")]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The feature, from 0.
        feature: usize,
    },
    /// Only one class has rows.
    #[error("only one class has rows; there is nothing to balance")]
    OneClass,
    /// A class has too few rows for the neighbours asked for.
    #[error("class {class} has {rows} rows, and {neighbours} neighbours need {} at least", neighbours + 1)]
    TooFewRows {
        /// The class, as a label.
        class: usize,
        /// Its rows.
        rows: usize,
        /// The neighbours asked for.
        neighbours: usize,
    },
    /// No row of a class that needs rows has a neighbour that puts it on a border.
    #[error("class {class} has no row at a border; use Smote")]
    NoBorder {
        /// The class, as a label.
        class: usize,
    },
    /// Categories without a feature, with one that is not there or in two, or with no number beside them.
    #[error("a category needs features of its own, and a number beside it")]
    Categories,
    /// A parameter is out of its range.
    #[error("{value} is out of range; expected a finite number above zero")]
    Parameter {
        /// The value.
        value: f64,
    },
}
