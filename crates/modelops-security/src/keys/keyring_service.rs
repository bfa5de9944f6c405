//! A keyring behind the trait of key services.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::wrap::WRAPPED;
use super::{DataKey, KeyProvider as _, KeySlot, Keyring, KmsProvider};
use crate::error::KeyError;
use crate::random::SecureRandom;

/// The version of the key before its wrap.
const VERSION: usize = 4;

/// A key service that is a [`Keyring`], usually one of a file: what a developer's machine, a test or a site without a key service puts where
/// production has its own, so that files name a service and a key in both.
///
/// The key reference is the name of the keyring; `version` (4 bytes, big-endian) and the 104 bytes of the wrap are what a file keeps.
///
/// ```
/// use modelops_security::keys::{ExternalKeys, Keyring, KeyringService, Passphrase};
/// use modelops_security::sealed::{seal_file, verify_file, OpenOptions, SealOptions};
/// use modelops_security::SystemRandom;
/// # let dir = tempfile::tempdir()?;
/// # let (plain, sealed, path) = (dir.path().join("w"), dir.path().join("w.msc"), dir.path().join("ring"));
/// # std::fs::write(&plain, "weights")?;
/// let mut random = SystemRandom::new();
/// let passphrase = Passphrase::new(String::from("correct horse battery staple"))?;
/// Keyring::generate(&mut random)?.save(&path, &passphrase, &mut random)?;
///
/// let keyring = Keyring::load(&path, &passphrase)?;
/// let reference = keyring.id().to_string();
/// let keys = ExternalKeys::new(KeyringService::new(keyring, random.clone()), reference);
/// seal_file(&plain, &sealed, &keys, &SealOptions::default(), &mut random)?;
/// assert_eq!(verify_file(&sealed, &keys, &OpenOptions::default())?.content_len, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyringService {
    keyring: Keyring,
    random: Mutex<Box<dyn SecureRandom + Send>>,
}

impl KeyringService {
    /// Serves the keys of `keyring`; `random` makes the salts of its wraps.
    pub fn new(keyring: Keyring, random: impl SecureRandom + Send + 'static) -> Self {
        Self {
            keyring,
            random: Mutex::new(Box::new(random)),
        }
    }

    fn is_ours(&self, key_ref: &str) -> bool {
        key_ref == self.keyring.id().to_string()
    }
}

impl KmsProvider for KeyringService {
    fn name(&self) -> &str {
        "modelops-keyring"
    }

    /// Fails with [`KeyError::Refused`] for the name of another keyring.
    fn wrap(&self, key_ref: &str, data_key: &DataKey, binding: &[u8]) -> Result<Vec<u8>, KeyError> {
        if !self.is_ours(key_ref) {
            return Err(KeyError::Refused);
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = self.keyring.wrap(data_key, binding, &mut **random)?;
        match slots.as_slice() {
            [KeySlot::Keyring { version, wrapped, .. }] => {
                Ok([&version.to_be_bytes(), wrapped.as_slice()].concat())
            }
            _ => Err(KeyError::Refused),
        }
    }

    fn unwrap(&self, key_ref: &str, wrapped: &[u8], binding: &[u8]) -> Result<Option<DataKey>, KeyError> {
        let Some((version, wrapped)) = wrapped.split_first_chunk::<VERSION>() else {
            return Ok(None);
        };
        let Ok(wrapped) = <[u8; WRAPPED]>::try_from(wrapped) else {
            return Ok(None);
        };
        if !self.is_ours(key_ref) {
            return Ok(None);
        }
        let slot = KeySlot::Keyring {
            id: self.keyring.id(),
            version: u32::from_be_bytes(*version),
            wrapped,
        };
        self.keyring.unwrap(&slot, binding)
    }
}

impl fmt::Debug for KeyringService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyringService").field(&self.keyring).finish()
    }
}
