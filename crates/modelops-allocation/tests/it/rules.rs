//! Labels, company, distance, spread, and room for what is more important; judged by name, without the kernels.

use std::collections::{BTreeMap, BTreeSet};

use modelops_allocation::score::{BestFit, FirstFit, WorstFit};
use modelops_allocation::{
    Blocker, Change, Constraint, Device, DeviceDemand, Fleet, Greedy, HOSTNAME, Milli, Node, Rejection,
    Request, Resources, Scheduler, Selector, Workload,
};
use proptest::prelude::*;

use crate::check::check;

/// A replica and its node.
type Placed<'a> = (&'a Request, usize);

fn domain<'a>(fleet: &'a Fleet, key: &str, node: usize) -> Option<&'a str> {
    let node = &fleet.nodes()[node];
    if key == HOSTNAME {
        return Some(node.name());
    }
    node.labels().get(key).map(String::as_str)
}

/// How many chosen replicas the domain of this value holds.
fn counted(
    fleet: &Fleet,
    others: &[Placed<'_>],
    request: &Request,
    of: &Selector,
    key: &str,
    value: Option<&str>,
) -> u32 {
    let chosen = others.iter().filter(|(other, _)| {
        if of == &Selector::default() {
            other.name() == request.name()
        } else {
            of.matches(other)
        }
    });
    chosen.filter(|(_, at)| domain(fleet, key, *at) == value).count() as u32
}

/// Whether one more replica may go to `node`, with `others` there already.
fn may_go(fleet: &Fleet, others: &[Placed<'_>], request: &Request, node: usize) -> bool {
    let matching = |selector: &Selector, key: &str| -> BTreeSet<Option<&str>> {
        let chosen = others.iter().filter(|(other, _)| selector.matches(other));
        chosen.map(|(_, at)| domain(fleet, key, *at)).collect()
    };
    let own = |key: &str, value: Option<&str>| {
        let same = others.iter().filter(|(other, _)| other.name() == request.name());
        same.filter(|(_, at)| domain(fleet, key, *at) == value).count()
    };
    let labelled = |node: usize| {
        request.constraints().iter().all(|constraint| match constraint {
            Constraint::NodeLabel { key, values } => fleet.nodes()[node]
                .labels()
                .get(key)
                .is_some_and(|value| values.contains(value)),
            _ => true,
        })
    };
    let constraints = request.constraints().iter().all(|constraint| match constraint {
        Constraint::NodeLabel { .. } => labelled(node),
        Constraint::Together { with, domain: key } => {
            let there = matching(with, key);
            let at = domain(fleet, key, node);
            at.is_some() && (there.contains(&at) || there.is_empty() && with.matches(request))
        }
        Constraint::Apart { from, domain: key } => {
            let at = domain(fleet, key, node);
            at.is_some() && !matching(from, key).contains(&at)
        }
        Constraint::Spread {
            of,
            domain: key,
            max_skew,
        } => {
            let values: BTreeSet<&str> = (0..fleet.nodes().len())
                .filter(|n| labelled(*n))
                .filter_map(|n| domain(fleet, key, n))
                .collect();
            let count = |value: Option<&str>| counted(fleet, others, request, of, key, value);
            let least = values.iter().map(|value| count(Some(value))).min().unwrap_or(0);
            let itself = u32::from(of == &Selector::default() || of.matches(request));
            let at = domain(fleet, key, node);
            at.is_some() && count(at) + itself <= least + (*max_skew).max(1)
        }
        other => panic!("no rule here for {other}"),
    });
    let kept_apart = others.iter().any(|(other, at)| {
        other.constraints().iter().any(|constraint| match constraint {
            Constraint::Apart { from, domain: key } if from.matches(request) => {
                domain(fleet, key, *at).is_some() && domain(fleet, key, *at) == domain(fleet, key, node)
            }
            _ => false,
        })
    });
    let most = request.max_per_node().map_or(usize::MAX, |most| most as usize);
    constraints && !kept_apart && own(HOSTNAME, Some(fleet.nodes()[node].name())) < most
}

fn cpu(n: u64) -> Resources {
    Resources::new().with("cpu", n)
}

/// Nodes with cpu alone, some with a zone and a pool.
fn fleets() -> impl Strategy<Value = Fleet> {
    let node = (2..9_u64, prop::option::weighted(0.9, 0..3_u8), prop::bool::ANY);
    prop::collection::vec(node, 0..5).prop_map(|nodes| {
        let nodes = nodes.into_iter().enumerate().map(|(i, (size, zone, pool))| {
            let mut node = Node::new(format!("n{i}"), cpu(size));
            if let Some(zone) = zone {
                node = node.with_label("zone", format!("z{zone}"));
            }
            if pool {
                node.with_label("pool", "fast")
            } else {
                node
            }
        });
        Fleet::try_new(nodes.collect()).unwrap()
    })
}

fn constraint() -> impl Strategy<Value = Constraint> {
    let domain = prop_oneof![Just("zone".to_owned()), Just(HOSTNAME.to_owned())];
    (0..4_u8, domain, prop::sample::select(vec!["a", "b"]), 1..3_u32).prop_map(|(kind, domain, app, skew)| {
        let selector = Selector::new([("app", app)]);
        match kind {
            0 => Constraint::NodeLabel {
                key: "pool".into(),
                values: vec!["fast".into()],
            },
            1 => Constraint::Together {
                with: selector,
                domain,
            },
            2 => Constraint::Apart {
                from: selector,
                domain,
            },
            _ => Constraint::Spread {
                of: if skew == 1 { selector } else { Selector::default() },
                domain,
                max_skew: skew,
            },
        }
    })
}

fn workloads(gangs: f64) -> impl Strategy<Value = Workload> {
    let request = (
        1..4_u32,
        0..5_u64,
        prop::sample::select(vec!["a", "b", "c"]),
        prop::collection::vec(constraint(), 0..3),
        prop::option::weighted(0.2, 1..3_u32),
        (prop::bool::weighted(gangs), 0..3_i32, 0..9_u64, 0..3_u64),
    );
    prop::collection::vec(request, 0..6).prop_map(|requests| {
        let requests = requests.into_iter().enumerate();
        let requests = requests.map(|(i, (replicas, size, app, constraints, most, rest))| {
            let (gang, priority, value, move_cost) = rest;
            let mut request = Request::new(format!("r{i}"))
                .with_replicas(replicas)
                .with_resource("cpu", size)
                .with_label("app", app)
                .with_gang(gang)
                .with_priority(priority)
                .with_value(value)
                .with_move_cost(move_cost);
            if let Some(most) = most {
                request = request.with_max_per_node(most);
            }
            constraints.into_iter().fold(request, Request::with_constraint)
        });
        Workload::try_new(requests.collect()).unwrap()
    })
}

proptest! {
    /// Every binding kept the rules when it was made, and nothing that was left out could still be bound.
    #[test]
    fn rules_are_kept(fleet in fleets(), work in workloads(0.3)) {
        for plan in [
            Greedy::new(FirstFit).plan(&fleet, &work),
            Greedy::new(WorstFit).plan(&fleet, &work),
            Greedy::new(BestFit::default()).plan(&fleet, &work),
        ] {
            check(&fleet, &work, &plan);
            let mut placed: Vec<Placed<'_>> = Vec::new();
            for binding in plan.bindings() {
                let request = &work.requests()[binding.request];
                prop_assert!(may_go(&fleet, &placed, request, binding.node), "{} on {}", request.name(), binding.node);
                placed.push((request, binding.node));
            }
            for rejected in plan.rejected() {
                let request = &work.requests()[rejected.request];
                if request.gang() {
                    continue;
                }
                for (i, node) in fleet.nodes().iter().enumerate() {
                    let used: u64 = placed.iter().filter(|(_, at)| *at == i).map(|(r, _)| r.resources().amount("cpu")).sum();
                    let fits = node.resources().amount("cpu") >= used + request.resources().amount("cpu");
                    prop_assert!(!(fits && may_go(&fleet, &placed, request, i)), "{} fits on {i}", request.name());
                }
            }
        }
    }

    /// What a rejection for rules names is needed and enough: each named rule forbids some place where it fits, all places are forbidden.
    #[test]
    fn named_rules_are_true(fleet in fleets(), work in workloads(0.0)) {
        let mut scheduler = Scheduler::new(&fleet, &Greedy::new(WorstFit));
        let mut placed: Vec<Placed<'_>> = Vec::new();
        for request in work.requests() {
            match scheduler.place(request) {
                Ok(at) => placed.push((request, at.node)),
                Err(reason) => {
                    let answer = scheduler.why_not(request).unwrap();
                    prop_assert_eq!(&answer.reason, &reason);
                    let fits: Vec<usize> = (0..fleet.nodes().len())
                        .filter(|i| scheduler.ledger().free(*i, "cpu") >= request.resources().amount("cpu"))
                        .collect();
                    let blockers = match reason {
                        Rejection::AffinityConflict { blockers } => blockers,
                        Rejection::MaxPerNode { most } => vec![Blocker::MaxPerNode { most }],
                        _ => {
                            prop_assert!(fits.is_empty());
                            continue;
                        }
                    };
                    prop_assert!(!fits.is_empty());
                    // With only the named rules every place is forbidden; with one fewer some place is not.
                    let allowed = |without: Option<usize>| {
                        let kept: Vec<&Blocker> = blockers.iter().enumerate().filter(|(i, _)| Some(*i) != without).map(|(_, b)| b).collect();
                        fits.iter().any(|node| kept.iter().all(|blocker| passes(&fleet, &placed, request, blocker, *node)))
                    };
                    prop_assert!(!allowed(None));
                    for (i, blocker) in blockers.iter().enumerate() {
                        prop_assert!(allowed(Some(i)), "{blocker} is superfluous");
                    }
                    let Change { node, waived, resources, .. } = answer.change.unwrap();
                    prop_assert!(resources.is_empty() && fits.contains(&node) && !waived.is_empty());
                    prop_assert!(waived.iter().all(|blocker| !passes(&fleet, &placed, request, blocker, node)));
                }
            }
        }
    }

    /// Preemption takes the cheapest set of victims that any node offers, and none where it can do without.
    #[test]
    fn preemption_costs_least(fleet in fleets(), work in workloads(0.0), size in 1..9_u64, rule in prop::option::weighted(0.5, constraint())) {
        let mut scheduler = Scheduler::new(&fleet, &Greedy::new(FirstFit));
        let mut placed = Vec::new();
        for request in work.requests() {
            if let Ok(at) = scheduler.place(request) {
                placed.push((at.ticket, request, at.node));
            }
        }
        let urgent = Request::new("urgent").with_resource("cpu", size).with_priority(2).with_label("app", "b");
        let urgent = rule.into_iter().fold(urgent, Request::with_constraint);
        let best = cheapest(&fleet, &placed, &urgent);
        let free: Vec<u64> = (0..fleet.nodes().len()).map(|i| scheduler.ledger().free(i, "cpu")).collect();
        match scheduler.preempt(&urgent) {
            Ok(done) => {
                prop_assert!(done.exact);
                prop_assert_eq!(Some(done.cost), best);
                let cost: u64 = done.victims.iter().map(|(_, r)| r.value() + r.move_cost()).sum();
                prop_assert_eq!(cost, done.cost);
                let gone: BTreeSet<_> = done.victims.iter().map(|(ticket, _)| *ticket).collect();
                let stay: Vec<Placed<'_>> = placed.iter().filter(|(t, ..)| !gone.contains(t)).map(|(_, r, at)| (*r, *at)).collect();
                prop_assert!(may_go(&fleet, &stay, &urgent, done.placement.node));
                prop_assert_eq!(scheduler.ledger().bound(), placed.len() + 1 - gone.len());
            }
            Err(_) => {
                prop_assert_eq!(best, None);
                let after: Vec<u64> = (0..fleet.nodes().len()).map(|i| scheduler.ledger().free(i, "cpu")).collect();
                prop_assert_eq!(free, after);
            }
        }
    }
}

/// Whether a node passes one rule.
fn passes(fleet: &Fleet, placed: &[Placed<'_>], request: &Request, blocker: &Blocker, node: usize) -> bool {
    // The request with this rule alone; node labels stay, because a spread counts the domains that they allow.
    let bare = |request: &Request| {
        let mut text = serde_json::to_value(request).unwrap();
        text["constraints"] = serde_json::json!([]);
        text["max_per_node"] = serde_json::Value::Null;
        serde_json::from_value::<Request>(text).unwrap()
    };
    let unguarded: Vec<Request> = placed.iter().map(|(other, _)| bare(other)).collect();
    let quiet: Vec<Placed<'_>> = unguarded
        .iter()
        .zip(placed)
        .map(|(r, (_, at))| (r, *at))
        .collect();
    match blocker {
        Blocker::MaxPerNode { most } => may_go(fleet, &quiet, &bare(request).with_max_per_node(*most), node),
        Blocker::Constraint(constraint @ Constraint::Spread { .. }) => {
            let labels = request
                .constraints()
                .iter()
                .filter(|c| matches!(c, Constraint::NodeLabel { .. }));
            let labelled = labels.cloned().fold(bare(request), Request::with_constraint);
            let ruled = labelled.clone().with_constraint(constraint.clone());
            // Where the labels themselves forbid the node, ask another way: how would the spread alone decide?
            may_go(fleet, &quiet, &ruled, node)
                || !may_go(fleet, &quiet, &labelled, node) && spread_alone(fleet, &quiet, &ruled, node)
        }
        Blocker::Constraint(constraint) => may_go(
            fleet,
            &quiet,
            &bare(request).with_constraint(constraint.clone()),
            node,
        ),
        Blocker::KeptApart { by, .. } => {
            let guards = placed.iter().filter(|(other, _)| other.name() == by);
            may_go(fleet, &guards.copied().collect::<Vec<_>>(), &bare(request), node)
        }
        other => panic!("no rule here for {other}"),
    }
}

/// A spread on a node that the node labels forbid.
fn spread_alone(fleet: &Fleet, placed: &[Placed<'_>], request: &Request, node: usize) -> bool {
    request.constraints().iter().all(|constraint| {
        let Constraint::Spread {
            of,
            domain: key,
            max_skew,
        } = constraint
        else {
            return true;
        };
        let own = |value: &str| counted(fleet, placed, request, of, key, Some(value));
        let itself = u32::from(of == &Selector::default() || of.matches(request));
        let wanted = |n: usize| {
            request.constraints().iter().all(|c| match c {
                Constraint::NodeLabel { key, values } => fleet.nodes()[n]
                    .labels()
                    .get(key)
                    .is_some_and(|value| values.contains(value)),
                _ => true,
            })
        };
        let values = (0..fleet.nodes().len())
            .filter(|n| wanted(*n))
            .filter_map(|n| domain(fleet, key, n));
        let least = values.map(own).min().unwrap_or(0);
        domain(fleet, key, node).is_some_and(|at| own(at) + itself <= least + (*max_skew).max(1))
    })
}

/// The least cost of victims of lower priority on one node, by every subset.
fn cheapest(
    fleet: &Fleet,
    placed: &[(modelops_allocation::Ticket, &Request, usize)],
    urgent: &Request,
) -> Option<u64> {
    let company = |stay: &[Placed<'_>]| -> usize {
        let missed = |(request, at): &Placed<'_>| {
            let rules = request.constraints().iter();
            let missed = rules.filter(|constraint| match constraint {
                Constraint::Together { with, domain: key } => !stay.iter().any(|(other, there)| {
                    with.matches(other) && domain(fleet, key, *there) == domain(fleet, key, *at)
                }),
                _ => false,
            });
            missed.count()
        };
        let nodes: BTreeMap<(&str, usize), usize> = stay
            .iter()
            .map(|place| ((place.0.name(), place.1), missed(place)))
            .collect();
        nodes.values().sum()
    };
    let all: Vec<Placed<'_>> = placed.iter().map(|(_, r, at)| (*r, *at)).collect();
    let before = company(&all);
    let mut best: Option<u64> = None;
    for node in 0..fleet.nodes().len() {
        let may_leave: Vec<usize> = (0..placed.len())
            .filter(|i| placed[*i].2 == node && placed[*i].1.priority() < urgent.priority())
            .collect();
        for set in 0..1_u32 << may_leave.len() {
            let gone = |i: usize| {
                may_leave
                    .iter()
                    .position(|v| *v == i)
                    .is_some_and(|bit| set >> bit & 1 == 1)
            };
            let cost = (0..placed.len())
                .filter(|i| gone(*i))
                .map(|i| placed[i].1.value() + placed[i].1.move_cost())
                .sum();
            let stay: Vec<Placed<'_>> = (0..placed.len()).filter(|i| !gone(*i)).map(|i| all[i]).collect();
            let used: u64 = stay
                .iter()
                .filter(|(_, at)| *at == node)
                .map(|(r, _)| r.resources().amount("cpu"))
                .sum();
            let room = fleet.nodes()[node].resources().amount("cpu");
            let kept = set == 0 || company(&stay) <= before;
            if used + urgent.resources().amount("cpu") <= room && may_go(fleet, &stay, urgent, node) && kept {
                best = Some(best.map_or(cost, |least: u64| least.min(cost)));
            }
        }
    }
    best
}

/// A gang that wants one zone is placed where the policy's first choice is too small.
#[test]
fn a_gang_tries_every_domain() {
    let node = |name: &str, zone: &str, n| Node::new(name, cpu(n)).with_label("zone", zone);
    let fleet = Fleet::try_new(vec![node("a", "1", 9), node("b", "2", 6), node("c", "2", 6)]).unwrap();
    let gang = Request::new("g")
        .with_resource("cpu", 5)
        .with_replicas(2)
        .with_gang(true)
        .with_label("app", "g")
        .with_constraint(Constraint::Together {
            with: Selector::new([("app", "g")]),
            domain: "zone".into(),
        });
    let work = Workload::try_new(vec![gang]).unwrap();
    let plan = Greedy::new(WorstFit).plan(&fleet, &work);
    assert_eq!(plan.bindings().iter().map(|b| b.node).collect::<Vec<_>>(), [1, 2]);
}

/// Company that comes later in the order is waited for.
#[test]
fn company_may_come_later() {
    let node = |name: &str, zone: &str| Node::new(name, cpu(4)).with_label("zone", zone);
    let fleet = Fleet::try_new(vec![node("a", "1"), node("b", "2")]).unwrap();
    let with = |app: &str| Constraint::Together {
        with: Selector::new([("app", app)]),
        domain: "zone".into(),
    };
    let follower = Request::new("follower")
        .with_resource("cpu", 2)
        .with_constraint(with("leader"));
    let leader = Request::new("leader")
        .with_resource("cpu", 2)
        .with_label("app", "leader");
    let work = Workload::try_new(vec![follower, leader]).unwrap();
    let plan = Greedy::new(FirstFit).plan(&fleet, &work);
    assert_eq!(plan.rejected(), []);
    assert_eq!(plan.bindings()[1].node, plan.bindings()[0].node);
}

/// Constraints in a file, and files that say too much.
#[test]
fn rules_are_read() {
    let text = r#"{"requests": [{"name": "chat", "labels": {"app": "chat"}, "move_cost": 7, "constraints": [
        {"node_label": {"key": "pool", "values": ["gpu"]}},
        {"apart": {"from": {"app": "chat"}, "domain": "kubernetes.io/hostname"}},
        {"spread": {"domain": "zone", "max_skew": 2}}]}]}"#;
    let work: Workload = serde_json::from_str(text).unwrap();
    assert_eq!(work.requests()[0].constraints().len(), 3);
    assert_eq!(work.requests()[0].move_cost(), 7);
    let again: Workload = serde_json::from_str(&serde_json::to_string(&work).unwrap()).unwrap();
    assert_eq!(again, work);
    assert!(
        serde_json::from_str::<Workload>(r#"{"requests": [{"name": "a", "constraints": [{"near": {}}]}]}"#)
            .is_err()
    );
    let many = vec![
        Constraint::NodeLabel {
            key: "k".into(),
            values: vec!["v".into()]
        };
        61
    ];
    let request = many.into_iter().fold(Request::new("a"), Request::with_constraint);
    assert!(Workload::try_new(vec![request]).is_err());
}

/// A service that sees new names for ever does not grow, and mirrors what breaks the rules.
#[test]
fn names_come_and_go() {
    let fleet = Fleet::try_new(vec![Node::new("a", cpu(4))]).unwrap();
    let mut scheduler = Scheduler::new(&fleet, &Greedy::new(FirstFit));
    for i in 0..2_000 {
        let request = Request::new(format!("r{i}")).with_resource("cpu", 3);
        let placed = scheduler.place(&request).unwrap();
        assert!(scheduler.place(&request).is_err());
        assert_eq!(
            scheduler.ledger().request(placed.ticket).unwrap().name(),
            request.name()
        );
        scheduler.release(placed.ticket).unwrap();
        assert_eq!(scheduler.ledger().request(placed.ticket), None);
    }
}

mod smallest {
    use super::*;

    /// What lacks on each device, and on the node: by name and position, without the kernels.
    fn lack(fleet: &Fleet, free: &Free, request: &Request, node: usize) -> u64 {
        let part = |amount: u64, largest: u64| match (amount, largest) {
            (0, _) => 0,
            (_, 0) => 1_000_000,
            (amount, largest) => (amount * 1_000_000).div_ceil(largest),
        };
        let largest = |name: &str| {
            let amounts = fleet.nodes().iter().map(|n| n.resources().amount(name));
            amounts.max().unwrap_or(0)
        };
        let mut sum: u64 = request
            .resources()
            .iter()
            .map(|(name, need)| part(need.saturating_sub(free.node(node, name)), largest(name)))
            .sum();
        let Some(wanted) = request.devices() else {
            return sum;
        };
        let devices = fleet.nodes()[node].devices();
        let most = |name: &str| {
            let all = fleet.nodes().iter().flat_map(Node::devices);
            all.map(|d| {
                if name == "device_milli" {
                    1000
                } else {
                    d.resources().amount(name)
                }
            })
            .max()
            .unwrap_or(0)
        };
        let needs = || {
            let share = ("device_milli", u64::from(wanted.milli().to_u32()));
            std::iter::once(share).chain(wanted.resources().iter())
        };
        let accepted =
            |d: &Device| wanted.kinds().is_empty() || wanted.kinds().iter().any(|kind| kind == d.kind());
        let of = |d: usize| {
            needs()
                .map(|(name, need)| part(need.saturating_sub(free.device(node, d, name)), most(name)))
                .sum::<u64>()
        };
        let mut lacks: Vec<u64> = (0..devices.len())
            .filter(|d| accepted(&devices[*d]))
            .map(of)
            .collect();
        lacks.sort_unstable();
        while lacks.len() < wanted.count() as usize {
            lacks.push(1_000_000 + needs().map(|(name, need)| part(need, most(name))).sum::<u64>());
        }
        sum += lacks[..wanted.count() as usize].iter().sum::<u64>();
        sum
    }

    /// What is left, by name.
    struct Free(BTreeMap<(usize, Option<usize>, String), u64>);

    impl Free {
        fn node(&self, node: usize, name: &str) -> u64 {
            self.0.get(&(node, None, name.to_owned())).copied().unwrap_or(0)
        }
        fn device(&self, node: usize, device: usize, name: &str) -> u64 {
            self.0
                .get(&(node, Some(device), name.to_owned()))
                .copied()
                .unwrap_or(0)
        }
    }

    fn left(fleet: &Fleet, placed: &[(&Request, usize, Vec<usize>)]) -> Free {
        let mut free = BTreeMap::new();
        for (i, node) in fleet.nodes().iter().enumerate() {
            for (name, amount) in node.resources().iter() {
                free.insert((i, None, name.to_owned()), amount);
            }
            for (d, device) in node.devices().iter().enumerate() {
                free.insert((i, Some(d), "device_milli".to_owned()), 1000);
                for (name, amount) in device.resources().iter() {
                    free.insert((i, Some(d), name.to_owned()), amount);
                }
            }
        }
        for (request, node, devices) in placed {
            for (name, amount) in request.resources().iter().filter(|(_, amount)| *amount > 0) {
                *free.get_mut(&(*node, None, name.to_owned())).unwrap() -= amount;
            }
            let Some(wanted) = request.devices() else { continue };
            for device in devices {
                let key = |name: &str| (*node, Some(*device), name.to_owned());
                *free.get_mut(&key("device_milli")).unwrap() -= u64::from(wanted.milli().to_u32());
                for (name, amount) in wanted.resources().iter().filter(|(_, amount)| *amount > 0) {
                    *free.get_mut(&key(name)).unwrap() -= amount;
                }
            }
        }
        Free(free)
    }

    proptest! {
        /// The change that is named lets the replica in on that node, and no node needs a smaller one.
        #[test]
        fn changes_are_enough_and_least(fleet in crate::check::fleets(), work in crate::check::workloads()) {
            let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
            let mut placed: Vec<(&Request, usize, Vec<usize>)> = Vec::new();
            for request in work.requests().iter().flat_map(|r| std::iter::repeat_n(r, r.replicas() as usize)) {
                if request.max_per_node().is_some() {
                    continue;
                }
                if let Ok(at) = scheduler.place(request) {
                    prop_assert!(scheduler.why_not(request).is_none_or(|answer| answer.reason.token() != "NoNodes"));
                    placed.push((request, at.node, at.devices));
                    continue;
                }
                let free = left(&fleet, &placed);
                let answer = scheduler.why_not(request).unwrap();
                let Some(change) = answer.change else {
                    prop_assert!(fleet.nodes().is_empty());
                    continue;
                };
                prop_assert!(change.waived.is_empty());
                let least = (0..fleet.nodes().len()).map(|node| lack(&fleet, &free, request, node)).min().unwrap();
                prop_assert_eq!(lack(&fleet, &free, request, change.node), least);
                // Give it what it lacks: then it fits there, on the node and on enough devices.
                for (name, need) in request.resources().iter() {
                    prop_assert!(free.node(change.node, name) + change.resources.amount(name) >= need);
                }
                if let Some(wanted) = request.devices() {
                    let added = change.devices.iter().filter(|d| d.device.is_none()).count();
                    let devices = fleet.nodes()[change.node].devices();
                    let enough = (0..devices.len()).filter(|d| {
                        let more = change.devices.iter().find(|c| c.device == Some(*d));
                        let extra = |name: &str| more.map_or(0, |c| c.resources.amount(name));
                        let has = |name: &str, need: u64| free.device(change.node, *d, name) + extra(name) >= need;
                        let kind = wanted.kinds().is_empty() || wanted.kinds().iter().any(|k| k == devices[*d].kind());
                        kind && has("device_milli", wanted.milli().to_u32().into())
                            && wanted.resources().iter().all(|(name, need)| has(name, need))
                    });
                    prop_assert!(enough.count() + added >= wanted.count() as usize);
                }
            }
        }
    }

    /// A device of a kind that the fleet has not, a resource it has not, and more than any node has.
    #[test]
    fn what_the_fleet_has_not_is_named() {
        let node = Node::new("a", cpu(4)).with_devices(1, &Device::new("L4", Resources::new()));
        let fleet = Fleet::try_new(vec![node]).unwrap();
        let mut scheduler = Scheduler::new(&fleet, &Greedy::new(FirstFit));
        let mut ask = |request: Request| scheduler.why_not(&request).unwrap();
        let kind = ask(Request::new("k").with_devices(DeviceDemand::whole(1).with_kinds(["H100"])));
        assert_eq!(kind.reason.token(), "NoMatchingDevice");
        assert_eq!(kind.change.unwrap().devices[0].device, None);
        let disk = ask(Request::new("d").with_resource("disk", 3));
        assert_eq!(disk.change.unwrap().resources.amount("disk"), 3);
        let half = DeviceDemand::share(Milli::try_new(500).unwrap()).with_resource("vram", 8);
        let vram = ask(Request::new("v").with_devices(half));
        assert_eq!(vram.change.unwrap().devices[0].resources.amount("vram"), 8);
        let two = ask(Request::new("t")
            .with_resource("cpu", 6)
            .with_devices(DeviceDemand::whole(2)));
        assert_eq!(two.change.unwrap().to_string(), "2 more cpu, one more device");
        let four = ask(Request::new("f").with_devices(DeviceDemand::whole(4)));
        assert_eq!(four.change.unwrap().to_string(), "3 more devices");
    }
}
