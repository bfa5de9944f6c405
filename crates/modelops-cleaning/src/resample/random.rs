//! Repeating rows of small classes, or leaving out rows of large ones.

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::random::{below, generator};
use crate::resample::{Resampled, Rows, members, smaller};

/// Repeats rows of every smaller class until all classes are as large as the largest.
///
/// Adds no information, and overfits more easily than [`Smote`](crate::Smote); but it takes any features.
#[doc(alias = "oversampling")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RandomOverSampler;

impl RandomOverSampler {
    /// The training part, followed by repeated rows in class order.
    ///
    /// # Errors
    /// [`ResampleError::OneClass`].
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        let members = members(train)?;
        let mut generator = generator(seed);
        let mut rows = Rows::all(train, smaller(&members).map(|(.., wanted)| wanted).sum());
        for (_, members, wanted) in smaller(&members) {
            for _ in 0..wanted {
                rows.repeat(members[below(&mut generator, members.len())]);
            }
        }
        Ok(rows.finish(seed))
    }
}

/// Leaves out rows of every larger class until all classes are as small as the smallest that has rows.
#[doc(alias = "undersampling")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RandomUnderSampler;

impl RandomUnderSampler {
    /// The rows that stay, in their order.
    ///
    /// # Errors
    /// [`ResampleError::OneClass`].
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        let members = members(train)?;
        let smallest = members.iter().map(Vec::len).filter(|&n| n > 0).min().unwrap_or(0);
        let mut generator = generator(seed);
        let mut kept = vec![false; train.y().len()];
        for mut members in members {
            for i in 0..smallest.min(members.len()) {
                let j = i + below(&mut generator, members.len() - i);
                members.swap(i, j);
                kept[members[i]] = true;
            }
        }
        let mut rows = Rows::none(train);
        (0..kept.len())
            .filter(|&row| kept[row])
            .for_each(|row| rows.repeat(row));
        Ok(rows.finish(seed))
    }
}
