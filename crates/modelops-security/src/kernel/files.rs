//! Reads at a position, scattered over chunk slots; output files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSliceMut, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::io::{Errno, preadv};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

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

/// A new file that gets its final name only when it is whole and on the disk.
///
/// It is created beside its destination with mode 0600 under a name nobody else holds, and removed if it is dropped.
pub(crate) struct AtomicFile {
    temporary: NamedTempFile,
    destination: PathBuf,
    /// The same file, opened for direct writes.
    direct: Option<File>,
}

/// Direct writes begin and end at multiples of this, in the file and in memory; no disk asks for more.
const BLOCK: usize = 4096;

impl AtomicFile {
    /// Opens the temporary file. Where the bytes that will be written are given, they are reserved on the disk, and go past the page
    /// cache where the system can do that.
    pub(crate) fn create(destination: &Path, direct: Option<u64>) -> io::Result<Self> {
        if destination.file_name().is_none() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let temporary = tempfile::Builder::new()
            .prefix(".modelops-")
            .suffix(".partial")
            .tempfile_in(folder(destination))?;
        let direct = match direct {
            Some(len) => open_direct(temporary.as_file(), len)?,
            None => None,
        };
        Ok(Self {
            temporary,
            destination: destination.to_path_buf(),
            direct,
        })
    }

    /// Writes `data` at `at`; the whole blocks of it directly, if that was asked for and `data` lies in a [`PieceBuffer`].
    pub(crate) fn write_all_at(&self, data: &[u8], at: u64) -> io::Result<()> {
        let Some(direct) = &self.direct else {
            return self.file().write_all_at(data, at);
        };
        let edge = (at.next_multiple_of(BLOCK as u64) - at) as usize;
        let (head, rest) = data.split_at(edge.min(data.len()));
        let (blocks, tail) = rest.split_at(rest.len() / BLOCK * BLOCK);
        let (at_blocks, at_tail) = (at + head.len() as u64, at + (head.len() + blocks.len()) as u64);
        match direct.write_all_at(blocks, at_blocks) {
            // What this disk or this memory is not fit for goes the usual way.
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                self.file().write_all_at(blocks, at_blocks)?;
            }
            written => written?,
        }
        self.file().write_all_at(head, at)?;
        self.file().write_all_at(tail, at_tail)
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

#[cfg(target_os = "linux")]
fn open_direct(file: &File, len: u64) -> io::Result<Option<File>> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use rustix::fs::{FallocateFlags, OFlags, fallocate};

    let reserve = || fallocate(file, FallocateFlags::empty(), 0, len.max(1));
    match rustix::io::retry_on_intr(reserve) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    file.set_len(len)?;
    let mut options = File::options();
    options.write(true).custom_flags(OFlags::DIRECT.bits() as i32);
    Ok(options.open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok())
}

#[cfg(not(target_os = "linux"))]
fn open_direct(_: &File, _: u64) -> io::Result<Option<File>> {
    Ok(None)
}

/// Memory for one piece of an output, wiped on drop.
pub(crate) struct PieceBuffer(Zeroizing<Vec<u8>>);

impl PieceBuffer {
    /// Room for `len` bytes.
    pub(crate) fn new(len: usize) -> Self {
        Self(Zeroizing::new(vec![0; len + 2 * BLOCK]))
    }

    /// Room for what goes to the place `at` of the file: where a block begins in the file, one begins in memory.
    pub(crate) fn at(&mut self, at: u64) -> &mut [u8] {
        let start = self.0.as_ptr().align_offset(BLOCK) + (at % BLOCK as u64) as usize;
        &mut self.0[start..]
    }
}

/// Writes `bytes` to `path`, whole or not at all, readable by its owner alone.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let output = AtomicFile::create(path, None)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_at_any_place_give_the_file_they_give_without_direct_writes() {
        let folder = tempfile::tempdir().expect("a folder for files");
        let path = folder.path().join("out");
        for (len, piece) in [
            (0, 1),
            (1, 1),
            (4096, 4096),
            (4097, 1000),
            (70_000, 5000),
            (3_000_000, 1_049_600),
        ] {
            let content: Vec<u8> = (0..len).map(|i: usize| (i % 251) as u8).collect();
            let output = AtomicFile::create(&path, Some(len as u64)).expect("a new file");
            let mut buffer = PieceBuffer::new(piece);
            for (i, part) in content.chunks(piece).enumerate().rev() {
                let at = (i * piece) as u64;
                let room = &mut buffer.at(at)[..part.len()];
                room.copy_from_slice(part);
                output.write_all_at(room, at).expect("room on the disk");
                // Memory that is not aligned is written all the same.
                output.write_all_at(part, at).expect("room on the disk");
            }
            output.commit().expect("room on the disk");
            assert!(
                fs::read(&path).expect("it was written") == content,
                "{len} in pieces of {piece}"
            );
        }
    }
}
