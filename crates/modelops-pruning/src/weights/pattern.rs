//! Which weights go.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::Mask;
use crate::error::PatternError;
use crate::kernel::counts::HighCounts;
use crate::kernel::lowest::{
    INFINITE, Lowest, Weight, first_not_finite, keep_above, keep_in_groups, keep_in_row, lowest_in_memory,
};
use crate::kernel::tiles::{block_scores, keep_transposable, spread_blocks};

/// Share of weights that are zero, 0 to 1.
///
/// # Example
/// ```
/// use modelops_pruning::weights::Sparsity;
///
/// assert_eq!(Sparsity::try_new(0.7)?.count(384), 269); // 268.8, rounded
/// assert!(Sparsity::try_new(1.5).is_err());
/// # Ok::<(), modelops_pruning::PatternError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Sparsity(f64);

impl Sparsity {
    /// Checks the range.
    ///
    /// # Errors
    /// [`PatternError::InvalidSparsity`] for NaN or a value outside 0 to 1.
    pub fn try_new(share: f64) -> Result<Self, PatternError> {
        if (0.0..=1.0).contains(&share) {
            Ok(Self(share))
        } else {
            Err(PatternError::InvalidSparsity)
        }
    }

    /// The share.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// Weights that go out of `weights`: the share of them, rounded to the nearest whole number, halves up.
    #[must_use]
    pub fn count(self, weights: u64) -> u64 {
        ((self.0 * weights as f64).round() as u64).min(weights)
    }
}

impl TryFrom<f64> for Sparsity {
    type Error = PatternError;
    fn try_from(share: f64) -> Result<Self, PatternError> {
        Self::try_new(share)
    }
}

impl From<Sparsity> for f64 {
    fn from(sparsity: Sparsity) -> Self {
        sparsity.0
    }
}

/// Weights that are masked at a time, where the pattern allows.
const CACHED: usize = 1 << 16;

/// Where a sparsity has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scope {
    /// In every row (the inputs of one output): no output loses more than another.
    Row,
    /// In every tensor.
    Tensor,
    /// Over all tensors together: layers with small weights lose more.
    Global,
}

/// Which weights go: the lowest saliencies under a constraint on where they may lie.
///
/// # Example
/// ```
/// use modelops_pruning::weights::Pattern;
/// use ndarray::array;
///
/// let mut weights = array![[0.1_f32, -3.0, 0.2, 2.0], [1.0, 1.0, 1.0, 1.0]];
/// let mask = Pattern::NM { keep: 2, group: 4 }.mask(weights.view())?;
/// mask.apply(weights.view_mut())?;
/// assert_eq!(weights, array![[0.0, -3.0, 0.0, 2.0], [0.0, 0.0, 1.0, 1.0]]); // of equals the first go
/// # Ok::<(), modelops_pruning::PatternError>(())
/// ```
#[doc(alias("semi_structured", "two_of_four", "unstructured"))]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Pattern {
    /// Anywhere in the scope.
    Unstructured {
        /// The share that goes.
        sparsity: Sparsity,
        /// Where it has to hold.
        scope: Scope,
    },
    /// Of every `group` neighbours in a row `keep` stay: 2 of 4 is what sparse tensor cores run. (Papers write N:M for
    /// N kept or for N zeros; here it is the number kept.)
    NM {
        /// How many stay.
        keep: usize,
        /// Out of how many.
        group: usize,
    },
    /// Whole blocks of `rows` × `columns` weights go, those with the smallest sum of squares first, in every tensor.
    Block {
        /// The share of blocks that goes.
        sparsity: Sparsity,
        /// Rows of a block.
        rows: usize,
        /// Columns of a block.
        columns: usize,
    },
    /// Of every `group` neighbours `keep` stay, along rows and along columns alike, so that the transposed matrix (as the
    /// backward pass reads it) fits the same hardware. In every tile the kept sum of squares is the largest possible.
    #[serde(rename = "transposable_nm")]
    TransposableNM {
        /// How many stay.
        keep: usize,
        /// Out of how many.
        group: usize,
    },
}

impl Pattern {
    /// Selects by |value|: give weights for magnitude pruning, or a saliency of your own.
    ///
    /// **Shape.** (outputs, inputs); rows and groups run along the inputs. One matrix is all that
    /// [`Scope::Global`] sees here; for several use [`Pattern::masks`].
    ///
    /// # Errors
    /// [`PatternError`] for a group that does not divide the row or a value that is not finite.
    ///
    /// # Complexity
    /// O(weights) time; one byte a weight.
    #[expect(clippy::missing_panics_doc, reason = "one matrix gives one mask")]
    pub fn mask(&self, saliency: ArrayView2<'_, f32>) -> Result<Mask, PatternError> {
        let mut masks = self.masks(&[saliency])?;
        Ok(masks.pop().expect("one matrix gives one mask"))
    }

    /// Selects over several matrices at once, which matters for [`Scope::Global`].
    ///
    /// # Errors
    /// As [`Pattern::mask`]; the index counts within the matrix that holds the value.
    #[expect(clippy::missing_panics_doc, reason = "a standard layout is a slice")]
    pub fn masks(&self, saliencies: &[ArrayView2<'_, f32>]) -> Result<Vec<Mask>, PatternError> {
        let flat: Vec<_> = saliencies.iter().map(|s| s.as_standard_layout()).collect();
        let flat: Vec<&[f32]> = flat
            .iter()
            .map(|s| s.as_slice().expect("the layout was made standard"))
            .collect();
        let damaged = |matrix: &[f32]| match first_not_finite(matrix) {
            Some(index) => Err(PatternError::NonFinite { index }),
            None => Ok(()),
        };
        let mut global = match *self {
            Self::Unstructured {
                sparsity,
                scope: Scope::Global,
            } => Some(lowest(&flat, sparsity)),
            _ => None,
        };
        if let Some(None) = global {
            flat.iter().try_for_each(|matrix| damaged(matrix))?;
        }
        let one = |(matrix, flat): (&ArrayView2<'_, f32>, &&[f32])| {
            let (rows, columns) = matrix.dim();
            self.check(rows, columns)?;
            let mut words = Vec::with_capacity(flat.len().div_ceil(64));
            let mut own_lowest;
            let mut own = match (*self, &mut global) {
                (
                    Self::Unstructured {
                        scope: Scope::Row, ..
                    },
                    _,
                ) => None,
                (Self::Unstructured { .. }, Some(Some(global))) => Some(global),
                (Self::Unstructured { sparsity, .. }, _) => match lowest(&[flat], sparsity) {
                    Some(lowest) => {
                        own_lowest = lowest;
                        Some(&mut own_lowest)
                    }
                    None => return Err(damaged(flat).err().unwrap_or(PatternError::InvalidSparsity)),
                },
                _ => None,
            };
            if let Self::Block { .. } = self {
                damaged(flat)?;
                let mut keep = vec![0_u8; flat.len()];
                self.select(flat, columns, &mut keep);
                return Ok(Mask::from_bytes(rows, columns, &keep));
            }
            // A band at a time stays in cache while it is read, masked and packed.
            let band = self.band_of(columns);
            let mut keep = vec![0_u8; band.min(flat.len())];
            for part in flat.chunks(band) {
                let keep = &mut keep[..part.len()];
                if let Some(lowest) = &mut own {
                    keep_above(part, lowest, keep);
                } else if !self.select_local(part, columns, keep) {
                    damaged(flat)?;
                }
                Mask::pack(keep, &mut words);
            }
            Ok(Mask::from_words(rows, columns, words))
        };
        saliencies.iter().zip(&flat).map(one).collect()
    }

    /// Whether rows, or bands of them, can be masked apart from each other.
    pub(crate) fn is_local(&self) -> bool {
        matches!(
            self,
            Self::Unstructured {
                scope: Scope::Row,
                ..
            } | Self::NM { .. }
                | Self::TransposableNM { .. }
        )
    }

    /// Weights in a band of whole rows, and of whole words of 64 weights, that fits into a cache.
    pub(crate) fn band_of(&self, columns: usize) -> usize {
        let least = (64 * self.band() * columns).max(1);
        least * (CACHED / least).max(1)
    }

    /// Masks whole bands of a local pattern; false where a weight is not finite.
    pub(crate) fn select_local(&self, part: &[f32], columns: usize, keep: &mut [u8]) -> bool {
        match *self {
            Self::Unstructured { sparsity, .. } => {
                let count = sparsity.count(columns as u64) as usize;
                let mut scratch = Vec::with_capacity(columns);
                let width = columns.max(1);
                part.chunks_exact(width)
                    .zip(keep.chunks_exact_mut(width))
                    .fold(true, |finite, (row, keep)| {
                        keep_in_row(row, count, &mut scratch, keep) && finite
                    })
            }
            Self::NM { keep: kept, group } => keep_in_groups(part, kept, group, keep),
            Self::TransposableNM { keep: kept, group } => keep_transposable(part, columns, kept, group, keep),
            Self::Block { .. } => true,
        }
    }

    /// Marks with 1 what stays of one finite matrix whose rows were checked; its own scope is all there is.
    pub(crate) fn select(&self, flat: &[f32], columns: usize, keep: &mut [u8]) {
        match *self {
            Self::Unstructured {
                sparsity,
                scope: Scope::Tensor | Scope::Global,
            } => {
                if let Some(mut lowest) = lowest(&[flat], sparsity) {
                    keep_above(flat, &mut lowest, keep);
                }
            }
            Self::Block {
                sparsity,
                rows,
                columns: width,
            } => {
                let mut scores = Vec::new();
                block_scores(flat, columns, [rows, width], &mut scores);
                spread_blocks(&blocks_kept(&scores, sparsity), columns, [rows, width], keep);
            }
            _ => {
                self.select_local(flat, columns, keep);
            }
        }
    }

    /// Weights that stay of a checked matrix whose own scope is all there is.
    pub(crate) fn kept(&self, rows: usize, columns: usize) -> u64 {
        let weights = (rows * columns) as u64;
        match *self {
            Self::Unstructured {
                sparsity,
                scope: Scope::Row,
            } => (columns as u64 - sparsity.count(columns as u64)) * rows as u64,
            Self::Unstructured { sparsity, .. } => weights - sparsity.count(weights),
            Self::NM { keep, group } | Self::TransposableNM { keep, group } => {
                weights / group as u64 * keep as u64
            }
            Self::Block {
                sparsity,
                rows,
                columns,
            } => {
                let size = (rows * columns) as u64;
                (weights / size - sparsity.count(weights / size)) * size
            }
        }
    }

    /// Rows that have to be seen together.
    pub(crate) fn band(&self) -> usize {
        match *self {
            Self::Block { rows, .. } => rows,
            Self::TransposableNM { group, .. } => group,
            _ => 1,
        }
    }

    /// Whether a matrix of this shape can be pruned this way.
    pub(crate) fn check(&self, rows: usize, columns: usize) -> Result<(), PatternError> {
        let divides = |group: usize, length: usize| {
            if length.is_multiple_of(group) {
                Ok(())
            } else {
                Err(PatternError::GroupDoesNotDivide {
                    columns: length,
                    group,
                })
            }
        };
        match *self {
            Self::NM { keep, group } | Self::TransposableNM { keep, group }
                if keep == 0 || keep > group || group > 64 =>
            {
                Err(PatternError::InvalidGroup { keep, group })
            }
            Self::NM { group, .. } => divides(group, columns),
            Self::TransposableNM { group, .. } => divides(group, columns).and_then(|()| divides(group, rows)),
            Self::Block {
                rows: height,
                columns: width,
                ..
            } => {
                if height == 0 || width == 0 {
                    return Err(PatternError::InvalidGroup {
                        keep: height,
                        group: width,
                    });
                }
                divides(width, columns).and_then(|()| divides(height, rows))
            }
            Self::Unstructured { .. } => Ok(()),
        }
    }
}

/// One flag per block.
pub(crate) fn blocks_kept(scores: &[f32], sparsity: Sparsity) -> Vec<u8> {
    let mut keep = vec![0; scores.len()];
    if let Some(mut lowest) = lowest(&[scores], sparsity) {
        keep_above(scores, &mut lowest, &mut keep);
    }
    keep
}

/// The bound over matrices in memory: a histogram of the high halves, then a partition of those in the one bucket where the
/// count is reached, which are few. `None` where a weight is not finite.
fn lowest(matrices: &[&[f32]], sparsity: Sparsity) -> Option<Lowest> {
    let weights: u64 = matrices.iter().map(|m| m.len() as u64).sum();
    let mut counts = HighCounts::new();
    for matrix in matrices {
        counts.count(matrix, f32::key);
    }
    let counts = counts.take();
    let finite = counts[(INFINITE >> 16) as usize..]
        .iter()
        .all(|count| *count == 0);
    finite.then(|| lowest_in_memory(&counts, sparsity.count(weights), matrices))
}
