//! The most throughput within a latency limit.

use std::fmt::Display;

use super::cautious::{CautiousSampler, trusted};
use crate::{ActiveTrial, Direction, Outcome, Parameters, RunOptions, SearchSpace, Study, StudyError, Trial};

/// What one configuration of a service was measured to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// What there should be more of, such as tokens a second and replica.
    pub throughput: f64,
    /// What is limited, such as the 99th percentile of the seconds a request takes.
    pub latency: f64,
    /// How full the service is, between 0 and 1, where that is known: of its batches or its cache, whichever is fuller. Latency tells too
    /// late that a queue is about to overflow; this tells before.
    pub saturation: Option<f64>,
}

/// Looks for the configuration of the largest throughput whose latency keeps a limit, and seldom tries one that does not.
///
/// Begin with a configuration that is known to keep the limit: the one in use. The tuner goes out from there in short steps, so that it
/// can run against live traffic. It is a [`Study`] like any other: keep it in a journal, print it, plot it, and let its trials report to a
/// pruner.
///
/// **Method**: Gaussian processes with a linear trend of the logarithms of throughput, latency and saturation. Only points near a trial
/// that kept the limit count, at which the expected latency keeps it with some standard deviations to spare and the replicas
/// are less than 90 % full. Trials take turns: one goes for the largest throughput among these points, the next for the least latency that
/// the best throughput can be had for. Trials that break the limit beyond one in twenty make it more
/// careful, and what is left of that budget less.
///
/// # Example
///
/// ```
/// use modelops_optimization::{ServiceTuner, ServingQueue};
///
/// let space = ServingQueue::space()?;
/// let in_use = ServingQueue::modest(&space)?;
/// let queue = ServingQueue::new(20.0, 400.0, 250.0)?;
/// let tuner = ServiceTuner::new(space, 12.0).with_start(in_use);
/// let study = tuner.tune(15, |trial| queue.simulate(trial.parameters(), trial.number() as u64))?;
/// let best = tuner.recommend(&study).unwrap();
/// assert!(best.value() > study.trials()[0].value());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "online_tuning")]
#[derive(Debug, Clone)]
pub struct ServiceTuner {
    space: SearchSpace,
    limit: f64,
    start: Option<Parameters>,
    seed: u64,
    warm_up: usize,
    caution: f64,
}

impl ServiceTuner {
    /// A tuner of the knobs in `space` under a latency of at most `limit` (above 0, in the unit of the measurements).
    #[must_use]
    pub fn new(space: SearchSpace, limit: f64) -> Self {
        Self {
            space,
            limit,
            start: None,
            seed: 0,
            warm_up: 10,
            caution: 3.0,
        }
    }

    /// Sets the configuration to begin with, one that keeps the limit.
    #[must_use]
    pub fn with_start(mut self, start: Parameters) -> Self {
        self.start = Some(start);
        self
    }

    /// Sets the seed of the suggestions.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets how many trials near the start come before the first suggestion of the process, at least 2; ten otherwise.
    #[must_use]
    pub fn with_warm_up(mut self, trials: usize) -> Self {
        self.warm_up = trials.max(2);
        self
    }

    /// Sets how many standard deviations it keeps away from the limit, 0 or more; three otherwise.
    #[must_use]
    pub fn with_caution(mut self, deviations: f64) -> Self {
        self.caution = deviations.max(0.0);
        self
    }

    /// The study of this tuner, with its start enqueued: for ask and tell, or to be kept in a journal.
    ///
    /// # Errors
    ///
    /// [`StudyError::BadLimit`] for a limit that is not finite and above 0, [`StudyError::Parameter`] where the start does not fit the space.
    pub fn study(&self, name: &str) -> Result<Study, StudyError> {
        if !(self.limit.is_finite() && self.limit > 0.0) {
            return Err(StudyError::BadLimit { limit: self.limit });
        }
        let sampler = CautiousSampler {
            seed: self.seed,
            warm_up: self.warm_up,
            deviations: self.caution,
        };
        let mut study = Study::new(name, self.space.clone(), Direction::Maximize).with_sampler(sampler);
        if let Some(start) = &self.start {
            study.enqueue(start)?;
        }
        Ok(study)
    }

    /// The outcome of a trial that was measured: its throughput, and as constraints ln(latency / limit) and, where it is known, the
    /// saturation less 1.
    #[must_use]
    pub fn outcome(&self, measured: Measurement) -> Outcome {
        // A process of the logarithm sees the limit approach evenly.
        let excess = (measured.latency / self.limit).ln();
        let saturation = measured.saturation.map(|s| s.min(1.0) - 1.0);
        Outcome::Constrained {
            values: vec![measured.throughput],
            constraints: std::iter::once(excess).chain(saturation).collect(),
        }
    }

    /// Runs so many trials one after the other; one that cannot be measured fails.
    ///
    /// For trials that report to a pruner, for several workers or a deadline call [`Study::run`] on [`study`](Self::study) with what
    /// [`outcome`](Self::outcome) makes of each measurement.
    ///
    /// # Errors
    ///
    /// As [`study`](Self::study).
    pub fn tune<E: Display>(
        &self,
        trials: usize,
        measure: impl Fn(&mut ActiveTrial<'_>) -> Result<Measurement, E> + Sync,
    ) -> Result<Study, StudyError> {
        let mut study = self.study("service")?;
        study.run(&RunOptions::new(trials), |trial| {
            measure(trial).map(|m| self.outcome(m))
        })?;
        Ok(study)
    }

    /// The configuration to take from a study of this tuner: the best of those that kept the limit and are expected to keep it again,
    /// with half a standard deviation to spare. The best of the measured values alone is often a lucky one.
    ///
    /// `None` where no trial kept the limit.
    #[must_use]
    pub fn recommend<'a>(&self, study: &'a Study) -> Option<&'a Trial> {
        let trusted = trusted(&study.space, study.trials(), 0.5);
        trusted.or_else(|| study.best_trial())
    }
}
