//! Adaptive first-order rules: one driver, one rule each.

use crate::kernel::vector::max_norm;
use crate::rule::Rule;
use crate::solution::{Observer, Tracker};
use crate::stepping::{Averaging, Clipping, Schedule, Stepper, Stepping};
use crate::stopping::{Stopping, smooth_solver};
use crate::{Differentiable, OptimizationError, Progress, Solution, Termination};

/// First-order descent by a [`Rule`] that adapts the step of each coordinate.
///
/// Use it where coordinates differ wildly in scale or the gradient is noisy. On a smooth deterministic problem
/// [`GradientDescent`](crate::GradientDescent) with its automatic step, or a quasi-Newton solver, gets there sooner and knows when to stop.
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|), or after `max_iterations` (1000); tolerance 0 runs the whole budget. The best point evaluated
/// is returned, which may be the average of the iterates where one is kept. For sums of many terms see
/// [`minimize_sum`](Self::minimize_sum).
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
#[doc(alias("SGD", "stochastic_gradient_descent"))]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FirstOrder {
    pub(crate) stepping: Stepping,
    pub(crate) stopping: Stopping,
}

impl FirstOrder {
    /// Descends by `rule` with this learning rate.
    #[must_use]
    pub fn new(rule: Rule, learning_rate: f64) -> Self {
        Self {
            stepping: Stepping {
                rule,
                learning_rate,
                warmup: 0,
                schedule: Schedule::Constant,
                clipping: Clipping::None,
                averaging: Averaging::None,
            },
            stopping: Stopping {
                max_iterations: 1000,
                tolerance: 1e-8,
            },
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

    /// Schedule-free `AdamW` with β = 0.9, β₂ = 0.999, ε = 1e-8 and no decay: no schedule to choose.
    #[must_use]
    pub fn schedule_free(learning_rate: f64) -> Self {
        let rule = Rule::ScheduleFreeAdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
        };
        Self::new(rule, learning_rate)
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

    /// Sets how the learning rate changes from step to step.
    #[must_use]
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.stepping.schedule = schedule;
        self
    }

    /// Sets the number of steps over which the learning rate first grows in a straight line; the schedule starts after them.
    #[must_use]
    pub fn with_warmup(mut self, steps: usize) -> Self {
        self.stepping.warmup = steps;
        self
    }

    /// Sets what is done to a gradient that is too large.
    #[must_use]
    pub fn with_clipping(mut self, clipping: Clipping) -> Self {
        self.stepping.clipping = clipping;
        self
    }

    /// Sets the average of the iterates to keep.
    #[must_use]
    pub fn with_averaging(mut self, averaging: Averaging) -> Self {
        self.stepping.averaging = averaging;
        self
    }

    fn run<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        self.stepping.validate()?;
        let mut x = x0.to_vec();
        let mut gradient = vec![0.0; x.len()];
        let mut value = objective.value_and_gradient(&x, &mut gradient);
        let mut gradient_norm = max_norm(&gradient);
        if !value.is_finite() || !gradient_norm.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(&x, value, gradient_norm);
        let mut stepper = Stepper::new(self.stepping, &x);
        for iteration in 0..self.stopping.max_iterations {
            if tracker.is_settled(self.stopping, value, gradient_norm) {
                return Ok(self.finish(
                    objective,
                    &stepper,
                    tracker,
                    iteration,
                    Termination::GradientTolerance,
                ));
            }
            stepper.step(&gradient, &mut x);
            value = objective.value_and_gradient(&x, &mut gradient);
            gradient_norm = max_norm(&gradient);
            tracker.evaluations.gradients += 1;
            tracker.history.push(value);
            if !value.is_finite() || !gradient_norm.is_finite() {
                return Err(self.divergence(iteration + 1, value));
            }
            tracker.see(&x, value, gradient_norm);
            if observer(&Progress {
                iteration: iteration + 1,
                value,
                gradient_norm,
            })
            .is_break()
            {
                return Ok(self.finish(
                    objective,
                    &stepper,
                    tracker,
                    iteration + 1,
                    Termination::Cancelled,
                ));
            }
        }
        let termination = if tracker.is_settled(self.stopping, value, gradient_norm) {
            Termination::GradientTolerance
        } else {
            Termination::MaxIterations
        };
        Ok(self.finish(
            objective,
            &stepper,
            tracker,
            self.stopping.max_iterations,
            termination,
        ))
    }

    /// Ends a run; the average of the iterates is the last point evaluated.
    pub(crate) fn finish<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        stepper: &Stepper,
        mut tracker: Tracker,
        iterations: usize,
        termination: Termination,
    ) -> Solution {
        if let Some(average) = stepper.average() {
            let mut gradient = vec![0.0; average.len()];
            let value = objective.value_and_gradient(average, &mut gradient);
            tracker.evaluations.gradients += 1;
            let gradient_norm = max_norm(&gradient);
            if value.is_finite() && gradient_norm.is_finite() {
                tracker.see(average, value, gradient_norm);
            }
        }
        tracker.finish(iterations, termination)
    }

    #[cold]
    pub(crate) fn divergence(&self, iteration: usize, loss: f64) -> OptimizationError {
        let learning_rate = self.stepping.learning_rate;
        OptimizationError::Diverged {
            iteration,
            loss,
            learning_rate,
            suggested_learning_rate: 0.1 * learning_rate,
        }
    }
}

smooth_solver!(FirstOrder, stopping);
