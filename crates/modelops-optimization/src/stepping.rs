//! From a gradient to the next point: clipping, schedule, rule, average.

use crate::OptimizationError;
use crate::gradient_descent::{not_negative, positive};
use crate::kernel::vector::norm;
use crate::rule::{Rule, State, share};

/// How the learning rate changes from step to step; t counts the steps from 0, after any warm-up.
///
/// # Example
///
/// ```
/// use modelops_optimization::Schedule;
///
/// let cosine = Schedule::Cosine { steps: 100, end: 0.1 };
/// assert_eq!(cosine.factor(0), 1.0);
/// // Halfway between 1 and 0.1.
/// assert!((cosine.factor(50) - 0.55).abs() < 1e-12);
/// assert_eq!(cosine.factor(1000), 0.1);
/// ```
#[doc(alias("warmup", "cosine", "learning_rate"))]
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Schedule {
    /// 1.
    #[default]
    Constant,
    /// factor^⌊t / every⌋.
    Step {
        /// Steps between two changes, at least 1.
        every: usize,
        /// Above 0.
        factor: f64,
    },
    /// factorᵗ.
    Exponential {
        /// Above 0.
        factor: f64,
    },
    /// From 1 to `end` in a straight line over `steps`, then `end`.
    Linear {
        /// At least 1.
        steps: usize,
        /// At least 0.
        end: f64,
    },
    /// end + ½ (1 − end) (1 + cos(π t / steps)), then `end`. Loshchilov and Hutter, 2017, arXiv:1608.03983.
    Cosine {
        /// At least 1.
        steps: usize,
        /// At least 0.
        end: f64,
    },
}

impl Schedule {
    /// What the learning rate is multiplied by at step `t`.
    #[must_use]
    pub fn factor(self, t: usize) -> f64 {
        let part = |steps: usize| t.min(steps) as f64 / steps.max(1) as f64;
        match self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powf((t / every.max(1)) as f64),
            Self::Exponential { factor } => factor.powf(t as f64),
            Self::Linear { steps, end } => 1.0 + (end - 1.0) * part(steps),
            Self::Cosine { steps, end } => {
                end + 0.5 * (1.0 - end) * (1.0 + (std::f64::consts::PI * part(steps)).cos())
            }
        }
    }

    fn validate(self) -> Result<(), OptimizationError> {
        match self {
            Self::Constant => Ok(()),
            Self::Step { every, factor } => positive("every", every as f64).and(positive("factor", factor)),
            Self::Exponential { factor } => positive("factor", factor),
            Self::Linear { steps, end } | Self::Cosine { steps, end } => {
                positive("steps", steps as f64).and(not_negative("end", end))
            }
        }
    }
}

/// What is done to a gradient that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Clipping {
    /// Nothing.
    #[default]
    None,
    /// g ← g · min(1, c / ‖g‖): the direction stays.
    Norm(f64),
    /// gᵢ ← min(c, max(−c, gᵢ)).
    Value(f64),
}

impl Clipping {
    fn apply(self, gradient: &mut [f64]) {
        match self {
            Self::None => {}
            Self::Norm(most) => {
                let length = norm(gradient);
                if length > most {
                    gradient.iter_mut().for_each(|g| *g *= most / length);
                }
            }
            Self::Value(most) => gradient.iter_mut().for_each(|g| *g = g.clamp(-most, most)),
        }
    }
}

/// An average of the iterates; where it is better than each of them, it is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Averaging {
    /// None.
    #[default]
    None,
    /// The mean of all iterates after the first `from` steps. Polyak and Juditsky, 1992, doi:10.1137/0330046.
    Mean {
        /// Steps left out.
        from: usize,
    },
    /// a ← decay a + (1 − decay) x after every step, from a = x₀.
    Exponential {
        /// At least 0 and below 1.
        decay: f64,
    },
}

/// The settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stepping {
    pub(crate) rule: Rule,
    pub(crate) learning_rate: f64,
    pub(crate) warmup: usize,
    pub(crate) schedule: Schedule,
    pub(crate) clipping: Clipping,
    pub(crate) averaging: Averaging,
}

impl Stepping {
    pub(crate) fn validate(self) -> Result<(), OptimizationError> {
        positive("learning_rate", self.learning_rate)?;
        self.rule.validate()?;
        self.schedule.validate()?;
        match self.clipping {
            Clipping::None => {}
            Clipping::Norm(most) | Clipping::Value(most) => positive("clipping", most)?,
        }
        match self.averaging {
            Averaging::Exponential { decay } => share("decay", decay),
            Averaging::None | Averaging::Mean { .. } => Ok(()),
        }
    }
}

/// The state of one run.
pub(crate) struct Stepper {
    settings: Stepping,
    state: State,
    clipped: Vec<f64>,
    average: Vec<f64>,
    steps: usize,
}

impl Stepper {
    pub(crate) fn new(settings: Stepping, x0: &[f64]) -> Self {
        let average = if settings.averaging == Averaging::None {
            Vec::new()
        } else {
            x0.to_vec()
        };
        Self {
            settings,
            state: State::new(settings.rule, x0),
            clipped: vec![0.0; x0.len()],
            average,
            steps: 0,
        }
    }

    /// The learning rate of the next step.
    pub(crate) fn rate(&self) -> f64 {
        let Stepping {
            learning_rate,
            warmup,
            schedule,
            ..
        } = self.settings;
        if self.steps < warmup {
            learning_rate * (self.steps + 1) as f64 / warmup as f64
        } else {
            learning_rate * schedule.factor(self.steps - warmup)
        }
    }

    /// Moves `x` by one step against `gradient`.
    pub(crate) fn step(&mut self, gradient: &[f64], x: &mut [f64]) {
        self.clipped.copy_from_slice(gradient);
        self.settings.clipping.apply(&mut self.clipped);
        let rate = self.rate();
        self.state.step(rate, &self.clipped, x);
        self.steps += 1;
        let weight = match self.settings.averaging {
            Averaging::Mean { from } if self.steps > from => 1.0 / (self.steps - from) as f64,
            Averaging::Exponential { decay } => 1.0 - decay,
            Averaging::None | Averaging::Mean { .. } => return,
        };
        for (a, x) in self.average.iter_mut().zip(x) {
            *a += weight * (*x - *a);
        }
    }

    /// The average of the iterates, where one is kept, be it by the rule itself.
    pub(crate) fn average(&self) -> Option<&[f64]> {
        let own = (!self.average.is_empty()).then_some(self.average.as_slice());
        own.or_else(|| self.state.average())
    }
}
