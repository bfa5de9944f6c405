//! A keyring: versions of one key-encryption key, kept in a file under a passphrase.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::wrap::{self, WRAPPED};
use super::{DataKey, KeyId, KeyProvider, KeySlot};
use crate::error::{KeyError, RandomError};
use crate::kernel::hex;
use crate::random::{SecureRandom, random_bytes};

/// Versions of one key-encryption key. The newest wraps; every enabled one unwraps.
///
/// Rotate it, rewrap the files ([`sealed::rewrap_file`](crate::sealed::rewrap_file)), then disable and at last destroy
/// the old version. Rewrapping does not help against somebody who already took a file's data key: seal such files anew.
///
/// ```
/// use modelops_security::keys::Keyring;
/// use modelops_security::SystemRandom;
/// let mut random = SystemRandom::new();
/// let mut keyring = Keyring::generate(&mut random)?;
/// assert_eq!(keyring.primary(), 1);
/// assert_eq!(keyring.rotate(&mut random)?, 2);
/// keyring.disable(1)?;
/// assert!(keyring.disable(2).is_err()); // the primary one is in use
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("master_key", "key_encryption_key"))]
pub struct Keyring {
    id: KeyId,
    versions: Vec<Version>,
}

struct Version {
    number: u32,
    enabled: bool,
    secret: Option<Kek>,
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Kek([u8; 32]);

impl Keyring {
    /// A keyring with one version and a random name.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source failed.
    pub fn generate(random: &mut dyn SecureRandom) -> Result<Self, RandomError> {
        let id = KeyId(random_bytes(random)?);
        let secret = Some(Kek(random_bytes(random)?));
        Ok(Self {
            id,
            versions: vec![Version {
                number: 1,
                enabled: true,
                secret,
            }],
        })
    }

    /// The public name of the keyring.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The version that wraps new files.
    #[must_use]
    pub fn primary(&self) -> u32 {
        self.versions.last().map_or(0, |version| version.number)
    }

    /// Adds a version, which wraps from now on, and gives its number.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source failed; the keyring is then as before.
    pub fn rotate(&mut self, random: &mut dyn SecureRandom) -> Result<u32, RandomError> {
        let secret = Some(Kek(random_bytes(random)?));
        let number = self.primary().saturating_add(1);
        self.versions.push(Version {
            number,
            enabled: true,
            secret,
        });
        Ok(number)
    }

    /// Stops a version from unwrapping, for now.
    ///
    /// # Errors
    ///
    /// [`KeyError::UnknownVersion`], or [`KeyError::Primary`] for the newest.
    pub fn disable(&mut self, version: u32) -> Result<(), KeyError> {
        self.old_version(version)?.enabled = false;
        Ok(())
    }

    /// Lets a disabled version unwrap again.
    ///
    /// # Errors
    ///
    /// [`KeyError::UnknownVersion`], or [`KeyError::Destroyed`] where its secret is gone.
    pub fn enable(&mut self, version: u32) -> Result<(), KeyError> {
        let found = self.version_mut(version)?;
        if found.secret.is_none() {
            return Err(KeyError::Destroyed(version));
        }
        found.enabled = true;
        Ok(())
    }

    /// Wipes the secret of a version for good: files that only it wrapped are lost, once the keyring is saved.
    ///
    /// # Errors
    ///
    /// [`KeyError::UnknownVersion`], or [`KeyError::Primary`] for the newest.
    pub fn destroy(&mut self, version: u32) -> Result<(), KeyError> {
        let found = self.old_version(version)?;
        found.enabled = false;
        found.secret = None;
        Ok(())
    }

    fn version_mut(&mut self, number: u32) -> Result<&mut Version, KeyError> {
        self.versions
            .iter_mut()
            .find(|v| v.number == number)
            .ok_or(KeyError::UnknownVersion(number))
    }

    fn old_version(&mut self, number: u32) -> Result<&mut Version, KeyError> {
        if number == self.primary() {
            return Err(KeyError::Primary(number));
        }
        self.version_mut(number)
    }

    /// The keyring as JSON, in memory that is wiped.
    pub(crate) fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut keys = Vec::new();
        for version in &self.versions {
            let secret = version
                .secret
                .as_ref()
                .map(|kek| Zeroizing::new(STANDARD.encode(kek.0)));
            keys.push(StoredSecret {
                version: version.number,
                enabled: version.enabled,
                secret,
            });
        }
        let stored = StoredOut {
            format: FORMAT,
            id: self.id.to_string(),
            keys: &keys,
        };
        // Room for everything from the start, so that no reallocation leaves an unwiped copy behind.
        let mut json = Zeroizing::new(Vec::with_capacity(256 + 160 * keys.len()));
        serde_json::to_writer(&mut *json, &stored).expect("a keyring has nothing that JSON cannot hold");
        json
    }

    /// Reads what [`to_json`](Self::to_json) wrote; `None` for anything else.
    pub(crate) fn from_json(json: &[u8]) -> Option<Self> {
        let stored: StoredIn<'_> = serde_json::from_slice(json).ok()?;
        let mut versions = Vec::with_capacity(stored.keys.len());
        for (i, key) in stored.keys.iter().enumerate() {
            let secret = match key.secret {
                Some(text) => Some(decode_kek(text)?),
                None => None,
            };
            if usize::try_from(key.version) != Ok(i + 1) || (key.enabled && secret.is_none()) {
                return None;
            }
            versions.push(Version {
                number: key.version,
                enabled: key.enabled,
                secret,
            });
        }
        let usable = versions.last().is_some_and(|v| v.enabled);
        let id = KeyId(hex::decode(stored.id)?);
        (stored.format == FORMAT && usable).then_some(Self { id, versions })
    }
}

const FORMAT: &str = "modelops-keyring/1";

#[derive(Serialize)]
struct StoredOut<'a> {
    format: &'static str,
    id: String,
    keys: &'a [StoredSecret],
}

#[derive(Serialize)]
struct StoredSecret {
    version: u32,
    enabled: bool,
    #[serde(serialize_with = "exposed")]
    secret: Option<Zeroizing<String>>,
}

fn exposed<S: serde::Serializer>(secret: &Option<Zeroizing<String>>, out: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|text| text.as_str()).serialize(out)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredIn<'a> {
    format: &'a str,
    id: &'a str,
    #[serde(borrow)]
    keys: Vec<StoredKey<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredKey<'a> {
    version: u32,
    enabled: bool,
    secret: Option<&'a str>,
}

fn decode_kek(text: &str) -> Option<Kek> {
    let mut kek = Kek([0; 32]);
    let written = STANDARD.decode_slice(text, &mut kek.0).ok()?;
    (written == 32).then_some(kek)
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut states = String::new();
        for version in &self.versions {
            let state = match (&version.secret, version.enabled) {
                (None, _) => "destroyed",
                (Some(_), true) => "enabled",
                (Some(_), false) => "disabled",
            };
            write!(states, " {}:{state}", version.number)?;
        }
        write!(f, "Keyring({}{states}, [REDACTED])", self.id)
    }
}

impl KeyProvider for Keyring {
    fn wrap(
        &self,
        data_key: &DataKey,
        binding: &[u8],
        random: &mut dyn SecureRandom,
    ) -> Result<Vec<KeySlot>, KeyError> {
        let primary = self.versions.last().ok_or(KeyError::UnknownVersion(0))?;
        let secret = primary
            .secret
            .as_ref()
            .ok_or(KeyError::Destroyed(primary.number))?;
        let (id, version) = (self.id, primary.number);
        let parameters = KeySlot::Keyring {
            id,
            version,
            wrapped: [0; WRAPPED],
        }
        .parameters();
        let wrapped = wrap::wrap(&secret.0, binding, &parameters, data_key, random)?;
        Ok(vec![KeySlot::Keyring { id, version, wrapped }])
    }

    fn unwrap(&self, slot: &KeySlot, binding: &[u8]) -> Result<Option<DataKey>, KeyError> {
        let KeySlot::Keyring { id, version, wrapped } = slot else {
            return Ok(None);
        };
        let found = self
            .versions
            .iter()
            .find(|v| *id == self.id && v.number == *version && v.enabled);
        let secret = found.and_then(|v| v.secret.as_ref());
        Ok(secret.and_then(|kek| wrap::unwrap(&kek.0, binding, &slot.parameters(), wrapped)))
    }
}
