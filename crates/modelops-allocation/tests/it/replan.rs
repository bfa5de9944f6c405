//! Moves under a budget: every prefix feasible, nothing lost, nothing beyond the budget; and plans of a batch known in full.

use modelops_allocation::score::{BestFit, WorstFit};
use modelops_allocation::{
    Fleet, Greedy, Ledger, LedgerError, MoveBudget, Node, Order, Request, Resources, Scheduler, Step, Ticket,
    Workload, replan,
};
use proptest::prelude::*;

use crate::check::{check, fleets, workloads};

proptest! {
    #[test]
    fn every_prefix_is_feasible(fleet in fleets(), work in workloads(), moves in 0..6_usize, cost in prop::option::of(0..6_u64)) {
        let mut scheduler = Scheduler::new(&fleet, &Greedy::new(WorstFit));
        let mut pending = Vec::new();
        for request in work.requests() {
            let placed = (0..request.replicas()).filter(|_| scheduler.place(request).is_ok()).count() as u32;
            pending.push(request.clone().with_replicas(request.replicas() - placed));
        }
        let before = scheduler.ledger().tickets();
        let mut budget = MoveBudget::moves(moves).with_rounds(200);
        if let Some(cost) = cost {
            budget = budget.with_cost(cost);
        }
        let migration = replan(scheduler.ledger(), &pending, budget);
        let moved = migration.steps().iter().filter(|step| matches!(step, Step::Move { .. })).count();
        prop_assert_eq!(moved, migration.moves());
        prop_assert!(moved <= moves && migration.cost() <= cost.unwrap_or(u64::MAX));
        // Each step alone on a ledger that checks: release what moves, bind it there.
        let mut ledger = scheduler.ledger().clone();
        let mut now: std::collections::HashMap<Ticket, Ticket> = before.iter().map(|t| (*t, *t)).collect();
        let mut left: Vec<u32> = pending.iter().map(Request::replicas).collect();
        let mut gain = 0;
        for step in migration.steps() {
            match step {
                Step::Move { ticket, node, devices } => {
                    let current = now[ticket];
                    let request = ledger.request(current).unwrap().clone();
                    prop_assert!(request.constraints().is_empty() && request.max_per_node().is_none());
                    ledger.release(current).unwrap();
                    now.insert(*ticket, ledger.bind(&request, *node, devices).unwrap());
                }
                Step::Place { pending: at, node, devices } => {
                    ledger.bind(&pending[*at], *node, devices).unwrap();
                    left[*at] -= 1;
                    gain += pending[*at].value();
                }
                other => panic!("no such step here: {other:?}"),
            }
        }
        prop_assert_eq!(gain, migration.gain());
        prop_assert_eq!(ledger.bound(), before.len() + migration.steps().len() - moved);
        // What may be placed by itself and is left fits nowhere.
        for (request, left) in pending.iter().zip(&left) {
            let free = !request.gang() && request.constraints().is_empty() && request.max_per_node().is_none();
            let spoken_of = work.requests().iter().any(|other| !other.constraints().is_empty());
            prop_assert!(*left == 0 || !free || spoken_of || !ledger.fits(request));
        }
        // The same in one go, and all or nothing.
        let mut again = scheduler.ledger().clone();
        prop_assert_eq!(migration.apply(&mut again, &pending).unwrap().len(), migration.steps().len() - moved);
        prop_assert_eq!(again.bound(), ledger.bound());
        if !migration.steps().is_empty() {
            let mut empty = Ledger::new(&fleet);
            let failed = migration.apply(&mut empty, &[]);
            let refused = matches!(failed, Err(LedgerError::UnknownTicket { .. } | LedgerError::UnknownRequest { .. }));
            prop_assert!(refused);
            prop_assert_eq!(empty.bound(), 0);
        }
    }

    #[test]
    fn offline_plans_are_sound_and_best(fleet in fleets(), work in workloads()) {
        let greedy = Greedy::new(BestFit::default());
        let plan = greedy.plan_offline(&fleet, &work);
        check(&fleet, &work, &plan);
        for order in [Order::AsGiven, Order::Decreasing, Order::ByDensity] {
            prop_assert!(plan.value() >= greedy.clone().with_order(order).plan(&fleet, &work).value());
        }
    }
}

/// A fleet on which two replicas have to change places, with one node to wait on that something else wants in the end.
fn exchange() -> (Ledger, [Request; 2]) {
    let cpu = |n| Resources::new().with("cpu", n);
    let fleet = Fleet::try_new(vec![
        Node::new("a", cpu(10).with("fpga", 1)),
        Node::new("b", cpu(7)),
        Node::new("c", cpu(5).with("nic", 1)),
    ])
    .unwrap();
    let mut ledger = Ledger::new(&fleet);
    ledger
        .bind(&Request::new("x").with_resource("cpu", 6), 0, &[])
        .unwrap();
    ledger
        .bind(&Request::new("y").with_resource("cpu", 5), 1, &[])
        .unwrap();
    let z = Request::new("z").with_resource("cpu", 5).with_resource("fpga", 1);
    let w = Request::new("w").with_resource("cpu", 5).with_resource("nic", 1);
    (ledger, [z, w])
}

#[test]
fn replicas_change_places_by_way_of_a_third_node() {
    let (mut ledger, pending) = exchange();
    let plan = replan(&ledger, &pending, MoveBudget::moves(3));
    assert_eq!((plan.moves(), plan.gain()), (3, 2));
    let nodes: Vec<usize> = plan
        .steps()
        .iter()
        .map(|step| match step {
            Step::Move { node, .. } | Step::Place { node, .. } => *node,
            other => panic!("no such step here: {other:?}"),
        })
        .collect();
    // y waits on c, x goes to b, y to a; w and z follow as soon as nobody comes to their nodes any more.
    assert_eq!(nodes, [2, 1, 0, 2, 0]);
    plan.apply(&mut ledger, &pending).unwrap();
    let (ledger, pending) = exchange();
    // With two moves y would have to stay where w belongs: one is placed either way, so nothing is moved.
    let plan = replan(&ledger, &pending, MoveBudget::moves(2));
    assert_eq!((plan.moves(), plan.gain()), (0, 1));
    assert_eq!(
        replan(&ledger, &pending, MoveBudget::moves(3)),
        replan(&ledger, &pending, MoveBudget::moves(3))
    );
}

#[test]
fn nothing_to_do_is_nothing_done() {
    let fleet = Fleet::try_new(Vec::new()).unwrap();
    let ledger = Ledger::new(&fleet);
    let migration = replan(&ledger, &[Request::new("a")], MoveBudget::moves(usize::MAX));
    assert_eq!((migration.steps().len(), migration.gain()), (0, 0));
    let none = Workload::try_new(Vec::new()).unwrap();
    assert_eq!(
        Greedy::new(BestFit::default())
            .plan_offline(&fleet, &none)
            .value(),
        0
    );
}
