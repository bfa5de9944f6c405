//! Prices that make the bound of a certificate small. Nothing here has to be exact: the verifier decides what the prices prove.

use crate::market::Market;
use crate::patterns::{best_sets, members};

/// Rounds on the shares alone, then on all prices.
const ROUNDS: [usize; 2] = [4000, 2000];
/// The steps shrink to a five-hundredth over the first rounds.
const DECAY: f64 = 0.998_447;

/// A subgradient method with steps scaled by coordinate (Adam); every round is evaluated and the best is kept.
pub(crate) struct Search<'a> {
    market: &'a Market,
    shares: usize,
    resources: usize,
    /// The needs of each batch, as numbers.
    needs: Vec<Vec<f64>>,
    capacity: Vec<Vec<f64>>,
    /// The first step of each coordinate.
    steps: Vec<f64>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(market: &'a Market) -> Self {
        let number = |amounts: &[u128]| amounts.iter().map(|amount| *amount as f64).collect();
        let capacity: Vec<Vec<f64>> = market
            .classes
            .iter()
            .map(|class| number(&class.capacity))
            .collect();
        Self {
            market,
            shares: market.groups.len() * market.sizes.len(),
            resources: capacity.first().map_or(0, Vec::len),
            needs: market.batches.iter().map(|batch| number(&batch.needs)).collect(),
            capacity,
            steps: Vec::new(),
        }
    }

    /// The prices of the shares by group, and of the resources by class.
    pub(crate) fn minimise(mut self) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
        let start = self.start();
        let mut price = start.clone();
        let mut least = f64::INFINITY;
        for (phase, rounds) in ROUNDS.into_iter().enumerate() {
            // First only what is cut: a price of what is never short would only disturb.
            let moving = if phase == 0 { self.shares } else { price.len() };
            if phase == 1 {
                // The shares are nearly right already.
                self.steps[..self.shares].iter_mut().for_each(|step| *step *= 0.1);
            }
            (least, price) = self.descend(price, moving, rounds);
        }
        if self.market.sizes == [1000] {
            // Nothing is cut: perhaps devices are plenty, and what nodes have is all that is short.
            self.steps[..self.shares].fill(0.0);
            let free = vec![0.0; start.len()];
            let other = self.descend(free, start.len(), ROUNDS[1]);
            if other.0 < least {
                price = other.1;
            }
        }
        let sizes = self.market.sizes.len();
        let (shares, resources) = price.split_at(self.shares);
        let group = |g: usize| shares[g * sizes..(g + 1) * sizes].to_vec();
        let class = |c: usize| resources[c * self.resources..(c + 1) * self.resources].to_vec();
        (
            (0..self.market.groups.len()).map(group).collect(),
            (0..self.market.classes.len()).map(class).collect(),
        )
    }

    /// The least bound that was met, and its prices.
    fn descend(&self, mut price: Vec<f64>, moving: usize, rounds: usize) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; price.len()];
        let (mut first, mut second) = (vec![0.0; moving], vec![0.0; moving]);
        let (mut first_left, mut second_left) = (1.0, 1.0);
        let mut best = (f64::INFINITY, price.clone());
        let mut shrunk = 1.0;
        for _ in 0..rounds {
            let bound = self.bound(&price, &mut gradient);
            if bound < best.0 {
                best = (bound, price.clone());
            }
            (first_left, second_left) = (first_left * 0.9, second_left * 0.99);
            for i in 0..moving {
                first[i] = 0.9 * first[i] + 0.1 * gradient[i];
                second[i] = 0.99 * second[i] + 0.01 * gradient[i] * gradient[i];
                let mean = first[i] / (1.0 - first_left);
                let size = (second[i] / (1.0 - second_left)).sqrt();
                if size > 0.0 {
                    price[i] = (price[i] - self.steps[i] * shrunk * mean / size).max(0.0);
                }
            }
            shrunk *= DECAY;
        }
        best
    }

    /// Shares at the value of the last thousandth that fits, resources for nothing; and the first steps.
    fn start(&mut self) -> Vec<f64> {
        let devices: f64 = self.market.groups.iter().map(|count| *count as f64).sum();
        let with_devices = self.market.batches.iter().filter(|batch| batch.share > 0);
        let mut dense: Vec<(f64, f64)> = with_devices
            .map(|batch| {
                let milli = batch.share as f64 * f64::from(batch.count);
                (
                    batch.value as f64 / milli,
                    milli * (batch.free + batch.kept) as f64,
                )
            })
            .collect();
        dense.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut left = 1000.0 * devices;
        let mut density = 0.0;
        for (value, milli) in dense {
            density = value;
            left -= milli;
            if left < 0.0 {
                break;
            }
        }
        let mut price = Vec::new();
        for _ in &self.market.groups {
            price.extend(self.market.sizes.iter().map(|size| density * *size as f64));
        }
        self.steps = vec![20.0 * density; self.shares];
        let worth: f64 = self
            .market
            .batches
            .iter()
            .map(|b| b.value as f64 * (b.free + b.kept) as f64)
            .sum();
        for i in 0..self.resources {
            let total: f64 = self.capacity.iter().map(|capacity| capacity[i]).sum();
            let step = if total > 0.0 { 0.005 * worth / total } else { 0.0 };
            for (c, _) in self.capacity.iter().enumerate() {
                // By class, resources inside: the step of (c, i) lies at shares + c · resources + i.
                let at = self.shares + c * self.resources + i;
                if self.steps.len() <= at {
                    self.steps
                        .resize(self.shares + self.capacity.len() * self.resources, 0.0);
                }
                self.steps[at] = step;
            }
        }
        price.resize(self.shares + self.capacity.len() * self.resources, 0.0);
        self.steps.resize(price.len(), 0.0);
        price
    }

    /// U and one of its subgradients.
    fn bound(&self, price: &[f64], gradient: &mut [f64]) -> f64 {
        let (market, sizes) = (self.market, &self.market.sizes);
        gradient.fill(0.0);
        let mut bound = 0.0;
        // What a device of each group costs, the set that makes it so, and how many are left to pay for.
        let mut device = Vec::with_capacity(market.groups.len());
        for (g, count) in market.groups.iter().enumerate() {
            let (table, chosen) = best_sets(sizes, &price[g * sizes.len()..(g + 1) * sizes.len()]);
            bound += *count as f64 * table[1000];
            device.push((table[1000], members(sizes, &chosen), *count as f64));
        }
        for (c, capacity) in self.capacity.iter().enumerate() {
            let at = self.shares + c * self.resources;
            for (i, amount) in capacity.iter().enumerate() {
                bound += amount * price[at + i];
                gradient[at + i] += amount;
            }
        }
        for (batch, needs) in market.batches.iter().zip(&self.needs) {
            let size = sizes.binary_search(&batch.share).ok();
            let share = |g: usize| match (batch.share, size) {
                (1000, _) => device[g].0,
                (_, Some(i)) => price[g * sizes.len() + i],
                _ => 0.0,
            };
            let mut best: Option<(f64, usize, Option<usize>)> = None;
            for (c, groups) in &batch.places {
                let cheapest = groups
                    .iter()
                    .copied()
                    .min_by(|a, b| share(*a).total_cmp(&share(*b)));
                let at = self.shares + c * self.resources;
                let mut gain = batch.value as f64 - f64::from(batch.count) * cheapest.map_or(0.0, share);
                for (need, price) in needs.iter().zip(&price[at..]) {
                    gain -= need * price;
                }
                if best.is_none_or(|(most, ..)| gain > most) {
                    best = Some((gain, *c, cheapest));
                }
            }
            let Some((gain, c, group)) = best else { continue };
            let taken = batch.kept as f64 + if gain > 0.0 { batch.free as f64 } else { 0.0 };
            bound += taken * gain;
            if taken > 0.0 {
                let at = self.shares + c * self.resources;
                for (i, need) in needs.iter().enumerate() {
                    gradient[at + i] -= taken * need;
                }
                if let Some(g) = group {
                    match (batch.share, size) {
                        (1000, _) => device[g].2 -= taken * f64::from(batch.count),
                        (_, Some(i)) => gradient[g * sizes.len() + i] -= taken * f64::from(batch.count),
                        _ => {}
                    }
                }
            }
        }
        for (g, (_, set, left)) in device.iter().enumerate() {
            for (i, count) in set.iter().enumerate() {
                gradient[g * sizes.len() + i] += left * f64::from(*count);
            }
        }
        bound
    }
}
