//! An explicit mask.

use multiversion::multiversion;
use ndarray::ArrayViewMut2;

use crate::error::PatternError;

/// Which weights of a matrix stay, one bit each.
///
/// A mask says more than `weight == 0.0`: a kept weight may be zero, and may become zero when it is rounded.
#[doc(alias = "sparsity_mask")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    rows: usize,
    columns: usize,
    words: Vec<u64>,
}

impl Mask {
    /// From one byte per weight, 1 where it stays.
    pub(crate) fn from_bytes(rows: usize, columns: usize, keep: &[u8]) -> Self {
        let mut words = Vec::with_capacity(keep.len().div_ceil(64));
        Self::pack(keep, &mut words);
        Self::from_words(rows, columns, words)
    }

    /// From words that [`Mask::pack`] has made.
    pub(crate) fn from_words(rows: usize, columns: usize, words: Vec<u64>) -> Self {
        Self { rows, columns, words }
    }

    /// Appends bytes of 0 or 1 as bits; what is appended later starts a word of its own.
    pub(crate) fn pack(keep: &[u8], words: &mut Vec<u64>) {
        // Eight bytes of 0 or 1 times this number put their bits next to each other in the highest byte.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let word = |bytes: &[u8; 64]| {
            let eights = bytes.as_chunks::<8>().0.iter().rev();
            eights.fold(0_u64, |word, eight| {
                word << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56
            })
        };
        let (wholes, rest) = keep.as_chunks::<64>();
        words.extend(wholes.iter().map(word));
        if !rest.is_empty() {
            let mut wide = [0_u8; 64];
            wide[..rest.len()].copy_from_slice(rest);
            words.push(word(&wide));
        }
    }

    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        [self.rows, self.columns]
    }

    /// Whether the weight at (row, column) stays.
    ///
    /// # Panics
    /// Outside the shape.
    #[must_use]
    pub fn is_kept(&self, row: usize, column: usize) -> bool {
        assert!(
            row < self.rows && column < self.columns,
            "position is inside the shape"
        );
        let at = row * self.columns + column;
        self.words[at / 64] >> (at % 64) & 1 == 1
    }

    /// Number of weights that stay.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Number of weights that go.
    #[must_use]
    pub fn pruned(&self) -> usize {
        self.rows * self.columns - self.kept()
    }

    /// Writes +0 over every weight that goes.
    ///
    /// # Errors
    /// [`PatternError::Shape`] where the weights have another shape.
    pub fn apply(&self, mut weights: ArrayViewMut2<'_, f32>) -> Result<(), PatternError> {
        let (rows, columns) = weights.dim();
        if self.shape() != [rows, columns] {
            return Err(PatternError::Shape {
                expected: self.shape(),
                found: [rows, columns],
            });
        }
        if let Some(weights) = weights.as_slice_mut() {
            clear(weights, &self.words);
            return Ok(());
        }
        for (at, weight) in weights.iter_mut().enumerate() {
            if self.words[at / 64] >> (at % 64) & 1 == 0 {
                *weight = 0.0;
            }
        }
        Ok(())
    }
}

/// +0 where the bit is clear.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
fn clear(weights: &mut [f32], words: &[u64]) {
    for (part, word) in weights.chunks_mut(64).zip(words) {
        for (half, bits) in part.chunks_mut(32).zip([*word as u32, (*word >> 32) as u32]) {
            for (bit, weight) in half.iter_mut().enumerate() {
                let all = 0_u32.wrapping_sub(bits >> bit & 1);
                *weight = f32::from_bits(weight.to_bits() & all);
            }
        }
    }
}
