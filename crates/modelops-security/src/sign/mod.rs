//! Who published this: signed manifests of a model folder.
//!
//! A manifest lists every file of a folder with its SHA-256, and is signed as an
//! [OpenSSF Model Signing](https://github.com/ossf/model-signing-spec) v1.0 bundle: a DSSE envelope around an in-toto statement.
//! P-256 and P-384 signatures are read and written by that project's tools as well; Ed25519 is an addition of ours, in the same form.

mod bundle;
mod cache;
mod dsse;
mod key;
mod manifest;
mod names;
mod pem;
#[cfg(unix)]
mod range;

pub use cache::HashCache;
pub use key::{KeyKind, SigningKey, VerifyingKey};
pub use manifest::{HashOptions, ModelManifest, Resource};
