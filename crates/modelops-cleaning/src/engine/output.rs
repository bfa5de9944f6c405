//! Files that appear under their name only when they are complete.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::RunError;
use crate::ledger::Reason;

/// A file being written under a temporary name beside its final one.
#[derive(Debug)]
pub(crate) struct Pending {
    path: PathBuf,
    partial: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl Pending {
    pub(crate) fn create(path: &Path) -> Result<Self, RunError> {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".partial");
        let partial = path.with_file_name(name);
        let file = File::create(&partial).map_err(RunError::io(path))?;
        Ok(Self {
            path: path.to_path_buf(),
            partial,
            writer: Some(BufWriter::with_capacity(1 << 20, file)),
        })
    }

    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        self.writer().write_all(bytes).map_err(|error| RunError::Io {
            path: self.path.clone(),
            kind: error.kind(),
        })
    }

    pub(crate) fn writer(&mut self) -> &mut BufWriter<File> {
        self.writer.as_mut().expect("open until it is committed")
    }

    /// Makes the content durable; the file still has its temporary name.
    pub(crate) fn finish(&mut self) -> Result<(), RunError> {
        if let Some(writer) = self.writer.take() {
            let file = writer.into_inner().map_err(|error| RunError::Io {
                path: self.path.clone(),
                kind: error.error().kind(),
            })?;
            file.sync_data().map_err(RunError::io(&self.path))?;
        }
        Ok(())
    }

    /// Gives the file its final name.
    pub(crate) fn commit(mut self) -> Result<(), RunError> {
        self.finish()?;
        fs::rename(&self.partial, &self.path).map_err(RunError::io(&self.path))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After a commit there is nothing under this name; after a failure nothing useful.
        let _ = fs::remove_file(&self.partial);
    }
}

/// One line of the quarantine file.
pub(crate) fn quarantine_line(
    row: u32,
    line: Option<u64>,
    offset: Option<u64>,
    reason: &Reason,
    raw: &[u8],
) -> Vec<u8> {
    let mut object = serde_json::Map::new();
    object.insert("row".into(), row.into());
    if let Some(line) = line {
        object.insert("line".into(), line.into());
    }
    if let Some(offset) = offset {
        object.insert("offset".into(), offset.into());
    }
    object.insert("reason".into(), reason.cause.to_string().into());
    if let Some(step) = reason.step {
        object.insert("step".into(), step.into());
    }
    if let Some(column) = &reason.column {
        object.insert("column".into(), column.as_str().into());
    }
    match std::str::from_utf8(raw) {
        Ok(text) => object.insert("raw".into(), text.into()),
        Err(_) => object.insert("raw_hex".into(), hex(raw).into()),
    };
    let mut bytes = serde_json::to_vec(&object).expect("a map of plain values");
    bytes.push(b'\n');
    bytes
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}
