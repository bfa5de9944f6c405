//! The numbered files of a log.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::error::LogError;

/// The file being written and those to come.
pub(crate) struct Files {
    folder: PathBuf,
    stem: String,
    next: u64,
    limit: u64,
    open: Option<(PathBuf, File, u64)>,
    /// Files begun so far.
    pub(crate) begun: u64,
    /// Bytes written so far.
    pub(crate) bytes: u64,
}

impl Files {
    /// Begins the file after the last one of `folder`, which is made where it is missing.
    pub(crate) fn create(folder: &Path, stem: String, limit: u64) -> Result<Self, LogError> {
        fs::create_dir_all(folder).map_err(|error| io(folder, &error))?;
        let mut files = Self {
            folder: folder.to_owned(),
            next: last_number(folder, &stem)? + 1,
            stem,
            limit,
            open: None,
            begun: 0,
            bytes: 0,
        };
        files.begin()?;
        Ok(files)
    }

    fn begin(&mut self) -> Result<(), LogError> {
        let path = self.folder.join(file_name(&self.stem, self.next));
        let file = File::create_new(&path).map_err(|error| io(&path, &error))?;
        self.next += 1;
        self.begun += 1;
        self.open = Some((path, file, 0));
        Ok(())
    }

    /// Closes the file, so that what comes next goes into a new one; an empty file stays open.
    pub(crate) fn cut(&mut self) {
        if self.open.as_ref().is_some_and(|(_, _, length)| *length > 0) {
            self.open = None;
        }
    }

    /// Writes whole lines, the next file begun before the line that would be too much.
    pub(crate) fn write(&mut self, mut lines: &[u8]) -> Result<(), LogError> {
        while !lines.is_empty() {
            let Some((path, file, length)) = &mut self.open else {
                self.begin()?;
                continue;
            };
            let fitting = whole_lines(lines, self.limit.saturating_sub(*length), *length == 0);
            file.write_all(&lines[..fitting])
                .map_err(|error| io(path, &error))?;
            *length += fitting as u64;
            self.bytes += fitting as u64;
            lines = &lines[fitting..];
            if !lines.is_empty() {
                self.open = None;
            }
        }
        Ok(())
    }
}

/// The length of the lines that fit into `room`; at least one where `force` says that the file is empty.
fn whole_lines(lines: &[u8], room: u64, force: bool) -> usize {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    if lines.len() <= room {
        return lines.len();
    }
    let fitting = lines[..room]
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if fitting == 0 && force {
        return lines
            .iter()
            .position(|b| *b == b'\n')
            .map_or(lines.len(), |at| at + 1);
    }
    fitting
}

fn file_name(stem: &str, number: u64) -> String {
    format!("{stem}-{number:06}.jsonl")
}

/// The number in `stem-000001.jsonl`.
pub(crate) fn file_number(name: &str, stem: &str) -> Option<u64> {
    let digits = name
        .strip_prefix(stem)?
        .strip_prefix('-')?
        .strip_suffix(".jsonl")?;
    let numeric = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_digit());
    numeric.then(|| digits.parse().ok()).flatten()
}

fn last_number(folder: &Path, stem: &str) -> Result<u64, LogError> {
    let mut last = 0;
    for entry in fs::read_dir(folder).map_err(|error| io(folder, &error))? {
        let entry = entry.map_err(|error| io(folder, &error))?;
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| file_number(name, stem));
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

fn io(path: &Path, error: &std::io::Error) -> LogError {
    let kind: ErrorKind = error.kind();
    LogError::Io {
        path: path.to_owned(),
        kind,
    }
}
