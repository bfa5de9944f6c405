//! Side-by-side runs of `modelops-allocation` against its peers, one thread each, in less than four minutes.
//!
//! The instances are generated here, written as JSON under `target/compare/allocation`, and read by both sides; the published ones
//! are read from the folder that `MODELOPS_DATA` names. Only solving is timed, not the reading. A peer that does not finish is
//! stopped at the time that its name says: `proven` is 0 there, and its time is that of the stop. Two proven values must be
//! equal, and none may be above a proven one.

#[path = "../allocation/assignment.rs"]
mod assignment;
#[path = "../allocation/placement.rs"]
mod placement;
#[path = "../allocation/stages.rs"]
mod stages;

use std::fs;
use std::path::Path;

use modelops_allocation::{Item, SolverOptions, Status, choose_variants, knapsack};
use modelops_benches::{Better, Case, Comparison, results_dir};
use modelops_testkit::allocation::{
    CHOICE_FAMILIES, KNAPSACK_FAMILIES, Pair, choice_instance, knapsack_instance,
};
use serde::Deserialize;
use serde_json::{Value, json};

const WIDTH: usize = 10;

/// What a solver answers.
#[derive(Deserialize)]
pub(crate) struct Answer {
    value: u64,
    weight: u64,
    proven: bool,
}

fn main() {
    let folder = results_dir().join("allocation");
    fs::create_dir_all(&folder).expect("the folder of results can be made");
    let mut run = Comparison::from_args("allocation");
    knapsacks(&mut run, &folder);
    variants(&mut run, &folder);
    assignment::run(&mut run, &folder);
    stages::run(&mut run);
    placement::run(&mut run);
    run.finish();
}

pub(crate) fn save(folder: &Path, name: &str, instance: &Value) -> String {
    let path = folder.join(format!("{name}.json"));
    fs::write(&path, instance.to_string()).expect("the folder of results can be written");
    path.to_string_lossy().into_owned()
}

fn items(pairs: &[Pair]) -> Vec<Item> {
    pairs
        .iter()
        .map(|(value, weight)| Item::new(*value, *weight))
        .collect()
}

/// Adds what is read off an answer, and when two agree.
fn judged(case: Case<'_, Answer>, capacity: u64) -> Case<'_, Answer> {
    case.value("value", "", Better::Higher, |answer| answer.value as f64)
        .value("proven", "", Better::Higher, |answer| {
            f64::from(u8::from(answer.proven))
        })
        .agree(move |ours, theirs| {
            ours.weight <= capacity
                && theirs.weight <= capacity
                && (!ours.proven || theirs.value <= ours.value)
                && (!theirs.proven || ours.value <= theirs.value)
        })
}

fn knapsacks(run: &mut Comparison, folder: &Path) {
    for family in KNAPSACK_FAMILIES {
        let name = format!("0/1 knapsack of 10,000 items, {family}");
        if !run.wants(&name) {
            continue;
        }
        let (pairs, capacity) = knapsack_instance(family, 10_000, 10_000, 1);
        let path = save(
            folder,
            &format!("knapsack-{family}"),
            &json!({"items": pairs, "capacity": capacity}),
        );
        let items = items(&pairs);
        let case = run.case(&name).ours(|| best(&items, capacity));
        // The families that branch and bound finishes; it gives up on the others.
        let case = if matches!(family, "uncorrelated" | "weakly" | "subset-sum") {
            case.python("OR-tools 9.15, branch and bound", "knapsack.py", &[&path, "60"])
                .peer_rounds(3)
        } else {
            let peer = "OR-tools 9.15, branch and bound, stopped at 2 s";
            case.python(peer, "knapsack.py", &[&path, "2"]).peer_rounds(1)
        };
        let case = if family == "strongly" {
            case.python("CP-SAT 9.15, stopped at 3 s", "cp_sat.py", &[&path, "3"])
        } else {
            case
        };
        judged(case, capacity).run();
    }
    // Ours alone, so that the run stays within its four minutes.
    for family in KNAPSACK_FAMILIES {
        let name = format!("0/1 knapsack of 100,000 items, {family}");
        if run.wants(&name) {
            let (pairs, capacity) = knapsack_instance(family, 100_000, 10_000, 1);
            let items = items(&pairs);
            let case = run.case(&name).ours(|| best(&items, capacity)).rounds(3);
            judged(case, capacity).run();
        }
    }
}

fn best(items: &[Item], capacity: u64) -> Answer {
    let best = knapsack(items, capacity, &SolverOptions::default()).expect("the sums are small");
    Answer {
        value: best.value,
        weight: best.weight,
        proven: best.status == Status::Optimal,
    }
}

fn variants(run: &mut Comparison, folder: &Path) {
    for (count, of) in [(1_000, "1,000"), (10_000, "10,000")] {
        for family in CHOICE_FAMILIES {
            let name = format!("a variant of each of {of} classes of {WIDTH}, {family}");
            if !run.wants(&name) {
                continue;
            }
            let (pairs, budget) = choice_instance(family, count, WIDTH, 1_000, 1);
            let path = save(
                folder,
                &format!("variants-{family}-{count}"),
                &json!({"classes": pairs, "capacity": budget}),
            );
            let classes: Vec<Vec<Item>> = pairs.iter().map(|class| items(class)).collect();
            let case = run.case(&name).ours(|| {
                let best = choose_variants(&classes, budget, &SolverOptions::default())
                    .expect("the budget is large enough");
                Answer {
                    value: best.value,
                    weight: best.weight,
                    proven: best.status == Status::Optimal,
                }
            });
            let case = case.python("HiGHS 1.12, stopped at 3 s", "variants.py", &[&path, "3"]);
            let case = if count == 1_000 {
                case.python("CP-SAT 9.15, stopped at 2 s", "cp_sat.py", &[&path, "2"])
            } else {
                case
            };
            judged(case, budget).peer_rounds(1).run();
        }
    }
}
