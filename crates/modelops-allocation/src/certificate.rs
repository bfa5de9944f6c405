//! A bound that anybody can check: prices for the parts of a device.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fleet::Fleet;
use crate::resources::Milli;
use crate::workload::{Request, Workload};

/// Prices that prove what no plan can exceed, because a device cannot be cut at will: three shares of 400 need two devices.
///
/// Every size of share has a price, and a device costs what the dearest set of shares on it costs. Whatever the prices are, no
/// plan is worth more than all devices at their price, plus for each replica what it is worth above its own price. The
/// certificate holds the prices; [`Certificate::verify`] does this sum in exact integers, so it needs no trust in how they were
/// found. Node resources, other device resources, kinds and gangs are ignored, which only makes the bound larger.
///
/// **Formula**: U(π) = devices · K(π) + Σᵣ replicasᵣ · max(0, valueᵣ − countᵣ · π(shareᵣ)), K(π) the dearest set of shares of at
/// most 1000 in all, π(1000) = K(π).
///
/// # Example
/// ```
/// use modelops_allocation::{Certificate, DeviceDemand, Fleet, Milli, Request, Workload};
/// let fleet: Fleet = serde_json::from_str(
///     r#"{"nodes": [{"name": "n", "devices": [{"kind": "L4", "count": 3}]}]}"#)?;
/// let work = Workload::try_new(vec![
///     Request::new("a").with_replicas(9).with_value(600).with_devices(DeviceDemand::share(Milli::try_new(600)?))])?;
/// // By the total 5 would fit; a device holds only one.
/// let proof = Certificate::fit(&fleet, &work);
/// assert_eq!(proof.verify(&fleet, &work), 1800);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// P. Gilmore, R. Gomory, *A linear programming approach to the cutting-stock problem*, 1961, doi:10.1287/opre.9.6.849;
/// D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, 2015, arXiv:1412.6980; A. Farley, *A note on bounding a class of linear programming problems*, 1990, doi:10.1287/opre.38.5.922.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Certificate {
    /// Millionths of a unit of value for a share of so many thousandths.
    prices: BTreeMap<Milli, u64>,
}

/// A unit of value in the integers of the prices.
const UNIT: u128 = 1_000_000;
const ROUNDS: usize = 4000;
/// The steps shrink to a five-hundredth over the rounds.
const DECAY: f64 = 0.998_447;

/// Requests of one size of share and one value.
struct Batch {
    share: usize,
    count: u32,
    value: u64,
    free: u64,
    kept: u64,
}

impl Certificate {
    /// Prices that make the bound small, by a subgradient method.
    ///
    /// **Complexity**: 4,000 rounds of O(sizes · 1000): about a third of a second for twenty sizes.
    #[must_use]
    pub fn fit(fleet: &Fleet, workload: &Workload) -> Self {
        Self::fit_keeping(fleet, workload, &[])
    }

    /// The same for plans that keep `kept[i]` replicas of request i placed (missing entries: none).
    #[must_use]
    pub fn fit_keeping(fleet: &Fleet, workload: &Workload, kept: &[u32]) -> Self {
        let batches = batches(workload.requests(), kept);
        let mut shares: Vec<usize> = batches
            .iter()
            .map(|batch| batch.share)
            .filter(|s| (1..1000).contains(s))
            .collect();
        shares.sort_unstable();
        shares.dedup();
        let devices = fleet.devices() as f64;
        let mut search = Search {
            shares,
            devices,
            batches,
        };
        let price = search.minimise();
        let prices = search.shares.iter().zip(&price).map(|(share, price)| {
            // Truncated to the integers that the verifier reads.
            (Milli(*share as u32), (price.max(0.0) * UNIT as f64) as u64)
        });
        Self {
            prices: prices.collect(),
        }
    }

    /// What no plan of this workload on this fleet can exceed, in exact integers, from these prices and nothing else.
    #[must_use]
    pub fn verify(&self, fleet: &Fleet, workload: &Workload) -> u64 {
        self.verify_keeping(fleet, workload, &[])
    }

    /// The same for plans that keep `kept[i]` replicas of request i placed.
    #[must_use]
    pub fn verify_keeping(&self, fleet: &Fleet, workload: &Workload, kept: &[u32]) -> u64 {
        let price = |share: usize| {
            self.prices
                .get(&Milli(share as u32))
                .map_or(0, |price| i128::from(*price))
        };
        let batches = batches(workload.requests(), kept);
        let mut dearest = [0_i128; 1001];
        for room in 1..=1000 {
            dearest[room] = dearest[room - 1];
            for (share, price) in &self.prices {
                let share = share.to_u32() as usize;
                if share <= room {
                    dearest[room] = dearest[room].max(dearest[room - share] + i128::from(*price));
                }
            }
        }
        let device = dearest[1000];
        let mut bound = device * fleet.devices() as i128;
        for batch in batches {
            let cost = match batch.share {
                0 => 0,
                1000 => device * i128::from(batch.count),
                // A size without a price is free to take, which is a bound as well.
                share => price(share) * i128::from(batch.count),
            };
            let gain = i128::from(batch.value) * UNIT as i128 - cost;
            bound += i128::from(batch.free) * gain.max(0) + i128::from(batch.kept) * gain;
        }
        u64::try_from(bound.max(0) / UNIT as i128).unwrap_or(u64::MAX)
    }
}

fn batches(requests: &[Request], kept: &[u32]) -> Vec<Batch> {
    let mut merged: BTreeMap<(usize, u32, u64), (u64, u64)> = BTreeMap::new();
    for (i, request) in requests.iter().enumerate() {
        let (share, count) = request
            .devices()
            .map_or((0, 0), |d| (d.milli().to_u32() as usize, d.count()));
        let kept = kept.get(i).copied().unwrap_or(0).min(request.replicas());
        let entry = merged.entry((share, count, request.value())).or_insert((0, 0));
        entry.0 += u64::from(request.replicas() - kept);
        entry.1 += u64::from(kept);
    }
    let batch = |((share, count, value), (free, kept))| Batch {
        share,
        count,
        value,
        free,
        kept,
    };
    merged.into_iter().map(batch).collect()
}

/// Minimisation of U over the prices of the shares.
struct Search {
    shares: Vec<usize>,
    devices: f64,
    batches: Vec<Batch>,
}

impl Search {
    /// A subgradient method with steps scaled by coordinate (Adam), from one fiftieth of a device's value downwards; every
    /// round is evaluated exactly and the best is kept.
    fn minimise(&mut self) -> Vec<f64> {
        let (mut price, mut step) = self.start();
        let sizes = price.len();
        let mut gradient = vec![0.0; sizes];
        let (mut first, mut second) = (vec![0.0; sizes], vec![0.0; sizes]);
        let (mut first_left, mut second_left) = (1.0, 1.0);
        let mut best = (f64::INFINITY, price.clone());
        for _ in 0..ROUNDS {
            let bound = self.bound(&price, &mut gradient);
            if bound < best.0 {
                best = (bound, price.clone());
            }
            (first_left, second_left) = (first_left * 0.9, second_left * 0.99);
            for i in 0..sizes {
                first[i] = 0.9 * first[i] + 0.1 * gradient[i];
                second[i] = 0.99 * second[i] + 0.01 * gradient[i] * gradient[i];
                let mean = first[i] / (1.0 - first_left);
                let size = (second[i] / (1.0 - second_left)).sqrt();
                if size > 0.0 {
                    price[i] = (price[i] - step * mean / size).max(0.0);
                }
            }
            step *= DECAY;
        }
        best.1
    }

    /// Prices in proportion to the share, at the value of the last thousandth that fits; and the first step.
    fn start(&self) -> (Vec<f64>, f64) {
        let with_devices = self.batches.iter().filter(|batch| batch.share > 0);
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
        let mut left = 1000.0 * self.devices;
        let mut density = 0.0;
        for (value, milli) in dense {
            density = value;
            left -= milli;
            if left < 0.0 {
                break;
            }
        }
        let price = self.shares.iter().map(|share| density * *share as f64).collect();
        (price, 20.0 * density)
    }

    /// U and one of its subgradients.
    fn bound(&self, price: &[f64], gradient: &mut [f64]) -> f64 {
        let (table, chosen) = crate::patterns::best_sets(&self.shares, price);
        let set = crate::patterns::members(&self.shares, &chosen);
        // A whole device is worth at least what a whole request pays; a fleet of whole requests alone has no sizes.
        let device = table[1000];
        let (mut bound, mut devices) = (self.devices * device, self.devices);
        gradient.fill(0.0);
        for batch in &self.batches {
            let count = f64::from(batch.count);
            let at = self.shares.binary_search(&batch.share);
            let cost = match (batch.share, at) {
                (0, _) => 0.0,
                (1000, _) => device * count,
                (_, Ok(i)) => price[i] * count,
                (_, Err(_)) => 0.0,
            };
            let gain = batch.value as f64 - cost;
            let taken = batch.kept as f64 + if gain > 0.0 { batch.free as f64 } else { 0.0 };
            bound += taken * gain;
            match at {
                _ if batch.share == 1000 => devices -= taken * count,
                Ok(i) => gradient[i] -= taken * count,
                Err(_) => {}
            }
        }
        for (g, count) in gradient.iter_mut().zip(set) {
            *g += devices * f64::from(count);
        }
        bound
    }
}
