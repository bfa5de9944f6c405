//! One chunk: derive the single-use key of a message, seal in place, open in place.

use ring::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;
use zeroize::Zeroizing;

use super::geometry::{BATCH, CHUNK, COMMITMENT, SALT, SEALED_CHUNK, TAG};
use super::wipe::Wiped;
use crate::chunked::Suite;

/// A chunk did not carry the tag of these bytes at this place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadTag;

/// The derived key and base nonce of one message.
pub(crate) struct ChunkCipher {
    key: Wiped<LessSafeKey>,
    base_nonce: [u8; aead::NONCE_LEN],
}

/// HKDF-Expand with `info` given in pieces; `key` is already uniformly random.
pub(crate) fn expand<const N: usize>(
    algorithm: hkdf::Algorithm,
    key: &[u8],
    info: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    struct Length(usize);
    impl hkdf::KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let mut out = Zeroizing::new([0; N]);
    hkdf::Prk::new_less_safe(algorithm, key)
        .expand(info, Length(N))
        .and_then(|okm| okm.fill(out.as_mut_slice()))
        .expect("fewer bytes than 255 blocks are asked for");
    out
}

impl ChunkCipher {
    /// The cipher and the key commitment of one message.
    pub(crate) fn derive(
        suite: Suite,
        input_key: &[u8],
        salt: &[u8; SALT],
        context: &[u8],
    ) -> (Self, [u8; COMMITMENT]) {
        let label: &[u8] = match suite {
            Suite::Cobblestone256 => b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0",
            Suite::Cobblestone128 => b"c2sp.org/chunked-encryption@v1+AEAD_AES_128_GCM\0",
        };
        match suite {
            Suite::Cobblestone256 => {
                let okm = expand::<76>(hkdf::HKDF_SHA512, input_key, &[label, salt, context]);
                Self::split(&aead::AES_256_GCM, &okm[..32], &okm[32..])
            }
            Suite::Cobblestone128 => {
                let okm = expand::<60>(hkdf::HKDF_SHA512, input_key, &[label, salt, context]);
                Self::split(&aead::AES_128_GCM, &okm[..16], &okm[16..])
            }
        }
    }

    fn split(algorithm: &'static aead::Algorithm, key: &[u8], rest: &[u8]) -> (Self, [u8; COMMITMENT]) {
        let key = UnboundKey::new(algorithm, key).expect("the key was cut to the algorithm's length");
        let mut base_nonce = [0; aead::NONCE_LEN];
        base_nonce.copy_from_slice(&rest[..aead::NONCE_LEN]);
        let mut commitment = [0; COMMITMENT];
        commitment.copy_from_slice(&rest[aead::NONCE_LEN..]);
        (
            Self {
                key: Wiped::new(LessSafeKey::new(key)),
                base_nonce,
            },
            commitment,
        )
    }

    fn nonce(&self, index: u64) -> Nonce {
        let mut nonce = self.base_nonce;
        for (byte, counter) in nonce[4..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= counter;
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals one chunk of at most [`CHUNK`] bytes in place and gives its tag.
    pub(crate) fn seal(&self, index: u64, data: &mut [u8]) -> [u8; TAG] {
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(index), Aad::empty(), data)
            .expect("a chunk is far below the algorithm's limit");
        let mut bytes = [0; TAG];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Opens one chunk in place; on a bad tag `data` is wiped, so that no unauthenticated byte is left to read.
    pub(crate) fn open(&self, index: u64, data: &mut [u8], tag: [u8; TAG]) -> Result<(), BadTag> {
        let opened = self
            .key
            .open_in_place_separate_tag(self.nonce(index), Aad::empty(), tag.into(), data, 0..)
            .is_ok();
        if opened {
            Ok(())
        } else {
            data.fill(0);
            Err(BadTag)
        }
    }

    /// Seals a buffer of chunk slots: slot `i` holds chunk `first + i`, every slot is full but the last of `last_len`.
    ///
    /// Returns the number of bytes to write, which lie together at the start of `slots`.
    pub(crate) fn seal_slots(&self, first: u64, slots: &mut [u8], count: usize, last_len: usize) -> usize {
        for (i, slot) in slots.chunks_mut(SEALED_CHUNK).take(count).enumerate() {
            let len = if i + 1 == count { last_len } else { CHUNK };
            let (data, tag) = slot.split_at_mut(len);
            tag[..TAG].copy_from_slice(&self.seal(first + i as u64, data));
        }
        (count - 1) * SEALED_CHUNK + last_len + TAG
    }

    /// Opens what [`seal_slots`](Self::seal_slots) made; the plain bytes stay in their slots.
    pub(crate) fn open_slots(
        &self,
        first: u64,
        slots: &mut [u8],
        count: usize,
        last_len: usize,
    ) -> Result<(), BadTag> {
        for (i, slot) in slots.chunks_mut(SEALED_CHUNK).take(count).enumerate() {
            let len = if i + 1 == count { last_len } else { CHUNK };
            let (data, rest) = slot.split_at_mut(len);
            self.open(first + i as u64, data, tag_of(rest))?;
        }
        Ok(())
    }
}

/// The tag at the start of `bytes`.
pub(crate) fn tag_of(bytes: &[u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    tag.copy_from_slice(&bytes[..TAG]);
    tag
}

/// A buffer for one batch of sealed chunks, wiped on drop.
pub(crate) fn batch_buffer(chunks: u64) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(vec![0; chunks.min(BATCH as u64) as usize * SEALED_CHUNK])
}
