//! Hash maps keyed by text: XXH3, the same on every run.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use xxhash_rust::xxh3::xxh3_64;

pub(super) type TextMap<K, V> = HashMap<K, V, BuildHasherDefault<TextHasher>>;

/// For keys that hash as one run of bytes: `str` and `[u8]`.
#[derive(Default)]
pub(super) struct TextHasher(u64);

impl Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= xxh3_64(bytes);
    }

    // The end mark of a string and the length of a slice tell nothing about a single run.
    fn write_u8(&mut self, _: u8) {}

    fn write_usize(&mut self, _: usize) {}
}
