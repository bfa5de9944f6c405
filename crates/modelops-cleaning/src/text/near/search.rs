//! The search: parameters and promise.

use super::signature::Hashers;
use super::{Banding, Comparison, NearError, NearIndex, Shingle};

/// Finds near duplicates at a promised recall.
///
/// Use it for documents that repeat each other with edits; for exact repetition a fingerprint is cheaper. Not for short
/// strings such as names: compare those by key or by edit distance.
///
/// Guarantees:
/// - **recall**: each pair whose Jaccard similarity is at or above the threshold is found with probability ≥ `recall`,
///   over the choice of the seed;
/// - **precision 1**: a pair is reported only after its similarity was computed exactly and reaches the threshold. Sets
///   hold 64-bit hashes of shingles: two different shingles of a pair with n shingles fall together with a chance
///   below n² 2⁻⁶⁵;
/// - **one result**: the same documents in the same order give the same links, in whatever batches and on any number of
///   threads.
///
/// Documents with equal shingle sets are linked to the first of them and not compared further, so that a page repeated a
/// million times costs a million look-ups, not their square. Pages that differ a little but share a band each, such as a
/// form letter with other names, do cost the square of their number.
#[doc(alias("MinHash", "LSH", "deduplicate"))]
#[derive(Debug, Clone)]
pub struct NearDuplicates {
    pub(super) threshold: f64,
    pub(super) recall: f64,
    pub(super) max_hashes: usize,
    pub(super) seed: u64,
    pub(super) shingle: Shingle,
    banding: Banding,
}

impl NearDuplicates {
    /// More hashes than this are never used.
    pub const MOST_HASHES: usize = 1 << 16;

    /// A search for pairs of Jaccard similarity ≥ `threshold`, in (0, 1], each found with probability ≥ `recall`, in
    /// (0, 1); shingles of five words, at most 128 hashes, seed 0.
    ///
    /// # Errors
    ///
    /// As [`Banding::solve`].
    pub fn new(threshold: f64, recall: f64) -> Result<Self, NearError> {
        Self::with_parameters(threshold, recall, 128, Shingle::Words(5))
    }

    pub(super) fn with_parameters(
        threshold: f64,
        recall: f64,
        max_hashes: usize,
        shingle: Shingle,
    ) -> Result<Self, NearError> {
        Ok(Self {
            threshold,
            recall,
            max_hashes,
            seed: 0,
            shingle: shingle.validated()?,
            banding: Banding::solve(threshold, recall, max_hashes)?,
        })
    }

    /// Compares sets of these shingles.
    ///
    /// # Errors
    ///
    /// [`NearError::ShingleSize`].
    pub fn with_shingle(mut self, shingle: Shingle) -> Result<Self, NearError> {
        self.shingle = shingle.validated()?;
        Ok(self)
    }

    /// Draws the hash functions from this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Allows signatures of up to this many hashes: more hashes, longer bands, fewer candidates to compare.
    ///
    /// # Errors
    ///
    /// [`NearError::Hashes`] where the promise cannot be kept with so few.
    pub fn with_max_hashes(mut self, max_hashes: usize) -> Result<Self, NearError> {
        let max_hashes = max_hashes.min(Self::MOST_HASHES);
        self.banding = Banding::solve(self.threshold, self.recall, max_hashes)?;
        self.max_hashes = max_hashes;
        Ok(self)
    }

    /// The bands and rows that keep the promise.
    #[must_use]
    pub fn banding(&self) -> Banding {
        self.banding
    }

    /// Indexes `documents` and links those that are near duplicates, on the threads of the current rayon pool.
    ///
    /// **Complexity**: O(shingles × hashes) time for signatures, plus the comparison of candidates; eight bytes a distinct
    /// shingle and twelve a band in memory.
    ///
    /// # Errors
    ///
    /// [`NearError::TooLarge`].
    pub fn find<S: AsRef<str> + Sync>(&self, documents: &[S]) -> Result<NearIndex, NearError> {
        let mut index = NearIndex::new(self.clone());
        index.add(documents)?;
        Ok(index)
    }

    /// Compares two texts shingle by shingle, as text and without hashing: why they are near, or are not.
    #[must_use]
    pub fn compare(&self, left: &str, right: &str) -> Comparison {
        Comparison::of(self.shingle, left, right)
    }

    pub(super) fn hashers(&self) -> Hashers {
        Hashers::new(self.banding, self.seed)
    }
}
