//! A study: trials asked for, told, and kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::StudyError;
use super::parameters::Parameters;
use super::random::RandomSampler;
use super::sampler::{Context, Sampler};
use super::space::SearchSpace;
use super::store::Store;
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
#[derive(Debug)]
pub struct Study {
    name: String,
    pub(crate) space: SearchSpace,
    directions: Vec<Direction>,
    sampler: Arc<dyn Sampler>,
    concurrency: usize,
    pub(crate) trials: Vec<Trial>,
    /// Trials before this number are all finished.
    settled: usize,
    pub(crate) store: Option<Store>,
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
            store: None,
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

    /// Keeps the study in a journal file, and takes up what the file holds of it.
    ///
    /// Every change is one write of whole lines in Optuna's journal format, which `optuna.storages.JournalStorage` and its dashboard
    /// open. A crash at any byte loses at most the record being written: opening the file again removes the torn tail. Processes of this
    /// crate may share a study: each locks the file for the time of a change and takes in what the others wrote; give the study a
    /// [concurrency](Self::with_concurrency) of at least their number.
    ///
    /// `clock` tells the time since 1970, for the time stamps alone.
    ///
    /// # Errors
    ///
    /// [`StudyError::Journal`] where the file cannot be read or written, is damaged before its last line, or holds a study of this name
    /// with another space or other directions.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{SystemTime, UNIX_EPOCH};
    ///
    /// use modelops_optimization::{Direction, SearchSpace, Study};
    ///
    /// let file = std::env::temp_dir().join(format!("modelops-study-{}.jsonl", std::process::id()));
    /// let open = || -> Result<Study, Box<dyn std::error::Error>> {
    ///     let space = SearchSpace::new().float("x", 0.0..=1.0)?;
    ///     let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ///     Ok(Study::new("demo", space, Direction::Minimize).with_journal(&file, clock)?)
    /// };
    /// open()?.optimize_until(3, |trial| trial.parameters().float("x"))?;
    /// // Another process, later: goes on to five.
    /// let mut again = open()?;
    /// assert_eq!(again.trials().len(), 3);
    /// again.optimize_until(5, |trial| trial.parameters().float("x"))?;
    /// assert_eq!(again.trials().len(), 5);
    /// # std::fs::remove_file(file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_journal(mut self, path: &Path, clock: fn() -> Duration) -> Result<Self, StudyError> {
        self.store = Some(Store::open(path, clock)?);
        self.with_entry(|study, entry| match entry {
            Some(entry) => Ok(entry.create_study(study)?),
            None => Ok(()),
        })?;
        Ok(self)
    }

    /// Starts the next trial.
    ///
    /// # Errors
    ///
    /// [`StudyError::TooManyRunning`] where the concurrency is used up, [`StudyError::Journal`] where the trial cannot be written down.
    pub fn ask(&mut self) -> Result<Trial, StudyError> {
        self.with_entry(|study, entry| {
            let trial = study.next_trial()?;
            if let Some(entry) = entry {
                entry.create_trial(study, &trial)?;
            }
            study.trials.push(trial.clone());
            Ok(trial)
        })
    }

    fn next_trial(&self) -> Result<Trial, StudyError> {
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
        Ok(Trial {
            number,
            parameters: Parameters::from_numbers(&self.space, numbers),
            state: TrialState::Running,
            values: Vec::new(),
            intermediate: Vec::new(),
            reason: None,
        })
    }

    /// Records how trial `number` ended.
    ///
    /// # Errors
    ///
    /// [`StudyError`] for a number that was not asked for or is finished, for a wrong number of values, and where the outcome cannot be
    /// written down.
    pub fn tell(&mut self, number: usize, outcome: impl Into<Outcome>) -> Result<(), StudyError> {
        let outcome = outcome.into();
        self.with_entry(|study, entry| {
            let mut trial = study.running(number)?.clone();
            match outcome {
                Outcome::Complete(values) if values.len() != study.directions.len() => {
                    let expected = study.directions.len();
                    return Err(StudyError::WrongNumberOfValues {
                        expected,
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
            if let Some(entry) = entry {
                entry.finish_trial(&trial)?;
            }
            study.trials[number] = trial;
            study.settle();
            Ok(())
        })
    }

    /// Records an intermediate value of a running trial, such as the loss after a number of steps.
    ///
    /// # Errors
    ///
    /// [`StudyError`] for a number that was not asked for or is finished, and where the value cannot be written down.
    pub fn report(&mut self, number: usize, step: u64, value: f64) -> Result<(), StudyError> {
        self.with_entry(|study, entry| {
            study.running(number)?;
            if let Some(entry) = entry {
                entry.report(number, step, value)?;
            }
            study.trials[number].note(step, value);
            Ok(())
        })
    }

    fn running(&self, number: usize) -> Result<&Trial, StudyError> {
        match self.trials.get(number) {
            None => Err(StudyError::UnknownTrial { number }),
            Some(trial) if trial.finished() => Err(StudyError::AlreadyFinished { number }),
            Some(trial) => Ok(trial),
        }
    }

    /// Moves on past the finished trials.
    pub(crate) fn settle(&mut self) {
        while self.trials.get(self.settled).is_some_and(Trial::finished) {
            self.settled += 1;
        }
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

    /// Brings the study to `trials` finished trials: first runs again those that are running, which a crashed process left behind,
    /// then new ones. After a crash the same call makes the study what it would have been without.
    ///
    /// Not for studies that several processes share: what one of them runs looks left behind to the other.
    ///
    /// # Errors
    ///
    /// As [`optimize`](Self::optimize).
    pub fn optimize_until<T: Into<Outcome>>(
        &mut self,
        trials: usize,
        mut objective: impl FnMut(&Trial) -> T,
    ) -> Result<(), StudyError> {
        let left: Vec<Trial> = self.trials.iter().filter(|t| !t.finished()).cloned().collect();
        for trial in left {
            self.tell(trial.number, objective(&trial))?;
        }
        self.optimize(trials.saturating_sub(self.trials.len()), objective)
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
