//! What a solver hands back, and how it tells its progress.

use std::fmt;
use std::ops::ControlFlow;

use crate::stopping::Stopping;

/// Where a solver stopped, how, and what it cost.
///
/// `x` is the best point evaluated, whatever the reason for stopping, and `value` is the objective exactly there.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Solution {
    /// The best point evaluated.
    pub x: Vec<f64>,
    /// The objective at `x`.
    pub value: f64,
    /// The largest absolute entry of the gradient at `x`; `None` from a solver that knows no gradient.
    pub gradient_norm: Option<f64>,
    /// Steps taken.
    pub iterations: usize,
    /// Calls of the objective.
    pub evaluations: Evaluations,
    /// Why it stopped.
    pub termination: Termination,
    /// The objective at the start (entry 0) and after each step: the loss curve.
    pub history: Vec<f64>,
}

impl Solution {
    /// Whether a convergence test was met, rather than a budget.
    #[must_use]
    pub fn converged(&self) -> bool {
        matches!(
            self.termination,
            Termination::GradientTolerance
                | Termination::StepTolerance
                | Termination::ValueTolerance
                | Termination::TargetReached
        )
    }
}

/// Calls of the objective during one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Evaluations {
    /// Calls for the value alone.
    pub values: usize,
    /// Calls for value and gradient together.
    pub gradients: usize,
    /// Calls for second derivatives, or for their product with a vector.
    pub hessians: usize,
}

impl Evaluations {
    /// All calls.
    #[must_use]
    pub fn total(&self) -> usize {
        self.values + self.gradients + self.hessians
    }
}

/// Why a solver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Termination {
    /// The largest gradient entry is at most the tolerance times max(1, |value|).
    GradientTolerance,
    /// The step no longer changes the point.
    StepTolerance,
    /// The value no longer changes: the limit of the arithmetic.
    ValueTolerance,
    /// The iteration budget is spent; the result may be far from the optimum.
    MaxIterations,
    /// The evaluation budget is spent; the result may be far from the optimum.
    MaxEvaluations,
    /// No acceptable step was found along the search direction.
    LineSearchFailed,
    /// The observer asked to stop.
    Cancelled,
    /// The value asked for is reached.
    TargetReached,
}

impl fmt::Display for Termination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GradientTolerance => "gradient below tolerance",
            Self::StepTolerance => "step below tolerance",
            Self::ValueTolerance => "value no longer changes",
            Self::MaxIterations => "iteration budget spent",
            Self::MaxEvaluations => "evaluation budget spent",
            Self::LineSearchFailed => "no acceptable step along the search direction",
            Self::Cancelled => "cancelled by the observer",
            Self::TargetReached => "target value reached",
        })
    }
}

/// What an observer sees after each step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Steps taken so far.
    pub iteration: usize,
    /// The objective at the current point.
    pub value: f64,
    /// The largest absolute entry of the gradient there.
    pub gradient_norm: f64,
}

/// Sees each step of a solver and may stop it: draw a bar, feed a pruner, honour a cancel button.
pub type Observer<'a> = dyn FnMut(&Progress) -> ControlFlow<()> + 'a;

/// The observer that only watches time go by.
pub(crate) fn unobserved(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Keeps the best point seen and the books of a run; shared by the solvers.
pub(crate) struct Tracker {
    best_x: Vec<f64>,
    best_value: f64,
    best_gradient_norm: f64,
    pub(crate) history: Vec<f64>,
    pub(crate) evaluations: Evaluations,
}

impl Tracker {
    pub(crate) fn new(x: &[f64], value: f64, gradient_norm: f64) -> Self {
        Self {
            best_x: x.to_vec(),
            best_value: value,
            best_gradient_norm: gradient_norm,
            history: vec![value],
            evaluations: Evaluations {
                values: 0,
                gradients: 1,
                hessians: 0,
            },
        }
    }

    /// Notes an evaluated point; ties go to the smaller gradient.
    pub(crate) fn see(&mut self, x: &[f64], value: f64, gradient_norm: f64) {
        if value < self.best_value || (value == self.best_value && gradient_norm < self.best_gradient_norm) {
            self.best_x.copy_from_slice(x);
            self.best_value = value;
            self.best_gradient_norm = gradient_norm;
        }
    }

    /// Whether `stopping` is met at a point that is no worse than the start: far up a diverging run the gradient is small beside the value.
    pub(crate) fn is_settled(&self, stopping: Stopping, value: f64, gradient_norm: f64) -> bool {
        stopping.is_met(gradient_norm, value) && self.history.first().is_none_or(|start| value <= *start)
    }

    pub(crate) fn best(&self) -> f64 {
        self.best_value
    }

    pub(crate) fn finish(self, iterations: usize, termination: Termination) -> Solution {
        Solution {
            x: self.best_x,
            value: self.best_value,
            gradient_norm: Some(self.best_gradient_norm),
            iterations,
            evaluations: self.evaluations,
            termination,
            history: self.history,
        }
    }
}
