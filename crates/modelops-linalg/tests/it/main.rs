//! One binary: laws, reference values, errors. CI runs it on both backends.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod errors;
mod properties;
mod reference;
