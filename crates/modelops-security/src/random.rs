//! Where randomness comes from: always an argument, never global.

use ring::digest;
use ring::rand::SecureRandom as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::RandomError;

/// A source of random bytes for keys, salts and identifiers.
///
/// In production pass [`SystemRandom`]. The trait exists so that a test can be repeated byte for byte.
pub trait SecureRandom {
    /// Fills `out` with bytes that nobody can predict.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source has no bytes to give; nothing may then be sealed, signed or issued.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError>;
}

/// The operating system's generator, through ring.
///
/// ```
/// use modelops_security::{SecureRandom, SystemRandom};
/// let mut random = SystemRandom::new();
/// let (mut a, mut b) = ([0; 32], [0; 32]);
/// random.fill(&mut a)?;
/// random.fill(&mut b)?;
/// assert_ne!(a, b);
/// # Ok::<(), modelops_security::RandomError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SystemRandom(ring::rand::SystemRandom);

impl SystemRandom {
    /// The generator of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self(ring::rand::SystemRandom::new())
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl SecureRandom for SystemRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        self.0.fill(out).map_err(|_| RandomError)
    }
}

/// A repeatable stream for tests and examples: **never for production**, whoever knows the seed knows every key.
///
/// Block `i` of the stream is SHA-256(seed ‖ i), with the seed and `i` as 8 big-endian bytes each.
///
/// ```
/// use modelops_security::{InsecureSeededRandom, SecureRandom};
/// let (mut a, mut b) = ([0; 40], [0; 40]);
/// InsecureSeededRandom::new(7).fill(&mut a)?;
/// InsecureSeededRandom::new(7).fill(&mut b)?;
/// assert_eq!(a, b);
/// # Ok::<(), modelops_security::RandomError>(())
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct InsecureSeededRandom {
    seed: u64,
    next_block: u64,
    block: [u8; 32],
    used: usize,
}

impl InsecureSeededRandom {
    /// The stream of `seed`, from its beginning.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            next_block: 0,
            block: [0; 32],
            used: 32,
        }
    }
}

impl std::fmt::Debug for InsecureSeededRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InsecureSeededRandom([REDACTED])")
    }
}

impl SecureRandom for InsecureSeededRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RandomError> {
        for byte in out {
            if self.used == self.block.len() {
                let mut input = [0; 16];
                input[..8].copy_from_slice(&self.seed.to_be_bytes());
                input[8..].copy_from_slice(&self.next_block.to_be_bytes());
                self.block
                    .copy_from_slice(digest::digest(&digest::SHA256, &input).as_ref());
                self.next_block = self.next_block.wrapping_add(1);
                self.used = 0;
            }
            *byte = self.block[self.used];
            self.used += 1;
        }
        Ok(())
    }
}

/// `N` fresh bytes.
pub(crate) fn random_bytes<const N: usize>(random: &mut dyn SecureRandom) -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    random.fill(&mut bytes)?;
    Ok(bytes)
}
