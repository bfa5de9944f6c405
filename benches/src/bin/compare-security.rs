//! Side-by-side runs of `modelops-security` against its peers.
//!
//! Files lie in memory (`/dev/shm` where it is there), so that the disk does not speak. Compare the processor times.
#![allow(clippy::unwrap_used, reason = "a failed set-up ends the run")]

#[path = "../security/callers.rs"]
mod callers;
#[path = "../security/files.rs"]
mod files;
#[path = "../security/memory.rs"]
mod memory;
#[path = "../security/models.rs"]
mod models;
#[path = "../security/ranges.rs"]
mod ranges;

use std::fs;
use std::path::Path;

use modelops_benches::Comparison;

const MIB: usize = 1 << 20;

fn main() {
    let mut run = Comparison::from_args("security");
    memory::in_place(&mut run);
    memory::in_memory(&mut run);
    files::files(&mut run);
    files::disk(&mut run);
    ranges::ranges(&mut run);
    callers::keys(&mut run);
    callers::requests(&mut run);
    callers::proofs(&mut run);
    models::folders(&mut run);
    models::bundles(&mut run);
    run.finish();
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8)
        .collect()
}

/// A folder in memory where there is one.
fn folder() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() {
        tempfile::tempdir_in(shm).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Removes every file but those named, so that each round writes a new file in the same free memory, whoever wrote there before: how the
/// pages of memory happen to lie makes a fifth of the time of a copy. What the system does with the old files is nobody's time.
fn keep_only(folder: &Path, names: &[&str]) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if !names.iter().any(|name| entry.file_name() == *name) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}
