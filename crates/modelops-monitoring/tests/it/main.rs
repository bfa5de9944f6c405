//! Laws, reference values and refusals of `modelops-monitoring`.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod adoption;
mod data;
mod detectors;
mod endpoint;
mod errors;
mod formats;
mod logs;
mod model;
mod properties;
mod protobuf;
mod redaction;
mod reference;
mod requests;
mod templates;
mod threads;
