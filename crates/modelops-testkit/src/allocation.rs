//! Oracles and instance generators for `modelops-allocation`, on plain numbers.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A value and a weight.
pub type Pair = (u64, u64);

/// The best value of a 0/1 knapsack by the textbook table over the capacity: O(n · capacity).
#[must_use]
pub fn knapsack_by_table(items: &[Pair], capacity: u64) -> u64 {
    let mut best = vec![0_u64; capacity as usize + 1];
    for (value, weight) in items {
        for room in (*weight as usize..best.len()).rev() {
            best[room] = best[room].max(best[room - *weight as usize] + value);
        }
    }
    best[capacity as usize]
}

/// The best value with exactly one pair of each class, by a table over the capacity; `None` where nothing fits.
#[must_use]
pub fn choice_by_table(classes: &[Vec<Pair>], capacity: u64) -> Option<u64> {
    let mut best = vec![Some(0_u64); capacity as usize + 1];
    for class in classes {
        best = (0..=capacity)
            .map(|room| {
                let choices = class.iter().filter(|(_, weight)| *weight <= room);
                choices
                    .filter_map(|(v, w)| best[(room - w) as usize].map(|rest| rest + v))
                    .max()
            })
            .collect();
    }
    best[capacity as usize]
}

/// The best division of units among tables, by trying every division.
#[must_use]
pub fn division_by_trial(tables: &[Vec<u64>], units: usize) -> u64 {
    let Some((first, rest)) = tables.split_first() else {
        return 0;
    };
    let options = first.iter().take(units + 1).enumerate();
    options
        .map(|(take, value)| value + division_by_trial(rest, units - take))
        .max()
        .unwrap_or(0)
}

/// The best value of placing vectors into nodes, by trying every node for every vector.
#[must_use]
pub fn packing_by_trial(nodes: &mut [Vec<u64>], demands: &[(Vec<u64>, u64)]) -> u64 {
    let Some(((need, value), rest)) = demands.split_first() else {
        return 0;
    };
    let mut best = packing_by_trial(nodes, rest);
    for i in 0..nodes.len() {
        if nodes[i].iter().zip(need).all(|(free, need)| free >= need) {
            nodes[i]
                .iter_mut()
                .zip(need)
                .for_each(|(free, need)| *free -= need);
            best = best.max(value + packing_by_trial(nodes, rest));
            nodes[i]
                .iter_mut()
                .zip(need)
                .for_each(|(free, need)| *free += need);
        }
    }
    best
}

/// The least cost of giving every job to one agent, by trying everything; `offers[job][agent]` is a cost and a weight.
#[must_use]
pub fn assignment_by_trial(offers: &[Vec<Pair>], rooms: &mut [u64]) -> Option<u64> {
    let Some((job, rest)) = offers.split_first() else {
        return Some(0);
    };
    let mut best: Option<u64> = None;
    for agent in 0..rooms.len() {
        let (cost, weight) = job[agent];
        if weight <= rooms[agent] {
            rooms[agent] -= weight;
            let total = assignment_by_trial(rest, rooms).map(|rest| rest + cost);
            rooms[agent] += weight;
            best = best.into_iter().chain(total).min();
        }
    }
    best
}

/// The fewest bins for these sizes, by trying every bin that is open and one more.
#[must_use]
pub fn bins_by_trial(sizes: &[u64], capacity: u64, rooms: &mut Vec<u64>) -> usize {
    let Some((size, rest)) = sizes.split_first() else {
        return rooms.len();
    };
    rooms.push(capacity);
    let mut best = bins_by_trial_into(*size, rest, capacity, rooms, rooms.len() - 1);
    rooms.pop();
    for bin in 0..rooms.len() {
        if rooms[bin] >= *size {
            best = best.min(bins_by_trial_into(*size, rest, capacity, rooms, bin));
        }
    }
    best
}

fn bins_by_trial_into(size: u64, rest: &[u64], capacity: u64, rooms: &mut Vec<u64>, bin: usize) -> usize {
    rooms[bin] -= size;
    let bins = bins_by_trial(rest, capacity, rooms);
    rooms[bin] += size;
    bins
}

/// Jobs and agents after class D of P. Chu and J. Beasley (1997), the hardest: what is cheap is heavy, and 80 % of the mean
/// weight on an agent is its capacity. Each offer is a cost and a weight.
#[must_use]
pub fn assignment_instance(jobs: usize, agents: usize, seed: u64) -> (Vec<Vec<Pair>>, Vec<u64>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut offer = || {
        let weight = rng.random_range(1..=100_u64);
        (111 - weight + rng.random_range(0..=20) - 10, weight)
    };
    let offers: Vec<Vec<Pair>> = (0..jobs)
        .map(|_| (0..agents).map(|_| offer()).collect())
        .collect();
    let total = |agent: usize| offers.iter().map(|row| row[agent].1).sum::<u64>();
    let rooms = (0..agents)
        .map(|agent| total(agent) * 4 / (5 * agents as u64))
        .collect();
    (offers, rooms)
}

/// The classic families of knapsack instances (D. Pisinger, *Where are the hard knapsack problems?*, 2005,
/// doi:10.1016/j.cor.2004.03.002).
pub const KNAPSACK_FAMILIES: [&str; 8] = [
    "uncorrelated",
    "weakly",
    "strongly",
    "inverse",
    "almost",
    "subset-sum",
    "even-odd",
    "similar",
];

/// `count` items of a family with coefficients up to `range`, and half their weight as capacity (odd for `even-odd`).
///
/// # Panics
/// If there is no such family.
#[must_use]
pub fn knapsack_instance(family: &str, count: usize, range: u64, seed: u64) -> (Vec<Pair>, u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let tenth = range / 10;
    let mut item = || {
        let w = rng.random_range(1..=range);
        match family {
            "uncorrelated" => (rng.random_range(1..=range), w),
            "weakly" => (rng.random_range(w.saturating_sub(tenth).max(1)..=w + tenth), w),
            "strongly" => (w + tenth, w),
            "inverse" => (w, w + tenth),
            "almost" => (
                rng.random_range(w + tenth - range / 500..=w + tenth + range / 500),
                w,
            ),
            "subset-sum" => (w, w),
            "even-odd" => (2 * w.div_ceil(2) + tenth, 2 * w.div_ceil(2)),
            "similar" => (rng.random_range(1..=1000), rng.random_range(100_000..=100_100)),
            _ => panic!("no family `{family}`"),
        }
    };
    let items: Vec<Pair> = (0..count).map(|_| item()).collect();
    let half = items.iter().map(|(_, weight)| weight).sum::<u64>() / 2;
    let capacity = if family == "even-odd" { half | 1 } else { half };
    (items, capacity)
}

/// Families of multiple-choice instances (D. Pisinger, *A minimal algorithm for the multiple-choice knapsack problem*, 1995),
/// and one of accelerator memory in MiB against a logarithmic utility.
pub const CHOICE_FAMILIES: [&str; 5] = ["uncorrelated", "weakly", "strongly", "sorted", "memory"];

/// `count` classes of `width` pairs, and the middle between the lightest and the heaviest choice as budget.
///
/// # Panics
/// If there is no such family.
#[must_use]
pub fn choice_instance(
    family: &str,
    count: usize,
    width: usize,
    range: u64,
    seed: u64,
) -> (Vec<Vec<Pair>>, u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut draw = |low: u64, high: u64| rng.random_range(low..=high);
    let mut class = || -> Vec<Pair> {
        let mut weights: Vec<u64> = (0..width).map(|_| draw(1, range)).collect();
        match family {
            "uncorrelated" => weights.into_iter().map(|w| (draw(1, range), w)).collect(),
            "weakly" => weights
                .into_iter()
                .map(|w| (draw(w.saturating_sub(10).max(1), w + 10), w))
                .collect(),
            "strongly" => {
                weights.sort_unstable();
                let (mut value, mut weight) = (0, 0);
                let mut add = |w: u64| {
                    (value, weight) = (value + w + 10, weight + w);
                    (value, weight)
                };
                weights.into_iter().map(&mut add).collect()
            }
            "sorted" => {
                let mut values: Vec<u64> = (0..width).map(|_| draw(1, range)).collect();
                weights.sort_unstable();
                values.sort_unstable();
                values.into_iter().zip(weights).collect()
            }
            "memory" => {
                let (base, demand) = (draw(500, 8000), draw(1, 1000));
                let step = |j: u64| {
                    let mib = base * (j + 1) + draw(0, 511);
                    ((demand as f64 * (mib as f64).ln()) as u64, mib)
                };
                (0..width as u64).map(step).collect()
            }
            _ => panic!("no family `{family}`"),
        }
    };
    let classes: Vec<Vec<Pair>> = (0..count).map(|_| class()).collect();
    let sum = |pick: fn(&Vec<Pair>) -> Option<u64>| classes.iter().filter_map(pick).sum::<u64>();
    let lightest = sum(|class| class.iter().map(|(_, w)| *w).min());
    let heaviest = sum(|class| class.iter().map(|(_, w)| *w).max());
    (classes, u64::midpoint(lightest, heaviest))
}

/// Families of bin-packing instances: uniform sizes and triplets of E. Falkenauer (*A hybrid grouping genetic algorithm for bin
/// packing*, 1996), and those after A. Scholl, R. Klein and C. Jürgens (*BISON*, 1997) and P. Schwerin and G. Wäscher (*The
/// bin-packing problem*, 1997).
pub const BIN_FAMILIES: [&str; 6] = [
    "uniform", "triplets", "scholl-1", "scholl-2", "scholl-3", "schwerin",
];

/// The sizes of `count` items of a family and the capacity of a bin. Triplets come in threes that fill a bin, so a third of
/// their number is the least number of bins.
///
/// # Panics
/// If there is no such family.
#[must_use]
pub fn bin_instance(family: &str, count: usize, seed: u64) -> (Vec<u64>, u64) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (low, high, capacity) = match family {
        "uniform" => (20, 100, 150),
        "scholl-1" => (
            [1, 20, 30][seed as usize % 3],
            100,
            [100, 120, 150][seed as usize / 3 % 3],
        ),
        // Around a third, a fifth, a seventh or a ninth of the bin.
        "scholl-2" => {
            let mean = 1000 / [3, 5, 7, 9][seed as usize % 4];
            let spread = mean * [20, 50, 90][seed as usize / 4 % 3] / 100;
            (mean - spread, mean + spread, 1000)
        }
        "scholl-3" => (20_000, 35_000, 100_000),
        "schwerin" => (150, 200, 1000),
        "triplets" => {
            let mut sizes = Vec::new();
            for _ in 0..count / 3 {
                let large = rng.random_range(380..=490);
                let middle = rng.random_range(250..=(1000 - large) / 2);
                sizes.extend([large, middle, 1000 - large - middle]);
            }
            return (sizes, 1000);
        }
        _ => panic!("no family `{family}`"),
    };
    (
        (0..count).map(|_| rng.random_range(low..=high)).collect(),
        capacity,
    )
}

/// Values with the weights on `dims` resources of `count` items, and a part of the weights together as capacities, after P. Chu
/// and J. Beasley (*A genetic algorithm for the multidimensional knapsack problem*, 1998).
#[must_use]
pub fn vector_instance(dims: usize, count: usize, part: f64, seed: u64) -> (Vec<(u64, Vec<u64>)>, Vec<u64>) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let items: Vec<(u64, Vec<u64>)> = (0..count)
        .map(|_| {
            let weights: Vec<u64> = (0..dims).map(|_| rng.random_range(1..=1000)).collect();
            (
                weights.iter().sum::<u64>() / dims as u64 + rng.random_range(1..=500),
                weights,
            )
        })
        .collect();
    let room = |k: usize| items.iter().map(|(_, weights)| weights[k]).sum::<u64>();
    let rooms = (0..dims).map(|k| (part * room(k) as f64) as u64).collect();
    (items, rooms)
}
