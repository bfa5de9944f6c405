//! A study: trials asked for, told, and kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::StudyError;
use super::parameters::Parameters;
use super::pruner::{NeverPrune, Pruner, PruningContext};
use super::random::RandomSampler;
use super::sampler::{Context, Memory, Sampler};
use super::space::SearchSpace;
use super::store::{JournalStore, Store};
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
#[doc(alias("hyperparameter", "tune"))]
#[derive(Debug)]
pub struct Study {
    name: String,
    pub(crate) space: SearchSpace,
    directions: Vec<Direction>,
    sampler: Arc<dyn Sampler>,
    memory: Memory,
    pruner: Arc<dyn Pruner>,
    concurrency: usize,
    pub(crate) trials: Vec<Trial>,
    /// Trials before this number do not wait.
    started: usize,
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
            memory: Memory::default(),
            pruner: Arc::new(NeverPrune),
            concurrency: 1,
            trials: Vec::new(),
            started: 0,
            settled: 0,
            store: None,
        }
    }

    /// A study of several objectives at once, whose answer is [`pareto_front`](Self::pareto_front).
    ///
    /// # Errors
    ///
    /// [`StudyError::NoDirections`] for no directions.
    pub fn multi_objective(
        name: impl Into<String>,
        space: SearchSpace,
        directions: impl IntoIterator<Item = Direction>,
    ) -> Result<Self, StudyError> {
        let directions: Vec<Direction> = directions.into_iter().collect();
        let first = *directions.first().ok_or(StudyError::NoDirections)?;
        let mut study = Self::new(name, space, first);
        study.directions = directions;
        Ok(study)
    }

    /// Sets the sampler.
    #[must_use]
    pub fn with_sampler(mut self, sampler: impl Sampler + 'static) -> Self {
        self.sampler = Arc::new(sampler);
        self.memory = Memory::default();
        self
    }

    /// Sets the pruner; without one no trial is given up early.
    #[must_use]
    pub fn with_pruner(mut self, pruner: impl Pruner + 'static) -> Self {
        self.pruner = Arc::new(pruner);
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

    /// How many trials may run at a time.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.concurrency
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
    pub fn with_journal(self, path: &Path, clock: fn() -> Duration) -> Result<Self, StudyError> {
        let store = JournalStore::open(path, clock)?;
        self.kept_in(Store::Journal(store))
    }

    /// Keeps the study in an `SQLite` file, and takes up what the file holds of it.
    ///
    /// The tables are those of Optuna 5, whose `optuna.storages.RDBStorage` and dashboard open the file, as this opens theirs. Every
    /// change is one transaction: a crash loses at most the one under way. Several processes may share a study, those of Optuna among
    /// them, as with a [journal](Self::with_journal), which writes faster.
    ///
    /// `clock` tells the time since 1970, for the time stamps alone; they are in UTC.
    ///
    /// # Errors
    ///
    /// [`StudyError::Database`] where the file cannot be read or written within a minute, has other tables, or holds a study of this
    /// name with another space or other directions.
    ///
    /// # Example
    ///
    /// ```
    /// use std::time::{SystemTime, UNIX_EPOCH};
    ///
    /// use modelops_optimization::{Direction, SearchSpace, Study};
    ///
    /// let file = std::env::temp_dir().join(format!("modelops-study-{}.db", std::process::id()));
    /// let open = || -> Result<Study, Box<dyn std::error::Error>> {
    ///     let space = SearchSpace::new().float("x", 0.0..=1.0)?;
    ///     let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    ///     Ok(Study::new("demo", space, Direction::Minimize).with_sqlite(&file, clock)?)
    /// };
    /// open()?.optimize_until(3, |trial| trial.parameters().float("x"))?;
    /// assert_eq!(open()?.trials().len(), 3);
    /// # std::fs::remove_file(file)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "sqlite")]
    pub fn with_sqlite(self, path: &Path, clock: fn() -> Duration) -> Result<Self, StudyError> {
        let database = super::database::Database::open(path, clock)?;
        self.kept_in(Store::Database(Box::new(database)))
    }

    fn kept_in(mut self, store: Store) -> Result<Self, StudyError> {
        self.store = Some(store);
        self.with_entry(|study, entry| match entry {
            Some(entry) => entry.create_study(study),
            None => Ok(()),
        })?;
        Ok(self)
    }

    /// Trials before this number are all finished.
    #[cfg(feature = "sqlite")]
    pub(crate) fn settled(&self) -> usize {
        self.settled
    }

    /// Starts the next trial: the first of those [enqueued](Self::enqueue), or one that the sampler suggests.
    ///
    /// # Errors
    ///
    /// [`StudyError::TooManyRunning`] where the concurrency is used up, [`StudyError::Journal`] where the trial cannot be written down.
    pub fn ask(&mut self) -> Result<Trial, StudyError> {
        self.with_entry(|study, entry| {
            let number = study.next_number();
            let mut trial = study.next_trial(number)?;
            trial.state = TrialState::Running;
            match (study.trials.get_mut(number), entry) {
                (Some(_), Some(entry)) => entry.start_trial(study, &trial)?,
                (None, Some(entry)) => entry.create_trial(study, &trial)?,
                _ => {}
            }
            match study.trials.get_mut(number) {
                Some(waiting) => *waiting = trial.clone(),
                None => study.trials.push(trial.clone()),
            }
            Ok(trial)
        })
    }

    /// The number of the next trial to start: the first that waits, or a new one.
    fn next_number(&mut self) -> usize {
        while self
            .trials
            .get(self.started)
            .is_some_and(|t| t.state != TrialState::Waiting)
        {
            self.started += 1;
        }
        self.started
    }

    fn next_trial(&self, number: usize) -> Result<Trial, StudyError> {
        let visible = self.visible(number);
        if self.settled < visible {
            return Err(StudyError::TooManyRunning { oldest: self.settled });
        }
        let waiting = self.trials.get(number);
        let given = waiting.map(|t| t.parameters.numbers());
        let numbers = match given {
            Some(given) if self.is_whole(given) => given.into(),
            _ => {
                let context = Context {
                    space: &self.space,
                    directions: &self.directions,
                    trials: &self.trials[..visible],
                    memory: &self.memory,
                };
                let mut numbers = self.sampler.suggest(&context, number);
                for (number, given) in numbers.iter_mut().zip(given.into_iter().flatten()) {
                    if !given.is_nan() {
                        *number = *given;
                    }
                }
                numbers
            }
        };
        Ok(Trial {
            number,
            parameters: Parameters::from_numbers(&self.space, numbers),
            state: TrialState::Waiting,
            values: Vec::new(),
            intermediate: Vec::new(),
            constraints: Vec::new(),
            reason: None,
        })
    }

    /// How many trials, from the first, trial `number` may depend on.
    fn visible(&self, number: usize) -> usize {
        (number + 1).saturating_sub(self.concurrency)
    }

    /// Whether every parameter whose condition holds has a number.
    fn is_whole(&self, numbers: &[f64]) -> bool {
        (0..numbers.len()).all(|k| !numbers[k].is_nan() || !self.space.is_active(k, numbers))
    }

    /// Lets the next trial that is asked for take these parameters, and gives its number. A study that has a trial of the same
    /// parameters stays as it is, and that trial's number is given: what runs again after a crash may enqueue again.
    ///
    /// # Errors
    ///
    /// [`StudyError::Parameter`] for parameters of another space, [`StudyError::Journal`] where the trial cannot be written down.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::{Direction, Parameters, SearchSpace, Study};
    ///
    /// let space = SearchSpace::new().int("batch", 1..=256)?;
    /// let in_use = Parameters::from_values(&space, [("batch", 32.into())])?;
    /// let mut study = Study::new("batch", space, Direction::Maximize);
    /// study.enqueue(&in_use)?;
    /// assert_eq!(study.ask()?.parameters().int("batch")?, 32);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn enqueue(&mut self, parameters: &Parameters) -> Result<usize, StudyError> {
        let values = parameters.iter();
        let parameters = Parameters::from_values(&self.space, values)?;
        self.with_entry(|study, entry| {
            if let Some(same) = study.trials.iter().find(|t| t.parameters == parameters) {
                return Ok(same.number);
            }
            let trial = Trial {
                number: study.trials.len(),
                parameters,
                state: TrialState::Waiting,
                values: Vec::new(),
                intermediate: Vec::new(),
                constraints: Vec::new(),
                reason: None,
            };
            if let Some(entry) = entry {
                entry.create_trial(study, &trial)?;
            }
            study.trials.push(trial);
            Ok(study.trials.len() - 1)
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
            let (values, constraints) = match outcome {
                Outcome::Interrupted => return Ok(()),
                Outcome::Pruned => {
                    trial.state = TrialState::Pruned;
                    (Vec::new(), Vec::new())
                }
                Outcome::Failed(reason) => {
                    trial.state = TrialState::Failed;
                    trial.reason = Some(reason);
                    (Vec::new(), Vec::new())
                }
                Outcome::Complete(values) => (values, Vec::new()),
                Outcome::Constrained { values, constraints } => (values, constraints),
            };
            if !trial.finished() {
                trial.complete(study.directions.len(), values, constraints)?;
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

    /// Whether the pruner would give up the running trial `number`, after the value it reported last. A trial compares itself with
    /// those that its suggestion could depend on, and with no others, so that the answer is the same for any number of workers.
    ///
    /// # Errors
    ///
    /// [`StudyError`] for a number that was not asked for or is finished.
    pub fn should_prune(&self, number: usize) -> Result<bool, StudyError> {
        Ok(self.prunes(number, &self.running(number)?.intermediate))
    }

    /// The pruner's answer for a trial with these intermediate values.
    pub(crate) fn prunes(&self, number: usize, intermediate: &[(u64, f64)]) -> bool {
        !intermediate.is_empty()
            && self.pruner.should_prune(&PruningContext {
                direction: self.directions[0],
                trials: &self.trials[..self.visible(number).min(self.trials.len())],
                number,
                intermediate,
            })
    }

    fn running(&self, number: usize) -> Result<&Trial, StudyError> {
        match self.trials.get(number) {
            None => Err(StudyError::UnknownTrial { number }),
            Some(trial) if trial.state == TrialState::Waiting => Err(StudyError::UnknownTrial { number }),
            Some(trial) if trial.finished() => Err(StudyError::AlreadyFinished { number }),
            Some(trial) => Ok(trial),
        }
    }

    /// Has no trials any more.
    pub(crate) fn forget(&mut self) {
        self.trials.clear();
        (self.settled, self.started) = (0, 0);
        self.memory = Memory::default();
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
        for trial in self.left_behind() {
            self.tell(trial.number, objective(&trial))?;
        }
        self.optimize(trials.saturating_sub(self.started()), objective)
    }

    /// Trials that run without anybody of this process running them.
    pub(crate) fn left_behind(&self) -> Vec<Trial> {
        let running = self.trials.iter().filter(|t| t.state == TrialState::Running);
        running.cloned().collect()
    }

    /// How many trials were started, whatever became of them.
    pub(crate) fn started(&self) -> usize {
        let waiting = self.trials[self.started.min(self.trials.len())..]
            .iter()
            .filter(|t| t.state == TrialState::Waiting);
        self.trials.len() - waiting.count()
    }

    /// The complete trial with the best (first) value among those whose constraints hold, the earliest of equals.
    #[must_use]
    pub fn best_trial(&self) -> Option<&Trial> {
        let direction = self.directions[0];
        self.trials
            .iter()
            .filter(|t| t.state == TrialState::Complete && t.is_feasible())
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
