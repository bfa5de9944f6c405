//! The laws of a plan, for every policy.

use modelops_allocation::score::{
    BestFit, BidPrice, Clustering, DotProduct, FirstFit, FragmentationGradient, Packing, Score, WorstFit,
};
use modelops_allocation::{
    Certificate, Fleet, Greedy, Ledger, Node, Order, Plan, Prices, Rejection, Request, Resources, TieBreak,
    Workload,
};
use modelops_testkit::allocation::packing_by_trial;
use proptest::prelude::*;

use crate::check::{check, fleets, workloads};

fn plans(fleet: &Fleet, work: &Workload) -> Vec<Plan> {
    fn each<S: Score>(fleet: &Fleet, work: &Workload, score: S, plans: &mut Vec<Plan>) {
        for ties in [TieBreak::NodeOrder, TieBreak::Permuted(7), TieBreak::Random(7)] {
            for order in [Order::AsGiven, Order::Decreasing, Order::ByDensity] {
                plans.push(
                    Greedy::new(score.clone())
                        .with_ties(ties)
                        .with_order(order)
                        .plan(fleet, work),
                );
            }
        }
    }
    let mut plans = Vec::new();
    // Fitted prices take a while; any prices must keep the laws.
    static PRICES: std::sync::LazyLock<Prices> = std::sync::LazyLock::new(|| Prices::fit(&[]));
    let prices = &*PRICES;
    each(fleet, work, FirstFit, &mut plans);
    each(fleet, work, BestFit::default(), &mut plans);
    each(fleet, work, WorstFit, &mut plans);
    each(fleet, work, DotProduct::aligned(), &mut plans);
    each(fleet, work, DotProduct::opposed(10_000), &mut plans);
    each(fleet, work, Packing, &mut plans);
    each(fleet, work, Clustering, &mut plans);
    let gradient = FragmentationGradient::new(work.requests());
    each(fleet, work, gradient.clone(), &mut plans);
    each(fleet, work, BidPrice::new(gradient, prices.clone()), &mut plans);
    plans
}

/// The ledger that a plan leaves behind.
fn replay(fleet: &Fleet, work: &Workload, plan: &Plan) -> Ledger {
    let mut ledger = Ledger::new(fleet);
    for binding in plan.bindings() {
        ledger
            .bind(&work.requests()[binding.request], binding.node, &binding.devices)
            .unwrap();
    }
    ledger
}

proptest! {
    /// Feasible, each replica once, everything accounted for, value at most the bound.
    #[test]
    fn every_plan_is_sound(fleet in fleets(), work in workloads()) {
        for plan in plans(&fleet, &work) {
            check(&fleet, &work, &plan);
        }
    }

    /// The same input and seed give the same plan.
    #[test]
    fn plans_repeat(fleet in fleets(), work in workloads()) {
        prop_assert_eq!(plans(&fleet, &work), plans(&fleet, &work));
    }

    /// Nothing that was rejected on its own would fit into what the plan leaves.
    #[test]
    fn plans_are_maximal(fleet in fleets(), work in workloads()) {
        for plan in plans(&fleet, &work) {
            let ledger = replay(&fleet, &work, &plan);
            for rejected in plan.rejected() {
                let request = &work.requests()[rejected.request];
                if !request.gang() && request.max_per_node().is_none() {
                    prop_assert!(!ledger.fits(request), "{} fits after all", request.name());
                }
            }
        }
    }

    /// Scaling one resource in the fleet and in the requests changes nothing.
    #[test]
    fn units_do_not_matter(fleet in fleets(), work in workloads(), factor in 1..1000_u64) {
        let nodes = fleet.nodes().iter().map(|node| {
            let resources = node.resources().clone().with("memory", node.resources().amount("memory") * factor);
            node.devices().iter().fold(Node::new(node.name(), resources), |n, device| n.with_devices(1, device))
        });
        let scaled_fleet = Fleet::try_new(nodes.collect()).unwrap();
        let requests = work.requests().iter().cloned().map(|request| {
            let memory = request.resources().amount("memory") * factor;
            request.with_resource("memory", memory)
        });
        let scaled_work = Workload::try_new(requests.collect()).unwrap();
        let bindings = |plans: Vec<Plan>| plans.into_iter().map(|p| p.bindings().to_vec()).collect::<Vec<_>>();
        prop_assert_eq!(bindings(plans(&fleet, &work)), bindings(plans(&scaled_fleet, &scaled_work)));
    }

    /// On small instances: plan ≤ best by trial ≤ bound.
    #[test]
    fn bound_holds_the_best(
        nodes in prop::collection::vec((1..12_u64, 1..12_u64), 0..4),
        demands in prop::collection::vec((0..9_u64, 0..9_u64, 1..9_u64), 0..7),
    ) {
        let fleet = Fleet::try_new(nodes.iter().enumerate().map(|(i, (a, b))| {
            Node::new(format!("n{i}"), Resources::new().with("a", *a).with("b", *b))
        }).collect()).unwrap();
        let work = Workload::try_new(demands.iter().enumerate().map(|(i, (a, b, value))| {
            Request::new(format!("r{i}")).with_resource("a", *a).with_resource("b", *b).with_value(*value)
        }).collect()).unwrap();
        let mut free: Vec<Vec<u64>> = nodes.iter().map(|(a, b)| vec![*a, *b]).collect();
        let vectors: Vec<(Vec<u64>, u64)> = demands.iter().map(|(a, b, v)| (vec![*a, *b], *v)).collect();
        let best = packing_by_trial(&mut free, &vectors);
        for plan in plans(&fleet, &work) {
            prop_assert!(plan.value() <= best);
            prop_assert!(best <= plan.bound().value());
        }
    }

    /// What a rejection says is true of the state in which it was made, and giving it what it misses lets the next check decide.
    #[test]
    fn reasons_are_true(fleet in fleets(), work in workloads()) {
        let plan = Greedy::new(FirstFit).plan(&fleet, &work);
        for rejected in plan.rejected() {
            let request = &work.requests()[rejected.request];
            check_reason(&fleet, request, &rejected.reason);
        }
    }
}

proptest! {
    // Fitting takes thousands of rounds.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A certificate bounds every plan, whatever its prices are, and says the same when it is read back.
    #[test]
    fn certificates_bound_every_plan(fleet in fleets(), work in workloads(), shares in prop::collection::vec(prop::collection::btree_map(1..1000_u32, 0..50_000_000_u64, 0..5), 0..3), resources in prop::collection::vec(prop::collection::vec(0..5_000_000_u64, 0..4), 0..4)) {
        let fitted = Certificate::fit(&fleet, &work);
        let text = serde_json::to_string(&fitted).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Certificate>(&text).unwrap(), &fitted);
        let forged: Certificate = serde_json::from_value(serde_json::json!({"shares": shares, "resources": resources})).unwrap();
        for plan in plans(&fleet, &work).iter().step_by(7) {
            let mut kept = vec![0; work.requests().len()];
            plan.bindings().iter().for_each(|binding| kept[binding.request] += 1);
            for proof in [&fitted, &forged] {
                prop_assert!(plan.value() <= proof.verify(&fleet, &work));
                let keeping = proof.verify_keeping(&fleet, &work, &kept);
                prop_assert!(plan.value() <= keeping && keeping <= proof.verify(&fleet, &work));
            }
        }
    }
}

/// The parts of a reason that can be checked from outside.
fn check_reason(fleet: &Fleet, request: &Request, reason: &Rejection) {
    let amount = |resource: &str| request.resources().amount(resource);
    match reason {
        Rejection::NoNodes => assert!(fleet.nodes().is_empty()),
        Rejection::NoMatchingDevice { kinds } => {
            let all = || fleet.nodes().iter().flat_map(Node::devices);
            assert!(all().all(|device| !kinds.is_empty() && !kinds.iter().any(|kind| kind == device.kind())));
        }
        Rejection::ExceedsEveryNode {
            resource,
            requested,
            largest,
        } => {
            assert!(requested > largest);
            if ["cpu", "memory"].contains(&resource.as_str()) {
                assert_eq!(amount(resource), *requested);
                let most = fleet
                    .nodes()
                    .iter()
                    .map(|node| node.resources().amount(resource))
                    .max();
                assert_eq!(most, Some(*largest));
            }
        }
        Rejection::Insufficient {
            requested,
            total_free,
            largest_free,
            ..
        } => {
            assert!(total_free < requested && largest_free <= total_free);
        }
        Rejection::Fragmented {
            requested,
            total_free,
            largest_free,
            ..
        } => {
            assert!(total_free >= requested && largest_free < requested);
        }
        Rejection::ExceedsTogether { resources } | Rejection::Scattered { resources } => {
            assert!(resources.len() > 1);
        }
        Rejection::MaxPerNode { most } => assert_eq!(request.max_per_node(), Some(*most)),
        Rejection::GangIncomplete {
            placed,
            wanted,
            blocker,
        } => {
            assert!(placed < wanted && request.gang());
            check_reason(fleet, request, blocker);
        }
        other => panic!("a greedy plan never says {other}"),
    }
}
