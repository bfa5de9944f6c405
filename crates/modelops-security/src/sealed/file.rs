//! Whole files on all cores: seal, open, verify.

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::header::{Header, HeaderInfo};
use super::random_access::SealedFile;
use super::{OpenOptions, SealOptions};
use crate::error::{FileError, OpenError, SealError};
use crate::kernel::chunk::batch_buffer;
use crate::kernel::files::{AtomicFile, read_slots, write_slots};
use crate::kernel::geometry::{Cut, plain_offset, sealed_offset};
use crate::kernel::parallel::for_each_batch;
use crate::keys::KeyProvider;
use crate::random::SecureRandom;

/// What was sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealReport {
    /// What the header says.
    pub header: HeaderInfo,
    /// Plain bytes.
    pub content_len: u64,
    /// Bytes of the sealed file.
    pub sealed_len: u64,
}

/// Seals the file `source` into the new file `destination`, on all cores, in 256 KiB a core.
///
/// The destination appears whole or not at all, synced, readable by its owner alone, and replaces what was there. The source
/// must be a regular file that nobody writes to meanwhile; for pipes there is [`SealWriter`](super::SealWriter).
///
/// # Errors
///
/// [`SealError`]; nothing is then left under the name `destination`, nor changed there.
///
/// # Complexity
///
/// One pass: O(bytes) time, 8,248 bytes and 0.1 % more space.
///
/// ```
/// use modelops_security::keys::Keyring;
/// use modelops_security::sealed::{open_file, seal_file, OpenOptions, SealOptions};
/// use modelops_security::SystemRandom;
/// # let dir = tempfile::tempdir()?;
/// # let (plain, sealed, back) = (dir.path().join("w"), dir.path().join("w.msc"), dir.path().join("b"));
/// std::fs::write(&plain, [42; 20_000])?;
/// let mut random = SystemRandom::new();
/// let keyring = Keyring::generate(&mut random)?;
/// let report = seal_file(&plain, &sealed, &keyring, &SealOptions::default(), &mut random)?;
/// assert_eq!(report.sealed_len, 8192 + 56 + 20_000 + 2 * 16);
/// open_file(&sealed, &back, &keyring, &OpenOptions::default())?;
/// assert_eq!(std::fs::read(&back)?, [42; 20_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn seal_file(
    source: &Path,
    destination: &Path,
    keys: &dyn KeyProvider,
    options: &SealOptions,
    random: &mut dyn SecureRandom,
) -> Result<SealReport, SealError> {
    let reading = |error: &io::Error| FileError::new(source, error);
    let writing = |error: &io::Error| FileError::new(destination, error);
    let input = File::open(source).map_err(|e| reading(&e))?;
    let content_len = regular_len(&input).map_err(|e| reading(&e))?;
    let cut = Cut::of_message(content_len).ok_or(SealError::TooLong)?;
    let header = Header::create(options, keys, random)?;
    let (prefix, cipher) = header.payload_key().start(&header.immutable, random)?;
    let output = AtomicFile::create(destination).map_err(|e| writing(&e))?;
    let copy = header.encode();
    let front = [&copy, &copy, prefix.as_slice()].concat();
    output.file().write_all_at(&front, 0).map_err(|e| writing(&e))?;
    let base = header.fields.header_len as u64;
    for_each_batch(
        cut.batches(),
        options.threads,
        || batch_buffer(cut.chunks()),
        |batch, slots| {
            let (first, count) = cut.batch(batch);
            let last_len = cut.plain_len(first + count as u64 - 1);
            let read = read_slots(&input, slots, count, last_len, plain_offset(first));
            read.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => SealError::SourceChanged,
                _ => reading(&error).into(),
            })?;
            let len = cipher.seal_slots(first, slots, count, last_len);
            let at = base + sealed_offset(first);
            output
                .file()
                .write_all_at(&slots[..len], at)
                .map_err(|e| SealError::from(writing(&e)))
        },
    )?;
    if regular_len(&input).map_err(|e| reading(&e))? != content_len {
        return Err(SealError::SourceChanged);
    }
    output.commit().map_err(|e| writing(&e))?;
    Ok(SealReport {
        header: header.fields,
        content_len,
        sealed_len: base + cut.payload_len(),
    })
}

/// Opens the sealed file `source` into the new file `destination`, on all cores, in 256 KiB a core.
///
/// The destination appears whole, authenticated to its last byte, or not at all; it is synced and readable by its owner alone.
///
/// # Errors
///
/// [`OpenError`]; nothing is then left under the name `destination`, nor changed there.
pub fn open_file(
    source: &Path,
    destination: &Path,
    keys: &dyn KeyProvider,
    options: &OpenOptions,
) -> Result<SealReport, OpenError> {
    let sealed = SealedFile::open(source, keys, options)?;
    let writing = |error: &io::Error| FileError::new(destination, error);
    let output = AtomicFile::create(destination).map_err(|e| writing(&e))?;
    each_batch(&sealed, options.threads, |slots, first, count, last_len| {
        let written = write_slots(output.file(), slots, count, last_len, plain_offset(first));
        written.map_err(|e| writing(&e).into())
    })?;
    output.commit().map_err(|e| writing(&e))?;
    Ok(report(sealed))
}

/// Reads and authenticates every byte of a sealed file, and writes nothing.
///
/// # Errors
///
/// [`OpenError`], as [`open_file`] would give it.
pub fn verify_file(
    source: &Path,
    keys: &dyn KeyProvider,
    options: &OpenOptions,
) -> Result<SealReport, OpenError> {
    let sealed = SealedFile::open(source, keys, options)?;
    each_batch(&sealed, options.threads, |_, _, _, _| Ok(()))?;
    Ok(report(sealed))
}

/// Opens every batch, on many threads, and hands its slots, first chunk, number of chunks and last plain length on.
pub(crate) fn each_batch(
    sealed: &SealedFile,
    threads: Option<NonZeroUsize>,
    then: impl Fn(&mut [u8], u64, usize, usize) -> Result<(), OpenError> + Sync,
) -> Result<(), OpenError> {
    let cut = sealed.cut();
    for_each_batch(
        cut.batches(),
        threads,
        || batch_buffer(cut.chunks()),
        |batch, slots| {
            let (first, count) = cut.batch(batch);
            let last_len = sealed.read_batch(first, count, slots)?;
            then(slots, first, count, last_len)
        },
    )
}

fn report(sealed: SealedFile) -> SealReport {
    let content_len = sealed.len();
    let sealed_len = sealed.header().header_len as u64 + sealed.cut().payload_len();
    SealReport {
        header: sealed.into_header(),
        content_len,
        sealed_len,
    }
}

fn regular_len(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        Err(io::ErrorKind::InvalidInput.into())
    }
}
