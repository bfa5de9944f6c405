//! chi² of counts against classes.

use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;
use crate::kernel::log_tail::ln_chi2_tail;

/// Are the counts of a feature spread over the classes as the rows are?
///
/// Use it for counts and one-hot columns (word counts, flags); for measurements use
/// [`FClassif`](crate::features::FClassif), since chi² depends on their unit.
///
/// **Formula.** Σ over classes of (oₖ − eₖ)² / eₖ, where oₖ sums the feature over class k and eₖ = (nₖ/n) Σ oₖ; p from
/// the chi-squared distribution with K − 1 degrees of freedom.
///
/// **Errors.** [`FeatureError::OneClass`], [`FeatureError::TargetKind`], [`FeatureError::NonFinite`],
/// [`FeatureError::Negative`].
///
/// **Complexity.** O(rows · features) time, O(classes · features) space.
///
/// **Numerics.** A feature that is zero everywhere has chi² = 0 and ln p = 0.
///
/// # Example
/// Three against one where two and two were expected: (1 + 1) / 2.
/// ```
/// use modelops_pruning::features::{Chi2, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[3.0], [1.0]];
/// let samples = Samples::all(x.view(), Target::Classes(&[0, 1]))?;
/// assert_eq!(Chi2.score(&samples)?.statistics(), [1.0]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Pearson, "On the criterion that a given system of deviations …", 1900, DOI 10.1080/14786440009463897.
#[doc(alias = "chi_squared")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chi2;

impl ScoreFunction for Chi2 {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let (classes, count) = samples.classes()?;
        let (rows, features) = (samples.rows(), samples.features());
        let (observed, lowest) = class_sums(samples.flat(), features, classes, count);
        if lowest < 0.0 || observed.iter().any(|sum| !sum.is_finite()) {
            samples.require_finite()?;
            if let Some(at) = samples.flat().iter().position(|x| *x < 0.0) {
                return Err(FeatureError::Negative {
                    row: at / features,
                    column: at % features,
                });
            }
        }
        let mut share = vec![0.0; count];
        for class in classes {
            share[*class as usize] += 1.0 / rows as f64;
        }
        let statistic = |feature: usize| {
            let of_class = |class: usize| observed[class * features + feature];
            let total: f64 = (0..count).map(of_class).sum();
            let term = |class: usize| {
                let expected = share[class] * total;
                let apart = of_class(class) - expected;
                apart * apart / expected
            };
            if total == 0.0 {
                0.0
            } else {
                (0..count).map(term).sum()
            }
        };
        let statistics: Vec<f64> = (0..features).map(statistic).collect();
        let tails = statistics.iter().map(|x| ln_chi2_tail(*x, count - 1)).collect();
        Scores::new(statistics).with_ln_p_values(tails)
    }
}

/// Sums per class (classes × features), and the lowest value of all.
fn class_sums(x: &[f64], features: usize, classes: &[u32], count: usize) -> (Vec<f64>, f64) {
    let mut sums = vec![0.0; count * features];
    let mut lowest = vec![0.0_f64; features];
    for (row, class) in x.chunks_exact(features).zip(classes) {
        let sums = &mut sums[*class as usize * features..][..features];
        for ((sum, lowest), x) in sums.iter_mut().zip(&mut lowest).zip(row) {
            *sum += x;
            *lowest = if x < lowest { *x } else { *lowest };
        }
    }
    (sums, lowest.into_iter().fold(0.0, f64::min))
}
