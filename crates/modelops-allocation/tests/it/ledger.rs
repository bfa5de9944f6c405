//! The ledger undoes exactly what was done.

use modelops_allocation::score::BestFit;
use modelops_allocation::{Fleet, Greedy, Ledger, LedgerError, Scheduler, Workload};
use proptest::prelude::*;

use crate::check::{fleets, workloads};

/// Everything that can be seen of a ledger.
fn view(fleet: &Fleet, ledger: &Ledger) -> Vec<(u64, u64, Vec<u64>)> {
    let nodes = 0..fleet.nodes().len();
    nodes
        .map(|i| {
            (
                ledger.free(i, "cpu"),
                ledger.free(i, "memory"),
                ledger.free_shares(i),
            )
        })
        .collect()
}

fn fill(scheduler: &mut Scheduler<BestFit>, work: &Workload) -> Vec<modelops_allocation::Ticket> {
    work.requests()
        .iter()
        .filter_map(|r| scheduler.place(r).ok())
        .map(|placed| placed.ticket)
        .collect()
}

proptest! {
    #[test]
    fn release_restores(fleet in fleets(), work in workloads(), order in any::<u64>()) {
        let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
        let before = view(&fleet, scheduler.ledger());
        let mut tickets = fill(&mut scheduler, &work);
        let placed: Vec<_> = tickets.iter().map(|t| scheduler.ledger().location(*t)).collect();
        while !tickets.is_empty() {
            let i = (order % tickets.len() as u64) as usize;
            scheduler.release(tickets.swap_remove(i)).unwrap();
        }
        prop_assert_eq!(before, view(&fleet, scheduler.ledger()));
        prop_assert_eq!(scheduler.ledger().bound(), 0);
        // And the remembered scores are those of a fresh scheduler.
        let again = fill(&mut scheduler, &work);
        let placed_again: Vec<_> = again.iter().map(|t| scheduler.ledger().location(*t)).collect();
        prop_assert_eq!(placed, placed_again);
    }

    #[test]
    fn rollback_restores(fleet in fleets(), work in workloads()) {
        let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
        let tickets = fill(&mut scheduler, &work);
        let mut ledger = scheduler.ledger().clone();
        let before = view(&fleet, &ledger);
        let outer = ledger.mark();
        for ticket in tickets.iter().step_by(2) {
            ledger.release(*ticket).unwrap();
        }
        let middle = view(&fleet, &ledger);
        let free = ledger.what_if(|inner| {
            for ticket in tickets.iter().skip(1).step_by(2) {
                inner.release(*ticket).unwrap();
            }
            inner.bound()
        });
        prop_assert_eq!(free, 0);
        prop_assert_eq!(middle, view(&fleet, &ledger));
        ledger.rollback(outer).unwrap();
        prop_assert_eq!(before, view(&fleet, &ledger));
        prop_assert_eq!(ledger.bound(), tickets.len());
    }
}

#[test]
fn a_ticket_is_released_once() {
    let fleet: Fleet =
        serde_json::from_str(r#"{"nodes": [{"name": "n", "resources": {"cpu": 4}}]}"#).unwrap();
    let mut ledger = Ledger::new(&fleet);
    let request = modelops_allocation::Request::new("r").with_resource("cpu", 3);
    let ticket = ledger.bind(&request, 0, &[]).unwrap();
    let smaller = request.clone().with_resource("cpu", 4);
    let ticket = ledger.resize(ticket, &smaller).unwrap();
    let too_large = request.clone().with_resource("cpu", 5);
    assert!(matches!(
        ledger.resize(ticket, &too_large),
        Err(LedgerError::Insufficient { free: 4, .. })
    ));
    assert_eq!(ledger.free(0, "cpu"), 0);
    ledger.release(ticket).unwrap();
    assert!(matches!(
        ledger.release(ticket),
        Err(LedgerError::UnknownTicket { .. })
    ));
}

/// A node that is bound and released for ever does not make the ledger grow, and keeps its place in the order of ties.
#[test]
fn binding_for_ever_keeps_its_order() {
    let fleet: Fleet =
        serde_json::from_str(r#"{"nodes": [{"name": "n", "count": 8, "resources": {"cpu": 4}}]}"#).unwrap();
    let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
    let request = modelops_allocation::Request::new("r").with_resource("cpu", 3);
    for _ in 0..10_000 {
        let placed = scheduler.place(&request).unwrap();
        assert_eq!(placed.node, 0);
        scheduler.release(placed.ticket).unwrap();
    }
}
