//! Rows and values far from the rest: learned from the training part, judged in any part.

mod fences;
mod forest;

pub use fences::{FittedOutlierFences, OutlierFences};
pub use forest::{FittedIsolationForest, IsolationForest};
