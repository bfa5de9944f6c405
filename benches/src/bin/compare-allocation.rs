//! Side-by-side runs of `modelops-allocation` against its peers, one thread each.
//!
//! The instances are generated here, written as JSON under `target/compare/allocation`, and read by both sides. Only solving
//! is timed, not the reading. A peer that does not finish is stopped at the time that its name says: `proven` is 0 there, and
//! its time is that of the stop. Two proven values must be equal, and none may be above a proven one.

#[path = "../allocation/placement.rs"]
mod placement;

use std::fs;
use std::path::Path;

use modelops_allocation::pipeline::{DeviceKind, Layer, graph};
use modelops_allocation::{Item, Offer, SolverOptions, Status, assign, choose_variants, knapsack};
use modelops_benches::{Better, Case, Comparison, results_dir};
use modelops_testkit::allocation::{
    CHOICE_FAMILIES, KNAPSACK_FAMILIES, Pair, assignment_instance, choice_instance, knapsack_instance,
};
use modelops_testkit::allocation_pipeline::PartitionCase;
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Deserialize;
use serde_json::{Value, json};

/// How many items, and the seconds that branch and bound gets on families that it does not finish.
const ITEMS: [(usize, &str); 2] = [(10_000, "4"), (100_000, "2")];
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
    assignments(&mut run, &folder);
    stages(&mut run);
    placement::run(&mut run);
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
    for (count, seconds) in ITEMS {
        for family in KNAPSACK_FAMILIES {
            let name = format!("0/1 knapsack of {count} items, {family}");
            if !run.wants(&name) {
                continue;
            }
            let (pairs, capacity) = knapsack_instance(family, count, 10_000, 1);
            let path = save(
                folder,
                &format!("knapsack-{family}-{count}"),
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
            let finishes = matches!(family, "uncorrelated" | "weakly" | "subset-sum");
            let case = if finishes && count == ITEMS[0].0 {
                case.python("OR-tools 9.15, branch and bound", "knapsack.py", &[&path, "60"])
            } else if finishes {
                case.python("OR-tools 9.15, branch and bound", "knapsack.py", &[&path, "60"])
                    .rounds(2)
                    .cold()
            } else {
                let peer = format!("OR-tools 9.15, branch and bound, stopped at {seconds} s");
                case.python(&peer, "knapsack.py", &[&path, seconds])
                    .rounds(if count == ITEMS[0].0 { 2 } else { 1 })
                    .cold()
            };
            let case = if count == ITEMS[0].0 && family == "strongly" {
                case.python("CP-SAT 9.15, stopped at 3 s", "cp_sat.py", &[&path, "3"])
            } else {
                case
            };
            judged(case, capacity).run();
        }
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
            case.python("HiGHS 1.12, stopped at 3 s", "variants.py", &[&path, "3"])
        } else {
            case.python("HiGHS 1.12", "variants.py", &[&path, "30"])
        };
        let case = case
            .python("CP-SAT 9.15, stopped at 2 s", "cp_sat.py", &[&path, "2"])
            .rounds(2);
        judged(case, budget).run();
    }
}

fn assignments(run: &mut Comparison, folder: &Path) {
    for (jobs, agents) in [(200, 10), (400, 20)] {
        let name = format!("{jobs} jobs to {agents} agents, class D");
        if !run.wants(&name) {
            continue;
        }
        let (pairs, rooms) = assignment_instance(jobs, agents, 1);
        let path = save(
            folder,
            &format!("assignment-{jobs}"),
            &json!({"offers": pairs, "capacities": rooms}),
        );
        let offers: Vec<Vec<Offer>> = pairs
            .iter()
            .map(|row| {
                row.iter()
                    .map(|(cost, weight)| Offer::new(*cost, *weight))
                    .collect()
            })
            .collect();
        run.case(&name)
            .ours(|| {
                let best =
                    assign(&offers, &rooms, &SolverOptions::default()).expect("there is an assignment");
                Answer {
                    value: best.cost,
                    weight: best.bound,
                    proven: best.status == Status::Optimal,
                }
            })
            .python("CP-SAT 9.15, stopped at 4 s", "cp_sat.py", &[&path, "4"])
            .value("cost", "", Better::Lower, |answer| answer.value as f64)
            .agree(|ours, theirs| {
                // Ours has its bound in place of a weight: nobody may be below it.
                ours.weight <= theirs.value && (!theirs.proven || theirs.value <= ours.value)
            })
            .rounds(2)
            .cold()
            .run();
    }
}

/// The published inputs, from the folder that `DNN_PARTITIONING` names; see benches/peers/allocation/stages.py.
#[expect(clippy::disallowed_methods, reason = "a program says where its peers lie")]
fn stages(run: &mut Comparison) {
    let Some(folder) = std::env::var_os("DNN_PARTITIONING") else {
        eprintln!(
            "pipeline stages: left out, DNN_PARTITIONING names no clone of msr-fiddle/dnn-partitioning"
        );
        return;
    };
    let folder = Path::new(&folder).join("throughput-inputs");
    for (kind, input) in [
        ("LayerGraphs", "resnet50_inference"),
        ("OperatorGraphs", "bert_l-3_inference"),
        ("OperatorGraphs", "bert_l-12_inference"),
        ("LayerGraphs", "gnmt_inference"),
    ] {
        let name = format!("pipeline stages, {kind} {input}");
        if !run.wants(&name) {
            continue;
        }
        let path = folder.join(kind).join(format!("{input}.json"));
        let text = fs::read_to_string(&path).expect("the input is in the clone");
        run.case(&name)
            .ours(|| {
                let case = PartitionCase::read(&text);
                let (model, kinds) = read(&case);
                let options = SolverOptions::default().with_max_states(1 << 32);
                let plan = graph(&model, &kinds, &options).expect("there is a split");
                assert_eq!(plan.status, Status::Optimal);
                plan.max_load as f64 / PartitionCase::UNIT
            })
            .python(
                "dnn-partitioning b207b6a, dp.cpp",
                "stages.py",
                &[&path.to_string_lossy()],
            )
            .value("maximum load", "ms", Better::Lower, |load| *load)
            .agree(|ours, theirs| (ours - theirs).abs() <= 1e-6)
            .rounds(if input.contains("l-12") || input.contains("gnmt") {
                1
            } else {
                3
            })
            .cold()
            .run();
    }
}

fn read(case: &PartitionCase) -> (DiGraph<Layer, ()>, [DeviceKind; 2]) {
    let mut model = DiGraph::new();
    for layer in &case.layers {
        let made = Layer::new(layer.times.clone())
            .with_memory(layer.memory)
            .with_output(layer.output)
            .with_backward(layer.backward);
        model.add_node(match layer.class {
            Some(class) => made.with_colocation(class),
            None => made,
        });
    }
    for (from, to) in &case.edges {
        model.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), ());
    }
    let [(accelerators, memory, _), (hosts, ..)] = case.kinds;
    let kinds = [
        DeviceKind::new("accelerator", accelerators, memory),
        DeviceKind::new("host", hosts, u64::MAX).without_transfers(),
    ];
    (model, kinds)
}
