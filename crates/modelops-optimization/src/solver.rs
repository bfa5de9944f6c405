//! The choice of a solver, for the models that need one.

use crate::solution::Observer;
use crate::{Differentiable, FirstOrder, GradientDescent, Lbfgs, OptimizationError, Solution};

/// Any of the solvers, so that a model can be told which one to use.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Solver {
    /// Gradient descent.
    GradientDescent(GradientDescent),
    /// An adaptive first-order rule.
    FirstOrder(FirstOrder),
    /// Limited-memory BFGS.
    Lbfgs(Lbfgs),
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
            Self::GradientDescent(solver) => solver.minimize_observed(objective, x0, observer),
            Self::FirstOrder(solver) => solver.minimize_observed(objective, x0, observer),
            Self::Lbfgs(solver) => solver.minimize_observed(objective, x0, observer),
        }
    }
}

impl From<GradientDescent> for Solver {
    fn from(solver: GradientDescent) -> Self {
        Self::GradientDescent(solver)
    }
}

impl From<FirstOrder> for Solver {
    fn from(solver: FirstOrder) -> Self {
        Self::FirstOrder(solver)
    }
}

impl From<Lbfgs> for Solver {
    fn from(solver: Lbfgs) -> Self {
        Self::Lbfgs(solver)
    }
}
