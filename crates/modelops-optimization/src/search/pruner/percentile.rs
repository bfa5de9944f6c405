//! Pruning of trials behind a percentile of the others.

use super::{Pruner, PruningContext, Schedule, complete, least, sign, value_at};

/// Gives up a trial whose best value so far is worse than a percentile of the complete trials at the same step.
///
/// A trial that has reported nothing but NaN is given up.
///
/// **Numerics**: percentiles are interpolated linearly between order statistics, as NumPy does.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, Outcome, PercentilePruner, RunOptions, SearchSpace, Study};
///
/// let space = SearchSpace::new().float("x", 0.0..=1.0)?;
/// let pruner = PercentilePruner::median();
/// let mut study = Study::new("curves", space, Direction::Minimize).with_pruner(pruner);
/// study.run(&RunOptions::new(40), |trial| -> Result<Outcome, Box<dyn std::error::Error>> {
///     let x = trial.parameters().float("x")?;
///     for step in 0..10 {
///         trial.report(step, x)?;
///         if trial.should_prune() {
///             return Ok(Outcome::Pruned);
///         }
///     }
///     Ok(x.into())
/// })?;
/// let pruned = study.trials().iter().filter(|t| t.value().is_none()).count();
/// assert!(pruned > 10, "{pruned}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("MedianPruner", "early_stopping"))]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PercentilePruner {
    percentile: f64,
    startup: usize,
    fewest: usize,
    schedule: Schedule,
}

impl PercentilePruner {
    /// Keeps the best `percentile` (0 to 100, clamped) per cent of the trials at each step, after five complete trials.
    #[must_use]
    pub fn new(percentile: f64) -> Self {
        Self {
            percentile: percentile.clamp(0.0, 100.0),
            startup: 5,
            fewest: 1,
            schedule: Schedule::EVERY_STEP,
        }
    }

    /// Keeps the better half: the median rule.
    #[must_use]
    pub fn median() -> Self {
        Self::new(50.0)
    }

    /// Sets how many complete trials there must be before any is given up.
    #[must_use]
    pub fn with_startup_trials(mut self, trials: usize) -> Self {
        self.startup = trials;
        self
    }

    /// Sets how many complete trials must have reported the step, at least 1.
    #[must_use]
    pub fn with_min_trials(mut self, trials: usize) -> Self {
        self.fewest = trials.max(1);
        self
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

impl Pruner for PercentilePruner {
    fn should_prune(&self, context: &PruningContext<'_>) -> bool {
        let Some(&(step, _)) = context.intermediate.last() else {
            return false;
        };
        if !self.schedule.is_due(context.intermediate) {
            return false;
        }
        let complete = || complete(context.trials);
        if complete().count() < self.startup.max(1) {
            return false;
        }
        let sign = sign(context.direction);
        let Some(best) = least(context.intermediate.iter().map(|(_, v)| sign * v)) else {
            return true;
        };
        let others: Vec<f64> = complete()
            .filter_map(|t| value_at(&t.intermediate, step))
            .filter(|v| !v.is_nan())
            .map(|v| sign * v)
            .collect();
        others.len() >= self.fewest && best > percentile(others, self.percentile)
    }
}

/// The percentile of a list that is not empty.
fn percentile(mut values: Vec<f64>, percentile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() - 1) as f64 * percentile / 100.0;
    let (below, part) = (values[place.floor() as usize], place.fract());
    let above = values[place.ceil() as usize];
    // Equal ends first: the difference of two infinities is NaN.
    if below == above || part == 0.0 {
        below
    } else {
        below + (above - below) * part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_interpolated() {
        let values = vec![4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(values.clone(), 50.0), 2.5);
        assert_eq!(percentile(values.clone(), 25.0), 1.75);
        assert_eq!(percentile(values.clone(), 100.0), 4.0);
        assert_eq!(percentile(values, 0.0), 1.0);
        assert_eq!(percentile(vec![f64::INFINITY; 3], 40.0), f64::INFINITY);
    }
}
