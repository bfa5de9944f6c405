//! Which nodes the constraints of a request let through, given who is where.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rustc_hash::FxBuildHasher;

use crate::constraint::{Constraint, HOSTNAME, Selector, TAINTS};
use crate::fleet::Fleet;
use crate::ledger::Ledger;
use crate::reject::Blocker;
use crate::workload::Request;

/// The labels of the nodes, by position.
#[derive(Clone, Debug, Default)]
pub(crate) struct Topology {
    labels: BTreeMap<String, Labels>,
}

#[derive(Clone, Debug, Default)]
struct Labels {
    /// The value of each node; `NONE` where the node has no such label.
    of: Vec<u32>,
    values: BTreeMap<String, u32>,
}

/// No domain.
pub(crate) const NONE: u32 = u32::MAX;

impl Topology {
    pub(crate) fn new(fleet: &Fleet) -> Self {
        let mut labels: BTreeMap<String, Labels> = BTreeMap::new();
        for (i, node) in fleet.nodes().iter().enumerate() {
            for (key, value) in node.labels() {
                let label = match labels.get_mut(key) {
                    Some(label) => label,
                    None => labels.entry(key.clone()).or_default(),
                };
                label.of.resize(fleet.nodes().len(), NONE);
                let next = label.values.len() as u32;
                let at = match label.values.get(value) {
                    Some(at) => *at,
                    None => *label.values.entry(value.clone()).or_insert(next),
                };
                label.of[i] = at;
            }
        }
        Self { labels }
    }

    /// The domain of a node.
    pub(crate) fn domain(&self, key: &str, node: u32) -> u32 {
        if key == HOSTNAME {
            return node;
        }
        self.labels.get(key).map_or(NONE, |label| label.of[node as usize])
    }

    /// The taints of nodes with sets of taints other than these, without those that are in one of these.
    fn untolerated(&self, tolerated: &[String]) -> Vec<String> {
        let sets = self
            .labels
            .get(TAINTS)
            .into_iter()
            .flat_map(|label| label.values.keys());
        let taints = sets
            .filter(|set| !tolerated.contains(set))
            .flat_map(|set| set.split(','));
        let known = |taint: &&str| {
            tolerated
                .iter()
                .any(|set| set.split(',').any(|known| known == *taint))
        };
        let taints: BTreeSet<&str> = taints.filter(|taint| !known(taint)).collect();
        taints.into_iter().map(str::to_owned).collect()
    }

    /// Whether one of these nodes has a taint.
    pub(crate) fn tainted(&self, taint: &str, nodes: &[usize]) -> bool {
        self.labels.get(TAINTS).is_some_and(|label| {
            let sets = label.values.iter();
            let with: Vec<u32> = sets
                .filter(|(set, _)| set.split(',').any(|one| one == taint))
                .map(|(_, at)| *at)
                .collect();
            nodes.iter().any(|node| with.contains(&label.of[*node]))
        })
    }

    fn has(&self, key: &str, values: &[String], node: u32) -> bool {
        let Some(label) = self.labels.get(key) else {
            return false;
        };
        let at = label.of[node as usize];
        at != NONE && values.iter().any(|value| label.values.get(value) == Some(&at))
    }
}

/// One rule with the nodes that it lets through.
pub(crate) struct Verdict {
    pub(crate) blocker: Blocker,
    pub(crate) allowed: Vec<bool>,
}

type Counts = HashMap<u32, u32, FxBuildHasher>;

/// How many replicas each domain holds of the requests that are asked for.
fn counts(ledger: &Ledger, key: &str, wanted: impl Fn(&Request) -> bool) -> Counts {
    let mut counts = Counts::default();
    for (request, nodes) in ledger.parties().bound() {
        if wanted(request) {
            for (node, count) in nodes {
                *counts
                    .entry(ledger.space().topology.domain(key, *node))
                    .or_insert(0) += count;
            }
        }
    }
    counts
}

/// What every rule about `request` says of every node; empty where there is no rule.
pub(crate) fn verdicts(ledger: &Ledger, request: &Request) -> Vec<Verdict> {
    let topology = &ledger.space().topology;
    let nodes = ledger.state_of().len() as u32;
    let mut verdicts = Vec::new();
    let mut judge = |blocker: Blocker, rule: &dyn Fn(u32) -> bool| {
        verdicts.push(Verdict {
            blocker,
            allowed: (0..nodes).map(rule).collect(),
        });
    };
    let labelled = |node: u32| {
        request.constraints().iter().all(|constraint| match constraint {
            Constraint::NodeLabel { key, values } => topology.has(key, values, node),
            _ => true,
        })
    };
    if let Some(most) = request.max_per_node() {
        let there = counts(ledger, HOSTNAME, |other| other.name() == request.name());
        judge(Blocker::MaxPerNode { most }, &|node| {
            there.get(&node).copied().unwrap_or(0) < most
        });
    }
    for constraint in request.constraints() {
        let blocker = match constraint {
            Constraint::NodeLabel { key, values } if key == TAINTS => Blocker::UntoleratedTaint {
                taints: topology.untolerated(values),
            },
            _ => Blocker::Constraint(constraint.clone()),
        };
        match constraint {
            Constraint::NodeLabel { key, values } => judge(blocker, &|node| topology.has(key, values, node)),
            Constraint::Together { with, domain } => {
                let there = counts(ledger, domain, |other| with.matches(other));
                let alone = there.is_empty() && with.matches(request);
                judge(blocker, &|node| {
                    let domain = topology.domain(domain, node);
                    domain != NONE && (alone || there.contains_key(&domain))
                });
            }
            Constraint::Apart { from, domain } => {
                let there = counts(ledger, domain, |other| from.matches(other));
                judge(blocker, &|node| {
                    let domain = topology.domain(domain, node);
                    domain != NONE && !there.contains_key(&domain)
                });
            }
            Constraint::Spread { of, domain, max_skew } => {
                let own = *of == Selector::default();
                let counted = |other: &Request| {
                    if own {
                        other.name() == request.name()
                    } else {
                        of.matches(other)
                    }
                };
                let itself = u32::from(counted(request));
                let there = counts(ledger, domain, counted);
                let at = |node| topology.domain(domain, node);
                let count = |domain| there.get(&domain).copied().unwrap_or(0);
                let domains = (0..nodes).filter(|node| labelled(*node)).map(at);
                let least = domains
                    .filter(|domain| *domain != NONE)
                    .map(count)
                    .min()
                    .unwrap_or(0);
                judge(blocker, &|node| {
                    let domain = at(node);
                    domain != NONE && count(domain) + itself <= least.saturating_add((*max_skew).max(1))
                });
            }
        }
    }
    for (guard, places) in ledger.parties().guards() {
        for constraint in guard.constraints() {
            let Constraint::Apart { from, domain } = constraint else {
                continue;
            };
            if !from.matches(request) {
                continue;
            }
            let taken: Counts = places
                .iter()
                .map(|(node, count)| (topology.domain(domain, *node), *count))
                .filter(|(domain, _)| *domain != NONE)
                .collect();
            let blocker = Blocker::KeptApart {
                by: guard.name().to_owned(),
                domain: domain.clone(),
            };
            judge(blocker, &|node| {
                !taken.contains_key(&topology.domain(domain, node))
            });
        }
    }
    verdicts
}

/// Whether no rule can speak about `request` now.
pub(crate) fn unruled(ledger: &Ledger, request: &Request) -> bool {
    let kept_apart = |(guard, _): (&Request, &[(u32, u32)])| {
        guard.constraints().iter().any(|constraint| match constraint {
            Constraint::Apart { from, .. } => from.matches(request),
            _ => false,
        })
    };
    request.max_per_node().is_none()
        && request.constraints().is_empty()
        && !ledger.parties().guards().any(kept_apart)
}

/// How often somebody who wants to be together with somebody is not, over requests and nodes.
pub(crate) fn company_missed(ledger: &Ledger) -> usize {
    let missed = |(request, places): (&Request, &[(u32, u32)])| -> usize {
        let of = |constraint: &Constraint| {
            let Constraint::Together { with, domain } = constraint else {
                return 0;
            };
            let there = counts(ledger, domain, |other| with.matches(other));
            let topology = &ledger.space().topology;
            let alone = |node: &u32| !there.contains_key(&topology.domain(domain, *node));
            places.iter().filter(|(node, _)| alone(node)).count()
        };
        request.constraints().iter().map(of).sum()
    };
    ledger.parties().bound().map(missed).sum()
}
