//! Least squares within bounds and with robust losses.

use ndarray::Array2;

use crate::gradient_check::check_dimension;
use crate::gradient_descent::not_negative;
use crate::interior::{Interior, start_inside};
use crate::kernel::vector::norm;
use crate::solution::{Observer, Tracker, unobserved};
use crate::{OptimizationError, Progress, Residuals, RobustLoss, Solution, Termination};

/// The trust-region reflective method: a sum of squares whose variables have bounds, or whose residuals have outliers.
///
/// Use [`LevenbergMarquardt`](crate::LevenbergMarquardt) where there are neither. Every point at which it asks for residuals lies
/// within the bounds, and none but possibly the start on them, so that a logarithm or a root of a variable bounded by 0 is safe.
///
/// **Formula**: minimises ½ s² Σ ρ(rᵢ² / s²), the sum of [`RobustLoss::cost`], over lower ≤ x ≤ upper. Variables are measured by
/// √(distance to the bound that descent leads to), where it is finite, so that steps bend away from near bounds; a step within the
/// trust region that would cross a bound is cut there, or reflected, or replaced by one along the gradient, whichever
/// promises most. Give the variables like sizes: the trust region is a sphere in their units. `gradient_norm` of the [`Solution`] is the largest |gᵢ| vᵢ, vᵢ that distance and at most 1.
///
/// **Stops** as [`LevenbergMarquardt`](crate::LevenbergMarquardt) does, a variable with a bound ahead counting as stationary
/// also where going all the way to it would gain at most `tolerance` (1e-10) of the value, or after `max_iterations` (1000) steps tried.
///
/// **Complexity**: one QR factorization of (count + dim) × dim per step taken and a few of 2 dim × dim per step tried.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Residuals, RobustLoss, TrustRegionReflective};
///
/// /// A constant through 1, 1.1, 0.9 and a wild 100.
/// struct Level;
/// impl Residuals for Level {
///     fn dim(&self) -> usize {
///         1
///     }
///     fn count(&self) -> usize {
///         4
///     }
///     fn residuals(&self, x: &[f64], r: &mut [f64]) {
///         r.copy_from_slice(&[x[0] - 1.0, x[0] - 1.1, x[0] - 0.9, x[0] - 100.0]);
///     }
///     fn jacobian(&self, _: &[f64], j: &mut [f64]) {
///         j.fill(1.0);
///     }
/// }
/// let robust = TrustRegionReflective::new().with_loss(RobustLoss::Cauchy { scale: 0.1 });
/// assert!((robust.minimize(&Level, &[0.0])?.x[0] - 1.0).abs() < 0.01);
/// let bounded = TrustRegionReflective::new().with_bounds(&[0.0], &[3.0]);
/// assert!((bounded.minimize(&Level, &[1.0])?.x[0] - 3.0).abs() < 1e-8);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: M. A. Branch, T. F. Coleman and Y. Li, A subspace, interior, and conjugate gradient method for large-scale
/// bound-constrained minimization problems, 1999, doi:10.1137/S1064827595289108.
#[doc(alias("curve_fit", "least_squares"))]
#[derive(Debug, Clone, PartialEq)]
pub struct TrustRegionReflective {
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    loss: RobustLoss,
    max_iterations: usize,
    tolerance: f64,
}

impl Default for TrustRegionReflective {
    fn default() -> Self {
        Self {
            bounds: None,
            loss: RobustLoss::Squares,
            max_iterations: 1000,
            tolerance: 1e-10,
        }
    }
}

/// A step longer than this share of the trust region was held back by it.
const AT_EDGE: f64 = 0.85;

impl TrustRegionReflective {
    /// No bounds, squares, 1000 iterations, tolerance 1e-10.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the bounds of each variable; infinities leave it free.
    #[must_use]
    pub fn with_bounds(mut self, lower: &[f64], upper: &[f64]) -> Self {
        self.bounds = Some((lower.to_vec(), upper.to_vec()));
        self
    }

    /// Sets the cost of a residual.
    #[must_use]
    pub fn with_loss(mut self, loss: RobustLoss) -> Self {
        self.loss = loss;
        self
    }

    /// Sets the budget of steps tried.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the tolerance on step, decrease and gradient.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Minimises the cost of the residuals of `problem` from `x0`; a start on a bound is moved off it by 1e-10 of its size.
    ///
    /// # Errors
    ///
    /// A bad starting point, one out of bounds, bounds of another length or without room between them, a bad tolerance or scale of
    /// the loss, no residuals, or residuals or derivatives that are not finite at `x0`.
    pub fn minimize<R: Residuals + ?Sized>(
        &self,
        problem: &R,
        x0: &[f64],
    ) -> Result<Solution, OptimizationError> {
        self.minimize_observed(problem, x0, &mut unobserved)
    }

    /// As [`minimize`](Self::minimize); `observer` sees every step taken and may stop the run.
    ///
    /// # Errors
    ///
    /// As [`minimize`](Self::minimize).
    pub fn minimize_observed<R: Residuals + ?Sized>(
        &self,
        problem: &R,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        not_negative("tolerance", self.tolerance)?;
        self.loss.validate()?;
        check_dimension(problem.dim(), x0)?;
        if problem.count() == 0 {
            return Err(OptimizationError::EmptyInput {
                what: "the residuals",
            });
        }
        let n = x0.len();
        let free = (vec![f64::NEG_INFINITY; n], vec![f64::INFINITY; n]);
        let (lower, upper) = self.bounds.as_ref().unwrap_or(&free);
        let mut x = start_inside(lower, upper, x0)?;
        let mut residuals = vec![0.0; problem.count()];
        problem.residuals(&x, &mut residuals);
        let mut value = self.cost(&residuals);
        if !value.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut model = self
            .linearise(problem, &x, &residuals, (lower, upper))
            .ok_or(OptimizationError::NonFiniteObjective)?;
        let mut tracker = Tracker::new(&x, value, model.gradient_norm());
        let start = model.length_of(&x);
        let mut region = if start > 0.0 { start } else { 1.0 };
        let (mut damping, mut taken) = (0.0, 0);
        let mut next_residuals = vec![0.0; residuals.len()];
        for _ in 0..self.max_iterations {
            if model.is_stationary(value, self.tolerance) {
                return Ok(tracker.finish(taken, Termination::GradientTolerance));
            }
            let step = model.step(&x, region, damping);
            damping = step.damping;
            problem.residuals(&step.point, &mut next_residuals);
            tracker.evaluations.values += 1;
            let next_value = self.cost(&next_residuals);
            let next_value = if next_value.is_finite() {
                next_value
            } else {
                f64::INFINITY
            };
            let actual = value - next_value;
            let ratio = if step.decrease > 0.0 {
                (actual - step.bending) / step.decrease
            } else {
                0.0
            };
            if ratio < 0.25 {
                region = 0.25 * region.min(step.length);
                damping *= 4.0;
            } else if ratio > 0.75 && step.length > AT_EDGE * region {
                region *= 2.0;
                damping *= 0.5;
            }
            if actual > 0.0 {
                let there = self.linearise(problem, &step.point, &next_residuals, (lower, upper));
                let Some(there) = there else {
                    region *= 0.25;
                    continue;
                };
                tracker.evaluations.gradients += 1;
                model = there;
                x.copy_from_slice(&step.point);
                std::mem::swap(&mut residuals, &mut next_residuals);
                value = next_value;
                taken += 1;
                tracker.history.push(value);
                tracker.see(&x, value, model.gradient_norm());
                let progress = Progress {
                    iteration: taken,
                    value,
                    gradient_norm: model.gradient_norm(),
                };
                if observer(&progress).is_break() {
                    return Ok(tracker.finish(taken, Termination::Cancelled));
                }
            }
            let small = self.tolerance * value;
            if value == 0.0 || (actual.abs() <= small && step.decrease <= small && ratio <= 2.0) {
                return Ok(tracker.finish(taken, Termination::ValueTolerance));
            }
            // A step cut at a bound says nothing about how far the minimum is.
            if step.change <= self.tolerance * norm(&x) && (!step.cut || actual <= 0.0) {
                return Ok(tracker.finish(taken, Termination::StepTolerance));
            }
            if step.decrease <= f64::EPSILON * value && actual.abs() <= f64::EPSILON * value {
                return Ok(tracker.finish(taken, Termination::ValueTolerance));
            }
        }
        Ok(tracker.finish(taken, Termination::MaxIterations))
    }

    fn cost(&self, residuals: &[f64]) -> f64 {
        if self.loss == RobustLoss::Squares {
            return 0.5 * norm(residuals).powi(2);
        }
        residuals.iter().map(|r| self.loss.cost(*r)).sum()
    }

    /// The model of the weighed residuals around `x`.
    fn linearise<R: Residuals + ?Sized>(
        &self,
        problem: &R,
        x: &[f64],
        residuals: &[f64],
        bounds: (&[f64], &[f64]),
    ) -> Option<Interior> {
        let (n, m) = (problem.dim(), problem.count());
        let mut jacobian = Array2::zeros((m + n, n));
        problem.jacobian(x, &mut jacobian.as_slice_mut()?[..m * n]);
        let mut weighed = residuals.to_vec();
        for (r, mut row) in weighed.iter_mut().zip(jacobian.rows_mut()) {
            let (residual, factor) = self.loss.weigh(*r);
            *r = residual;
            row *= factor;
        }
        Interior::new(jacobian, &weighed, x, bounds)
    }
}
