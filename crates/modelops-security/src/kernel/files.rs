//! Reads and writes at a position, scattered over chunk slots; output files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write};
use std::path::{Path, PathBuf};

use rustix::io::{Errno, preadv, pwritev};
use tempfile::NamedTempFile;

use super::geometry::{BATCH, CHUNK, SEALED_CHUNK};

/// Reads the plain bytes of `count` chunks from `offset` into their slots; the last has `last_len`.
pub(crate) fn read_slots(
    file: &File,
    slots: &mut [u8],
    count: usize,
    last_len: usize,
    offset: u64,
) -> io::Result<()> {
    let mut parts: Vec<IoSliceMut<'_>> = Vec::with_capacity(BATCH);
    for (i, slot) in slots.chunks_mut(SEALED_CHUNK).take(count).enumerate() {
        let len = if i + 1 == count { last_len } else { CHUNK };
        parts.push(IoSliceMut::new(&mut slot[..len]));
    }
    read_vectored_at(file, &mut parts, offset)
}

/// Fills `parts`, one after the other, from `offset`.
pub(crate) fn read_vectored_at(
    file: &File,
    mut parts: &mut [IoSliceMut<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSliceMut::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match preadv(file, parts, offset) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                offset += n as u64;
                IoSliceMut::advance_slices(&mut parts, n);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Writes the plain bytes of `count` chunk slots to `offset`.
pub(crate) fn write_slots(
    file: &File,
    slots: &[u8],
    count: usize,
    last_len: usize,
    mut offset: u64,
) -> io::Result<()> {
    let mut parts: Vec<IoSlice<'_>> = Vec::with_capacity(BATCH);
    for (i, slot) in slots.chunks(SEALED_CHUNK).take(count).enumerate() {
        let len = if i + 1 == count { last_len } else { CHUNK };
        parts.push(IoSlice::new(&slot[..len]));
    }
    let mut parts = parts.as_mut_slice();
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match pwritev(file, parts, offset) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => {
                offset += n as u64;
                IoSlice::advance_slices(&mut parts, n);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A new file that gets its final name only when it is whole and on the disk.
///
/// It is created beside its destination with mode 0600 under a name nobody else holds, and removed if it is dropped.
pub(crate) struct AtomicFile {
    temporary: NamedTempFile,
    destination: PathBuf,
}

impl AtomicFile {
    /// Opens the temporary file.
    pub(crate) fn create(destination: &Path) -> io::Result<Self> {
        if destination.file_name().is_none() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let temporary = tempfile::Builder::new()
            .prefix(".modelops-")
            .suffix(".partial")
            .tempfile_in(folder(destination))?;
        Ok(Self {
            temporary,
            destination: destination.to_path_buf(),
        })
    }

    /// The file to write to.
    pub(crate) fn file(&self) -> &File {
        self.temporary.as_file()
    }

    /// Syncs the content, gives the file its name and syncs the folder.
    pub(crate) fn commit(self) -> io::Result<()> {
        self.temporary.as_file().sync_all()?;
        self.temporary
            .persist(&self.destination)
            .map_err(|error| error.error)?;
        File::open(folder(&self.destination))?.sync_all()
    }
}

/// Writes `bytes` to `path`, whole or not at all, readable by its owner alone.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let output = AtomicFile::create(path)?;
    output.file().write_all(bytes)?;
    output.commit()
}

/// Whether `path` may be read or written by others than its owner.
pub(crate) fn open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}
