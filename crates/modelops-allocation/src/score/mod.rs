//! Scores of a place for a replica: best fit, worst fit, packing and the others, or one of yours ([`Score`]).
//!
//! Everything else of a greedy placement is the same for all of them.

mod bid_price;
mod dot_product;
mod fit;
mod fragmentation;
mod lanes;
mod packing;

pub use bid_price::BidPrice;
pub use dot_product::DotProduct;
pub use fit::{BestFit, FirstFit, WorstFit};
pub use fragmentation::{FragmentationGradient, Quantum};
pub use packing::{Clustering, Packing};

use crate::space::{Demand, Space};

/// A policy of a greedy placement: a number for each node (and device) on which a replica would fit.
///
/// The engine checks what fits, computes `after`, takes the largest score, and breaks ties by its declared rule: among the
/// devices of one node the tightest, among the nodes [`crate::TieBreak`]. A score is computed once for all nodes in the same
/// state and remembered, so it must depend on nothing but its arguments.
///
/// # Example
/// ```
/// use modelops_allocation::score::{Score, Trial};
/// use modelops_allocation::{Fleet, Greedy, Node, Request, Resources, Workload};
/// /// Prefers the node with the most CPU before placing.
/// #[derive(Clone)]
/// struct Biggest;
/// impl Score for Biggest {
///     fn score(&self, trial: &Trial<'_>) -> i64 {
///         trial.before.capacity(0) as i64
///     }
/// }
/// let cpu = |n| Resources::new().with("cpu", n);
/// let fleet = Fleet::try_new(vec![Node::new("small", cpu(1)), Node::new("big", cpu(9))])?;
/// let work = Workload::try_new(vec![Request::new("a").with_resource("cpu", 1)])?;
/// assert_eq!(Greedy::new(Biggest).plan(&fleet, &work).bindings()[0].node, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Score: Clone {
    /// Looks at the fleet once, before anything is placed.
    fn prepare(&mut self, space: &Space) {
        let _ = space;
    }

    /// Whether [`NodeView::residents`] is asked for. Nodes that differ in it are then scored apart.
    fn reads_residents(&self) -> bool {
        false
    }

    /// A number of the node's state alone, computed once a state and given back in [`Trial::standing`].
    fn standing(&self, node: NodeView<'_>) -> i64 {
        let _ = node;
        0
    }

    /// How good the trial is; larger is better.
    fn score(&self, trial: &Trial<'_>) -> i64;
}

/// One node as a policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    pub(crate) space: &'a Space,
    pub(crate) row: &'a [u64],
}

impl<'a> NodeView<'a> {
    /// The positions of the node resources that scores look at.
    #[must_use]
    pub fn scored(&self) -> &'a [usize] {
        &self.space.scored
    }

    /// What is left of the node's resource at position `i`.
    #[must_use]
    pub fn free(&self, i: usize) -> u64 {
        self.row[1 + i]
    }

    /// What the empty node has of the resource at position `i`.
    #[must_use]
    pub fn capacity(&self, i: usize) -> u64 {
        self.space.classes[self.row[0] as usize].full[1 + i]
    }

    /// The most that any node of the fleet has of the resource at position `i`.
    #[must_use]
    pub fn largest(&self, i: usize) -> u64 {
        self.space.largest[i]
    }

    /// The share of all devices of the node with the most devices.
    #[must_use]
    pub fn largest_share(&self) -> u64 {
        self.space.largest_share
    }

    /// The share left of each device, in thousandths.
    pub fn shares(&self) -> impl Iterator<Item = u64> + use<'a> {
        let devices = self.space.classes[self.row[0] as usize].kinds.len();
        self.row[1 + self.space.node_dims()..]
            .chunks_exact(self.space.device_dims())
            .take(devices)
            .map(|cells| cells[0])
    }

    /// The share left of all devices together.
    #[must_use]
    pub fn free_share(&self) -> u64 {
        // Devices that a node does not have are zeros in its row.
        let devices = &self.row[1 + self.space.node_dims()..self.space.devices_end];
        devices.iter().step_by(self.space.device_dims()).sum()
    }

    /// How many replicas of each size are on the node: a share, one device, two, four, eight, another number; empty unless
    /// [`Score::reads_residents`].
    #[must_use]
    pub fn residents(&self) -> &'a [u64] {
        &self.row[self.space.devices_end..]
    }
}

/// One place for one replica: the node before and after.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The node as it is.
    pub before: NodeView<'a>,
    /// [`Score::standing`] of the node as it is.
    pub standing: i64,
    /// The node with the replica on it.
    pub after: NodeView<'a>,
    /// What the replica needs.
    pub demand: &'a Demand,
}

/// Fixed-point millionths of a fraction, so that scores are integers and ties are exact.
pub(crate) fn millionths(part: u64, whole: u64) -> i64 {
    if whole == 0 {
        0
    } else {
        (u128::from(part) * 1_000_000 / u128::from(whole)) as i64
    }
}
