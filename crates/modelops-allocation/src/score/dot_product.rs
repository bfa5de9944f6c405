//! Alignment of what is needed with what is left.

use crate::score::{Score, Trial, millionths};

/// Prefers a node whose free resources are proportioned like the request, as in vector bin packing.
///
/// **Formula**: Σ free(r)/largest(r) · need(r)/largest(r) over the scored node resources and the device share, in millionths;
/// [`DotProduct::aligned`] takes the node with the largest sum, [`DotProduct::opposed`] (the rule of the published FGD
/// experiments) the one with the smallest.
///
/// **References**: R. Panigrahy, K. Talwar, L. Uyeda, U. Wieder, *Heuristics for vector bin packing*, 2011.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DotProduct {
    opposed: bool,
    quantum: i64,
}

impl DotProduct {
    /// The node with the largest product: the usual rule.
    #[must_use]
    pub fn aligned() -> Self {
        Self {
            opposed: false,
            quantum: 1,
        }
    }

    /// The node with the smallest product, in steps of `quantum` millionths of the mean (1 and 0: not cut).
    #[must_use]
    pub fn opposed(quantum: u32) -> Self {
        Self {
            opposed: true,
            quantum: i64::from(quantum.max(1)),
        }
    }
}

impl Score for DotProduct {
    fn score(&self, trial: &Trial<'_>) -> i64 {
        let node = trial.before;
        let product = |free, need, largest| millionths(free, largest) * millionths(need, largest) / 1_000_000;
        let mut sum = 0;
        let mut terms = 0;
        for i in node.scored() {
            sum += product(node.free(*i), trial.demand.node(*i), node.largest(*i));
            terms += 1;
        }
        if node.largest_share() > 0 {
            sum += product(
                node.free_share(),
                trial.demand.total_share(),
                node.largest_share(),
            );
            terms += 1;
        }
        let mean = if terms == 0 { 0 } else { sum / terms };
        if self.opposed {
            (1_000_000 - mean) / self.quantum
        } else {
            mean / self.quantum
        }
    }
}
