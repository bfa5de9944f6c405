//! A journal file: the durable form of a study, one line a change, in Optuna's format.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::record::Record;

/// A journal cannot be read or written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file system refused.
    #[error("{path:?}: {kind}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        kind: ErrorKind,
    },
    /// A line that is not the last one is no record: the file was damaged or is no journal. Nothing was changed.
    #[error("{path:?}, line {line} is no journal record")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The journal holds a study of this name with other directions.
    #[error("{path:?} holds this study with other directions")]
    OtherDirections {
        /// The file.
        path: PathBuf,
    },
    /// A trial in the journal does not fit the space: open it with the space it was made with.
    #[error("trial {trial} in {path:?} does not fit the space")]
    OtherSpace {
        /// The file.
        path: PathBuf,
        /// The trial's number.
        trial: usize,
    },
}

/// The open file and how much of it has been read.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    offset: u64,
    lines: usize,
    clock: fn() -> Duration,
}

/// Holds the lock on the file; other processes wait.
pub(crate) struct Locked<'a> {
    journal: &'a mut Journal,
}

impl Journal {
    /// Opens the file, or makes it. `clock` tells the time since 1970, for the time stamps that other tools show.
    pub(crate) fn open(path: &Path, clock: fn() -> Duration) -> Result<Self, JournalError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.map_err(|e| JournalError::Io {
            path: path.to_owned(),
            kind: e.kind(),
        })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            offset: 0,
            lines: 0,
            clock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the lock.
    pub(crate) fn lock(&mut self) -> Result<Locked<'_>, JournalError> {
        match self.file.lock() {
            Ok(()) => Ok(Locked { journal: self }),
            Err(e) => Err(self.io(&e)),
        }
    }

    fn io(&self, error: &std::io::Error) -> JournalError {
        JournalError::Io {
            path: self.path.clone(),
            kind: error.kind(),
        }
    }
}

impl Locked<'_> {
    /// The records appended since the last call that succeeded. A last line that a crash tore off is removed; one that lacks only its
    /// newline is completed.
    pub(crate) fn read_new(&mut self) -> Result<Vec<Record>, JournalError> {
        let journal = &mut *self.journal;
        let mut bytes = Vec::new();
        let read = journal
            .file
            .seek(SeekFrom::Start(journal.offset))
            .and_then(|_| journal.file.read_to_end(&mut bytes));
        read.map_err(|e| journal.io(&e))?;
        let mut records = Vec::new();
        let (mut start, mut lines) = (0, journal.lines);
        while start < bytes.len() {
            let end = bytes[start..]
                .iter()
                .position(|b| *b == b'\n')
                .map(|length| start + length);
            let line = &bytes[start..end.unwrap_or(bytes.len())];
            let blank = line.iter().all(u8::is_ascii_whitespace);
            let record = std::str::from_utf8(line).ok().and_then(Record::parse);
            match (record, end) {
                (Some(record), _) => {
                    records.push(record);
                    if end.is_none() {
                        journal.file.write_all(b"\n").map_err(|e| journal.io(&e))?;
                        bytes.push(b'\n');
                    }
                }
                (None, Some(_)) if blank => {}
                (None, Some(_)) => {
                    return Err(JournalError::Corrupt {
                        path: journal.path.clone(),
                        line: lines + 1,
                    });
                }
                (None, None) => {
                    let whole = journal.offset + start as u64;
                    journal.file.set_len(whole).map_err(|e| journal.io(&e))?;
                    break;
                }
            }
            start = end.unwrap_or(bytes.len() - 1) + 1;
            lines += 1;
        }
        // Only now: what a failure left unread is read again.
        journal.offset += start as u64;
        journal.lines = lines;
        Ok(records)
    }

    /// Appends records in one write.
    pub(crate) fn append(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let journal = &mut *self.journal;
        let time = iso_8601((journal.clock)());
        let text: String = records.iter().map(|r| r.to_line(&time)).collect();
        if let Err(error) = journal.file.write_all(text.as_bytes()) {
            // A full disk may have taken half of it: leave the file as it was.
            let _ = journal.file.set_len(journal.offset);
            return Err(journal.io(&error));
        }
        journal.offset += text.len() as u64;
        journal.lines += records.len();
        Ok(())
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Closing the file would release the lock too; there is nobody to tell.
        let _ = self.journal.file.unlock();
    }
}

/// The date and time of a duration since 1970, to the microsecond, in UTC.
pub(crate) fn iso_8601(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    // Days are counted in eras of 400 years that begin on a first of March, so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    format!(
        "{:04}-{month:02}-{of_month:02}T{:02}:{:02}:{:02}.{:06}+00:00",
        year + era * 400 + carry,
        time / 3_600,
        time % 3_600 / 60,
        time % 60,
        since_1970.subsec_micros()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds: u64, micros: u32| iso_8601(Duration::new(seconds, micros * 1000));
        assert_eq!(at(0, 0), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(at(951_782_399, 999_999), "2000-02-28T23:59:59.999999+00:00");
        assert_eq!(at(951_782_400, 0), "2000-02-29T00:00:00.000000+00:00");
        assert_eq!(at(1_795_392_000, 0), "2026-11-23T00:00:00.000000+00:00");
    }
}
