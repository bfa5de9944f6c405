//! Filling in missing values: learned from the training part, applied to any part.

mod iterative;
mod knn;
mod simple;

pub use iterative::{FittedIterativeImputer, IterativeImputer};
pub use knn::{FittedKnnImputer, KnnImputer};
pub use simple::{FittedSimpleImputer, SimpleImputer, Strategy};
