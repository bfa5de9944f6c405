//! The tests of this crate, as one binary.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod automatic_descent;
mod data;
mod elastic_net;
mod errors;
mod folder;
mod hostile;
mod hostile_journal;
mod journal;
mod killed;
mod properties;
mod pruners;
mod reference;
mod samplers;
mod search;
mod service;
mod solver_trials;
#[cfg(feature = "sqlite")]
mod sqlite;
mod steps;
mod suites;
mod workers;
