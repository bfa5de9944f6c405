//! Who is calling, and what they may do: API keys, tokens, signed requests, passwords, scopes and roles.
//!
//! | to | use |
//! | --- | --- |
//! | issue keys of my own, and tell who calls | [`ApiKeys`] |
//! | check the tokens of an identity provider | [`JwtVerifier`] with its [`Jwks`] |
//! | issue short-lived tokens | [`JwtIssuer`] |
//! | sign requests, and accept each once | [`RequestSigner`], [`RequestVerifier`] |
//! | say what somebody may do | [`Scope`], [`Policy`] |
//! | store passwords | [`hash_password`] |
//! | slow down whoever guesses | [`LoginThrottle`] |
//!
//! # References
//!
//! Tokens: RFC 7519 (JSON Web Token), 7515 (their signatures), 7517 (keys) and 8725 (best practices). Signed requests: RFC 9421
//! (HTTP Message Signatures) and 9530 (digest of the body).

mod api_key;
mod jwk;
mod jwt;
mod key_table;
mod password;
mod policy;
mod remembered;
mod replay;
mod request;
mod scope;
mod throttle;
mod time;

pub use api_key::{ApiKeyGrant, ApiKeyId, ApiKeyRecord, ApiKeys, Caller, IssuedKey, Pepper};
pub use jwk::{Jwk, Jwks, JwsAlgorithm};
pub use jwt::{Claims, JwtIssuer, JwtVerifier, verify_jws};
pub use password::{PasswordHash, hash_password};
pub use policy::{Decision, Policy};
pub use remembered::Remembered;
pub use replay::ReplayCache;
pub use request::{RequestSigner, RequestVerifier, SignedHeaders};
pub use scope::Scope;
pub use throttle::LoginThrottle;
pub use time::UnixSeconds;
