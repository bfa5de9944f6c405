//! Softmax regression: a linear classifier of any number of classes.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, CowArray, Ix2};

use crate::descent::power_iteration;
use crate::gradient_descent::not_negative;
use crate::kernel::fused::residual_gradient;
use crate::kernel::softmax::{cross_entropy_gradient, to_probabilities};
use crate::kernel::vector::dot;
use crate::solution::{Observer, unobserved};
use crate::table::{check_finite, check_shape, contiguous_rows, entries, gather};
use crate::{Differentiable, FiniteSum, Lbfgs, Objective, OptimizationError, Solution, Solver};

/// Softmax regression (multinomial logistic regression): a linear classifier with probabilities.
///
/// Use it as the first classifier on a table of numbers, scaled to similar ranges. Labels are 0 to classes − 1.
///
/// **Formula**: loss = (1/n) Σᵢ −ln pᵢ + (l2 / 2) ‖W‖², where pᵢ is the entry of softmax(W xᵢ + b) at label i,
/// and the intercepts b are free of the penalty. In
/// terms of scikit-learn's C, l2 = 1 / (C n).
///
/// **Complexity**: O(n d classes) per gradient.
///
/// # Example
///
/// ```
/// use modelops_optimization::SoftmaxRegression;
/// use ndarray::array;
///
/// let x = array![[-2.0], [-1.8], [0.1], [0.0], [1.9], [2.0]];
/// let labels = [0, 0, 1, 1, 2, 2];
/// let fit = SoftmaxRegression::new().with_l2(1e-3).fit(x.view(), &labels)?;
/// assert_eq!(fit.model().predict(x.view())?, labels);
/// assert_eq!(fit.model().accuracy(x.view(), &labels)?, 1.0);
/// // Before the first step every class has a third: the loss is ln 3.
/// assert!((fit.solution().history[0] - 3f64.ln()).abs() < 1e-12);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: D. Böhning, Multinomial logistic regression algorithm, 1992, doi:10.1007/BF00048682 (the curvature bound).
#[doc(alias("multinomial", "classifier"))]
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxRegression {
    l2: f64,
    solver: Solver,
}

impl Default for SoftmaxRegression {
    fn default() -> Self {
        Self {
            l2: 0.0,
            solver: Lbfgs::new().into(),
        }
    }
}

impl SoftmaxRegression {
    /// No penalty, and a solver that needs no learning rate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the penalty on the squared coefficients, at least 0.
    #[must_use]
    pub fn with_l2(mut self, l2: f64) -> Self {
        self.l2 = l2;
        self
    }

    /// Sets the solver, for instance a [`GradientDescent`](crate::GradientDescent) with a learning rate of one's own.
    #[must_use]
    pub fn with_solver(mut self, solver: impl Into<Solver>) -> Self {
        self.solver = solver.into();
        self
    }

    /// Fits the table `x` (n × d) to its `labels` (n entries, each below the number of classes, which is the largest plus one).
    ///
    /// # Errors
    ///
    /// Shapes that disagree, entries that are not finite, fewer than two classes, a negative penalty, or
    /// [`Diverged`](OptimizationError::Diverged) where the solver was given too large a learning rate.
    pub fn fit(&self, x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<SoftmaxFit, OptimizationError> {
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
        labels: &[usize],
        observer: &mut Observer<'_>,
    ) -> Result<SoftmaxFit, OptimizationError> {
        let loss = SoftmaxLoss::new(x, labels, self.l2)?;
        let solution = self
            .solver
            .minimize_observed(&loss, &vec![0.0; loss.dim()], observer)?;
        let (classes, d) = (loss.classes, x.ncols());
        let coefficients = Array2::from_shape_fn((classes, d), |(class, j)| solution.x[class * (d + 1) + j]);
        let intercepts = Array1::from_shape_fn(classes, |class| solution.x[class * (d + 1) + d]);
        Ok(SoftmaxFit {
            model: SoftmaxModel {
                coefficients,
                intercepts,
            },
            solution,
        })
    }
}

/// A fitted [`SoftmaxModel`] and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxFit {
    model: SoftmaxModel,
    solution: Solution,
}

impl SoftmaxFit {
    /// The model.
    #[must_use]
    pub fn model(&self) -> &SoftmaxModel {
        &self.model
    }

    /// The run of the solver: its loss curve is `history`.
    #[must_use]
    pub fn solution(&self) -> &Solution {
        &self.solution
    }

    /// The model alone.
    #[must_use]
    pub fn into_model(self) -> SoftmaxModel {
        self.model
    }
}

/// A linear classifier: class = argmax (W x + b).
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxModel {
    coefficients: Array2<f64>,
    intercepts: Array1<f64>,
}

impl SoftmaxModel {
    /// A model from its weights, for instance pruned ones read from a file: `coefficients` is classes × d.
    ///
    /// # Errors
    ///
    /// Shapes that disagree, no class or feature, entries that are not finite.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::SoftmaxModel;
    /// use ndarray::array;
    ///
    /// let model = SoftmaxModel::new(array![[1.0, 0.0], [0.0, 1.0]], array![0.0, 0.0])?;
    /// assert_eq!(model.predict(array![[3.0, 1.0], [1.0, 3.0]].view())?, [0, 1]);
    /// # Ok::<(), modelops_optimization::OptimizationError>(())
    /// ```
    pub fn new(coefficients: Array2<f64>, intercepts: Array1<f64>) -> Result<Self, OptimizationError> {
        check_shape(coefficients.view(), intercepts.len())?;
        check_finite(coefficients.view())?;
        crate::table::check_finite_targets(intercepts.view())?;
        Ok(Self {
            coefficients,
            intercepts,
        })
    }

    /// W, classes × d.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView2<'_, f64> {
        self.coefficients.view()
    }

    /// b, one entry a class.
    #[must_use]
    pub fn intercepts(&self) -> ArrayView1<'_, f64> {
        self.intercepts.view()
    }

    /// The likeliest class of each row of `x` (n × d); the lowest of equals.
    ///
    /// # Errors
    ///
    /// [`OptimizationError::DimensionMismatch`] for another number of columns than the model has.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<usize>, OptimizationError> {
        let logits = self.logits(x)?;
        Ok(logits.rows().into_iter().map(argmax).collect())
    }

    /// The probability of each class for each row of `x` (n × d): n × classes, each row summing to 1.
    ///
    /// # Errors
    ///
    /// [`OptimizationError::DimensionMismatch`] for another number of columns than the model has.
    pub fn predict_probability(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, OptimizationError> {
        let mut probabilities = self.logits(x)?;
        for mut row in probabilities.rows_mut() {
            // The rows of a product need not be contiguous.
            let mut values = row.to_vec();
            to_probabilities(&mut values);
            row.assign(&ArrayView1::from(&values));
        }
        Ok(probabilities)
    }

    /// The share of rows whose predicted class is the label, 0 to 1.
    ///
    /// # Errors
    ///
    /// Shapes that disagree, or no rows.
    pub fn accuracy(&self, x: ArrayView2<'_, f64>, labels: &[usize]) -> Result<f64, OptimizationError> {
        check_shape(x, labels.len())?;
        let hits = self
            .predict(x)?
            .iter()
            .zip(labels)
            .filter(|(p, l)| p == l)
            .count();
        Ok(hits as f64 / labels.len() as f64)
    }

    fn logits(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, OptimizationError> {
        if x.ncols() != self.coefficients.ncols() {
            return Err(OptimizationError::DimensionMismatch {
                what: "a row of x",
                expected: self.coefficients.ncols(),
                found: x.ncols(),
            });
        }
        Ok(x.dot(&self.coefficients.t()) + &self.intercepts)
    }
}

fn argmax(row: ArrayView1<'_, f64>) -> usize {
    row.iter()
        .enumerate()
        .fold(0, |best, (i, v)| if *v > row[best] { i } else { best })
}

/// The loss of [`SoftmaxRegression`] as an objective, for any solver.
///
/// The parameters are, class by class, the d coefficients and then the intercept.
#[derive(Debug, Clone)]
pub struct SoftmaxLoss<'a> {
    x: CowArray<'a, f64, Ix2>,
    labels: &'a [usize],
    classes: usize,
    l2: f64,
    lipschitz: f64,
}

impl<'a> SoftmaxLoss<'a> {
    /// The loss of a table and its labels.
    ///
    /// # Errors
    ///
    /// As [`SoftmaxRegression::fit`].
    pub fn new(x: ArrayView2<'a, f64>, labels: &'a [usize], l2: f64) -> Result<Self, OptimizationError> {
        check_shape(x, labels.len())?;
        check_finite(x)?;
        not_negative("l2", l2)?;
        let classes = labels.iter().max().map_or(0, |m| m + 1);
        if labels.iter().all(|l| *l == labels[0]) {
            return Err(OptimizationError::SingleClass);
        }
        let x = contiguous_rows(x);
        let lipschitz = 0.5 * largest_eigenvalue_with_intercept(&x) + l2;
        Ok(Self {
            x,
            labels,
            classes,
            l2,
            lipschitz,
        })
    }
}

/// The largest eigenvalue of [X, 1]ᵀ[X, 1] / n, a little from above.
pub(crate) fn largest_eigenvalue_with_intercept(x: &CowArray<'_, f64, Ix2>) -> f64 {
    let (n, d) = x.dim();
    let rows = entries(x);
    let mut targets = vec![0.0; n];
    let estimate = power_iteration(d + 1, |v, out| {
        // [X, 1] v = X v₁ − (−v₂): the intercept goes in as a constant target.
        targets.fill(-v[d]);
        residual_gradient(&rows, &targets, &v[..d], &mut out[..d]);
        let intercept: f64 = rows.chunks_exact(d).map(|row| dot(row, &v[..d]) + v[d]).sum();
        out[d] = intercept;
        out.iter_mut().for_each(|o| *o /= n as f64);
    });
    // Power iteration comes from below.
    1.05 * estimate
}

impl Objective for SoftmaxLoss<'_> {
    fn dim(&self) -> usize {
        self.classes * (self.x.ncols() + 1)
    }

    fn value(&self, parameters: &[f64]) -> f64 {
        self.value_and_gradient(parameters, &mut vec![0.0; parameters.len()])
    }
}

impl SoftmaxLoss<'_> {
    /// The loss over some rows, one after the other.
    fn over(&self, rows: &[f64], labels: &[usize], parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let (n, d) = (labels.len() as f64, self.x.ncols());
        gradient.fill(0.0);
        let mut logits = vec![0.0; self.classes];
        let loss = cross_entropy_gradient(rows, labels, d, parameters, &mut logits, gradient);
        let mut squared = 0.0;
        for (g, w) in gradient
            .chunks_exact_mut(d + 1)
            .zip(parameters.chunks_exact(d + 1))
        {
            g.iter_mut().for_each(|g| *g /= n);
            for (g, w) in g[..d].iter_mut().zip(w) {
                *g += self.l2 * w;
            }
            squared += dot(&w[..d], &w[..d]);
        }
        loss / n + 0.5 * self.l2 * squared
    }
}

impl Differentiable for SoftmaxLoss<'_> {
    fn value_and_gradient(&self, parameters: &[f64], gradient: &mut [f64]) -> f64 {
        self.over(&entries(&self.x), self.labels, parameters, gradient)
    }

    fn lipschitz(&self) -> Option<f64> {
        Some(self.lipschitz)
    }
}

impl FiniteSum for SoftmaxLoss<'_> {
    fn terms(&self) -> usize {
        self.labels.len()
    }

    fn batch_value_and_gradient(&self, terms: &[usize], parameters: &[f64], gradient: &mut [f64]) -> f64 {
        let labels: Vec<usize> = terms.iter().map(|i| self.labels[*i]).collect();
        let rows = gather(&entries(&self.x), self.x.ncols(), terms);
        self.over(&rows, &labels, parameters, gradient)
    }
}
