#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod audit;
pub mod auth;
pub mod chunked;
mod error;
mod kernel;
pub mod keys;
pub mod quota;
mod random;
mod redact;
pub mod sealed;
mod secret;
pub mod sign;

pub use error::{
    ApiKeyError, AuditError, FileError, IssueError, JwkError, JwtError, KeyError, OpenError, QuotaError,
    RandomError, RangeError, RequestError, RewrapError, ScopeError, SealError, SignError, TensorError,
    Throttled, VerifyError,
};
pub use random::{InsecureSeededRandom, SecureRandom, SystemRandom};
pub use redact::redact;
pub use secret::Secret;
