//! The documents seen so far, their candidates and their verified links.

use super::links::jaccard_from;
use super::shingle::Scratch;
use super::signature::Hashers;
use super::{Clusters, Link, Linkage, NearDuplicates, NearError};
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Documents whose signatures are computed together; links do not depend on it.
const BLOCK: usize = 8192;

/// Documents that can be added to, saved, opened and asked for their clusters.
///
/// Adding A and then B gives the same index as adding A and B at once: ids are given in the order of arrival, and the
/// links of a document are decided against all that came before it.
#[derive(Debug, Clone)]
pub struct NearIndex {
    search: NearDuplicates,
    hashers: Hashers,
    /// For each document the first one with the same set: itself, unless it repeats another.
    pub(super) originals: Vec<u32>,
    /// For each document where its set ends in `shingles`; a repetition has none of its own.
    ends: Vec<usize>,
    shingles: Vec<u64>,
    by_sum: KeyMap,
    bands: Vec<Band>,
    links: Vec<Link>,
}

impl NearIndex {
    /// An index without documents.
    #[must_use]
    pub fn new(search: NearDuplicates) -> Self {
        Self {
            hashers: search.hashers(),
            originals: Vec::new(),
            ends: Vec::new(),
            shingles: Vec::new(),
            by_sum: KeyMap::default(),
            bands: vec![Band::default(); search.banding().bands()],
            links: Vec::new(),
            search,
        }
    }

    /// Adds documents, on the threads of the current rayon pool; the first gets the id [`len`](Self::len).
    ///
    /// # Errors
    ///
    /// [`NearError::TooLarge`] for more than 2³² − 1 documents; those before the limit stay added.
    pub fn add<S: AsRef<str> + Sync>(&mut self, documents: &[S]) -> Result<(), NearError> {
        for block in documents.chunks(BLOCK) {
            let shingle = self.search.shingle;
            let sets: Vec<Vec<u64>> = block
                .par_iter()
                .map_init(Scratch::default, |scratch, text| {
                    shingle.set(text.as_ref(), scratch)
                })
                .collect();
            self.add_sets(&sets)?;
        }
        Ok(())
    }

    /// Adds documents given by their sets; a set is what the file keeps of a document.
    pub(super) fn add_sets(&mut self, sets: &[Vec<u64>]) -> Result<(), NearError> {
        let limit = u32::MAX as usize;
        let first = self.len();
        if limit - first < sets.len() || sets.iter().any(|set| set.len() >= limit) {
            return Err(NearError::TooLarge { limit });
        }
        for set in sets {
            self.push_set(set);
        }
        // Only originals that have shingles can be candidates of one another.
        let fresh: Vec<u32> = (first as u32..self.len() as u32)
            .filter(|&id| self.originals[id as usize] == id && !self.set(id as usize).is_empty())
            .collect();
        let keys: Vec<Vec<u64>> = fresh
            .par_iter()
            .map(|&id| self.hashers.band_keys(self.set(id as usize)))
            .collect();
        let mut candidates: Vec<(u32, u32)> = self
            .bands
            .par_iter_mut()
            .enumerate()
            .flat_map_iter(|(band, table)| {
                let mut pairs = Vec::new();
                for (&id, keys) in fresh.iter().zip(&keys) {
                    table.candidates_then_insert(keys[band], id, &mut pairs);
                }
                pairs
            })
            .collect();
        candidates.par_sort_unstable();
        candidates.dedup();
        let threshold = self.search.threshold;
        let mut found: Vec<Link> = candidates
            .par_iter()
            .filter_map(|&(later, earlier)| {
                let (earlier, later) = (earlier as usize, later as usize);
                jaccard_from(self.set(earlier), self.set(later), threshold).map(|jaccard| Link {
                    earlier,
                    later,
                    jaccard,
                })
            })
            .collect();
        found.extend(
            (first..self.len())
                .filter(|&id| self.originals[id] as usize != id)
                .map(|id| Link {
                    earlier: self.originals[id] as usize,
                    later: id,
                    jaccard: 1.0,
                }),
        );
        found.sort_unstable_by_key(|link| (link.later, link.earlier));
        self.links.append(&mut found);
        Ok(())
    }

    fn push_set(&mut self, set: &[u64]) {
        let id = self.len() as u32;
        let sum = set.iter().fold(0, |sum: u64, &x| sum.wrapping_add(x));
        let original = match self.by_sum.get(&sum) {
            Some(&first) if self.set(first as usize) == set && !set.is_empty() => first,
            _ => {
                if !set.is_empty() {
                    self.by_sum.entry(sum).or_insert(id);
                }
                self.shingles.extend_from_slice(set);
                id
            }
        };
        self.originals.push(original);
        self.ends.push(self.shingles.len());
    }

    /// The ascending set of a document; of a repetition, nothing: ask its original.
    pub(super) fn set(&self, id: usize) -> &[u64] {
        let begin = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.shingles[begin..self.ends[id]]
    }

    /// Number of documents.
    #[must_use]
    pub fn len(&self) -> usize {
        self.originals.len()
    }

    /// Whether no document was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
    }

    /// The parameters of the index.
    #[must_use]
    pub fn search(&self) -> &NearDuplicates {
        &self.search
    }

    /// The verified links, by later and then earlier document.
    ///
    /// A document whose set repeats that of an earlier one has exactly one link, of similarity 1, to the first with that
    /// set; its other pairs are those of that original.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether two documents were found to be near duplicates: linked themselves, or through the originals that they
    /// repeat.
    ///
    /// # Panics
    ///
    /// If an id is not below [`len`](Self::len).
    #[must_use]
    pub fn are_linked(&self, a: usize, b: usize) -> bool {
        let (a, b) = (self.originals[a] as usize, self.originals[b] as usize);
        let pair = (a.max(b), a.min(b));
        (a == b && !self.set(a).is_empty())
            || self
                .links
                .binary_search_by_key(&pair, |link| (link.later, link.earlier))
                .is_ok()
    }

    /// Groups the documents and keeps the first of each group.
    #[must_use]
    pub fn clusters(&self, linkage: Linkage) -> Clusters {
        Clusters::of(self.len(), &self.links, linkage)
    }
}

/// One band: for each key the last document that had it, for each document the one before it with the same key.
#[derive(Debug, Clone, Default)]
struct Band {
    last: KeyMap,
    /// Indexed by document; `NONE` where it is the first. Documents without signature leave a hole.
    previous: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Band {
    fn candidates_then_insert(&mut self, key: u64, id: u32, pairs: &mut Vec<(u32, u32)>) {
        let head = self.last.insert(key, id).unwrap_or(NONE);
        self.previous.resize(id as usize, NONE);
        self.previous.push(head);
        let mut earlier = head;
        while earlier != NONE {
            pairs.push((id, earlier));
            earlier = self.previous[earlier as usize];
        }
    }
}

type KeyMap = HashMap<u64, u32, BuildHasherDefault<KeyHasher>>;

/// The keys are hashes already.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }
}
