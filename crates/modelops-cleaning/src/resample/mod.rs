//! Balancing and enlarging a training part. Every row that comes out says where it came from.

mod jitter;
mod mixup;
mod random;
mod smote;

use ndarray::{Array2, ArrayView2};

pub use jitter::Jitter;
pub use mixup::{Mixed, Mixup};
pub use random::{RandomOverSampler, RandomUnderSampler};
pub use smote::Smote;

use crate::dataset::{Split, Train};
use crate::error::ResampleError;

/// Where a row of a resampled training part came from. Parents are rows of the training part that was resampled.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Origin {
    /// It is this row, as it was.
    Row(usize),
    /// It was made: `parents[0] + weight · (parents[1] − parents[0])`.
    Between {
        /// The two parents.
        parents: [usize; 2],
        /// How far from the first to the second, in [0, 1).
        weight: f64,
    },
    /// It is this row with noise added.
    Noisy {
        /// The parent.
        parent: usize,
        /// The seed of its noise.
        seed: u64,
    },
}

/// A training part with other rows. It is training data for good: there is no way back to a test part.
#[derive(Debug, Clone, PartialEq)]
pub struct Resampled {
    x: Array2<f64>,
    y: Vec<usize>,
    origins: Vec<Origin>,
    seed: u64,
}

impl Resampled {
    /// The features: rows × features.
    #[must_use]
    pub fn x(&self) -> ArrayView2<'_, f64> {
        self.x.view()
    }

    /// A label for each row.
    #[must_use]
    pub fn y(&self) -> &[usize] {
        &self.y
    }

    /// Where each row came from.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// The seed that makes the same rows again.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    fn gather(train: &Split<Train>, made: Vec<(usize, Origin, Vec<f64>)>, seed: u64) -> Self {
        let d = train.x().ncols();
        let mut values = Vec::with_capacity(made.len() * d);
        let (mut y, mut origins) = (Vec::new(), Vec::new());
        for (label, origin, mut row) in made {
            y.push(label);
            origins.push(origin);
            values.append(&mut row);
        }
        Self {
            x: Array2::from_shape_vec((y.len(), d), values).expect("every row has d features"),
            y,
            origins,
            seed,
        }
    }
}

/// Rows of each class, in order; classes without a row are empty.
fn members(train: &Split<Train>) -> Result<Vec<Vec<usize>>, ResampleError> {
    let mut members = vec![Vec::new(); train.classes().len()];
    for (row, &label) in train.y().iter().enumerate() {
        members[label].push(row);
    }
    if members.iter().filter(|rows| !rows.is_empty()).count() < 2 {
        return Err(ResampleError::OneClass);
    }
    Ok(members)
}

fn finite(train: &Split<Train>) -> Result<(), ResampleError> {
    match train.x().indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((row, feature), _)) => Err(ResampleError::NotFinite { row, feature }),
    }
}

fn as_they_are(train: &Split<Train>) -> Vec<(usize, Origin, Vec<f64>)> {
    train
        .x()
        .rows()
        .into_iter()
        .enumerate()
        .map(|(row, values)| (train.y()[row], Origin::Row(row), values.to_vec()))
        .collect()
}
