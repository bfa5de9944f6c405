//! Who is calling, and what they may do: API keys, tokens, signed requests, passwords, scopes and roles.

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
