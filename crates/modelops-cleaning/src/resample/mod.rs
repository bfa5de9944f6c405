//! Balancing and enlarging a training part. Every row that comes out says where it came from.

mod adasyn;
mod borderline;
mod edited;
mod jitter;
mod mixup;
mod nominal;
mod random;
mod smote;
mod tomek;

use ndarray::{Array2, ArrayView2};

pub use adasyn::Adasyn;
pub use borderline::BorderlineSmote;
pub use edited::{Agreement, EditedNearestNeighbours};
pub use jitter::Jitter;
pub use mixup::{Mixed, Mixup};
pub use nominal::SmoteNc;
pub use random::{RandomOverSampler, RandomUnderSampler};
pub use smote::Smote;
pub use tomek::TomekLinks;

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

    /// The seed that makes the same rows again; zero where nothing was drawn.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

/// The rows of a resampled part while it grows.
struct Rows<'a> {
    train: &'a Split<Train>,
    values: Vec<f64>,
    y: Vec<usize>,
    origins: Vec<Origin>,
}

impl<'a> Rows<'a> {
    fn none(train: &'a Split<Train>) -> Self {
        Self {
            train,
            values: Vec::new(),
            y: Vec::new(),
            origins: Vec::new(),
        }
    }

    /// Every row as it is, with room for `more`.
    fn all(train: &'a Split<Train>, more: usize) -> Self {
        let n = train.y().len();
        let mut rows = Self {
            train,
            values: Vec::with_capacity((n + more) * train.x().ncols()),
            y: Vec::with_capacity(n + more),
            origins: Vec::with_capacity(n + more),
        };
        rows.values.extend(train.x());
        rows.y.extend(train.y());
        rows.origins.extend((0..n).map(Origin::Row));
        rows
    }

    fn push(&mut self, label: usize, origin: Origin, values: impl IntoIterator<Item = f64>) {
        self.values.extend(values);
        self.y.push(label);
        self.origins.push(origin);
    }

    /// A row as it is.
    fn repeat(&mut self, row: usize) {
        let train = self.train;
        let values = train.x();
        self.push(train.y()[row], Origin::Row(row), values.row(row).iter().copied());
    }

    /// A row of the first parent's class on the segment between two rows.
    fn between(&mut self, parents: [usize; 2], weight: f64) {
        let train = self.train;
        let values = train.x();
        let ends = parents.map(|row| values.row(row));
        let made = ends[0].iter().zip(ends[1]).map(|(a, b)| a + weight * (b - a));
        self.push(train.y()[parents[0]], Origin::Between { parents, weight }, made);
    }

    fn finish(self, seed: u64) -> Resampled {
        let shape = (self.y.len(), self.train.x().ncols());
        Resampled {
            x: Array2::from_shape_vec(shape, self.values).expect("every row has all features"),
            y: self.y,
            origins: self.origins,
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

/// The classes that need rows to be as large as the largest, with their rows and how many they need.
fn smaller(members: &[Vec<usize>]) -> impl Iterator<Item = (usize, &[usize], usize)> {
    let largest = members.iter().map(Vec::len).max().unwrap_or(0);
    let classes = members.iter().map(Vec::as_slice).enumerate();
    classes
        .map(move |(label, rows)| (label, rows, largest - rows.len()))
        .filter(|(_, rows, wanted)| !rows.is_empty() && *wanted > 0)
}

/// The class with the fewest rows, the first of equals.
fn smallest(members: &[Vec<usize>]) -> usize {
    let present = (0..members.len()).filter(|&label| !members[label].is_empty());
    present.min_by_key(|&label| members[label].len()).unwrap_or(0)
}

fn enough(class: usize, rows: usize, neighbours: usize) -> Result<(), ResampleError> {
    if rows > neighbours {
        return Ok(());
    }
    Err(ResampleError::TooFewRows {
        class,
        rows,
        neighbours,
    })
}

fn at_least_one(neighbours: usize) -> Result<usize, ResampleError> {
    if neighbours == 0 {
        return Err(ResampleError::Parameter { value: 0.0 });
    }
    Ok(neighbours)
}

fn finite(train: &Split<Train>) -> Result<(), ResampleError> {
    match train.x().indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((row, feature), _)) => Err(ResampleError::NotFinite { row, feature }),
    }
}
