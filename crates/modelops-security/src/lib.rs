#![doc = include_str!("../README.md")]

pub mod audit;
pub mod auth;
pub mod chunked;
mod error;
mod kernel;
pub mod keys;
pub mod quota;
mod random;
pub mod sealed;
mod secret;
pub mod sign;

pub use error::{
    ApiKeyError, AuditError, FileError, IssueError, JwkError, JwtError, KeyError, OpenError, QuotaError,
    RandomError, RangeError, RewrapError, ScopeError, SealError, SignError, TensorError, VerifyError,
};
pub use random::{InsecureSeededRandom, SecureRandom, SystemRandom};
pub use secret::Secret;
