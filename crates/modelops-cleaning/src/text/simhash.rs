//! SimHash: 64 bits for a document, near documents differ in few of them.

use super::near::shingle::{Scratch, mix};
use super::near::{NearError, Shingle};
use thiserror::Error;

/// Fingerprints documents by the majority of each bit over the hashes of their shingles.
///
/// Use it where eight bytes a document must do, or where fingerprints are exchanged; for a promise in terms of the
/// documents themselves use [`near`](super::near), since the distance of two fingerprints only estimates the angle between
/// the documents.
///
/// **Reference**: M. Charikar, Similarity estimation techniques from rounding algorithms, 2002, doi:10.1145/509907.509965.
///
/// # Example
///
/// ```
/// use modelops_cleaning::text::{near::Shingle, simhash::SimHasher};
/// let hasher = SimHasher::new(Shingle::Words(1))?;
/// let a = hasher.fingerprint("one two three");
/// assert_eq!(hasher.fingerprint("Three, two: one!"), a); // the same set of words
/// assert_eq!(hasher.fingerprint("?"), 0); // no word, no bit
/// # Ok::<(), modelops_cleaning::text::near::NearError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SimHasher {
    shingle: Shingle,
}

impl SimHasher {
    /// Fingerprints sets of these shingles.
    ///
    /// # Errors
    ///
    /// [`NearError::ShingleSize`].
    pub fn new(shingle: Shingle) -> Result<Self, NearError> {
        Ok(Self {
            shingle: shingle.validated()?,
        })
    }

    /// The fingerprint; bit i is one where more than half of the distinct shingles have bit i in their hash.
    #[must_use]
    pub fn fingerprint(&self, text: &str) -> u64 {
        let set = self.shingle.set(text, &mut Scratch::default());
        let mut ones = [0u32; 64];
        for &shingle in &set {
            let hash = mix(shingle);
            for (bit, count) in ones.iter_mut().enumerate() {
                *count += (hash >> bit) as u32 & 1;
            }
        }
        ones.iter().rev().fold(0, |bits, &count| {
            (bits << 1) | u64::from(2 * count as usize > set.len())
        })
    }
}

/// A distance that no table can serve.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SimHashError {
    /// More than [`SimHashIndex::MOST_BITS`] bits.
    #[error("a distance of {bits} bits: ask for at most {most}, or every document is a candidate", most = SimHashIndex::MOST_BITS)]
    Distance {
        /// What was asked for.
        bits: u32,
    },
}

/// Finds every earlier fingerprint within k bits.
///
/// The 64 bits are cut into k + 1 blocks; two fingerprints within k bits agree on one block at least, so looking up each
/// block misses nothing, and counting the differing bits of what is found reports nothing else.
///
/// **Complexity**: k + 1 look-ups and about n (k + 1) 2^(−64/(k + 1)) comparisons a query among n random fingerprints.
///
/// **Reference**: G. Manku, A. Jain and A. Das Sarma, Detecting near-duplicates for web crawling, 2007,
/// doi:10.1145/1242572.1242592.
///
/// # Example
///
/// ```
/// use modelops_cleaning::text::simhash::SimHashIndex;
/// let mut index = SimHashIndex::new(2)?;
/// index.insert(0b0000);
/// index.insert(0b0111);
/// assert_eq!(index.within(0b0001), [(0, 1), (1, 2)]); // (which, bits that differ)
/// # Ok::<(), modelops_cleaning::text::simhash::SimHashError>(())
/// ```
#[derive(Debug, Clone)]
pub struct SimHashIndex {
    distance: u32,
    fingerprints: Vec<u64>,
    /// For each block the fingerprints by the block's bits.
    tables: Vec<std::collections::BTreeMap<u64, Vec<usize>>>,
}

impl SimHashIndex {
    /// The largest distance: blocks of four bits.
    pub const MOST_BITS: u32 = 15;

    /// An index for pairs that differ in at most `distance` bits.
    ///
    /// # Errors
    ///
    /// [`SimHashError::Distance`].
    pub fn new(distance: u32) -> Result<Self, SimHashError> {
        if distance > Self::MOST_BITS {
            return Err(SimHashError::Distance { bits: distance });
        }
        Ok(Self {
            distance,
            fingerprints: Vec::new(),
            tables: vec![std::collections::BTreeMap::new(); distance as usize + 1],
        })
    }

    /// Adds a fingerprint; the first is number 0.
    pub fn insert(&mut self, fingerprint: u64) {
        let number = self.fingerprints.len();
        self.fingerprints.push(fingerprint);
        for block in 0..self.tables.len() {
            let key = self.block(fingerprint, block);
            self.tables[block].entry(key).or_default().push(number);
        }
    }

    /// The numbers of all fingerprints within the distance, ascending, each with the count of bits that differ.
    #[must_use]
    pub fn within(&self, fingerprint: u64) -> Vec<(usize, u32)> {
        let mut found: Vec<(usize, u32)> = (0..self.tables.len())
            .filter_map(|block| self.tables[block].get(&self.block(fingerprint, block)))
            .flatten()
            .map(|&number| (number, (self.fingerprints[number] ^ fingerprint).count_ones()))
            .filter(|&(_, bits)| bits <= self.distance)
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn block(&self, fingerprint: u64, block: usize) -> u64 {
        let blocks = self.tables.len();
        let (begin, end) = (64 * block / blocks, 64 * (block + 1) / blocks);
        (fingerprint >> begin) & (u64::MAX >> (64 - (end - begin)))
    }
}
