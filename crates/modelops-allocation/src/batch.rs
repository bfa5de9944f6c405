//! The replicas of one request after the other: gangs, domains, and company that comes later.

use crate::constraint::Constraint;
use crate::explain::Explanation;
use crate::plan::{Binding, Rejected};
use crate::reject::Rejection;
use crate::scheduler::Scheduler;
use crate::score::Score;
use crate::topology::NONE;
use crate::workload::Request;

/// Binds the replicas of one request; a gang entirely or not at all.
pub(crate) fn place_all<S: Score>(
    scheduler: &mut Scheduler<S>,
    index: usize,
    request: &Request,
    bindings: &mut Vec<Binding>,
    rejected: &mut Vec<Rejected>,
) {
    let answer = match place_within(scheduler, index, request, None, bindings) {
        Ok(()) => return,
        Err(answer) => answer,
    };
    let Stop { placed, explanation } = *answer;
    let Explanation { mut reason, change } = explanation;
    let mut first = placed;
    if request.gang() {
        let mut domains = own_domains(scheduler, request).into_iter();
        if domains.any(|domain| place_within(scheduler, index, request, Some(domain), bindings).is_ok()) {
            return;
        }
        first = 0;
        reason = Rejection::GangIncomplete {
            placed,
            wanted: request.replicas(),
            blocker: Box::new(reason),
        };
    }
    // Nothing is released meanwhile, so what did not fit once does not fit for the rest either.
    rejected.extend((first..request.replicas()).map(|replica| Rejected {
        request: index,
        replica,
        reason: reason.clone(),
        change: change.clone(),
    }));
}

/// Where the replicas stopped, and why.
struct Stop {
    placed: u32,
    explanation: Explanation,
}

/// The replicas in one domain, or anywhere; a gang that is incomplete leaves nothing behind.
fn place_within<S: Score>(
    scheduler: &mut Scheduler<S>,
    index: usize,
    request: &Request,
    within: Option<(&str, u32)>,
    bindings: &mut Vec<Binding>,
) -> Result<(), Box<Stop>> {
    let start = bindings.len();
    let mark = scheduler.ledger_mut().mark();
    let party = scheduler.ledger_mut().party(request);
    let space = std::sync::Arc::clone(scheduler.ledger().space());
    let inside = |node: u32| within.is_none_or(|(key, domain)| space.topology.domain(key, node) == domain);
    for replica in 0..request.replicas() {
        if let Some(placed) = scheduler.bind_best(party, inside) {
            bindings.push(Binding {
                request: index,
                replica,
                node: placed.node,
                devices: placed.devices,
            });
            continue;
        }
        // Inside one domain of several the answer is not used.
        let explanation = scheduler.explain(party).unwrap_or(Explanation {
            reason: Rejection::NoNodes,
            change: None,
        });
        if request.gang() {
            bindings.truncate(start);
            let undone = scheduler.ledger_mut().rollback(mark);
            undone.expect("the mark was made above");
        } else {
            scheduler.ledger_mut().commit(mark);
        }
        scheduler.ledger_mut().forget(party);
        return Err(Box::new(Stop {
            placed: replica,
            explanation,
        }));
    }
    scheduler.ledger_mut().commit(mark);
    scheduler.ledger_mut().forget(party);
    Ok(())
}

/// The domains in which a request wants all its replicas together.
fn own_domains<'a, S: Score>(scheduler: &Scheduler<S>, request: &'a Request) -> Vec<(&'a str, u32)> {
    let own = request
        .constraints()
        .iter()
        .find_map(|constraint| match constraint {
            Constraint::Together { with, domain } if with.matches(request) => Some(domain.as_str()),
            _ => None,
        });
    let Some(key) = own else { return Vec::new() };
    let ledger = scheduler.ledger();
    let nodes = 0..ledger.state_of().len() as u32;
    let mut domains: Vec<u32> = nodes
        .map(|node| ledger.space().topology.domain(key, node))
        .filter(|domain| *domain != NONE)
        .collect();
    domains.sort_unstable();
    domains.dedup();
    domains.into_iter().map(|domain| (key, domain)).collect()
}

/// Tries again what waits for others, until nothing more is placed: its company may have come later in the order.
pub(crate) fn retry_company<S: Score>(
    scheduler: &mut Scheduler<S>,
    order: &[usize],
    requests: &[Request],
    bindings: &mut Vec<Binding>,
    rejected: &mut Vec<Rejected>,
) {
    let waits = |index: usize| {
        let mut constraints = requests[index].constraints().iter();
        constraints.any(|constraint| match constraint {
            Constraint::Together { .. } => true,
            // Others may fill up the emptiest domain later.
            Constraint::Spread { of, .. } => !of.labels().is_empty(),
            _ => false,
        })
    };
    loop {
        let before = bindings.len();
        for index in order.iter().filter(|index| waits(**index)) {
            let left: Vec<u32> = rejected
                .iter()
                .filter(|entry| entry.request == *index)
                .map(|entry| entry.replica)
                .collect();
            let Some(first) = left.iter().min().copied() else {
                continue;
            };
            rejected.retain(|entry| entry.request != *index);
            let rest = requests[*index].clone().with_replicas(left.len() as u32);
            let (bound, out) = (bindings.len(), rejected.len());
            place_all(scheduler, *index, &rest, bindings, rejected);
            // A prefix was placed before, so the rest follows on it.
            bindings[bound..]
                .iter_mut()
                .for_each(|entry| entry.replica += first);
            rejected[out..]
                .iter_mut()
                .for_each(|entry| entry.replica += first);
        }
        if bindings.len() == before {
            return;
        }
    }
}
