//! The limited-memory BFGS method.

use crate::gradient_check::check_dimension;
use crate::gradient_descent::not_negative;
use crate::kernel::vector::{axpy, dot, max_norm, norm};
use crate::line_search::{Found, Point, search};
use crate::solution::{Observer, Tracker, unobserved};
use crate::{Differentiable, OptimizationError, Progress, Solution, Termination};

/// Limited-memory BFGS: the solver to try first on a smooth objective of any size.
///
/// It learns the curvature from the last steps and their change of gradient. Use Levenberg-Marquardt where the objective is a
/// sum of squares whose residuals are at hand; use [`FirstOrder`](crate::FirstOrder) where the gradient is noisy.
///
/// **Formula**: x ← x − α H ∇f(x), H the BFGS matrix of the last `memory` (15) pairs, α from a strong Wolfe line search.
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|) (tolerance 1e-8), when the value no longer changes, or after
/// `max_iterations` (10,000).
///
/// **Complexity**: about one gradient and 4 · memory · dim multiplications per step; 2 · memory + 5 vectors of memory, none
/// allocated per step.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, Lbfgs};
///
/// // Rosenbrock's valley, with its bottom at (1, 1).
/// let valley = FnObjective::new(2, |x, g| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     g[0] = -2.0 * a - 400.0 * x[0] * b;
///     g[1] = 200.0 * b;
///     a * a + 100.0 * b * b
/// });
/// let solution = Lbfgs::new().minimize(&valley, &[-1.2, 1.0])?;
/// assert!(solution.converged() && solution.evaluations.total() < 60);
/// assert!((solution.x[0] - 1.0).abs() < 1e-6 && (solution.x[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: D. Liu and J. Nocedal, On the limited memory BFGS method for large scale optimization, 1989,
/// doi:10.1007/BF01589116.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    memory: usize,
    max_iterations: usize,
    tolerance: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            memory: 15,
            max_iterations: 10_000,
            tolerance: 1e-8,
        }
    }
}

impl Lbfgs {
    /// Memory 15, 10,000 iterations, tolerance 1e-8.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of steps remembered, at least 1; 5 to 20 are usual.
    #[must_use]
    pub fn with_memory(mut self, memory: usize) -> Self {
        self.memory = memory.max(1);
        self
    }

    /// Sets the iteration budget.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the gradient tolerance; with 0 only the arithmetic and the budget stop it.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Minimises `objective` from `x0`.
    ///
    /// # Errors
    ///
    /// A bad starting point or tolerance, or an objective that is not finite at `x0`.
    pub fn minimize<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
    ) -> Result<Solution, OptimizationError> {
        self.minimize_observed(objective, x0, &mut unobserved)
    }

    /// As [`minimize`](Self::minimize); `observer` sees every step and may stop the run.
    ///
    /// # Errors
    ///
    /// As [`minimize`](Self::minimize).
    pub fn minimize_observed<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        not_negative("tolerance", self.tolerance)?;
        check_dimension(objective.dim(), x0)?;
        let n = x0.len();
        let mut x = x0.to_vec();
        let mut gradient = vec![0.0; n];
        let mut value = objective.value_and_gradient(&x, &mut gradient);
        let mut gradient_norm = max_norm(&gradient);
        if !value.is_finite() || !gradient_norm.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(&x, value, gradient_norm);
        let mut memory = Memory::new(self.memory, n);
        let (mut next, mut next_gradient, mut direction) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let mut stalls = 0;
        for iteration in 0..self.max_iterations {
            if gradient_norm <= self.tolerance * value.abs().max(1.0) {
                return Ok(tracker.finish(iteration, Termination::GradientTolerance));
            }
            memory.direction(&gradient, &mut direction);
            let mut slope = dot(&gradient, &direction);
            // A slope that is not clearly downhill is rounding in an ill-conditioned memory: start over.
            if !(slope < 0.0 && slope.is_finite()) {
                memory.clear();
                memory.direction(&gradient, &mut direction);
                slope = dot(&gradient, &direction);
            }
            let first = if memory.is_empty() {
                (1.0 / norm(&gradient)).min(1.0)
            } else {
                1.0
            };
            let start = Point {
                step: 0.0,
                value,
                slope,
            };
            let found = search(start, first, |step| {
                for ((n, x), d) in next.iter_mut().zip(&x).zip(&direction) {
                    *n = x + step * d;
                }
                let value = objective.value_and_gradient(&next, &mut next_gradient);
                tracker.evaluations.gradients += 1;
                (value, dot(&next_gradient, &direction))
            });
            let point = match found {
                Found::Accepted(point) => point,
                Found::Lower(point) => {
                    for ((n, x), d) in next.iter_mut().zip(&x).zip(&direction) {
                        *n = x + point.step * d;
                    }
                    objective.value_and_gradient(&next, &mut next_gradient);
                    tracker.evaluations.gradients += 1;
                    point
                }
                Found::Nothing if !memory.is_empty() => {
                    memory.clear();
                    continue;
                }
                Found::Nothing => return Ok(tracker.finish(iteration, Termination::LineSearchFailed)),
            };
            memory.remember(&x, &next, &gradient, &next_gradient);
            let decrease = value - point.value;
            stalls = if decrease <= f64::EPSILON * value.abs() {
                stalls + 1
            } else {
                0
            };
            std::mem::swap(&mut x, &mut next);
            std::mem::swap(&mut gradient, &mut next_gradient);
            value = point.value;
            gradient_norm = max_norm(&gradient);
            tracker.history.push(value);
            tracker.see(&x, value, gradient_norm);
            if observer(&Progress {
                iteration: iteration + 1,
                value,
                gradient_norm,
            })
            .is_break()
            {
                return Ok(tracker.finish(iteration + 1, Termination::Cancelled));
            }
            if stalls >= STALLS {
                return Ok(tracker.finish(iteration + 1, Termination::ValueTolerance));
            }
        }
        Ok(tracker.finish(self.max_iterations, Termination::MaxIterations))
    }
}

/// Steps in a row without a change of the value that the arithmetic can tell.
const STALLS: usize = 3;

/// The last steps and their changes of gradient, in a ring.
struct Memory {
    capacity: usize,
    n: usize,
    steps: Vec<f64>,
    changes: Vec<f64>,
    /// 1 / (step · change) of each pair.
    inverses: Vec<f64>,
    alphas: Vec<f64>,
    /// Pairs stored since the last clear; the newest is at (count − 1) modulo capacity.
    count: usize,
}

impl Memory {
    fn new(capacity: usize, n: usize) -> Self {
        Self {
            capacity,
            n,
            steps: vec![0.0; capacity * n],
            changes: vec![0.0; capacity * n],
            inverses: vec![0.0; capacity],
            alphas: vec![0.0; capacity],
            count: 0,
        }
    }

    fn clear(&mut self) {
        self.count = 0;
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn pair(&self, slot: usize) -> (&[f64], &[f64]) {
        let at = slot * self.n..(slot + 1) * self.n;
        (&self.steps[at.clone()], &self.changes[at])
    }

    /// Keeps the pair if its curvature is positive beyond rounding.
    fn remember(&mut self, x: &[f64], next: &[f64], gradient: &[f64], next_gradient: &[f64]) {
        let slot = self.count % self.capacity;
        let at = slot * self.n..(slot + 1) * self.n;
        for ((s, new), old) in self.steps[at.clone()].iter_mut().zip(next).zip(x) {
            *s = new - old;
        }
        for ((y, new), old) in self.changes[at].iter_mut().zip(next_gradient).zip(gradient) {
            *y = new - old;
        }
        let (step, change) = self.pair(slot);
        let curvature = dot(step, change);
        if curvature > f64::EPSILON * norm(step) * norm(change) {
            self.inverses[slot] = 1.0 / curvature;
            self.count += 1;
        }
    }

    /// direction = −H gradient, by the two loops over the pairs.
    fn direction(&mut self, gradient: &[f64], direction: &mut [f64]) {
        for (d, g) in direction.iter_mut().zip(gradient) {
            *d = -g;
        }
        if self.count == 0 {
            return;
        }
        let stored = self.count.min(self.capacity);
        let slots = (self.count - stored..self.count).map(|k| k % self.capacity);
        for slot in slots.clone().rev() {
            let (step, change) = self.pair(slot);
            let alpha = self.inverses[slot] * dot(step, direction);
            axpy(-alpha, change, direction);
            self.alphas[slot] = alpha;
        }
        let newest = (self.count - 1) % self.capacity;
        let (_, change) = self.pair(newest);
        let scale = 1.0 / (self.inverses[newest] * dot(change, change));
        direction.iter_mut().for_each(|d| *d *= scale);
        for slot in slots {
            let (step, change) = self.pair(slot);
            let beta = self.inverses[slot] * dot(change, direction);
            axpy(self.alphas[slot] - beta, step, direction);
        }
    }
}
