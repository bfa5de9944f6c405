//! The steps a record meets.

use serde::{Deserialize, Serialize};

/// One step. A record meets the steps in order; the first that refuses it decides its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Drops records with missing values.
    DropMissing(DropMissing),
    /// Drops records that repeat another one.
    DropDuplicates(DropDuplicates),
    /// Judges one column by a rule.
    Check(Check),
    /// Puts a constant in the place of missing values (typed pipelines).
    Fill(Fill),
    /// Finds values far from the others of their column.
    Outliers(Outliers),
}

/// What happens to a record that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It goes to the quarantine file with its reason.
    #[default]
    Quarantine,
    /// It is left out; the ledger says why.
    Drop,
    /// It stays, and a column of its own says so: `true` where the value fails, `false` elsewhere. The column comes after those
    /// of the input and is called after the column judged and the cause, `age out of range` for instance; later steps
    /// may use it (typed pipelines).
    Flag,
    /// The value is moved to the nearest allowed one and the record counts as repaired (typed; ranges and outliers).
    Clip,
}

/// How many of the columns must be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum How {
    /// At least one.
    #[default]
    Any,
    /// Every one.
    All,
}

/// Drops records with missing values.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropMissing {
    /// Whether one missing column is enough.
    pub how: How,
    /// The columns looked at; all of them when empty.
    pub columns: Vec<String>,
}

/// Which record of several equal ones survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Keep {
    /// The first in input order.
    #[default]
    First,
    /// The last in input order; needs a second pass.
    Last,
    /// None of them; needs a second pass.
    None,
}

/// When two cells are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Equality {
    /// As the mode understands cells: bytes as written (quotes included) in a textual pipeline, values in a typed one,
    /// where 1.10 equals 1.1, -0 equals 0, NaN equals NaN and missing equals missing.
    #[default]
    Exact,
    /// Values, in either mode: cells are read by the type of their column, which a textual pipeline finds out in one
    /// more pass, and compared as a typed pipeline compares them. The records themselves stay as they are.
    Typed,
    /// Text without surrounding white space, in lower case, in Unicode's composed form (NFC); other values as above.
    Normalised,
}

/// Drops records that repeat another one.
///
/// Records are compared by a 128-bit fingerprint: among n different records the chance of any false match is below
/// n²/2¹²⁹ (10⁻²³ for a hundred million).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DropDuplicates {
    /// The columns compared; all of them when empty.
    pub columns: Vec<String>,
    /// Which one survives.
    pub keep: Keep,
    /// When two cells are equal.
    pub equality: Equality,
}

/// What a value must be. A missing value passes every rule but [`Rule::NotNull`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rule {
    /// Present.
    NotNull,
    /// A number within bounds, both included; NaN fails.
    Range {
        /// The smallest allowed number.
        #[serde(default)]
        min: Option<f64>,
        /// The largest allowed number.
        #[serde(default)]
        max: Option<f64>,
    },
    /// One of these texts (numbers are compared as numbers).
    InSet(Vec<String>),
    /// Text in which this regular expression is found; anchor it with `^` and `$` to match the whole.
    Regex(String),
    /// Text of so many characters (Unicode scalar values), both bounds included.
    Length {
        /// The fewest.
        #[serde(default)]
        min: usize,
        /// The most.
        #[serde(default = "usize_max")]
        max: usize,
    },
}

fn usize_max() -> usize {
    usize::MAX
}

/// Judges one column by a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The column.
    pub column: String,
    /// What its values must be.
    pub rule: Rule,
    /// What happens to a record that fails.
    #[serde(default)]
    pub on_fail: Action,
}

impl Check {
    /// Quarantines records whose `column` breaks `rule`.
    #[must_use]
    pub fn new(column: impl Into<String>, rule: Rule) -> Self {
        Self {
            column: column.into(),
            rule,
            on_fail: Action::Quarantine,
        }
    }

    /// Does `action` instead.
    #[must_use]
    pub fn on_fail(mut self, action: Action) -> Self {
        self.on_fail = action;
        self
    }
}

/// Puts a constant in the place of missing values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// The column.
    pub column: String,
    /// The value, as it would stand in a CSV file.
    pub value: String,
}

/// How far is too far. Each method gives one interval a column; values outside it are outliers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutlierMethod {
    /// mean ± k·s, with s the sample standard deviation (n − 1).
    ZScore(f64),
    /// median ± k·MAD/0.6745, with MAD the median absolute deviation: the modified z-score of Iglewicz and Hoaglin.
    Mad(f64),
    /// [Q1 − k·IQR, Q3 + k·IQR], quartiles by linear interpolation: Tukey's fences.
    Iqr(f64),
}

/// Finds values far from the others of their column.
///
/// The interval is computed from the records that passed every step before this one, in one more pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outliers {
    /// The columns, all numeric.
    pub columns: Vec<String>,
    /// How far is too far.
    pub method: OutlierMethod,
    /// What happens to a record that has one.
    #[serde(default)]
    pub action: Action,
}

impl From<DropMissing> for Step {
    fn from(step: DropMissing) -> Self {
        Self::DropMissing(step)
    }
}

impl From<DropDuplicates> for Step {
    fn from(step: DropDuplicates) -> Self {
        Self::DropDuplicates(step)
    }
}

impl From<Check> for Step {
    fn from(step: Check) -> Self {
        Self::Check(step)
    }
}

impl From<Fill> for Step {
    fn from(step: Fill) -> Self {
        Self::Fill(step)
    }
}

impl From<Outliers> for Step {
    fn from(step: Outliers) -> Self {
        Self::Outliers(step)
    }
}
