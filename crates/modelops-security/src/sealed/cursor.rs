//! A sealed file for readers that want to seek: tables and archives of training data.

use std::io::{self, ErrorKind, Read, Seek, SeekFrom};

use super::SealedFile;
use crate::error::OpenError;

/// Reads and seeks in the content of a [`SealedFile`], as a plain file would let you; any number of them at once.
///
/// Training data seldom has a format of its own here, so this is how its readers get at a part of it: a Parquet or Arrow reader its footer
/// and a column, a CSV reader some rows, a tar reader one member. Only the chunks that are touched are read and authenticated, 16 KiB each;
/// put a [`BufReader`](std::io::BufReader) around it for many small reads.
///
/// ```
/// use std::io::{BufRead, BufReader, Seek, SeekFrom};
/// use modelops_security::keys::Keyring;
/// use modelops_security::sealed::{seal_file, OpenOptions, SealOptions, SealedFile};
/// use modelops_security::SystemRandom;
/// # let dir = tempfile::tempdir()?;
/// # let (plain, sealed) = (dir.path().join("rows.csv"), dir.path().join("rows.msc"));
/// std::fs::write(&plain, "a,b\n1,2\n3,4\n")?;
/// let mut random = SystemRandom::new();
/// let keyring = Keyring::generate(&mut random)?;
/// seal_file(&plain, &sealed, &keyring, &SealOptions::default(), &mut random)?;
/// let file = SealedFile::open(&sealed, &keyring, &OpenOptions::default())?;
/// let mut rows = BufReader::new(file.cursor());
/// rows.seek(SeekFrom::End(-4))?;
/// let mut last = String::new();
/// rows.read_line(&mut last)?;
/// assert_eq!(last, "3,4\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SealedCursor<'a> {
    file: &'a SealedFile,
    position: u64,
}

impl SealedFile {
    /// A reader that stands at the beginning of the content.
    #[must_use]
    pub fn cursor(&self) -> SealedCursor<'_> {
        SealedCursor {
            file: self,
            position: 0,
        }
    }
}

impl Read for SealedCursor<'_> {
    /// Fails with [`ErrorKind::InvalidData`] where the content was altered.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = self.file.len().saturating_sub(self.position);
        let len = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(0);
        }
        self.file
            .read_at(&mut out[..len], self.position)
            .map_err(|error| match error {
                OpenError::Unauthentic => io::Error::from(ErrorKind::InvalidData),
                error => io::Error::other(error),
            })?;
        self.position += len as u64;
        Ok(len)
    }
}

impl Seek for SealedCursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(distance) => self.file.len().checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = place.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
