//! Signed checkpoints: the size and the root of a log, as a C2SP signed note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use super::tree::Hash;
use crate::error::{AuditError, SignError};
use crate::sign::{KeyKind, SigningKey, VerifyingKey};

/// The size and the root of a log at some moment, in the text of c2sp.org/tlog-checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Signs the checkpoint with an Ed25519 key whose name is the origin of the log.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] unless the key is an Ed25519 key.
    pub fn sign(&self, key: &SigningKey) -> Result<String, SignError> {
        let public = key.verifying_key();
        if public.kind() != KeyKind::Ed25519 {
            return Err(SignError::Key);
        }
        let text = self.text();
        let signature = [&key_hash(&self.origin, &public)[..], &key.sign(text.as_bytes())?].concat();
        Ok(format!(
            "{text}\n\u{2014} {} {}\n",
            self.origin,
            STANDARD.encode(signature)
        ))
    }

    /// Reads a signed checkpoint of the log `origin`; signatures of others are passed over.
    ///
    /// # Errors
    ///
    /// [`AuditError::Checkpoint`] unless `key` signed it under this name.
    pub fn verify(note: &str, origin: &str, key: &VerifyingKey) -> Result<Self, AuditError> {
        read(note, origin, key).ok_or(AuditError::Checkpoint)
    }
}

fn read(note: &str, origin: &str, key: &VerifyingKey) -> Option<Checkpoint> {
    if note.len() > 64 * 1024 || key.kind() != KeyKind::Ed25519 {
        return None;
    }
    let at = note.rfind("\n\n")?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    let wanted = key_hash(origin, key);
    let signed = signatures.strip_suffix('\n')?.split('\n').any(|line| {
        let mut parts = line.splitn(3, ' ');
        let named = parts.next() == Some("\u{2014}") && parts.next() == Some(origin);
        let bytes = parts
            .next()
            .and_then(|text| STANDARD.decode(text).ok())
            .unwrap_or_default();
        let (hash, signature) = bytes.split_at(bytes.len().min(4));
        named && hash == wanted && key.verify(text.as_bytes(), signature).is_ok()
    });
    let mut lines = text.split('\n');
    let (name, size, root) = (lines.next()?, lines.next()?, lines.next()?);
    let canonical = size == "0" || (!size.starts_with('0') && size.bytes().all(|b| b.is_ascii_digit()));
    if !signed || name != origin || !canonical {
        return None;
    }
    let root = STANDARD.decode(root).ok()?.try_into().ok()?;
    Some(Checkpoint {
        origin: origin.to_owned(),
        size: size.parse().ok()?,
        root,
    })
}

/// The first four bytes of SHA-256(name ‖ 0A ‖ 01 ‖ key), as c2sp.org/signed-note has it for Ed25519.
fn key_hash(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let bytes = [name.as_bytes(), b"\n\x01", key.public()].concat();
    let hash = digest::digest(&digest::SHA256, &bytes);
    let mut id = [0; 4];
    id.copy_from_slice(&hash.as_ref()[..4]);
    id
}
