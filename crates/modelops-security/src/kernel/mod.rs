//! Allocation-free loops, file positions and wiping; nothing here is public.

pub(crate) mod base62;
pub(crate) mod chunk;
#[cfg(unix)]
pub(crate) mod files;
pub(crate) mod geometry;
pub(crate) mod hex;
pub(crate) mod memory;
pub(crate) mod parallel;
pub(crate) mod wipe;
