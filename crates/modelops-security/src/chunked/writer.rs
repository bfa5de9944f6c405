//! Sealing a stream.

use std::io::{self, ErrorKind, Write};

use zeroize::Zeroizing;

use super::InputKey;
use crate::error::SealError;
use crate::kernel::chunk::{ChunkCipher, batch_buffer};
use crate::kernel::geometry::{BATCH, CHUNK, MAX_CHUNKS, SEALED_CHUNK, TAG};
use crate::random::SecureRandom;

/// Seals what is written to it into another writer, in constant memory (256 KiB).
///
/// Call [`finish`](Self::finish): a stream that was dropped without it lacks its last chunk and is refused as truncated.
///
/// ```
/// use std::io::{Read, Write};
/// use modelops_security::chunked::{InputKey, OpenReader, SealWriter, Suite};
/// use modelops_security::SystemRandom;
/// let key = InputKey::new(Suite::Cobblestone256, &[7; 32]).expect("32 bytes");
/// let mut writer = SealWriter::new(Vec::new(), &key, b"", &mut SystemRandom::new())?;
/// writer.write_all(b"one row\n")?;
/// let sealed = writer.finish()?;
/// let mut text = String::new();
/// OpenReader::new(sealed.as_slice(), &key, b"")?.read_to_string(&mut text)?;
/// assert_eq!(text, "one row\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SealWriter<W: Write> {
    inner: W,
    cipher: ChunkCipher,
    slots: Zeroizing<Vec<u8>>,
    full: usize,
    filled: usize,
    next_chunk: u64,
    failed: Option<ErrorKind>,
}

impl<W: Write> SealWriter<W> {
    /// Starts a message: writes its salt and commitment.
    ///
    /// # Errors
    ///
    /// [`SealError::Write`] where the writer fails; [`SealError::Key`] where randomness failed.
    pub fn new(
        mut inner: W,
        key: &InputKey,
        context: &[u8],
        random: &mut dyn SecureRandom,
    ) -> Result<Self, SealError> {
        let (prefix, cipher) = key.start(context, random)?;
        inner
            .write_all(&prefix)
            .map_err(|error| SealError::Write(error.kind()))?;
        let slots = batch_buffer(BATCH as u64);
        Ok(Self {
            inner,
            cipher,
            slots,
            full: 0,
            filled: 0,
            next_chunk: 0,
            failed: None,
        })
    }

    /// Seals the last chunk, flushes, and gives the writer back.
    ///
    /// # Errors
    ///
    /// [`SealError::Write`] where the writer fails, now or before.
    pub fn finish(mut self) -> Result<W, SealError> {
        if let Some(kind) = self.failed {
            return Err(SealError::Write(kind));
        }
        self.seal_current();
        let len = self.full * SEALED_CHUNK + self.filled + TAG;
        let written = self
            .inner
            .write_all(&self.slots[..len])
            .and_then(|()| self.inner.flush());
        written.map_err(|error| SealError::Write(error.kind()))?;
        Ok(self.inner)
    }

    fn seal_current(&mut self) {
        let start = self.full * SEALED_CHUNK;
        let (data, rest) = self.slots[start..].split_at_mut(self.filled);
        rest[..TAG].copy_from_slice(&self.cipher.seal(self.next_chunk, data));
        self.next_chunk += 1;
    }

    fn take(&mut self, mut data: &[u8]) -> io::Result<()> {
        while !data.is_empty() {
            let at = self.full * SEALED_CHUNK + self.filled;
            let (now, later) = data.split_at(data.len().min(CHUNK - self.filled));
            self.slots[at..at + now.len()].copy_from_slice(now);
            self.filled += now.len();
            data = later;
            if self.filled == CHUNK {
                if self.next_chunk + 1 >= MAX_CHUNKS {
                    return Err(ErrorKind::FileTooLarge.into());
                }
                self.seal_current();
                (self.full, self.filled) = (self.full + 1, 0);
            }
            if self.full == BATCH {
                self.inner.write_all(&self.slots)?;
                self.full = 0;
            }
        }
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        match self.take(data) {
            Ok(()) => Ok(data.len()),
            Err(error) => {
                self.failed = Some(error.kind());
                Err(error)
            }
        }
    }

    /// Flushes the inner writer; the bytes of the current batch wait until it is full or the message is finished.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> std::fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealWriter")
            .field("chunks", &self.next_chunk)
            .finish_non_exhaustive()
    }
}
