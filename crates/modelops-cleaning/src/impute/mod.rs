//! Filling in missing values: learned from the training part, applied to any part.

mod group;
mod iterative;
mod knn;
mod sequence;
mod simple;

pub use group::{FittedGroupImputer, GroupImputer};
pub use iterative::{FittedIterativeImputer, IterativeImputer};
pub use knn::{FittedKnnImputer, KnnImputer};
pub use sequence::{Gap, SequenceImputer};
pub use simple::{FittedSimpleImputer, SimpleImputer, Strategy};

use crate::dataset::{Role, Split};
use crate::error::FitError;

/// Refuses a part with another number of features than what was fitted on.
pub(crate) fn width<R: Role>(fitted: usize, part: &Split<R>) -> Result<(), FitError> {
    let found = part.x().ncols();
    if found == fitted {
        Ok(())
    } else {
        Err(FitError::Width { fitted, found })
    }
}

/// The bits of a number that groups rows; both zeros are one.
fn key(value: f64) -> u64 {
    (value + 0.0).to_bits()
}
