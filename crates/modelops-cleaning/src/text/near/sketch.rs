//! What is kept of a document where its text stays elsewhere.

use super::NearDuplicates;
use super::shingle::Scratch;
use super::signature::Hashers;

/// Turns documents into sets and band keys, as an index does.
pub(crate) struct Sketcher {
    search: NearDuplicates,
    hashers: Hashers,
    scratch: Scratch,
}

impl Sketcher {
    pub(crate) fn new(search: &NearDuplicates) -> Self {
        Self {
            search: search.clone(),
            hashers: search.hashers(),
            scratch: Scratch::default(),
        }
    }

    /// The ascending set of shingles, and one key a band; no key for an empty set.
    pub(crate) fn sketch(&mut self, text: &str) -> (Vec<u64>, Vec<u64>) {
        let set = self.search.shingle.set(text, &mut self.scratch);
        let keys = if set.is_empty() {
            Vec::new()
        } else {
            self.hashers.band_keys(&set)
        };
        (set, keys)
    }
}

impl NearDuplicates {
    /// The Jaccard similarity of sets of `a` and `b` shingles that share some, where it reaches the threshold.
    pub(crate) fn jaccard_of(&self, shared: u64, a: u64, b: u64) -> Option<f64> {
        let union = a.checked_add(b)?.checked_sub(shared).filter(|union| *union > 0)?;
        let jaccard = shared as f64 / union as f64;
        (jaccard >= self.threshold).then_some(jaccard)
    }
}
