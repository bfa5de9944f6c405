//! Everything the crate promises, from outside.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod attacks;
mod callers;
mod canary;
mod data;
mod errors;
mod fuzz;
mod ledgers;
#[cfg(target_os = "linux")]
mod memory;
mod properties;
mod provenance;
mod ranges;
mod redaction;
mod reference;
mod requests;
mod sealed;
mod slow;
mod targets;
#[cfg(feature = "safetensors")]
mod tensors;
mod tokens;
mod traits;
mod wycheproof;

use modelops_security::InsecureSeededRandom;
use modelops_security::keys::Keyring;

/// A generator that is the same on every run.
fn seeded(seed: u64) -> InsecureSeededRandom {
    InsecureSeededRandom::new(seed)
}

/// A keyring that is the same on every run.
fn keyring(seed: u64) -> Keyring {
    Keyring::generate(&mut seeded(seed)).unwrap()
}

/// Bytes without a pattern that a shifted chunk could hide behind.
fn content(len: usize) -> Vec<u8> {
    (0..len as u64)
        .map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u8)
        .collect()
}
