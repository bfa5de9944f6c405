//! Who is calling: API keys and tokens.

mod api_key;
mod jwk;
mod jwt;
mod scope;
mod time;

pub use api_key::{ApiKeyGrant, ApiKeyId, ApiKeyRecord, ApiKeys, Caller, IssuedKey, Pepper};
pub use jwk::{Jwk, Jwks, JwsAlgorithm};
pub use jwt::{Claims, JwtIssuer, JwtVerifier, verify_jws};
pub use scope::Scope;
pub use time::UnixSeconds;
