//! Files that appear under their name only when they are complete.

use std::fs::{self, File};
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::engine::source::Record;
use crate::error::RunError;
use crate::kernel::csv::write_field;
use crate::ledger::{Ledger, Reason};
use crate::spec::PipelineSpec;

/// A file being written under a temporary name beside its final one.
#[derive(Debug)]
pub(crate) struct Pending {
    path: PathBuf,
    partial: PathBuf,
    writer: Option<BufWriter<File>>,
    written: u64,
    /// Whether the unfinished file stays where this value is dropped, for a later run to go on with.
    keep: bool,
}

fn partial_path(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

impl Pending {
    pub(crate) fn create(path: &Path) -> Result<Self, RunError> {
        let file = File::create(partial_path(path)).map_err(RunError::io(path))?;
        Ok(Self::new(path, file, 0, false))
    }

    fn new(path: &Path, file: File, written: u64, keep: bool) -> Self {
        Self {
            path: path.to_path_buf(),
            partial: partial_path(path),
            writer: Some(BufWriter::with_capacity(1 << 20, file)),
            written,
            keep,
        }
    }

    /// Goes on behind the first `written` bytes of an unfinished file; `None` where it has fewer.
    fn resume(path: &Path, written: u64) -> Result<Option<Self>, RunError> {
        let mut file = match File::options().write(true).open(partial_path(path)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RunError::io(path)(error)),
        };
        if file.metadata().map_err(RunError::io(path))?.len() < written {
            return Ok(None);
        }
        file.set_len(written).map_err(RunError::io(path))?;
        file.seek(SeekFrom::Start(written)).map_err(RunError::io(path))?;
        Ok(Some(Self::new(path, file, written, true)))
    }

    #[inline]
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        self.written += bytes.len() as u64;
        self.writer().write_all(bytes).map_err(|error| RunError::Io {
            path: self.path.clone(),
            kind: error.kind(),
        })
    }

    pub(crate) fn writer(&mut self) -> &mut BufWriter<File> {
        self.writer.as_mut().expect("open until it is committed")
    }

    /// Makes what is written so far durable.
    fn sync(&mut self) -> Result<(), RunError> {
        if let Some(writer) = &mut self.writer {
            writer.flush().map_err(RunError::io(&self.path))?;
            writer.get_ref().sync_data().map_err(RunError::io(&self.path))?;
        }
        Ok(())
    }

    /// Makes the content durable; the file still has its temporary name.
    pub(crate) fn finish(&mut self) -> Result<(), RunError> {
        self.sync()?;
        self.writer = None;
        Ok(())
    }

    /// Gives the file its final name.
    pub(crate) fn commit(mut self) -> Result<(), RunError> {
        self.finish()?;
        fs::rename(&self.partial, &self.path).map_err(RunError::io(&self.path))
    }

    /// Gives a finished file its final name, unless it has it already.
    pub(crate) fn name(path: &Path) -> Result<(), RunError> {
        match fs::rename(partial_path(path), path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(RunError::io(path)),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After a commit there is nothing under this name; after a failure nothing useful.
        if !self.keep {
            let _ = fs::remove_file(&self.partial);
        }
    }
}

/// The files of a textual run.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) clean: Option<Pending>,
    pub(crate) quarantine: Option<Pending>,
}

impl Outputs {
    pub(crate) fn create(spec: &PipelineSpec) -> Result<Self, RunError> {
        let clean = spec.write.as_ref().map(|write| Pending::create(&write.path));
        let quarantine = spec.quarantine.as_deref().map(Pending::create);
        Ok(Self {
            clean: clean.transpose()?,
            quarantine: quarantine.transpose()?,
        })
    }

    /// Goes on behind so many bytes of the clean and the quarantine file; `None` where one of them has fewer.
    pub(crate) fn resume(spec: &PipelineSpec, written: [u64; 2]) -> Result<Option<Self>, RunError> {
        let resume = |path: Option<&Path>, written| match path {
            None => Ok(Some(None)),
            Some(path) => Pending::resume(path, written).map(|file| file.map(Some)),
        };
        let clean = resume(spec.write.as_ref().map(|write| write.path.as_path()), written[0])?;
        let quarantine = resume(spec.quarantine.as_deref(), written[1])?;
        Ok(clean
            .zip(quarantine)
            .map(|(clean, quarantine)| Self { clean, quarantine }))
    }

    /// Leaves unfinished files for a later run to go on with.
    pub(crate) fn keep_unfinished(mut self) -> Self {
        for file in [&mut self.clean, &mut self.quarantine].into_iter().flatten() {
            file.keep = true;
        }
        self
    }

    /// Writes a record to the quarantine file, where there is one and the ledger says that the record goes there.
    pub(crate) fn quarantine(&mut self, record: &Record<'_>, ledger: &Ledger) -> Result<(), RunError> {
        let (Some(file), Some(reason)) = (&mut self.quarantine, ledger.is_quarantined(record.row)) else {
            return Ok(());
        };
        let (line, offset) = (Some(record.line), Some(record.offset));
        file.write(&quarantine_line(
            record.row,
            line,
            offset,
            ledger.reason(reason),
            record.raw,
        ))
    }

    /// Makes what is written so far durable and gives the lengths of the clean and the quarantine file.
    pub(crate) fn sync(&mut self) -> Result<[u64; 2], RunError> {
        let mut lengths = [0; 2];
        for (file, length) in [&mut self.clean, &mut self.quarantine]
            .into_iter()
            .zip(&mut lengths)
        {
            if let Some(file) = file {
                file.sync()?;
                *length = file.written;
            }
        }
        Ok(lengths)
    }

    /// Gives the files their final names, the clean one last.
    pub(crate) fn commit(self) -> Result<(), RunError> {
        for file in [self.quarantine, self.clean].into_iter().flatten() {
            file.commit()?;
        }
        Ok(())
    }
}

/// The header of a typed CSV file.
pub(crate) fn csv_header(names: &[String], separator: u8) -> Vec<u8> {
    let mut line = Vec::new();
    for name in names {
        write_field(&mut line, name.as_bytes(), separator);
        line.push(separator);
    }
    line.pop();
    line.push(b'\n');
    line
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
