//! Trust-region methods on the second derivatives.

use crate::kernel::vector::{max_norm, norm};
use crate::solution::{Observer, Tracker};
use crate::stopping::{Stopping, smooth_solver};
use crate::trust_region_step::{Exact, Step, truncated};
use crate::{Differentiable, OptimizationError, Progress, Solution, Termination};

/// How a [`TrustRegion`] finds its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Subproblem {
    /// The exact minimiser of the quadratic model within the region, from the eigenvalues of the second derivatives; negative curvature
    /// and saddle points included. J. Moré and D. Sorensen, 1983, doi:10.1137/0904038.
    #[default]
    MoreSorensen,
    /// Conjugate gradients, cut where they leave the region or meet negative curvature: products of the second derivatives with a
    /// vector are all they need, so that thousands of variables are no trouble. T. Steihaug, 1983, doi:10.1137/0720042.
    Steihaug,
}

/// The trust-region method: Newton's steps, held within the region where the quadratic model has proved right.
///
/// The choice for rugged objectives whose second derivatives are at hand ([`Differentiable::hessian`],
/// [`Differentiable::hessian_product`]); without them it takes differences of the gradient.
///
/// **Formula**: a step p minimises fₖ + gᵀp + ½ pᵀH p within ‖p‖ ≤ Δ. It is taken when it brings a share of the decrease promised; Δ is
/// doubled where the share is above ¾ and quartered below ¼. Give the variables like sizes: the region is a sphere in their units.
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|) (tolerance 1e-8), when the value or the point no longer changes, or after
/// `max_iterations` (1000) steps tried.
///
/// **Complexity**: one gradient per step tried; per step taken one matrix of second derivatives and its eigenvalues, O(dim³), or
/// with [`Subproblem::Steihaug`] up to 2 dim products.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, Subproblem, TrustRegion};
///
/// // Rosenbrock's valley, with its bottom at (1, 1).
/// let valley = FnObjective::new(2, |x, g| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     g[0] = -2.0 * a - 400.0 * x[0] * b;
///     g[1] = 200.0 * b;
///     a * a + 100.0 * b * b
/// });
/// for subproblem in [Subproblem::MoreSorensen, Subproblem::Steihaug] {
///     let solution = TrustRegion::new().with_subproblem(subproblem).minimize(&valley, &[-1.2, 1.0])?;
///     assert!((solution.x[0] - 1.0).abs() < 1e-6 && (solution.x[1] - 1.0).abs() < 1e-6);
/// }
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: A. Conn, N. Gould and P. Toint, Trust-region methods, 2000, doi:10.1137/1.9780898719857.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrustRegion {
    subproblem: Subproblem,
    stopping: Stopping,
}

impl Default for TrustRegion {
    fn default() -> Self {
        Self {
            subproblem: Subproblem::default(),
            stopping: Stopping {
                max_iterations: 1000,
                tolerance: 1e-8,
            },
        }
    }
}

/// A step is taken when it brings this share of the decrease promised.
const ACCEPT: f64 = 1e-4;
/// Decreases of this share of the value cannot be told from rounding.
const ROUNDING: f64 = 10.0 * f64::EPSILON;
/// Steps in a row whose decrease is rounding.
const STALLS: usize = 3;

impl TrustRegion {
    /// Exact steps, 1000 steps tried, tolerance 1e-8.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how a step is found.
    #[must_use]
    pub fn with_subproblem(mut self, subproblem: Subproblem) -> Self {
        self.subproblem = subproblem;
        self
    }

    fn run<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        let n = x0.len();
        let mut x = x0.to_vec();
        let mut gradient = vec![0.0; n];
        let mut value = objective.value_and_gradient(&x, &mut gradient);
        let mut gradient_norm = max_norm(&gradient);
        if !value.is_finite() || !gradient_norm.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(&x, value, gradient_norm);
        let mut region = norm(&x).max(1.0);
        let (mut next, mut next_gradient) = (vec![0.0; n], vec![0.0; n]);
        let mut exact: Option<Exact> = None;
        let (mut taken, mut stalls) = (0, 0);
        for _ in 0..self.stopping.max_iterations {
            if self.stopping.is_met(gradient_norm, value) {
                return Ok(tracker.finish(taken, Termination::GradientTolerance));
            }
            let spent = &mut tracker.evaluations;
            let step: Option<Step> = match self.subproblem {
                Subproblem::MoreSorensen => {
                    if exact.is_none() {
                        exact = Exact::new(objective, &x, &gradient, spent);
                    }
                    exact.as_ref().map(|exact| exact.step(region))
                }
                Subproblem::Steihaug => truncated(objective, &x, &gradient, region, spent),
            };
            // Without second derivatives to rely on: along the gradient to the edge.
            let step = step.unwrap_or_else(|| Step::downhill(&gradient, region));
            let length = norm(&step.p);
            for ((n, x), p) in next.iter_mut().zip(&x).zip(&step.p) {
                *n = x + p;
            }
            let next_value = objective.value_and_gradient(&next, &mut next_gradient);
            tracker.evaluations.gradients += 1;
            let next_norm = max_norm(&next_gradient);
            let actual = if next_value.is_finite() && next_norm.is_finite() {
                value - next_value
            } else {
                f64::NEG_INFINITY
            };
            let noise = ROUNDING * value.abs();
            let ratio = if step.promised <= noise && actual.abs() <= noise {
                // Rounding decides nothing; near the minimum the model does.
                1.0
            } else {
                actual / step.promised
            };
            if ratio.is_nan() || ratio < 0.25 {
                region = 0.25 * length.min(region);
            } else if ratio > 0.75 && length > 0.8 * region {
                region *= 2.0;
            }
            if ratio > ACCEPT {
                std::mem::swap(&mut x, &mut next);
                std::mem::swap(&mut gradient, &mut next_gradient);
                stalls = if actual <= f64::EPSILON * value.abs() {
                    stalls + 1
                } else {
                    0
                };
                value = next_value;
                gradient_norm = next_norm;
                exact = None;
                taken += 1;
                tracker.history.push(value);
                tracker.see(&x, value, gradient_norm);
                let progress = Progress {
                    iteration: taken,
                    value,
                    gradient_norm,
                };
                if observer(&progress).is_break() {
                    return Ok(tracker.finish(taken, Termination::Cancelled));
                }
                if stalls >= STALLS {
                    return Ok(tracker.finish(taken, Termination::ValueTolerance));
                }
            }
            if region <= f64::EPSILON * norm(&x) || region < f64::MIN_POSITIVE {
                return Ok(tracker.finish(taken, Termination::StepTolerance));
            }
        }
        Ok(tracker.finish(taken, Termination::MaxIterations))
    }
}

smooth_solver!(TrustRegion, stopping);
