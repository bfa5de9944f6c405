//! Prices of the parts of a device, from the ways in which requests can share one.

use std::collections::BTreeMap;

use crate::workload::Request;

/// What each number of free thousandths of one device is worth to a workload, in millionths of a whole device.
///
/// The prices are dual: each size of share has a price, a set of requests that fits on one device together is worth at most one
/// device, and the whole workload is priced as high as that allows. A hole is worth the best set of sizes that fits into it, so
/// a hole that no combination fills well is cheap.
///
/// **Complexity**: O(rounds · sizes · 1000) once; a look-up after that.
///
/// # Example
/// ```
/// use modelops_allocation::{DeviceDemand, Milli, Prices, Request};
/// let share = |name: &str, milli| Ok::<_, modelops_allocation::ResourceError>(
///     Request::new(name).with_devices(DeviceDemand::share(Milli::try_new(milli)?)).with_replicas(10));
/// let prices = Prices::fit(&[share("a", 500)?, share("b", 250)?]);
/// assert_eq!(prices.hole(240), 0); // nothing fits
/// assert_eq!(prices.hole(260), prices.hole(499));
/// assert_eq!(prices.hole(1000), 1_000_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// P. Gilmore, R. Gomory, *A linear programming approach to the cutting-stock problem*, 1961, doi:10.1287/opre.9.6.849.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    holes: Vec<u32>,
}

/// How many rounds the prices are improved.
const ROUNDS: u32 = 2000;

impl Prices {
    /// The prices for a workload like `requests`, each counted as often as it has replicas.
    #[must_use]
    pub fn fit(requests: &[Request]) -> Self {
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        for request in requests {
            if let Some(devices) = request.devices()
                && devices.count() == 1
                && devices.milli().to_u32() < 1000
            {
                *counts.entry(devices.milli().to_u32() as usize).or_insert(0.0) +=
                    f64::from(request.replicas());
            }
        }
        let sizes: Vec<usize> = counts.keys().copied().collect();
        let counts: Vec<f64> = counts.into_values().collect();
        if sizes.is_empty() {
            return Self {
                holes: (0..=1000).map(|free| 1000 * free).collect(),
            };
        }
        let price = equilibrium(&sizes, &counts);
        let table = best_sets(&sizes, &price).0;
        let whole = table[1000].max(f64::MIN_POSITIVE);
        Self {
            holes: table
                .iter()
                .map(|value| (1e6 * value / whole).round() as u32)
                .collect(),
        }
    }

    /// What `free` thousandths of one device are worth, in millionths of a device.
    #[must_use]
    pub fn hole(&self, free: u64) -> u32 {
        self.holes[free.min(1000) as usize]
    }
}

/// The largest prices of the workload at which no set on one device is worth more than the best: a game between prices and sets,
/// by the multiplicative weights of the sizes, averaged over the rounds.
fn equilibrium(sizes: &[usize], counts: &[f64]) -> Vec<f64> {
    let mut best: Option<(f64, Vec<f64>)> = None;
    let mut price: Vec<f64> = sizes.iter().map(|size| *size as f64).collect();
    for round in 0..ROUNDS {
        let (table, chosen) = best_sets(sizes, &price);
        let set = members(sizes, &chosen);
        let worth: f64 = price.iter().zip(counts).map(|(p, c)| p * c).sum();
        let ratio = worth / table[1000];
        if best.as_ref().is_none_or(|(most, _)| ratio > *most) {
            best = Some((ratio, price.clone()));
        }
        // The gradient of log(worth) − log(best set), in the logarithms of the prices.
        let step = 0.5 / f64::from(round + 1).sqrt();
        for (i, p) in price.iter_mut().enumerate() {
            let gradient = *p * counts[i] / worth - *p * f64::from(set[i]) / table[1000];
            // Linear instead of an exponential: |gradient| ≤ 1, and the result does not depend on a library of functions.
            *p *= 1.0 + step * gradient;
        }
    }
    best.map_or_else(Vec::new, |(_, price)| price)
}

/// For every free amount the worth of the best set of sizes that fits, and the last size taken (`usize::MAX`: none).
pub(crate) fn best_sets(sizes: &[usize], price: &[f64]) -> (Vec<f64>, Vec<usize>) {
    let mut table = vec![0.0; 1001];
    let mut chosen = vec![usize::MAX; 1001];
    for free in 1..=1000 {
        table[free] = table[free - 1];
        for (i, size) in sizes.iter().enumerate() {
            if *size <= free && table[free - size] + price[i] > table[free] {
                table[free] = table[free - size] + price[i];
                chosen[free] = i;
            }
        }
    }
    (table, chosen)
}

/// How many of each size the best set of a whole device has.
pub(crate) fn members(sizes: &[usize], chosen: &[usize]) -> Vec<u32> {
    let mut counts = vec![0; sizes.len()];
    let mut free = 1000;
    while free > 0 {
        match chosen[free] {
            usize::MAX => free -= 1,
            i => {
                counts[i] += 1;
                free -= sizes[i];
            }
        }
    }
    counts
}
