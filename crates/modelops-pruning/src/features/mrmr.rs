//! Features that tell about the target and not the same as each other.

use super::correlation::correlate;
use super::f_test::centred;
use super::{Picks, Samples, ScoreFunction};
use crate::error::FeatureError;

/// A redundancy below this does not raise a quotient any further, so that chance cannot outweigh relevance.
const LEAST_REDUNDANCY: f64 = 1e-3;

/// How relevance is set against redundancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Tradeoff {
    /// Relevance / redundancy, for relevances on any scale, such as F. A redundancy below 0.001 counts as 0.001.
    #[default]
    Quotient,
    /// Relevance − redundancy, for relevances from 0 to about 1, such as [`Pearson`](crate::features::Pearson).
    Difference,
}

/// Picks features one by one: each the most relevant for its redundancy with those picked before (mRMR).
///
/// Use it where features repeat each other, which a score alone does not see; [`Fcbf`](crate::features::Fcbf) decides the
/// number of features by itself, for codes.
///
/// **Formula.** The first pick has the greatest relevance R. Each further one has the greatest R(f) / D(f), or R(f) − D(f):
/// D(f) is the mean of |r(f, s)| over the features s picked so far, r their correlation on the training rows.
///
/// **Errors.** Those of the relevance; [`FeatureError::Parameter`] for no feature to keep; [`FeatureError::NonFinite`].
///
/// **Complexity.** That of the relevance, and O(rows · features) per pick; O(features) space beside a column.
///
/// **Numerics.** On a tie the lower index. A feature without a relevance (NaN) is never picked, so that fewer may be.
///
/// # Example
/// The second column is the first again: the third tells half as much of the target, and nothing of the first.
/// ```
/// use modelops_pruning::features::{Mrmr, Pearson, Samples, Target};
/// use ndarray::array;
///
/// let x = array![[1.0, 1.0, 1.0], [1.0, 1.0, -1.0], [-1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[3.0, 1.0, -1.0, -3.0]))?; // 2 x₀ + x₂
/// assert_eq!(Mrmr::new(2).fit(&Pearson, &samples)?.order(), [0, 2]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Ding and Peng, "Minimum redundancy feature selection from microarray gene expression data", 2005,
/// DOI 10.1142/S0219720005001004. Zhao, Anand and Wang, "Maximum relevance and minimum redundancy feature selection methods for
/// a marketing machine learning platform", 2019, DOI 10.1109/DSAA.2019.00059.
#[doc(alias = "minimum_redundancy")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mrmr {
    keep: usize,
    tradeoff: Tradeoff,
}

impl Mrmr {
    /// Picks this many features (all, where there are fewer), by the quotient.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            tradeoff: Tradeoff::default(),
        }
    }

    /// Sets relevance against redundancy in this way.
    #[must_use]
    pub fn with_tradeoff(mut self, tradeoff: Tradeoff) -> Self {
        self.tradeoff = tradeoff;
        self
    }

    /// Picks on the training rows.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(&self, relevance: &impl ScoreFunction, samples: &Samples<'_>) -> Result<Picks, FeatureError> {
        if self.keep == 0 {
            return Err(FeatureError::Parameter { name: "keep" });
        }
        samples.require_finite()?;
        let scores = relevance.score(samples)?;
        if scores.statistics().len() != samples.features() {
            return Err(FeatureError::Columns {
                expected: samples.features(),
                found: scores.statistics().len(),
            });
        }
        let relevance = scores.statistics();
        let mut left = scores.ranking();
        // Ascending, so that the first of equals below is the lower index.
        left.sort_unstable();
        let mut redundancy = vec![0.0; samples.features()];
        let (mut order, mut criteria) = (Vec::new(), Vec::new());
        while order.len() < self.keep && !left.is_empty() {
            let value = |feature: usize| match (order.len(), self.tradeoff) {
                (0, _) => relevance[feature],
                (n, Tradeoff::Quotient) => {
                    relevance[feature] / (redundancy[feature] / n as f64).max(LEAST_REDUNDANCY)
                }
                (n, Tradeoff::Difference) => relevance[feature] - redundancy[feature] / n as f64,
            };
            let mut best = 0;
            for at in 1..left.len() {
                if value(left[at]) > value(left[best]) {
                    best = at;
                }
            }
            let (feature, criterion) = (left[best], value(left[best]));
            left.remove(best);
            order.push(feature);
            criteria.push(criterion);
            let column = centred(&samples.x().column(feature).to_vec());
            for (sum, r) in redundancy.iter_mut().zip(correlate(samples, &column)) {
                *sum += r.abs();
            }
        }
        Ok(Picks::new(order, criteria))
    }
}
