//! A part of a sealed file without the rest.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, IoSliceMut};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::OpenOptions;
use super::header::{Header, HeaderInfo, read_header};
use super::source::{Front, ReadAt, Source};
use crate::chunked::InputKey;
use crate::error::{FileError, OpenError};
use crate::kernel::chunk::ChunkCipher;
use crate::kernel::geometry::{CHUNK, Cut, PREFIX, SEALED_CHUNK, TAG, sealed_offset};
use crate::kernel::parallel::for_each_batch;
use crate::kernel::wipe::wipe;
use crate::keys::KeyProvider;

/// An open sealed file: any range of it, from any number of threads at once.
///
/// Opening authenticates the header and the length of the content. Each read authenticates exactly the chunks it touches, so a
/// damaged chunk elsewhere does not show until it is read; [`verify_file`](super::verify_file) reads them all.
///
/// ```
/// use modelops_security::keys::Keyring;
/// use modelops_security::sealed::{seal_file, OpenOptions, SealOptions, SealedFile};
/// use modelops_security::SystemRandom;
/// # let dir = tempfile::tempdir()?;
/// # let (plain, sealed) = (dir.path().join("w"), dir.path().join("w.msc"));
/// std::fs::write(&plain, (0..=255).cycle().take(100_000).collect::<Vec<u8>>())?;
/// let mut random = SystemRandom::new();
/// let keyring = Keyring::generate(&mut random)?;
/// seal_file(&plain, &sealed, &keyring, &SealOptions::default(), &mut random)?;
/// let file = SealedFile::open(&sealed, &keyring, &OpenOptions::default())?;
/// assert_eq!(file.len(), 100_000);
/// let mut four = [0; 4];
/// file.read_at(&mut four, 65_536)?;
/// assert_eq!(four, [0, 1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "random_access")]
pub struct SealedFile {
    source: Source,
    header: Header,
    cipher: ChunkCipher,
    cut: Cut,
}

impl SealedFile {
    /// Opens a sealed file, authenticating its header and its length.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: no sealed file, none of the keys opens it, it is not authentic, or not what `options` demand.
    pub fn open(path: &Path, keys: &dyn KeyProvider, options: &OpenOptions) -> Result<Self, OpenError> {
        let failed = |error: &io::Error| FileError::new(path, error);
        let mut file = File::open(path).map_err(|e| failed(&e))?;
        let metadata = file.metadata().map_err(|e| failed(&e))?;
        if !metadata.is_file() {
            return Err(failed(&ErrorKind::InvalidInput.into()).into());
        }
        let front = read_header(&mut file).map_err(|error| match error {
            OpenError::Stream(kind) => failed(&kind.into()).into(),
            error => error,
        })?;
        let header = Header::open(&front, keys, options)?;
        Self::assemble(Source::File(file, path.to_path_buf()), header, metadata.len())
    }

    /// Opens what was sealed into another place than a file, such as an object store: a range of the content then costs a range of
    /// the object, at most 8 MiB a request, so that one tensor is read without fetching the model.
    ///
    /// Opening makes three requests, of 33 KiB in all; a header of many key slots takes a fourth.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); [`OpenError::Stream`] where the place does not answer.
    pub fn open_at(
        source: impl ReadAt + 'static,
        keys: &dyn KeyProvider,
        options: &OpenOptions,
    ) -> Result<Self, OpenError> {
        let failed = |error: io::Error| OpenError::Stream(error.kind());
        let size = source.size().map_err(failed)?;
        let front = Front {
            source: &source,
            size,
            position: 0,
        };
        // Both copies of most headers in one request.
        let mut front = BufReader::with_capacity(16 << 10, front);
        let header = Header::open(&read_header(&mut front)?, keys, options)?;
        Self::assemble(Source::Other(Box::new(source)), header, size)
    }

    fn assemble(source: Source, header: Header, file_len: u64) -> Result<Self, OpenError> {
        let header_len = header.fields.header_len as u64;
        let cut = file_len
            .checked_sub(header_len)
            .and_then(Cut::of_payload)
            .ok_or(OpenError::Unauthentic)?;
        let mut prefix = [0; PREFIX];
        let read = source.read_exact_at(&mut prefix, header_len);
        read.map_err(|error| source.failed(&error))?;
        let cipher = header.payload_key().resume(&header.immutable, &prefix)?;
        let sealed = Self {
            source,
            header,
            cipher,
            cut,
        };
        // Only the last chunk is short, so opening it at its place proves the length.
        let last = cut.chunks() - 1;
        let mut slot = [0; SEALED_CHUNK];
        let read = sealed.read_batch(&mut slot, last, 1, cut.last_len());
        wipe(&mut slot);
        read.map(|()| sealed)
    }

    /// Bytes of content.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "the length of a file, as in std::fs::Metadata"
    )]
    pub fn len(&self) -> u64 {
        self.cut.message_len
    }

    /// What the header says; authenticated.
    #[must_use]
    pub fn header(&self) -> &HeaderInfo {
        &self.header.fields
    }

    /// Fills `out` with the content from `offset`.
    ///
    /// # Errors
    ///
    /// [`OpenError::OutOfRange`] where the content ends before; [`OpenError::Unauthentic`] where a chunk of the range was
    /// altered, with `out` wiped; [`OpenError::File`] where the system fails.
    ///
    /// # Complexity
    ///
    /// O(`out` + 32 KiB) time, no allocation below 16 KiB.
    pub fn read_at(&self, out: &mut [u8], offset: u64) -> Result<(), OpenError> {
        let (len, size) = (out.len() as u64, self.len());
        if offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(OpenError::OutOfRange { offset, len, size });
        }
        let read = self.read_range(out, offset);
        if read.is_err() {
            out.fill(0);
        }
        read
    }

    /// As [`read_at`](Self::read_at), for long ranges: on `threads` threads, all cores where `None`.
    ///
    /// # Errors
    ///
    /// As [`read_at`](Self::read_at).
    pub fn read_at_parallel(
        &self,
        out: &mut [u8],
        offset: u64,
        threads: Option<NonZeroUsize>,
    ) -> Result<(), OpenError> {
        let (len, size) = (out.len() as u64, self.len());
        if offset.checked_add(len).is_none_or(|end| end > size) {
            return Err(OpenError::OutOfRange { offset, len, size });
        }
        // Pieces begin with a chunk, so that no chunk is opened twice.
        let first = (CHUNK - (offset % CHUNK as u64) as usize) % CHUNK;
        let (head, body) = out.split_at_mut(first.min(out.len()));
        let piece = self.source.batch() * CHUNK;
        let pieces: Vec<_> = body.chunks_mut(piece).map(Mutex::new).collect();
        let start = offset + head.len() as u64;
        let mut read = self.read_range(head, offset);
        if read.is_ok() {
            read = for_each_batch(
                pieces.len() as u64,
                threads,
                || (),
                |i, ()| {
                    let mut out = pieces[i as usize].lock().unwrap_or_else(PoisonError::into_inner);
                    self.read_range(&mut out, start + i * piece as u64)
                },
            );
        }
        drop(pieces);
        if read.is_err() {
            out.fill(0);
        }
        read
    }

    fn read_range(&self, mut out: &mut [u8], mut offset: u64) -> Result<(), OpenError> {
        while !out.is_empty() {
            let (chunk, skip) = (offset / CHUNK as u64, (offset % CHUNK as u64) as usize);
            let plain = self.cut.plain_len(chunk);
            let now = if skip == 0 && out.len() >= plain {
                // Whole chunks go straight to their place: the full ones, and the short last one where it is asked for.
                let to_end = out.len() as u64 == self.len() - offset;
                let count = if to_end {
                    out.len() / CHUNK + 1
                } else {
                    out.len() / CHUNK
                }
                .min(self.source.batch());
                let now = out.len().min(count * CHUNK);
                self.read_whole(chunk, count, &mut out[..now])?;
                now
            } else {
                let mut slot = [0; SEALED_CHUNK];
                let read = self.read_batch(&mut slot, chunk, 1, plain);
                let now = out.len().min(plain - skip);
                out[..now].copy_from_slice(&slot[skip..skip + now]);
                wipe(&mut slot);
                read?;
                now
            };
            out = &mut out[now..];
            offset += now as u64;
        }
        Ok(())
    }

    /// Reads `count` whole chunks into `out`, their tags aside.
    fn read_whole(&self, first: u64, count: usize, out: &mut [u8]) -> Result<(), OpenError> {
        let mut tags = vec![[0; TAG]; count];
        let mut parts = Vec::with_capacity(2 * count);
        for (chunk, tag) in out.chunks_mut(CHUNK).zip(&mut tags) {
            parts.push(IoSliceMut::new(chunk));
            parts.push(IoSliceMut::new(tag));
        }
        let at = self.header.fields.header_len as u64 + sealed_offset(first);
        let read = self.source.read_parts_at(&mut parts, at);
        read.map_err(|error| self.failed(&error))?;
        for (i, (chunk, tag)) in out.chunks_mut(CHUNK).zip(tags).enumerate() {
            self.cipher
                .open(first + i as u64, chunk, tag)
                .map_err(|_| OpenError::Unauthentic)?;
        }
        Ok(())
    }

    /// Opens `count` chunks in `slots`, the last of `last_len` plain bytes.
    pub(crate) fn read_batch(
        &self,
        slots: &mut [u8],
        first: u64,
        count: usize,
        last_len: usize,
    ) -> Result<(), OpenError> {
        let len = (count - 1) * SEALED_CHUNK + last_len + TAG;
        let at = self.header.fields.header_len as u64 + sealed_offset(first);
        self.source
            .read_exact_at(&mut slots[..len], at)
            .map_err(|error| self.failed(&error))?;
        self.cipher
            .open_slots(first, slots, count, last_len)
            .map_err(|_| OpenError::Unauthentic)
    }

    /// A file that became shorter since it was opened was truncated.
    fn failed(&self, error: &io::Error) -> OpenError {
        match error.kind() {
            ErrorKind::UnexpectedEof => OpenError::Unauthentic,
            _ => self.source.failed(error),
        }
    }

    /// The key and the context of the payload, for another implementation of C2SP chunked encryption: everything behind
    /// [`header_len`](HeaderInfo::header_len) bytes is such a message.
    ///
    /// Whoever has this key can read the file for ever, whatever happens to the keyring.
    #[must_use]
    pub fn export_payload_key(&self) -> (InputKey, Vec<u8>) {
        (self.header.payload_key(), self.header.immutable.clone())
    }

    pub(crate) fn cut(&self) -> Cut {
        self.cut
    }

    pub(crate) fn into_header(self) -> HeaderInfo {
        self.header.fields
    }
}

impl std::fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("SealedFile");
        if let Source::File(_, path) = &self.source {
            debug.field("path", path);
        }
        debug.field("len", &self.len()).finish_non_exhaustive()
    }
}
