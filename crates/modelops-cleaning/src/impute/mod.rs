//! Filling in missing values: learned from the training part, applied to any part.

mod simple;

pub use simple::{FittedSimpleImputer, SimpleImputer, Strategy};
