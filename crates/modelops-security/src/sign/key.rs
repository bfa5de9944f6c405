//! Keys that sign and keys that verify: Ed25519, P-256, P-384.

use std::fmt;

use ring::digest;
use ring::rand::SystemRandom as RingRandom;
use ring::signature::{self as rs, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::pem;
use crate::Secret;
use crate::error::{RandomError, SignError, VerifyError};
use crate::kernel::wipe::Wiped;
use crate::random::{SecureRandom, random_bytes};

/// DER of `SubjectPublicKeyInfo` up to the key itself, from RFC 8410 and RFC 5480.
const ED25519_SPKI: &[u8] = &[
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const P384_SPKI: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81,
    0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
];
/// DER of `OneAsymmetricKey` version 1 for Ed25519 up to the seed, from RFC 8410.
const ED25519_PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// The signature algorithms in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// Ed25519 of RFC 8032.
    Ed25519,
    /// ECDSA over P-256 with SHA-256.
    P256,
    /// ECDSA over P-384 with SHA-384.
    P384,
}

impl KeyKind {
    fn spki(self) -> (&'static [u8], usize) {
        match self {
            Self::Ed25519 => (ED25519_SPKI, 32),
            Self::P256 => (P256_SPKI, 65),
            Self::P384 => (P384_SPKI, 97),
        }
    }
}

/// A private key; wiped on drop, hidden in `Debug`, never cloned.
///
/// ```
/// use modelops_security::sign::SigningKey;
/// use modelops_security::SystemRandom;
/// let key = SigningKey::generate_ed25519(&mut SystemRandom::new())?;
/// let signature = key.sign(b"release 7")?;
/// assert!(key.verifying_key().verify(b"release 7", &signature).is_ok());
/// assert!(key.verifying_key().verify(b"release 8", &signature).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("Ed25519", "ECDSA", "keypair"))]
pub struct SigningKey {
    pair: Pair,
    /// The PKCS#8 document, for storing the key again.
    pkcs8: Zeroizing<Vec<u8>>,
}

enum Pair {
    Ed25519(Wiped<Ed25519KeyPair>),
    Ecdsa(KeyKind, Wiped<EcdsaKeyPair>),
}

impl SigningKey {
    /// A fresh Ed25519 key.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source failed.
    #[expect(clippy::missing_panics_doc, reason = "every seed is a key")]
    pub fn generate_ed25519(random: &mut dyn SecureRandom) -> Result<Self, RandomError> {
        let seed = Zeroizing::new(random_bytes::<32>(random)?);
        let mut pkcs8 = Zeroizing::new(Vec::with_capacity(ED25519_PKCS8.len() + seed.len()));
        pkcs8.extend(ED25519_PKCS8);
        pkcs8.extend(seed.as_slice());
        Ok(Self::from_document(pkcs8).expect("the document was just put together"))
    }

    /// Reads a private key in PKCS#8 (`-----BEGIN PRIVATE KEY-----`), as `openssl genpkey` writes it.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] unless it holds an Ed25519 key, or a P-256 or P-384 key with its public key.
    pub fn from_pem(text: &str) -> Result<Self, SignError> {
        pem::decode(text, "PRIVATE KEY")
            .and_then(Self::from_document)
            .ok_or(SignError::Key)
    }

    fn from_document(pkcs8: Zeroizing<Vec<u8>>) -> Option<Self> {
        let pair = if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8) {
            Pair::Ed25519(Wiped::new(pair))
        } else {
            let random = RingRandom::new();
            let curves = [
                (KeyKind::P256, &rs::ECDSA_P256_SHA256_ASN1_SIGNING),
                (KeyKind::P384, &rs::ECDSA_P384_SHA384_ASN1_SIGNING),
            ];
            curves.into_iter().find_map(|(kind, algorithm)| {
                let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).ok()?;
                Some(Pair::Ecdsa(kind, Wiped::new(pair)))
            })?
        };
        Some(Self { pair, pkcs8 })
    }

    /// The key in PKCS#8 PEM, for storing it; write it to a file that only its owner can read.
    #[must_use]
    pub fn to_pem(&self) -> Secret<String> {
        let mut text = pem::encode("PRIVATE KEY", &self.pkcs8);
        Secret::new(std::mem::take(&mut *text))
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let (kind, public) = match &self.pair {
            Pair::Ed25519(pair) => (KeyKind::Ed25519, pair.public_key().as_ref()),
            Pair::Ecdsa(kind, pair) => (*kind, pair.public_key().as_ref()),
        };
        VerifyingKey {
            kind,
            public: public.to_vec(),
        }
    }

    /// Signs `message`: 64 bytes for Ed25519, DER for ECDSA.
    ///
    /// Ed25519 signatures are the same every time. ECDSA takes a nonce from the system's generator and the key, whatever
    /// generator the rest of the program uses.
    ///
    /// # Errors
    ///
    /// [`SignError::Random`] where ECDSA got no nonce.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(_, pair) => {
                let signature = pair.sign(&RingRandom::new(), message).map_err(|_| RandomError)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, [REDACTED])", self.verifying_key().kind)
    }
}

/// A public key, checked when it was read.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    kind: KeyKind,
    public: Vec<u8>,
}

impl VerifyingKey {
    /// Reads a public key in PEM (`-----BEGIN PUBLIC KEY-----`).
    ///
    /// # Errors
    ///
    /// [`VerifyError::Key`] unless it is an Ed25519, P-256 or P-384 key; also for the Ed25519 keys of small order, for which
    /// anybody can make signatures, and for encodings that are not canonical.
    pub fn from_pem(text: &str) -> Result<Self, VerifyError> {
        let der = pem::decode(text, "PUBLIC KEY").ok_or(VerifyError::Key)?;
        for kind in [KeyKind::Ed25519, KeyKind::P256, KeyKind::P384] {
            let (prefix, len) = kind.spki();
            match der.strip_prefix(prefix) {
                Some(public) if public.len() == len => return Self::from_public(kind, public),
                _ => {}
            }
        }
        Err(VerifyError::Key)
    }

    /// Takes the raw bytes of a public key: 32 for Ed25519, an uncompressed point for the others.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Key`], as [`from_pem`](Self::from_pem).
    pub fn from_public(kind: KeyKind, public: &[u8]) -> Result<Self, VerifyError> {
        let sound = match kind {
            KeyKind::Ed25519 => ed25519_key_is_sound(public),
            KeyKind::P256 | KeyKind::P384 => public.len() == kind.spki().1 && public[0] == 4,
        };
        if sound {
            Ok(Self {
                kind,
                public: public.to_vec(),
            })
        } else {
            Err(VerifyError::Key)
        }
    }

    /// The algorithm.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The raw bytes: 32 for Ed25519, an uncompressed point for the others.
    #[must_use]
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The key in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        let der = [self.kind.spki().0, &self.public].concat();
        pem::encode("PUBLIC KEY", &der).to_string()
    }

    /// SHA-256 of the PEM, in hexadecimal: how a bundle names its key.
    pub(crate) fn hint(&self) -> String {
        crate::kernel::hex::encode(digest::digest(&digest::SHA256, self.to_pem().as_bytes()).as_ref())
    }

    /// Checks a signature.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Signature`] unless the holder of the private key signed exactly these bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let algorithm: &dyn rs::VerificationAlgorithm = match self.kind {
            KeyKind::Ed25519 => &rs::ED25519,
            KeyKind::P256 => &rs::ECDSA_P256_SHA256_ASN1,
            KeyKind::P384 => &rs::ECDSA_P384_SHA384_ASN1,
        };
        let key = UnparsedPublicKey::new(algorithm, &self.public);
        key.verify(message, signature).map_err(|_| VerifyError::Signature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "VerifyingKey({:?}, {})",
            self.kind,
            crate::kernel::hex::encode(&self.public)
        )
    }
}

/// The y coordinates of the eight points of small order, little-endian, without the sign bit.
///
/// 1 (the neutral element), −1, 0, and the two of order eight, y = ±√((√(1 + d) − 1) / d) (Bernstein et al., "High-speed
/// high-security signatures", 2012, the curve of section 2).
const SMALL_ORDER_Y: [[u8; 32]; 5] = [
    [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [0; 32],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether these are the bytes of a key that only one person can sign for: y below p = 2²⁵⁵ − 19, and not of small order.
fn ed25519_key_is_sound(public: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(public) else {
        return false;
    };
    y[31] &= 0x7f;
    let canonical = !(y[31] == 0x7f && y[1..31].iter().all(|b| *b == 0xff) && y[0] >= 0xed);
    canonical && !SMALL_ORDER_Y.contains(&y)
}
