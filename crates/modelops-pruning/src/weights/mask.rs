//! An explicit mask.

use ndarray::ArrayViewMut2;

use crate::error::PatternError;

/// Which weights of a matrix stay, one bit each.
///
/// A mask says more than `weight == 0.0`: a kept weight may be zero, and may become zero when it is rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    rows: usize,
    columns: usize,
    words: Vec<u64>,
}

impl Mask {
    /// From one byte per weight, 1 where it stays.
    pub(crate) fn from_bytes(rows: usize, columns: usize, keep: &[u8]) -> Self {
        // Eight bytes of 0 or 1 times this number put their bits next to each other in the highest byte.
        const GATHER: u64 = 0x0102_0408_1020_4080;
        let word = |bytes: &[u8]| {
            let mut wide = [0_u8; 64];
            wide[..bytes.len()].copy_from_slice(bytes);
            let eights = wide.as_chunks::<8>().0.iter().rev();
            eights.fold(0_u64, |word, eight| {
                word << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56
            })
        };
        Self {
            rows,
            columns,
            words: keep.chunks(64).map(word).collect(),
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
        for (at, weight) in weights.iter_mut().enumerate() {
            if self.words[at / 64] >> (at % 64) & 1 == 0 {
                *weight = 0.0;
            }
        }
        Ok(())
    }
}
