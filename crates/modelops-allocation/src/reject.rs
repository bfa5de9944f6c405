//! Why something did not fit: the smallest true reason.

use std::fmt;

use crate::constraint::Constraint;

/// The name under which the number of devices is reported that have enough left of all that is asked of one.
pub(crate) const DEVICES: &str = "devices";

/// A rule about places that rejects a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocker {
    /// The node has its maximum of replicas of the request.
    MaxPerNode {
        /// The most replicas on one node.
        most: u32,
    },
    /// A constraint of the request.
    Constraint(Constraint),
    /// The node has a taint that the pod does not tolerate.
    UntoleratedTaint {
        /// Such taints, as `kubectl describe node` writes them: `key=value:effect`.
        taints: Vec<String>,
    },
    /// A request that is bound wants to be apart from this one.
    KeptApart {
        /// The name of that request.
        by: String,
        /// The label that makes its domains.
        domain: String,
    },
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxPerNode { most } => write!(f, "at most {most} on one node"),
            Self::Constraint(constraint) => constraint.fmt(f),
            Self::UntoleratedTaint { taints } => write!(f, "untolerated taint {}", taints.join(" or ")),
            Self::KeptApart { by, domain } => write!(f, "kept apart by {by} by {domain}"),
        }
    }
}

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
    /// Every node on which it would fit has a taint that the pod does not tolerate.
    UntoleratedTaint {
        /// Such taints, as `kubectl describe node` writes them: `key=value:effect`.
        taints: Vec<String>,
    },
    /// It would fit, but wherever it does one of these rules forbids it; none of them is superfluous.
    AffinityConflict {
        /// The rules.
        blockers: Vec<Blocker>,
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
            Self::UntoleratedTaint { .. } => "UntoleratedTaint",
            Self::AffinityConflict { .. } => "AffinityConflict",
            Self::GangIncomplete { .. } => "GangIncomplete",
            Self::OutOfBudget { .. } => "OutOfBudget",
        }
    }
}

impl Rejection {
    /// The words where whole devices are counted: there may be free parts of others, none of them enough.
    fn devices(&self) -> Option<String> {
        let plural = |n: u64| if n == 1 { "device" } else { "devices" };
        match self {
            Self::ExceedsEveryNode {
                resource,
                requested,
                largest,
            } if resource == DEVICES => Some(format!(
                "needs {requested} {} on one node, the largest has {largest} that could do even when empty",
                plural(*requested)
            )),
            Self::Insufficient {
                resource,
                requested,
                total_free: 0,
                ..
            } if resource == DEVICES => Some(format!(
                "needs {requested} {} with enough left, and on none is enough left",
                plural(*requested)
            )),
            Self::Insufficient {
                resource,
                requested,
                largest_free,
                total_free,
            }
            | Self::Fragmented {
                resource,
                requested,
                largest_free,
                total_free,
            } if resource == DEVICES => Some(format!(
                "needs {requested} {} with enough left on one node, there are {total_free} in all and {largest_free} on the best node",
                plural(*requested)
            )),
            _ => None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = self.devices() {
            return f.write_str(&text);
        }
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
            Self::UntoleratedTaint { taints } => {
                write!(
                    f,
                    "every node where it fits has an untolerated taint: {}",
                    taints.join(" or ")
                )
            }
            Self::AffinityConflict { blockers } => {
                write!(f, "it would fit, but never within ")?;
                for (i, blocker) in blockers.iter().enumerate() {
                    write!(f, "{}{blocker}", if i > 0 { " and " } else { "" })?;
                }
                Ok(())
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
