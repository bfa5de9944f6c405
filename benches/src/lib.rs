//! What the side-by-side runs share: interleaved rounds of ours and each peer, the result file, its table, and the page
//! that is rendered from it.
//!
//! A run of a crate is a binary of its own, `compare-CRATE`:
//!
//! ```no_run
//! use modelops_benches::{Better, Comparison};
//!
//! let mut comparison = Comparison::from_args("pruning");
//! let data: Vec<f64> = (0..1_000_000).map(f64::from).collect();
//! comparison
//!     .case("sum of 10⁶ numbers")
//!     .ours(|| data.iter().sum::<f64>())
//!     .peer("fold", || data.iter().fold(0.0, |sum, x| sum + x))
//!     .python("numpy 2.3", "sum.py", &["1000000"]) // benches/peers/pruning/sum.py
//!     .per("number", data.len())
//!     .value("sum", "", Better::Higher, |sum| *sum)
//!     .agree(|ours, theirs| (ours - theirs).abs() < 1e-6)
//!     .run();
//! comparison.finish();
//! ```
//!
//! Every round runs ours and then each peer, starting at another one each time, so that a change of the machine's mood
//! hits all of them. `cpu` is the processor time of the whole process (of the child, for Python), `wall` what a clock
//! on the wall shows; where both matter, read both. A peer that is not installed is recorded as missing.

mod case;
pub mod dirty;
mod measure;
mod pair;
mod plot;
mod python;
mod record;
mod render;
mod table;

pub use case::{Case, Comparison};
pub use measure::{Sample, measure, thread_seconds};
pub use python::interpreter;
pub use record::{Better, Provenance, Record, Spread, results_dir};
pub use render::render;
pub use table::{Verdict, table};

use std::path::PathBuf;

/// The root of the workspace.
#[must_use]
pub fn workspace_root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// The crates that have a side-by-side run, in the order of the page.
pub const CRATES: [&str; 6] = [
    "allocation",
    "monitoring",
    "security",
    "optimization",
    "pruning",
    "cleaning",
];
