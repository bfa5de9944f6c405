//! Limited-memory BFGS within bounds.

use crate::bounds::Bounds;
use crate::box_model::BoxModel;
use crate::lbfgs::{CURVATURE, unit_step};
use crate::line_descent::{At, Direction, LineDescent};
use crate::pairs::Pairs;
use crate::solution::Observer;
use crate::stopping::line_search_solver;
use crate::{Differentiable, Evaluations, LineSearch, OptimizationError, Solution};

/// L-BFGS-B: the solver to try first on a smooth objective whose variables have bounds.
///
/// It never asks for a value out of bounds, so that a logarithm or a share is safe; a variable may end on its bound exactly, and one whose
/// bounds are equal is held there. Without bounds it takes the steps of [`Lbfgs`](crate::Lbfgs). For a sum of squares with bounds use
/// [`TrustRegionReflective`](crate::TrustRegionReflective).
///
/// **Formula**: minimises f over lower ≤ x ≤ upper. Each step searches from x towards x̂, the minimiser of the quasi-Newton model of the last
/// `memory` (15) steps over those variables that the projected path of steepest descent leaves off their bounds.
///
/// **Stops** when max |gᵢ| vᵢ ≤ tolerance · max(1, |f|) (tolerance 1e-8), vᵢ the distance to the bound that descent along gᵢ leads to, at
/// most 1; it is the `gradient_norm` of the [`Solution`]. Or when the value no longer changes, or after `max_iterations` (10,000).
///
/// **Complexity**: about one gradient and 4 · memory · dim multiplications per step while no bound is in the way, 4 · memory² · dim
/// otherwise.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, LbfgsB};
///
/// // (x − 3)² + (y − 1)² within the unit square.
/// let bowl = FnObjective::new(2, |x, g| {
///     g[0] = 2.0 * (x[0] - 3.0);
///     g[1] = 2.0 * (x[1] - 1.0);
///     (x[0] - 3.0).powi(2) + (x[1] - 1.0).powi(2)
/// });
/// let solution = LbfgsB::new().with_bounds(&[0.0, 0.0], &[1.0, 1.0]).minimize(&bowl, &[0.5, 0.5])?;
/// assert_eq!(solution.x, [1.0, 1.0]);
/// assert_eq!(solution.value, 4.0);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: R. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained optimization, 1995,
/// doi:10.1137/0916069.
#[doc(alias = "bounds")]
#[derive(Debug, Clone, PartialEq)]
pub struct LbfgsB {
    bounds: Option<(Vec<f64>, Vec<f64>)>,
    memory: usize,
    descent: LineDescent,
}

impl Default for LbfgsB {
    fn default() -> Self {
        Self {
            bounds: None,
            memory: 15,
            descent: LineDescent::new(LineSearch::default(), CURVATURE, 10_000),
        }
    }
}

impl LbfgsB {
    /// No bounds, memory 15, 10,000 iterations, tolerance 1e-8.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the bounds of each variable; infinities leave it free. Bounds of another length than the start, a lower one above its
    /// upper one and a start out of them are errors of the run.
    #[must_use]
    pub fn with_bounds(mut self, lower: &[f64], upper: &[f64]) -> Self {
        self.bounds = Some((lower.to_vec(), upper.to_vec()));
        self
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
        let n = x0.len();
        let free = (vec![f64::NEG_INFINITY; n], vec![f64::INFINITY; n]);
        let (lower, upper) = self.bounds.as_ref().unwrap_or(&free);
        let within = Bounds::new(lower, upper, x0)?;
        let mut bounded = Bounded {
            within,
            pairs: Pairs::new(self.memory, n),
        };
        self.descent.run(objective, x0, &mut bounded, observer)
    }
}

line_search_solver!(LbfgsB);

/// The last steps, and the bounds.
struct Bounded<'a> {
    within: Bounds<'a>,
    pairs: Pairs,
}

impl Direction for Bounded<'_> {
    fn aim(&mut self, x: &[f64], gradient: &[f64], direction: &mut [f64], _: &mut Evaluations) {
        if !self.pairs.is_empty() {
            self.pairs.direction(gradient, direction);
            let full: Vec<f64> = x.iter().zip(&*direction).map(|(x, d)| x + d).collect();
            // The minimiser of the model, where the bounds allow it.
            if self.within.holds(&full) {
                return;
            }
        }
        let model = BoxModel::new(&self.pairs).or_else(|| {
            self.pairs.clear();
            BoxModel::new(&self.pairs)
        });
        direction.fill(0.0);
        if let Some(model) = model {
            let target = model.minimise(x, gradient, self.within);
            for ((d, target), x) in direction.iter_mut().zip(&target).zip(x) {
                *d = target - x;
            }
        }
    }

    fn first_step(&self, direction: &[f64], _: f64) -> f64 {
        if self.pairs.is_empty() {
            unit_step(direction)
        } else {
            1.0
        }
    }

    fn learn(&mut self, old: &At<'_>, new: &At<'_>) {
        self.pairs.remember(old, new);
    }

    fn forget(&mut self) -> bool {
        let known = !self.pairs.is_empty();
        self.pairs.clear();
        known
    }

    fn longest(&self, x: &[f64], direction: &[f64]) -> f64 {
        let mut longest = f64::INFINITY;
        for (i, d) in direction.iter().enumerate() {
            let bound = if *d > 0.0 {
                self.within.upper[i]
            } else {
                self.within.lower[i]
            };
            if *d != 0.0 {
                longest = ((bound - x[i]) / d).min(longest);
            }
        }
        longest.max(1.0)
    }

    fn place(&self, x: &mut [f64]) {
        self.within.project(x);
    }

    fn gradient_norm(&self, x: &[f64], gradient: &[f64]) -> f64 {
        self.within.gradient_norm(x, gradient)
    }
}
