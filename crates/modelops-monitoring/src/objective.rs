//! Service level objectives and their error budget.

use std::fmt;

use crate::error::ValueError;
use crate::histogram::Histogram;

/// A service level objective (SLO): the share of events that a service promises to be good.
///
/// An availability objective counts answered requests; a latency objective counts requests answered within a
/// threshold (give the histogram that threshold as a classic bound, and the count is exact).
///
/// ```
/// use modelops_monitoring::{Objective, Status};
/// let objective = Objective::availability("chat", 0.99)?;
/// let verdict = objective.verdict(5, 1000)?;
/// assert_eq!(verdict.status, Status::Met);
/// assert_eq!(verdict.ratio, Some(0.995));
/// assert!((verdict.budget_left - 0.5).abs() < 1e-12); // 5 of the 10 allowed are spent
/// # Ok::<(), modelops_monitoring::ValueError>(())
/// ```
///
/// **References**: B. Beyer et al., "The Site Reliability Workbook", O'Reilly 2018, chapters 2 and 5.
#[doc(alias("SLO", "SLA"))]
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    name: String,
    target: f64,
    threshold: Option<f64>,
}

/// Whether an objective is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// The good share is at least the target.
    Met,
    /// The good share is below the target.
    Missed,
    /// Nothing happened, so nothing can be said.
    NoData,
}

/// An objective held against what happened.
#[doc(alias = "error_budget")]
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The objective's name.
    pub objective: String,
    /// The share of good events that was promised.
    pub target: f64,
    /// All events.
    pub total: u64,
    /// The bad ones.
    pub bad: u64,
    /// The share of good events, `1 − bad/total`; `None` without events.
    pub ratio: Option<f64>,
    /// The share of the error budget that is left, `1 − bad / ((1 − target)·total)`: 1 untouched, 0 spent, below 0 overspent.
    pub budget_left: f64,
    /// Whether the promise is kept.
    pub status: Status,
}

impl Objective {
    /// Promises that a share `target` of the events is good.
    ///
    /// # Errors
    /// [`ValueError::Target`] unless `0 < target < 1`.
    pub fn availability(name: &str, target: f64) -> Result<Self, ValueError> {
        if !(target > 0.0 && target < 1.0) {
            return Err(ValueError::Target { given: target });
        }
        Ok(Self {
            name: name.to_owned(),
            target,
            threshold: None,
        })
    }

    /// Promises that a share `target` of the events takes at most `threshold` (in the unit of the histogram).
    ///
    /// # Errors
    /// [`ValueError::Threshold`] unless the threshold is finite and above 0; [`ValueError::Target`] as above.
    pub fn latency(name: &str, threshold: f64, target: f64) -> Result<Self, ValueError> {
        if !(threshold > 0.0 && threshold.is_finite()) {
            return Err(ValueError::Threshold { given: threshold });
        }
        Ok(Self {
            threshold: Some(threshold),
            ..Self::availability(name, target)?
        })
    }

    /// The name given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The share of events that must be good.
    #[must_use]
    pub fn target(&self) -> f64 {
        self.target
    }

    /// The threshold of a latency objective.
    #[must_use]
    pub fn threshold(&self) -> Option<f64> {
        self.threshold
    }

    /// Holds the objective against `bad` of `total` events.
    ///
    /// **Numerics**: met means `(total − bad)/total >= target` in correctly rounded `f64`, so that 9 of 10 meets 0.9.
    ///
    /// # Errors
    /// [`ValueError::Counts`] where `bad` exceeds `total`.
    pub fn verdict(&self, bad: u64, total: u64) -> Result<Verdict, ValueError> {
        let good = total.checked_sub(bad).ok_or(ValueError::Counts { bad, total })?;
        let ratio = (total > 0).then(|| good as f64 / total as f64);
        let (status, budget_left) = match ratio {
            None => (Status::NoData, 1.0),
            Some(ratio) => {
                let left = 1.0 - bad as f64 / ((1.0 - self.target) * total as f64);
                // The rounding of 1 − target must not contradict the verdict.
                if ratio >= self.target {
                    (Status::Met, left.max(0.0))
                } else {
                    (Status::Missed, left.min(0.0))
                }
            }
        };
        Ok(Verdict {
            objective: self.name.clone(),
            target: self.target,
            total,
            bad,
            ratio,
            budget_left,
            status,
        })
    }

    /// Holds a latency objective against a histogram; `None` for an availability objective, or where the threshold is
    /// not one of the histogram's classic bounds. NaN and whatever lies above the threshold counts as bad.
    #[must_use]
    pub fn verdict_of(&self, histogram: &Histogram) -> Option<Verdict> {
        let (good, total) = histogram.good_of(self.threshold?)?;
        self.verdict(total - good, total).ok()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::Missed => "missed",
            Self::NoData => "no data",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.objective, self.status)?;
        if let Some(ratio) = self.ratio {
            write!(
                f,
                ", {:.3} % good of {} (target {} %), {:.1} % of the error budget left",
                100.0 * ratio,
                self.total,
                100.0 * self.target,
                100.0 * self.budget_left,
            )?;
        }
        Ok(())
    }
}
