//! The BFGS method with a dense matrix.

use crate::kernel::gram::symmetric_product;
use crate::kernel::triangular::add_outer_pair;
use crate::kernel::vector::{dot, norm};
use crate::lbfgs::{CURVATURE, unit_step};
use crate::line_descent::{At, Direction, LineDescent};
use crate::solution::Observer;
use crate::stopping::line_search_solver;
use crate::{Differentiable, Evaluations, LineSearch, OptimizationError, Solution};

/// BFGS: a quasi-Newton method that remembers every step.
///
/// Use it on smooth objectives of up to some hundred variables whose evaluations are dear: it needs somewhat fewer of them than
/// [`Lbfgs`](crate::Lbfgs), which is the choice for more variables.
///
/// **Formula**: x ← x − α H ∇f(x), with H ← (I − ρ s yᵀ) H (I − ρ y sᵀ) + ρ s sᵀ after a step s that changes the gradient by y,
/// ρ = 1 / sᵀy; H starts as (sᵀy / yᵀy) I.
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|) (tolerance 1e-8), when the value no longer changes, or after
/// `max_iterations` (10,000).
///
/// **Complexity**: about one gradient and 4 dim² multiplications per step; dim² of memory.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Bfgs, FnObjective};
///
/// // Rosenbrock's valley, with its bottom at (1, 1).
/// let valley = FnObjective::new(2, |x, g| {
///     let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
///     g[0] = -2.0 * a - 400.0 * x[0] * b;
///     g[1] = 200.0 * b;
///     a * a + 100.0 * b * b
/// });
/// let solution = Bfgs::new().minimize(&valley, &[-1.2, 1.0])?;
/// assert!((solution.x[0] - 1.0).abs() < 1e-6 && (solution.x[1] - 1.0).abs() < 1e-6);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: J. Nocedal and S. Wright, Numerical Optimization, 2006, section 6.1, doi:10.1007/978-0-387-40065-5.
#[doc(alias = "quasi_newton")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bfgs {
    descent: LineDescent,
}

impl Default for Bfgs {
    fn default() -> Self {
        Self {
            descent: LineDescent::new(LineSearch::default(), CURVATURE, 10_000),
        }
    }
}

impl Bfgs {
    /// 10,000 iterations, tolerance 1e-8.
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
            .run(objective, x0, &mut Inverse::new(x0.len()), observer)
    }
}

line_search_solver!(Bfgs);

/// The approximate inverse of the second derivatives.
struct Inverse {
    h: Vec<f64>,
    /// Whether a step has been learnt from.
    known: bool,
    step: Vec<f64>,
    change: Vec<f64>,
    product: Vec<f64>,
}

impl Inverse {
    fn new(n: usize) -> Self {
        Self {
            h: vec![0.0; n * n],
            known: false,
            step: vec![0.0; n],
            change: vec![0.0; n],
            product: vec![0.0; n],
        }
    }
}

impl Direction for Inverse {
    fn aim(&mut self, _: &[f64], gradient: &[f64], direction: &mut [f64], _: &mut Evaluations) {
        if self.known {
            symmetric_product(&self.h, gradient, direction);
        } else {
            direction.copy_from_slice(gradient);
        }
        direction.iter_mut().for_each(|d| *d = -*d);
    }

    fn first_step(&self, direction: &[f64], _: f64) -> f64 {
        if self.known { 1.0 } else { unit_step(direction) }
    }

    fn learn(&mut self, old: &At<'_>, new: &At<'_>) {
        let n = self.step.len();
        for i in 0..n {
            self.step[i] = new.x[i] - old.x[i];
            self.change[i] = new.gradient[i] - old.gradient[i];
        }
        let curvature = dot(&self.step, &self.change);
        // As L-BFGS: a pair whose curvature is rounding, or negative, teaches nothing.
        let teaches = curvature > f64::EPSILON * norm(&self.step) * norm(&self.change);
        if !teaches {
            return;
        }
        if !self.known {
            self.h.fill(0.0);
            let scale = curvature / dot(&self.change, &self.change);
            (0..n).for_each(|i| self.h[i * n + i] = scale);
            self.known = true;
        }
        // With p = H y, H gains u sᵀ + s uᵀ where u = ½ ρ (1 + ρ yᵀp) s − ρ p.
        symmetric_product(&self.h, &self.change, &mut self.product);
        let rho = 1.0 / curvature;
        let share = 0.5 * rho * (1.0 + rho * dot(&self.change, &self.product));
        for (p, s) in self.product.iter_mut().zip(&self.step) {
            *p = share * s - rho * *p;
        }
        add_outer_pair(&mut self.h, &self.product, &self.step);
    }

    fn forget(&mut self) -> bool {
        std::mem::replace(&mut self.known, false)
    }
}
