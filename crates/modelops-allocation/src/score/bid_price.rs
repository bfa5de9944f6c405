//! The fragmentation gradient, corrected by what the hole is worth.

use crate::patterns::Prices;
use crate::resources::Milli;
use crate::score::{FragmentationGradient, NodeView, Score, Trial};
use crate::space::Space;

/// Places where the hole that is used loses least of its value, and among those where fragmentation grows least.
///
/// The fragmentation gradient looks at one more request; the prices come from whole sets of requests on a device, so a hole that
/// two later requests fill exactly is kept for them. Only requests for a share of one device are priced; for the others it is the
/// fragmentation gradient.
///
/// **Formula**: first −⌊(V(free) − V(free after)) / step⌋, V by [`Prices::hole`]; then the score of the gradient.
///
/// **Complexity**: that of [`FragmentationGradient`].
///
/// **Numerics**: integers.
#[derive(Clone, Debug)]
pub struct BidPrice {
    base: FragmentationGradient,
    prices: Prices,
    step: i64,
}

/// More than any score of the gradient, so that the price comes first.
const FIRST: i64 = 1 << 20;

impl BidPrice {
    /// The gradient under these prices, in steps of a fiftieth of a device.
    #[must_use]
    pub fn new(base: FragmentationGradient, prices: Prices) -> Self {
        Self {
            base,
            prices,
            step: 20_000,
        }
    }

    /// The same with prices in steps of this share of a device.
    #[must_use]
    pub fn with_step(mut self, step: Milli) -> Self {
        self.step = 1000 * i64::from(step.to_u32());
        self
    }

    /// The worth of the devices of a node, in millionths of a device.
    fn worth(&self, node: NodeView<'_>) -> i64 {
        node.shares().map(|free| i64::from(self.prices.hole(free))).sum()
    }
}

impl Score for BidPrice {
    fn prepare(&mut self, space: &Space) {
        self.base.prepare(space);
    }

    fn standing(&self, node: NodeView<'_>) -> i64 {
        self.base.standing(node)
    }

    fn score(&self, trial: &Trial<'_>) -> i64 {
        let gradient = self.base.score(trial);
        if trial.demand.devices() != 1 || trial.demand.share() == 1000 {
            return gradient;
        }
        let lost = self.worth(trial.before) - self.worth(trial.after);
        gradient - FIRST * (lost / self.step)
    }
}
