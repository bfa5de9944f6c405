//! Where the bytes of a sealed file lie.

use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut, Read};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use crate::error::{FileError, OpenError};
use crate::kernel::files::read_vectored_at;
use crate::kernel::geometry::BATCH;

/// A place that gives ranges of bytes: an object store, for example.
///
/// Implement it with what your client has for ranges, such as `GET` with a `Range` header. Nothing it gives is trusted:
/// what was changed, cut or swapped there is found like damage to a file. An object must not change while it is open;
/// where the store knows versions, ask for one version.
pub trait ReadAt: Send + Sync {
    /// Bytes of the whole object.
    ///
    /// # Errors
    ///
    /// Whatever keeps the store from saying so.
    fn size(&self) -> io::Result<u64>;

    /// Fills `out` with the bytes from `offset`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnexpectedEof`] where the object ends before; else whatever keeps the store from answering.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for Vec<u8> {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).ok();
        let range = start.and_then(|start| self.get(start..)?.get(..out.len()));
        out.copy_from_slice(range.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A file, or anything else that gives ranges.
pub(crate) enum Source {
    File(File, PathBuf),
    Other(Box<dyn ReadAt>),
}

impl Source {
    /// Chunks that are asked for at once: of a file as many as stay in the cache, of another place so many that the way
    /// there does not count.
    pub(crate) fn batch(&self) -> usize {
        match self {
            Self::File(..) => BATCH,
            Self::Other(_) => 512,
        }
    }

    pub(crate) fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.read_exact_at(out, offset),
            Self::Other(source) => source.read_exact_at(out, offset),
        }
    }

    /// Fills `parts` one after another with the bytes from `offset`, in one request.
    pub(crate) fn read_parts_at(&self, parts: &mut [IoSliceMut<'_>], offset: u64) -> io::Result<()> {
        match self {
            Self::File(file, _) => read_vectored_at(file, parts, offset),
            Self::Other(source) => {
                let mut whole = vec![0; parts.iter().map(|part| part.len()).sum()];
                source.read_exact_at(&mut whole, offset)?;
                let mut rest = &whole[..];
                for part in parts {
                    let (bytes, after) = rest.split_at(part.len());
                    part.copy_from_slice(bytes);
                    rest = after;
                }
                Ok(())
            }
        }
    }

    pub(crate) fn failed(&self, error: &io::Error) -> OpenError {
        match self {
            Self::File(_, path) => FileError::new(path, error).into(),
            Self::Other(_) => OpenError::Stream(error.kind()),
        }
    }
}

/// Reads `source` from its beginning, up to `size`.
pub(crate) struct Front<'a> {
    pub(crate) source: &'a dyn ReadAt,
    pub(crate) size: u64,
    pub(crate) position: u64,
}

impl Read for Front<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.position).unwrap_or(usize::MAX);
        let now = out.len().min(left);
        self.source.read_exact_at(&mut out[..now], self.position)?;
        self.position += now as u64;
        Ok(now)
    }
}
