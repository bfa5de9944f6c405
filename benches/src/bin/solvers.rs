//! What the exact solvers of `modelops-allocation` take and prove on generated classic instances, from one command:
//!
//! ```sh
//! cargo run --release -p modelops-benches --features allocation --bin solvers -- [knapsack|variants|bins|vectors]
//! ```
//!
//! Without a part every part is printed. Five instances a family, the median of seven runs each (three of large ones); times are
//! wall time of one thread; run it on an idle machine.

use std::time::Instant;

use modelops_allocation::{
    Item, SolverOptions, Status, VectorItem, choose_variants, knapsack, pack, vector_knapsack,
};
use modelops_testkit::allocation::{
    CHOICE_FAMILIES, KNAPSACK_FAMILIES, Pair, bin_instance, choice_instance, knapsack_instance,
    vector_instance,
};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=5;

fn main() {
    let part = std::env::args().nth(1);
    let wants = |name: &str| part.as_deref().is_none_or(|part| part == name);
    if wants("knapsack") {
        for count in [10_000, 100_000] {
            println!("0/1 knapsack, {count} items, coefficients up to 10,000");
            for family in KNAPSACK_FAMILIES {
                table(family, count, |seed| {
                    let (pairs, capacity) = knapsack_instance(family, count, 10_000, seed);
                    let items = items(&pairs);
                    move || {
                        let best = knapsack(&items, capacity, &SolverOptions::default())
                            .expect("the sums are small");
                        best.status == Status::Optimal
                    }
                });
            }
        }
    }
    if wants("variants") {
        for count in [1_000, 10_000] {
            println!("one variant of each of {count} classes of 10, weights up to 1,000");
            for family in CHOICE_FAMILIES {
                table(family, count, |seed| {
                    let (pairs, budget) = choice_instance(family, count, 10, 1_000, seed);
                    let classes: Vec<Vec<Item>> = pairs.iter().map(|class| items(class)).collect();
                    move || {
                        let plan = choose_variants(&classes, budget, &SolverOptions::default())
                            .expect("the budget is large enough");
                        plan.status == Status::Optimal
                    }
                });
            }
        }
    }
    if wants("bins") {
        bins();
    }
    if wants("vectors") {
        vectors();
    }
}

/// Twenty instances a set: the bins over the bound, or over the known optimum of triplets.
fn bins() {
    println!("bins: twenty instances a set, 2^21 states each");
    for (family, count) in [
        ("uniform", 120),
        ("uniform", 250),
        ("uniform", 500),
        ("uniform", 1000),
        ("triplets", 60),
        ("triplets", 120),
        ("triplets", 249),
        ("triplets", 501),
        ("scholl-1", 100),
        ("scholl-1", 500),
        ("scholl-2", 100),
        ("scholl-2", 500),
        ("scholl-3", 200),
        ("schwerin", 100),
        ("schwerin", 120),
    ] {
        let (mut used, mut bound, mut greedy, mut least, mut proven) = (0, 0, 0, 0, 0);
        let mut times: Vec<f64> = Vec::new();
        for seed in 0..20 {
            let (sizes, capacity) = bin_instance(family, count, seed);
            let (packing, time) = timed(|| {
                pack(
                    &sizes,
                    capacity,
                    &SolverOptions::default().with_max_states(1 << 21),
                )
                .expect("all sizes fit")
            });
            let best_fit =
                pack(&sizes, capacity, &SolverOptions::default().with_max_states(0)).expect("all sizes fit");
            used += packing.bins.len();
            bound += packing.bound;
            greedy += best_fit.bins.len();
            least += if family == "triplets" {
                count / 3
            } else {
                packing.bound
            };
            proven += usize::from(packing.status == Status::Optimal);
            times.push(time);
        }
        times.sort_unstable_by(f64::total_cmp);
        println!(
            "  {family:9} {count:5} items: {used:5} bins, bound {bound:5}, over the least known {:4}, best fit {:4}, {proven:2} proven, median {:7.2} ms, most {:7.2}",
            used - least,
            greedy - least,
            1e3 * times[10],
            1e3 * times[19]
        );
    }
}

/// Three capacities of three instances a set: the gap to the bound.
fn vectors() {
    println!("several resources: nine instances a set, 2^21 states each");
    for dims in [5, 10, 30] {
        for count in [100, 250, 500] {
            let (mut gaps, mut times) = (Vec::new(), Vec::new());
            for seed in 0..9 {
                let (pairs, rooms) = vector_instance(dims, count, [0.25, 0.5, 0.75][seed as usize % 3], seed);
                let items: Vec<VectorItem> = pairs
                    .into_iter()
                    .map(|(value, weights)| VectorItem::new(value, weights))
                    .collect();
                let options = SolverOptions::default().with_max_states(1 << 21);
                let (found, time) =
                    timed(|| vector_knapsack(&items, &rooms, &options).expect("the sums are small"));
                gaps.push(100.0 * (found.bound as f64 / found.value as f64 - 1.0));
                times.push(1e3 * time);
            }
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
            println!(
                "  {dims:2} resources, {count:3} items: mean gap to the bound {:.3} %, most {:.3} %, mean {:6.1} ms",
                mean(&gaps),
                most(&gaps),
                mean(&times)
            );
        }
    }
}

fn items(pairs: &[Pair]) -> Vec<Item> {
    pairs
        .iter()
        .map(|(value, weight)| Item::new(*value, *weight))
        .collect()
}

/// One line: the median time of each seed, in milliseconds, and how many were proven.
fn table<F: FnMut() -> bool>(family: &str, count: usize, instance: impl Fn(u64) -> F) {
    let mut line = format!("  {family:13}");
    let mut proven = 0;
    for seed in SEEDS {
        let mut run = instance(seed);
        proven += usize::from(run());
        let rounds = if count >= 100_000 { 3 } else { 7 };
        let mut times: Vec<f64> = (0..rounds).map(|_| timed(&mut run).1).collect();
        times.sort_unstable_by(f64::total_cmp);
        line += &format!(" {:8.3}", 1e3 * times[rounds / 2]);
    }
    println!("{line} ms, {proven} of {} proven", SEEDS.count());
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this package is for"
)]
fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    let output = std::hint::black_box(run());
    (output, start.elapsed().as_secs_f64())
}
