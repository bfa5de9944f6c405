//! How fast an error budget is being spent, over several windows at once.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::error::ValueError;
use crate::objective::Objective;

/// How soon somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// During working hours.
    Ticket,
    /// Now.
    Page,
}

/// One rule: alert while the budget burns faster than `factor` over the long window and over the short one.
///
/// The long window says that it matters, the short one that it still goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BurnRule {
    /// How soon somebody has to look.
    pub severity: Severity,
    /// The long window.
    pub long: Duration,
    /// The short window.
    pub short: Duration,
    /// The burn rate above which the rule fires; at 1 the budget lasts exactly its period.
    pub factor: f64,
}

/// What one rule says at the last observation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct BurnAlert {
    /// The rule.
    pub rule: BurnRule,
    /// The burn rate over the long window; `None` without enough events.
    pub long: Option<f64>,
    /// The burn rate over the short window; `None` without events.
    pub short: Option<f64>,
    /// Whether both are above the rule's factor.
    pub firing: bool,
}

/// Multi-window, multi-burn-rate alerts of one objective, evaluated in the process that they are about.
///
/// Use it where the service itself reacts, by shedding load, say; leave paging people to a monitoring system that
/// survives the service.
///
/// **Formula**: burn rate over a window = (bad / total within it) / (1 − target). At 1 the budget is spent exactly
/// when its period ends.
///
/// **Complexity**: `observe` and `alerts` O(log n) with n observations in the longest window, 32 bytes each: give it
/// one a minute (4,321 in three days) or fewer.
///
/// ```
/// use std::time::Duration;
/// use modelops_monitoring::{BurnRate, Objective, Severity};
/// let objective = Objective::availability("chat", 0.999)?;
/// let mut burn = BurnRate::google_sre(&objective);
/// let minute = |m: u64| Duration::from_secs(60 * m);
/// for m in 0..=60 {
///     burn.observe(minute(m), 2 * m, 100 * m)?; // two in a hundred are bad: twenty times the budget
/// }
/// let worst = burn.alerts().into_iter().find(|alert| alert.firing).expect("20 > 14.4");
/// assert_eq!(worst.rule.severity, Severity::Page);
/// assert!((worst.long.expect("events") - 20.0).abs() < 1e-9);
/// # Ok::<(), modelops_monitoring::ValueError>(())
/// ```
///
/// **References**: B. Beyer et al., "The Site Reliability Workbook", O'Reilly 2018, chapter 5.
#[doc(alias("SLO", "error_budget"))]
#[derive(Clone)]
pub struct BurnRate {
    budget: f64,
    rules: Vec<BurnRule>,
    least_events: u64,
    /// Cumulative counts, oldest first; all but the first lie within the longest window.
    history: VecDeque<Observed>,
}

#[derive(Debug, Clone, Copy)]
struct Observed {
    at: Duration,
    bad: u64,
    total: u64,
}

impl fmt::Debug for BurnRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BurnRate")
            .field("rules", &self.rules)
            .field("observations", &self.history.len())
            .finish_non_exhaustive()
    }
}

impl BurnRate {
    /// The rules of the workbook for a budget of 30 days: page at 14.4 (1 h and 5 min) and 6 (6 h and 30 min), ticket
    /// at 3 (1 d and 2 h) and 1 (3 d and 6 h).
    #[must_use]
    pub fn google_sre(objective: &Objective) -> Self {
        let minutes = |m: u64| Duration::from_secs(60 * m);
        let rule = |severity, long, short, factor| BurnRule {
            severity,
            long: minutes(long),
            short: minutes(short),
            factor,
        };
        Self {
            budget: 1.0 - objective.target(),
            rules: vec![
                rule(Severity::Page, 60, 5, 14.4),
                rule(Severity::Page, 360, 30, 6.0),
                rule(Severity::Ticket, 1_440, 120, 3.0),
                rule(Severity::Ticket, 4_320, 360, 1.0),
            ],
            least_events: 1,
            history: VecDeque::new(),
        }
    }

    /// The same, but silent while a long window holds fewer than `events`: one bad event of three is no burn.
    #[must_use]
    pub fn with_least_events(mut self, events: u64) -> Self {
        self.least_events = events.max(1);
        self
    }

    /// The rules, pages first.
    #[must_use]
    pub fn rules(&self) -> &[BurnRule] {
        &self.rules
    }

    pub(crate) fn budget(&self) -> f64 {
        self.budget
    }

    pub(crate) fn least_events(&self) -> u64 {
        self.least_events
    }

    /// Takes in the counts since the start of the process, at a time on one monotonic clock.
    ///
    /// Counts that fell mean a restart: what was before is forgotten. A time before the last one is taken for the last.
    ///
    /// # Errors
    /// [`ValueError::Counts`] where `bad` exceeds `total`.
    pub fn observe(&mut self, at: Duration, bad: u64, total: u64) -> Result<(), ValueError> {
        if bad > total {
            return Err(ValueError::Counts { bad, total });
        }
        let last = self.history.back().copied();
        if last.is_some_and(|last| bad < last.bad || total - bad < last.total - last.bad) {
            self.history.clear();
        }
        let at = last.map_or(at, |last| at.max(last.at));
        self.history.push_back(Observed { at, bad, total });
        let longest = self.rules.iter().map(|rule| rule.long).max().unwrap_or_default();
        // The newest observation at least that old is the start of the longest window.
        while self
            .history
            .get(1)
            .is_some_and(|second| at - second.at >= longest)
        {
            self.history.pop_front();
        }
        Ok(())
    }

    /// The burn rate over the last `window`, or since the first observation where that is later.
    ///
    /// `None` where nothing happened in it.
    #[must_use]
    pub fn over(&self, window: Duration) -> Option<f64> {
        self.rate(window, 1)
    }

    fn rate(&self, window: Duration, least_events: u64) -> Option<f64> {
        let now = self.history.back()?;
        // The last observation before or at the start of the window; the first where there is none.
        let after = self
            .history
            .partition_point(|observed| now.at - observed.at >= window);
        let start = self.history[after.saturating_sub(1)];
        let total = now.total - start.total;
        (total >= least_events).then(|| (now.bad - start.bad) as f64 / total as f64 / self.budget)
    }

    /// What each rule says now, pages first.
    #[must_use]
    pub fn alerts(&self) -> Vec<BurnAlert> {
        let alert = |rule: &BurnRule| {
            let (long, short) = (self.rate(rule.long, self.least_events), self.over(rule.short));
            let burns = |rate: Option<f64>| rate.is_some_and(|rate| rate > rule.factor);
            BurnAlert {
                rule: *rule,
                long,
                short,
                firing: burns(long) && burns(short),
            }
        };
        self.rules.iter().map(alert).collect()
    }
}
