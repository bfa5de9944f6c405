#![doc = include_str!("../README.md")]

pub mod auth;
pub mod chunked;
mod error;
mod kernel;
pub mod keys;
mod random;
pub mod sealed;
mod secret;
pub mod sign;

pub use error::{
    ApiKeyError, FileError, IssueError, KeyError, OpenError, RandomError, RewrapError, ScopeError, SealError,
    SignError, TensorError, VerifyError,
};
pub use random::{InsecureSeededRandom, SecureRandom, SystemRandom};
pub use secret::Secret;
