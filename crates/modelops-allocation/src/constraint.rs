//! Where a replica may go beside what it needs: labels of nodes, and who else is there.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The label under which every node is a domain of its own, whether or not nodes carry it.
pub const HOSTNAME: &str = "kubernetes.io/hostname";

/// A label of our own under which a node keeps its taints, so that tolerating them is a rule about a label.
pub(crate) const TAINTS: &str = "modelops/taints";

/// Chooses replicas by their labels: those whose request has every one of these. An empty selector chooses none.
///
/// # Example
/// ```
/// use modelops_allocation::{Request, Selector};
/// let chat = Request::new("chat").with_label("app", "chat").with_label("tier", "gold");
/// assert!(Selector::new([("app", "chat")]).matches(&chat));
/// assert!(!Selector::new([("app", "search")]).matches(&chat));
/// assert!(!Selector::default().matches(&chat));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Selector(BTreeMap<String, String>);

impl Selector {
    /// The replicas that have all of these labels.
    #[must_use]
    pub fn new<K: Into<String>, V: Into<String>>(labels: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(labels.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// Whether the replicas of `request` are chosen.
    #[must_use]
    pub fn matches(&self, request: &crate::Request) -> bool {
        !self.0.is_empty()
            && self
                .0
                .iter()
                .all(|(key, value)| request.labels().get(key) == Some(value))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels, in the order of their keys.
    #[must_use]
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, value)) in self.0.iter().enumerate() {
            write!(f, "{}{key}={value}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

/// A rule that a place must meet when a replica is bound to it, as Kubernetes' required scheduling terms are.
///
/// A domain is all nodes with the same value of one label; a node without the label is in none, and a rule about domains lets no
/// replica go there. [`HOSTNAME`] makes every node a domain. What is bound later by others is not held against a rule, save that
/// [`Constraint::Apart`] works both ways: a replica also stays away from those that want to be apart from it.
///
/// In a file: `node_label: {key: pool, values: [gpu]}`, `together: {with: {app: cache}, domain: zone}`,
/// `apart: {from: {app: chat}, domain: kubernetes.io/hostname}`, `spread: {domain: zone, max_skew: 1}`.
///
/// # Example
/// ```
/// use modelops_allocation::{score::FirstFit, Constraint, Fleet, Greedy, Node, Request, Resources, Selector, Workload};
/// let node = |name: &str, zone: &str| Node::new(name, Resources::new().with("cpu", 9)).with_label("zone", zone);
/// let fleet = Fleet::try_new(vec![node("a", "1"), node("b", "1"), node("c", "2")])?;
/// let spread = Request::new("chat").with_resource("cpu", 2).with_replicas(4)
///     .with_constraint(Constraint::Spread { of: Selector::default(), domain: "zone".into(), max_skew: 1 });
/// let plan = Greedy::new(FirstFit).plan(&fleet, &Workload::try_new(vec![spread])?);
/// let nodes: Vec<usize> = plan.bindings().iter().map(|binding| binding.node).collect();
/// assert_eq!(nodes, [0, 2, 0, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("affinity", "anti_affinity", "topology_spread"))]
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Constraint {
    /// The node has this label with one of these values.
    NodeLabel {
        /// Its key.
        key: String,
        /// The values that will do.
        values: Vec<String>,
    },
    /// The domain holds a replica that is chosen. Where none is bound anywhere and the replica is chosen itself, every domain will do.
    Together {
        /// Whom to be with.
        with: Selector,
        /// The label that makes domains.
        domain: String,
    },
    /// The domain holds no replica that is chosen, other than this one.
    Apart {
        /// Whom to stay away from.
        from: Selector,
        /// The label that makes domains.
        domain: String,
    },
    /// The domain holds at most `max_skew` chosen replicas more than the emptiest domain that the node labels of the request allow.
    Spread {
        /// Whom to count; the default counts the replicas of this request.
        #[serde(default, skip_serializing_if = "Selector::is_empty")]
        of: Selector,
        /// The label that makes domains.
        domain: String,
        /// The largest difference; 0 is taken as 1.
        max_skew: u32,
    },
}

impl Constraint {
    /// The label whose values are the domains; `None` for [`Constraint::NodeLabel`].
    #[must_use]
    pub fn domain(&self) -> Option<&str> {
        match self {
            Self::NodeLabel { .. } => None,
            Self::Together { domain, .. } | Self::Apart { domain, .. } | Self::Spread { domain, .. } => {
                Some(domain)
            }
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeLabel { key, values } => write!(f, "node label {key}={}", values.join("|")),
            Self::Together { with, domain } => write!(f, "together with {with} by {domain}"),
            Self::Apart { from, domain } => write!(f, "apart from {from} by {domain}"),
            Self::Spread { domain, max_skew, .. } => write!(f, "spread by {domain} within {max_skew}"),
        }
    }
}
