//! Filling in missing values: learned from the training part, applied to any part.

mod knn;
mod simple;

pub use knn::{FittedKnnImputer, KnnImputer};
pub use simple::{FittedSimpleImputer, SimpleImputer, Strategy};
