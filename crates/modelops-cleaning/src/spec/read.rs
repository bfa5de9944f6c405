//! What is read, and how its cells are understood before the first step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values with a header, RFC 4180 quoting; records end at LF, CRLF or CR.
    Csv {
        /// The byte between fields.
        #[serde(default = "comma")]
        separator: char,
    },
    /// One JSON object a line; nested values are kept as their JSON text. Reading them needs the `frame` feature.
    JsonLines,
    /// Apache Parquet; needs the `frame` feature.
    Parquet,
}

fn comma() -> char {
    ','
}

impl Default for Format {
    fn default() -> Self {
        Self::Csv { separator: ',' }
    }
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ColumnType {
    /// 64-bit signed integers.
    Int,
    /// 64-bit floating point numbers.
    Float,
    /// `true` and `false`.
    Bool,
    /// Text.
    Text,
}

/// Texts that stand for a missing value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sentinels {
    /// In every column.
    pub everywhere: Vec<String>,
    /// In one column, on top of those above.
    pub columns: BTreeMap<String, Vec<String>>,
}

/// What is read, and how.
///
/// An empty cell is missing, quoted or not. Types are inferred from the *whole* file: a column is a number only if
/// every value in it is one and none would change by becoming one, so leading zeros (`00501`), whole numbers above
/// 15 digits and ids that look like powers (`1e5`) stay text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The file to read.
    pub path: PathBuf,
    /// Its format.
    #[serde(default)]
    pub format: Format,
    /// Whether white space around a cell is ignored. Textual pipelines ignore it only while judging.
    #[serde(default)]
    pub trim: bool,
    /// Texts that stand for a missing value.
    #[serde(default)]
    pub sentinels: Sentinels,
    /// Types that are declared rather than inferred; a value that does not fit is quarantined.
    #[serde(default)]
    pub types: BTreeMap<String, ColumnType>,
    /// The longest record accepted, in bytes: an unclosed quote cannot fill the memory.
    #[serde(default = "default_longest")]
    pub longest_record: usize,
}

fn default_longest() -> usize {
    64 << 20
}

impl Read {
    /// Reads the CSV file at `path`.
    #[must_use]
    pub fn csv(path: impl Into<PathBuf>) -> Self {
        Self::new(path, Format::default())
    }

    /// Reads the file at `path` as `format`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, format: Format) -> Self {
        Self {
            path: path.into(),
            format,
            trim: false,
            sentinels: Sentinels::default(),
            types: BTreeMap::new(),
            longest_record: default_longest(),
        }
    }

    /// Ignores white space around cells.
    #[must_use]
    pub fn trim(mut self, trim: bool) -> Self {
        self.trim = trim;
        self
    }

    /// Adds texts that mean "missing" in every column.
    #[must_use]
    pub fn sentinels<S: Into<String>>(mut self, texts: impl IntoIterator<Item = S>) -> Self {
        self.sentinels
            .everywhere
            .extend(texts.into_iter().map(Into::into));
        self
    }

    /// Adds texts that mean "missing" in `column`.
    #[must_use]
    pub fn sentinels_in<S: Into<String>>(
        mut self,
        column: impl Into<String>,
        texts: impl IntoIterator<Item = S>,
    ) -> Self {
        self.sentinels
            .columns
            .entry(column.into())
            .or_default()
            .extend(texts.into_iter().map(Into::into));
        self
    }

    /// Declares the type of `column`.
    #[must_use]
    pub fn typed(mut self, column: impl Into<String>, kind: ColumnType) -> Self {
        self.types.insert(column.into(), kind);
        self
    }

    /// Whether `text` (already trimmed where [`Read::trim`] says so) stands for a missing value in `column`.
    #[must_use]
    pub fn is_missing(&self, column: &str, text: &str) -> bool {
        text.is_empty()
            || self.sentinels.everywhere.iter().any(|s| s == text)
            || self
                .sentinels
                .columns
                .get(column)
                .is_some_and(|texts| texts.iter().any(|s| s == text))
    }
}
