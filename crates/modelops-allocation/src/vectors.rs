//! The best selection under several capacities: the multi-dimensional knapsack.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::SolveError;
use crate::knapsack::knapsack;
use crate::relaxation::{advance, slope};
use crate::solver::{Item, SolverOptions, Status};

/// One thing to choose: its value and what it takes of each resource.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VectorItem {
    /// What it is worth.
    pub value: u64,
    /// What it takes of each resource.
    pub weights: Vec<u64>,
}

impl VectorItem {
    /// An item of this value and these weights.
    #[must_use]
    pub fn new(value: u64, weights: impl Into<Vec<u64>>) -> Self {
        Self {
            value,
            weights: weights.into(),
        }
    }
}

/// The answer of [`vector_knapsack`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VectorSelection {
    /// The positions of the chosen items, ascending.
    pub chosen: Vec<usize>,
    /// Their value together.
    pub value: u64,
    /// What they take of each resource together.
    pub weights: Vec<u64>,
    /// What no selection can exceed; equal to `value` when [`Status::Optimal`].
    pub bound: u64,
    /// What proves the bound, see [`vector_knapsack`]: the price of a unit of each resource, in any common unit.
    pub prices: Vec<u64>,
    /// Whether the value is proven.
    pub status: Status,
}

/// Chooses items of a large total value whose weights fit into several capacities at once, with a bound.
///
/// Use it for one device or node with memory, compute and bandwidth at the same time. With one resource [`crate::knapsack`] is
/// exact. Prices of the resources give the bound and say which items are in doubt; those are exchanged by a local search until
/// the bound is met or the limit of states is reached. Every item that is tried is a state.
///
/// **Formula**: max Σ vᵢ xᵢ subject to Σ wᵢₖ xᵢ ≤ cₖ for each resource k, xᵢ ∈ {0, 1}. With any prices pₖ, a selection fits into
/// the one knapsack with weights Σₖ pₖ wᵢₖ and capacity Σₖ pₖ cₖ; `bound` is what [`crate::knapsack`] proves for that of
/// `prices`, or the whole part of its relaxation.
///
/// # Errors
/// [`SolveError::Dimensions`] where an item has not one weight for each capacity, [`SolveError::Overflow`] where the values or the
/// weights on one resource sum to 2⁴⁰ or more.
///
/// **Complexity**: O(n · m) for each of some thirty rounds of prices (some hundred where n is below 4,096 or the limit in
/// [`SolverOptions`] allows it), O(n log n) a greedy selection, and that limit for the search.
///
/// # Example
/// ```
/// use modelops_allocation::{SolverOptions, Status, VectorItem, vector_knapsack};
/// // Memory and compute: the first two fit into the memory alone, the first and the third into both.
/// let items = [VectorItem::new(6, [5, 1]), VectorItem::new(5, [5, 6]), VectorItem::new(4, [2, 2])];
/// let best = vector_knapsack(&items, &[10, 6], &SolverOptions::default())?;
/// assert_eq!((best.chosen, best.value, best.weights), (vec![0, 2], 10, vec![7, 3]));
/// # Ok::<(), modelops_allocation::SolveError>(())
/// ```
///
/// **References**: P. Chu, J. Beasley, *A genetic algorithm for the multidimensional knapsack problem*, 1998,
/// doi:10.1023/A:1009642405419; A. Fréville, *The multidimensional 0-1 knapsack problem: an overview*, 2004,
/// doi:10.1016/S0377-2217(03)00274-1.
#[doc(alias("multidimensional_knapsack", "MKP"))]
pub fn vector_knapsack(
    items: &[VectorItem],
    capacities: &[u64],
    options: &SolverOptions,
) -> Result<VectorSelection, SolveError> {
    check(items, capacities)?;
    // Above every sum of weights a capacity does not bind.
    let capacities: Vec<i64> = capacities
        .iter()
        .map(|room| (*room).min(1 << 40) as i64)
        .collect();
    let weights: Vec<i64> = items
        .iter()
        .flat_map(|item| item.weights.iter().map(|weight| (*weight).min(1 << 41) as i64))
        .collect();
    let mut search = Search {
        values: items.iter().map(|item| item.value as i64).collect(),
        weights,
        dims: capacities.len(),
        room: capacities.clone(),
        taken: vec![false; items.len()],
        value: 0,
        best: (0, vec![false; items.len()]),
        left: options.max_states,
    };
    let prices = search.prices(&capacities);
    let (bound, prices) = search.bound(&capacities, &prices);
    search.improve(bound, &prices);
    let (value, taken) = search.best;
    let chosen: Vec<usize> = (0..items.len()).filter(|i| taken[*i]).collect();
    let total = |k: usize| chosen.iter().map(|i| items[*i].weights[k]).sum();
    Ok(VectorSelection {
        value: value as u64,
        weights: (0..capacities.len()).map(total).collect(),
        bound: bound as u64,
        prices: prices.iter().map(|price| *price as u64).collect(),
        status: if bound == value {
            Status::Optimal
        } else {
            Status::StateLimit
        },
        chosen,
    })
}

fn check(items: &[VectorItem], capacities: &[u64]) -> Result<(), SolveError> {
    let mut sums = vec![0_u128; capacities.len() + 1];
    for (i, item) in items.iter().enumerate() {
        if item.weights.len() != capacities.len() {
            return Err(SolveError::Dimensions {
                item: i,
                weights: item.weights.len(),
                capacities: capacities.len(),
            });
        }
        // What does not fit alone is never chosen.
        if item
            .weights
            .iter()
            .zip(capacities)
            .all(|(weight, room)| weight <= room)
        {
            sums[0] += u128::from(item.value);
            for (sum, weight) in sums[1..].iter_mut().zip(&item.weights) {
                *sum += u128::from(*weight);
            }
        }
    }
    match sums.iter().position(|sum| *sum >= 1 << 40) {
        Some(0) => Err(SolveError::Overflow { what: "values" }),
        Some(_) => Err(SolveError::Overflow { what: "weights" }),
        None => Ok(()),
    }
}

/// Rounds of the descent to prices.
const ROUNDS: usize = 400;

/// So many of them on all items, whatever the limit of states.
const FEW: usize = 30;

/// Of more items than this a sample is looked at first.
const SAMPLE: usize = 4096;

/// So many items in doubt are exchanged.
const CORE: usize = 64;

/// States of the one knapsack that proves the bound.
const STATES: u64 = 1 << 18;

struct Search {
    values: Vec<i64>,
    /// By item and resource.
    weights: Vec<i64>,
    dims: usize,
    room: Vec<i64>,
    taken: Vec<bool>,
    value: i64,
    best: (i64, Vec<bool>),
    left: u64,
}

impl Search {
    fn weights(&self, item: usize) -> &[i64] {
        &self.weights[item * self.dims..][..self.dims]
    }

    fn fits(&self, item: usize) -> bool {
        self.weights(item)
            .iter()
            .zip(&self.room)
            .all(|(weight, room)| weight <= room)
    }

    fn flip(&mut self, item: usize) {
        let sign = if self.taken[item] { -1 } else { 1 };
        self.taken[item] = !self.taken[item];
        self.value += sign * self.values[item];
        for (room, weight) in self.room.iter_mut().zip(&self.weights[item * self.dims..]) {
            *room -= sign * weight;
        }
    }

    fn keep(&mut self) {
        if self.value > self.best.0 {
            self.best = (self.value, self.taken.clone());
        }
    }

    /// Takes what fits in this order.
    fn fill(&mut self, order: impl Iterator<Item = usize>) {
        for item in order {
            self.left = self.left.saturating_sub(1);
            if !self.taken[item] && self.fits(item) {
                self.flip(item);
            }
        }
        self.keep();
    }

    /// What an item is worth above these prices.
    fn surplus(&self, item: usize, prices: &[f64]) -> f64 {
        let cost: f64 = self
            .weights(item)
            .iter()
            .zip(prices)
            .map(|(w, p)| *w as f64 * p)
            .sum();
        self.values[item] as f64 - cost
    }

    /// Prices of the resources, and greedy selections by them.
    fn prices(&mut self, capacities: &[i64]) -> Vec<f64> {
        let possible: Vec<usize> = (0..self.values.len()).filter(|i| self.fits(*i)).collect();
        let rooms: Vec<f64> = capacities.iter().map(|room| *room as f64).collect();
        let mut prices = vec![0.0; self.dims];
        if possible.len() > SAMPLE {
            // What a part of the items says of the prices is nearly true of all, and takes a part of the time.
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
            let sample: Vec<usize> = (0..SAMPLE)
                .map(|_| possible[rng.random_range(0..possible.len())])
                .collect();
            prices = self.descend(&sample, &possible, &rooms, prices);
        }
        self.descend(&possible, &possible, &rooms, prices)
    }

    /// Subgradient steps on the items of a sample, with a greedy selection of all that is possible now and then.
    fn descend(
        &mut self,
        sample: &[usize],
        possible: &[usize],
        rooms: &[f64],
        mut prices: Vec<f64>,
    ) -> Vec<f64> {
        let part = sample.len() as f64 / possible.len().max(1) as f64;
        let (mut best, mut least, mut pace, mut stale) = (prices.clone(), f64::INFINITY, 1.0, 0);
        for round in 0..ROUNDS {
            let mut over: Vec<f64> = rooms.iter().map(|room| -room * part).collect();
            let mut value: f64 = prices.iter().zip(&over).map(|(p, over)| -p * over).sum();
            for item in sample {
                let surplus = self.surplus(*item, &prices);
                if surplus > 0.0 {
                    value += surplus;
                    over.iter_mut()
                        .zip(self.weights(*item))
                        .for_each(|(over, w)| *over += *w as f64);
                }
            }
            self.left = self.left.saturating_sub(sample.len() as u64);
            if value < least {
                (best, least, stale) = (prices.clone(), value, 0);
            } else {
                stale += 1;
                if stale == 10 {
                    (pace, stale) = (pace * 0.7, 0);
                }
            }
            if round % 40 == 0 {
                self.greedy(possible, &prices);
            }
            let slope = slope(&over, &prices);
            if slope == 0.0 || (self.left == 0 && round >= FEW && sample.len() > SAMPLE) {
                break;
            }
            let step = pace * (value - self.best.0 as f64 * part).max(part) / slope;
            advance(&mut prices, &over, step);
        }
        self.greedy(possible, &best);
        best
    }

    /// From nothing, by value for the price.
    fn greedy(&mut self, possible: &[usize], prices: &[f64]) {
        for item in 0..self.taken.len() {
            if self.taken[item] {
                self.flip(item);
            }
        }
        let mut order: Vec<(f64, usize)> = possible
            .iter()
            .map(|i| {
                let value = self.values[*i] as f64;
                (value / (value - self.surplus(*i, prices)).max(1e-9), *i)
            })
            .collect();
        order.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.fill(order.into_iter().map(|(_, item)| item));
    }

    /// The best bound of the prices as whole numbers, and those.
    fn bound(&mut self, capacities: &[i64], prices: &[f64]) -> (i64, Vec<i64>) {
        let possible: Vec<usize> = (0..self.values.len())
            .filter(|i| self.weights(*i).iter().zip(capacities).all(|(w, room)| w <= room))
            .collect();
        let everything: i64 = possible.iter().map(|i| self.values[*i]).sum();
        let most = prices.iter().copied().fold(0.0, f64::max);
        let mut best = (everything, vec![0; self.dims]);
        // Finer prices prove more; coarser ones make the one knapsack easier.
        for digits in [1 << 20, 1 << 12, 1 << 6] {
            if most <= 0.0 || best.0 == self.best.0 {
                break;
            }
            let whole: Vec<i64> = prices
                .iter()
                .map(|price| (price / most * f64::from(digits)).round() as i64)
                .collect();
            let priced = |weights: &[i64]| -> i128 {
                weights
                    .iter()
                    .zip(&whole)
                    .map(|(w, p)| i128::from(*w) * i128::from(*p))
                    .sum()
            };
            let items: Vec<Item> = possible
                .iter()
                .map(|i| {
                    Item::new(
                        self.values[*i] as u64,
                        u64::try_from(priced(self.weights(*i))).unwrap_or(u64::MAX),
                    )
                })
                .collect();
            let options = SolverOptions::default().with_max_states(STATES.min(self.left));
            self.left -= STATES.min(self.left) / 4;
            // Where the priced weights are too large together they are refused, and coarser prices are tried.
            if let Ok(chosen) = knapsack(&items, priced(capacities).min(1 << 62) as u64, &options)
                && (chosen.bound as i64) < best.0
            {
                best = (chosen.bound as i64, whole);
            }
        }
        best
    }

    /// Exchanges of the items in doubt until the bound is met or nothing is left.
    fn improve(&mut self, bound: i64, prices: &[i64]) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        // The price of all: what makes the taken and the others meet.
        let cost = |search: &Self, item: usize| -> f64 {
            let weights = search.weights(item).iter().zip(prices);
            weights.map(|(w, p)| *w as f64 * *p as f64).sum::<f64>().max(1e-9)
        };
        let mut ratio: Vec<(f64, usize)> = (0..self.values.len())
            .filter(|i| self.values[*i] > 0)
            .map(|i| (self.values[i] as f64 / cost(self, i), i))
            .collect();
        ratio.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        self.taken_from_best();
        let count = self.taken.iter().filter(|taken| **taken).count();
        let from = count.saturating_sub(CORE / 2).min(ratio.len());
        let to = (count + CORE / 2).min(ratio.len());
        let core: Vec<usize> = ratio[from..to].iter().map(|(_, i)| *i).collect();
        if core.is_empty() {
            return;
        }
        let mut order = core.clone();
        let mut rounds = 0_u64;
        while self.best.0 < bound && self.left > 0 {
            rounds += 1;
            if rounds.is_multiple_of(64) {
                self.taken_from_best();
            }
            let start = self.value;
            let before = self.taken.clone();
            // A few go out, and everything else comes in by chance and by worth.
            for _ in 0..rng.random_range(1..=4) {
                let item = core[rng.random_range(0..core.len())];
                if self.taken[item] {
                    self.flip(item);
                } else {
                    self.force(item, &core, &mut rng);
                }
            }
            for at in 1..order.len() {
                if rng.random_range(0..4) == 0 {
                    order.swap(at - 1, at);
                }
            }
            self.fill(order.iter().copied());
            self.swaps(&core);
            self.keep();
            if self.value < start - start / 2000 {
                for item in &core {
                    if self.taken[*item] != before[*item] {
                        self.flip(*item);
                    }
                }
            }
            if rounds.is_multiple_of(16) {
                order.clone_from(&core);
            }
        }
    }

    /// Puts an item in, and others of the core out until everything fits.
    fn force(&mut self, item: usize, core: &[usize], rng: &mut Xoshiro256PlusPlus) {
        self.flip(item);
        let mut at = rng.random_range(0..core.len());
        for _ in 0..core.len() {
            if self.room.iter().all(|room| *room >= 0) {
                return;
            }
            at = (at + 1) % core.len();
            let out = core[core.len() - 1 - at];
            let helps = self
                .room
                .iter()
                .zip(self.weights(out))
                .any(|(room, w)| *room < 0 && *w > 0);
            if out != item && self.taken[out] && helps {
                self.flip(out);
            }
        }
        if self.room.iter().any(|room| *room < 0) {
            self.flip(item);
        }
    }

    fn taken_from_best(&mut self) {
        let best = self.best.1.clone();
        for (item, taken) in best.iter().enumerate() {
            if self.taken[item] != *taken {
                self.flip(item);
            }
        }
    }

    /// One in for one out, as long as that gains.
    fn swaps(&mut self, core: &[usize]) {
        let mut again = true;
        while again && self.left > 0 {
            again = false;
            for out in core {
                if !self.taken[*out] {
                    continue;
                }
                self.left = self.left.saturating_sub(core.len() as u64 / 4);
                let weights = self.weights(*out);
                let better = core.iter().find(|into| {
                    !self.taken[**into]
                        && self.values[**into] > self.values[*out]
                        && self
                            .weights(**into)
                            .iter()
                            .zip(&self.room)
                            .zip(weights)
                            .all(|((w, room), freed)| *w <= room + freed)
                });
                if let Some(into) = better.copied() {
                    self.flip(*out);
                    self.flip(into);
                    again = true;
                }
            }
        }
    }
}
