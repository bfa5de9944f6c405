//! Laws, reference values and refusals of `modelops-monitoring`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod data;
mod errors;
mod logs;
mod model;
mod properties;
mod reference;
mod requests;
mod threads;
