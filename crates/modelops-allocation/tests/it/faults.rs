//! The six faults of the first greedy, each as a test of the right answer; and its sample.

use modelops_allocation::score::{BestFit, FirstFit};
use modelops_allocation::{
    Fleet, Greedy, Item, Node, Order, Plan, Rejection, Request, Resources, SolverOptions, Workload,
    WorkloadError, knapsack,
};

fn plan(resources: &[u64], demands: &[u64], order: Order) -> Plan {
    let units = |n| Resources::new().with("units", n);
    let nodes = resources
        .iter()
        .enumerate()
        .map(|(i, n)| Node::new(format!("resource {i}"), units(*n)));
    let requests = demands.iter().enumerate();
    let requests = requests.map(|(i, n)| {
        Request::new(format!("demand {i}"))
            .with_resource("units", *n)
            .with_value(*n)
    });
    let fleet = Fleet::try_new(nodes.collect()).unwrap();
    Greedy::new(BestFit::default())
        .with_order(order)
        .plan(&fleet, &Workload::try_new(requests.collect()).unwrap())
}

/// 1. A demand larger than the resource was subtracted all the same.
#[test]
fn what_does_not_fit_is_rejected() {
    let plan = plan(&[5], &[20], Order::AsGiven);
    assert!(plan.bindings().is_empty());
    let reason = Rejection::ExceedsEveryNode {
        resource: "units".into(),
        requested: 20,
        largest: 5,
    };
    assert_eq!(plan.rejected()[0].reason, reason);
}

/// 2. A demand was not used up: two resources each served it.
#[test]
fn a_demand_is_placed_once() {
    let plan = plan(&[10, 10], &[7], Order::AsGiven);
    assert_eq!((plan.bindings().len(), plan.value()), (1, 7));
}

/// 3. Nothing left, or nothing asked for, indexed the demands at −1.
#[test]
fn nothing_left_and_nothing_asked_are_answers() {
    let nothing_left = plan(&[0], &[3], Order::AsGiven);
    assert_eq!(
        (nothing_left.bindings().len(), nothing_left.rejected().len()),
        (0, 1)
    );
    let nothing_asked = plan(&[10], &[], Order::AsGiven);
    assert_eq!(
        (nothing_asked.bindings().len(), nothing_asked.rejected().len()),
        (0, 0)
    );
    assert_eq!(nothing_asked.gap(), 0.0);
    let no_nodes = plan(&[], &[3], Order::AsGiven);
    assert_eq!(no_nodes.rejected()[0].reason, Rejection::NoNodes);
}

/// 4. A resource stopped after one demand.
#[test]
fn a_resource_is_filled() {
    assert_eq!(plan(&[10], &[4, 3, 3], Order::AsGiven).value(), 10);
}

/// 5. The largest first is not the best, and the gap says so; the dynamic programme finds the best.
#[test]
fn largest_first_states_its_gap() {
    let plan = plan(&[10], &[6, 5, 5], Order::Decreasing);
    assert_eq!((plan.value(), plan.bound().value()), (6, 10));
    assert_eq!(plan.gap(), 0.4);
    let items = [6, 5, 5].map(|n| Item::new(n, n));
    assert_eq!(knapsack(&items, 10, &SolverOptions::default()).unwrap().value, 10);
}

/// 6. Zero, negative, overflow, ties.
#[test]
fn zero_negative_overflow_and_ties_are_defined() {
    assert_eq!(plan(&[0], &[0], Order::AsGiven).bindings().len(), 1);
    let negative: Result<Workload, _> =
        serde_json::from_str(r#"{"requests": [{"name": "a", "resources": {"units": -3}}]}"#);
    assert!(negative.is_err());
    let huge = |i: u64| Request::new(format!("r{i}")).with_resource("units", u64::MAX / 2);
    assert_eq!(
        Workload::try_new((0..3).map(huge).collect()).unwrap_err(),
        WorkloadError::DemandOverflow { what: "units".into() }
    );
    let fleet = Fleet::try_new(
        ["b", "a"]
            .map(|n| Node::new(n, Resources::new().with("units", 1)))
            .to_vec(),
    )
    .unwrap();
    let work = Workload::try_new(vec![Request::new("r").with_resource("units", 1)]).unwrap();
    assert_eq!(Greedy::new(FirstFit).plan(&fleet, &work).bindings()[0].node, 0);
}

/// Resources 10, 5, 8 and demands 3, 4, 6: everything fits, and the plan proves that nothing is better.
#[test]
fn the_sample_has_its_answer() {
    let as_given = plan(&[10, 5, 8], &[3, 4, 6], Order::AsGiven);
    assert_eq!(
        as_given.bindings().iter().map(|b| b.node).collect::<Vec<_>>(),
        [1, 2, 0]
    );
    let decreasing = plan(&[10, 5, 8], &[3, 4, 6], Order::Decreasing);
    assert_eq!(
        decreasing.bindings().iter().map(|b| b.node).collect::<Vec<_>>(),
        [2, 1, 0]
    );
    assert_eq!((decreasing.value(), decreasing.gap()), (13, 0.0));
}
