//! Side-by-side runs of `modelops-allocation` against its peers, one thread each.
//!
//! The instances are generated here, written as JSON under `target/compare/allocation`, and read by both sides. Only solving
//! is timed, not the reading. A peer that does not finish is stopped at the time that its name says: `proven` is 0 there, and
//! its time is that of the stop. Two proven values must be equal, and none may be above a proven one.

use std::fs;
use std::path::Path;

use modelops_allocation::{Item, SolverOptions, Status, choose_variants, knapsack};
use modelops_benches::{Better, Case, Comparison, results_dir};
use modelops_testkit::allocation::{
    CHOICE_FAMILIES, KNAPSACK_FAMILIES, Pair, choice_instance, knapsack_instance,
};
use serde::Deserialize;
use serde_json::{Value, json};

const ITEMS: usize = 10_000;
const CLASSES: usize = 1_000;
const WIDTH: usize = 10;

/// What a solver answers.
#[derive(Deserialize)]
struct Answer {
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
    run.finish();
}

fn save(folder: &Path, name: &str, instance: &Value) -> String {
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
        let name = format!("0/1 knapsack of {ITEMS} items, {family}");
        if !run.wants(&name) {
            continue;
        }
        let (pairs, capacity) = knapsack_instance(family, ITEMS, 10_000, 1);
        let path = save(
            folder,
            &format!("knapsack-{family}"),
            &json!({"items": pairs, "capacity": capacity}),
        );
        let items = items(&pairs);
        let case = run.case(&name).ours(|| {
            let best = knapsack(&items, capacity, &SolverOptions::default()).expect("the sums are small");
            Answer {
                value: best.value,
                weight: best.weight,
                proven: best.status == Status::Optimal,
            }
        });
        // The families that branch and bound finishes; it gives up on the others.
        let case = if matches!(family, "uncorrelated" | "weakly" | "subset-sum") {
            case.python("OR-tools 9.15, branch and bound", "knapsack.py", &[&path, "60"])
        } else {
            case.python(
                "OR-tools 9.15, branch and bound, stopped at 5 s",
                "knapsack.py",
                &[&path, "5"],
            )
            .rounds(2)
            .cold()
        };
        judged(case, capacity).run();
    }
}

fn variants(run: &mut Comparison, folder: &Path) {
    for family in CHOICE_FAMILIES {
        let name = format!("a variant of each of {CLASSES} classes of {WIDTH}, {family}");
        if !run.wants(&name) {
            continue;
        }
        let (pairs, budget) = choice_instance(family, CLASSES, WIDTH, 1_000, 1);
        let path = save(
            folder,
            &format!("variants-{family}"),
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
        // HiGHS does not prove this family in half a minute either.
        let case = if family == "strongly" {
            case.python("HiGHS 1.12, stopped at 5 s", "variants.py", &[&path, "5"])
                .rounds(2)
                .cold()
        } else {
            case.python("HiGHS 1.12", "variants.py", &[&path, "30"]).rounds(3)
        };
        judged(case, budget).run();
    }
}
