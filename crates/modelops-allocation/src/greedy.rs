//! Placement of a batch by one rule after the other.

use crate::batch;
use crate::bound;
use crate::catalogue::Catalogue;
use crate::fleet::Fleet;
use crate::plan::{Binding, Plan, Rejected};
use crate::resources::Milli;
use crate::scheduler::Scheduler;
use crate::score::Score;
use crate::space::Space;
use crate::workload::{DeviceDemand, Request, Workload};

/// Which of several equally good nodes is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TieBreak {
    /// The first in the order of the fleet.
    #[default]
    NodeOrder,
    /// The first in an order drawn once from this seed.
    Permuted(u64),
    /// Any of them, drawn for every decision.
    Random(u64),
}

/// In which order the requests of a batch are placed; a higher priority always comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// As they stand in the workload.
    #[default]
    AsGiven,
    /// The largest first: by the sum over the resources of need divided by the total of the fleet.
    Decreasing,
    /// The most value for that sum first.
    ByDensity,
    /// The most value first; of equals the smallest.
    ByValue,
    /// The most whole devices first; the rest as given.
    WholeFirst,
}

/// A greedy placement: a score, a rule for ties, an order.
///
/// Use it where an answer is needed at once; its plan carries a bound, so the gap to the best is known. It is not optimal:
/// for one budget and variants use [`crate::choose_variants`], for a catalogue [`crate::plan_variants`].
///
/// # Example
/// The origin's sample: resources 10, 5 and 8; demands 3, 4 and 6.
/// ```
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{Fleet, Greedy, Node, Order, Request, Resources, Workload};
/// let units = |n| Resources::new().with("units", n);
/// let fleet = Fleet::try_new(vec![Node::new("r0", units(10)), Node::new("r1", units(5)), Node::new("r2", units(8))])?;
/// let need = |name: &str, n| Request::new(name).with_resource("units", n).with_value(n);
/// let work = Workload::try_new(vec![need("d0", 3), need("d1", 4), need("d2", 6)])?;
/// let plan = Greedy::new(BestFit::default()).with_order(Order::Decreasing).plan(&fleet, &work);
/// let nodes: Vec<usize> = plan.bindings().iter().map(|b| b.node).collect();
/// assert_eq!(nodes, [2, 1, 0]); // 6 on the 8, 4 on the 5, 3 on the 10
/// assert_eq!((plan.value(), plan.bound().value()), (13, 13)); // all placed: proven best
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("first_fit_decreasing", "bin_packing"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greedy<S> {
    pub(crate) score: S,
    pub(crate) ties: TieBreak,
    pub(crate) order: Order,
    pub(crate) scored: Option<Vec<String>>,
}

impl<S: Score> Greedy<S> {
    /// A placement by this score, ties by node order, requests as given.
    #[must_use]
    pub fn new(score: S) -> Self {
        Self {
            score,
            ties: TieBreak::NodeOrder,
            order: Order::AsGiven,
            scored: None,
        }
    }

    /// The same with this rule for ties.
    #[must_use]
    pub fn with_ties(mut self, ties: TieBreak) -> Self {
        self.ties = ties;
        self
    }

    /// The same with this order of the requests.
    #[must_use]
    pub fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The same, the score looking only at these node resources; the others are still checked.
    #[must_use]
    pub fn with_scored<N: Into<String>>(mut self, resources: impl IntoIterator<Item = N>) -> Self {
        self.scored = Some(resources.into_iter().map(Into::into).collect());
        self
    }

    /// Places a batch: every replica is bound once or rejected with its reason.
    ///
    /// A gang is placed entirely or rejected entirely; one that wants to be together with itself is tried in every domain. After
    /// the plan no rejected single replica fits as it stands.
    ///
    /// **Complexity**: O(replicas · distinct node states).
    #[must_use]
    pub fn plan(&self, fleet: &Fleet, workload: &Workload) -> Plan {
        let mut scheduler = Scheduler::new(fleet, self);
        let requests = workload.requests();
        let mut bindings = Vec::new();
        let mut rejected = Vec::new();
        let order = order(self.order, scheduler.ledger().space(), requests);
        for index in &order {
            batch::place_all(
                &mut scheduler,
                *index,
                &requests[*index],
                &mut bindings,
                &mut rejected,
            );
        }
        batch::retry_company(&mut scheduler, &order, requests, &mut bindings, &mut rejected);
        rejected.sort_by_key(|entry: &Rejected| (entry.request, entry.replica));
        Plan::new(
            fleet,
            workload,
            bindings,
            rejected,
            bound::of_workload(fleet, workload),
        )
    }

    /// Places a catalogue: each replica in the most valuable variant that still fits.
    ///
    /// The plan refers to the requests of [`Catalogue::workload`]; a replica of which no variant fits is rejected with the
    /// reason of its last variant.
    #[must_use]
    pub fn plan_catalogue(&self, fleet: &Fleet, catalogue: &Catalogue) -> Plan {
        let mut scheduler = Scheduler::new(fleet, self);
        let wanted = catalogue.replica_variants();
        let requests = catalogue.workload().requests();
        let mut bindings = Vec::new();
        let mut rejected = Vec::new();
        // Each replica stands for its most valuable variant in the order.
        let leaders: Vec<Request> = wanted
            .iter()
            .map(|replica| requests[replica.variants[0]].clone().with_replicas(1))
            .collect();
        for index in order(self.order, scheduler.ledger().space(), &leaders) {
            place_first(
                &mut scheduler,
                requests,
                &wanted[index],
                &mut bindings,
                &mut rejected,
            );
        }
        rejected.sort_by_key(|entry: &Rejected| (entry.request, entry.replica));
        Plan::new(
            fleet,
            catalogue.workload(),
            bindings,
            rejected,
            bound::of_catalogue(fleet, catalogue),
        )
    }
}

/// One replica of a model: its number and its variants as requests, most valuable first.
pub(crate) struct ReplicaVariants {
    pub(crate) replica: u32,
    pub(crate) variants: Vec<usize>,
}

impl Catalogue {
    pub(crate) fn replica_variants(&self) -> Vec<ReplicaVariants> {
        let requests = self.workload().requests();
        let mut first = 0;
        let mut wanted = Vec::new();
        for model in self.models() {
            let mut variants: Vec<usize> = (first..first + model.variants().len()).collect();
            variants.sort_by_key(|i| std::cmp::Reverse(requests[*i].value()));
            first += variants.len();
            wanted.extend((0..model.replicas()).map(|replica| ReplicaVariants {
                replica,
                variants: variants.clone(),
            }));
        }
        wanted
    }
}

/// Binds the first variant that fits.
pub(crate) fn place_first<S: Score>(
    scheduler: &mut Scheduler<S>,
    requests: &[Request],
    wanted: &ReplicaVariants,
    bindings: &mut Vec<Binding>,
    rejected: &mut Vec<Rejected>,
) {
    let mut last = None;
    for variant in &wanted.variants {
        let party = scheduler.ledger_mut().party(&requests[*variant]);
        match scheduler.bind_best(party, |_| true) {
            Some(placed) => {
                bindings.push(Binding {
                    request: *variant,
                    replica: wanted.replica,
                    node: placed.node,
                    devices: placed.devices,
                });
                return;
            }
            None => {
                last = Some(*variant);
                scheduler.ledger_mut().forget(party);
            }
        }
    }
    if let Some(request) = last
        && let Some(answer) = scheduler.why_not(&requests[request])
    {
        rejected.push(Rejected {
            request,
            replica: wanted.replica,
            reason: answer.reason,
            change: answer.change,
        });
    }
}

/// The order in which the requests are placed.
fn order(order: Order, space: &Space, requests: &[Request]) -> Vec<usize> {
    let mut indices: Vec<usize> = (0..requests.len()).collect();
    let size: Vec<u64> = match order {
        Order::AsGiven | Order::WholeFirst => Vec::new(),
        _ => sizes(space, requests),
    };
    let whole = |i: usize| {
        let devices = requests[i].devices();
        let devices = devices.filter(|devices| devices.milli() == Milli::WHOLE);
        devices.map_or(0, DeviceDemand::count)
    };
    indices.sort_by(|a, b| {
        let by_priority = requests[*b].priority().cmp(&requests[*a].priority());
        by_priority.then_with(|| match order {
            Order::AsGiven => std::cmp::Ordering::Equal,
            Order::ByValue => {
                let by_value = requests[*b].value().cmp(&requests[*a].value());
                by_value.then(size[*a].cmp(&size[*b]))
            }
            Order::WholeFirst => whole(*b).cmp(&whole(*a)),
            Order::Decreasing => size[*b].cmp(&size[*a]),
            Order::ByDensity => {
                let density =
                    |i: usize, other: usize| u128::from(requests[i].value()) * u128::from(size[other]);
                // What has no size has no density: it comes first.
                let sized = |i: usize| size[i] > 0;
                sized(*a)
                    .cmp(&sized(*b))
                    .then_with(|| density(*b, *a).cmp(&density(*a, *b)))
            }
        })
    });
    indices
}

/// The size of each request: need over total, summed over the resources, in 10⁻¹² parts.
pub(crate) fn sizes(space: &Space, requests: &[Request]) -> Vec<u64> {
    let totals = Totals::new(space);
    requests
        .iter()
        .map(|request| totals.size(space, request))
        .collect()
}

/// The totals of a fleet, to compare sizes across resources.
struct Totals {
    node: Vec<u128>,
    device: Vec<u128>,
}

impl Totals {
    fn new(space: &Space) -> Self {
        let mut node = vec![0_u128; space.node_dims()];
        let mut device = vec![0_u128; space.device_dims()];
        for class in &space.classes {
            let (own, cells) = class.full[1..space.devices_end].split_at(space.node_dims());
            for (total, amount) in node.iter_mut().zip(own) {
                *total += u128::from(*amount) * u128::from(class.nodes);
            }
            for cell in cells.chunks_exact(space.device_dims()) {
                for (total, amount) in device.iter_mut().zip(cell) {
                    *total += u128::from(*amount) * u128::from(class.nodes);
                }
            }
        }
        Self { node, device }
    }

    /// The sum of need over total, in 10⁻¹² parts.
    fn size(&self, space: &Space, request: &Request) -> u64 {
        let demand = space.demand(request);
        let part = |need: u64, times: u32, total: u128| {
            let parts = u128::from(need) * u128::from(times) * 1_000_000_000_000;
            parts.checked_div(total).unwrap_or(0)
        };
        let node: u128 = demand
            .node
            .iter()
            .zip(&self.node)
            .map(|(need, total)| part(*need, 1, *total))
            .sum();
        let device: u128 = demand
            .device
            .iter()
            .zip(&self.device)
            .map(|(need, total)| part(*need, demand.count, *total))
            .sum();
        u64::try_from(node + device).unwrap_or(u64::MAX)
    }
}
