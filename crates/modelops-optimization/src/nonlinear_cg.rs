//! Nonlinear conjugate gradients.

use crate::kernel::vector::{dot, norm};
use crate::lbfgs::unit_step;
use crate::line_descent::{At, Direction, LineDescent};
use crate::solution::Observer;
use crate::stopping::line_search_solver;
use crate::{Differentiable, Evaluations, LineSearch, OptimizationError, Solution};

/// Nonlinear conjugate gradients: a few vectors of memory, whatever the number of variables.
///
/// Use it where even the few dozen vectors of [`Lbfgs`](crate::Lbfgs) do not fit; else that one needs fewer evaluations.
///
/// **Formula**: d ← −g + β d with β = max(0, gᵀy / ‖g₀‖²), y = g − g₀ the change of the gradient (Polak and Ribière's rule, which starts over by
/// itself where steps stall).
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|) (tolerance 1e-8), when the value no longer changes, or after
/// `max_iterations` (100,000).
///
/// **Complexity**: about two gradients per step.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, NonlinearCg};
///
/// // Σ i xᵢ² over a thousand variables.
/// let bowl = FnObjective::new(1000, |x, g| {
///     let mut value = 0.0;
///     for (i, x) in x.iter().enumerate() {
///         g[i] = 2.0 * (i + 1) as f64 * x;
///         value += (i + 1) as f64 * x * x;
///     }
///     value
/// });
/// let solution = NonlinearCg::new().minimize(&bowl, &vec![1.0; 1000])?;
/// assert!(solution.converged() && solution.value < 1e-12);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: J. Gilbert and J. Nocedal, Global convergence properties of conjugate gradient methods for optimization, 1992,
/// doi:10.1137/0802003.
#[doc(alias = "conjugate_gradient")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NonlinearCg {
    descent: LineDescent,
}

impl Default for NonlinearCg {
    fn default() -> Self {
        Self {
            descent: LineDescent::new(LineSearch::MoreThuente, CURVATURE, 100_000),
        }
    }
}

impl NonlinearCg {
    /// 100,000 iterations, tolerance 1e-8, Moré and Thuente's line search.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn run<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        self.descent
            .run(objective, x0, &mut Conjugate::new(x0.len()), observer)
    }
}

line_search_solver!(NonlinearCg);

/// Conjugacy wants steps nearer to the minimum along the line than a quasi-Newton method does.
const CURVATURE: f64 = 0.1;

fn difference(a: &[f64], b: &[f64], out: &mut [f64]) {
    for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
        *out = a - b;
    }
}

/// The last direction, and what the next one takes of it.
struct Conjugate {
    last: Vec<f64>,
    change: Vec<f64>,
    /// β; 0 where nothing is known.
    share: f64,
    /// The step taken along the last direction times its slope; 0 where nothing is known.
    progress: f64,
}

impl Conjugate {
    fn new(n: usize) -> Self {
        Self {
            last: vec![0.0; n],
            change: vec![0.0; n],
            share: 0.0,
            progress: 0.0,
        }
    }
}

impl Direction for Conjugate {
    fn aim(&mut self, _: &[f64], gradient: &[f64], direction: &mut [f64], _: &mut Evaluations) {
        for ((d, g), last) in direction.iter_mut().zip(gradient).zip(&self.last) {
            *d = self.share * last - g;
        }
        self.last.copy_from_slice(direction);
    }

    /// The first-order change of the last step, as most steps of a run are of a kind.
    fn first_step(&self, direction: &[f64], slope: f64) -> f64 {
        if self.progress < 0.0 {
            self.progress / slope
        } else {
            unit_step(direction)
        }
    }

    fn learn(&mut self, old: &At<'_>, new: &At<'_>) {
        let d = &self.last;
        let slope = dot(d, old.gradient);
        let squared = dot(d, d);
        difference(new.x, old.x, &mut self.change);
        self.progress = norm(&self.change) / squared.sqrt() * slope;
        difference(new.gradient, old.gradient, &mut self.change);
        let share = (dot(&self.change, new.gradient) / dot(old.gradient, old.gradient)).max(0.0);
        self.share = if share.is_finite() { share } else { 0.0 };
    }

    fn forget(&mut self) -> bool {
        self.progress = 0.0;
        std::mem::replace(&mut self.share, 0.0) != 0.0
    }
}
