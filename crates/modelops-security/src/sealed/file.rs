//! Whole files on all cores: seal, open, verify.

use std::fs::File;
use std::io;
use std::path::Path;

use super::header::{Header, HeaderInfo};
use super::random_access::SealedFile;
use super::{OpenOptions, SealOptions};
use crate::error::{FileError, OpenError, SealError};
use crate::kernel::chunk::batch_buffer;
use crate::kernel::files::{AtomicFile, PieceBuffer, read_slots};
use crate::kernel::geometry::{BATCH, CHUNK, Cut, PIECE, SEALED_CHUNK, plain_offset, sealed_offset};
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

/// Seals the file `source` into the new file `destination`, on all cores, in 1 MiB a core.
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
#[doc(alias("encrypt", "encrypt_file"))]
pub fn seal_file(
    source: &Path,
    destination: &Path,
    keys: &dyn KeyProvider,
    options: &SealOptions,
    random: &mut dyn SecureRandom,
) -> Result<SealReport, SealError> {
    let reading = |error: &io::Error| SealError::from(FileError::new(source, error));
    let input = File::open(source).map_err(|e| reading(&e))?;
    let content_len = regular_len(&input).map_err(|e| reading(&e))?;
    let cut = Cut::of_message(content_len).ok_or(SealError::TooLong)?;
    let (output, report) = seal_into(
        destination,
        cut,
        keys,
        options,
        random,
        |slots, first, count, last_len| {
            let read = read_slots(&input, slots, count, last_len, plain_offset(first));
            read.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => SealError::SourceChanged,
                _ => reading(&error),
            })
        },
    )?;
    if regular_len(&input).map_err(|e| reading(&e))? != content_len {
        return Err(SealError::SourceChanged);
    }
    output
        .commit()
        .map_err(|error| FileError::new(destination, &error))?;
    Ok(report)
}

/// Seals what `read` puts into the slots of some chunks (slots, first chunk, number of chunks, last plain length) into a file that
/// has to be committed.
pub(crate) fn seal_into<E: From<SealError> + Send>(
    destination: &Path,
    cut: Cut,
    keys: &dyn KeyProvider,
    options: &SealOptions,
    random: &mut dyn SecureRandom,
    read: impl Fn(&mut [u8], u64, usize, usize) -> Result<(), E> + Sync,
) -> Result<(AtomicFile, SealReport), E> {
    let writing = |error: &io::Error| SealError::from(FileError::new(destination, error));
    let header = Header::create(options, keys, random)?;
    let started = header.payload_key().start(&header.immutable, random);
    let (prefix, cipher) = started.map_err(SealError::from)?;
    let base = header.fields.header_len as u64;
    let sealed_len = base + cut.payload_len();
    let output = AtomicFile::create(destination, options.direct_writes.then_some(sealed_len))
        .map_err(|e| writing(&e))?;
    let copy = header.encode();
    let front = [&copy, &copy, prefix.as_slice()].concat();
    output.write_all_at(&front, 0).map_err(|e| writing(&e))?;
    let room = cut.chunks().min(PIECE as u64) as usize * SEALED_CHUNK;
    for_each_batch(
        cut.parts(PIECE),
        options.threads,
        || PieceBuffer::new(room),
        |piece, buffer| {
            let (first, count, _) = cut.part(piece, PIECE);
            let at = base + sealed_offset(first);
            let (slots, mut len) = (buffer.at(at), 0);
            for done in (0..count).step_by(BATCH) {
                let (batch, now) = (first + done as u64, BATCH.min(count - done));
                let last_len = cut.plain_len(batch + now as u64 - 1);
                let slots = &mut slots[done * SEALED_CHUNK..];
                read(slots, batch, now, last_len)?;
                len = done * SEALED_CHUNK + cipher.seal_slots(batch, slots, now, last_len);
            }
            output
                .write_all_at(&slots[..len], at)
                .map_err(|e| E::from(writing(&e)))
        },
    )?;
    let report = SealReport {
        header: header.fields,
        content_len: cut.message_len,
        sealed_len,
    };
    Ok((output, report))
}

/// Opens the sealed file `source` into the new file `destination`, on all cores, in 1 MiB a core.
///
/// The destination appears whole, authenticated to its last byte, or not at all; it is synced and readable by its owner alone.
/// The example is at [`seal_file`].
///
/// # Errors
///
/// [`OpenError`]; nothing is then left under the name `destination`, nor changed there.
#[doc(alias("decrypt", "decrypt_file"))]
pub fn open_file(
    source: &Path,
    destination: &Path,
    keys: &dyn KeyProvider,
    options: &OpenOptions,
) -> Result<SealReport, OpenError> {
    let sealed = SealedFile::open(source, keys, options)?;
    let writing = |error: &io::Error| FileError::new(destination, error);
    let len = sealed.len();
    let output =
        AtomicFile::create(destination, options.direct_writes.then_some(len)).map_err(|e| writing(&e))?;
    let piece_len = (PIECE * CHUNK) as u64;
    for_each_batch(
        len.div_ceil(piece_len),
        options.threads,
        || PieceBuffer::new(len.min(piece_len) as usize),
        |piece, buffer| {
            let at = piece * piece_len;
            let plain = &mut buffer.at(at)[..piece_len.min(len - at) as usize];
            sealed.read_at(plain, at)?;
            output
                .write_all_at(plain, at)
                .map_err(|e| OpenError::from(writing(&e)))
        },
    )?;
    output.commit().map_err(|e| writing(&e))?;
    Ok(report(sealed))
}

/// Reads and authenticates every byte of a sealed file, and writes nothing.
///
/// # Errors
///
/// [`OpenError`], as [`open_file`] would give it.
#[doc(alias = "integrity")]
pub fn verify_file(
    source: &Path,
    keys: &dyn KeyProvider,
    options: &OpenOptions,
) -> Result<SealReport, OpenError> {
    let sealed = SealedFile::open(source, keys, options)?;
    let cut = sealed.cut();
    for_each_batch(
        cut.parts(BATCH),
        options.threads,
        || batch_buffer(cut.chunks()),
        |batch, slots| {
            let (first, count, last_len) = cut.part(batch, BATCH);
            sealed.read_batch(slots, first, count, last_len)
        },
    )?;
    Ok(report(sealed))
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
