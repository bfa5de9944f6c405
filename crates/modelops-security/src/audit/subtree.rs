//! Proofs about a part of a log: the subtrees of the Merkle Tree Certificates draft, over the tree of RFC 6962.
//!
//! A subtree is the tree over the entries of a range `start..end` where `start` is a multiple of the smallest power of two that is not below
//! the number of entries. A batch of a log, say one hour of it, is covered by at most two of them.

use std::ops::Range;

use super::tree::{Hash, Tree, empty_hash, largest_power_below, node_hash, verify_inclusion};

/// Whether `range` is one that a subtree can have: its start aligned to its width, rounded up to a power of two.
fn is_subtree(range: &Range<u64>) -> bool {
    range.end.checked_sub(range.start).is_some_and(|width| {
        width
            .checked_next_power_of_two()
            .is_some_and(|unit| range.start.is_multiple_of(unit))
    })
}

/// Whether `proof` shows that `leaf` is entry `index` of a log whose entries `range` have the subtree root `root`.
#[must_use]
pub fn verify_subtree_inclusion(
    leaf: &Hash,
    index: u64,
    range: &Range<u64>,
    proof: &[Hash],
    root: &Hash,
) -> bool {
    is_subtree(range)
        && range.contains(&index)
        && verify_inclusion(leaf, index - range.start, range.end - range.start, proof, root)
}

/// Whether `proof` shows that a log of `size` entries with root `root` holds, as its entries `range`, those of the subtree root `subtree`.
///
/// Nothing is part of everything: an empty range needs no proof, and its root is the hash of nothing.
#[must_use]
pub fn verify_subtree_consistency(
    range: &Range<u64>,
    size: u64,
    proof: &[Hash],
    subtree: &Hash,
    root: &Hash,
) -> bool {
    if !is_subtree(range) || range.end > size {
        return false;
    }
    if range.is_empty() {
        return proof.is_empty() && *subtree == empty_hash();
    }
    // Three positions on one level: the first and the last node of the subtree, and the last of the log.
    let (mut first, mut end, mut last) = (range.start, range.end - 1, size - 1);
    while first != end && (end == last || end & 1 == 1) {
        (first, end, last) = (first >> 1, end >> 1, last >> 1);
    }
    // Where the subtree is one node of the log, its root is the start; the proof does not repeat it.
    let mut rest = proof.iter();
    let start = if first == end { Some(subtree) } else { rest.next() };
    let Some(start) = start else { return false };
    let (mut part, mut whole) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if end & 1 == 1 || end == last {
            if first < end {
                part = node_hash(sibling, &part);
            }
            whole = node_hash(sibling, &whole);
            while end & 1 == 0 && end != 0 {
                (first, end, last) = (first >> 1, end >> 1, last >> 1);
            }
        } else {
            whole = node_hash(&whole, sibling);
        }
        (first, end, last) = (first >> 1, end >> 1, last >> 1);
    }
    last == 0 && part == *subtree && whole == *root
}

impl Tree {
    /// The root over the entries of `range`; `None` unless it is a subtree of this tree.
    pub(super) fn subtree(&self, range: &Range<u64>) -> Option<Hash> {
        (is_subtree(range) && range.end <= self.len()).then(|| self.range(range.start, range.end))
    }

    /// The path from entry `index` to the root of the subtree `range`.
    pub(super) fn subtree_inclusion(&self, index: u64, range: &Range<u64>) -> Option<Vec<Hash>> {
        let sound = is_subtree(range) && range.end <= self.len() && range.contains(&index);
        sound.then(|| self.path(index, range.clone()))
    }

    /// What proves that the first `size` entries hold the subtree `range`.
    pub(super) fn subtree_consistency(&self, range: &Range<u64>, size: u64) -> Option<Vec<Hash>> {
        if !is_subtree(range) || range.end > size || size > self.len() {
            return None;
        }
        let mut path = Vec::new();
        if range.is_empty() {
            return Some(path);
        }
        let (mut start, mut end, mut inside) = (0, size, range.start);
        // Down to the node that ends where the subtree ends; past a split inside the subtree its own root is no longer known.
        let mut known = true;
        while (inside, range.end) != (start, end) {
            let split = start + largest_power_below(end - start);
            if range.end <= split {
                path.push(self.range(split, end));
                end = split;
            } else {
                path.push(self.range(start, split));
                known &= split <= inside;
                start = split;
                inside = inside.max(split);
            }
        }
        if !known {
            path.push(self.range(start, end));
        }
        path.reverse();
        Some(path)
    }
}
