//! Recursive elimination of features for linear regression.

use modelops_linalg::{Cholesky, gemm, syrk};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use super::Samples;
use crate::error::FeatureError;

/// Rows that are centred at a time.
const BATCH: usize = 1024;
/// Eliminations after which the inverse is computed anew, so that rounding cannot build up.
const FRESH: usize = 32;

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
        let rows = samples.rows();
        if self.folds < 2 || self.folds > rows {
            return Err(FeatureError::Parameter { name: "folds" });
        }
        let down = Rfe::new(self.least).with_step(self.step);
        down.check()?;
        // The first rows % folds folds have one row more.
        let edge = |fold: usize| fold * (rows / self.folds) + fold.min(rows % self.folds);
        let folds: Vec<_> = (0..self.folds).map(|fold| edge(fold)..edge(fold + 1)).collect();
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

/// Sums of rows and of their products, around a common origin: all that a linear regression needs.
#[derive(Clone)]
struct Sums {
    rows: f64,
    x: Array1<f64>,
    y: f64,
    xx: Array2<f64>,
    xy: Array1<f64>,
    yy: f64,
}

impl Sums {
    /// One for every stretch of rows; the origin is the mean of all.
    fn of(samples: &Samples<'_>, parts: &[std::ops::Range<usize>]) -> Result<Vec<Self>, FeatureError> {
        let y = samples.values()?;
        samples.require_finite()?;
        let (x, rows) = (samples.x(), samples.rows() as f64);
        let features = samples.features();
        // Relative to the first row, so that an offset costs no digits.
        let origin = x.row(0).to_owned();
        let mut mean = Array1::<f64>::zeros(features);
        x.rows().into_iter().for_each(|row| mean += &(&row - &origin));
        let centre = &origin + &(mean / rows);
        let y_centre = y[0] + y.iter().map(|v| v - y[0]).sum::<f64>() / rows;
        let mut sums = Vec::new();
        for part in parts {
            let mut sum = Self {
                rows: part.len() as f64,
                x: Array1::zeros(features),
                y: 0.0,
                xx: Array2::zeros((features, features)),
                xy: Array1::zeros(features),
                yy: 0.0,
            };
            for start in part.clone().step_by(BATCH) {
                let end = part.end.min(start + BATCH);
                let batch = &x.slice(s![start..end, ..]) - &centre;
                let target: Array1<f64> = y[start..end].iter().map(|v| v - y_centre).collect();
                syrk(1.0, batch.t(), 1.0, sum.xx.view_mut()).expect("square by construction");
                sum.xy += &batch.t().dot(&target);
                sum.x += &batch.sum_axis(ndarray::Axis(0));
                sum.y += target.sum();
                sum.yy += target.dot(&target);
            }
            sums.push(sum);
        }
        Ok(sums)
    }

    fn plus(&self, other: &Self, sign: f64) -> Self {
        Self {
            rows: self.rows + sign * other.rows,
            x: &self.x + &(&other.x * sign),
            y: self.y + sign * other.y,
            xx: &self.xx + &(&other.xx * sign),
            xy: &self.xy + &(&other.xy * sign),
            yy: self.yy + sign * other.yy,
        }
    }
}

/// A least-squares regression with an intercept that features can be dropped from.
struct Regression {
    /// Centred products of features divided by their norms.
    gram: Array2<f64>,
    right: Array1<f64>,
    norms: Vec<f64>,
    mean: Array1<f64>,
    y_mean: f64,
    /// Of the features still there that vary: their numbers, the inverse of their Gram matrix, their coefficients.
    fitted: Vec<usize>,
    inverse: Array2<f64>,
    solution: Array1<f64>,
    dropped: usize,
    /// All features still there, those that do not vary included.
    active: Vec<usize>,
}

impl Regression {
    fn new(sums: &Sums) -> Result<Self, FeatureError> {
        let features = sums.x.len();
        let mean = &sums.x / sums.rows;
        let y_mean = sums.y / sums.rows;
        let norms: Vec<f64> = (0..features)
            .map(|j| (sums.xx[[j, j]] - sums.rows * mean[j] * mean[j]).max(0.0).sqrt())
            .collect();
        // What rounding leaves of a constant.
        let varies = |j: usize| norms[j] * norms[j] > 1e-20 * sums.xx[[j, j]].max(f64::MIN_POSITIVE);
        let fitted: Vec<usize> = (0..features).filter(|j| varies(*j)).collect();
        if (sums.rows as usize) <= fitted.len() {
            return Err(FeatureError::TooFewRows {
                needed: fitted.len() + 1,
                found: sums.rows as usize,
            });
        }
        let scale = |j: usize| if varies(j) { norms[j] } else { 1.0 };
        let gram = Array2::from_shape_fn((features, features), |(i, j)| {
            (sums.xx[[i, j]] - sums.rows * mean[i] * mean[j]) / (scale(i) * scale(j))
        });
        let right = Array1::from_shape_fn(features, |j| {
            (sums.xy[j] - sums.rows * mean[j] * y_mean) / scale(j)
        });
        let mut regression = Self {
            gram,
            right,
            norms,
            mean,
            y_mean,
            fitted,
            inverse: Array2::zeros((0, 0)),
            solution: Array1::zeros(0),
            dropped: 0,
            active: (0..features).collect(),
        };
        regression.refresh()?;
        Ok(regression)
    }

    fn refresh(&mut self) -> Result<(), FeatureError> {
        let n = self.fitted.len();
        let part = Array2::from_shape_fn((n, n), |(a, b)| self.gram[[self.fitted[a], self.fitted[b]]]);
        let collinear = |at: usize| FeatureError::Collinear {
            column: self.fitted.get(at).copied().unwrap_or(0),
        };
        let factor = Cholesky::new(part.view()).map_err(|error| match error {
            modelops_linalg::FactorError::NotPositiveDefinite { pivot } => collinear(pivot),
            _ => collinear(0),
        })?;
        // Norms are one, so that a pivot is what the columns before leave unexplained.
        if let Some(at) = factor
            .lower()
            .diag()
            .iter()
            .position(|pivot| pivot * pivot < 1e-13)
        {
            return Err(collinear(at));
        }
        self.inverse = factor.inverse().map_err(|_| collinear(0))?;
        let right: Array1<f64> = self.fitted.iter().map(|j| self.right[*j]).collect();
        self.solution = self.inverse.dot(&right);
        // One correction, since an inverse loses digits that a residual gives back.
        let residual = &right - &part.dot(&self.solution);
        self.solution += &self.inverse.dot(&residual);
        self.dropped = 0;
        Ok(())
    }

    /// In the feature's own unit; 0 where it does not vary.
    fn coefficient(&self, feature: usize) -> f64 {
        match self.fitted.binary_search(&feature) {
            Ok(at) => self.solution[at] / self.norms[feature],
            Err(_) => 0.0,
        }
    }

    fn drop_feature(&mut self, feature: usize) -> Result<(), FeatureError> {
        self.active.retain(|j| *j != feature);
        let Ok(at) = self.fitted.binary_search(&feature) else {
            return Ok(());
        };
        self.fitted.remove(at);
        self.dropped += 1;
        if self.dropped == FRESH {
            return self.refresh();
        }
        let n = self.inverse.ncols();
        let column = self.inverse.column(at).to_owned();
        let (pivot, weight) = (column[at], self.solution[at]);
        let others = |j: &usize| *j != at;
        let kept: Vec<usize> = (0..n).filter(others).collect();
        let mut inverse = Array2::zeros((n - 1, n - 1));
        for (to, from) in kept.iter().enumerate() {
            let factor = column[*from] / pivot;
            let row = self.inverse.row(*from);
            let mut out = inverse.row_mut(to);
            for (slot, j) in out.iter_mut().zip(&kept) {
                *slot = row[*j] - factor * column[*j];
            }
        }
        self.solution = kept
            .iter()
            .map(|j| self.solution[*j] - column[*j] / pivot * weight)
            .collect();
        self.inverse = inverse;
        Ok(())
    }

    /// R² on other rows.
    fn score(&self, other: &Sums) -> f64 {
        let beta: Array1<f64> = self.fitted.iter().map(|j| self.coefficient(*j)).collect();
        let pick = |of: ArrayView1<'_, f64>| -> Array1<f64> { self.fitted.iter().map(|j| of[*j]).collect() };
        // y − ŷ = (y − ȳ) − βᵀ(x − x̄): its sum of squares from the other rows' sums.
        let (x, xy, mean) = (
            pick(other.x.view()),
            pick(other.xy.view()),
            pick(self.mean.view()),
        );
        let mut xx_beta = Array2::zeros((self.fitted.len(), 1));
        let part = self.part(other.xx.view());
        let column = beta.view().insert_axis(ndarray::Axis(1));
        gemm(1.0, part.view(), column, 0.0, xx_beta.view_mut()).expect("shapes agree");
        let shift = beta.dot(&mean) - self.y_mean;
        let squares = other.yy - 2.0 * beta.dot(&xy)
            + beta.dot(&xx_beta.column(0))
            + 2.0 * shift * (other.y - beta.dot(&x))
            + other.rows * shift * shift;
        let spread = other.yy - other.y * other.y / other.rows;
        if spread > 0.0 { 1.0 - squares / spread } else { 0.0 }
    }

    fn part(&self, of: ArrayView2<'_, f64>) -> Array2<f64> {
        let n = self.fitted.len();
        Array2::from_shape_fn((n, n), |(a, b)| of[[self.fitted[a], self.fitted[b]]])
    }
}
