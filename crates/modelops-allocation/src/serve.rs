//! A catalogue placed by dynamic programming: choose the variants exactly, then place them.

use crate::bound::{self, Limit};
use crate::catalogue::Catalogue;
use crate::fleet::Fleet;
use crate::greedy::{Greedy, ReplicaVariants, place_first};
use crate::plan::{Binding, Plan, Rejected};
use crate::scheduler::Scheduler;
use crate::score::Score;
use crate::solver::SolverOptions;
use crate::space::Space;
use crate::variants::choose_variants;

/// Chooses a variant for every replica of the catalogue and places the choice.
///
/// The variants are chosen by [`choose_variants`] under the scarcest total of the fleet, which is exact for that resource, and
/// placed largest first by `greedy`'s score; what does not fit in its place takes its next best variant that does. Because a
/// total is not a place, smaller budgets are tried as well, and `greedy`'s own plan: the most valuable of all is returned, so
/// the result is never worth less than [`Greedy::plan_catalogue`]. The plan refers to [`Catalogue::workload`].
///
/// **Complexity**: about twenty times one exact choice and one placement.
///
/// # Example
/// ```
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{Catalogue, Fleet, Greedy, plan_variants};
/// let fleet: Fleet = serde_json::from_str(
///     r#"{"nodes": [{"name": "n", "devices": [{"kind": "L4", "resources": {"vram_gib": 24}}]}]}"#)?;
/// let catalogue: Catalogue = serde_json::from_str(r#"{"models": [
///     {"name": "a", "variants": [{"name": "bf16", "value": 10, "devices": {"share_milli": 1, "resources": {"vram_gib": 16}}},
///                                {"name": "int4", "value": 9, "devices": {"share_milli": 1, "resources": {"vram_gib": 6}}}]},
///     {"name": "b", "variants": [{"name": "bf16", "value": 10, "devices": {"share_milli": 1, "resources": {"vram_gib": 16}}}]}]}"#)?;
/// let greedy = Greedy::new(BestFit::default());
/// assert_eq!(greedy.plan_catalogue(&fleet, &catalogue).value(), 10); // a as bf16, no room for b
/// let plan = plan_variants(&fleet, &catalogue, &greedy);
/// assert_eq!((plan.value(), plan.gap()), (19, 0.0)); // a as int4 beside b
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn plan_variants<S: Score>(fleet: &Fleet, catalogue: &Catalogue, greedy: &Greedy<S>) -> Plan {
    let mut best = greedy.plan_catalogue(fleet, catalogue);
    let space = Space::new(fleet, None, false);
    let wanted = catalogue.replica_variants();
    let requests = catalogue.workload().requests();
    let demands = bound::possible_demands(&space, catalogue);
    let values: Vec<u64> = requests.iter().map(crate::Request::value).collect();
    let scarcest = best.bound().limit().clone();
    let options = SolverOptions::default().with_max_states(1 << 20);
    for budget in bound::budgets(&space) {
        if !matches!(&scarcest, Limit::Total { resource } if *resource == budget.resource) {
            continue;
        }
        let classes = bound::classes(&wanted, &demands, &values, &budget);
        for percent in (60..=100).rev().step_by(2) {
            let total = (u128::from(budget.total) * percent / 100) as u64;
            let Ok(choice) = choose_variants(&classes, total, &options) else {
                continue;
            };
            let plan = place_choice(
                fleet,
                catalogue,
                greedy,
                &wanted,
                &choice.chosen,
                best.bound().clone(),
            );
            if plan.value() > best.value() {
                best = plan;
            }
            if best.gap() == 0.0 {
                break;
            }
        }
    }
    best
}

/// Places chosen variants largest first, then lets what is left take what fits.
fn place_choice<S: Score>(
    fleet: &Fleet,
    catalogue: &Catalogue,
    greedy: &Greedy<S>,
    wanted: &[ReplicaVariants],
    chosen: &[usize],
    bound: crate::Bound,
) -> Plan {
    let requests = catalogue.workload().requests();
    let mut scheduler = Scheduler::new(fleet, greedy);
    let mut bindings = Vec::new();
    let mut left: Vec<usize> = Vec::new();
    let mut first: Vec<(usize, usize)> = Vec::new();
    for (i, (replica, choice)) in wanted.iter().zip(chosen).enumerate() {
        match replica.variants.get(*choice) {
            Some(variant) => first.push((i, *variant)),
            None => left.push(i),
        }
    }
    let space = std::sync::Arc::clone(scheduler.ledger().space());
    let sizes: Vec<u64> = crate::greedy::sizes(&space, requests);
    first.sort_by_key(|(i, variant)| (std::cmp::Reverse(sizes[*variant]), *i));
    for (i, variant) in first {
        match scheduler.place(&requests[variant]) {
            Ok(placed) => bindings.push(Binding {
                request: variant,
                replica: wanted[i].replica,
                node: placed.node,
                devices: placed.devices,
            }),
            Err(_) => left.push(i),
        }
    }
    let mut rejected: Vec<Rejected> = Vec::new();
    left.sort_by_key(|i| std::cmp::Reverse(wanted[*i].variants.first().map(|v| requests[*v].value())));
    for i in left {
        place_first(&mut scheduler, requests, &wanted[i], &mut bindings, &mut rejected);
    }
    rejected.sort_by_key(|entry: &Rejected| (entry.request, entry.replica));
    Plan::new(fleet, catalogue.workload(), bindings, rejected, bound)
}
