//! Running the trials of a study, by one worker or several.

use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::StudyError;
use super::parameters::Parameters;
use super::study::Study;
use super::trial::{Outcome, Trial, note};
use crate::Progress;

/// Tells the time since some fixed moment.
type Clock<'a> = &'a (dyn Fn() -> Duration + Sync);

/// How long [`Study::run`] goes on, and with how many workers.
#[derive(Clone, Copy)]
pub struct RunOptions<'a> {
    trials: usize,
    workers: usize,
    deadline: Option<(Clock<'a>, Duration)>,
    cancel: Option<&'a AtomicBool>,
    observer: Option<&'a (dyn Fn(&Trial) + Sync)>,
}

impl<'a> RunOptions<'a> {
    /// Until the study has `trials` trials, those it had before among them; one worker.
    #[must_use]
    pub fn new(trials: usize) -> Self {
        Self {
            trials,
            workers: 1,
            deadline: None,
            cancel: None,
            observer: None,
        }
    }

    /// Sets the number of threads that run trials, at least 1. More than the study's
    /// [concurrency](Study::with_concurrency) allows stay idle.
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Starts no trial once `timeout` has passed on `clock`, which tells the time since some fixed moment.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration, clock: Clock<'a>) -> Self {
        self.deadline = Some((clock, clock().saturating_add(timeout)));
        self
    }

    /// Starts no trial once `flag` is true.
    #[must_use]
    pub fn with_cancel(mut self, flag: &'a AtomicBool) -> Self {
        self.cancel = Some(flag);
        self
    }

    /// Calls `observer` with every trial that ends, in the order in which they end: for a progress bar or a log.
    #[must_use]
    pub fn with_observer(mut self, observer: &'a (dyn Fn(&Trial) + Sync)) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Why nothing more is to be started, if so.
    fn stop(&self) -> Option<Stop> {
        if self.cancel.is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Some(Stop::Cancelled);
        }
        let (clock, end) = self.deadline?;
        (clock() >= end).then_some(Stop::TimedOut)
    }
}

impl fmt::Debug for RunOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("trials", &self.trials)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stop {
    /// The study has as many trials as asked for.
    Trials,
    /// The time was up.
    TimedOut,
    /// The flag was set.
    Cancelled,
}

/// A trial that is being run.
#[derive(Debug)]
pub struct ActiveTrial<'a> {
    host: &'a dyn Host,
    number: usize,
    parameters: Parameters,
    /// What this run of it reported. What an earlier run left behind does not count, so that a trial begun again is
    /// given up where it would have been.
    intermediate: Vec<(u64, f64)>,
}

impl ActiveTrial<'_> {
    /// Its place in the study, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// What to try.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Records an intermediate value, such as the loss after a number of steps.
    ///
    /// # Errors
    ///
    /// [`StudyError`] where the value cannot be written down.
    pub fn report(&mut self, step: u64, value: f64) -> Result<(), StudyError> {
        self.host.report(self.number, step, value)?;
        note(&mut self.intermediate, step, value);
        Ok(())
    }

    /// Whether the study's pruner would give the trial up now: then return [`Outcome::Pruned`].
    #[must_use]
    pub fn should_prune(&self) -> bool {
        self.host.prunes(self.number, &self.intermediate)
    }

    /// Reports the loss of a step of a solver, and stops the solver where the pruner would give the trial up or the run is to end.
    ///
    /// A solver stopped that way ends with [`Termination::Cancelled`](crate::Termination::Cancelled): return
    /// [`Outcome::Pruned`], or [`Outcome::Interrupted`] where [`should_stop`](Self::should_stop) says so.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::{
    ///     Direction, FnObjective, GradientDescent, LearningRate, OptimizationError, Outcome, PercentilePruner, RunOptions, SearchSpace,
    ///     Study, Termination, TrialState,
    /// };
    ///
    /// let space = SearchSpace::new().log_float("rate", 1e-4..=1.0)?;
    /// let mut study = Study::new("descent", space, Direction::Minimize).with_pruner(PercentilePruner::median());
    /// study.run(&RunOptions::new(20), |trial| -> Result<Outcome, Box<dyn std::error::Error>> {
    ///     let bowl = FnObjective::new(1, |x: &[f64], gradient: &mut [f64]| {
    ///         gradient[0] = x[0];
    ///         0.5 * x[0] * x[0]
    ///     });
    ///     let rate = LearningRate::Fixed(trial.parameters().float("rate")?);
    ///     let descent = GradientDescent::new().with_learning_rate(rate).with_max_iterations(50);
    ///     let solution = descent.minimize_observed(&bowl, &[1.0], &mut |step| trial.observe(step))?;
    ///     Ok(match solution.termination {
    ///         Termination::Cancelled => Outcome::Pruned,
    ///         _ => solution.value.into(),
    ///     })
    /// })?;
    /// assert!(study.trials().iter().any(|t| t.state() == TrialState::Pruned && t.intermediate().len() < 50));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn observe(&mut self, progress: &Progress) -> ControlFlow<()> {
        let step = progress.iteration as u64;
        // What cannot be written down now cannot be at the end of the trial either, and is told there.
        if self.report(step, progress.value).is_err() || self.should_prune() || self.should_stop() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Whether the run is to end: a long trial may then return [`Outcome::Interrupted`], and is run again by the next
    /// [`Study::run`].
    #[must_use]
    pub fn should_stop(&self) -> bool {
        self.host.ends()
    }
}

/// What an active trial asks of the run that it is part of.
trait Host: fmt::Debug + Sync {
    fn report(&self, number: usize, step: u64, value: f64) -> Result<(), StudyError>;
    fn prunes(&self, number: usize, intermediate: &[(u64, f64)]) -> bool;
    fn ends(&self) -> bool;
}

impl Host for Shared<'_> {
    fn report(&self, number: usize, step: u64, value: f64) -> Result<(), StudyError> {
        self.lock().study.report(number, step, value)
    }

    fn prunes(&self, number: usize, intermediate: &[(u64, f64)]) -> bool {
        self.lock().study.prunes(number, intermediate)
    }

    fn ends(&self) -> bool {
        self.options.stop().is_some() || self.lock().end.is_some()
    }
}

/// What the workers of a run share.
#[derive(Debug)]
struct Shared<'a> {
    options: RunOptions<'a>,
    state: Mutex<State<'a>>,
    /// Something ended: another trial may be possible now.
    changed: Condvar,
}

#[derive(Debug)]
struct State<'a> {
    study: &'a mut Study,
    /// Trials that a crash left behind.
    left: VecDeque<Trial>,
    active: usize,
    end: Option<Result<Stop, StudyError>>,
}

impl<'a> Shared<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        // An objective that panics holds no lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a trial to run; `None` where there is nothing more to do.
    fn next(&self) -> Option<Trial> {
        let mut state = self.lock();
        loop {
            if state.end.is_some() {
                return None;
            }
            if let Some(stop) = self.options.stop() {
                return state.finish(Ok(stop));
            }
            if let Some(trial) = state.left.pop_front() {
                state.active += 1;
                return Some(trial);
            }
            if state.study.started() >= self.options.trials {
                return None;
            }
            match state.study.ask() {
                Ok(trial) => {
                    state.active += 1;
                    return Some(trial);
                }
                Err(StudyError::TooManyRunning { .. }) if state.active > 0 => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Err(error) => return state.finish(Err(error)),
            }
        }
    }

    fn tell(&self, number: usize, outcome: Outcome) {
        let mut state = self.lock();
        let interrupted = outcome == Outcome::Interrupted;
        if let Err(error) = state.study.tell(number, outcome) {
            state.finish(Err(error));
        } else if interrupted {
            let stop = self.options.stop().unwrap_or(Stop::Cancelled);
            state.finish(Ok(stop));
        } else if let Some(observer) = self.options.observer {
            observer(&state.study.trials[number]);
        }
    }

    /// Runs trials until there are no more.
    fn work<T: Into<Outcome>>(&self, objective: &impl Fn(&mut ActiveTrial<'_>) -> T) {
        while let Some(trial) = self.next() {
            // A panic of the objective must wake the others, who wait for this trial to end.
            let _leave = Leave(self);
            let number = trial.number;
            let mut active = ActiveTrial {
                host: self,
                number,
                parameters: trial.parameters,
                intermediate: Vec::new(),
            };
            let outcome = objective(&mut active).into();
            self.tell(number, outcome);
        }
    }
}

impl State<'_> {
    /// Ends the run, unless it has ended.
    fn finish(&mut self, end: Result<Stop, StudyError>) -> Option<Trial> {
        self.end.get_or_insert(end);
        None
    }
}

/// Ends a worker's trial, however it ends.
struct Leave<'a, 'b>(&'a Shared<'b>);

impl Drop for Leave<'_, '_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.active -= 1;
        if std::thread::panicking() {
            state.finish(Ok(Stop::Cancelled));
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Study {
    /// Brings the study to a number of trials: first runs again those that are running, which a crashed process left behind, then
    /// the enqueued ones, then new ones.
    ///
    /// `objective` returns the value or values, an [`Outcome`], or a `Result` of either: an error becomes a failed trial with the error
    /// as its reason, and the study goes on.
    ///
    /// The trials are the same, bit for bit, for any number of workers and after any number of crashes, as long as the objective is a
    /// function of the parameters and the study has the same [concurrency](Study::with_concurrency): trial k builds on the trials before
    /// it but for the last *concurrency* − 1, whether others have ended or not. A study whose workers are more than its concurrency
    /// leaves some idle.
    ///
    /// Not for studies that several processes share: what one of them runs looks left behind to the other.
    ///
    /// # Errors
    ///
    /// [`StudyError`] where the study cannot be written down, or `objective` returns a wrong number of values. The trials that
    /// other workers run are told their outcome first.
    ///
    /// # Panics
    ///
    /// Where `objective` panics; its trial stays running, and the next run begins with it.
    ///
    /// # Example
    ///
    /// ```
    /// use modelops_optimization::{Direction, RunOptions, SearchSpace, Study, TpeSampler};
    ///
    /// let run = |workers| -> Result<Study, Box<dyn std::error::Error>> {
    ///     let space = SearchSpace::new().float("x", -2.0..=2.0)?;
    ///     let mut study = Study::new("parallel", space, Direction::Minimize)
    ///         .with_sampler(TpeSampler::new(1))
    ///         .with_concurrency(4);
    ///     study.run(&RunOptions::new(50).with_workers(workers), |trial| trial.parameters().float("x").map(f64::abs))?;
    ///     Ok(study)
    /// };
    /// assert_eq!(run(1)?.trials(), run(4)?.trials());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<T: Into<Outcome>>(
        &mut self,
        options: &RunOptions<'_>,
        objective: impl Fn(&mut ActiveTrial<'_>) -> T + Sync,
    ) -> Result<Stop, StudyError> {
        let workers = options.workers.min(self.concurrency()).min(options.trials.max(1));
        let left = self.left_behind().into();
        let shared = Shared {
            options: *options,
            state: Mutex::new(State {
                study: self,
                left,
                active: 0,
                end: None,
            }),
            changed: Condvar::new(),
        };
        if workers == 1 {
            shared.work(&objective);
        } else {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| shared.work(&objective));
                }
            });
        }
        let end = shared
            .state
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .end;
        end.unwrap_or(Ok(Stop::Trials))
    }
}
