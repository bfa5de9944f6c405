//! First, best and worst fit.

use crate::score::{NodeView, Score, Trial, millionths};

/// The first node in the order of ties on which the replica fits. Cheapest, and the baseline of every comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstFit;

impl Score for FirstFit {
    fn score(&self, _: &Trial<'_>) -> i64 {
        0
    }
}

/// The node that is fullest afterwards: keeps large holes for large requests.
///
/// **Formula**: −Σ free(r) / largest(r) over the scored node resources and the device share, where free(r) is what is left afterwards and largest(r) the
/// most that any node has; in millionths, optionally cut to `quantum` millionths.
///
/// **Complexity**: O(resources + devices) a state.
#[doc(alias("binpack", "MostAllocated"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BestFit {
    quantum: u32,
}

impl Default for BestFit {
    fn default() -> Self {
        Self { quantum: 1 }
    }
}

impl BestFit {
    /// Best fit with scores cut to multiples of `quantum` millionths of the mean (1 and 0: not cut).
    ///
    /// A coarse quantum makes ties, which the tie rule then decides; the published FGD experiments use 10,000 (one percent).
    #[must_use]
    pub fn with_quantum(quantum: u32) -> Self {
        Self {
            quantum: quantum.max(1),
        }
    }
}

impl Score for BestFit {
    fn score(&self, trial: &Trial<'_>) -> i64 {
        // One percent steps of "how full": the floor of a positive number.
        (1_000_000 - emptiness(trial.after)) / i64::from(self.quantum)
    }
}

/// The node that is emptiest afterwards: spreads the load.
#[doc(alias("spread", "LeastAllocated"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorstFit;

impl Score for WorstFit {
    fn score(&self, trial: &Trial<'_>) -> i64 {
        emptiness(trial.after)
    }
}

/// The mean free fraction over the scored resources and the share, in millionths.
fn emptiness(node: NodeView<'_>) -> i64 {
    let mut sum = 0;
    let mut terms = 0;
    for i in node.scored() {
        sum += millionths(node.free(*i), node.largest(*i));
        terms += 1;
    }
    if node.largest_share() > 0 {
        sum += millionths(node.free_share(), node.largest_share());
        terms += 1;
    }
    if terms == 0 { 0 } else { sum / terms }
}
