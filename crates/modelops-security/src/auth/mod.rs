//! Who is calling: API keys.

mod api_key;
mod scope;
mod time;

pub use api_key::{ApiKeyGrant, ApiKeyId, ApiKeyRecord, ApiKeys, Caller, IssuedKey, Pepper};
pub use scope::Scope;
pub use time::UnixSeconds;
