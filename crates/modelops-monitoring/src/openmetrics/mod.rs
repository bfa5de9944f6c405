//! OpenMetrics text: strict parsers of 1.0 and [2.0](v2), and a linter.

mod check;
mod lint;
mod scan;
pub mod v2;

pub use lint::{Advice, LintIssue, lint};
pub use scan::parse;

use thiserror::Error;

/// What a family of metrics is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum FamilyKind {
    /// Not said.
    #[default]
    Unknown,
    /// Rises and falls.
    Gauge,
    /// Only grows.
    Counter,
    /// One of several states is on.
    StateSet,
    /// Facts that do not change, as labels.
    Info,
    /// Cumulative buckets.
    Histogram,
    /// Buckets that may empty again.
    GaugeHistogram,
    /// Quantiles.
    Summary,
}

/// A metric family as it was exposed.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct ParsedFamily {
    /// The family's name, without the suffixes of its samples.
    pub name: String,
    /// What it is.
    pub kind: FamilyKind,
    /// The help text, unescaped; `None` where it was not given.
    pub help: Option<String>,
    /// The unit; `None` where it was not given or is empty.
    pub unit: Option<String>,
    /// The samples in their order.
    pub samples: Vec<ParsedSample>,
}

/// One line of a family.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ParsedSample {
    /// The sample's full name.
    pub name: String,
    /// Label names and unescaped texts, in their order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
    /// Seconds since the epoch.
    pub timestamp: Option<f64>,
    /// One event that the sample counted.
    pub exemplar: Option<ParsedExemplar>,
}

impl ParsedSample {
    /// The text of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, text)| text.as_str())
    }
}

/// One event that a counter or a bucket counted, with the labels that lead to it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ParsedExemplar {
    /// Label names and unescaped texts.
    pub labels: Vec<(String, String)>,
    /// What was observed.
    pub value: f64,
    /// Seconds since the epoch.
    pub timestamp: Option<f64>,
}

/// Text that is not OpenMetrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("line {line}: {fault}")]
#[non_exhaustive]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, or with the family that ends before it.
    pub fault: Fault,
}

/// What is wrong with a line or a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// The text does not end with `# EOF`.
    #[error("`# EOF` is missing")]
    NoEnd,
    /// Something follows `# EOF`.
    #[error("text follows `# EOF`")]
    AfterEnd,
    /// A line is empty.
    #[error("blank lines are not allowed")]
    Blank,
    /// A `#` line is not `# HELP`, `# TYPE`, `# UNIT` or `# EOF`, or lacks a part.
    #[error("malformed metadata line")]
    Metadata,
    /// The same metadata is given twice, or after the samples.
    #[error("metadata repeated or after the family's samples")]
    MetadataOrder,
    /// The type is none of OpenMetrics.
    #[error("unknown type")]
    Type,
    /// The unit is not the end of the name, or the type has none.
    #[error("the unit does not fit the name or the type")]
    Unit,
    /// A metric name is malformed.
    #[error("malformed metric name")]
    Name,
    /// Two families have a name in common, or a family is interrupted.
    #[error("name already used by another family")]
    Clash,
    /// A label list is malformed or repeats a label.
    #[error("malformed or repeated label")]
    Labels,
    /// A number is malformed.
    #[error("malformed number")]
    Number,
    /// A timestamp is malformed.
    #[error("malformed timestamp")]
    Timestamp,
    /// An exemplar is malformed, too long, or not allowed there.
    #[error("malformed or misplaced exemplar")]
    Exemplar,
    /// The value is not one that a sample of this type can have.
    #[error("value not allowed for this type")]
    Value,
    /// A label that the type asks for is missing or malformed.
    #[error("a label that the type asks for is missing or malformed")]
    TypeLabel,
    /// A value in braces is malformed, lacks a part, or its parts do not fit together.
    #[error("malformed or contradictory composite value")]
    Composite,
    /// A start timestamp is malformed, or the type has none.
    #[error("malformed or misplaced start timestamp")]
    Start,
    /// One family's name is quoted in some lines and not in others.
    #[error("a family's name is quoted in some lines and not in others")]
    Quoting,
    /// The samples of one metric are interrupted, repeated, or mix timestamps.
    #[error("samples of one metric interrupted, repeated, or with timestamps out of order")]
    Grouping,
    /// A histogram's buckets, count and sum do not fit together.
    #[error("buckets, count and sum do not fit together")]
    Histogram,
}
