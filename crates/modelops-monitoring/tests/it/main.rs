//! Laws, reference values and refusals of `modelops-monitoring`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod errors;
mod logs;
mod properties;
mod reference;
mod threads;
