//! Why something did not fit: the smallest true reason.

use std::fmt;

use crate::kernel::fit;
use crate::ledger::Ledger;
use crate::space::Demand;

/// Why a replica was not placed.
///
/// The named blocker holds on every node: take it away (a larger capacity, a smaller demand) and the next check decides.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rejection {
    /// The fleet has no node.
    NoNodes,
    /// No node has a device of an accepted kind, or none has a device at all where no kind is named.
    NoMatchingDevice {
        /// The kinds that the request accepts.
        kinds: Vec<String>,
    },
    /// Even an empty fleet has no node with enough: it can never fit.
    ExceedsEveryNode {
        /// The resource; `devices` for the number of devices on one node.
        resource: String,
        /// What one replica needs on one node, or on one device.
        requested: u64,
        /// The most that an empty node or device has.
        largest: u64,
    },
    /// Every single need is met by some empty node, but no empty node meets these together: it can never fit.
    ExceedsTogether {
        /// The resources that clash, none of them superfluous.
        resources: Vec<String>,
    },
    /// The fleet as a whole has not enough left.
    Insufficient {
        /// The resource that is short.
        resource: String,
        /// What one replica needs.
        requested: u64,
        /// The most that one node has left.
        largest_free: u64,
        /// What all nodes have left together.
        total_free: u64,
    },
    /// Enough is left in all, but not in one place.
    Fragmented {
        /// The resource that is scattered.
        resource: String,
        /// What one replica needs in one place.
        requested: u64,
        /// The most that one place has left.
        largest_free: u64,
        /// What all nodes have left together.
        total_free: u64,
    },
    /// Each of these is free somewhere, but never all on one node.
    Scattered {
        /// The resources that are never free together, none of them superfluous.
        resources: Vec<String>,
    },
    /// Every node on which it would fit has its maximum of replicas.
    MaxPerNode {
        /// The most replicas on one node.
        most: u32,
    },
    /// A gang of which not every replica could be placed, so that none was.
    GangIncomplete {
        /// How many would have fitted.
        placed: u32,
        /// How many are wanted.
        wanted: u32,
        /// Why the next one did not fit.
        blocker: Box<Rejection>,
    },
    /// The exact choice left it out: within the budget the others are worth more.
    OutOfBudget {
        /// The resource whose budget is spent.
        resource: String,
        /// How much of it there is.
        budget: u64,
    },
}

impl Rejection {
    /// A short token for counting, in the manner of Kubernetes conditions.
    #[must_use]
    pub fn token(&self) -> &'static str {
        match self {
            Self::NoNodes => "NoNodes",
            Self::NoMatchingDevice { .. } => "NoMatchingDevice",
            Self::ExceedsEveryNode { .. } => "ExceedsEveryNode",
            Self::ExceedsTogether { .. } => "ExceedsTogether",
            Self::Insufficient { .. } => "Insufficient",
            Self::Fragmented { .. } => "Fragmented",
            Self::Scattered { .. } => "Scattered",
            Self::MaxPerNode { .. } => "MaxPerNode",
            Self::GangIncomplete { .. } => "GangIncomplete",
            Self::OutOfBudget { .. } => "OutOfBudget",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNodes => write!(f, "the fleet has no node"),
            Self::NoMatchingDevice { kinds } if kinds.is_empty() => write!(f, "no node has a device"),
            Self::NoMatchingDevice { kinds } => {
                write!(f, "no node has a device of kind {}", kinds.join(" or "))
            }
            Self::ExceedsEveryNode {
                resource,
                requested,
                largest,
            } => {
                write!(
                    f,
                    "needs {requested} of {resource}, the largest has {largest} even when empty"
                )
            }
            Self::ExceedsTogether { resources } => {
                write!(f, "no node, even empty, has {} together", resources.join(" and "))
            }
            Self::Insufficient {
                resource,
                requested,
                largest_free,
                total_free,
            } => write!(
                f,
                "needs {requested} of {resource}, {total_free} left in all ({largest_free} in one place)"
            ),
            Self::Fragmented {
                resource,
                requested,
                largest_free,
                total_free,
            } => write!(
                f,
                "needs {requested} of {resource} in one place, {total_free} left in all but {largest_free} in the best place"
            ),
            Self::Scattered { resources } => {
                write!(f, "no node has {} left together", resources.join(" and "))
            }
            Self::MaxPerNode { most } => {
                write!(f, "every node where it fits has its {most} replicas already")
            }
            Self::GangIncomplete {
                placed,
                wanted,
                blocker,
            } => {
                write!(f, "only {placed} of {wanted} would fit: {blocker}")
            }
            Self::OutOfBudget { resource, budget } => {
                write!(f, "the {budget} of {resource} are worth more with the others")
            }
        }
    }
}

impl std::error::Error for Rejection {}

/// One need of a demand that a node may or may not meet.
struct Need {
    name: String,
    requested: u64,
}

/// Which needs each place meets, and how far the best place goes.
struct Survey {
    needs: Vec<Need>,
    /// Bit i: need i is met.
    met: Vec<u128>,
    largest: Vec<u64>,
    total: Vec<u128>,
}

/// The smallest true reason why `demand` fits on no node; meaningless where it fits.
pub(crate) fn explain(ledger: &Ledger, demand: &Demand) -> Rejection {
    let space = ledger.space();
    if space.classes.is_empty() {
        return Rejection::NoNodes;
    }
    if demand.count > 0 && demand.allowed.iter().all(|mask| *mask == 0) {
        return Rejection::NoMatchingDevice {
            kinds: demand.kinds.clone(),
        };
    }
    if let Some((resource, requested)) = &demand.missing {
        return Rejection::ExceedsEveryNode {
            resource: resource.clone(),
            requested: *requested,
            largest: 0,
        };
    }
    let empty = survey(
        ledger,
        demand,
        space.classes.iter().map(|class| (&class.full[..], class.nodes)),
    );
    if let Some(blocked) = empty.single() {
        let need = &empty.needs[blocked];
        return Rejection::ExceedsEveryNode {
            resource: need.name.clone(),
            requested: need.requested,
            largest: empty.largest[blocked],
        };
    }
    if let Some(resources) = empty.together() {
        return Rejection::ExceedsTogether { resources };
    }
    let states = ledger.states();
    let rows = states
        .live()
        .map(|state| (states.row(state), u64::from(states.members(state))));
    let now = survey(ledger, demand, rows);
    if let Some(blocked) = now.single() {
        let need = &now.needs[blocked];
        let (resource, requested) = (need.name.clone(), need.requested);
        let largest_free = now.largest[blocked];
        let total_free = u64::try_from(now.total[blocked]).unwrap_or(u64::MAX);
        return if total_free < requested {
            Rejection::Insufficient {
                resource,
                requested,
                largest_free,
                total_free,
            }
        } else {
            Rejection::Fragmented {
                resource,
                requested,
                largest_free,
                total_free,
            }
        };
    }
    Rejection::Scattered {
        resources: now.together().unwrap_or_default(),
    }
}

/// The needs: every node resource, every resource on one device, and enough devices that have all of those.
fn survey<'a>(ledger: &Ledger, demand: &Demand, rows: impl Iterator<Item = (&'a [u64], u64)>) -> Survey {
    let space = ledger.space();
    let mut needs: Vec<Need> = Vec::new();
    let mut at_node = Vec::new();
    for (i, name) in space.node_resources.iter().enumerate() {
        if demand.node[i] > 0 {
            at_node.push(i);
            needs.push(Need {
                name: name.clone(),
                requested: demand.node[i],
            });
        }
    }
    let mut at_device = Vec::new();
    if demand.count > 0 {
        for (i, name) in space.device_resources.iter().enumerate() {
            if demand.device[i] > 0 {
                at_device.push(i);
                needs.push(Need {
                    name: name.clone(),
                    requested: demand.device[i],
                });
            }
        }
        needs.push(Need {
            name: "devices".to_owned(),
            requested: u64::from(demand.count),
        });
    }
    let mut survey = Survey {
        met: Vec::new(),
        largest: vec![0; needs.len()],
        total: vec![0; needs.len()],
        needs,
    };
    let width = space.device_dims();
    for (row, times) in rows {
        let mut met = 0_u128;
        let mut note = |need: usize, best: u64, sum: u128, requested: u64| {
            survey.largest[need] = survey.largest[need].max(best);
            survey.total[need] += sum * u128::from(times);
            met |= u128::from(best >= requested) << need;
        };
        for (need, i) in at_node.iter().enumerate() {
            note(need, row[1 + i], u128::from(row[1 + i]), demand.node[*i]);
        }
        if demand.count > 0 {
            let allowed = demand.allowed[row[0] as usize];
            let cells = row[1 + space.node_dims()..space.devices_end].chunks_exact(width);
            for (k, i) in at_device.iter().enumerate() {
                let (mut best, mut sum) = (0, 0_u128);
                for (device, cell) in cells.clone().enumerate() {
                    if allowed >> device & 1 == 1 {
                        best = best.max(cell[*i]);
                        sum += u128::from(cell[*i]);
                    }
                }
                note(at_node.len() + k, best, sum, demand.device[*i]);
            }
            let fitting = u64::from(fit::fitting(space, row, demand).count_ones());
            note(
                at_node.len() + at_device.len(),
                fitting,
                u128::from(fitting),
                u64::from(demand.count),
            );
        }
        survey.met.push(met);
    }
    survey
}

impl Survey {
    /// The first need that no place meets.
    fn single(&self) -> Option<usize> {
        let somewhere = self.met.iter().fold(0_u128, |all, met| all | met);
        (0..self.needs.len()).find(|need| somewhere >> need & 1 == 0)
    }

    /// Needs that no place meets together, none of them superfluous; `None` where some place meets all.
    fn together(&self) -> Option<Vec<String>> {
        let mut blocked = (1_u128 << self.needs.len()) - 1;
        let clash = |set: u128| self.met.iter().all(|met| met & set != set);
        if !clash(blocked) {
            return None;
        }
        for need in 0..self.needs.len() {
            let without = blocked & !(1 << need);
            if clash(without) {
                blocked = without;
            }
        }
        let names = (0..self.needs.len()).filter(|need| blocked >> need & 1 == 1);
        Some(names.map(|need| self.needs[need].name.clone()).collect())
    }
}
