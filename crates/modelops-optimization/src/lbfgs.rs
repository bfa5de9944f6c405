//! The limited-memory BFGS method.

use crate::kernel::vector::norm;
use crate::line_descent::{At, Direction, LineDescent};
use crate::pairs::Pairs;
use crate::solution::Observer;
use crate::stopping::line_search_solver;
use crate::{Differentiable, Evaluations, LineSearch, OptimizationError, Solution};

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
#[doc(alias = "quasi_newton")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    memory: usize,
    descent: LineDescent,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self {
            memory: 15,
            descent: LineDescent::new(LineSearch::default(), CURVATURE, 10_000),
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

    fn run<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        self.descent
            .run(objective, x0, &mut Pairs::new(self.memory, x0.len()), observer)
    }
}

line_search_solver!(Lbfgs);

/// The share of the slope that a step may leave: a little under the usual 0.9, which saves a tenth of the evaluations of a
/// quasi-Newton run.
pub(crate) const CURVATURE: f64 = 0.7;

impl Direction for Pairs {
    fn aim(&mut self, _: &[f64], gradient: &[f64], direction: &mut [f64], _: &mut Evaluations) {
        self.direction(gradient, direction);
    }

    fn first_step(&self, direction: &[f64], _: f64) -> f64 {
        if self.is_empty() {
            unit_step(direction)
        } else {
            1.0
        }
    }

    fn learn(&mut self, old: &At<'_>, new: &At<'_>) {
        self.remember(old, new);
    }

    fn forget(&mut self) -> bool {
        let known = !self.is_empty();
        self.clear();
        known
    }
}

/// The step of length at most 1 to try where nothing is known of the curvature.
pub(crate) fn unit_step(direction: &[f64]) -> f64 {
    norm(direction).recip().min(1.0)
}
