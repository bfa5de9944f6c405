//! The steps a record meets.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::constraint::Comparison;
use crate::outlier::IsolationForest;

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
    /// Refuses records that share a key with another one.
    Unique(Unique),
    /// Compares two columns.
    Compare(Compare),
    /// Looks a key up in another file.
    References(References),
    /// Refuses records that break a constraint together.
    Deny(Deny),
    /// Refuses records that are outliers in several columns at once.
    Isolate(Isolate),
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
#[doc(alias = "dropna")]
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
#[doc(alias("deduplicate", "dedup"))]
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
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
#[doc(alias("validate", "expectation"))]
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
#[doc(alias("fillna", "impute"))]
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
#[doc(alias("IQR", "zscore"))]
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

/// Refuses records whose cells in some columns are those of another record.
///
/// The same comparison as [`DropDuplicates`] makes, for keys rather than for whole records: by default every record with such a
/// key is refused, since none is known to be right. Missing equals missing; check [`Rule::NotNull`] first.
#[doc(alias = "primary_key")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unique {
    /// The columns of the key.
    pub columns: Vec<String>,
    /// Which one passes all the same.
    #[serde(default = "none")]
    pub keep: Keep,
    /// When two cells are equal.
    #[serde(default)]
    pub equality: Equality,
    /// What happens to the others: quarantined or dropped.
    #[serde(default)]
    pub on_fail: Action,
}

fn none() -> Keep {
    Keep::None
}

impl Unique {
    /// Quarantines every record that shares its cells in `columns` with another one.
    #[must_use]
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            keep: Keep::None,
            equality: Equality::Exact,
            on_fail: Action::Quarantine,
        }
    }
}

/// Compares two cells of a record: `left` must stand in this relation to `right`.
///
/// As numbers where both are numbers, as text otherwise, so dates compare where they are written year first. A record with
/// one of the two missing passes; NaN is only different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// A column.
    pub left: String,
    /// The relation.
    pub is: Comparison,
    /// Another column.
    pub right: String,
    /// What happens to a record where it does not hold: quarantined or dropped.
    #[serde(default)]
    pub on_fail: Action,
}

impl Compare {
    /// Quarantines records unless `left` stands in the relation `is` to `right`.
    #[must_use]
    pub fn new(left: impl Into<String>, is: Comparison, right: impl Into<String>) -> Self {
        Self {
            left: left.into(),
            is,
            right: right.into(),
            on_fail: Action::Quarantine,
        }
    }
}

/// Looks the cells of some columns up among those of another CSV file (a foreign key).
///
/// Cells are compared as values of their column's type in a typed pipeline, as text in a textual one. A record with a cell of
/// the key missing passes. The other file is read once before the first record, 32 bytes of memory a key; it must be sound.
#[doc(alias = "foreign_key")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// The columns of the key.
    pub columns: Vec<String>,
    /// The file that has the keys.
    pub path: PathBuf,
    /// Their columns there; those of the same names when empty.
    #[serde(default)]
    pub keys: Vec<String>,
    /// What happens to a record whose key is not there: quarantined or dropped.
    #[serde(default)]
    pub on_fail: Action,
}

impl References {
    /// Quarantines records whose `columns` have no equal in the columns of the same names of the file at `path`.
    #[must_use]
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>, path: impl Into<PathBuf>) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            path: path.into(),
            keys: Vec::new(),
            on_fail: Action::Quarantine,
        }
    }

    /// Looks in the columns `keys` there.
    #[must_use]
    pub fn keys<S: Into<String>>(mut self, keys: impl IntoIterator<Item = S>) -> Self {
        self.keys = keys.into_iter().map(Into::into).collect();
        self
    }
}

/// Which records of a broken constraint are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blame {
    /// Every record that breaks it, alone or together with another one.
    #[default]
    Every,
    /// Those in the minority: for constraints that say that some columns determine another one, as
    /// [`Constraints::suspects`](crate::constraint::Constraints::suspects) finds them.
    Suspects,
}

/// Refuses records that break a denial constraint.
///
/// Judged over all records that reach the step, whose cells in the columns of the constraint are held in memory meanwhile.
#[doc(alias = "denial_constraint")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deny {
    /// The constraint, in the notation of [`DenialConstraint`](crate::constraint::DenialConstraint); two records are only
    /// compared where it equates some of their columns, so it must.
    pub constraint: String,
    /// Which records are refused.
    #[serde(default)]
    pub blame: Blame,
    /// What happens to them: quarantined or dropped.
    #[serde(default)]
    pub on_fail: Action,
}

impl Deny {
    /// Quarantines every record that breaks `constraint`.
    #[must_use]
    pub fn new(constraint: impl Into<String>) -> Self {
        Self {
            constraint: constraint.into(),
            blame: Blame::Every,
            on_fail: Action::Quarantine,
        }
    }

    /// Refuses those to blame.
    #[must_use]
    pub fn blame(mut self, blame: Blame) -> Self {
        self.blame = blame;
        self
    }
}

/// Refuses records that few random cuts set apart from the others: outliers in several columns at once.
///
/// An [`IsolationForest`] grows on the records that passed every step before this one, and those with a score above its threshold
/// are refused. The cells of these columns are held in memory meanwhile, eight bytes each. A record with one of them missing, NaN or
/// infinite passes, and the forest does not see it. The same seed refuses the same records, for any number of threads.
#[doc(alias = "anomaly")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Isolate {
    /// The columns, all numeric.
    pub columns: Vec<String>,
    /// The forest.
    #[serde(default)]
    pub forest: IsolationForest,
    /// What its random cuts start from.
    #[serde(default)]
    pub seed: u64,
    /// What happens to the outliers: quarantined or dropped.
    #[serde(default)]
    pub on_fail: Action,
}

impl Isolate {
    /// Quarantines records that are outliers in these columns.
    #[must_use]
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            forest: IsolationForest::default(),
            seed: 0,
            on_fail: Action::Quarantine,
        }
    }
}

impl From<Isolate> for Step {
    fn from(step: Isolate) -> Self {
        Self::Isolate(step)
    }
}

impl From<Unique> for Step {
    fn from(step: Unique) -> Self {
        Self::Unique(step)
    }
}

impl From<Compare> for Step {
    fn from(step: Compare) -> Self {
        Self::Compare(step)
    }
}

impl From<References> for Step {
    fn from(step: References) -> Self {
        Self::References(step)
    }
}

impl From<Deny> for Step {
    fn from(step: Deny) -> Self {
        Self::Deny(step)
    }
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
