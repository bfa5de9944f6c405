//! Successive halving: a larger budget for the better part of the trials, again and again.

use super::{Pruner, PruningContext, sign};
use crate::search::sobol::{hash, unit};

/// Asynchronous successive halving (ASHA): at steps r, rη, rη², … a trial goes on if it is in the best 1/η of those that came as far.
///
/// No trial waits for another, so that any number of workers is kept busy; no trial is given up before step r.
///
/// **Method**: rung k is at step r ηᵏ. A trial's value at a rung is the first one it reported at that step or later. Rungs are read off
/// the trials themselves; nothing needs to be stored.
///
/// **References**: L. Li, K. Jamieson, A. Rostamizadeh, E. Gonina, J. Ben-tzur, M. Hardt, B. Recht and A. Talwalkar, A system for massively
/// parallel hyperparameter tuning, 2020, Proceedings of Machine Learning and Systems 2.
#[doc(alias("ASHA", "early_stopping"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SuccessiveHalvingPruner {
    min_resource: u64,
    reduction_factor: u64,
}

impl SuccessiveHalvingPruner {
    /// The first rung at step `min_resource` (at least 1), and a quarter of the trials promoted from each.
    #[must_use]
    pub fn new(min_resource: u64) -> Self {
        Self {
            min_resource: min_resource.max(1),
            reduction_factor: 4,
        }
    }

    /// Sets η, at least 2.
    #[must_use]
    pub fn with_reduction_factor(mut self, factor: u64) -> Self {
        self.reduction_factor = factor.max(2);
        self
    }
}

impl Pruner for SuccessiveHalvingPruner {
    fn should_prune(&self, context: &PruningContext<'_>) -> bool {
        loses_a_rung(context, self.min_resource, self.reduction_factor, |_| true)
    }
}

/// Hyperband: several brackets of successive halving side by side, from many trials that start on little to a few that start on much.
///
/// It hedges against losses that cross: where early values mislead, the later brackets still find the best.
///
/// **Method**: bracket s of S + 1, with S = ⌊ln(max / min) / ln η⌋, has its first rung at step min ηˢ. Trials go to the brackets in
/// proportion to the trials each bracket would start, by a hash of their number, and compete within their bracket.
///
/// **References**: L. Li, K. Jamieson, G. De Salvo, A. Rostamizadeh and A. Talwalkar, Hyperband: a novel bandit-based approach to
/// hyperparameter optimization, 2018, JMLR 18.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HyperbandPruner {
    min_resource: u64,
    max_resource: u64,
    reduction_factor: u64,
}

impl HyperbandPruner {
    /// Steps from `min_resource` (at least 1) to `max_resource`, with η = 3.
    #[must_use]
    pub fn new(min_resource: u64, max_resource: u64) -> Self {
        let min_resource = min_resource.max(1);
        Self {
            min_resource,
            max_resource: max_resource.max(min_resource),
            reduction_factor: 3,
        }
    }

    /// Sets η, at least 2.
    #[must_use]
    pub fn with_reduction_factor(mut self, factor: u64) -> Self {
        self.reduction_factor = factor.max(2);
        self
    }

    /// S: the number of the last bracket.
    fn last_bracket(&self) -> u32 {
        let mut step = self.min_resource;
        let mut last = 0;
        while let Some(next) = step
            .checked_mul(self.reduction_factor)
            .filter(|n| *n <= self.max_resource)
        {
            step = next;
            last += 1;
        }
        last
    }

    /// The bracket of a trial.
    fn bracket(&self, number: usize) -> u32 {
        let last = self.last_bracket();
        // Trials that bracket s starts: ⌈(S + 1) η^(S − s) / (S − s + 1)⌉.
        let size = |s: u32| {
            let left = f64::from(last - s);
            (f64::from(last + 1) * (self.reduction_factor as f64).powf(left) / (left + 1.0)).ceil()
        };
        let total: f64 = (0..=last).map(size).sum();
        let mut place = unit(hash(number as u64)) * total;
        for s in 0..last {
            place -= size(s);
            if place < 0.0 {
                return s;
            }
        }
        last
    }
}

impl Pruner for HyperbandPruner {
    fn should_prune(&self, context: &PruningContext<'_>) -> bool {
        let bracket = self.bracket(context.number);
        let first = self.min_resource * self.reduction_factor.pow(bracket);
        loses_a_rung(context, first, self.reduction_factor, |number| {
            self.bracket(number) == bracket
        })
    }
}

/// Whether the trial's last report takes it to a rung where too many others are better.
fn loses_a_rung(
    context: &PruningContext<'_>,
    first: u64,
    factor: u64,
    competes: impl Fn(usize) -> bool,
) -> bool {
    let values = context.intermediate;
    let last = values[values.len() - 1].0;
    let before = values.len().checked_sub(2).map(|k| values[k].0);
    let mut rung = Some(first);
    while let Some(step) = rung.filter(|step| *step <= last) {
        let reached_now = before.is_none_or(|before| before < step);
        if reached_now && !is_promoted(context, step, factor, &competes) {
            return true;
        }
        rung = step.checked_mul(factor);
    }
    false
}

/// Whether the trial is in the best 1/η of those that came to the rung at `step`, itself among them; of few trials the best.
fn is_promoted(
    context: &PruningContext<'_>,
    step: u64,
    factor: u64,
    competes: &impl Fn(usize) -> bool,
) -> bool {
    let sign = sign(context.direction);
    let at = |values: &[(u64, f64)]| values.iter().find(|(s, _)| *s >= step).map(|(_, v)| sign * v);
    let Some(own) = at(context.intermediate).filter(|v| !v.is_nan()) else {
        return false;
    };
    let others = context.trials.iter().filter(|t| competes(t.number));
    let (mut count, mut better) = (1, 0);
    for value in others.filter_map(|t| at(&t.intermediate)) {
        count += 1;
        better += usize::from(value < own);
    }
    better < (count / factor as usize).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_share_the_trials_as_published() {
        let pruner = HyperbandPruner::new(1, 81);
        assert_eq!(pruner.last_bracket(), 4);
        let mut counts = [0.0f64; 5];
        for number in 0..100_000 {
            counts[pruner.bracket(number) as usize] += 1.0 / 100_000.0;
        }
        // The table of the paper for R = 81, η = 3: 81, 34, 15, 8 and 5 trials.
        for (count, size) in counts.iter().zip([81.0, 34.0, 15.0, 8.0, 5.0]) {
            assert!((count - size / 143.0).abs() < 0.01, "{counts:?}");
        }
    }
}
