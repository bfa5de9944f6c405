//! The Levenberg-Marquardt method for sums of squares.

use crate::gradient_check::check_dimension;
use crate::gradient_descent::not_negative;
use crate::kernel::vector::norm;
use crate::least_squares_model::{Linear, scaled};
use crate::solution::{Observer, Tracker, unobserved};
use crate::{OptimizationError, Progress, Solution, Termination};

/// Residuals r(x) whose sum of squares is to be minimised.
///
/// A residual that is NaN or infinite means "no value here", as for an [`Objective`](crate::Objective).
pub trait Residuals {
    /// The number of variables.
    fn dim(&self) -> usize;

    /// The number of residuals.
    fn count(&self) -> usize;

    /// Writes the residuals at `x` ([`dim`](Self::dim) entries) into `residuals` ([`count`](Self::count) entries).
    fn residuals(&self, x: &[f64], residuals: &mut [f64]);

    /// Writes the derivatives at `x` into `jacobian`: count × dim entries, residual by residual.
    fn jacobian(&self, x: &[f64], jacobian: &mut [f64]);
}

/// Levenberg-Marquardt: the solver to try first on a sum of squares of moderate size, such as fitting a curve.
///
/// Between Gauss-Newton, which is fast near the solution, and gradient descent, which is safe far from it, by a trust region in the
/// scale of each variable.
///
/// **Formula**: minimises ½ ‖r(x)‖²; a step p minimises ‖r + J p‖ within ‖D p‖ ≤ Δ, D the largest column lengths of J so far. The
/// `value` and `history` of the [`Solution`] are ½ ‖r‖², its gradient is Jᵀ r.
///
/// **Stops** when the step is at most `tolerance` (1e-10) of the point's length in the scale D, when the predicted and actual decrease
/// are at most `tolerance` of the value, when r is at an angle to every column of J whose cosine is at most `tolerance`, or after
/// `max_iterations` (1000).
///
/// **Complexity**: one QR factorization of J, O(count · dim²), and one or a few of 2 dim × dim per step. **Numerics**: J is never squared.
///
/// # Example
///
/// ```
/// use modelops_optimization::{LevenbergMarquardt, Residuals};
///
/// /// Fits a exp(b t) through (0, 2) and (1, 6).
/// struct Growth;
/// impl Residuals for Growth {
///     fn dim(&self) -> usize {
///         2
///     }
///     fn count(&self) -> usize {
///         2
///     }
///     fn residuals(&self, x: &[f64], r: &mut [f64]) {
///         r[0] = x[0] - 2.0;
///         r[1] = x[0] * x[1].exp() - 6.0;
///     }
///     fn jacobian(&self, x: &[f64], j: &mut [f64]) {
///         j.copy_from_slice(&[1.0, 0.0, x[1].exp(), x[0] * x[1].exp()]);
///     }
/// }
/// let solution = LevenbergMarquardt::new().minimize(&Growth, &[1.0, 0.0])?;
/// assert!((solution.x[0] - 2.0).abs() < 1e-9 && (solution.x[1] - 3f64.ln()).abs() < 1e-9);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: J. Moré, The Levenberg-Marquardt algorithm: implementation and theory, 1978, doi:10.1007/BFb0067700.
#[doc(alias("curve_fit", "least_squares"))]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevenbergMarquardt {
    max_iterations: usize,
    tolerance: f64,
}

impl Default for LevenbergMarquardt {
    fn default() -> Self {
        Self {
            max_iterations: 1000,
            tolerance: 1e-10,
        }
    }
}

/// The first trust region, in lengths of the starting point.
const FIRST_REGION: f64 = 1.0;
/// A step is taken when it brings this share of the predicted decrease.
const ACCEPT: f64 = 1e-4;

impl LevenbergMarquardt {
    /// 1000 iterations, tolerance 1e-10.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the budget of steps tried.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the tolerance on step, decrease and angle.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Minimises half the sum of squares of `problem` from `x0`.
    ///
    /// # Errors
    ///
    /// A bad starting point or tolerance, no residuals, or residuals or derivatives that are not finite at `x0`.
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
        check_dimension(problem.dim(), x0)?;
        if problem.count() == 0 {
            return Err(OptimizationError::EmptyInput {
                what: "the residuals",
            });
        }
        let mut x = x0.to_vec();
        let mut residuals = vec![0.0; problem.count()];
        problem.residuals(&x, &mut residuals);
        let mut length = norm(&residuals);
        let mut model = Linear::at(problem, &x, &residuals).ok_or(OptimizationError::NonFiniteObjective)?;
        if !length.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(&x, half_square(length), model.gradient_norm());
        let mut scale: Vec<f64> = model
            .column_lengths
            .iter()
            .map(|l| if *l > 0.0 { *l } else { 1.0 })
            .collect();
        let scaled_length = |x: &[f64], scale: &[f64]| norm(&scaled(x, scale));
        let start_length = scaled_length(&x, &scale);
        let mut region = FIRST_REGION * if start_length > 0.0 { start_length } else { 1.0 };
        let mut damping = 0.0;
        let mut next = vec![0.0; x.len()];
        let mut next_residuals = vec![0.0; residuals.len()];
        let mut taken = 0;
        for _ in 0..self.max_iterations {
            if model.steepest_cosine(length) <= self.tolerance {
                return Ok(tracker.finish(taken, Termination::GradientTolerance));
            }
            let step = model.step(&scale, region, damping);
            damping = step.damping;
            if taken == 0 {
                region = region.min(step.length);
            }
            for ((n, x), p) in next.iter_mut().zip(&x).zip(&step.p) {
                *n = x + p;
            }
            problem.residuals(&next, &mut next_residuals);
            tracker.evaluations.values += 1;
            let next_length = norm(&next_residuals);
            let next_length = if next_length.is_finite() {
                next_length
            } else {
                f64::INFINITY
            };
            // Decreases relative to the value, as sums of terms that cannot cancel.
            let predicted =
                (step.model_length / length).powi(2) + 2.0 * damping * (step.length / length).powi(2);
            let actual = if 0.1 * next_length < length {
                1.0 - (next_length / length).powi(2)
            } else {
                -1.0
            };
            let ratio = if predicted > 0.0 { actual / predicted } else { 0.0 };
            if ratio <= 0.25 {
                // The slope of the value along the step, relative to it; the parabola through both ends has its bottom here.
                let slope =
                    -((step.model_length / length).powi(2) + damping * (step.length / length).powi(2));
                let share = if actual >= 0.0 {
                    0.5
                } else {
                    0.5 * slope / (slope + 0.5 * actual)
                };
                let share = if 0.1 * next_length >= length {
                    0.1
                } else {
                    share.clamp(0.1, 0.5)
                };
                region = share * region.min(10.0 * step.length);
                damping /= share;
            } else if damping == 0.0 || ratio >= 0.75 {
                region = 2.0 * step.length;
                damping *= 0.5;
            }
            if ratio >= ACCEPT {
                let Some(there) = Linear::at(problem, &next, &next_residuals) else {
                    region *= 0.25;
                    continue;
                };
                tracker.evaluations.gradients += 1;
                model = there;
                std::mem::swap(&mut x, &mut next);
                std::mem::swap(&mut residuals, &mut next_residuals);
                length = next_length;
                taken += 1;
                for (s, l) in scale.iter_mut().zip(&model.column_lengths) {
                    *s = s.max(*l);
                }
                let value = half_square(length);
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
            if length == 0.0
                || (actual.abs() <= self.tolerance && predicted <= self.tolerance && ratio <= 2.0)
            {
                return Ok(tracker.finish(taken, Termination::ValueTolerance));
            }
            if region <= self.tolerance * scaled_length(&x, &scale) {
                return Ok(tracker.finish(taken, Termination::StepTolerance));
            }
            if predicted <= f64::EPSILON && actual.abs() <= f64::EPSILON {
                return Ok(tracker.finish(taken, Termination::ValueTolerance));
            }
        }
        Ok(tracker.finish(taken, Termination::MaxIterations))
    }
}

fn half_square(length: f64) -> f64 {
    0.5 * length * length
}
