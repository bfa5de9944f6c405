//! Public and shared keys in JSON (RFC 7517), for verification.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{self as rs, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::{Deserialize, Serialize};

use crate::error::JwkError;
use crate::sign::{KeyKind, VerifyingKey};

/// The signature algorithms of JOSE that are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JwsAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ECDSA over P-384 with SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl JwsAlgorithm {
    /// The algorithm of a JOSE name; `none` is no algorithm.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "EdDSA" | "Ed25519" => Self::EdDsa,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "HS256" => Self::Hs256,
            "HS384" => Self::Hs384,
            "HS512" => Self::Hs512,
            _ => return None,
        })
    }

    fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512
        )
    }

    fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Self::Hs256 => Some(hmac::HMAC_SHA256),
            Self::Hs384 => Some(hmac::HMAC_SHA384),
            Self::Hs512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }
}

/// One key, tied to what it may be used for.
#[derive(Clone)]
pub struct Jwk {
    pub(crate) kid: Option<String>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Ed25519(VerifyingKey),
    Ecdsa(JwsAlgorithm, Vec<u8>),
    /// With the algorithm it declares; any RSA algorithm where it declares none.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
        only: Option<JwsAlgorithm>,
    },
    /// Shared keys always declare their algorithm.
    Hmac(JwsAlgorithm, hmac::Key),
}

#[derive(Deserialize)]
struct StoredJwk {
    kty: String,
    crv: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    k: Option<String>,
}

impl Jwk {
    /// Reads one key; members that say nothing about verification are ignored, private ones too.
    ///
    /// # Errors
    ///
    /// [`JwkError::Unsupported`] for a type, curve, algorithm or use this version does not verify with, [`JwkError::Malformed`] for
    /// anything wrong: RSA below 2048 bits, with exponent 1 or from a broken generator (ROCA), Ed25519 of small order, a shared key shorter than its hash, or one that
    /// does not declare its algorithm.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        serde_json::from_slice(json)
            .map_err(|_| JwkError::Malformed)
            .and_then(Self::from_stored)
    }

    /// The key of a [`SigningKey`](crate::sign::SigningKey), under the name `kid`.
    #[must_use]
    pub fn from_verifying_key(kid: &str, key: &VerifyingKey) -> Self {
        let material = match key.kind() {
            KeyKind::Ed25519 => Material::Ed25519(key.clone()),
            KeyKind::P256 => Material::Ecdsa(JwsAlgorithm::Es256, key.public().to_vec()),
            KeyKind::P384 => Material::Ecdsa(JwsAlgorithm::Es384, key.public().to_vec()),
        };
        Self {
            kid: Some(kid.to_owned()),
            material,
        }
    }

    fn from_stored(stored: StoredJwk) -> Result<Self, JwkError> {
        let for_signatures = stored.usage.as_deref().is_none_or(|usage| usage == "sig");
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        if !for_signatures || !stored.key_ops.as_ref().is_none_or(verifies) {
            return Err(JwkError::Unsupported);
        }
        let declared = stored
            .alg
            .as_deref()
            .map(|name| JwsAlgorithm::from_name(name).ok_or(JwkError::Unsupported));
        let declared = declared.transpose()?;
        let material = match (stored.kty.as_str(), stored.crv.as_deref()) {
            ("OKP", Some("Ed25519")) if declared.is_none_or(|alg| alg == JwsAlgorithm::EdDsa) => {
                let key = VerifyingKey::from_public(KeyKind::Ed25519, &decode(stored.x.as_ref())?);
                Material::Ed25519(key.map_err(|_| JwkError::Malformed)?)
            }
            ("EC", Some(curve)) => {
                let (alg, width) = match curve {
                    "P-256" => (JwsAlgorithm::Es256, 32),
                    "P-384" => (JwsAlgorithm::Es384, 48),
                    _ => return Err(JwkError::Unsupported),
                };
                let (x, y) = (decode(stored.x.as_ref())?, decode(stored.y.as_ref())?);
                if x.len() != width || y.len() != width || declared.is_some_and(|declared| declared != alg) {
                    return Err(JwkError::Malformed);
                }
                Material::Ecdsa(alg, [&[4], x.as_slice(), y.as_slice()].concat())
            }
            ("RSA", None) if declared.is_none_or(JwsAlgorithm::is_rsa) => {
                let (n, e) = (decode(stored.n.as_ref())?, decode(stored.e.as_ref())?);
                let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
                let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
                let sound = (2048..=8192).contains(&bits)
                    && n.first() != Some(&0)
                    && odd(&n)
                    && odd(&e)
                    && (e.len() > 1 || e[0] >= 3)
                    && e.first() != Some(&0)
                    && e.len() <= 4
                    && !is_roca(&n);
                if !sound {
                    return Err(JwkError::Malformed);
                }
                Material::Rsa { n, e, only: declared }
            }
            ("oct", None) => {
                let alg = declared.ok_or(JwkError::Malformed)?;
                let hash = alg.hmac().ok_or(JwkError::Malformed)?;
                let key = zeroize::Zeroizing::new(decode(stored.k.as_ref())?);
                if key.len() < hash.digest_algorithm().output_len() {
                    return Err(JwkError::Malformed);
                }
                Material::Hmac(alg, hmac::Key::new(hash, &key))
            }
            ("OKP" | "EC" | "RSA" | "oct", _) => return Err(JwkError::Malformed),
            _ => return Err(JwkError::Unsupported),
        };
        Ok(Self {
            kid: stored.kid,
            material,
        })
    }

    /// Whether a token of this algorithm may be verified with this key: the key decides, never the token.
    pub(crate) fn accepts(&self, alg: JwsAlgorithm) -> bool {
        match &self.material {
            Material::Ed25519(_) => alg == JwsAlgorithm::EdDsa,
            Material::Ecdsa(own, _) | Material::Hmac(own, _) => alg == *own,
            Material::Rsa { only, .. } => alg.is_rsa() && only.is_none_or(|own| own == alg),
        }
    }

    pub(crate) fn verify(&self, alg: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.accepts(alg) {
            return false;
        }
        match &self.material {
            Material::Ed25519(key) => key.verify(message, signature).is_ok(),
            Material::Ecdsa(curve, point) => {
                let algorithm = match curve {
                    JwsAlgorithm::Es256 => &rs::ECDSA_P256_SHA256_FIXED,
                    _ => &rs::ECDSA_P384_SHA384_FIXED,
                };
                UnparsedPublicKey::new(algorithm, point)
                    .verify(message, signature)
                    .is_ok()
            }
            Material::Rsa { n, e, .. } => {
                let parameters = match alg {
                    JwsAlgorithm::Rs256 => &rs::RSA_PKCS1_2048_8192_SHA256,
                    JwsAlgorithm::Rs384 => &rs::RSA_PKCS1_2048_8192_SHA384,
                    JwsAlgorithm::Rs512 => &rs::RSA_PKCS1_2048_8192_SHA512,
                    JwsAlgorithm::Ps256 => &rs::RSA_PSS_2048_8192_SHA256,
                    JwsAlgorithm::Ps384 => &rs::RSA_PSS_2048_8192_SHA384,
                    _ => &rs::RSA_PSS_2048_8192_SHA512,
                };
                RsaPublicKeyComponents { n, e }
                    .verify(parameters, message, signature)
                    .is_ok()
            }
            Material::Hmac(_, key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

/// Whether a modulus has the fingerprint of CVE-2017-15361: a power of 65537 modulo each of these primes.
///
/// Nemec, Sys, Svenda, Klinec, Matyas, "The Return of Coppersmith's Attack", 2017, doi:10.1145/3133956.3133969. A sound modulus has it
/// with probability below 2⁻²⁰.
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 17] = [
        11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
    ];
    PRIMES.iter().all(|p| {
        let residue = modulus
            .iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % p);
        let mut power = 1;
        (0..*p).any(|_| {
            power = power * (65_537 % p) % p;
            power == residue
        })
    })
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.material {
            Material::Ed25519(_) => "Ed25519",
            Material::Ecdsa(..) => "ECDSA",
            Material::Rsa { .. } => "RSA",
            Material::Hmac(..) => "HMAC, [REDACTED]",
        };
        write!(f, "Jwk({:?}, {kind})", self.kid.as_deref().unwrap_or("unnamed"))
    }
}

/// A set of keys.
///
/// ```
/// use modelops_security::auth::Jwks;
/// let keys = Jwks::from_json(br#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?; // the key of RFC 8037, appendix A.2
/// assert_eq!(keys.len(), 1);
/// # Ok::<(), modelops_security::JwkError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Jwks {
    pub(crate) keys: Vec<Jwk>,
}

impl Jwks {
    /// Reads a set; keys of kinds that are not supported are left out, as RFC 7517 asks.
    ///
    /// # Errors
    ///
    /// [`JwkError::Malformed`] where a key of a supported kind is wrong, two keys have one name, or public and
    /// shared keys are mixed.
    pub fn from_json(json: &[u8]) -> Result<Self, JwkError> {
        #[derive(Deserialize)]
        struct Stored {
            keys: Vec<serde_json::Value>,
        }
        let stored: Stored = serde_json::from_slice(json).map_err(|_| JwkError::Malformed)?;
        let mut set = Self::default();
        for value in stored.keys {
            let key = serde_json::from_value(value)
                .map_err(|_| JwkError::Malformed)
                .and_then(Jwk::from_stored);
            match key {
                Ok(key) => set.push(key)?,
                Err(JwkError::Unsupported) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(set)
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`JwkError::Malformed`] where the set has a key of this name, or public and shared keys would be mixed.
    pub fn push(&mut self, key: Jwk) -> Result<(), JwkError> {
        let shared = |key: &Jwk| matches!(key.material, Material::Hmac(..));
        if self.keys.iter().any(|other| shared(other) != shared(&key)) {
            return Err(JwkError::Malformed);
        }
        if key.kid.is_some() && self.keys.iter().any(|other| other.kid == key.kid) {
            return Err(JwkError::Malformed);
        }
        self.keys.push(key);
        Ok(())
    }

    /// Number of usable keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no usable key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl From<Jwk> for Jwks {
    fn from(key: Jwk) -> Self {
        Self { keys: vec![key] }
    }
}

/// The public half of a signing key, as a JWK to publish.
#[derive(Serialize)]
pub(crate) struct PublishedJwk<'a> {
    pub(crate) kty: &'static str,
    pub(crate) crv: &'static str,
    pub(crate) alg: &'static str,
    #[serde(rename = "use")]
    pub(crate) usage: &'static str,
    pub(crate) kid: &'a str,
    pub(crate) x: String,
}

/// Base64url without padding, whitespace, or bits that would be lost.
pub(crate) fn decode(text: Option<&String>) -> Result<Vec<u8>, JwkError> {
    let text = text.ok_or(JwkError::Malformed)?;
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| JwkError::Malformed)?;
    if bytes.is_empty() {
        Err(JwkError::Malformed)
    } else {
        Ok(bytes)
    }
}
