//! Newton's method.

use modelops_linalg::{Cholesky, Eigh};
use ndarray::{ArrayView1, ArrayView2};

use crate::lbfgs::unit_step;
use crate::line_descent::{At, Direction, LineDescent};
use crate::solution::Observer;
use crate::stopping::line_search_solver;
use crate::{Differentiable, Evaluations, LineSearch, OptimizationError, Solution, second_derivatives};

/// Newton's method with a line search.
///
/// Use it on objectives of up to a few hundred variables whose second derivatives are at hand
/// ([`Differentiable::hessian`]); without them it takes differences of the gradient, dim more evaluations a step. Near the minimum each
/// step doubles the digits. Where the curvature is negative in some directions it takes its absolute value there, so that every step
/// descends and saddle points repel; [`TrustRegion`](crate::TrustRegion) is the safer choice on rugged ground.
///
/// **Formula**: x ← x − α |∇²f(x)|⁻¹ ∇f(x), |V Λ Vᵀ| = V |Λ| Vᵀ.
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|) (tolerance 1e-8), when the value no longer changes, or after
/// `max_iterations` (1000).
///
/// **Complexity**: one matrix of second derivatives and one Cholesky factorization a step, O(dim³); an eigendecomposition where that fails.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Differentiable, Newton, Objective};
///
/// /// x⁴ + y² − x y.
/// struct Trough;
/// impl Objective for Trough {
///     fn dim(&self) -> usize {
///         2
///     }
///     fn value(&self, x: &[f64]) -> f64 {
///         x[0].powi(4) + x[1] * x[1] - x[0] * x[1]
///     }
/// }
/// impl Differentiable for Trough {
///     fn value_and_gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
///         g[0] = 4.0 * x[0].powi(3) - x[1];
///         g[1] = 2.0 * x[1] - x[0];
///         self.value(x)
///     }
///     fn hessian(&self, x: &[f64], h: &mut [f64]) -> bool {
///         h.copy_from_slice(&[12.0 * x[0] * x[0], -1.0, -1.0, 2.0]);
///         true
///     }
/// }
/// let solution = Newton::new().minimize(&Trough, &[2.0, 2.0])?;
/// // 4 x³ = y and 2 y = x: x = 1 / √8.
/// assert!((solution.x[0] - 8f64.sqrt().recip()).abs() < 1e-9);
/// assert!(solution.iterations < 10);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: J. Nocedal and S. Wright, Numerical Optimization, 2006, section 3.4; Y. Dauphin et al., Identifying and attacking the
/// saddle point problem, 2014, arXiv:1406.2572.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Newton {
    descent: LineDescent,
}

impl Default for Newton {
    fn default() -> Self {
        Self {
            descent: LineDescent::new(LineSearch::default(), CURVATURE, 1000),
        }
    }
}

/// The share of the slope that a step may leave: a full step that descends is good enough.
const CURVATURE: f64 = 0.9;
/// The least curvature, as a share of the largest.
const FLOOR: f64 = 1e-10;

impl Newton {
    /// 1000 iterations, tolerance 1e-8.
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
        let mut curved = Curved {
            objective,
            hessian: vec![0.0; x0.len() * x0.len()],
            steepest: false,
            plain: false,
        };
        self.descent.run(objective, x0, &mut curved, observer)
    }
}

line_search_solver!(Newton);

/// The objective whose second derivatives lead the way.
struct Curved<'a, O: ?Sized> {
    objective: &'a O,
    hessian: Vec<f64>,
    /// Whether the next direction is to be that of steepest descent.
    steepest: bool,
    /// Whether the last one was.
    plain: bool,
}

impl<O: Differentiable + ?Sized> Direction for Curved<'_, O> {
    fn aim(&mut self, x: &[f64], gradient: &[f64], direction: &mut [f64], spent: &mut Evaluations) {
        let known = !self.steepest
            && second_derivatives::hessian(self.objective, x, gradient, &mut self.hessian, spent)
            && solve(&self.hessian, gradient, direction);
        self.plain = !known;
        if self.plain {
            direction.copy_from_slice(gradient);
        }
        direction.iter_mut().for_each(|d| *d = -*d);
    }

    fn first_step(&self, direction: &[f64], _: f64) -> f64 {
        if self.plain { unit_step(direction) } else { 1.0 }
    }

    fn learn(&mut self, _: &At<'_>, _: &At<'_>) {
        self.steepest = false;
    }

    fn forget(&mut self) -> bool {
        self.steepest = true;
        !self.plain
    }
}

/// Solves |H| p = g for a symmetric H; false where there is no finite solution.
fn solve(hessian: &[f64], gradient: &[f64], p: &mut [f64]) -> bool {
    let n = gradient.len();
    let Ok(matrix) = ArrayView2::from_shape((n, n), hessian) else {
        return false;
    };
    let gradient = ArrayView1::from(gradient);
    if let Ok(factor) = Cholesky::new(matrix)
        && let Ok(solution) = factor.solve_vec(gradient)
    {
        p.iter_mut().zip(&solution).for_each(|(p, s)| *p = *s);
        return true;
    }
    let Ok(eigen) = Eigh::new(matrix) else {
        return false;
    };
    let (values, vectors) = eigen.into_parts();
    let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    if largest == 0.0 {
        return false;
    }
    p.fill(0.0);
    for (value, vector) in values.iter().zip(vectors.columns()) {
        let share = vector.dot(&gradient) / value.abs().max(FLOOR * largest);
        p.iter_mut().zip(vector).for_each(|(p, v)| *p += share * v);
    }
    p.iter().all(|p| p.is_finite())
}
