//! When to stop, and the methods that every solver of a smooth objective shares.

use crate::OptimizationError;
use crate::gradient_descent::not_negative;

/// When a solver stops.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stopping {
    pub(crate) max_iterations: usize,
    pub(crate) tolerance: f64,
}

impl Stopping {
    pub(crate) fn validate(self) -> Result<(), OptimizationError> {
        not_negative("tolerance", self.tolerance)
    }

    /// Whether a gradient of this size is as good as none.
    pub(crate) fn is_met(self, gradient_norm: f64, value: f64) -> bool {
        gradient_norm <= self.tolerance * value.abs().max(1.0)
    }
}

/// The settings and the entry points that solvers of a [`Differentiable`](crate::Differentiable) share, for a type with a field
/// [`Stopping`] and a method `run(objective, x0, observer)`.
macro_rules! smooth_solver {
    ($solver:ty, $($stopping:ident).+) => {
        impl $solver {
            /// Sets the iteration budget.
            #[must_use]
            pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
                self.$($stopping).+.max_iterations = max_iterations;
                self
            }

            /// Sets the gradient tolerance; with 0 only the arithmetic and the budget stop it.
            #[must_use]
            pub fn with_tolerance(mut self, tolerance: f64) -> Self {
                self.$($stopping).+.tolerance = tolerance;
                self
            }

            /// Minimises `objective` from `x0`.
            ///
            /// # Errors
            ///
            /// A bad starting point or setting, or an objective that is not finite at `x0`.
            pub fn minimize<O: $crate::Differentiable + ?Sized>(
                &self,
                objective: &O,
                x0: &[f64],
            ) -> Result<$crate::Solution, $crate::OptimizationError> {
                self.minimize_observed(objective, x0, &mut $crate::solution::unobserved)
            }

            /// As [`minimize`](Self::minimize); `observer` sees every step and may stop the run.
            ///
            /// # Errors
            ///
            /// As [`minimize`](Self::minimize).
            pub fn minimize_observed<O: $crate::Differentiable + ?Sized>(
                &self,
                objective: &O,
                x0: &[f64],
                observer: &mut $crate::Observer<'_>,
            ) -> Result<$crate::Solution, $crate::OptimizationError> {
                self.$($stopping).+.validate()?;
                $crate::gradient_check::check_dimension(objective.dim(), x0)?;
                self.run(objective, x0, observer)
            }
        }
    };
}
pub(crate) use smooth_solver;

/// The same and the choice of the line search, for a type with a field `descent` of the loop's settings.
macro_rules! line_search_solver {
    ($solver:ty) => {
        $crate::stopping::smooth_solver!($solver, descent.stopping);

        impl $solver {
            /// Sets the line search.
            #[must_use]
            pub fn with_line_search(mut self, line_search: $crate::LineSearch) -> Self {
                self.descent.line_search = line_search;
                self
            }
        }
    };
}
pub(crate) use line_search_solver;
