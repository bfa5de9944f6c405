//! Adaptive first-order rules: one driver, one rule each.

use crate::gradient_check::check_dimension;
use crate::gradient_descent::{not_negative, positive};
use crate::kernel::vector::max_norm;
use crate::solution::{Observer, Tracker, unobserved};
use crate::{Differentiable, OptimizationError, Progress, Solution, Termination};

/// How a gradient becomes a step; η is the learning rate, g the gradient and t the step number from 1.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// v ← μ v + g; x ← x − η v, or x ← x − η (g + μ v) with Nesterov.
    Sgd {
        /// μ, from 0 to below 1.
        momentum: f64,
        /// Whether to look ahead.
        nesterov: bool,
    },
    /// m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; x ← x − η m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ).
    Adam {
        /// β₁, from 0 to below 1.
        beta1: f64,
        /// β₂, from 0 to below 1.
        beta2: f64,
        /// ε, above 0.
        epsilon: f64,
    },
}

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
        let mut state = State::new(x.len());
        for iteration in 0..self.max_iterations {
            if gradient_norm <= self.tolerance * value.abs().max(1.0) {
                return Ok(tracker.finish(iteration, Termination::GradientTolerance));
            }
            state.step(self.rule, self.learning_rate, &gradient, &mut x);
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
        match self.rule {
            Rule::Sgd { momentum, .. } => share("momentum", momentum),
            Rule::Adam {
                beta1,
                beta2,
                epsilon,
            } => {
                share("beta1", beta1)?;
                share("beta2", beta2)?;
                positive("epsilon", epsilon)
            }
        }
    }
}

/// Refuses a value outside [0, 1).
fn share(name: &'static str, value: f64) -> Result<(), OptimizationError> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(OptimizationError::InvalidHyperparameter {
        name,
        value,
        requirement: "at least 0 and below 1",
    })
}

/// The running means of one run.
struct State {
    first: Vec<f64>,
    second: Vec<f64>,
    step: i32,
}

impl State {
    fn new(dim: usize) -> Self {
        Self {
            first: vec![0.0; dim],
            second: vec![0.0; dim],
            step: 0,
        }
    }

    fn step(&mut self, rule: Rule, rate: f64, gradient: &[f64], x: &mut [f64]) {
        self.step = self.step.saturating_add(1);
        match rule {
            Rule::Sgd { momentum, nesterov } => {
                for ((x, g), v) in x.iter_mut().zip(gradient).zip(&mut self.first) {
                    *v = momentum * *v + g;
                    *x -= rate * if nesterov { g + momentum * *v } else { *v };
                }
            }
            Rule::Adam {
                beta1,
                beta2,
                epsilon,
            } => {
                let first_bias = 1.0 - beta1.powi(self.step);
                let second_bias = 1.0 - beta2.powi(self.step);
                for (((x, g), m), v) in x
                    .iter_mut()
                    .zip(gradient)
                    .zip(&mut self.first)
                    .zip(&mut self.second)
                {
                    *m = beta1 * *m + (1.0 - beta1) * g;
                    *v = beta2 * *v + (1.0 - beta2) * g * g;
                    *x -= rate * (*m / first_bias) / ((*v / second_bias).sqrt() + epsilon);
                }
            }
        }
    }
}
