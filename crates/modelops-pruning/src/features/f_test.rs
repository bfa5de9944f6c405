//! F tests.

use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;
use crate::kernel::log_tail::ln_f_tail;
use crate::kernel::moments::{grouped, with_target};

/// One-way analysis of variance: do the classes have different means of a feature?
///
/// **Formula.** F = (Σ nₖ (mₖ − m)² / (K − 1)) / (Σ (x − mₖ)² / (n − K)) for K classes of nₖ rows with means mₖ; p from
/// the F distribution with (K − 1, n − K) degrees of freedom.
///
/// **Errors.** [`FeatureError::OneClass`], [`FeatureError::TargetKind`], [`FeatureError::TooFewRows`] where n ≤ K,
/// [`FeatureError::NonFinite`].
///
/// **Complexity.** O(rows · features) time, one pass over memory; O(classes · features) space.
///
/// **Numerics.** Exact to 1e-12 whatever offset the feature has. A constant feature has F = 0 and ln p = 0; one that
/// separates the classes without any spread has F = ∞ and ln p = −∞.
///
/// # Example
/// Means 1 and 4 around 2.5: between 9 over 1 degree of freedom, within 4 over 2.
/// ```
/// use modelops_pruning::features::{FClassif, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[0.0], [2.0], [3.0], [5.0]];
/// let samples = Samples::all(x.view(), Target::Classes(&[0, 0, 1, 1]))?;
/// assert_eq!(FClassif.score(&samples)?.statistics(), [4.5]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Fisher, "Statistical Methods for Research Workers", 1925.
#[doc(alias("ANOVA", "f_test"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FClassif;

impl ScoreFunction for FClassif {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let (classes, count) = samples.classes()?;
        let (rows, features) = (samples.rows(), samples.features());
        if rows <= count {
            return Err(FeatureError::TooFewRows {
                needed: count + 1,
                found: rows,
            });
        }
        let moments = grouped(samples.flat(), features, count, |row| classes[row] as usize);
        if moments.squares.iter().any(|square| !square.is_finite()) {
            samples.require_finite()?;
        }
        let statistic = |feature: usize| {
            let of_class = |class: usize| class * features + feature;
            let mean = (0..count)
                .map(|k| moments.counts[k] * moments.means[of_class(k)])
                .sum::<f64>()
                / rows as f64;
            let between: f64 = (0..count)
                .map(|k| {
                    let apart = moments.means[of_class(k)] - mean;
                    moments.counts[k] * apart * apart
                })
                .sum();
            let within: f64 = (0..count).map(|k| moments.squares[of_class(k)]).sum();
            ratio(between / (count - 1) as f64, within / (rows - count) as f64)
        };
        with_tails((0..features).map(statistic).collect(), count - 1, rows - count)
    }
}

/// Linear regression on one feature at a time: does the target follow it?
///
/// **Formula.** F = r² / (1 − r²) · (n − 2), r the correlation; p from the F distribution with (1, n − 2) degrees.
///
/// **Errors.** [`FeatureError::TargetKind`], [`FeatureError::TooFewRows`] below 3 rows, [`FeatureError::NonFinite`].
///
/// **Complexity.** O(rows · features) time, one pass over memory, a second for features with r² above one half.
///
/// **Numerics.** Exact to 1e-12 whatever offset feature and target have; 1 − r² is computed from residuals where r² is
/// large. A constant feature or target has F = 0 and ln p = 0, a perfect line F = ∞ and ln p = −∞.
///
/// # Example
/// r² = 0.5 over 4 rows.
/// ```
/// use modelops_pruning::features::{FRegression, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[1.0], [1.0], [-1.0], [-1.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[2.0, 0.0, 0.0, -2.0]))?;
/// assert_eq!(FRegression.score(&samples)?.statistics(), [2.0]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
#[doc(alias = "f_test")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FRegression;

impl ScoreFunction for FRegression {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let y = centred(samples.values()?);
        let (rows, features) = (samples.rows(), samples.features());
        if rows < 3 {
            return Err(FeatureError::TooFewRows {
                needed: 3,
                found: rows,
            });
        }
        let sums = with_target(samples.flat(), features, &y);
        if sums.squares.iter().any(|square| !square.is_finite()) {
            samples.require_finite()?;
        }
        let total: f64 = y.iter().map(|y| y * y).sum();
        let freedom = (rows - 2) as f64;
        let statistic = |feature: usize| {
            let (xx, xy) = (sums.squares[feature], sums.products[feature]);
            let explained = if xx > 0.0 { xy * xy / xx } else { 0.0 };
            let mut left = total - explained;
            if explained > 0.5 * total {
                let slope = xy / xx;
                let centre = sums.means[feature];
                let residual = |(row, y): (&[f64], &f64)| {
                    let r = y - slope * ((row[feature] - sums.shift[feature]) - centre);
                    r * r
                };
                left = samples.flat().chunks_exact(features).zip(&y).map(residual).sum();
            }
            ratio(explained, left / freedom)
        };
        with_tails((0..features).map(statistic).collect(), 1, rows - 2)
    }
}

/// Explained over unexplained: 0 where nothing varies, ∞ where all is explained.
fn ratio(explained: f64, unexplained: f64) -> f64 {
    if explained == 0.0 {
        0.0
    } else {
        explained / unexplained
    }
}

fn with_tails(statistics: Vec<f64>, d1: usize, d2: usize) -> Result<Scores, FeatureError> {
    let tails = statistics
        .iter()
        .map(|f| {
            if f.is_nan() {
                f64::NAN
            } else {
                ln_f_tail(*f, d1, d2)
            }
        })
        .collect();
    Scores::new(statistics).with_ln_p_values(tails)
}

/// Values less their mean, twice, so that the second mean is zero to rounding.
pub(crate) fn centred(values: &[f64]) -> Vec<f64> {
    let origin = values.first().copied().unwrap_or(0.0);
    let mut y: Vec<f64> = values.iter().map(|y| y - origin).collect();
    for _ in 0..2 {
        let mean = y.iter().sum::<f64>() / y.len() as f64;
        y.iter_mut().for_each(|y| *y -= mean);
    }
    y
}
