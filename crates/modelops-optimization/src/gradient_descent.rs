//! Gradient descent with a fixed step or one that finds itself, and momentum.

use std::collections::VecDeque;

use crate::kernel::vector::{dot, max_norm};
use crate::solution::{Observer, Tracker};
use crate::stopping::{Stopping, smooth_solver};
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
    /// Twice the last step, halved until f(x − η g) ≤ f(x) − 1e-4 η ‖g‖². L. Armijo, 1966, doi:10.2140/pjm.1966.16.1.
    Armijo,
    /// η = sᵀs / sᵀy of the last step s and the change y of the gradient along it, halved only where the value rises above the highest of the last
    /// ten: far fewer iterations than the others, on a loss curve that is not monotone. Made for no momentum. J. Barzilai and J. Borwein, 1988,
    /// doi:10.1093/imanum/8.1.141; M. Raydan, 1997, doi:10.1137/S1052623494266365 (the ten).
    BarzilaiBorwein,
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
/// **Stops** when max |∇f| ≤ tolerance · max(1, |f|), or after `max_iterations` (1000); tolerance 0 runs the whole budget. A fixed step that is too long is an
/// error, [`OptimizationError::Diverged`], that carries a step that works.
///
/// **Complexity**: one gradient per step, and one or a few values where the step is searched for; a few vectors of memory, none
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
#[doc(alias = "steepest_descent")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientDescent {
    learning_rate: LearningRate,
    momentum: Momentum,
    stopping: Stopping,
}

impl Default for GradientDescent {
    fn default() -> Self {
        Self {
            learning_rate: LearningRate::Automatic,
            momentum: Momentum::None,
            stopping: Stopping {
                max_iterations: 1000,
                tolerance: 1e-8,
            },
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

    fn run<O: Differentiable + ?Sized>(
        &self,
        objective: &O,
        x0: &[f64],
        observer: &mut Observer<'_>,
    ) -> Result<Solution, OptimizationError> {
        self.validate()?;
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
        Ok(())
    }
}

smooth_solver!(GradientDescent, stopping);

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

/// How a step is searched for.
#[derive(Debug, Clone, Copy)]
struct Search {
    /// The share of η ‖g‖² that the value has to fall by.
    descent: f64,
    /// What the last step is multiplied by to begin with.
    growth: f64,
    /// Whether the first step comes from the curvature along the last one.
    curvature: bool,
    /// The number of last values of which the highest counts.
    memory: usize,
}

impl Search {
    fn of(rule: LearningRate) -> Self {
        let armijo = Self {
            descent: 1e-4,
            growth: 2.0,
            curvature: false,
            memory: 1,
        };
        match rule {
            LearningRate::Armijo => armijo,
            LearningRate::BarzilaiBorwein => Self {
                growth: 1.0,
                curvature: true,
                memory: 10,
                ..armijo
            },
            // The descent that a curvature of 1/η promises.
            LearningRate::Automatic | LearningRate::Fixed(_) => Self {
                descent: 0.5,
                growth: 1.25,
                ..armijo
            },
        }
    }
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
    /// How the step is searched for, where neither the user nor the objective knows it.
    search: Option<Search>,
    /// The last values, the newest last: what a step has to stay below.
    recent: VecDeque<f64>,
    /// The point and the gradient before the last step, for its curvature.
    before: (Vec<f64>, Vec<f64>),
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
        let (rate, search) = match (options.learning_rate, objective.lipschitz()) {
            (LearningRate::Fixed(rate), _) => (rate, None),
            (LearningRate::Automatic, Some(bound)) if bound.is_finite() && bound > 0.0 => (1.0 / bound, None),
            (rule, _) => {
                let (curvature, calls) = curvature::estimate(objective, x0, &gradient, 3);
                tracker.evaluations.gradients += calls;
                (1.0 / curvature.unwrap_or(1.0), Some(Search::of(rule)))
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
            search,
            recent: VecDeque::from([value]),
            before: (x0.to_vec(), vec![0.0; x0.len()]),
            lookahead: 1.0,
            tracker,
        })
    }

    fn run(mut self, observer: &mut Observer<'_>) -> Result<Solution, OptimizationError> {
        let mut gradient_norm = max_norm(&self.gradient);
        let mut rises = 0;
        for iteration in 0..self.options.stopping.max_iterations {
            if self.is_settled(gradient_norm) {
                return Ok(self.tracker.finish(iteration, Termination::GradientTolerance));
            }
            if let Some(search) = self.search
                && !self.search_step(search)
            {
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
        let termination = if self.is_settled(gradient_norm) {
            Termination::GradientTolerance
        } else {
            Termination::MaxIterations
        };
        Ok(self
            .tracker
            .finish(self.options.stopping.max_iterations, termination))
    }

    /// Halves the step until the value is below the highest of the last ones by the descent asked for. False where
    /// the arithmetic can tell no descent.
    fn search_step(&mut self, search: Search) -> bool {
        let squared = dot(&self.gradient, &self.gradient);
        self.rate = self.first_rate(search);
        let ceiling = self.recent.iter().copied().fold(self.value, f64::max);
        for _ in 0..MAX_HALVINGS {
            for ((n, y), g) in self.next.iter_mut().zip(&self.y).zip(&self.gradient) {
                *n = y - self.rate * g;
            }
            let value = self.objective.value(&self.next);
            self.tracker.evaluations.values += 1;
            let promised = search.descent * self.rate * squared;
            // Near the optimum the promise drowns in the rounding of the value; accept what cannot be told apart.
            let rounding = 4.0 * f64::EPSILON * self.value.abs();
            if value.is_finite() && value <= ceiling - promised + rounding {
                return promised > 0.0;
            }
            self.rate *= 0.5;
        }
        false
    }

    /// The step to try first.
    fn first_rate(&self, search: Search) -> f64 {
        if search.curvature {
            let (mut squared, mut along) = (0.0, 0.0);
            for i in 0..self.y.len() {
                let step = self.y[i] - self.before.0[i];
                squared += step * step;
                along += step * (self.gradient[i] - self.before.1[i]);
            }
            // No step yet, or one without a positive curvature.
            let rate = squared / along;
            if rate.is_finite() && rate > 0.0 {
                return rate;
            }
        }
        // A step that worked may be short for the flatter ground ahead.
        self.rate * search.growth
    }

    /// Moves by the step in force and evaluates at the new point of the gradient.
    fn step(&mut self) {
        self.before.0.copy_from_slice(&self.y);
        self.before.1.copy_from_slice(&self.gradient);
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
        let kept = self.search.map_or(1, |search| search.memory);
        while self.recent.len() >= kept {
            self.recent.pop_front();
        }
        self.recent.push_back(self.value);
    }

    fn is_settled(&self, gradient_norm: f64) -> bool {
        self.tracker
            .is_settled(self.options.stopping, self.value, gradient_norm)
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
