//! The plan: the closed intermediate representation of every pipeline.
//!
//! A specification, whether built with methods or read from YAML, JSON or TOML, is bound to the columns of its input
//! and becomes a chain of [`Node`]s: relational operators ([`RelOp`]) over named kernels ([`Predicate`], [`Test`],
//! [`Value`], and the statistics of [`OutlierMethod`]). There is nothing else in a plan, no closure and no free text of
//! an engine, so whatever runs or translates plans can match on it exhaustively. Columns are known by position.
//!
//! # Meaning
//! A record has a number (its place in the input), the cells of its columns, an outcome that is empty at first, and a
//! set of repairs. A record that cannot be read gets its outcome from [`Reading`] before the first node. Then, in order:
//!
//! | operator | what it does to records without an outcome | in SQL |
//! | --- | --- | --- |
//! | `Select` | those that fail the predicate get the reason | `CASE WHEN outcome IS NULL AND NOT p THEN reason` |
//! | `Distinct` | among those with equal keys one survives or none, the others get the reason | `ROW_NUMBER() OVER (PARTITION BY keys ORDER BY row)` |
//! | `Project` | the column gets a new value; where that differs, the step's repair is noted. A column may be new | `CASE WHEN … THEN … END AS column` |
//! | `Deny` | those that break the constraint, or are to blame for it, get the reason | a self-join on the columns it equates |
//! | `Isolate` | those that a forest grown on all of them sets apart get the reason | none |
//! | `Aggregate` | their statistics become [`Bounds::Learned`] of later nodes | a grand aggregate, joined to every row |
//!
//! A `Select` by a key of another file is a semi-join. A record with an outcome passes every later node unchanged. At the end a record without one is clean; the others go
//! where the disposition of their reason says. So each predicate is evaluated once, and no record is in two outputs.

mod bind;
mod check;
mod explain;

use std::collections::HashSet;
use std::path::PathBuf;

use regex::Regex;

use crate::constraint::{Comparison, Constraints};
use crate::ledger::Reasons;
use crate::outlier::IsolationForest;
use crate::spec::{Blame, ColumnType, Equality, Keep, OutlierMethod};

pub(crate) use check::check;
#[cfg(feature = "distributed")]
pub(crate) use explain::describe;
pub(crate) use explain::explain;

/// A specification bound to the columns of an input: names are positions, rules are compiled, reasons are numbered.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Those of the input, and after them those that steps add.
    pub(crate) columns: Vec<String>,
    /// How many of the columns the input has.
    pub(crate) inputs: usize,
    pub(crate) nodes: Vec<Node>,
    /// Every reason that a record can get, numbered; those of reading first.
    pub(crate) reasons: Reasons,
    pub(crate) reading: Reading,
    /// For each column with a declared type, the reason for a value that does not fit.
    pub(crate) casts: Vec<Option<(ColumnType, u16)>>,
    /// Texts that stand for a missing value, for each column.
    pub(crate) sentinels: Vec<Vec<String>>,
    pub(crate) trim: bool,
    /// How many steps the specification has; a step becomes one node or several.
    pub(crate) steps: usize,
}

/// An operator and the step it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) step: usize,
    pub(crate) op: RelOp,
}

/// A relational operator.
#[derive(Debug, Clone)]
pub(crate) enum RelOp {
    Select {
        predicate: Predicate,
        reason: u16,
    },
    Distinct {
        keys: Keys,
        keep: Keep,
        reason: u16,
    },
    Project {
        column: usize,
        value: Value,
    },
    Aggregate {
        columns: Vec<usize>,
        statistic: OutlierMethod,
    },
    /// Refuses the records that a forest grown on all of them sets apart.
    Isolate {
        columns: Vec<usize>,
        forest: IsolationForest,
        seed: u64,
        reason: u16,
    },
    /// Refuses the records that break a constraint, as `blame` says. Its columns are those of the list.
    Deny {
        columns: Vec<usize>,
        constraint: Constraints,
        blame: Blame,
        reason: u16,
    },
}

/// What makes records equal.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    /// Every column where `None`.
    pub(crate) columns: Option<Vec<usize>>,
    pub(crate) equality: Equality,
}

/// A condition that a record has to meet.
#[derive(Debug, Clone)]
pub(crate) enum Predicate {
    /// The cell passes the test.
    Cell { column: usize, test: Test },
    /// At least one of the cells is present.
    AnyPresent { columns: Vec<usize> },
    /// The cells stand in the relation, or one of them is missing.
    Compare {
        left: usize,
        comparison: Comparison,
        right: usize,
    },
    /// The cells are a key of the file, or one of them is missing.
    Referenced {
        columns: Vec<usize>,
        path: PathBuf,
        keys: Vec<String>,
    },
}

/// A condition on one cell. A missing cell passes every test but `NotNull`.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    NotNull,
    /// Not the number NaN.
    NotNan,
    /// A number within bounds, both included; NaN fails.
    Range(Bounds),
    InSet {
        texts: HashSet<String>,
        /// As the specification lists them.
        ordered: Vec<String>,
    },
    Regex(Regex),
    /// So many Unicode scalar values, both bounds included.
    Length {
        min: usize,
        max: usize,
    },
}

/// A new value for a cell.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A constant in the place of a missing value.
    Fill(String),
    /// The nearest number within bounds; missing and NaN stay.
    Clamp(Bounds),
    /// Whether the cell of another column fails the test. No repair: the column is new.
    Fails { column: usize, test: Test },
}

/// An interval of numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bounds {
    Fixed {
        min: f64,
        max: f64,
    },
    /// What the aggregate at `node` found for the column at `index` of its list.
    Learned {
        node: usize,
        index: usize,
    },
}

/// Reasons given while reading, before any step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) blank: u16,
    pub(crate) fields: u16,
    pub(crate) utf8: u16,
    pub(crate) after_quote: u16,
    pub(crate) unclosed: u16,
    pub(crate) not_object: u16,
}

impl RelOp {
    /// Whether the operator needs to have met every record before it can judge one.
    pub(crate) fn needs_pass(&self) -> bool {
        match self {
            Self::Distinct { keep, .. } => *keep != Keep::First,
            Self::Aggregate { .. } | Self::Deny { .. } | Self::Isolate { .. } => true,
            Self::Select { .. } | Self::Project { .. } => false,
        }
    }
}

impl Plan {
    /// Whether `text` stands for a missing value in `column`.
    #[inline]
    pub(crate) fn is_missing(&self, column: usize, text: &[u8]) -> bool {
        text.is_empty() || self.sentinels[column].iter().any(|s| s.as_bytes() == text)
    }
}

impl Test {
    /// Whether the text of a cell passes; `None` is a missing cell. Learned bounds are the caller's to compare.
    pub(crate) fn passes_text(&self, cell: Option<&str>) -> bool {
        let Some(text) = cell else {
            return !matches!(self, Self::NotNull);
        };
        match self {
            Self::NotNull => true,
            Self::NotNan => text.parse::<f64>().is_ok_and(|value| !value.is_nan()),
            Self::Range(Bounds::Fixed { min, max }) => text
                .parse::<f64>()
                .is_ok_and(|value| value >= *min && value <= *max),
            Self::Range(Bounds::Learned { .. }) => unreachable!("the engine looks learned bounds up"),
            Self::InSet { texts, .. } => texts.contains(text),
            Self::Regex(regex) => regex.is_match(text),
            Self::Length { min, max } => {
                let length = text.chars().count();
                length >= *min && length <= *max
            }
        }
    }
}
