//! The key slots of a header, to bytes and back.

use super::passphrase::{ARGON2_BUDGET, PBKDF2_BUDGET, PasswordKdf};
use super::wrap::WRAPPED;
use super::{KeyId, Pbkdf2Hash};
use crate::error::KeyError;

const KEYRING: u8 = 1;
const ARGON2ID: u8 = 2;
const PBKDF2: u8 = 3;
const EXTERNAL: u8 = 4;

/// Longest wrapped key of an external service.
const MAX_BLOB: usize = 4096;

/// One way to the data key of a file, as the header holds it. Nothing in a slot is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySlot {
    /// Wrapped by a version of a keyring.
    Keyring {
        /// Which keyring.
        id: KeyId,
        /// Which version of it.
        version: u32,
        /// The wrapped data key.
        wrapped: [u8; WRAPPED],
    },
    /// Wrapped by a passphrase.
    Passphrase {
        /// How the passphrase is stretched.
        kdf: PasswordKdf,
        /// Salt of the derivation.
        salt: [u8; 32],
        /// The wrapped data key.
        wrapped: [u8; WRAPPED],
    },
    /// Wrapped by an external key service.
    External {
        /// Name of the service.
        provider: String,
        /// Name of the key there.
        key_ref: String,
        /// What the service made of the data key.
        wrapped: Vec<u8>,
    },
    /// A kind this version does not know; kept as it is.
    Unknown {
        /// Its type byte.
        kind: u8,
        /// Its body.
        body: Vec<u8>,
    },
}

impl KeySlot {
    /// Checks the lengths of an external slot.
    pub(crate) fn external(provider: &str, key_ref: &str, wrapped: Vec<u8>) -> Result<Self, KeyError> {
        if provider.len() > usize::from(u8::MAX) || key_ref.len() > 1024 || wrapped.len() > MAX_BLOB {
            return Err(KeyError::ReferenceTooLong);
        }
        Ok(Self::External {
            provider: provider.to_owned(),
            key_ref: key_ref.to_owned(),
            wrapped,
        })
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Keyring { .. } => KEYRING,
            Self::Passphrase {
                kdf: PasswordKdf::Argon2id { .. },
                ..
            } => ARGON2ID,
            Self::Passphrase {
                kdf: PasswordKdf::Pbkdf2 { .. },
                ..
            } => PBKDF2,
            Self::External { .. } => EXTERNAL,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// Type and parameters: what the wrap is bound to besides the file.
    pub(crate) fn parameters(&self) -> Vec<u8> {
        let mut out = vec![self.kind()];
        match self {
            Self::Keyring { id, version, .. } => {
                out.extend(id.as_bytes());
                out.extend(version.to_be_bytes());
            }
            Self::Passphrase {
                kdf:
                    PasswordKdf::Argon2id {
                        memory_kib,
                        passes,
                        lanes,
                    },
                salt,
                ..
            } => {
                out.extend(salt);
                out.extend(memory_kib.to_be_bytes());
                out.extend(passes.to_be_bytes());
                out.push(*lanes);
            }
            Self::Passphrase {
                kdf: PasswordKdf::Pbkdf2 { hash, iterations },
                salt,
                ..
            } => {
                out.push(match hash {
                    Pbkdf2Hash::Sha256 => 1,
                    Pbkdf2Hash::Sha512 => 2,
                });
                out.extend(iterations.to_be_bytes());
                out.extend(salt);
            }
            // External lengths were checked when the slot was made or read, so the casts keep them.
            Self::External {
                provider, key_ref, ..
            } => {
                out.push(provider.len() as u8);
                out.extend(provider.bytes());
                out.extend((key_ref.len() as u16).to_be_bytes());
                out.extend(key_ref.bytes());
            }
            Self::Unknown { .. } => {}
        }
        out
    }

    /// Appends the slot as the header holds it: type, flags, length, body.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let parameters = self.parameters();
        let blob_len: [u8; 2];
        let (length, wrapped): (&[u8], &[u8]) = match self {
            Self::Keyring { wrapped, .. } | Self::Passphrase { wrapped, .. } => (&[], wrapped),
            Self::External { wrapped, .. } => {
                blob_len = (wrapped.len() as u16).to_be_bytes();
                (&blob_len, wrapped)
            }
            Self::Unknown { body, .. } => (&[], body),
        };
        let body = parameters.len() - 1 + length.len() + wrapped.len();
        out.extend([parameters[0], 0]);
        out.extend((body as u16).to_be_bytes());
        out.extend(&parameters[1..]);
        out.extend(length);
        out.extend(wrapped);
    }

    /// Reads one slot off the front of `bytes`; `None` where it is malformed.
    pub(crate) fn decode(bytes: &mut &[u8]) -> Option<Self> {
        let kind = take_u8(bytes)?;
        let flags = take_u8(bytes)?;
        let len = usize::from(u16::from_be_bytes(*take(bytes)?));
        let (mut body, rest) = bytes.split_at_checked(len)?;
        *bytes = rest;
        if flags != 0 {
            return None;
        }
        let body = &mut body;
        let slot = match kind {
            KEYRING => Self::Keyring {
                id: KeyId(*take(body)?),
                version: u32::from_be_bytes(*take(body)?),
                wrapped: *take(body)?,
            },
            ARGON2ID => {
                let salt = *take(body)?;
                let kdf = PasswordKdf::Argon2id {
                    memory_kib: u32::from_be_bytes(*take(body)?),
                    passes: u32::from_be_bytes(*take(body)?),
                    lanes: take_u8(body)?,
                };
                Self::Passphrase {
                    kdf,
                    salt,
                    wrapped: *take(body)?,
                }
            }
            PBKDF2 => {
                let hash = match take_u8(body)? {
                    1 => Pbkdf2Hash::Sha256,
                    2 => Pbkdf2Hash::Sha512,
                    _ => return None,
                };
                let kdf = PasswordKdf::Pbkdf2 {
                    hash,
                    iterations: u32::from_be_bytes(*take(body)?),
                };
                Self::Passphrase {
                    kdf,
                    salt: *take(body)?,
                    wrapped: *take(body)?,
                }
            }
            EXTERNAL => {
                let provider_len = usize::from(take_u8(body)?);
                let provider = take_text(body, provider_len)?;
                let key_len = usize::from(u16::from_be_bytes(*take(body)?));
                let key_ref = take_text(body, key_len)?;
                let blob_len = usize::from(u16::from_be_bytes(*take(body)?));
                let (wrapped, rest) = body.split_at_checked(blob_len)?;
                *body = rest;
                Self::external(&provider, &key_ref, wrapped.to_vec()).ok()?
            }
            _ => Self::Unknown {
                kind,
                body: std::mem::take(body).to_vec(),
            },
        };
        body.is_empty().then_some(slot)
    }
}

/// Whether a reader will pay for stretching a passphrase once for every slot of a header.
pub(crate) fn within_budget(slots: &[KeySlot]) -> bool {
    let (mut argon2, mut pbkdf2) = (0, 0);
    for slot in slots {
        if let KeySlot::Passphrase { kdf, .. } = slot {
            let Some((memory_passes, iterations)) = kdf.cost() else {
                return false;
            };
            argon2 += memory_passes;
            pbkdf2 += iterations;
        }
    }
    argon2 <= ARGON2_BUDGET && pbkdf2 <= PBKDF2_BUDGET
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(head)
}

fn take_u8(bytes: &mut &[u8]) -> Option<u8> {
    take::<1>(bytes).map(|byte| byte[0])
}

fn take_text(bytes: &mut &[u8], len: usize) -> Option<String> {
    let (text, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}
