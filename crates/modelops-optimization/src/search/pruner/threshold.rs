//! Pruning of trials that leave a range.

use std::ops::RangeInclusive;

use super::{Pruner, PruningContext, Schedule};

/// Gives up a trial whose last value is outside a range, or NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct ThresholdPruner {
    range: RangeInclusive<f64>,
    schedule: Schedule,
}

impl ThresholdPruner {
    /// Keeps trials in `range`; use infinities for an end that does not matter.
    #[must_use]
    pub fn new(range: RangeInclusive<f64>) -> Self {
        Self {
            range,
            schedule: Schedule::EVERY_STEP,
        }
    }

    /// Lets every trial reach this step.
    #[must_use]
    pub fn with_warmup_steps(mut self, steps: u64) -> Self {
        self.schedule.warmup = steps;
        self
    }

    /// Asks only once in so many steps, at least 1.
    #[must_use]
    pub fn with_interval_steps(mut self, steps: u64) -> Self {
        self.schedule.interval = steps.max(1);
        self
    }
}

impl Pruner for ThresholdPruner {
    fn should_prune(&self, context: &PruningContext<'_>) -> bool {
        let last = context.intermediate.last();
        self.schedule.is_due(context.intermediate) && last.is_some_and(|(_, v)| !self.range.contains(v))
    }
}
