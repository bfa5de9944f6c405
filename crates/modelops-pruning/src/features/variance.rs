//! Spread of a feature, without any target.

use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;
use crate::kernel::moments::grouped;

/// Population variance of every feature; with [`Select::Above`](crate::features::Select::Above)`(0.0)` it drops
/// constant ones.
///
/// **Errors.** [`FeatureError::NonFinite`]. **Complexity.** O(rows · features) time, one pass over memory.
/// **Numerics.** Exact to 1e-12 whatever the offset; exactly 0 for a constant feature.
///
/// # Example
/// ```
/// use modelops_pruning::features::{Samples, ScoreFunction, Target, Variance};
/// use ndarray::array;
///
/// let x = array![[1.0, 7.0], [3.0, 7.0]];
/// let samples = Samples::all(x.view(), Target::None)?;
/// assert_eq!(Variance.score(&samples)?.statistics(), [1.0, 0.0]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
#[doc(alias = "VarianceThreshold")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Variance;

impl ScoreFunction for Variance {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let moments = grouped(samples.flat(), samples.features(), 1, |_| 0);
        if moments.squares.iter().any(|square| !square.is_finite()) {
            samples.require_finite()?;
        }
        let rows = samples.rows() as f64;
        Ok(Scores::new(
            moments.squares.iter().map(|square| square / rows).collect(),
        ))
    }
}
