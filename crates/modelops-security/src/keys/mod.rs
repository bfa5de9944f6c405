//! Keys, who holds them, and how a data key is wrapped for each holder.
//!
//! Every sealed file has a data key of its own. A [`KeyProvider`] wraps that key into slots of the file's header and
//! unwraps it again: a [`Keyring`], a [`Passphrase`], an external key service through [`ExternalKeys`], or several of them.

mod external;
mod keyring;
#[cfg(unix)]
mod keyring_file;
mod keyring_service;
mod passphrase;
mod slot;
mod wrap;

pub use external::{ExternalKeys, KmsProvider};
pub use keyring::Keyring;
pub use keyring_service::KeyringService;
pub use passphrase::{Passphrase, PasswordKdf, Pbkdf2Hash};
pub use slot::KeySlot;
pub(crate) use slot::within_budget;

use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::{KeyError, RandomError};
use crate::random::{SecureRandom, random_bytes};

/// The 256-bit key of one sealed file; wiped on drop, hidden in `Debug`, never cloned.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

impl DataKey {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source failed.
    pub fn generate(random: &mut dyn SecureRandom) -> Result<Self, RandomError> {
        random_bytes(random).map(Self)
    }

    /// Takes over a key that a key service unwrapped.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key itself, for a key service to wrap.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([REDACTED])")
    }
}

/// The public name of a keyring: 16 random bytes, shown as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 16]);

impl KeyId {
    /// The name with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Whoever can wrap the data key of a file and unwrap it again.
///
/// `binding` is the immutable part of the file's header. An implementation must tie the wrapped key to it, so that a
/// slot cannot be moved into another file.
pub trait KeyProvider: Send + Sync {
    /// The slots that will let this provider open the file.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where a key is missing, a service fails or randomness failed.
    fn wrap(
        &self,
        data_key: &DataKey,
        binding: &[u8],
        random: &mut dyn SecureRandom,
    ) -> Result<Vec<KeySlot>, KeyError>;

    /// The data key in `slot`; `None` where the slot is not this provider's, or does not open with its key.
    ///
    /// # Errors
    ///
    /// [`KeyError`] where the provider itself failed, not where the slot is somebody else's.
    fn unwrap(&self, slot: &KeySlot, binding: &[u8]) -> Result<Option<DataKey>, KeyError>;
}

/// Several providers as one: a file sealed with them opens with any of them.
///
/// ```
/// use modelops_security::keys::{AnyOf, Keyring, Passphrase};
/// let keyring = Keyring::generate(&mut modelops_security::SystemRandom::new())?;
/// let emergency = Passphrase::new(String::from("in the safe, third floor"))?;
/// let either = AnyOf(vec![&keyring, &emergency]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AnyOf<'a>(pub Vec<&'a dyn KeyProvider>);

impl fmt::Debug for AnyOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyOf({} providers)", self.0.len())
    }
}

impl KeyProvider for AnyOf<'_> {
    fn wrap(
        &self,
        data_key: &DataKey,
        binding: &[u8],
        random: &mut dyn SecureRandom,
    ) -> Result<Vec<KeySlot>, KeyError> {
        let mut slots = Vec::new();
        for provider in &self.0 {
            slots.extend(provider.wrap(data_key, binding, random)?);
        }
        Ok(slots)
    }

    fn unwrap(&self, slot: &KeySlot, binding: &[u8]) -> Result<Option<DataKey>, KeyError> {
        for provider in &self.0 {
            if let Some(data_key) = provider.unwrap(slot, binding)? {
                return Ok(Some(data_key));
            }
        }
        Ok(None)
    }
}
