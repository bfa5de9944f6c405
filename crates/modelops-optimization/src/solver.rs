//! The choice of a solver, for the models that need one.

use crate::solution::Observer;
use crate::{
    Bfgs, Differentiable, FirstOrder, GradientDescent, Lbfgs, Newton, NonlinearCg, OptimizationError,
    Solution, TrustRegion,
};

macro_rules! solvers {
    ($($(#[$doc:meta])* $solver:ident,)*) => {
        /// Any of the solvers, so that a model can be told which one to use.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum Solver {
            $($(#[$doc])* $solver($solver),)*
        }

        impl Solver {
            /// Minimises `objective` from `x0`; `observer` sees every step and may stop the run.
            ///
            /// # Errors
            ///
            /// As the solver chosen.
            pub fn minimize_observed<O: Differentiable + ?Sized>(
                &self,
                objective: &O,
                x0: &[f64],
                observer: &mut Observer<'_>,
            ) -> Result<Solution, OptimizationError> {
                match self {
                    $(Self::$solver(solver) => solver.minimize_observed(objective, x0, observer),)*
                }
            }
        }

        $(impl From<$solver> for Solver {
            fn from(solver: $solver) -> Self {
                Self::$solver(solver)
            }
        })*
    };
}

solvers! {
    /// Gradient descent.
    GradientDescent,
    /// An adaptive first-order rule.
    FirstOrder,
    /// Limited-memory BFGS.
    Lbfgs,
    /// BFGS with a dense matrix.
    Bfgs,
    /// Nonlinear conjugate gradients.
    NonlinearCg,
    /// Newton's method with a line search.
    Newton,
    /// Trust-region method on the second derivatives.
    TrustRegion,
}
