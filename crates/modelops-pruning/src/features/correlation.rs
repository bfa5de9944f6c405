//! Correlations with the target.

use super::f_test::centred;
use super::{FRegression, Samples, ScoreFunction, Scores, Target};
use crate::error::FeatureError;
use crate::kernel::moments::with_target;

/// Strength of the linear relation between a feature and the target.
///
/// It orders features as [`FRegression`] does, on a scale from 0 to 1 that does not depend on the number of rows;
/// [`Pearson::coefficients`] gives the signs too.
///
/// **Formula.** |r|, r = Σ (x − x̄)(y − ȳ) / √(Σ (x − x̄)² Σ (y − ȳ)²); p as in [`FRegression`], which is that of
/// t = r √((n − 2) / (1 − r²)) on both sides with n − 2 degrees of freedom.
///
/// **Errors.** [`FeatureError::TargetKind`], [`FeatureError::TooFewRows`] below 3 rows, [`FeatureError::NonFinite`].
///
/// **Complexity.** O(rows · features) time, O(features) space.
///
/// **Numerics.** Unchanged by any offset that values survive. A constant feature or target has r = 0 and ln p = 0.
///
/// # Example
/// Products 4, squares 4 and 8: r = 1/√2.
/// ```
/// use modelops_pruning::features::{Pearson, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, 1.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[2.0, 0.0, 0.0, -2.0]))?;
/// let half = 0.5_f64.sqrt();
/// for (r, expected) in Pearson::coefficients(&samples)?.iter().zip([half, -half]) {
///     assert!((r - expected).abs() < 1e-15);
/// }
/// assert!(Pearson.score(&samples)?.statistics().iter().all(|r| *r > 0.7));
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Pearson, "Note on regression and inheritance in the case of two parents", 1895, DOI 10.1098/rspl.1895.0041.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pearson;

impl Pearson {
    /// r of every feature, −1 to 1.
    ///
    /// # Errors
    /// As the type says.
    pub fn coefficients(samples: &Samples<'_>) -> Result<Vec<f64>, FeatureError> {
        let y = centred(samples.values()?);
        check(samples)?;
        Ok(correlate(samples, &y))
    }
}

impl ScoreFunction for Pearson {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        strength(&Self::coefficients(samples)?, &FRegression.score(samples)?)
    }
}

/// Strength of the rising or falling relation between a feature and the target, whatever its shape and scale.
///
/// Use it where [`Pearson`] would be led by outliers or by a curve that never turns. It costs a sort per feature.
///
/// **Formula.** |ρ|, ρ the correlation of [`Pearson`] between ranks from 1 to n, equal values sharing the mean of their
/// ranks; p from the same t, which is an approximation for ranks: good from about 20 rows on.
///
/// **Errors.** As [`Pearson`].
///
/// **Complexity.** O(rows log(rows) · features) time, O(rows · features) space.
///
/// **Numerics.** The same bits under any increasing map of a feature. A constant has ρ = 0 and ln p = 0.
///
/// # Example
/// A cube is not a line, but rises all the same.
/// ```
/// use modelops_pruning::features::{Samples, Spearman, Target};
/// use ndarray::array;
///
/// let x = array![[1.0], [2.0], [3.0], [4.0], [5.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[-1.0, -8.0, -27.0, -64.0, -125.0]))?;
/// assert!((Spearman::coefficients(&samples)?[0] + 1.0).abs() < 1e-15);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Spearman, "The proof and measurement of association between two things", 1904, DOI 10.2307/1412159.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spearman;

impl Spearman {
    /// ρ of every feature, −1 to 1.
    ///
    /// # Errors
    /// As the type says.
    pub fn coefficients(samples: &Samples<'_>) -> Result<Vec<f64>, FeatureError> {
        let (x, y) = Self::ranked(samples)?;
        Pearson::coefficients(&Samples::all(x.view(), Target::Values(&y))?)
    }

    fn ranked(samples: &Samples<'_>) -> Result<(ndarray::Array2<f64>, Vec<f64>), FeatureError> {
        let y = ranks(samples.values()?);
        check(samples)?;
        let mut x = samples.x().to_owned();
        for mut column in x.columns_mut() {
            let of_column = ranks(&column.to_vec());
            column.iter_mut().zip(of_column).for_each(|(x, rank)| *x = rank);
        }
        Ok((x, y))
    }
}

impl ScoreFunction for Spearman {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let (x, y) = Self::ranked(samples)?;
        Pearson.score(&Samples::all(x.view(), Target::Values(&y))?)
    }
}

fn check(samples: &Samples<'_>) -> Result<(), FeatureError> {
    if samples.rows() < 3 {
        return Err(FeatureError::TooFewRows {
            needed: 3,
            found: samples.rows(),
        });
    }
    samples.require_finite()
}

fn strength(coefficients: &[f64], tests: &Scores) -> Result<Scores, FeatureError> {
    let ln_p = tests.ln_p_values().ok_or(FeatureError::NoPValues)?;
    Scores::new(coefficients.iter().map(|r| r.abs()).collect()).with_ln_p_values(ln_p.to_vec())
}

/// r of every feature with a centred target.
pub(super) fn correlate(samples: &Samples<'_>, y: &[f64]) -> Vec<f64> {
    let sums = with_target(samples.flat(), samples.features(), y);
    let length = y.iter().map(|y| y * y).sum::<f64>().sqrt();
    let of_feature = |(xx, xy): (&f64, &f64)| {
        if *xx == 0.0 || length == 0.0 {
            0.0
        } else {
            (xy / (xx.sqrt() * length)).clamp(-1.0, 1.0)
        }
    };
    sums.squares.iter().zip(&sums.products).map(of_feature).collect()
}

/// Ranks from 1, equal values sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    // −0 and 0 sort apart and are equal, so that values are compared as numbers here.
    #[expect(clippy::float_cmp, reason = "ties are equal values")]
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let mean = before as f64 + (tied.len() + 1) as f64 / 2.0;
        tied.iter().for_each(|at| ranks[*at] = mean);
        before += tied.len();
    }
    ranks
}
