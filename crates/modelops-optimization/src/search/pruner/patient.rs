//! Pruning of trials that no longer improve.

use super::{NeverPrune, Pruner, PruningContext, least, sign};

/// Gives up a trial that has not improved for a number of reports, or lets another pruner decide then.
#[derive(Debug)]
pub struct PatientPruner<P = NeverPrune> {
    inner: Option<P>,
    patience: usize,
    min_delta: f64,
}

impl PatientPruner {
    /// Gives up a trial whose last `patience` + 1 reports are no better than what it had before.
    #[must_use]
    pub fn new(patience: usize) -> Self {
        Self {
            inner: None,
            patience,
            min_delta: 0.0,
        }
    }
}

impl<P: Pruner> PatientPruner<P> {
    /// As [`PatientPruner::new`], but `pruner` decides about a trial that does not improve.
    #[must_use]
    pub fn around(pruner: P, patience: usize) -> Self {
        Self {
            inner: Some(pruner),
            patience,
            min_delta: 0.0,
        }
    }

    /// Tolerates values that are worse than before by up to this much (0 or more).
    #[must_use]
    pub fn with_min_delta(mut self, delta: f64) -> Self {
        self.min_delta = delta.max(0.0);
        self
    }
}

impl<P: Pruner> Pruner for PatientPruner<P> {
    fn should_prune(&self, context: &PruningContext<'_>) -> bool {
        let values = context.intermediate;
        let recent = self.patience.saturating_add(1);
        if values.len() <= recent {
            return false;
        }
        let sign = sign(context.direction);
        let best = |part: &[(u64, f64)]| least(part.iter().map(|(_, v)| sign * v));
        let (before, after) = values.split_at(values.len() - recent);
        let stalled = match (best(before), best(after)) {
            (Some(before), Some(after)) => before + self.min_delta < after,
            // All the recent values are NaN.
            (_, after) => after.is_none(),
        };
        stalled && self.inner.as_ref().is_none_or(|p| p.should_prune(context))
    }
}
