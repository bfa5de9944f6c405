//! Logistic regression: a linear classifier of two classes.

use ndarray::{Array1, ArrayView1, ArrayView2, CowArray, Ix2};

use crate::gradient_descent::not_negative;
use crate::kernel::logistic::log_loss_gradient;
use crate::kernel::vector::dot;
use crate::model::softmax::largest_eigenvalue_with_intercept;
use crate::solution::{Observer, unobserved};
use crate::table::{check_finite, check_shape, contiguous_rows, entries, gather};
use crate::{Differentiable, FiniteSum, Lbfgs, Objective, OptimizationError, Solution, Solver};

/// Logistic regression: the probability that a row's label is true.
///
/// Use it for yes-or-no targets on a table scaled to similar ranges; for more classes use
/// [`SoftmaxRegression`](crate::SoftmaxRegression).
///
/// **Formula**: loss = (1/n) Σᵢ [ln(1 + exp zᵢ) − labelᵢ zᵢ] + (l2 / 2) ‖w‖², zᵢ = w·xᵢ + b, the intercept b free of the
/// penalty. In terms of scikit-learn's C, l2 = 1 / (C n).
///
/// **Complexity**: O(n d) per gradient, one pass over the rows.
///
/// # Example
///
/// ```
/// use modelops_optimization::LogisticRegression;
/// use ndarray::array;
///
/// let x = array![[0.0], [1.0], [2.0], [3.0]];
/// let fit = LogisticRegression::new().with_l2(0.1).fit(x.view(), &[false, false, true, true])?;
/// // The labels are symmetric about 1.5, and so are the probabilities.
/// let p = fit.predict_probability(array![[1.5]].view())?;
/// assert!((p[0] - 0.5).abs() < 1e-5);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
#[doc(alias = "classifier")]
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticRegression {
    l2: f64,
    solver: Solver,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self {
            l2: 0.0,
            solver: Lbfgs::new().into(),
        }
    }
}

impl LogisticRegression {
    /// No penalty, and a solver that needs no learning rate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the penalty on the squared coefficients, at least 0. Classes that a plane separates need one: without it the
    /// coefficients grow for as long as the solver runs.
    #[must_use]
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = l2;
        self
    }

    /// Sets the solver.
    #[must_use]
    pub fn with_solver(mut self, solver: impl Into<Solver>) -> Self {
        self.solver = solver.into();
        self
    }

    /// Fits the table `x` (n × d) to its `labels` (n entries).
    ///
    /// # Errors
    ///
    /// Shapes that disagree, entries that are not finite, labels all alike, a negative penalty, or
    /// [`Diverged`](OptimizationError::Diverged) where the solver was given too large a learning rate.
    pub fn fit(&self, x: ArrayView2<'_, f64>, labels: &[bool]) -> Result<LogisticModel, OptimizationError> {
        self.fit_observed(x, labels, &mut unobserved)
    }

    /// As [`fit`](Self::fit); `observer` sees every step and may stop the run.
    ///
    /// # Errors
    ///
    /// As [`fit`](Self::fit).
    pub fn fit_observed(
        &self,
        x: ArrayView2<'_, f64>,
        labels: &[bool],
        observer: &mut Observer<'_>,
    ) -> Result<LogisticModel, OptimizationError> {
        let loss = LogisticLoss::new(x, labels, self.l2)?;
        let solution = self
            .solver
            .minimize_observed(&loss, &vec![0.0; loss.dim()], observer)?;
        let d = x.ncols();
        Ok(LogisticModel {
            coefficients: Array1::from(solution.x[..d].to_vec()),
            intercept: solution.x[d],
            solution,
        })
    }
}

/// A fitted [`LogisticRegression`].
#[derive(Debug, Clone, PartialEq)]
pub struct LogisticModel {
    coefficients: Array1<f64>,
    intercept: f64,
    solution: Solution,
}

impl LogisticModel {
    /// w, one entry a column.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView1<'_, f64> {
        self.coefficients.view()
    }

    /// b.
    #[must_use]
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// The run of the solver: its loss curve is `history`.
    #[must_use]
    pub fn solution(&self) -> &Solution {
        &self.solution
    }

    /// The probability of true for each row of `x` (n × d).
    ///
    /// # Errors
    ///
    /// [`OptimizationError::DimensionMismatch`] for another number of columns than the model has.
    pub fn predict_probability(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>, OptimizationError> {
        if x.ncols() != self.coefficients.len() {
            return Err(OptimizationError::DimensionMismatch {
                what: "a row of x",
                expected: self.coefficients.len(),
                found: x.ncols(),
            });
        }
        Ok(x.dot(&self.coefficients)
            .mapv(|z| 1.0 / (1.0 + (-(z + self.intercept)).exp())))
    }

    /// Whether the probability of each row of `x` (n × d) is above one half.
    ///
    /// # Errors
    ///
    /// [`OptimizationError::DimensionMismatch`] for another number of columns than the model has.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<bool>, OptimizationError> {
        Ok(self.predict_probability(x)?.iter().map(|p| *p > 0.5).collect())
    }
}

/// The loss of [`LogisticRegression`] as an objective, for any solver; the parameters are the coefficients and the intercept.
#[derive(Debug, Clone)]
pub struct LogisticLoss<'a> {
    x: CowArray<'a, f64, Ix2>,
    labels: &'a [bool],
    l2: f64,
    lipschitz: f64,
}

impl<'a> LogisticLoss<'a> {
    /// The loss of a table and its labels.
    ///
    /// # Errors
    ///
    /// As [`LogisticRegression::fit`].
    pub fn new(x: ArrayView2<'a, f64>, labels: &'a [bool], l2: f64) -> Result<Self, OptimizationError> {
        check_shape(x, labels.len())?;
        check_finite(x)?;
        not_negative("l2", l2)?;
        if labels.iter().all(|l| *l == labels[0]) {
            return Err(OptimizationError::SingleClass);
        }
        let x = contiguous_rows(x);
        let lipschitz = 0.25 * largest_eigenvalue_with_intercept(&x) + l2;
        Ok(Self {
            x,
            labels,
            l2,
            lipschitz,
        })
    }
}

impl Objective for LogisticLoss<'_> {
    fn dim(&self) -> usize {
        self.x.ncols() + 1
    }

    fn value(&self, parameters: &[f64]) -> f64 {
        self.value_and_gradient(parameters, &mut vec![0.0; parameters.len()])
    }
}

impl LogisticLoss<'_> {
    /// The loss over some rows, one after the other.
    fn over(&self, rows: &[f64], labels: &[bool], parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (n, d) = (labels.len() as f64, self.x.ncols());
        gradient.fill(0.0);
        let loss = log_loss_gradient(rows, labels, d, parameters, gradient);
        gradient.iter_mut().for_each(|g| *g /= n);
        for (g, w) in gradient[..d].iter_mut().zip(parameters) {
            *g += self.l2 * w;
        }
        loss / n + 0.5 * self.l2 * dot(&parameters[..d], &parameters[..d])
    }
}

impl Differentiable for LogisticLoss<'_> {
    fn value_and_gradient(&self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.over(&entries(&self.x), self.labels, parameters, gradient)
    }

    fn lipschitz(&self) -> Option<f64> {
        Some(self.lipschitz)
    }
}

impl FiniteSum for LogisticLoss<'_> {
    fn terms(&self) -> usize {
        self.labels.len()
    }

    fn batch_value_and_gradient(&self, terms: &[usize], parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let labels: Vec<bool> = terms.iter().map(|i| self.labels[*i]).collect();
        let rows = gather(&entries(&self.x), self.x.ncols(), terms);
        self.over(&rows, &labels, parameters, gradient)
    }
}
