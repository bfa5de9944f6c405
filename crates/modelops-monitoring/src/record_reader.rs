//! Reads a request log back and aggregates it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserializer;
use serde::de::{Deserialize, IgnoredAny, MapAccess, Visitor};

use crate::error::ReadError;
use crate::record_files::file_number;
use crate::record_scan::{Token, flat_object};
use crate::sketch::{Schema, Sketch};

/// Reads the files of a [`RecordLog`](crate::RecordLog) in order and sums up one numeric field.
///
/// A line that is no JSON object, and a last line torn by a crash, are counted and skipped.
///
/// **Complexity**: one pass, memory for one line and one sketch a group.
///
/// The example is at [`RecordLog`](crate::RecordLog).
#[derive(Debug, Clone)]
pub struct RecordReader {
    files: Vec<PathBuf>,
    filters: Vec<(String, String)>,
    group: Option<String>,
    schema: Schema,
}

/// What a pass over a log found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LogSummary {
    /// The field over all matching records: count, sum and quantiles.
    pub values: Sketch,
    /// The same for each text of the field given to [`group_by`](RecordReader::group_by). Records without that field
    /// (or where it is null) are in no group.
    pub groups: BTreeMap<String, Sketch>,
    /// Records that matched the filters.
    pub matched: u64,
    /// Matching records whose field is missing or no number; they are in neither `values` nor `groups`.
    pub without_value: u64,
    /// Records in all.
    pub records: u64,
    /// Records that the log says were dropped.
    pub dropped: u64,
    /// Lines that are no JSON object.
    pub malformed: u64,
    /// Files whose last line is incomplete.
    pub torn: u64,
}

impl RecordReader {
    /// The log with the stem `records` in `folder`.
    ///
    /// # Errors
    /// [`ReadError`] where the folder cannot be read or holds no such log.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ReadError> {
        Self::open_stem(folder, "records")
    }

    /// The log with another stem.
    ///
    /// # Errors
    /// [`ReadError`] where the folder cannot be read or holds no such log.
    pub fn open_stem(folder: impl AsRef<Path>, stem: &str) -> Result<Self, ReadError> {
        let folder = folder.as_ref();
        let mut files = Vec::new();
        for entry in fs::read_dir(folder).map_err(|error| io(folder, &error))? {
            let entry = entry.map_err(|error| io(folder, &error))?;
            if let Some(number) = entry
                .file_name()
                .to_str()
                .and_then(|name| file_number(name, stem))
            {
                files.push((number, entry.path()));
            }
        }
        if files.is_empty() {
            return Err(ReadError::Empty {
                folder: folder.to_owned(),
                stem: stem.to_owned(),
            });
        }
        files.sort_unstable();
        Ok(Self {
            files: files.into_iter().map(|(_, path)| path).collect(),
            filters: Vec::new(),
            group: None,
            schema: Schema::S8,
        })
    }

    /// Takes only records whose `field` reads `text` (numbers and booleans as JSON writes them).
    #[must_use]
    pub fn filter(mut self, field: &str, text: &str) -> Self {
        self.filters.push((field.to_owned(), text.to_owned()));
        self
    }

    /// Sums up each text of `field` separately as well.
    #[must_use]
    pub fn group_by(mut self, field: &str) -> Self {
        self.group = Some(field.to_owned());
        self
    }

    /// Reads the log and sums up `field`; quantiles are within 0.136 % (schema 8).
    ///
    /// # Errors
    /// [`ReadError::Io`] where a file cannot be read.
    pub fn summarize(&self, field: &str) -> Result<LogSummary, ReadError> {
        let mut summary = LogSummary {
            values: Sketch::new(self.schema),
            groups: BTreeMap::new(),
            matched: 0,
            without_value: 0,
            records: 0,
            dropped: 0,
            malformed: 0,
            torn: 0,
        };
        let mut line = Vec::new();
        for path in &self.files {
            let file = File::open(path).map_err(|error| io(path, &error))?;
            let mut reader = BufReader::with_capacity(1 << 18, file);
            loop {
                line.clear();
                let read = reader
                    .read_until(b'\n', &mut line)
                    .map_err(|error| io(path, &error))?;
                if read == 0 {
                    break;
                }
                if line.pop_if(|last| *last == b'\n').is_none() {
                    summary.torn += 1;
                    break;
                }
                self.take(field, &line, &mut summary);
            }
        }
        Ok(summary)
    }

    /// Whether the field `name` says anything that is asked for, `field` being the one summed up.
    fn wants(&self, field: &str, name: &str) -> bool {
        name == field
            || name == "dropped"
            || self.group.as_deref() == Some(name)
            || self.filters.iter().any(|(filtered, _)| filtered == name)
    }

    fn take(&self, field: &str, line: &[u8], summary: &mut LogSummary) {
        let mut picked = Picked::new(self, field);
        if !picked.take_flat(line) {
            picked = Picked::new(self, field);
            let mut json = serde_json::Deserializer::from_slice(line);
            let whole = json.deserialize_map(&mut picked).is_ok() && json.end().is_ok();
            if !whole {
                summary.malformed += 1;
                return;
            }
        }
        if let (Some(dropped), 1) = (picked.dropped, picked.fields) {
            summary.dropped += dropped;
            return;
        }
        summary.records += 1;
        if picked.passed < self.filters.len() {
            return;
        }
        summary.matched += 1;
        let Some(value) = picked.value else {
            summary.without_value += 1;
            return;
        };
        summary.values.observe(value);
        if let Some(group) = picked.group {
            if let Some(sketch) = summary.groups.get_mut(&*group) {
                sketch.observe(value);
            } else {
                let mut sketch = Sketch::new(self.schema);
                sketch.observe(value);
                summary.groups.insert(group.into_owned(), sketch);
            }
        }
    }
}

/// The fields of one record that the reader asks for.
struct Picked<'r, 'de> {
    reader: &'r RecordReader,
    field: &'r str,
    value: Option<f64>,
    group: Option<Cow<'de, str>>,
    dropped: Option<u64>,
    fields: usize,
    passed: usize,
}

impl<'r, 'de> Picked<'r, 'de> {
    fn new(reader: &'r RecordReader, field: &'r str) -> Self {
        Self {
            reader,
            field,
            value: None,
            group: None,
            dropped: None,
            fields: 0,
            passed: 0,
        }
    }

    /// Reads a line of the common shape; whether it has that shape, and so was read.
    fn take_flat(&mut self, line: &'de [u8]) -> bool {
        let (reader, field) = (self.reader, self.field);
        let wanted = |name: &str| reader.wants(field, name);
        let mut odd = false;
        let fields = flat_object(line, wanted, |name, token| match Scalar::of(token) {
            Some(scalar) => self.take(name, scalar),
            None => odd = true,
        });
        self.fields = fields.unwrap_or(0);
        fields.is_some() && !odd
    }

    /// Takes one field that is wanted.
    fn take(&mut self, key: &str, scalar: Scalar<'de>) {
        if self.field == key {
            self.value = scalar.number();
        }
        if key == "dropped" {
            self.dropped = match scalar {
                Scalar::Unsigned(n) => Some(n),
                _ => None,
            };
        }
        if !self.reader.filters.is_empty()
            && let Some(text) = scalar.text()
        {
            let wanted = |(field, value): &&(String, String)| *field == *key && *value == *text;
            self.passed += self.reader.filters.iter().filter(wanted).count();
        }
        if self.reader.group.as_deref() == Some(key) {
            self.group = scalar.into_text();
        }
    }
}

impl<'de> Visitor<'de> for &mut Picked<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            self.fields += 1;
            if self.reader.wants(self.field, &key) {
                let scalar: Scalar<'de> = map.next_value()?;
                self.take(&key, scalar);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// A field's name, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(ScalarVisitor)? {
            Scalar::Text(text) => Ok(Self(text)),
            _ => Ok(Self(Cow::Borrowed(""))),
        }
    }
}

/// A field's value, as far as the reader understands it.
enum Scalar<'de> {
    Text(Cow<'de, str>),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
    Other,
}

impl<'de> Scalar<'de> {
    /// The value as the general parser would give it; `None` where it has to say.
    fn of(token: Token<'de>) -> Option<Self> {
        Some(match token {
            Token::Text(text) => Self::Text(Cow::Borrowed(text)),
            Token::Bool(b) => Self::Bool(b),
            Token::Null => Self::Other,
            Token::Number(digits) if digits.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => {
                Self::Float(digits.parse().ok().filter(|x: &f64| x.is_finite())?)
            }
            Token::Number("-0") => return None,
            Token::Number(digits) if digits.starts_with('-') => Self::Signed(digits.parse().ok()?),
            Token::Number(digits) => Self::Unsigned(digits.parse().ok()?),
        })
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Unsigned(n) => Some(*n as f64),
            Self::Signed(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            _ => None,
        }
    }

    fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Unsigned(n) => Some(n.to_string().into()),
            Self::Signed(n) => Some(n.to_string().into()),
            Self::Float(x) => Some(ryu::Buffer::new().format(*x).to_owned().into()),
            Self::Bool(b) => Some(b.to_string().into()),
            Self::Other => None,
        }
    }

    fn into_text(self) -> Option<Cow<'de, str>> {
        match self {
            Self::Text(text) => Some(text),
            other => other.text().map(|text| Cow::Owned(text.into_owned())),
        }
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(n))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Signed(n))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(x))
    }

    fn visit_bool<E>(self, b: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(b))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Scalar<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

fn io(path: &Path, error: &std::io::Error) -> ReadError {
    ReadError::Io {
        path: path.to_owned(),
        kind: error.kind(),
    }
}
