//! Opening with a passphrase, stretched so that guessing is dear, within bounds so that a file cannot make it ruinous.

use std::num::NonZeroU32;

use ring::pbkdf2;
use zeroize::Zeroizing;

use super::wrap::{self, WRAPPED};
use super::{DataKey, KeyProvider, KeySlot};
use crate::error::KeyError;
use crate::random::{SecureRandom, random_bytes};

/// What one header may ask a reader to spend on Argon2: memory in KiB times passes, over all its slots.
pub(crate) const ARGON2_BUDGET: u64 = 1024 * 1024;
/// What one header may ask a reader to spend on PBKDF2: iterations over all its slots.
pub(crate) const PBKDF2_BUDGET: u64 = 10_000_000;

/// The hash inside PBKDF2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pbkdf2Hash {
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

/// How a passphrase becomes a key.
///
/// New slots need at least what OWASP's password storage sheet of 2026 asks for: Argon2id with 19 MiB and 2 passes, or
/// PBKDF2 with 600,000 iterations of SHA-256 or 220,000 of SHA-512. A reader spends at most 1 GiB·passes of Argon2 (with
/// 256 MiB at once) and 10 million iterations of PBKDF2 on a whole header; a header that asks for more is refused unread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PasswordKdf {
    /// Argon2id of RFC 9106.
    Argon2id {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over the memory.
        passes: u32,
        /// Lanes; computed one after the other here.
        lanes: u8,
    },
    /// PBKDF2 of RFC 8018, for those who must stay with FIPS-approved functions.
    Pbkdf2 {
        /// The hash.
        hash: Pbkdf2Hash,
        /// Iterations.
        iterations: u32,
    },
}

impl Default for PasswordKdf {
    /// Argon2id with 64 MiB and 3 passes, the second choice of RFC 9106 with one lane: about 0.15 s on a server core.
    /// Without the feature `argon2`, PBKDF2 with 600,000 iterations of SHA-256.
    fn default() -> Self {
        if cfg!(feature = "argon2") {
            Self::Argon2id {
                memory_kib: 64 * 1024,
                passes: 3,
                lanes: 1,
            }
        } else {
            Self::Pbkdf2 {
                hash: Pbkdf2Hash::Sha256,
                iterations: 600_000,
            }
        }
    }
}

impl PasswordKdf {
    /// Argon2 memory·passes and PBKDF2 iterations that a derivation takes; `None` where one slot alone is out of bounds.
    pub(crate) fn cost(self) -> Option<(u64, u64)> {
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                let sane = (8 * u32::from(lanes)..=256 * 1024).contains(&memory_kib)
                    && (1..=16).contains(&passes)
                    && (1..=16).contains(&lanes);
                sane.then(|| (u64::from(memory_kib) * u64::from(passes), 0))
            }
            Self::Pbkdf2 { iterations, .. } => (iterations > 0).then(|| (0, u64::from(iterations))),
        }
    }

    /// Whether a new slot may use these parameters.
    pub(crate) fn strong_enough(self) -> bool {
        let floor = match self {
            Self::Argon2id {
                memory_kib, passes, ..
            } => memory_kib >= 19 * 1024 && passes >= 2,
            Self::Pbkdf2 {
                hash: Pbkdf2Hash::Sha256,
                iterations,
            } => iterations >= 600_000,
            Self::Pbkdf2 {
                hash: Pbkdf2Hash::Sha512,
                iterations,
            } => iterations >= 220_000,
        };
        floor && self.within_budget()
    }

    pub(crate) fn within_budget(self) -> bool {
        self.cost()
            .is_some_and(|(argon2, pbkdf2)| argon2 <= ARGON2_BUDGET && pbkdf2 <= PBKDF2_BUDGET)
    }

    pub(crate) fn derive(self, passphrase: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        if !self.within_budget() {
            return Err(KeyError::KdfOutOfRange);
        }
        let mut key = Zeroizing::new([0; 32]);
        match self {
            Self::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                argon2id(
                    passphrase,
                    salt,
                    [memory_kib, passes, u32::from(lanes)],
                    key.as_mut_slice(),
                )?;
            }
            Self::Pbkdf2 { hash, iterations } => {
                let algorithm = match hash {
                    Pbkdf2Hash::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                    Pbkdf2Hash::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
                };
                let iterations = NonZeroU32::new(iterations).ok_or(KeyError::KdfOutOfRange)?;
                pbkdf2::derive(algorithm, iterations, salt, passphrase, key.as_mut_slice());
            }
        }
        Ok(key)
    }
}

#[cfg(feature = "argon2")]
fn argon2id(passphrase: &[u8], salt: &[u8], [m, t, p]: [u32; 3], out: &mut [u8]) -> Result<(), KeyError> {
    let params = argon2::Params::new(m, t, p, Some(out.len())).map_err(|_| KeyError::KdfOutOfRange)?;
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(passphrase, salt, out)
        .map_err(|_| KeyError::KdfOutOfRange)
}

#[cfg(not(feature = "argon2"))]
fn argon2id(_: &[u8], _: &[u8], _: [u32; 3], _: &mut [u8]) -> Result<(), KeyError> {
    Err(KeyError::NoArgon2)
}

/// A passphrase that opens and seals files; wiped on drop, hidden in `Debug`.
///
/// ```
/// use modelops_security::keys::Passphrase;
/// let passphrase = Passphrase::new(String::from("correct horse battery staple"))?;
/// assert_eq!(format!("{passphrase:?}"), "Passphrase([REDACTED])");
/// # Ok::<(), modelops_security::KeyError>(())
/// ```
#[doc(alias = "password")]
pub struct Passphrase {
    text: Zeroizing<String>,
    kdf: PasswordKdf,
}

impl Passphrase {
    /// Takes the passphrase over, with the default derivation for new slots.
    ///
    /// # Errors
    ///
    /// [`KeyError::EmptyPassphrase`].
    pub fn new(text: String) -> Result<Self, KeyError> {
        let text = Zeroizing::new(text);
        if text.is_empty() {
            return Err(KeyError::EmptyPassphrase);
        }
        Ok(Self {
            text,
            kdf: PasswordKdf::default(),
        })
    }

    /// Uses another derivation for new slots; existing slots say themselves how they are opened.
    ///
    /// # Errors
    ///
    /// [`KeyError::KdfOutOfRange`] below the floor of [`PasswordKdf`] or above its budget.
    pub fn with_kdf(mut self, kdf: PasswordKdf) -> Result<Self, KeyError> {
        if !kdf.strong_enough() {
            return Err(KeyError::KdfOutOfRange);
        }
        self.kdf = kdf;
        Ok(self)
    }

    fn derive(&self, kdf: PasswordKdf, salt: &[u8]) -> Result<Zeroizing<[u8; 32]>, KeyError> {
        kdf.derive(self.text.as_bytes(), salt)
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase([REDACTED])")
    }
}

impl KeyProvider for Passphrase {
    fn wrap(
        &self,
        data_key: &DataKey,
        binding: &[u8],
        random: &mut dyn SecureRandom,
    ) -> Result<Vec<KeySlot>, KeyError> {
        let salt = random_bytes(random)?;
        let key = self.derive(self.kdf, &salt)?;
        let parameters = KeySlot::Passphrase {
            kdf: self.kdf,
            salt,
            wrapped: [0; WRAPPED],
        }
        .parameters();
        let wrapped = wrap::wrap(key.as_slice(), binding, &parameters, data_key, random)?;
        Ok(vec![KeySlot::Passphrase {
            kdf: self.kdf,
            salt,
            wrapped,
        }])
    }

    fn unwrap(&self, slot: &KeySlot, binding: &[u8]) -> Result<Option<DataKey>, KeyError> {
        let KeySlot::Passphrase { kdf, salt, wrapped } = slot else {
            return Ok(None);
        };
        let key = self.derive(*kdf, salt)?;
        Ok(wrap::unwrap(key.as_slice(), binding, &slot.parameters(), wrapped))
    }
}
