//! Recursive elimination of features for linear regression.

use super::Samples;
use super::regression::Regression;
use super::sums::{Sums, folds};
use crate::error::FeatureError;

/// Fits a linear regression, drops the features with the smallest squared coefficients, and repeats.
///
/// Coefficients have the unit of the target over that of their feature, as in scikit-learn's `RFE(LinearRegression())`: scale
/// features first where their units differ. The table is read once; every elimination is a downdate of the inverse of the
/// Gram matrix, O(features²).
///
/// **Errors.** [`FeatureError::TargetKind`] where the target is not values, [`FeatureError::NonFinite`],
/// [`FeatureError::Parameter`] for no feature to keep or a step of zero, [`FeatureError::TooFewRows`],
/// [`FeatureError::Collinear`] where columns depend on each other.
///
/// **Complexity.** O(rows · features² + features³) time, O(features²) space.
///
/// # Example
/// The target is twice the second feature.
/// ```
/// use modelops_pruning::features::{Rfe, Samples, Target};
/// use ndarray::array;
///
/// let x = array![[1.0, 1.0], [-1.0, 2.0], [1.0, 3.0], [0.0, 4.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[2.0, 4.0, 6.0, 8.0]))?;
/// let found = Rfe::new(1).fit(&samples)?;
/// assert_eq!(found.selected(), [1]);
/// assert_eq!(found.ranking(), [2, 1]); // 1 stays, higher went earlier
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Guyon, Weston, Barnhill and Vapnik, "Gene selection for cancer classification using support vector machines", 2002,
/// DOI 10.1023/A:1012487302797.
#[doc(alias = "recursive_feature_elimination")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rfe {
    keep: usize,
    step: usize,
}

/// What elimination left.
#[derive(Debug, Clone, PartialEq)]
pub struct Elimination {
    ranking: Vec<usize>,
    selected: Vec<usize>,
    coefficients: Vec<f64>,
}

impl Elimination {
    /// 1 for every feature that stays; of the others, the higher the earlier it went.
    #[must_use]
    pub fn ranking(&self) -> &[usize] {
        &self.ranking
    }

    /// Columns that stay, ascending.
    #[must_use]
    pub fn selected(&self) -> &[usize] {
        &self.selected
    }

    /// Coefficients of the features that stay, in the order of [`Elimination::selected`].
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }
}

impl Rfe {
    /// Keeps this many features (all, where there are fewer), and drops one at a time.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self { keep, step: 1 }
    }

    /// Drops this many between two fits.
    #[must_use]
    pub fn with_step(mut self, step: usize) -> Self {
        self.step = step;
        self
    }

    /// Eliminates on the training rows.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<Elimination, FeatureError> {
        self.check()?;
        let sums = Sums::of(samples, std::slice::from_ref(&(0..samples.rows())))?;
        let mut regression = Regression::new(&sums[0])?;
        let mut rounds = Vec::new();
        self.run(&mut regression, |_, gone| rounds.push(gone.to_vec()))?;
        let mut ranking = vec![1; samples.features()];
        for (round, gone) in rounds.iter().enumerate() {
            gone.iter()
                .for_each(|feature| ranking[*feature] = rounds.len() + 1 - round);
        }
        let selected: Vec<usize> = (0..ranking.len()).filter(|j| ranking[*j] == 1).collect();
        let coefficients = selected.iter().map(|j| regression.coefficient(*j)).collect();
        Ok(Elimination {
            ranking,
            selected,
            coefficients,
        })
    }

    fn check(&self) -> Result<(), FeatureError> {
        match (self.keep, self.step) {
            (0, _) => Err(FeatureError::Parameter { name: "keep" }),
            (_, 0) => Err(FeatureError::Parameter { name: "step" }),
            _ => Ok(()),
        }
    }

    /// Eliminates down to `keep`, calling `visit` after each round with what went.
    fn run(
        &self,
        regression: &mut Regression,
        mut visit: impl FnMut(&Regression, &[usize]),
    ) -> Result<(), FeatureError> {
        while regression.active.len() > self.keep {
            let mut order = regression.active.clone();
            let square = |j: usize| regression.coefficient(j).powi(2);
            order.sort_by(|a, b| square(*a).total_cmp(&square(*b)).then(a.cmp(b)));
            order.truncate(self.step.min(regression.active.len() - self.keep));
            for feature in &order {
                regression.drop_feature(*feature)?;
            }
            visit(regression, &order);
        }
        Ok(())
    }
}

/// [`Rfe`] with the number of features chosen by cross-validation.
///
/// Folds are stretches of neighbouring rows, as equal as possible: shuffle rows whose order means something, and see to it that
/// groups do not straddle folds. For each fold features are eliminated on the other rows alone, so that nothing leaks, and
/// every number of features is scored by R² on the fold; the number with the best mean wins, on a tie the smaller. Gram
/// matrices of the folds are subtracted from that of the whole, so that the table is still read once.
///
/// **Errors.** As [`Rfe`]; [`FeatureError::Parameter`] for fewer than two folds or more than rows.
///
/// **Complexity.** O(rows · features² + folds · features³) time, O(folds · features²) space.
///
/// # Example
/// ```
/// use modelops_pruning::features::{RfeCv, Samples, Target};
/// use ndarray::Array2;
///
/// // The target is the first feature; the second is a wave that has nothing to do with it.
/// let x = Array2::from_shape_fn((40, 2), |(i, j)| if j == 0 { i as f64 } else { (i as f64 * 1.7).sin() });
/// let y: Vec<f64> = x.column(0).to_vec();
/// let found = RfeCv::new(4).fit(&Samples::all(x.view(), Target::Values(&y))?)?;
/// assert_eq!(found.selected(), [0]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RfeCv {
    folds: usize,
    least: usize,
    step: usize,
}

/// A cross-validated elimination.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidated {
    elimination: Elimination,
    scores: Vec<(usize, f64)>,
}

impl CrossValidated {
    /// Columns that stay, ascending.
    #[must_use]
    pub fn selected(&self) -> &[usize] {
        self.elimination.selected()
    }

    /// The elimination on all training rows, down to the chosen number.
    #[must_use]
    pub fn elimination(&self) -> &Elimination {
        &self.elimination
    }

    /// Mean R² over the folds for each number of features, rising.
    #[must_use]
    pub fn scores(&self) -> &[(usize, f64)] {
        &self.scores
    }
}

impl RfeCv {
    /// With this many folds, down to one feature, one at a time.
    #[must_use]
    pub fn new(folds: usize) -> Self {
        Self {
            folds,
            least: 1,
            step: 1,
        }
    }

    /// Goes no further down than this many features.
    #[must_use]
    pub fn with_least(mut self, least: usize) -> Self {
        self.least = least;
        self
    }

    /// Drops this many between two fits.
    #[must_use]
    pub fn with_step(mut self, step: usize) -> Self {
        self.step = step;
        self
    }

    /// Chooses the number of features, and eliminates down to it.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<CrossValidated, FeatureError> {
        let folds = folds(samples.rows(), self.folds)?;
        let down = Rfe::new(self.least).with_step(self.step);
        down.check()?;
        let parts = Sums::of(samples, &folds)?;
        let whole = parts[1..]
            .iter()
            .fold(parts[0].clone(), |sum, part| sum.plus(part, 1.0));
        let mut scores: Vec<(usize, f64)> = Vec::new();
        for held_out in &parts {
            let mut regression = Regression::new(&whole.plus(held_out, -1.0))?;
            let mut of_fold = vec![(regression.active.len(), regression.score(held_out))];
            down.run(&mut regression, |now, _| {
                of_fold.push((now.active.len(), now.score(held_out)));
            })?;
            if scores.is_empty() {
                scores = vec![(0, 0.0); of_fold.len()];
            }
            for (sum, (count, score)) in scores.iter_mut().zip(of_fold) {
                *sum = (count, sum.1 + score / self.folds as f64);
            }
        }
        scores.reverse();
        let mut best = (self.least, f64::NEG_INFINITY);
        for (count, score) in &scores {
            if *score > best.1 {
                best = (*count, *score);
            }
        }
        let elimination = Rfe::new(best.0).with_step(self.step).fit(samples)?;
        Ok(CrossValidated { elimination, scores })
    }
}
