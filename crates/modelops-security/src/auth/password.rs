//! Passwords of people, as PHC strings.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::error::KeyError;
use crate::keys::{PasswordKdf, Pbkdf2Hash};
use crate::random::{SecureRandom, random_bytes};

/// A stored password hash, in the PHC string format that other libraries read and write.
///
/// ```
/// use modelops_security::auth::{hash_password, PasswordHash};
/// use modelops_security::keys::PasswordKdf;
/// use modelops_security::SystemRandom;
/// let kdf = PasswordKdf::default();
/// let hash = hash_password("correct horse", kdf, &mut SystemRandom::new())?;
/// let stored = hash.to_string(); // "$argon2id$v=19$m=65536,t=3,p=1$…"
/// let hash: PasswordHash = stored.parse()?;
/// assert!(hash.verify("correct horse")?);
/// assert!(!hash.verify("battery staple")?);
/// assert!(!hash.needs_rehash(kdf));
/// # Ok::<(), modelops_security::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    kdf: PasswordKdf,
    salt: Vec<u8>,
    hash: [u8; 32],
}

/// Hashes a password with a fresh salt.
///
/// # Errors
///
/// [`KeyError::EmptyPassphrase`], [`KeyError::KdfOutOfRange`] below the floor or above the budget of [`PasswordKdf`],
/// [`KeyError::Random`].
#[doc(alias = "Argon2")]
pub fn hash_password(
    password: &str,
    kdf: PasswordKdf,
    random: &mut dyn SecureRandom,
) -> Result<PasswordHash, KeyError> {
    if password.is_empty() {
        return Err(KeyError::EmptyPassphrase);
    }
    if !kdf.strong_enough() {
        return Err(KeyError::KdfOutOfRange);
    }
    let salt = random_bytes::<16>(random)?.to_vec();
    let hash = *kdf.derive(password.as_bytes(), &salt)?;
    Ok(PasswordHash { kdf, salt, hash })
}

impl PasswordHash {
    /// Whether this is the password.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoArgon2`] where this build cannot tell.
    pub fn verify(&self, password: &str) -> Result<bool, KeyError> {
        let derived = self.kdf.derive(password.as_bytes(), &self.salt)?;
        Ok(bool::from(derived.ct_eq(&self.hash)))
    }

    /// Whether it was made with other parameters than those used now: hash the password anew at the next login.
    #[must_use]
    pub fn needs_rehash(&self, kdf: PasswordKdf) -> bool {
        self.kdf != kdf
    }
}

impl fmt::Display for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kdf {
            PasswordKdf::Argon2id {
                memory_kib,
                passes,
                lanes,
            } => {
                write!(f, "$argon2id$v=19$m={memory_kib},t={passes},p={lanes}")?;
            }
            PasswordKdf::Pbkdf2 {
                hash: Pbkdf2Hash::Sha256,
                iterations,
            } => {
                write!(f, "$pbkdf2-sha256$i={iterations}")?;
            }
            PasswordKdf::Pbkdf2 {
                hash: Pbkdf2Hash::Sha512,
                iterations,
            } => {
                write!(f, "$pbkdf2-sha512$i={iterations}")?;
            }
        }
        write!(
            f,
            "${}${}",
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(self.hash)
        )
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordHash({:?}, [REDACTED])", self.kdf)
    }
}

impl FromStr for PasswordHash {
    type Err = KeyError;

    /// # Errors
    ///
    /// [`KeyError::Refused`] for another form, [`KeyError::KdfOutOfRange`] where it would cost too much to check.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let read = || {
            let mut parts = text.strip_prefix('$')?.split('$');
            let kdf = match parts.next()? {
                "argon2id" => {
                    parts.next().filter(|version| *version == "v=19")?;
                    let mut numbers = parts.next()?.split(',');
                    let memory_kib = number(numbers.next()?, "m=")?;
                    let passes = number(numbers.next()?, "t=")?;
                    let lanes = u8::try_from(number(numbers.next()?, "p=")?).ok()?;
                    numbers.next().is_none().then_some(PasswordKdf::Argon2id {
                        memory_kib,
                        passes,
                        lanes,
                    })?
                }
                name @ ("pbkdf2-sha256" | "pbkdf2-sha512") => {
                    let hash = if name.ends_with("256") {
                        Pbkdf2Hash::Sha256
                    } else {
                        Pbkdf2Hash::Sha512
                    };
                    PasswordKdf::Pbkdf2 {
                        hash,
                        iterations: number(parts.next()?, "i=")?,
                    }
                }
                _ => return None,
            };
            let salt = STANDARD_NO_PAD.decode(parts.next()?).ok()?;
            let hash = STANDARD_NO_PAD.decode(parts.next()?).ok()?.try_into().ok()?;
            let sound = parts.next().is_none() && (8..=64).contains(&salt.len());
            sound.then_some(Self { kdf, salt, hash })
        };
        let hash = if text.len() <= 512 { read() } else { None }.ok_or(KeyError::Refused)?;
        if hash.kdf.within_budget() {
            Ok(hash)
        } else {
            Err(KeyError::KdfOutOfRange)
        }
    }
}

fn number(text: &str, name: &str) -> Option<u32> {
    let digits = text.strip_prefix(name)?;
    let canonical =
        digits.bytes().all(|b| b.is_ascii_digit()) && !(digits.len() > 1 && digits.starts_with('0'));
    if canonical { digits.parse().ok() } else { None }
}
