//! Gradient descent with a fixed or an automatic step, and momentum.

use crate::gradient_check::check_dimension;
use crate::kernel::vector::{dot, max_norm};
use crate::solution::{Observer, Tracker, unobserved};
use crate::{Differentiable, OptimizationError, Progress, Solution, Termination, curvature};

/// How long a gradient step is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum LearningRate {
    /// One over the curvature: from [`Differentiable::lipschitz`] where the objective knows it, else found by halving
    /// until a step descends as its curvature promises.
    #[default]
    Automatic,
    /// The same factor at every step, as textbooks write it; above two over the curvature it diverges.
    Fixed(f64),
}

/// What a step keeps of the steps before it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Momentum {
    /// Nothing: plain gradient descent.
    #[default]
    None,
    /// Adds this share (0 to 1) of the last step (Polyak).
    HeavyBall(f64),
    /// Looks ahead by a growing share and starts over whenever the step goes uphill (Nesterov, with the restart of
    /// O'Donoghue and Candès): about the square root of plain descent's iterations.
    Nesterov,
}

/// Gradient descent for any differentiable objective.
///
/// Use it for small smooth problems, to see a loss curve, or to reproduce a textbook. For a smooth problem that is not tiny a
/// quasi-Newton solver needs far fewer evaluations; for noisy or huge sums use [`FirstOrder`](crate::FirstOrder).
///
/// **Formula**: x ← x − η ∇f(x), with η from [`LearningRate`] and extrapolation from [`Momentum`].
///
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|), or after `max_iterations` (1000). A fixed step that is too long is an
/// error, [`OptimizationError::Diverged`], that carries a step that works.
///
/// **Complexity**: one gradient per step (and one value with Nesterov and a searched step); five vectors of memory, none
/// allocated per step.
///
/// # Example
///
/// ```
/// use modelops_optimization::{FnObjective, GradientDescent, LearningRate};
///
/// // f(x) = (x − 3)², gradient 2 (x − 3)
/// let parabola = FnObjective::new(1, |x, g| {
///     g[0] = 2.0 * (x[0] - 3.0);
///     (x[0] - 3.0).powi(2)
/// });
/// let solution = GradientDescent::new().minimize(&parabola, &[0.0])?;
/// assert!((solution.x[0] - 3.0).abs() < 1e-8);
///
/// // One step of 0.25 from 0 goes to 0 + 0.25 · 6 = 1.5, the next to 1.5 + 0.25 · 3 = 2.25.
/// let two_steps = GradientDescent::new()
///     .with_learning_rate(LearningRate::Fixed(0.25))
///     .with_max_iterations(2)
///     .minimize(&parabola, &[0.0])?;
/// assert_eq!(two_steps.x, [2.25]);
/// assert_eq!(two_steps.history, [9.0, 2.25, 0.5625]);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
///
/// **References**: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964,
/// doi:10.1016/0041-5553(64)90137-5; B. O'Donoghue and E. Candès, Adaptive restart for accelerated gradient schemes, 2015,
/// doi:10.1007/s10208-013-9150-3.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientDescent {
    learning_rate: LearningRate,
    momentum: Momentum,
    max_iterations: usize,
    tolerance: f64,
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self {
            learning_rate: LearningRate::Automatic,
            momentum: Momentum::None,
            max_iterations: 1000,
            tolerance: 1e-8,
        }
    }
}

/// Halvings of the step before a point is declared the best that the arithmetic can tell.
const MAX_HALVINGS: usize = 60;
/// Rises in a row, above the starting value, after which a fixed step counts as diverging.
const RISES: usize = 20;

impl GradientDescent {
    /// Automatic step, no momentum, 1000 iterations, tolerance 1e-8.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the step.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: LearningRate) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Sets the momentum.
    #[must_use]
    pub fn with_momentum(mut self, momentum: Momentum) -> Self {
        self.momentum = momentum;
        self
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
    /// [`Diverged`](OptimizationError::Diverged) for a fixed step that is too long.
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
        Run::start(self, objective, x0)?.run(observer)
    }

    fn validate(&self) -> Result<(), OptimizationError> {
        if let LearningRate::Fixed(rate) = self.learning_rate {
            positive("learning_rate", rate)?;
        }
        if let Momentum::HeavyBall(share) = self.momentum
            && !(0.0..1.0).contains(&share)
        {
            return Err(OptimizationError::InvalidHyperparameter {
                name: "momentum",
                value: share,
                requirement: "at least 0 and below 1",
            });
        }
        not_negative("tolerance", self.tolerance)
    }
}

/// Refuses a value that is not finite and above zero.
pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), OptimizationError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(OptimizationError::InvalidHyperparameter {
        name,
        value,
        requirement: "finite and above 0",
    })
}

/// Refuses a value that is not finite and at least zero.
pub(crate) fn not_negative(name: &'static str, value: f64) -> Result<(), OptimizationError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(OptimizationError::InvalidHyperparameter {
        name,
        value,
        requirement: "finite and at least 0",
    })
}

/// The state of one run. `x` is the last iterate; `y` is where the gradient is taken, ahead of `x` under Nesterov.
struct Run<'a, O: ?Sized> {
    options: &'a GradientDescent,
    objective: &'a O,
    x: Vec<f64>,
    y: Vec<f64>,
    next: Vec<f64>,
    gradient: Vec<f64>,
    value: f64,
    start: f64,
    rate: f64,
    /// Whether the step must be searched for, because neither the user nor the objective knows it.
    searched: bool,
    /// Nesterov's t, which sets how far to look ahead.
    lookahead: f64,
    tracker: Tracker,
}

impl<'a, O: Differentiable + ?Sized> Run<'a, O> {
    fn start(options: &'a GradientDescent, objective: &'a O, x0: &[f64]) -> Result<Self, OptimizationError> {
        let mut gradient = vec![0.0; x0.len()];
        let value = objective.value_and_gradient(x0, &mut gradient);
        let gradient_norm = max_norm(&gradient);
        if !value.is_finite() || !gradient_norm.is_finite() {
            return Err(OptimizationError::NonFiniteObjective);
        }
        let mut tracker = Tracker::new(x0, value, gradient_norm);
        let (rate, searched) = match (options.learning_rate, objective.lipschitz()) {
            (LearningRate::Fixed(rate), _) => (rate, false),
            (LearningRate::Automatic, Some(bound)) if bound.is_finite() && bound > 0.0 => {
                (1.0 / bound, false)
            }
            (LearningRate::Automatic, _) => {
                let (curvature, calls) = curvature::estimate(objective, x0, &gradient, 3);
                tracker.evaluations.gradients += calls;
                (1.0 / curvature.unwrap_or(1.0), true)
            }
        };
        Ok(Self {
            options,
            objective,
            x: x0.to_vec(),
            y: x0.to_vec(),
            next: vec![0.0; x0.len()],
            gradient,
            value,
            start: value,
            rate,
            searched,
            lookahead: 1.0,
            tracker,
        })
    }

    fn run(mut self, observer: &mut Observer<'_>) -> Result<Solution, OptimizationError> {
        let mut gradient_norm = max_norm(&self.gradient);
        let mut rises = 0;
        for iteration in 0..self.options.max_iterations {
            if gradient_norm <= self.options.tolerance * self.value.abs().max(1.0) {
                return Ok(self.tracker.finish(iteration, Termination::GradientTolerance));
            }
            if self.searched && !self.search_step() {
                return Ok(self.tracker.finish(iteration, Termination::ValueTolerance));
            }
            let before = self.value;
            self.step();
            gradient_norm = max_norm(&self.gradient);
            self.tracker.history.push(self.value);
            rises = if self.value > before { rises + 1 } else { 0 };
            if self.diverged(gradient_norm, rises) {
                return Err(self.divergence(iteration + 1));
            }
            self.tracker.see(&self.y, self.value, gradient_norm);
            let progress = Progress {
                iteration: iteration + 1,
                value: self.value,
                gradient_norm,
            };
            if observer(&progress).is_break() {
                return Ok(self.tracker.finish(iteration + 1, Termination::Cancelled));
            }
        }
        let met = gradient_norm <= self.options.tolerance * self.value.abs().max(1.0);
        let termination = if met {
            Termination::GradientTolerance
        } else {
            Termination::MaxIterations
        };
        Ok(self.tracker.finish(self.options.max_iterations, termination))
    }

    /// Halves the step until f(y − η g) ≤ f(y) − η ‖g‖² / 2, the descent that a curvature of 1/η promises. False where
    /// the arithmetic can tell no descent.
    fn search_step(&mut self) -> bool {
        let squared = dot(&self.gradient, &self.gradient);
        // A step that worked may be short for the flatter ground ahead: try a little more each time.
        self.rate *= 1.25;
        for _ in 0..MAX_HALVINGS {
            for ((n, y), g) in self.next.iter_mut().zip(&self.y).zip(&self.gradient) {
                *n = y - self.rate * g;
            }
            let value = self.objective.value(&self.next);
            self.tracker.evaluations.values += 1;
            let promised = 0.5 * self.rate * squared;
            // Near the optimum the promise drowns in the rounding of the value; accept what cannot be told apart.
            let rounding = 4.0 * f64::EPSILON * self.value.abs();
            if value.is_finite() && value <= self.value - promised + rounding {
                return promised > 0.0;
            }
            self.rate *= 0.5;
        }
        false
    }

    /// Moves by the step in force and evaluates at the new point of the gradient.
    fn step(&mut self) {
        for ((n, y), g) in self.next.iter_mut().zip(&self.y).zip(&self.gradient) {
            *n = y - self.rate * g;
        }
        match self.options.momentum {
            Momentum::None => self.y.copy_from_slice(&self.next),
            Momentum::HeavyBall(share) => {
                // Here `x` is the point before `y`, so that y − x is the last step.
                for ((n, y), x) in self.next.iter_mut().zip(&self.y).zip(&self.x) {
                    *n += share * (y - x);
                }
                self.x.copy_from_slice(&self.y);
                self.y.copy_from_slice(&self.next);
            }
            Momentum::Nesterov => {
                let uphill: f64 = self
                    .gradient
                    .iter()
                    .zip(&self.next)
                    .zip(&self.x)
                    .map(|((g, n), x)| g * (n - x))
                    .sum();
                if uphill > 0.0 {
                    self.lookahead = 1.0;
                }
                let t = 0.5 * (1.0 + (1.0 + 4.0 * self.lookahead * self.lookahead).sqrt());
                let share = (self.lookahead - 1.0) / t;
                self.lookahead = t;
                for ((y, n), x) in self.y.iter_mut().zip(&self.next).zip(&self.x) {
                    *y = n + share * (n - x);
                }
                self.x.copy_from_slice(&self.next);
            }
        }
        self.value = self.objective.value_and_gradient(&self.y, &mut self.gradient);
        self.tracker.evaluations.gradients += 1;
    }

    /// Growth without bound: not finite, far above the start, or rising for long above the start.
    fn diverged(&self, gradient_norm: f64, rises: usize) -> bool {
        let far = 1e4 * self.start.abs().max(self.start - self.tracker.best()).max(1.0);
        !self.value.is_finite()
            || !gradient_norm.is_finite()
            || self.value - self.start > far
            || (rises >= RISES && self.value > self.start)
    }

    #[cold]
    fn divergence(mut self, iteration: usize) -> OptimizationError {
        let loss = self.value;
        let best = self.tracker.finish(0, Termination::MaxIterations).x;
        self.objective.value_and_gradient(&best, &mut self.gradient);
        let bound = self.objective.lipschitz();
        let curvature = bound.or_else(|| curvature::estimate(self.objective, &best, &self.gradient, 16).0);
        OptimizationError::Diverged {
            iteration,
            loss,
            learning_rate: self.rate,
            suggested_learning_rate: curvature.map_or(0.1 * self.rate, |c| (1.0 / c).min(0.5 * self.rate)),
        }
    }
}
