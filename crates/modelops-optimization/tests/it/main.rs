//! The tests of this crate, as one binary.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod data;
mod elastic_net;
mod errors;
mod folder;
mod hostile;
mod journal;
mod killed;
mod properties;
mod pruners;
mod reference;
mod samplers;
mod search;
mod service;
#[cfg(feature = "sqlite")]
mod sqlite;
mod steps;
mod suites;
mod workers;
