//! The Merkle tree of RFC 6962, section 2.1: roots, inclusion and consistency proofs, and their verification.

use std::ops::Range;

use ring::digest;

/// SHA-256 of a leaf or of a subtree.
pub type Hash = [u8; 32];

/// The hash of a leaf: SHA-256(00 ‖ entry).
///
/// ```
/// // SHA-256 of one zero byte: the leaf of the empty entry (RFC 6962, section 2.1).
/// let hash = modelops_security::audit::leaf_hash(b"");
/// assert_eq!(hash[..4], [0x6e, 0x34, 0x0b, 0x9c]);
/// ```
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(entry);
    finish(context)
}

pub(super) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0; 65];
    bytes[0] = 1;
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, &bytes).as_ref());
    hash
}

/// The root over no entries: SHA-256 of nothing.
pub(super) fn empty_hash() -> Hash {
    finish(digest::Context::new(&digest::SHA256))
}

fn finish(context: digest::Context) -> Hash {
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The hashes of all complete subtrees: level 0 holds the leaves, level k the roots over 2ᵏ leaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    pub(crate) fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    pub(crate) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            if !row.len().is_multiple_of(2) {
                return;
            }
            hash = node_hash(&row[row.len() - 2], &row[row.len() - 1]);
        }
    }

    /// The root over leaves `start..end`, where `start` is a multiple of the largest power of two below the width, as in every
    /// split of RFC 6962.
    pub(super) fn range(&self, start: u64, end: u64) -> Hash {
        let width = end - start;
        if width == 0 {
            return empty_hash();
        }
        if width.is_power_of_two() {
            let level = width.trailing_zeros() as usize;
            return self.levels[level][(start >> level) as usize];
        }
        let split = start + largest_power_below(width);
        node_hash(&self.range(start, split), &self.range(split, end))
    }

    /// The root over the first `size` leaves, at most all of them.
    pub(crate) fn root(&self, size: u64) -> Hash {
        self.range(0, size)
    }

    /// The path from leaf `index` to the root over `size` leaves.
    pub(crate) fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        self.path(index, 0..size)
    }

    /// The path from leaf `index` to the root over `within`, which [`range`](Self::range) has a root for.
    pub(super) fn path(&self, index: u64, within: Range<u64>) -> Vec<Hash> {
        let (mut start, mut end) = (within.start, within.end);
        let mut path = Vec::new();
        while end - start > 1 {
            let split = start + largest_power_below(end - start);
            if index < split {
                path.push(self.range(split, end));
                end = split;
            } else {
                path.push(self.range(start, split));
                start = split;
            }
        }
        path.reverse();
        path
    }

    /// What proves that the first `old` of `size` leaves are still the same.
    pub(crate) fn consistency(&self, old: u64, size: u64) -> Vec<Hash> {
        if old == 0 || old == size {
            return Vec::new();
        }
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        // Down to the subtree that ends where the old tree ended.
        while end != old {
            let split = start + largest_power_below(end - start);
            if old <= split {
                path.push(self.range(split, end));
                end = split;
            } else {
                path.push(self.range(start, split));
                start = split;
            }
        }
        if start > 0 {
            path.push(self.range(start, end));
        }
        path.reverse();
        path
    }
}

/// The largest power of two below `n`, for `n` of at least 2.
pub(super) fn largest_power_below(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// Whether `proof` shows that `leaf` is entry `index` of a log of `size` entries with this root.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether `proof` shows that a log of `size` entries with root `new` begins with the `old_size` entries of root `old`.
///
/// An `old_size` of 0 is refused: every log begins with nothing, so there would be nothing shown.
#[must_use]
pub fn verify_consistency(old_size: u64, size: u64, proof: &[Hash], old: &Hash, new: &Hash) -> bool {
    if old_size == 0 || old_size > size {
        return false;
    }
    if old_size == size {
        return proof.is_empty() && old == new;
    }
    let (mut node, mut last) = (old_size - 1, size - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    // Where the old tree was complete, its root is the start; the proof does not repeat it.
    let mut rest = proof.iter();
    let first = if old_size.is_power_of_two() {
        Some(old)
    } else {
        rest.next()
    };
    let Some(first) = first else { return false };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old && new_hash == *new
}
