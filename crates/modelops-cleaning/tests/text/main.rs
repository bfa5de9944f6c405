//! The text half: laws, reference values, hostile input, conformance data.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod data;
mod errors;
mod properties;
mod reference;
