//! JSON Web Tokens (RFC 7519, 7515, 8725): a strict verifier, and an issuer for Ed25519.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::jwk::PublishedJwk;
use super::{Jwk, Jwks, JwsAlgorithm, UnixSeconds};
use crate::error::{JwtError, SignError};
use crate::sign::{KeyKind, SigningKey};

/// A longer token is not looked at.
const LONGEST: usize = 16 * 1024;
/// More clock difference than this is a broken clock.
const MOST_LEEWAY: u64 = 300;

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

/// A member that is there must have its type: `null` is not the same as absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// Checks the signature of a compact JWS and gives its payload.
///
/// The key decides which algorithm it is for; the header of the token only has to agree. Keys inside the token (`jwk`, `jku`, `x5c`,
/// `x5u`) are never looked at, `none` is no algorithm, and `crit` is refused since nothing critical is implemented.
///
/// # Errors
///
/// [`JwtError::Malformed`], [`JwtError::UnknownKey`] or [`JwtError::Signature`].
pub fn verify_jws(token: &str, keys: &Jwks) -> Result<Vec<u8>, JwtError> {
    verify_typed(token, keys).map(|(payload, _)| payload)
}

fn verify_typed(token: &str, keys: &Jwks) -> Result<(Vec<u8>, Option<String>), JwtError> {
    if token.len() > LONGEST {
        return Err(JwtError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwtError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(JwtError::Malformed)?;
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwtError::Malformed)?;
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    if header.crit.is_some() {
        return Err(JwtError::Malformed);
    }
    let alg = JwsAlgorithm::from_name(&header.alg).ok_or(JwtError::UnknownKey)?;
    // A named key, or the only one that fits: a token cannot make us try one key after the other.
    let fits =
        |key: &&Jwk| key.accepts(alg) && (header.kid.is_none() || key.kid.is_none() || key.kid == header.kid);
    let mut fitting = keys.keys.iter().filter(fits);
    let key = match (fitting.next(), fitting.next()) {
        (Some(key), None) => key,
        (Some(_), Some(_)) if header.kid.is_some() => {
            let named = keys
                .keys
                .iter()
                .find(|key| key.accepts(alg) && key.kid == header.kid);
            named.ok_or(JwtError::UnknownKey)?
        }
        _ => return Err(JwtError::UnknownKey),
    };
    if key.verify(alg, signed.as_bytes(), &signature) {
        Ok((payload, header.typ))
    } else {
        Err(JwtError::Signature)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JwtError::Malformed)
}

/// The registered claims of a token that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Claims {
    /// Whom the token speaks of.
    pub subject: Option<String>,
    /// The second from which it is refused.
    pub expires: UnixSeconds,
    /// When it was issued.
    pub issued_at: Option<UnixSeconds>,
    /// Its name.
    pub id: Option<String>,
    payload: Vec<u8>,
}

impl Claims {
    /// Reads further claims into a type of yours.
    ///
    /// # Errors
    ///
    /// [`JwtError::Malformed`] where they do not fit it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, JwtError> {
        serde_json::from_slice(&self.payload).map_err(|_| JwtError::Malformed)
    }
}

#[derive(Deserialize)]
struct StoredClaims {
    #[serde(default, deserialize_with = "present")]
    iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Audience>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    jti: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Seconds as a JSON number, whole or not, never negative, text or beyond 2⁵³.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
struct NumericDate(f64);

impl TryFrom<f64> for NumericDate {
    type Error = &'static str;

    fn try_from(seconds: f64) -> Result<Self, Self::Error> {
        let sane = (0.0..=9_007_199_254_740_992.0).contains(&seconds);
        if sane {
            Ok(Self(seconds))
        } else {
            Err("a date is a number of seconds")
        }
    }
}

impl NumericDate {
    fn floor(self) -> u64 {
        self.0.floor() as u64
    }

    fn ceil(self) -> u64 {
        self.0.ceil() as u64
    }
}

/// Verifies tokens of one issuer for one audience.
///
/// ```
/// use modelops_security::auth::{Jwk, JwtIssuer, JwtVerifier, UnixSeconds};
/// use modelops_security::sign::SigningKey;
/// use modelops_security::{JwtError, SystemRandom};
/// let key = SigningKey::generate_ed25519(&mut SystemRandom::new())?;
/// let public = Jwk::from_verifying_key("2026-11", &key.verifying_key());
/// let issuer = JwtIssuer::new(key, "2026-11", "https://id.example")?;
/// let now = UnixSeconds(1_700_000_000);
/// let token = issuer.issue("user-7", "https://api.example", now, 600)?;
///
/// let verifier = JwtVerifier::new(public, "https://id.example", "https://api.example");
/// assert_eq!(verifier.verify(&token, now)?.subject.as_deref(), Some("user-7"));
/// assert_eq!(verifier.verify(&token, now.plus(600)), Err(JwtError::Expired));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("OIDC", "OAuth", "bearer"))]
#[derive(Debug, Clone)]
pub struct JwtVerifier {
    keys: Jwks,
    issuer: String,
    audience: String,
    leeway: u64,
    max_age: Option<u64>,
    typ: Option<String>,
}

impl JwtVerifier {
    /// Accepts tokens that `issuer` signed with one of `keys` for `audience`, without leeway.
    pub fn new(keys: impl Into<Jwks>, issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        let (keys, issuer, audience) = (keys.into(), issuer.into(), audience.into());
        Self {
            keys,
            issuer,
            audience,
            leeway: 0,
            max_age: None,
            typ: None,
        }
    }

    /// Forgives clocks that differ by `seconds`, at most 300.
    #[must_use]
    pub fn with_leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds.min(MOST_LEEWAY);
        self
    }

    /// Refuses tokens issued more than `seconds` ago, or that do not say when.
    #[must_use]
    pub fn with_max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// Demands this type in the header, such as `at+jwt`; without it, `JWT`, `at+jwt` or none is accepted.
    #[must_use]
    pub fn with_type(mut self, typ: impl Into<String>) -> Self {
        self.typ = Some(typ.into());
        self
    }

    /// Checks a token at the time `now`: signature, type, issuer, audience, times.
    ///
    /// # Errors
    ///
    /// [`JwtError`]; answer every variant with the same refusal.
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<Claims, JwtError> {
        let (payload, typ) = verify_typed(token, &self.keys)?;
        let known = match (&self.typ, &typ) {
            (Some(wanted), Some(typ)) => typ.eq_ignore_ascii_case(wanted),
            (Some(_), None) => false,
            (None, Some(typ)) => ["JWT", "at+jwt"]
                .iter()
                .any(|known| typ.eq_ignore_ascii_case(known)),
            (None, None) => true,
        };
        if !known {
            return Err(JwtError::Malformed);
        }
        let claims: StoredClaims = serde_json::from_slice(&payload).map_err(|_| JwtError::Malformed)?;
        let for_us = match &claims.aud {
            Some(Audience::One(audience)) => *audience == self.audience,
            Some(Audience::Many(all)) => all.contains(&self.audience),
            None => false,
        };
        if claims.iss.as_ref() != Some(&self.issuer) || !for_us {
            return Err(JwtError::NotForUs);
        }
        let expires = claims.exp.ok_or(JwtError::Malformed)?.floor();
        if now.0 >= expires.saturating_add(self.leeway) {
            return Err(JwtError::Expired);
        }
        let latest = now.plus(self.leeway).0;
        let early = |date: Option<NumericDate>| date.is_some_and(|date| date.ceil() > latest);
        if early(claims.nbf) || early(claims.iat) {
            return Err(JwtError::NotYet);
        }
        let issued_at = claims.iat.map(|date| UnixSeconds(date.floor()));
        if let Some(max_age) = self.max_age {
            let issued_at = issued_at.ok_or(JwtError::Malformed)?;
            if now.0 > issued_at.plus(max_age).plus(self.leeway).0 {
                return Err(JwtError::Expired);
            }
        }
        let expires = UnixSeconds(expires);
        Ok(Claims {
            subject: claims.sub,
            expires,
            issued_at,
            id: claims.jti,
            payload,
        })
    }
}

/// Issues tokens signed with an Ed25519 key; the example is at [`JwtVerifier`].
#[doc(alias("OIDC", "json_web_token"))]
#[derive(Debug)]
pub struct JwtIssuer {
    key: SigningKey,
    kid: String,
    issuer: String,
}

#[derive(Serialize)]
struct IssuedClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl JwtIssuer {
    /// Signs with `key`, which verifiers know as `kid`.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] unless it is an Ed25519 key.
    pub fn new(
        key: SigningKey,
        kid: impl Into<String>,
        issuer: impl Into<String>,
    ) -> Result<Self, SignError> {
        if key.verifying_key().kind() != KeyKind::Ed25519 {
            return Err(SignError::Key);
        }
        Ok(Self {
            key,
            kid: kid.into(),
            issuer: issuer.into(),
        })
    }

    /// A token for `subject`, for `audience`, good for `lifetime` seconds.
    ///
    /// # Errors
    ///
    /// Never in practice: Ed25519 needs no randomness.
    pub fn issue(
        &self,
        subject: &str,
        audience: &str,
        now: UnixSeconds,
        lifetime: u64,
    ) -> Result<String, SignError> {
        let (iss, exp) = (self.issuer.as_str(), now.plus(lifetime).0);
        self.issue_claims(&IssuedClaims {
            iss,
            sub: subject,
            aud: audience,
            iat: now.0,
            exp,
        })
    }

    /// A token with claims of your own; say `iss`, `aud` and `exp` in them.
    ///
    /// # Errors
    ///
    /// [`SignError::Key`] where the claims are no JSON object.
    pub fn issue_claims(&self, claims: &impl Serialize) -> Result<String, SignError> {
        let header = serde_json::json!({ "alg": "EdDSA", "kid": self.kid, "typ": "JWT" });
        let claims = serde_json::to_vec(claims).map_err(|_| SignError::Key)?;
        if claims.first() != Some(&b'{') {
            return Err(SignError::Key);
        }
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    /// The set to publish, with the public key of this issuer.
    #[must_use]
    pub fn jwks(&self) -> String {
        let x = URL_SAFE_NO_PAD.encode(self.key.verifying_key().public());
        let (kty, crv, alg, usage, kid) = ("OKP", "Ed25519", "EdDSA", "sig", self.kid.as_str());
        serde_json::json!({ "keys": [PublishedJwk { kty, crv, alg, usage, kid, x }] }).to_string()
    }
}
