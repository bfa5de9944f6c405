//! Features one by one, by what a cross-validated model gains.

use super::Samples;
use ndarray::Array2;

use super::sums::{Centred, Sums, folds};
use crate::error::FeatureError;
use crate::kernel::sweep::sweep;

/// A feature of which a smaller share is its own, beside those already there, adds nothing.
const OWN_SHARE: f64 = 1e-13;

/// Whether features come or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Direction {
    /// From none, adding the feature that helps most.
    #[default]
    Forward,
    /// From all, dropping the feature that is missed least.
    Backward,
}

/// Adds or drops one feature at a time, each time the one that leaves the best cross-validated score.
///
/// Unlike [`Rfe`](crate::features::Rfe) it judges features by held-out rows and not by coefficients, so that units do not
/// matter; it sees features that only help together when it goes backward, from all of them.
///
/// **Formula.** The score of a set is the mean R² over the folds, each of a linear regression with an intercept fitted on the
/// other rows. Folds are those of [`RfeCv`](crate::features::RfeCv): stretches of neighbouring rows.
///
/// **Errors.** [`FeatureError::TargetKind`] where the target is not values, [`FeatureError::NonFinite`],
/// [`FeatureError::Parameter`] for no feature to keep, fewer than two folds or more than rows, or a tolerance that is NaN;
/// [`FeatureError::TooFewRows`] where a fold leaves no more rows than features; [`FeatureError::Collinear`] backward.
///
/// **Complexity.** O(rows · features² + steps · folds · features²) time, O(folds · features²) space: the table is read once, and
/// the held-out residuals of all candidates are kept up to date together.
///
/// **Numerics.** On a tie the lower index. Forward, a feature that repeats those chosen leaves the score as it is.
///
/// # Example
/// The target is the sum of the two waves; the line has no part in it.
/// ```
/// use modelops_pruning::features::{Direction, Samples, Sequential, Target};
/// use ndarray::Array2;
///
/// let x = Array2::from_shape_fn((60, 3), |(i, j)| [i as f64, (i as f64).sin(), (1.7 * i as f64).sin()][j]);
/// let y: Vec<f64> = x.rows().into_iter().map(|row| 2.0 * row[1] + row[2]).collect();
/// let samples = Samples::all(x.view(), Target::Values(&y))?;
/// let forward = Sequential::new(2).fit(&samples)?;
/// assert_eq!(forward.selected(), [1, 2]);
/// assert!(forward.steps()[1].1 > 0.999); // R² with both
/// let backward = Sequential::new(2).with_direction(Direction::Backward).fit(&samples)?;
/// assert_eq!(backward.selected(), [1, 2]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Ferri, Pudil, Hatef and Kittler, "Comparative study of techniques for large-scale feature selection", 1994,
/// DOI 10.1016/B978-0-444-81892-8.50040-7. Goodnight, "A tutorial on the SWEEP operator", 1979, DOI 10.2307/2683825.
#[doc(alias("forward_selection", "backward_elimination"))]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequential {
    keep: usize,
    folds: usize,
    direction: Direction,
    tolerance: f64,
}

impl Sequential {
    /// Keeps this many features (all, where there are fewer), forward, by five folds.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            folds: 5,
            direction: Direction::Forward,
            tolerance: f64::NEG_INFINITY,
        }
    }

    /// Goes in this direction.
    #[must_use]
    pub fn with_direction(mut self, direction: Direction) -> Self {
        self.direction = direction;
        self
    }

    /// Scores by this many folds.
    #[must_use]
    pub fn with_folds(mut self, folds: usize) -> Self {
        self.folds = folds;
        self
    }

    /// Stops before a step that raises the score by less than this (below zero: that costs more than its amount). Forward it
    /// then keeps at most the given number, backward at least. The first feature always comes.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Selects on the training rows, for a linear regression.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<Sequence, FeatureError> {
        self.check()?;
        let parts = Sums::of(samples, &folds(samples.rows(), self.folds)?)?;
        let whole = parts[1..]
            .iter()
            .fold(parts[0].clone(), |sum, part| sum.plus(part, 1.0));
        let features = samples.features();
        let most = match self.direction {
            Direction::Forward => self.keep.min(features),
            Direction::Backward => features,
        };
        let fewest = parts.iter().map(|part| (whole.rows - part.rows) as usize).min();
        if let Some(found) = fewest.filter(|rows| *rows <= most) {
            return Err(FeatureError::TooFewRows {
                needed: most + 1,
                found,
            });
        }
        let mut folds: Vec<Swept> = parts
            .iter()
            .map(|part| Swept::new(&whole.plus(part, -1.0), part))
            .collect();
        if self.direction == Direction::Backward {
            folds.iter_mut().try_for_each(Swept::take_all)?;
        }
        self.walk(features, &mut folds)
    }

    /// Selects for a model of yours: `score` gives the cross-validated score, larger is better, of the columns that it is given
    /// in ascending order. A set whose score is NaN is never chosen.
    ///
    /// # Errors
    /// [`FeatureError::NoFeatures`], [`FeatureError::Parameter`] for no feature to keep or a tolerance that is NaN, and those
    /// of `score`.
    ///
    /// # Example
    /// ```
    /// use modelops_pruning::FeatureError;
    /// use modelops_pruning::features::Sequential;
    ///
    /// let worth = [0.1, 0.7, 0.4];
    /// let score = |set: &[usize]| Ok::<_, FeatureError>(set.iter().map(|j| worth[*j]).sum());
    /// assert_eq!(Sequential::new(2).fit_by(3, score)?.selected(), [1, 2]);
    /// # Ok::<(), FeatureError>(())
    /// ```
    pub fn fit_by<E: From<FeatureError>>(
        &self,
        features: usize,
        score: impl FnMut(&[usize]) -> Result<f64, E>,
    ) -> Result<Sequence, E> {
        self.check()?;
        if features == 0 {
            return Err(FeatureError::NoFeatures.into());
        }
        let chosen = vec![self.direction == Direction::Backward; features];
        self.walk(features, &mut Asked { chosen, score })
    }

    fn check(&self) -> Result<(), FeatureError> {
        if self.keep == 0 {
            return Err(FeatureError::Parameter { name: "keep" });
        }
        if self.tolerance.is_nan() {
            return Err(FeatureError::Parameter { name: "tolerance" });
        }
        Ok(())
    }

    fn walk<M: Model>(&self, features: usize, model: &mut M) -> Result<Sequence, M::Error> {
        let forward = self.direction == Direction::Forward;
        let count = if forward {
            self.keep.min(features)
        } else {
            features.saturating_sub(self.keep)
        };
        let mut left: Vec<usize> = (0..features).collect();
        let mut before = if forward || count == 0 {
            f64::NEG_INFINITY
        } else {
            model.score()?
        };
        let mut steps = Vec::with_capacity(count);
        while steps.len() < count {
            let mut best: Option<(usize, f64)> = None;
            for (at, feature) in left.iter().enumerate() {
                let score = model.after(*feature)?;
                if !score.is_nan() && best.is_none_or(|(_, most)| score > most) {
                    best = Some((at, score));
                }
            }
            let Some((at, score)) = best.filter(|(_, score)| score - before >= self.tolerance) else {
                break;
            };
            let feature = left.remove(at);
            model.toggle(feature);
            steps.push((feature, score));
            before = score;
        }
        let mut selected = if forward {
            steps.iter().map(|(feature, _)| *feature).collect()
        } else {
            left
        };
        selected.sort_unstable();
        Ok(Sequence { selected, steps })
    }
}

/// What a sequential selection chose, and on what way.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    selected: Vec<usize>,
    steps: Vec<(usize, f64)>,
}

impl Sequence {
    /// Columns that are kept, ascending.
    #[must_use]
    pub fn selected(&self) -> &[usize] {
        &self.selected
    }

    /// The feature that came or went in every step, and the score after it.
    #[must_use]
    pub fn steps(&self) -> &[(usize, f64)] {
        &self.steps
    }
}

/// A score of the present set of features, and of its neighbours.
trait Model {
    type Error;
    fn score(&mut self) -> Result<f64, Self::Error>;
    /// The score were the feature to come or to go.
    fn after(&mut self, feature: usize) -> Result<f64, Self::Error>;
    /// Lets the feature come or go.
    fn toggle(&mut self, feature: usize);
}

/// A model of the caller's.
struct Asked<F> {
    chosen: Vec<bool>,
    score: F,
}

impl<E, F: FnMut(&[usize]) -> Result<f64, E>> Model for Asked<F> {
    type Error = E;

    fn score(&mut self) -> Result<f64, E> {
        let set: Vec<usize> = (0..self.chosen.len()).filter(|j| self.chosen[*j]).collect();
        (self.score)(&set)
    }

    fn after(&mut self, feature: usize) -> Result<f64, E> {
        self.toggle(feature);
        let score = self.score();
        self.toggle(feature);
        score
    }

    fn toggle(&mut self, feature: usize) {
        self.chosen[feature] = !self.chosen[feature];
    }
}

/// Linear regressions, one for each fold.
impl Model for Vec<Swept> {
    type Error = FeatureError;

    fn score(&mut self) -> Result<f64, FeatureError> {
        Ok(self.iter().map(|fold| fold.r2(0.0, 0)).sum::<f64>() / self.len() as f64)
    }

    fn after(&mut self, feature: usize) -> Result<f64, FeatureError> {
        Ok(self
            .iter()
            .map(|fold| fold.r2(fold.step(feature), feature))
            .sum::<f64>()
            / self.len() as f64)
    }

    fn toggle(&mut self, feature: usize) {
        self.iter_mut().for_each(|fold| fold.sweep(feature));
    }
}

/// The linear regression of one fold on the features present, and its residuals on the rows held out.
///
/// `moments` are the centred products of the features and, last, the target, swept by the features present. To each feature
/// belongs a direction, the change of the prediction when it comes or goes; `held_out` has the products of these directions and,
/// last, of the residual, on the rows held out. A sweep changes both alike.
struct Swept {
    moments: Array2<f64>,
    held_out: Array2<f64>,
    /// False for a constant.
    varies: Vec<bool>,
    /// The target's spread on the rows held out.
    spread: f64,
}

impl Swept {
    fn new(training: &Sums, other: &Sums) -> Self {
        let centred = Centred::new(training);
        let target = centred.norms.len();
        let scale = |j: usize| {
            if j < target && centred.norms[j] > 0.0 {
                centred.norms[j]
            } else {
                1.0
            }
        };
        let mean = |j: usize| {
            if j < target {
                centred.mean[j]
            } else {
                centred.y_mean
            }
        };
        let sum = |j: usize| if j < target { other.x[j] } else { other.y };
        let product = |i: usize, j: usize| match (i < target, j < target) {
            (true, true) => other.xx[[i, j]],
            (true, false) => other.xy[i],
            (false, true) => other.xy[j],
            (false, false) => other.yy,
        };
        let shape = (target + 1, target + 1);
        Self {
            moments: Array2::from_shape_fn(shape, |(i, j)| match (i < target, j < target) {
                (true, true) => centred.gram[[i, j]],
                (true, false) => centred.right[i],
                (false, true) => centred.right[j],
                (false, false) => centred.total,
            }),
            held_out: Array2::from_shape_fn(shape, |(i, j)| {
                let around =
                    product(i, j) - mean(i) * sum(j) - sum(i) * mean(j) + other.rows * mean(i) * mean(j);
                around / (scale(i) * scale(j))
            }),
            varies: centred.norms.iter().map(|norm| *norm > 0.0).collect(),
            spread: other.yy - other.y * other.y / other.rows,
        }
    }

    fn take_all(&mut self) -> Result<(), FeatureError> {
        for column in 0..self.varies.len() {
            if self.varies[column] && self.moments[[column, column]] < OWN_SHARE {
                return Err(FeatureError::Collinear { column });
            }
            self.sweep(column);
        }
        Ok(())
    }

    /// Whether the feature can come or go: not where it is constant, or follows from those present.
    fn counts(&self, feature: usize) -> bool {
        self.moments[[feature, feature]].abs() >= OWN_SHARE
    }

    /// How far the prediction goes along the direction of a feature.
    fn step(&self, feature: usize) -> f64 {
        if self.counts(feature) {
            self.moments[[feature, self.varies.len()]] / self.moments[[feature, feature]]
        } else {
            0.0
        }
    }

    /// R² on the rows held out, with the prediction so far along the direction of a feature.
    fn r2(&self, step: f64, feature: usize) -> f64 {
        let residual = self.varies.len();
        let left = self.held_out[[residual, residual]] - 2.0 * step * self.held_out[[feature, residual]]
            + step * step * self.held_out[[feature, feature]];
        if self.spread > 0.0 {
            1.0 - left / self.spread
        } else {
            0.0
        }
    }

    /// Lets a feature come or go.
    fn sweep(&mut self, feature: usize) {
        if !self.counts(feature) {
            return;
        }
        let pivot = self.moments[[feature, feature]];
        let share = &self.moments.row(feature) / pivot;
        sweep(&mut self.moments, feature);
        let own = self.held_out.row(feature).to_owned();
        // What is left of every direction, and of the residual, along this one.
        let less = &own - &(&share * own[feature]);
        for (i, mut out) in self.held_out.rows_mut().into_iter().enumerate() {
            out.scaled_add(-share[i], &own);
            out.scaled_add(-less[i], &share);
        }
        let less = less / pivot.abs();
        self.held_out.row_mut(feature).assign(&less);
        self.held_out.column_mut(feature).assign(&less);
        self.held_out[[feature, feature]] = own[feature] / (pivot * pivot);
    }
}
