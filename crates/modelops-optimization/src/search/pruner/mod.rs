//! Which trials are given up early.

use std::fmt;

use super::study::Direction;
use super::trial::{Trial, TrialState};

pub(crate) mod halving;
pub(crate) mod patient;
pub(crate) mod percentile;
pub(crate) mod threshold;
pub(crate) mod wilcoxon;

/// What a pruner may know.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PruningContext<'a> {
    /// Which way is better; of several objectives the first.
    pub direction: Direction,
    /// The trials that the answer may depend on, all finished, in the order of their numbers.
    pub trials: &'a [Trial],
    /// The number of the trial in question.
    pub number: usize,
    /// What it has reported: (step, value) in the order of the steps, at least one.
    pub intermediate: &'a [(u64, f64)],
}

/// Gives up trials that do not look promising, from the intermediate values that they and earlier trials reported.
///
/// **Contract**: `should_prune` is a pure function of its argument and of the pruner's own settings. Nothing else is kept, so that a
/// study resumed after a crash prunes what it would have pruned.
pub trait Pruner: fmt::Debug + Send + Sync {
    /// Whether the trial is to be given up at the step it reported last.
    fn should_prune(&self, context: &PruningContext<'_>) -> bool;
}

/// Lets every trial run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NeverPrune;

impl Pruner for NeverPrune {
    fn should_prune(&self, _: &PruningContext<'_>) -> bool {
        false
    }
}

/// From which step on a pruner answers, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) warmup: u64,
    pub(crate) interval: u64,
}

impl Schedule {
    pub(crate) const EVERY_STEP: Self = Self {
        warmup: 0,
        interval: 1,
    };

    /// Whether the last step is the first one reported in its interval after the warm-up.
    pub(crate) fn is_due(self, intermediate: &[(u64, f64)]) -> bool {
        let Some(&(last, _)) = intermediate.last() else {
            return false;
        };
        if last < self.warmup {
            return false;
        }
        let begins = last - (last - self.warmup) % self.interval.max(1);
        let before = intermediate.len().checked_sub(2).map(|k| intermediate[k].0);
        before.is_none_or(|before| before < begins)
    }
}

/// The sign that makes less better.
pub(crate) fn sign(direction: Direction) -> f64 {
    match direction {
        Direction::Minimize => 1.0,
        Direction::Maximize => -1.0,
    }
}

/// The value a trial reported at a step.
pub(crate) fn value_at(intermediate: &[(u64, f64)], step: u64) -> Option<f64> {
    let place = intermediate.binary_search_by_key(&step, |(s, _)| *s);
    place.ok().map(|place| intermediate[place].1)
}

/// The complete trials.
pub(crate) fn complete(trials: &[Trial]) -> impl Iterator<Item = &Trial> {
    trials.iter().filter(|t| t.state == TrialState::Complete)
}

/// The least value that is not NaN; +∞ where there is none.
pub(crate) fn least(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.filter(|v| !v.is_nan()).reduce(f64::min)
}
