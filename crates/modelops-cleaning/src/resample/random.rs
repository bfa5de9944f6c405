//! Repeating rows of small classes, or leaving out rows of large ones.

use crate::dataset::{Split, Train};
use crate::error::ResampleError;
use crate::kernel::random::{below, generator};
use crate::resample::{Origin, Resampled, as_they_are, members};

/// Repeats rows of every smaller class until all classes are as large as the largest.
///
/// Adds no information, and overfits more easily than [`Smote`](crate::Smote); but it takes any features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RandomOverSampler;

impl RandomOverSampler {
    /// The training part, followed by repeated rows in class order.
    ///
    /// # Errors
    /// [`ResampleError::OneClass`].
    pub fn fit_resample(&self, train: &Split<Train>, seed: u64) -> Result<Resampled, ResampleError> {
        let members = members(train)?;
        let largest = members.iter().map(Vec::len).max().unwrap_or(0);
        let mut generator = generator(seed);
        let mut rows = as_they_are(train);
        for (label, members) in members.iter().enumerate().filter(|(_, m)| !m.is_empty()) {
            for _ in members.len()..largest {
                let row = members[below(&mut generator, members.len())];
                rows.push((label, Origin::Row(row), train.x().row(row).to_vec()));
            }
        }
        Ok(Resampled::gather(train, rows, seed))
    }
}

/// Leaves out rows of every larger class until all classes are as small as the smallest that has rows.
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
        let rows = as_they_are(train)
            .into_iter()
            .zip(kept)
            .filter_map(|(row, kept)| kept.then_some(row))
            .collect();
        Ok(Resampled::gather(train, rows, seed))
    }
}
