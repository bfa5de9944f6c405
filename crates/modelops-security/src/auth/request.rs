//! Signed requests: one profile of HTTP Message Signatures (RFC 9421) with a body digest (RFC 9530).
//!
//! A signature covers the method, the target URI and the digest of the body, and carries when it was made, when it ends and a nonce, so
//! that a captured request is no credential: it cannot be sent elsewhere, changed, kept, or sent twice.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac};

use super::{ReplayCache, UnixSeconds};
use crate::error::{RequestError, SignError};
use crate::random::{SecureRandom, random_bytes};
use crate::sign::{KeyKind, SigningKey, VerifyingKey};

const COMPONENTS: &str = r#"("@method" "@target-uri" "content-digest")"#;
/// Longest life of a signature: replays are remembered that long.
const LONGEST_LIFE: u64 = 300;
/// A header value longer than this is not looked at.
const LONGEST: usize = 1024;

/// The three headers of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignedHeaders {
    /// Value of `Content-Digest`.
    pub content_digest: String,
    /// Value of `Signature-Input`.
    pub signature_input: String,
    /// Value of `Signature`.
    pub signature: String,
}

impl SignedHeaders {
    /// The headers of a request that arrived.
    pub fn new(
        content_digest: impl Into<String>,
        signature_input: impl Into<String>,
        signature: impl Into<String>,
    ) -> Self {
        let (content_digest, signature_input) = (content_digest.into(), signature_input.into());
        Self {
            content_digest,
            signature_input,
            signature: signature.into(),
        }
    }
}

fn content_digest(body: &[u8]) -> String {
    let mut text = String::with_capacity(54);
    text.push_str("sha-256=:");
    STANDARD.encode_string(digest::digest(&digest::SHA256, body), &mut text);
    text.push(':');
    text
}

fn signature_base(method: &str, target_uri: &str, content_digest: &str, parameters: &str) -> String {
    [
        "\"@method\": ",
        method,
        "\n\"@target-uri\": ",
        target_uri,
        "\n\"content-digest\": ",
        content_digest,
        "\n\"@signature-params\": ",
        COMPONENTS,
        parameters,
    ]
    .concat()
}

/// What one side signs with and the other verifies with.
enum SigningSide {
    Hmac(hmac::Key),
    Ed25519(Box<SigningKey>),
}

/// Signs requests with one key.
///
/// ```
/// use modelops_security::auth::{ReplayCache, RequestSigner, RequestVerifier, UnixSeconds};
/// use modelops_security::{RequestError, SystemRandom};
/// let now = UnixSeconds(1_700_000_000);
/// let signer = RequestSigner::hmac("gateway-1", &[7; 32])?;
/// let headers = signer.sign("POST", "https://api.example/v1/infer", b"{}", now, &mut SystemRandom::new())?;
///
/// let mut verifier = RequestVerifier::new(ReplayCache::new(10_000));
/// verifier.trust_hmac("gateway-1", &[7; 32])?;
/// let url = "https://api.example/v1/infer";
/// assert_eq!(verifier.verify("POST", url, b"{}", &headers, now)?, "gateway-1");
/// assert_eq!(verifier.verify("POST", url, b"{}", &headers, now), Err(RequestError::Replayed));
/// assert_eq!(verifier.verify("POST", url, b"[]", &headers, now), Err(RequestError::Signature));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("HMAC", "http_signature"))]
pub struct RequestSigner {
    key_id: String,
    side: SigningSide,
    lifetime: u64,
}

impl RequestSigner {
    /// Signs with a shared key of at least 32 bytes.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] for a shorter key, or a name that is not 1 to 64 letters, digits, `.`, `_` or `-`.
    pub fn hmac(key_id: &str, key: &[u8]) -> Result<Self, SignError> {
        if key.len() < 32 {
            return Err(SignError::Key);
        }
        Self::new(key_id, SigningSide::Hmac(hmac::Key::new(hmac::HMAC_SHA256, key)))
    }

    /// Signs with an Ed25519 key.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] for another kind of key, or a name that is not 1 to 64 letters, digits, `.`, `_` or `-`.
    pub fn ed25519(key_id: &str, key: SigningKey) -> Result<Self, SignError> {
        if key.verifying_key().kind() != KeyKind::Ed25519 {
            return Err(SignError::Key);
        }
        Self::new(key_id, SigningSide::Ed25519(Box::new(key)))
    }

    fn new(key_id: &str, side: SigningSide) -> Result<Self, SignError> {
        if !is_name(key_id) {
            return Err(SignError::Key);
        }
        Ok(Self {
            key_id: key_id.to_owned(),
            side,
            lifetime: 60,
        })
    }

    /// Lets signatures live for `seconds`, 1 to 300; 60 otherwise.
    #[must_use]
    pub fn with_lifetime(mut self, seconds: u64) -> Self {
        self.lifetime = seconds.clamp(1, LONGEST_LIFE);
        self
    }

    /// Signs one request; each call makes another nonce.
    ///
    /// # Errors
    ///
    /// [`SignError::Random`] where the source failed; [`SignError::Key`] for a method or URI with control characters.
    pub fn sign(
        &self,
        method: &str,
        target_uri: &str,
        body: &[u8],
        now: UnixSeconds,
        random: &mut dyn SecureRandom,
    ) -> Result<SignedHeaders, SignError> {
        if !is_line(method) || !is_line(target_uri) {
            return Err(SignError::Key);
        }
        let nonce = STANDARD.encode(random_bytes::<18>(random)?);
        let alg = match &self.side {
            SigningSide::Hmac(_) => "hmac-sha256",
            SigningSide::Ed25519(_) => "ed25519",
        };
        let (created, expires) = (now.0, now.plus(self.lifetime).0);
        let key_id = &self.key_id;
        let parameters = format!(
            ";created={created};expires={expires};nonce=\"{nonce}\";keyid=\"{key_id}\";alg=\"{alg}\";tag=\"modelops\""
        );
        let content_digest = content_digest(body);
        let base = signature_base(method, target_uri, &content_digest, &parameters);
        let signature = match &self.side {
            SigningSide::Hmac(key) => hmac::sign(key, base.as_bytes()).as_ref().to_vec(),
            SigningSide::Ed25519(key) => key.sign(base.as_bytes())?,
        };
        let signature = format!("modelops=:{}:", STANDARD.encode(signature));
        Ok(SignedHeaders {
            content_digest,
            signature_input: format!("modelops={COMPONENTS}{parameters}"),
            signature,
        })
    }
}

impl fmt::Debug for RequestSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestSigner({:?}, [REDACTED])", self.key_id)
    }
}

enum VerifyingSide {
    Hmac(hmac::Key),
    Ed25519(VerifyingKey),
}

/// Verifies signed requests, each once; the example is at [`RequestSigner`].
#[doc(alias("HMAC", "webhook"))]
pub struct RequestVerifier {
    keys: HashMap<String, VerifyingSide>,
    replays: ReplayCache,
    leeway: u64,
}

impl RequestVerifier {
    /// Trusts nobody yet; `replays` remembers the nonces, so it bounds the requests in a signature's life.
    #[must_use]
    pub fn new(replays: ReplayCache) -> Self {
        Self {
            keys: HashMap::new(),
            replays,
            leeway: 5,
        }
    }

    /// Forgives clocks that differ by `seconds`, at most 300; 5 otherwise.
    #[must_use]
    pub fn with_leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds.min(LONGEST_LIFE);
        self
    }

    /// Trusts a shared key of at least 32 bytes.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`], as [`RequestSigner::hmac`].
    pub fn trust_hmac(&mut self, key_id: &str, key: &[u8]) -> Result<(), SignError> {
        if key.len() < 32 || !is_name(key_id) {
            return Err(SignError::Key);
        }
        self.keys.insert(
            key_id.to_owned(),
            VerifyingSide::Hmac(hmac::Key::new(hmac::HMAC_SHA256, key)),
        );
        Ok(())
    }

    /// Trusts an Ed25519 key.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`], as [`RequestSigner::ed25519`].
    pub fn trust_ed25519(&mut self, key_id: &str, key: VerifyingKey) -> Result<(), SignError> {
        if key.kind() != KeyKind::Ed25519 || !is_name(key_id) {
            return Err(SignError::Key);
        }
        self.keys.insert(key_id.to_owned(), VerifyingSide::Ed25519(key));
        Ok(())
    }

    /// Checks a request at the time `now` and gives the name of the key.
    ///
    /// `target_uri` is the one this server was asked for, built from its own name, not from a header that the caller chose.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; answer every variant with the same refusal.
    pub fn verify(
        &mut self,
        method: &str,
        target_uri: &str,
        body: &[u8],
        headers: &SignedHeaders,
        now: UnixSeconds,
    ) -> Result<String, RequestError> {
        let parsed = Parsed::read(&headers.signature_input).ok_or(RequestError::Malformed)?;
        let signature = headers
            .signature
            .strip_prefix("modelops=:")
            .and_then(|rest| rest.strip_suffix(':'));
        let signature = signature
            .filter(|text| text.len() <= LONGEST)
            .ok_or(RequestError::Malformed)?;
        let signature = STANDARD.decode(signature).map_err(|_| RequestError::Malformed)?;
        if !is_line(method) || !is_line(target_uri) {
            return Err(RequestError::Malformed);
        }
        if parsed.expires < parsed.created || parsed.expires - parsed.created > LONGEST_LIFE {
            return Err(RequestError::Malformed);
        }
        // The digest is computed here, never taken from the header, so one comparison less can be forgotten.
        let digest = content_digest(body);
        let base = signature_base(method, target_uri, &digest, parsed.parameters);
        let right = match (self.keys.get(parsed.key_id), parsed.alg) {
            (Some(VerifyingSide::Hmac(key)), "hmac-sha256") => {
                hmac::verify(key, base.as_bytes(), &signature).is_ok()
            }
            (Some(VerifyingSide::Ed25519(key)), "ed25519") => key.verify(base.as_bytes(), &signature).is_ok(),
            _ => false,
        };
        // No secret is compared here: whoever sends a body knows its digest.
        if !right || digest != headers.content_digest {
            return Err(RequestError::Signature);
        }
        if now.0 >= parsed.expires.saturating_add(self.leeway) {
            return Err(RequestError::Expired);
        }
        if parsed.created > now.plus(self.leeway).0 {
            return Err(RequestError::NotYet);
        }
        // Only what is authentic is remembered, so a stranger cannot fill the cache.
        let until = UnixSeconds(parsed.expires.saturating_add(self.leeway));
        self.replays.remember(parsed.key_id, parsed.nonce, until, now)?;
        Ok(parsed.key_id.to_owned())
    }
}

impl fmt::Debug for RequestVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: BTreeMap<&str, ()> = self.keys.keys().map(|name| (name.as_str(), ())).collect();
        write!(f, "RequestVerifier({:?}, [REDACTED])", names.keys())
    }
}

/// The parameters of a signature, in the one order and spelling of the profile.
struct Parsed<'a> {
    parameters: &'a str,
    created: u64,
    expires: u64,
    nonce: &'a str,
    key_id: &'a str,
    alg: &'a str,
}

impl<'a> Parsed<'a> {
    fn read(input: &'a str) -> Option<Self> {
        if input.len() > LONGEST {
            return None;
        }
        let parameters = input.strip_prefix("modelops=")?.strip_prefix(COMPONENTS)?;
        let mut parts = parameters.strip_prefix(';')?.split(';');
        let mut number = |name: &str| -> Option<u64> {
            let digits = parts.next()?.strip_prefix(name)?.strip_prefix('=')?;
            let plain =
                digits.bytes().all(|b| b.is_ascii_digit()) && !(digits.len() > 1 && digits.starts_with('0'));
            if plain { digits.parse().ok() } else { None }
        };
        let (created, expires) = (number("created")?, number("expires")?);
        let mut text = |name: &str| -> Option<&'a str> {
            let quoted = parts.next()?.strip_prefix(name)?.strip_prefix("=\"")?;
            quoted.strip_suffix('"')
        };
        let (nonce, key_id, alg, tag) = (text("nonce")?, text("keyid")?, text("alg")?, text("tag")?);
        let sound_nonce = (16..=64).contains(&nonce.len())
            && nonce
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=_-".contains(&b));
        let sound = parts.next().is_none() && tag == "modelops" && is_name(key_id) && sound_nonce;
        sound.then_some(Self {
            parameters,
            created,
            expires,
            nonce,
            key_id,
            alg,
        })
    }
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.len() <= 8192 && text.bytes().all(|b| (0x21..0x7f).contains(&b))
}
