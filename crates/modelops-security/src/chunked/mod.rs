//! Chunked encryption of C2SP (Community Cryptography Specification Project), byte for byte: the payload of every sealed
//! file, also usable alone.
//!
//! A message is cut into chunks of 16 KiB, the last always shorter; each is sealed with AES-GCM under a key that is
//! derived for this message alone and committed to before the first chunk. Any implementation of
//! [c2sp.org/chunked-encryption](https://c2sp.org/chunked-encryption) reads what this module writes, and the other way.
//! Most callers want [`sealed`](crate::sealed) instead, which keeps the keys too.

mod reader;
mod writer;

pub use reader::OpenReader;
pub use writer::SealWriter;

use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{OpenError, SealError};
use crate::kernel::chunk::{ChunkCipher, tag_of};
use crate::kernel::geometry::{CHUNK, COMMITMENT, Cut, PREFIX, SALT, SEALED_CHUNK, TAG};
use crate::random::{SecureRandom, random_bytes};

/// The published instances of the format that are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Suite {
    /// HKDF-Expand-SHA-512 and AES-256-GCM.
    #[default]
    Cobblestone256,
    /// HKDF-Expand-SHA-512 and AES-128-GCM: some 15 % faster, with a smaller margin.
    Cobblestone128,
}

impl Suite {
    /// Bytes of an input key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::Cobblestone256 => 32,
            Self::Cobblestone128 => 16,
        }
    }
}

/// The uniformly random key that a message is sealed with; wiped on drop, hidden in `Debug`.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct InputKey {
    #[zeroize(skip)]
    suite: Suite,
    bytes: [u8; 32],
}

impl InputKey {
    /// Takes the key of `suite` over; `None` where the length is not [`Suite::key_len`].
    ///
    /// The bytes must come from a generator or a key derivation, never from a password.
    #[must_use]
    pub fn new(suite: Suite, key: &[u8]) -> Option<Self> {
        let mut bytes = [0; 32];
        bytes.get_mut(..key.len())?.copy_from_slice(key);
        (key.len() == suite.key_len()).then_some(Self { suite, bytes })
    }

    /// The suite this key is for.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The key itself, for another implementation of the format.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.bytes[..self.suite.key_len()]
    }

    /// Starts a message: its salt and commitment, and its cipher.
    pub(crate) fn start(
        &self,
        context: &[u8],
        random: &mut dyn SecureRandom,
    ) -> Result<([u8; PREFIX], ChunkCipher), crate::RandomError> {
        let salt = random_bytes::<SALT>(random)?;
        let (cipher, commitment) = ChunkCipher::derive(self.suite, self.expose(), &salt, context);
        let mut prefix = [0; PREFIX];
        prefix[..SALT].copy_from_slice(&salt);
        prefix[SALT..].copy_from_slice(&commitment);
        Ok((prefix, cipher))
    }

    /// Checks the commitment of a message before anything is deciphered.
    pub(crate) fn resume(&self, context: &[u8], prefix: &[u8; PREFIX]) -> Result<ChunkCipher, OpenError> {
        let mut salt = [0; SALT];
        salt.copy_from_slice(&prefix[..SALT]);
        let (cipher, commitment): (_, [u8; COMMITMENT]) =
            ChunkCipher::derive(self.suite, self.expose(), &salt, context);
        if bool::from(commitment.ct_eq(&prefix[SALT..])) {
            Ok(cipher)
        } else {
            Err(OpenError::Unauthentic)
        }
    }
}

impl std::fmt::Debug for InputKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InputKey({:?}, [REDACTED])", self.suite)
    }
}

/// Bytes of a sealed message of `message_len` bytes; `None` above 4 PiB.
///
/// ```
/// use modelops_security::chunked::{message_len, sealed_len};
/// assert_eq!(sealed_len(0), Some(56 + 16));
/// assert_eq!(sealed_len(16_384), Some(56 + 16_400 + 16)); // a full chunk, then the empty last one
/// assert_eq!(message_len(56 + 16_400), None); // no message has this length: it was cut
/// ```
#[must_use]
pub fn sealed_len(message_len: u64) -> Option<u64> {
    Cut::of_message(message_len).map(Cut::payload_len)
}

/// Bytes of the message inside a sealed one of `sealed_len` bytes; `None` for a length that no message has.
#[must_use]
pub fn message_len(sealed_len: u64) -> Option<u64> {
    Cut::of_payload(sealed_len).map(|cut| cut.message_len)
}

/// Seals a message in memory.
///
/// # Errors
///
/// [`SealError::TooLong`] above 4 PiB; [`SealError::Key`] where randomness failed.
///
/// ```
/// use modelops_security::chunked::{self, InputKey, Suite};
/// use modelops_security::SystemRandom;
/// let key = InputKey::new(Suite::Cobblestone256, &[7; 32]).expect("32 bytes");
/// let sealed = chunked::seal(&key, b"run 12", b"weights", &mut SystemRandom::new())?;
/// assert_eq!(sealed.len(), 56 + 7 + 16);
/// assert_eq!(*chunked::open(&key, b"run 12", &sealed)?, *b"weights");
/// assert!(chunked::open(&key, b"run 13", &sealed).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("encrypt", "AEAD", "AES_GCM"))]
pub fn seal(
    key: &InputKey,
    context: &[u8],
    message: &[u8],
    random: &mut dyn SecureRandom,
) -> Result<Vec<u8>, SealError> {
    let cut = Cut::of_message(message.len() as u64).ok_or(SealError::TooLong)?;
    let mut out = vec![0; usize::try_from(cut.payload_len()).map_err(|_| SealError::TooLong)?];
    seal_into(key, context, message, &mut out, random)?;
    Ok(out)
}

/// Seals a message into `out`, which must have exactly [`sealed_len`] bytes.
///
/// # Errors
///
/// [`SealError::TooLong`] where `out` has another length; [`SealError::Key`] where randomness failed.
pub fn seal_into(
    key: &InputKey,
    context: &[u8],
    message: &[u8],
    out: &mut [u8],
    random: &mut dyn SecureRandom,
) -> Result<(), SealError> {
    if sealed_len(message.len() as u64) != Some(out.len() as u64) {
        return Err(SealError::TooLong);
    }
    let (prefix, cipher) = key.start(context, random)?;
    let (head, mut rest) = out.split_at_mut(PREFIX);
    head.copy_from_slice(&prefix);
    let mut message = message;
    let mut index = 0;
    loop {
        let len = message.len().min(CHUNK);
        let (chunk, later) = message.split_at(len);
        let (slot, after) = rest.split_at_mut(len + TAG);
        let (data, tag) = slot.split_at_mut(len);
        data.copy_from_slice(chunk);
        tag.copy_from_slice(&cipher.seal(index, data));
        if len < CHUNK {
            return Ok(());
        }
        (message, rest, index) = (later, after, index + 1);
    }
}

/// What a message sealed in place needs besides its bytes.
///
/// The message in the published form is the prefix, then each 16 KiB of the data followed by its tag.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detached {
    /// Salt and commitment.
    pub prefix: [u8; PREFIX],
    /// The tag of each chunk; one more than there are full chunks.
    pub tags: Vec<[u8; TAG]>,
}

/// Seals a message where it lies, with its tags apart: the fastest way, for memory that is sent on with vectored writes.
///
/// # Errors
///
/// [`SealError::TooLong`] above 4 PiB; [`SealError::Key`] where randomness failed.
///
/// ```
/// use modelops_security::chunked::{open_in_place, seal_in_place, InputKey, Suite};
/// use modelops_security::SystemRandom;
/// let key = InputKey::new(Suite::Cobblestone256, &[7; 32]).expect("32 bytes");
/// let mut data = vec![42; 40_000];
/// let detached = seal_in_place(&key, b"", &mut data, &mut SystemRandom::new())?;
/// assert_eq!(detached.tags.len(), 3);
/// assert!(open_in_place(&key, b"", &mut data, &detached).is_ok());
/// assert_eq!(data, vec![42; 40_000]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn seal_in_place(
    key: &InputKey,
    context: &[u8],
    data: &mut [u8],
    random: &mut dyn SecureRandom,
) -> Result<Detached, SealError> {
    let cut = Cut::of_message(data.len() as u64).ok_or(SealError::TooLong)?;
    let (prefix, cipher) = key.start(context, random)?;
    let mut tags = Vec::with_capacity(data.len() / CHUNK + 1);
    for (index, chunk) in data.chunks_mut(CHUNK).enumerate() {
        tags.push(cipher.seal(index as u64, chunk));
    }
    if cut.last_len() == 0 {
        tags.push(cipher.seal(cut.chunks() - 1, &mut []));
    }
    Ok(Detached { prefix, tags })
}

/// Opens what [`seal_in_place`] sealed, where it lies; `data` is wiped where it is refused.
///
/// # Errors
///
/// [`OpenError::Unauthentic`] for anything but the whole, unaltered message under this key and context.
pub fn open_in_place(
    key: &InputKey,
    context: &[u8],
    data: &mut [u8],
    detached: &Detached,
) -> Result<(), OpenError> {
    let opened = open_detached(key, context, data, detached);
    if opened.is_err() {
        data.fill(0);
    }
    opened
}

fn open_detached(
    key: &InputKey,
    context: &[u8],
    data: &mut [u8],
    detached: &Detached,
) -> Result<(), OpenError> {
    let cut = Cut::of_message(data.len() as u64).ok_or(OpenError::Unauthentic)?;
    if detached.tags.len() as u64 != cut.chunks() {
        return Err(OpenError::Unauthentic);
    }
    let cipher = key.resume(context, &detached.prefix)?;
    let (full, last) = data.split_at_mut(data.len() - cut.last_len());
    let chunks = full.chunks_mut(CHUNK).chain(std::iter::once(last));
    for (index, (chunk, tag)) in chunks.zip(&detached.tags).enumerate() {
        cipher
            .open(index as u64, chunk, *tag)
            .map_err(|_| OpenError::Unauthentic)?;
    }
    Ok(())
}

/// Opens a sealed message in memory.
///
/// # Errors
///
/// [`OpenError::Unauthentic`] for anything but the whole, unaltered message under this key and context.
#[doc(alias = "decrypt")]
pub fn open(key: &InputKey, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let len = message_len(sealed.len() as u64).ok_or(OpenError::Unauthentic)?;
    let mut out = vec![0; usize::try_from(len).map_err(|_| OpenError::Unauthentic)?];
    open_into(key, context, sealed, &mut out)?;
    Ok(out)
}

/// Opens a sealed message into `out`, which must have exactly [`message_len`] bytes; it is wiped where the message is refused.
///
/// # Errors
///
/// [`OpenError::Unauthentic`] for anything but the whole, unaltered message under this key and context, or where `out` has
/// another length.
pub fn open_into(key: &InputKey, context: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), OpenError> {
    let opened = open_all(key, context, sealed, out);
    if opened.is_err() {
        out.fill(0);
    }
    opened
}

fn open_all(key: &InputKey, context: &[u8], sealed: &[u8], out: &mut [u8]) -> Result<(), OpenError> {
    if message_len(sealed.len() as u64) != Some(out.len() as u64) {
        return Err(OpenError::Unauthentic);
    }
    let (prefix, body) = sealed
        .split_first_chunk::<PREFIX>()
        .ok_or(OpenError::Unauthentic)?;
    let cipher = key.resume(context, prefix)?;
    let mut out = out;
    for (index, chunk) in body.chunks(SEALED_CHUNK).enumerate() {
        let (data, tag) = chunk.split_at(chunk.len() - TAG);
        let (plain, later) = out.split_at_mut(data.len());
        plain.copy_from_slice(data);
        cipher
            .open(index as u64, plain, tag_of(tag))
            .map_err(|_| OpenError::Unauthentic)?;
        out = later;
    }
    Ok(())
}
