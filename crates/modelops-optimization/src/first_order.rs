//! Adaptive first-order rules: one driver, one rule each.

use crate::gradient_check::check_dimension;
use crate::gradient_descent::{not_negative, positive};
use crate::kernel::vector::max_norm;
use crate::rule::{Rule, State};
use crate::solution::{Observer, Tracker, unobserved};
use crate::{Differentiable, OptimizationError, Progress, Solution, Termination};

/// First-order descent by a [`Rule`] that adapts the step of each coordinate.
///
/// Use it where coordinates differ wildly in scale or the gradient is noisy. On a smooth deterministic problem
/// [`GradientDescent`](crate::GradientDescent) with its automatic step, or a quasi-Newton solver, gets there sooner and knows when to stop.
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|), or after `max_iterations` (1000). The best point evaluated is returned.
///
/// **Complexity**: one gradient per step; two vectors of state.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FirstOrder, FnObjective};
///
/// let parabola = FnObjective::new(1, |x, g| {
///     g[0] = 2.0 * x[0];
///     x[0] * x[0]
/// });
/// // Adam's first step is the learning rate times the sign of the gradient.
/// let one_step = FirstOrder::adam(0.1).with_max_iterations(1).minimize(&parabola, &[1.0])?;
/// assert!((one_step.x[0] - 0.9).abs() < 1e-8);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: D. Kingma and J. Ba, Adam: a method for stochastic optimization, 2015, arXiv:1412.6980.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstOrder {
    rule: Rule,
    learning_rate: f64,
    max_iterations: usize,
    tolerance: f64,
}

impl FirstOrder {
    /// Descends by `rule` with this learning rate.
    #[must_use]
    pub fn new(rule: Rule, learning_rate: f64) -> Self {
        Self {
            rule,
            learning_rate,
            max_iterations: 1000,
            tolerance: 1e-8,
        }
    }

    /// Adam with β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    #[must_use]
    pub fn adam(learning_rate: f64) -> Self {
        Self::new(
            Rule::Adam {
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
            },
            learning_rate,
        )
    }

    /// `AdamW`: Adam with a decay of the parameters (0.01 of the learning rate a step) that the gradient's scale does not touch.
    #[must_use]
    pub fn adam_w(learning_rate: f64) -> Self {
        let rule = Rule::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.01,
        };
        Self::new(rule, learning_rate)
    }

    /// Lion with β₁ = 0.9, β₂ = 0.99 and no decay; it wants a third to a tenth of Adam's learning rate.
    #[must_use]
    pub fn lion(learning_rate: f64) -> Self {
        Self::new(
            Rule::Lion {
                beta1: 0.9,
                beta2: 0.99,
                weight_decay: 0.0,
            },
            learning_rate,
        )
    }

    /// Gradient descent with momentum 0.9.
    #[must_use]
    pub fn sgd(learning_rate: f64) -> Self {
        Self::new(
            Rule::Sgd {
                momentum: 0.9,
                nesterov: false,
            },
            learning_rate,
        )
    }

    /// Sets the iteration budget.
    #[must_use]
    pub fn with_max_iterations(mut self, max_iterations: usize) -> Self {
        self.max_iterations = max_iterations;
        self
    }

    /// Sets the gradient tolerance; 0 runs the whole budget.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Minimises `objective` from `x0`.
    ///
    /// # Errors
    ///
    /// A bad starting point or hyper-parameter, an objective that is not finite at `x0`, or
    /// [`Diverged`](OptimizationError::Diverged) when it ceases to be finite on the way.
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
        self.validate()?;
        check_dimension(objective.dim(), x0)?;
        let mut x = x0.to_vec();
        let mut gradient = vec![0.0; x.len()];
        let mut value = objective.value_and_gradient(&x, &mut gradient);
        let mut gradient_norm = max_norm(&gradient);
        if !value.is_finite() || !gradient_norm.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(&x, value, gradient_norm);
        let mut state = State::new(self.rule, x.len());
        for iteration in 0..self.max_iterations {
            if gradient_norm <= self.tolerance * value.abs().max(1.0) {
                return Ok(tracker.finish(iteration, Termination::GradientTolerance));
            }
            state.step(self.learning_rate, &gradient, &mut x);
            value = objective.value_and_gradient(&x, &mut gradient);
            gradient_norm = max_norm(&gradient);
            tracker.evaluations.gradients += 1;
            tracker.history.push(value);
            if !value.is_finite() || !gradient_norm.is_finite() {
                return Err(OptimizationError::Diverged {
                    iteration: iteration + 1,
                    loss: value,
                    learning_rate: self.learning_rate,
                    suggested_learning_rate: 0.1 * self.learning_rate,
                });
            }
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
        }
        let met = gradient_norm <= self.tolerance * value.abs().max(1.0);
        let termination = if met {
            Termination::GradientTolerance
        } else {
            Termination::MaxIterations
        };
        Ok(tracker.finish(self.max_iterations, termination))
    }

    fn validate(&self) -> Result<(), OptimizationError> {
        positive("learning_rate", self.learning_rate)?;
        not_negative("tolerance", self.tolerance)?;
        self.rule.validate()
    }
}
