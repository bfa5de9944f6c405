//! Strategies, slow oracles and tolerances for the tests of modelops.
//!
//! One module a crate; [`tolerance`] holds every numeric bound a test may use, [`data_dir`] finds the conformance data.

use std::path::PathBuf;

pub mod allocation;
pub mod allocation_pipeline;
pub mod cleaning;
pub mod cleaning_text;
pub mod linalg;
pub mod monitoring;
pub mod optimization;
pub mod pruning;
pub mod pruning_models;
pub mod security;
pub mod tolerance;

/// The folder of conformance data that `MODELOPS_DATA` names; `None` where it is not set.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where tests learn where their data lies"
)]
pub fn data_dir() -> Option<PathBuf> {
    std::env::var_os("MODELOPS_DATA").map(PathBuf::from)
}
