//! Each feature predicted from all others, round after round.

use modelops_linalg::Eigh;
use std::num::NonZeroUsize;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2};
use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::error::FitError;
use crate::impute::width;

/// Fills in what a ridge regression on all other features predicts, feature by feature and round by round.
///
/// Starts from the means. In each round every feature with missing values, those with the fewest first, is regressed on
/// the others over the rows that have it (Bayesian ridge: the penalty is estimated too), and its missing values
/// become the predictions. Rounds end when the changes of no row add up to more than 10⁻³ of the largest known value. This is
/// scikit-learn's `IterativeImputer` with its defaults; the regressions are solved from one matrix of products that
/// follows the changes, rather than from the rows.
///
/// # Complexity
/// O(rows · features²) once and O((missing cells · features + features⁴) · rounds) after.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, IterativeImputer, Split, Train};
/// use ndarray::array;
///
/// // The second feature is twice the first.
/// let x = array![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0], [4.0, 8.0], [5.0, f64::NAN]];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 5], vec!["only".to_string()])?);
/// let filled = IterativeImputer::default().fit(&train)?.transform(&train)?;
/// assert!((filled.x()[[4, 1]] - 10.0).abs() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// van Buuren and Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations in R", 2011,
/// doi:10.18637/jss.v045.i03; `MacKay`, "Bayesian Interpolation", 1992, doi:10.1162/neco.1992.4.3.415.
#[doc(alias = "MICE")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IterativeImputer {
    rounds: NonZeroUsize,
}

impl Default for IterativeImputer {
    /// Ten rounds at most.
    fn default() -> Self {
        const DEFAULT: NonZeroUsize = NonZeroUsize::new(10).expect("not zero");
        Self { rounds: DEFAULT }
    }
}

/// Relative to the largest known value.
const TOLERANCE: f64 = 1e-3;

impl IterativeImputer {
    /// At most `rounds` rounds.
    ///
    /// # Errors
    /// [`FitError::Zero`].
    pub fn new(rounds: usize) -> Result<Self, FitError> {
        let rounds = NonZeroUsize::new(rounds).ok_or(FitError::Zero)?;
        Ok(Self { rounds })
    }

    /// Learns the chain of regressions from the training part.
    ///
    /// # Errors
    /// [`FitError::Empty`], [`FitError::NoValue`] and [`FitError::Infinite`].
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedIterativeImputer, FitError> {
        let x = train.x();
        let (n, d) = x.dim();
        if n == 0 {
            return Err(FitError::Empty);
        }
        if let Some(((row, feature), _)) = x.indexed_iter().find(|(_, v)| v.is_infinite()) {
            return Err(FitError::Infinite { row, feature });
        }
        let missing = missing_rows(x);
        let mut means = Vec::with_capacity(d);
        for (feature, column) in x.columns().into_iter().enumerate() {
            let known = n - missing[feature].len();
            if known == 0 {
                return Err(FitError::NoValue { feature });
            }
            means.push(column.iter().filter(|v| !v.is_nan()).sum::<f64>() / known as f64);
        }
        let mut order: Vec<usize> = (0..d).filter(|&f| !missing[f].is_empty()).collect();
        order.sort_by_key(|&f| missing[f].len());
        let largest = x
            .iter()
            .filter(|v| !v.is_nan())
            .fold(0.0, |m: f64, v| m.max(v.abs()));
        let mut fitted = FittedIterativeImputer {
            means,
            chain: Vec::new(),
            converged: order.is_empty() || d < 2,
        };
        if fitted.converged {
            return Ok(fitted);
        }
        // Everything is centred on the means of the known values, so that products lose no digits to them.
        let mut filled = fitted.centred(x);
        let mut products = Products::new(filled.view());
        for _ in 0..self.rounds.get() {
            let mut changes = vec![0.0; n];
            for &feature in &order {
                let known = products.without(filled.view(), &missing[feature]);
                let link = known.regress(feature);
                for &row in &missing[feature] {
                    products.update(filled.row(row), -1.0);
                    let value = link.predict(filled.row(row));
                    changes[row] += (value - filled[[row, feature]]).abs();
                    filled[[row, feature]] = value;
                    products.update(filled.row(row), 1.0);
                }
                fitted.chain.push(link);
            }
            if changes.into_iter().fold(0.0, f64::max) < TOLERANCE * largest {
                fitted.converged = true;
                break;
            }
        }
        Ok(fitted)
    }
}

fn missing_rows(x: ArrayView2<'_, f64>) -> Vec<Vec<usize>> {
    let column = |feature: usize| (0..x.nrows()).filter(|&row| x[[row, feature]].is_nan()).collect();
    (0..x.ncols()).map(column).collect()
}

/// One regression of the chain, in centred features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Link {
    feature: usize,
    /// One for each feature, zero for its own.
    weights: Vec<f64>,
    intercept: f64,
}

impl Link {
    fn predict(&self, row: ArrayView1<'_, f64>) -> f64 {
        let sum: f64 = self.weights.iter().zip(row).map(|(w, v)| w * v).sum();
        sum + self.intercept
    }
}

/// Sums over rows: how many, of each feature, and of the products of each two.
#[derive(Debug, Clone)]
struct Products {
    rows: f64,
    sums: Array1<f64>,
    squares: Array2<f64>,
}

impl Products {
    fn new(x: ArrayView2<'_, f64>) -> Self {
        let d = x.ncols();
        let mut products = Self {
            rows: 0.0,
            sums: Array1::zeros(d),
            squares: Array2::zeros((d, d)),
        };
        for row in x.rows() {
            products.update(row, 1.0);
        }
        products
    }

    /// Adds a row, or takes one away.
    fn update(&mut self, row: ArrayView1<'_, f64>, sign: f64) {
        self.rows += sign;
        for ((sum, mut squares), a) in self.sums.iter_mut().zip(self.squares.rows_mut()).zip(&row) {
            *sum += sign * a;
            for (square, b) in squares.iter_mut().zip(&row) {
                *square += sign * a * b;
            }
        }
    }

    fn without(&self, x: ArrayView2<'_, f64>, rows: &[usize]) -> Self {
        let mut left = self.clone();
        for &row in rows {
            left.update(x.row(row), -1.0);
        }
        left
    }

    /// Bayesian ridge regression of `feature` on the others, penalty and noise by evidence maximisation.
    fn regress(&self, feature: usize) -> Link {
        let d = self.sums.len();
        let n = self.rows;
        let others: Vec<usize> = (0..d).filter(|&f| f != feature).collect();
        let centred = |a: usize, b: usize| self.squares[[a, b]] - self.sums[a] * self.sums[b] / n;
        let gram = Array2::from_shape_fn((d - 1, d - 1), |(a, b)| centred(others[a], others[b]));
        let target = Array1::from_shape_fn(d - 1, |a| centred(others[a], feature));
        let total = centred(feature, feature).max(0.0);
        let weights = evidence(gram.view(), &target, total, n);
        let mut link = Link {
            feature,
            weights: vec![0.0; d],
            intercept: self.sums[feature] / n,
        };
        for (&f, &w) in others.iter().zip(&weights) {
            link.weights[f] = w;
            link.intercept -= w * self.sums[f] / n;
        }
        link
    }
}

/// The weights that maximise the evidence (`MacKay` 1992, updates as in scikit-learn's `BayesianRidge`).
fn evidence(gram: ArrayView2<'_, f64>, target: &Array1<f64>, total: f64, n: f64) -> Vec<f64> {
    const PRIOR: f64 = 1e-6;
    // A matrix that cannot be decomposed has no finite products: the mean is all that is left.
    let Ok(decomposed) = Eigh::new(gram) else {
        return vec![0.0; target.len()];
    };
    let values: Vec<f64> = decomposed.values().iter().map(|v| v.max(0.0)).collect();
    let vectors = decomposed.vectors();
    let turned = vectors.t().dot(target);
    let solve =
        |ratio: f64| -> Vec<f64> { turned.iter().zip(&values).map(|(t, v)| t / (v + ratio)).collect() };
    let (mut alpha, mut lambda) = (1.0 / (total / n + f64::EPSILON), 1.0);
    let mut weights: Vec<f64> = Vec::new();
    for _ in 0..300 {
        let next = solve(lambda / alpha);
        let residual: f64 = next
            .iter()
            .zip(&turned)
            .zip(&values)
            .map(|((w, t), v)| w * w * v - 2.0 * w * t)
            .sum::<f64>()
            + total;
        let gamma: f64 = values.iter().map(|v| alpha * v / (lambda + alpha * v)).sum();
        let length: f64 = next.iter().map(|w| w * w).sum();
        lambda = (gamma + 2.0 * PRIOR) / (length + 2.0 * PRIOR);
        alpha = (n - gamma + 2.0 * PRIOR) / (residual.max(0.0) + 2.0 * PRIOR);
        let settled = !weights.is_empty() && {
            let step = Array1::from_iter(next.iter().zip(&weights).map(|(a, b)| a - b));
            vectors.dot(&step).iter().map(|v| v.abs()).sum::<f64>() < 1e-3
        };
        weights = next;
        if settled {
            break;
        }
    }
    vectors.dot(&Array1::from(solve(lambda / alpha))).to_vec()
}

/// An [`IterativeImputer`] that has learned its chain of regressions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedIterativeImputer {
    means: Vec<f64>,
    chain: Vec<Link>,
    converged: bool,
}

impl FittedIterativeImputer {
    /// Whether the rounds ended because nothing changed any more.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Fills in a part. A feature that was complete in the training part has no regression: its mean stands in.
    ///
    /// # Errors
    /// [`FitError::Width`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        width(self.means.len(), part)?;
        let x = part.x();
        let missing = missing_rows(x);
        let mut filled = self.centred(x);
        for link in &self.chain {
            for &row in &missing[link.feature] {
                let value = link.predict(filled.row(row));
                filled[[row, link.feature]] = value;
            }
        }
        self.uncentre(filled.view_mut(), x);
        Ok(part.with_x(filled, part.features().to_vec()))
    }

    /// The features it was fitted on, where all of its parts agree.
    pub(crate) fn width(&self) -> Option<usize> {
        let width = self.means.len();
        let sound = |link: &Link| link.feature < width && link.weights.len() == width;
        self.chain.iter().all(sound).then_some(width)
    }

    /// The values less the means; zero where one is missing.
    fn centred(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        Array2::from_shape_fn(x.dim(), |(row, feature)| {
            let value = x[[row, feature]];
            if value.is_nan() {
                0.0
            } else {
                value - self.means[feature]
            }
        })
    }

    /// Adds the means to what was filled in; known values come back as they were.
    fn uncentre(&self, mut filled: ArrayViewMut2<'_, f64>, x: ArrayView2<'_, f64>) {
        for ((at, value), known) in filled.indexed_iter_mut().zip(x) {
            *value = if known.is_nan() {
                *value + self.means[at.1]
            } else {
                *known
            };
        }
    }
}
