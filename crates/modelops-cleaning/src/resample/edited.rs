//! Rows that their neighbours would not have guessed.

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::neighbours::nearest;
use crate::resample::{Resampled, Rows, at_least_one, enough, finite, members, smallest};

/// Which of a row's neighbours must be of its class for it to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Agreement {
    /// Every one.
    #[default]
    All,
    /// More than of any other class; of equally frequent classes the first in order counts.
    Most,
}

/// Leaves out rows whose nearest rows are of other classes: noise, and the borders of classes that overlap.
///
/// Rows of the smallest class stay. Where distances are equal, the earlier row is the nearer one.
///
/// # References
/// Wilson, "Asymptotic Properties of Nearest Neighbor Rules Using Edited Data", 1972,
/// doi:10.1109/TSMC.1972.4309137.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, EditedNearestNeighbours, Origin, Split, Train};
/// use ndarray::array;
///
/// let x = array![[0.0], [1.0], [2.0], [2.9], [3.0], [3.2]];
/// let classes = vec!["many".to_string(), "few".to_string()];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0, 0, 0, 0, 1, 1], classes)?);
/// let left = EditedNearestNeighbours::new(2)?.fit_resample(&train)?;
/// // 2.0 has a neighbour in 2.9 and one in 3.0 or 1.0, which are as far; 2.9 is among the few.
/// assert_eq!(left.origins(), [0, 1, 2, 4, 5].map(Origin::Row));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EditedNearestNeighbours {
    neighbours: usize,
    agreement: Agreement,
}

impl Default for EditedNearestNeighbours {
    /// Three neighbours, all of which must agree.
    fn default() -> Self {
        Self {
            neighbours: 3,
            agreement: Agreement::All,
        }
    }
}

impl EditedNearestNeighbours {
    /// Asks `neighbours` nearest rows.
    ///
    /// # Errors
    /// [`ResampleError::Parameter`] for zero.
    pub fn new(neighbours: usize) -> Result<Self, ResampleError> {
        Ok(Self {
            neighbours: at_least_one(neighbours)?,
            agreement: Agreement::All,
        })
    }

    /// Which of them must agree.
    #[must_use]
    pub fn with_agreement(mut self, agreement: Agreement) -> Self {
        self.agreement = agreement;
        self
    }

    /// The rows that stay, in their order.
    ///
    /// # Errors
    /// [`ResampleError::NotFinite`], [`ResampleError::OneClass`] and [`ResampleError::TooFewRows`].
    pub fn fit_resample(&self, train: &Split<Train>) -> Result<Resampled, ResampleError> {
        finite(train)?;
        let spared = smallest(&members(train)?);
        enough(spared, train.y().len(), self.neighbours)?;
        let near = nearest(train.x(), self.neighbours);
        let y = train.y();
        let mut rows = Rows::none(train);
        let mut votes = vec![0usize; train.classes().len()];
        for (row, near) in near.chunks(self.neighbours).enumerate() {
            votes.fill(0);
            near.iter().for_each(|&other| votes[y[other as usize]] += 1);
            let most = votes.iter().copied().max().unwrap_or(0);
            let agreed = match self.agreement {
                Agreement::All => votes[y[row]] == self.neighbours,
                Agreement::Most => votes.iter().position(|&v| v == most) == Some(y[row]),
            };
            if agreed || y[row] == spared {
                rows.repeat(row);
            }
        }
        Ok(rows.finish(0))
    }
}
