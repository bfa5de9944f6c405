//! Opening a stream.

use std::io::{self, ErrorKind, Read};

use zeroize::Zeroizing;

use super::InputKey;
use crate::error::OpenError;
use crate::kernel::chunk::{ChunkCipher, batch_buffer, tag_of};
use crate::kernel::geometry::{BATCH, CHUNK, MAX_CHUNKS, PREFIX, SEALED_CHUNK, TAG};

/// Opens a sealed stream in constant memory (256 KiB).
///
/// Every byte it gives is authentic and in its place, but only the end of the stream proves that nothing was cut off:
/// act on the content once `read` has returned 0. After the first error every later read fails with the same error.
pub struct OpenReader<R: Read> {
    inner: R,
    cipher: ChunkCipher,
    slots: Zeroizing<Vec<u8>>,
    /// Sealed bytes that were read into the slots.
    held: usize,
    /// Slot that is being given out, and the next byte within it.
    slot: usize,
    at: usize,
    /// Plain bytes of that slot, once it is open.
    open_len: Option<usize>,
    next_chunk: u64,
    ended: bool,
    failed: Option<OpenError>,
}

impl<R: Read> OpenReader<R> {
    /// Reads salt and commitment and checks that key and context are the right ones.
    ///
    /// # Errors
    ///
    /// [`OpenError::Unauthentic`] for another key or context, or a stream that is too short; [`OpenError::Stream`] where
    /// the reader fails.
    pub fn new(mut inner: R, key: &InputKey, context: &[u8]) -> Result<Self, OpenError> {
        let mut prefix = [0; PREFIX];
        inner
            .read_exact(&mut prefix)
            .map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => OpenError::Unauthentic,
                kind => OpenError::Stream(kind),
            })?;
        let cipher = key.resume(context, &prefix)?;
        Ok(Self {
            inner,
            cipher,
            slots: batch_buffer(BATCH as u64),
            held: 0,
            slot: 0,
            at: 0,
            open_len: None,
            next_chunk: 0,
            ended: false,
            failed: None,
        })
    }

    /// Makes the next slot readable; `false` at the authenticated end.
    fn next_slot(&mut self) -> Result<bool, OpenError> {
        if self.open_len.is_some_and(|len| len < CHUNK) {
            return Ok(false);
        }
        if self.open_len.take().is_some() {
            self.slot += 1;
        }
        if self.slot * SEALED_CHUNK == self.held {
            self.refill()?;
        }
        let start = self.slot * SEALED_CHUNK;
        let sealed = self.held.min(start + SEALED_CHUNK) - start;
        // A short chunk is the last one; anything that follows a full batch belongs to a later refill.
        let len = sealed.checked_sub(TAG).ok_or(OpenError::Unauthentic)?;
        if self.next_chunk >= MAX_CHUNKS {
            return Err(OpenError::Unauthentic);
        }
        let (data, rest) = self.slots[start..].split_at_mut(len);
        self.cipher
            .open(self.next_chunk, data, tag_of(rest))
            .map_err(|_| OpenError::Unauthentic)?;
        self.next_chunk += 1;
        (self.open_len, self.at) = (Some(len), 0);
        Ok(true)
    }

    fn refill(&mut self) -> Result<(), OpenError> {
        (self.slot, self.held) = (0, 0);
        while !self.ended && self.held < self.slots.len() {
            match self.inner.read(&mut self.slots[self.held..]) {
                Ok(0) => self.ended = true,
                Ok(n) => self.held += n,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(OpenError::Stream(error.kind())),
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if let Some(error) = &self.failed {
            return Err(error.clone().into());
        }
        if out.is_empty() {
            return Ok(0);
        }
        while self.open_len.is_none_or(|len| self.at == len) {
            match self.next_slot() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error.into());
                }
            }
        }
        let start = self.slot * SEALED_CHUNK + self.at;
        let len = self.open_len.map_or(0, |len| len - self.at).min(out.len());
        out[..len].copy_from_slice(&self.slots[start..start + len]);
        self.at += len;
        Ok(len)
    }
}

impl<R: Read> std::fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenReader")
            .field("chunks", &self.next_chunk)
            .finish_non_exhaustive()
    }
}
