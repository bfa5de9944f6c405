//! Tests of the public interface, one binary.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod allocate;
mod elimination;
mod error_control;
mod errors;
mod filters;
mod formats;
mod layers;
mod properties;
mod reference;
mod relief;
mod sequential;
mod structured;
mod trees;
