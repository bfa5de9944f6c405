//! Where a chunk lies: the arithmetic of C2SP chunked encryption, with every overflow answered.

/// Plain bytes of every chunk but the last.
pub(crate) const CHUNK: usize = 16 * 1024;
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;
/// Sealed bytes of every chunk but the last.
pub(crate) const SEALED_CHUNK: usize = CHUNK + TAG;
/// Bytes of the salt.
pub(crate) const SALT: usize = 24;
/// Bytes of the key commitment.
pub(crate) const COMMITMENT: usize = 32;
/// Salt and commitment, before the first chunk.
pub(crate) const PREFIX: usize = SALT + COMMITMENT;
/// A message has fewer chunks than this.
pub(crate) const MAX_CHUNKS: u64 = 1 << 38;
/// Chunks that are read and worked on together: 256 KiB stay in the second cache between the two, and keep the system calls few.
pub(crate) const BATCH: usize = 16;
/// Chunks that are written to a file together: file systems reserve room for 1 MiB in fewer steps than for four times 256 KiB.
pub(crate) const PIECE: usize = 4 * BATCH;

const CHUNK_64: u64 = CHUNK as u64;
const SEALED_CHUNK_64: u64 = SEALED_CHUNK as u64;

/// How a message of some length is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Plain bytes in all.
    pub(crate) message_len: u64,
}

impl Cut {
    /// The cut of a plain message; `None` above 2³⁸ chunks.
    pub(crate) fn of_message(message_len: u64) -> Option<Self> {
        (message_len / CHUNK_64 < MAX_CHUNKS).then_some(Self { message_len })
    }

    /// The cut of a payload (prefix included) by its length; `None` for a length that no message has.
    pub(crate) fn of_payload(payload_len: u64) -> Option<Self> {
        let body = payload_len.checked_sub(PREFIX as u64)?;
        let last = (body % SEALED_CHUNK_64).checked_sub(TAG as u64)?;
        Self::of_message(
            (body / SEALED_CHUNK_64)
                .checked_mul(CHUNK_64)?
                .checked_add(last)?,
        )
    }

    /// Number of chunks, the short last one included: at least 1.
    pub(crate) fn chunks(self) -> u64 {
        self.message_len / CHUNK_64 + 1
    }

    /// Plain bytes of the last chunk: 0 to 16383.
    pub(crate) fn last_len(self) -> usize {
        (self.message_len % CHUNK_64) as usize
    }

    /// Plain bytes of chunk `index`.
    pub(crate) fn plain_len(self, index: u64) -> usize {
        if index + 1 == self.chunks() {
            self.last_len()
        } else {
            CHUNK
        }
    }

    /// Bytes of the payload, prefix included. Fits: at most 2³⁸ chunks of 16,400 bytes.
    pub(crate) fn payload_len(self) -> u64 {
        PREFIX as u64 + self.message_len + self.chunks() * TAG as u64
    }

    /// Number of parts of `size` chunks.
    pub(crate) fn parts(self, size: usize) -> u64 {
        self.chunks().div_ceil(size as u64)
    }

    /// First chunk, number of chunks and last plain length of part `index`.
    pub(crate) fn part(self, index: u64, size: usize) -> (u64, usize, usize) {
        let first = index * size as u64;
        let count = (self.chunks() - first).min(size as u64);
        (first, count as usize, self.plain_len(first + count - 1))
    }
}

/// Offset of chunk `index` within the payload.
pub(crate) fn sealed_offset(index: u64) -> u64 {
    PREFIX as u64 + index * SEALED_CHUNK_64
}

/// Offset of chunk `index` within the message.
pub(crate) fn plain_offset(index: u64) -> u64 {
    index * CHUNK_64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_lengths_are_inverse_and_gaps_are_refused() {
        let mut valid = 0_u64;
        for payload in 0..60_000_u64 {
            if let Some(cut) = Cut::of_payload(payload) {
                assert_eq!(cut.payload_len(), payload);
                assert_eq!(cut.message_len, valid);
                valid += 1;
            }
        }
        assert_eq!(
            Cut::of_payload(56 + 16_400),
            None,
            "a full last chunk is a truncation"
        );
        assert_eq!(Cut::of_payload(56 + 15), None);
        assert_eq!(Cut::of_payload(u64::MAX), None);
        assert_eq!(Cut::of_message(MAX_CHUNKS * CHUNK_64), None);
        assert!(Cut::of_message(MAX_CHUNKS * CHUNK_64 - 1).is_some());
    }
}
