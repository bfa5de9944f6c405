//! The specification of a pipeline: what to read, the steps in order, what to write.
//!
//! A specification is plain data. It is built with methods or read from YAML, JSON or TOML; all give the same value, and
//! unknown fields are refused. [`Pipeline`](crate::Pipeline) checks and runs it.

mod read;
mod step;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use read::{ColumnType, Format, Read, Sentinels};
pub use step::{
    Action, Blame, Check, Compare, Deny, DropDuplicates, DropMissing, Equality, Fill, How, Isolate, Keep,
    OutlierMethod, Outliers, References, Rule, Step, Unique,
};

use crate::error::{SpecError, SyntaxError};

/// The newest version of the specification that this crate understands.
pub const SPEC_VERSION: u32 = 1;

/// How records are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Mode {
    /// Columns have types; values are understood, may be repaired, and are written in one canonical form.
    #[default]
    Typed,
    /// Records stay the bytes they were: they are judged, never rewritten. CSV only; the fastest mode.
    Textual,
}

/// Where the clean records go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// The file to create. It appears under this name only when it is complete.
    pub path: PathBuf,
    /// Its format; textual pipelines write the format they read.
    #[serde(default)]
    pub format: Format,
}

/// A whole pipeline as data.
///
/// # Example
/// ```
/// use modelops_cleaning::{Check, DropDuplicates, PipelineSpec, Read, Rule, Step};
///
/// let built = PipelineSpec::new(Read::csv("in.csv"))
///     .step(Step::DropDuplicates(DropDuplicates::default()))
///     .step(Check::new("age", Rule::Range { min: Some(0.0), max: Some(130.0) }))
///     .write_csv("clean.csv");
/// let read = PipelineSpec::from_yaml(
///     "
/// version: 1
/// read: { path: in.csv }
/// steps:
///   - drop_duplicates: {}
///   - check: { column: age, rule: { range: { min: 0, max: 130 } } }
/// write: { path: clean.csv }
/// ",
/// )?;
/// assert_eq!(built, read);
/// assert!(PipelineSpec::from_yaml("version: 1\nread: { path: in.csv, sentinel: [NA] }").is_err());
/// # Ok::<(), modelops_cleaning::SpecError>(())
/// ```
#[doc(alias("yaml", "config"))]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// The version of this format: [`SPEC_VERSION`].
    pub version: u32,
    /// How records are understood.
    #[serde(default)]
    pub mode: Mode,
    /// What is read, and how.
    pub read: Read,
    /// The steps, in the order in which a record meets them.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// Where the clean records go; nowhere by default (a dry run that still fills the ledger).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Write>,
    /// Where quarantined records go: JSON lines with row, line, byte offset, reason and the raw record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<PathBuf>,
    /// Whether the run gathers a [`Profile`](crate::Profile) of the clean columns (typed pipelines).
    #[serde(default)]
    pub profile: bool,
}

impl PipelineSpec {
    /// The JSON Schema (2020-12) of a specification, for editors and for checks where this crate is not at hand. It accepts what
    /// [`PipelineSpec::from_json`] accepts, lists in the place of objects left aside; what only a look at the whole can tell is left to
    /// [`Pipeline::try_new`](crate::Pipeline::try_new).
    pub const JSON_SCHEMA: &'static str = include_str!("schema.json");

    /// A typed pipeline that reads `read` and does nothing else yet.
    #[must_use]
    pub fn new(read: Read) -> Self {
        Self {
            version: SPEC_VERSION,
            mode: Mode::Typed,
            read,
            steps: Vec::new(),
            write: None,
            quarantine: None,
            profile: false,
        }
    }

    /// Appends a step.
    #[must_use]
    pub fn step(mut self, step: impl Into<Step>) -> Self {
        self.steps.push(step.into());
        self
    }

    /// Sets the mode.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Writes the clean records as CSV to `path`.
    #[must_use]
    pub fn write_csv(self, path: impl Into<PathBuf>) -> Self {
        self.write(path, Format::default())
    }

    /// Writes the clean records to `path` in `format`.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>, format: Format) -> Self {
        self.write = Some(Write {
            path: path.into(),
            format,
        });
        self
    }

    /// Writes the quarantined records to `path`, as JSON lines.
    #[must_use]
    pub fn quarantine(mut self, path: impl Into<PathBuf>) -> Self {
        self.quarantine = Some(path.into());
        self
    }

    /// Gathers a profile of the clean columns during the run.
    #[must_use]
    pub fn profile(mut self, profile: bool) -> Self {
        self.profile = profile;
        self
    }

    /// Reads a specification from YAML (JSON is YAML too).
    ///
    /// # Errors
    /// [`SpecError::Syntax`] with line and column for a text that is no specification, unknown fields included;
    /// [`SpecError::Version`] for a version this crate does not know.
    pub fn from_yaml(text: &str) -> Result<Self, SpecError> {
        let spec: Self = serde_saphyr::from_str(text).map_err(|error| {
            let at = error.location();
            SpecError::Syntax(SyntaxError::new(
                at.map_or(0, |at| at.line()),
                at.map_or(0, |at| at.column()),
                &error,
            ))
        })?;
        spec.known_version()
    }

    /// Reads a specification from TOML.
    ///
    /// # Errors
    /// As [`PipelineSpec::from_yaml`].
    ///
    /// # Example
    /// ```
    /// use modelops_cleaning::{DropMissing, PipelineSpec, Read};
    ///
    /// let read = PipelineSpec::from_toml(
    ///     "
    /// version = 1
    /// read.path = 'in.csv'
    /// [[steps]]
    /// drop_missing.columns = ['id']
    /// ",
    /// )?;
    /// let step = DropMissing { columns: vec!["id".into()], ..DropMissing::default() };
    /// assert_eq!(read, PipelineSpec::new(Read::csv("in.csv")).step(step));
    /// # Ok::<(), modelops_cleaning::SpecError>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, SpecError> {
        let spec: Self = toml::from_str(text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
            let line = before.matches('\n').count() as u64 + 1;
            let column = before.chars().rev().take_while(|&c| c != '\n').count() as u64 + 1;
            SpecError::Syntax(SyntaxError::new(line, column, &error.message()))
        })?;
        spec.known_version()
    }

    /// Reads a specification from JSON.
    ///
    /// # Errors
    /// As [`PipelineSpec::from_yaml`].
    pub fn from_json(text: &str) -> Result<Self, SpecError> {
        let spec: Self = serde_json::from_str(text).map_err(|error| {
            SpecError::Syntax(SyntaxError::new(
                error.line() as u64,
                error.column() as u64,
                &error,
            ))
        })?;
        spec.known_version()
    }

    /// The specification as JSON, with every default spelled out.
    ///
    /// # Panics
    /// Never: a specification is a tree of plain values.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a specification is a tree of plain values")
    }

    fn known_version(self) -> Result<Self, SpecError> {
        if self.version == SPEC_VERSION {
            Ok(self)
        } else {
            Err(SpecError::Version { found: self.version })
        }
    }
}
