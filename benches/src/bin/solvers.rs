//! What the exact solvers of `modelops-allocation` take and prove on generated classic instances, from one command:
//!
//! ```sh
//! cargo run --release -p modelops-benches --features allocation --bin solvers -- [knapsack|variants]
//! ```
//!
//! Without a part every part is printed. Five instances a family, the median of seven runs each (three of large ones); times are
//! wall time of one thread; run it on an idle machine.

use std::time::Instant;

use modelops_allocation::{Item, SolverOptions, Status, choose_variants, knapsack};
use modelops_testkit::allocation::{
    CHOICE_FAMILIES, KNAPSACK_FAMILIES, Pair, choice_instance, knapsack_instance,
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
        let mut times: Vec<f64> = (0..rounds).map(|_| timed(&mut run)).collect();
        times.sort_unstable_by(f64::total_cmp);
        line += &format!(" {:8.3}", 1e3 * times[rounds / 2]);
    }
    println!("{line} ms, {proven} of {} proven", SEEDS.count());
}

#[expect(
    clippy::disallowed_methods,
    reason = "measuring time is what this package is for"
)]
fn timed(mut run: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    std::hint::black_box(run());
    start.elapsed().as_secs_f64()
}
