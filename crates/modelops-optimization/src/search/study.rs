//! A study: trials asked for, told, and kept.

use std::sync::Arc;

use super::error::StudyError;
use super::parameters::Parameters;
use super::random::RandomSampler;
use super::sampler::{Context, Sampler};
use super::space::SearchSpace;
use super::trial::{Outcome, Trial, TrialState};
use crate::LinePlot;

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Less is better, as of a loss.
    Minimize,
    /// More is better, as of an accuracy.
    Maximize,
}

impl Direction {
    /// Whether `a` is better than `b`; a NaN never is.
    #[must_use]
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self {
            Self::Minimize => a < b,
            Self::Maximize => a > b,
        }
    }
}

/// A search for the best parameters: ask for a trial, try it, tell the outcome.
///
/// Every trial is kept, the failed ones with their reason. The suggestions are a function of the sampler's seed and the
/// outcomes told before, so that a study run twice is the same study.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, RandomSampler, SearchSpace, Study};
///
/// let space = SearchSpace::new().log_float("learning_rate", 1e-3..=1.0)?;
/// let mut study = Study::new("demo", space, Direction::Maximize).with_sampler(RandomSampler::new(1));
/// for _ in 0..20 {
///     let trial = study.ask()?;
///     let rate = trial.parameters().float("learning_rate")?;
///     study.tell(trial.number(), -(rate.log10() + 1.0).abs())?; // best at 0.1
/// }
/// let best = study.best_trial().unwrap();
/// assert!((best.parameters().float("learning_rate")? / 0.1).log10().abs() < 0.2);
/// println!("{study}"); // a table of the best trials
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Study {
    name: String,
    space: SearchSpace,
    directions: Vec<Direction>,
    sampler: Arc<dyn Sampler>,
    concurrency: usize,
    trials: Vec<Trial>,
    /// Trials before this number are all finished.
    settled: usize,
}

impl Study {
    /// A study of one objective, with random search from seed 0 until another sampler is set.
    #[must_use]
    pub fn new(name: impl Into<String>, space: SearchSpace, direction: Direction) -> Self {
        Self {
            name: name.into(),
            space,
            directions: vec![direction],
            sampler: Arc::new(RandomSampler::new(0)),
            concurrency: 1,
            trials: Vec::new(),
            settled: 0,
        }
    }

    /// Sets the sampler.
    #[must_use]
    pub fn with_sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Arc::new(sampler);
        self
    }

    /// Lets up to `trials` (at least 1) run at a time.
    ///
    /// Trial k then builds on trials 0 to k − `trials`, whatever else has finished: that is what keeps the study the same for any
    /// number of workers up to this one.
    #[must_use]
    pub fn with_concurrency(mut self, trials: usize) -> Self {
        self.concurrency = trials.max(1);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it searches.
    #[must_use]
    pub fn space(&self) -> &SearchSpace {
        &self.space
    }

    /// Which way is better, one entry an objective.
    #[must_use]
    pub fn directions(&self) -> &[Direction] {
        &self.directions
    }

    /// Every trial in the order of its number.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// Starts the next trial.
    ///
    /// # Errors
    ///
    /// [`StudyError::TooManyRunning`] where the concurrency is used up.
    pub fn ask(&mut self) -> Result<Trial, StudyError> {
        let number = self.trials.len();
        let visible = (number + 1).saturating_sub(self.concurrency);
        if self.settled < visible {
            return Err(StudyError::TooManyRunning { oldest: self.settled });
        }
        let context = Context {
            space: &self.space,
            directions: &self.directions,
            trials: &self.trials[..visible],
        };
        let numbers = self.sampler.suggest(&context, number);
        let trial = Trial {
            number,
            parameters: Parameters::from_numbers(&self.space, numbers),
            state: TrialState::Running,
            values: Vec::new(),
            intermediate: Vec::new(),
            reason: None,
        };
        self.trials.push(trial.clone());
        Ok(trial)
    }

    /// Records how trial `number` ended.
    ///
    /// # Errors
    ///
    /// [`StudyError`] for a number that was not asked for or is finished, and for a wrong number of values.
    pub fn tell(&mut self, number: usize, outcome: impl Into<Outcome>) -> Result<(), StudyError> {
        let directions = self.directions.len();
        let trial = self
            .trials
            .get_mut(number)
            .ok_or(StudyError::UnknownTrial { number })?;
        if trial.finished() {
            return Err(StudyError::AlreadyFinished { number });
        }
        match outcome.into() {
            Outcome::Complete(values) if values.len() != directions => {
                return Err(StudyError::WrongNumberOfValues {
                    expected: directions,
                    found: values.len(),
                });
            }
            Outcome::Complete(values) if values.iter().any(|v| v.is_nan()) => {
                trial.state = TrialState::Failed;
                trial.reason = Some("the value is NaN".to_owned());
            }
            Outcome::Complete(values) => {
                trial.state = TrialState::Complete;
                trial.values = values;
            }
            Outcome::Pruned => trial.state = TrialState::Pruned,
            Outcome::Failed(reason) => {
                trial.state = TrialState::Failed;
                trial.reason = Some(reason);
            }
        }
        while self.trials.get(self.settled).is_some_and(Trial::finished) {
            self.settled += 1;
        }
        Ok(())
    }

    /// Runs `trials` trials one after the other.
    ///
    /// `objective` returns the value, or a `Result` of it: an error becomes a failed trial with the error as its reason, and the
    /// study goes on.
    ///
    /// # Errors
    ///
    /// [`StudyError::WrongNumberOfValues`] where `objective` returns a list of a wrong length,
    /// [`StudyError::TooManyRunning`] where trials asked for by hand are still running.
    pub fn optimize<T: Into<Outcome>>(
        &mut self,
        trials: usize,
        mut objective: impl FnMut(&Trial) -> T,
    ) -> Result<(), StudyError> {
        for _ in 0..trials {
            let trial = self.ask()?;
            self.tell(trial.number, objective(&trial))?;
        }
        Ok(())
    }

    /// The complete trial with the best (first) value, the earliest of equals.
    #[must_use]
    pub fn best_trial(&self) -> Option<&Trial> {
        let direction = self.directions[0];
        self.trials
            .iter()
            .filter(|t| t.state == TrialState::Complete)
            .reduce(|best, trial| match (trial.value(), best.value()) {
                (Some(a), Some(b)) if direction.is_better(a, b) => trial,
                _ => best,
            })
    }

    /// Each trial's value as a dot, and the best value so far as a line.
    #[must_use]
    pub fn history_plot(&self) -> LinePlot {
        let direction = self.directions[0];
        let values: Vec<(f64, f64)> = self
            .trials
            .iter()
            .filter_map(|t| t.value().map(|v| (t.number as f64, v)))
            .collect();
        let mut best: Option<f64> = None;
        let line: Vec<(f64, f64)> = values
            .iter()
            .map(|&(number, value)| {
                let so_far = best.filter(|b| !direction.is_better(value, *b)).unwrap_or(value);
                best = Some(so_far);
                (number, so_far)
            })
            .collect();
        LinePlot::new(self.name.clone(), "trial", "value")
            .with_dots("trials", values)
            .with_points_line("best so far", line)
    }
}
