//! Features that beat copies made to look like them.

use modelops_linalg::{Cholesky, Qr, gemm};
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use super::sums::{Centred, Sums};
use super::{Samples, ScoreFunction, Target};
use crate::error::FeatureError;

/// Sweeps over the features after which distances from the copies are near enough to the best.
const SWEEPS: usize = 100;
/// A sweep that changes no distance by more than this ends them.
const SETTLED: f64 = 1e-12;

/// What is known about the features, to make copies of them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum KnockoffModel {
    /// Nothing: exact for a target that is linear in the features plus equal normal noise, whatever the features are. It needs more than
    /// twice as many rows as features, and an importance that depends on the table through products of its columns
    /// alone: [`LassoEntry`](crate::features::LassoEntry), [`LinearCoefficients`](crate::features::LinearCoefficients),
    /// [`Pearson`](crate::features::Pearson).
    FixedX,
    /// Rows are drawn from a normal distribution whose mean and covariance are estimated from the training rows: about exact for
    /// many more rows than features, for any target and any importance. It needs more rows than features.
    SecondOrder,
    /// Rows are drawn from this normal distribution: exact for any target, any importance and any number of rows.
    Gaussian {
        /// Mean of every feature.
        mean: Array1<f64>,
        /// Covariances of the features.
        covariance: Array2<f64>,
    },
}

/// Keeps the features that stand out from knockoffs of them, and bounds the share of useless ones among those kept.
///
/// Useless is a feature that tells nothing about the target that the other features do not tell: this is stronger than the
/// bound of [`Select::Fdr`](crate::features::Select), which looks at one feature at a time. The price is power where features
/// resemble each other, and chance: another seed may give another selection near the threshold. With a level of 0.1
/// it keeps at least ten features or none, at 0.2 at least five.
///
/// **Formula.** Knockoffs x̃ⱼ are made without the target, such that swapping any xⱼ with x̃ⱼ changes no mean and no covariance of the
/// table: cov(x̃) = Σ, cov(x, x̃) = Σ − diag(s). The distances s maximise ln det(2Σ − diag(s)) + Σ ln sⱼ (least mutual
/// information), for features scaled to variance 1. Wⱼ = importance(xⱼ) − importance(x̃ⱼ) in the table of both; kept are
/// those with Wⱼ ≥ t, for the least t > 0 with (1 + #{Wⱼ ≤ −t}) / max(1, #{Wⱼ ≥ t}) ≤ level.
///
/// **Errors.** [`FeatureError::Parameter`] for a level outside 0 to 1, [`FeatureError::TooFewRows`] as the model says,
/// [`FeatureError::Collinear`] where features depend on each other or do not vary, [`FeatureError::Columns`] for a distribution of
/// another number of features, [`FeatureError::NonFinite`], and those of the importance.
///
/// **Complexity.** O(rows · features² + features³) time and that of the importance on twice the features; O(rows · features) space.
///
/// # Example
/// Six of the features have a part in the target.
/// ```
/// use modelops_pruning::features::{KnockoffModel, Knockoffs, LassoEntry, Samples, Target};
/// use ndarray::Array2;
/// use rand::SeedableRng;
/// use rand_xoshiro::Xoshiro256PlusPlus;
///
/// let x = Array2::from_shape_fn((200, 12), |(i, j)| ((i * i + 7 * i * j) as f64 * 0.618).sin());
/// let y: Vec<f64> = x.rows().into_iter().map(|row| row.iter().take(6).sum()).collect();
/// let samples = Samples::all(x.view(), Target::Values(&y))?;
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let found = Knockoffs::new(0.2, KnockoffModel::FixedX).fit(&LassoEntry::default(), &samples, &mut rng)?;
/// assert_eq!(found.selected(), [0, 1, 2, 3, 4, 5]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Barber and Candès, "Controlling the false discovery rate via knockoffs", 2015, DOI 10.1214/15-AOS1337. Candès, Fan, Janson and
/// Lv, "Panning for gold: model-X knockoffs for high dimensional controlled variable selection", 2018, DOI 10.1111/rssb.12265.
/// Spector and Janson, "Powerful knockoffs via minimizing reconstructability", 2022, DOI 10.1214/21-AOS2104.
#[derive(Debug, Clone, PartialEq)]
pub struct Knockoffs {
    level: f64,
    model: KnockoffModel,
}

impl Knockoffs {
    /// Bounds the expected share of useless features among those kept by `level`, 0 to 1.
    #[must_use]
    pub fn new(level: f64, model: KnockoffModel) -> Self {
        Self { level, model }
    }

    /// Makes knockoffs of the training rows, scores the table of both, and keeps what stands out.
    ///
    /// # Errors
    /// As the type says.
    #[expect(clippy::missing_panics_doc, reason = "both tables have the same rows")]
    pub fn fit(
        &self,
        importance: &impl ScoreFunction,
        samples: &Samples<'_>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Contrasts, FeatureError> {
        if !(0.0..=1.0).contains(&self.level) {
            return Err(FeatureError::Parameter { name: "level" });
        }
        let features = samples.features();
        let copies = self.copies(samples, rng)?;
        let both = concatenate(Axis(1), &[samples.x(), copies.view()]).expect("as many rows");
        let scores = importance.score(&samples.with_table(both))?;
        let statistics = scores.statistics();
        if statistics.len() != 2 * features {
            return Err(FeatureError::Columns {
                expected: 2 * features,
                found: statistics.len(),
            });
        }
        let contrast = |j: usize| match statistics[j] - statistics[features + j] {
            contrast if contrast.is_nan() => 0.0,
            contrast => contrast,
        };
        let contrasts: Vec<f64> = (0..features).map(contrast).collect();
        let threshold = threshold(&contrasts, self.level);
        Ok(Contrasts { contrasts, threshold })
    }

    /// Makes knockoffs of the training rows: a table of the same shape, which depends on the target in no way.
    ///
    /// # Errors
    /// As the type says, less those of the level and the importance.
    #[expect(clippy::missing_panics_doc, reason = "samples have rows")]
    pub fn copies(
        &self,
        samples: &Samples<'_>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Array2<f64>, FeatureError> {
        samples.require_finite()?;
        let (rows, features) = (samples.rows(), samples.features());
        let enough = |needed: usize| {
            if rows < needed {
                return Err(FeatureError::TooFewRows { needed, found: rows });
            }
            Ok(())
        };
        // Around the mean and divided by `scale`, the features have products or covariances `sigma`, with ones in its diagonal.
        let (sigma, mean, scale) = match &self.model {
            KnockoffModel::Gaussian { mean, covariance } => {
                let found = covariance.ncols();
                if mean.len() != features || covariance.dim() != (features, features) {
                    return Err(FeatureError::Columns {
                        expected: features,
                        found: if found == features { mean.len() } else { found },
                    });
                }
                let scale = covariance.diag().mapv(f64::sqrt);
                let sigma = Array2::from_shape_fn((features, features), |(i, j)| {
                    covariance[[i, j]] / (scale[i] * scale[j])
                });
                (sigma, mean.clone(), scale)
            }
            known => {
                enough(if *known == KnockoffModel::FixedX {
                    2 * features + 1
                } else {
                    features + 1
                })?;
                let zeros = vec![0.0; rows];
                let alone = Samples::all(samples.x(), Target::Values(&zeros))?;
                let sums = &Sums::of(&alone, std::slice::from_ref(&(0..rows)))?[0];
                let centred = Centred::new(sums);
                // Sums are around an origin of their own, so that the mean is taken from the table.
                let mean = samples.x().mean_axis(Axis(0)).expect("there are rows");
                let length = match known {
                    KnockoffModel::FixedX => 1.0,
                    _ => (rows as f64 - 1.0).sqrt(),
                };
                let scale = centred.norms.iter().map(|norm| norm / length).collect();
                (centred.gram, mean, scale)
            }
        };
        let inverse = inverse(&sigma)?;
        let distances = distances(&sigma, &inverse)?;
        let x = &(&samples.x() - &mean) / &scale;
        // What is drawn has covariance 2 S − S Σ⁻¹ S.
        let spread = Array2::from_shape_fn((features, features), |(i, j)| {
            let twice = if i == j { 2.0 * distances[i] } else { 0.0 };
            twice - distances[i] * inverse[[i, j]] * distances[j]
        });
        let factor = Cholesky::new(spread.view()).map_err(|_| collinear(&sigma))?;
        let noise = match self.model {
            KnockoffModel::FixedX => beside(x.view(), rng)?,
            _ => normals(rows, features, rng),
        };
        let mut copies = x.clone();
        let toward = &inverse * &distances;
        gemm(-1.0, x.view(), toward.view(), 1.0, copies.view_mut()).expect("shapes agree");
        gemm(1.0, noise.view(), factor.lower().t(), 1.0, copies.view_mut()).expect("shapes agree");
        Ok(copies * &scale + &mean)
    }
}

/// How far features stand out from their knockoffs.
#[derive(Debug, Clone, PartialEq)]
pub struct Contrasts {
    contrasts: Vec<f64>,
    threshold: f64,
}

impl Contrasts {
    /// Importance of every feature less that of its knockoff (W); 0 where one of them is NaN.
    #[must_use]
    pub fn contrasts(&self) -> &[f64] {
        &self.contrasts
    }

    /// The contrast that a feature needs at least; +∞ where no threshold holds the level.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Columns that are kept, ascending.
    #[must_use]
    pub fn selected(&self) -> Vec<usize> {
        let stands_out = |j: &usize| self.contrasts[*j] >= self.threshold;
        (0..self.contrasts.len()).filter(stands_out).collect()
    }
}

/// The least magnitude t with (1 + #{W ≤ −t}) / max(1, #{W ≥ t}) ≤ level, +∞ where there is none.
fn threshold(contrasts: &[f64], level: f64) -> f64 {
    let mut magnitudes: Vec<f64> = contrasts.iter().map(|w| w.abs()).filter(|w| *w > 0.0).collect();
    magnitudes.sort_unstable_by(f64::total_cmp);
    let holds = |t: &f64| {
        let above = contrasts.iter().filter(|w| **w >= *t).count();
        let below = contrasts.iter().filter(|w| **w <= -*t).count();
        (1 + below) as f64 <= level * above.max(1) as f64
    };
    magnitudes.into_iter().find(holds).unwrap_or(f64::INFINITY)
}

/// The distances that leave the least mutual information between features and knockoffs: one coordinate at a time.
fn distances(sigma: &Array2<f64>, inverse: &Array2<f64>) -> Result<Array1<f64>, FeatureError> {
    let n = sigma.ncols();
    // Half of a bound on the least eigenvalue of Σ from below, 1 / trace(Σ⁻¹), so that 2Σ − S starts positive definite.
    let mut distances = Array1::from_elem(n, 1.0 / inverse.diag().sum());
    let mut rest = 2.0 * sigma;
    rest.diag_mut().zip_mut_with(&distances, |r, s| *r -= s);
    let mut rest = Cholesky::new(rest.view())
        .map_err(|_| collinear(sigma))?
        .inverse()
        .map_err(|_| collinear(sigma))?;
    for _ in 0..SWEEPS {
        let mut change = 0.0_f64;
        for j in 0..n {
            // With the others as they are, s + 1 / (2Σ − S)⁻¹ⱼⱼ does not depend on s: its half is best.
            let step = 0.5 * (1.0 / rest[[j, j]] - distances[j]);
            distances[j] += step;
            change = change.max(step.abs());
            let column = rest.column(j).to_owned();
            let factor = step / (1.0 - step * column[j]);
            for (mut row, value) in rest.rows_mut().into_iter().zip(&column) {
                row.scaled_add(factor * value, &column);
            }
        }
        if change <= SETTLED {
            break;
        }
    }
    Ok(distances)
}

fn inverse(sigma: &Array2<f64>) -> Result<Array2<f64>, FeatureError> {
    let factor = Cholesky::new(sigma.view()).map_err(|_| collinear(sigma))?;
    if factor.lower().diag().iter().any(|pivot| pivot * pivot < 1e-13) {
        return Err(collinear(sigma));
    }
    factor.inverse().map_err(|_| collinear(sigma))
}

/// Names the first feature that follows from those before it.
fn collinear(sigma: &Array2<f64>) -> FeatureError {
    let independent = |end: usize| {
        let part = sigma.slice(s![..end, ..end]);
        Cholesky::new(part)
            .is_ok_and(|factor| factor.lower().diag().iter().all(|pivot| pivot * pivot >= 1e-13))
    };
    let column = (1..=sigma.ncols())
        .find(|end| !independent(*end))
        .map_or(0, |end| end - 1);
    FeatureError::Collinear { column }
}

fn normals(rows: usize, columns: usize, rng: &mut (impl Rng + ?Sized)) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), || StandardNormal.sample(rng))
}

/// As many orthonormal columns at right angles to these and to a constant.
fn beside(x: ArrayView2<'_, f64>, rng: &mut (impl Rng + ?Sized)) -> Result<Array2<f64>, FeatureError> {
    let (rows, columns) = x.dim();
    let ones = Array2::ones((rows, 1));
    let drawn = normals(rows, columns, rng);
    let all = concatenate(Axis(1), &[ones.view(), x, drawn.view()]).expect("as many rows");
    let needed = 2 * columns + 1;
    let factor = Qr::new(all.view()).map_err(|_| FeatureError::TooFewRows { needed, found: rows })?;
    Ok(factor.q().slice(s![.., columns + 1..]).to_owned())
}
