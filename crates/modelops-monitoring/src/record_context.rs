//! Fields that many records share, serialised once.

use std::fmt;

use serde::Serialize;

use crate::error::LogError;

/// Fields that many records share, serialised once for all of them: of a service, a route, a caller.
///
/// What stays the same from record to record need not be formatted for each: put it into a context and write with
/// [`RecordLog::write_with`](crate::RecordLog::write_with). Choose other names than the record has: a name that both have stands
/// in the line twice. The log redacts what a context says as it does everything else.
///
/// **Complexity**: O(length); a record pays for a copy of the bytes.
///
/// ```
/// use modelops_monitoring::{LogContext, RecordLog, RecordLogOptions};
/// #[derive(serde::Serialize)]
/// struct Route { method: &'static str, path: &'static str }
/// #[derive(serde::Serialize)]
/// struct Request { seconds: f64 }
///
/// let folder = tempfile::tempdir()?;
/// let log = RecordLog::create(folder.path(), RecordLogOptions::default())?;
/// let route = LogContext::new(&Route { method: "GET", path: "/livez" })?;
/// log.write_with(&[&route], &Request { seconds: 0.25 })?;
/// log.close()?;
/// let line = std::fs::read_to_string(folder.path().join("records-000001.jsonl"))?;
/// assert_eq!(line, "{\"seconds\":0.25,\"method\":\"GET\",\"path\":\"/livez\"}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("bindings", "child_logger", "with_fields"))]
#[derive(Clone, PartialEq, Eq)]
pub struct LogContext {
    /// The fields, a comma before each.
    fields: Box<[u8]>,
}

impl LogContext {
    /// Serialises `fields`, a JSON object.
    ///
    /// # Errors
    /// [`LogError::Record`] where they are no JSON object.
    pub fn new<R: Serialize + ?Sized>(fields: &R) -> Result<Self, LogError> {
        let mut object = Vec::new();
        push_object(&mut object, fields)?;
        reopen(&mut object);
        object[0] = b',';
        if object.len() == 1 {
            object.clear();
        }
        Ok(Self {
            fields: object.into(),
        })
    }

    /// Appends the fields to a line whose object is open.
    pub(crate) fn push(&self, line: &mut Vec<u8>) {
        // The first fields of an object have no comma before them.
        let first = usize::from(line.len() == 1).min(self.fields.len());
        line.extend_from_slice(&self.fields[first..]);
    }
}

/// The fields may hold what the log would redact.
impl fmt::Debug for LogContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogContext({} bytes)", self.fields.len())
    }
}

/// Serialises `record` into an empty line, as one JSON object without line breaks.
pub(crate) fn push_object<R: Serialize + ?Sized>(line: &mut Vec<u8>, record: &R) -> Result<(), LogError> {
    serde_json::to_writer(&mut *line, record).map_err(|_| LogError::Record)?;
    if line.first() != Some(&b'{') {
        return Err(LogError::Record);
    }
    // Texts have none; JSON that the record brings ready-made may, between its tokens.
    // Counted, not searched for: that is done many bytes at a time.
    if line.iter().filter(|b| **b == b'\n').count() > 0 {
        let breaks = line.iter_mut().filter(|b| **b == b'\n');
        breaks.for_each(|b| *b = b' ');
    }
    Ok(())
}

/// Takes the closing bracket of an object away, so that more fields may follow.
pub(crate) fn reopen(object: &mut Vec<u8>) {
    object.pop();
    // Between the tokens of JSON that was brought ready-made.
    while object.last().is_some_and(u8::is_ascii_whitespace) {
        object.pop();
    }
}
