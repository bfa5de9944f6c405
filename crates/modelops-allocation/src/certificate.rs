//! A bound that anybody can check: prices for the parts of a device and for what nodes have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descent::Search;
use crate::fleet::Fleet;
use crate::market::{Batch, Market};
use crate::resources::Milli;
use crate::workload::Workload;

/// Prices that prove what no plan can exceed, because a device cannot be cut at will: three shares of 400 need two devices.
///
/// Every size of share has a price, and a device costs what the dearest set of shares on it costs; what nodes have beside shares has
/// a price as well, by class of equal nodes. Whatever the prices are, no plan is worth more than the whole fleet at its prices, plus
/// for each replica what it is worth above its cheapest price. The certificate holds the prices; [`Certificate::verify`] does this
/// sum in exact integers, so it needs no trust in how they were found. Kinds of devices that different requests accept have prices
/// of their own. That a node's resources and its devices have to be free in one place, gangs and constraints are ignored, which
/// only makes the bound larger.
///
/// **Formula**: U = Σ devices(g) · K(g) + Σ nodes(c) · Σᵢ capacityᵢ(c) · λᵢ(c) + Σᵣ replicasᵣ · max(0, max over c of valueᵣ
/// − countᵣ · π(g, shareᵣ) − Σᵢ needᵢᵣ · λᵢ(c)), over groups g of kinds, classes c of equal nodes on which r fits, resources i; K(g)
/// the dearest set of shares of at most 1000 in all, a whole device being one of them; who asks for whole devices pays K(g) for each.
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
/// // And where the node has room for two of them only, its price says so.
/// let fleet: Fleet = serde_json::from_str(
///     r#"{"nodes": [{"name": "n", "resources": {"cpu": 8}, "devices": [{"kind": "L4", "count": 3}]}]}"#)?;
/// let work = Workload::try_new(vec![
///     Request::new("a").with_resource("cpu", 4).with_replicas(9).with_value(600).with_devices(DeviceDemand::whole(1))])?;
/// assert!(Certificate::fit(&fleet, &work).verify(&fleet, &work) <= 1210);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// P. Gilmore, R. Gomory, *A linear programming approach to the cutting-stock problem*, 1961, doi:10.1287/opre.9.6.849;
/// D. Kingma, J. Ba, *Adam: a method for stochastic optimization*, 2015, arXiv:1412.6980; A. Farley, *A note on bounding a class of linear programming problems*, 1990, doi:10.1287/opre.38.5.922.
#[doc(alias("proof", "optimality_gap"))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// By group of kinds: millionths of a unit of value for a share of so many thousandths.
    shares: Vec<BTreeMap<Milli, u64>>,
    /// By class of nodes: millionths for one unit of each resource, of the node and then of its devices.
    #[serde(default)]
    resources: Vec<Vec<u64>>,
}

/// A unit of value in the integers of the prices.
pub(crate) const UNIT: u128 = 1_000_000;

impl Certificate {
    /// Prices that make the bound small, by a subgradient method.
    ///
    /// **Complexity**: 6,000 rounds of O(groups · sizes · 1000 + shapes · classes): half a second for the openb trace ([`crate::trace`]).
    #[must_use]
    pub fn fit(fleet: &Fleet, workload: &Workload) -> Self {
        Self::fit_keeping(fleet, workload, &[])
    }

    /// The same for plans that keep `kept[i]` replicas of request i placed (missing entries: none).
    #[must_use]
    pub fn fit_keeping(fleet: &Fleet, workload: &Workload, kept: &[u32]) -> Self {
        let market = Market::new(fleet, workload, kept);
        let (shares, resources) = Search::new(&market).minimise();
        // Truncated to the integers that the verifier reads.
        let integer = |price: f64| (price.max(0.0) * UNIT as f64) as u64;
        let group = |prices: &Vec<f64>| {
            let sizes = market.sizes.iter().map(|size| Milli(*size as u32));
            sizes
                .zip(prices)
                .map(|(size, price)| (size, integer(*price)))
                .collect()
        };
        Self {
            shares: shares.iter().map(group).collect(),
            resources: resources
                .into_iter()
                .map(|prices| prices.into_iter().map(integer).collect())
                .collect(),
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
        let market = Market::new(fleet, workload, kept);
        // Prices beyond all measure prove nothing.
        self.bound(&market).map_or(u64::MAX, |bound| {
            u64::try_from(bound.max(0) / UNIT as i128).unwrap_or(u64::MAX)
        })
    }

    /// U in millionths; `None` where it does not fit into 127 bits.
    fn bound(&self, market: &Market) -> Option<i128> {
        let none = BTreeMap::new();
        let shares = |group: usize| self.shares.get(group).unwrap_or(&none);
        let dearest = (0..market.groups.len())
            .map(|group| dearest(shares(group)))
            .collect::<Option<Vec<i128>>>()?;
        let mut bound = 0_i128;
        for (device, price) in market.groups.iter().zip(&dearest) {
            bound = bound.checked_add(price.checked_mul(i128::from(*device))?)?;
        }
        let price = |class: usize, resource: usize| -> i128 {
            let prices = self.resources.get(class).and_then(|prices| prices.get(resource));
            prices.map_or(0, |price| i128::from(*price))
        };
        for (c, class) in market.classes.iter().enumerate() {
            for (i, capacity) in class.capacity.iter().enumerate() {
                bound = bound.checked_add(i128::try_from(*capacity).ok()?.checked_mul(price(c, i))?)?;
            }
        }
        let gain = |batch: &Batch, place: &(usize, Vec<usize>)| -> Option<i128> {
            let device = |group: &usize| match batch.share {
                0 => 0,
                1000 => dearest[*group],
                // A size without a price is free to take, which is a bound as well.
                share => shares(*group)
                    .get(&Milli(share as u32))
                    .map_or(0, |price| i128::from(*price)),
            };
            let cheapest = place.1.iter().map(device).min().unwrap_or(0);
            let mut cost = cheapest.checked_mul(i128::from(batch.count))?;
            for (i, need) in batch.needs.iter().enumerate() {
                cost = cost.checked_add(i128::try_from(*need).ok()?.checked_mul(price(place.0, i))?)?;
            }
            (i128::from(batch.value) * UNIT as i128).checked_sub(cost)
        };
        for batch in &market.batches {
            let gains = batch.places.iter().map(|place| gain(batch, place));
            let Some(most) = gains.collect::<Option<Vec<i128>>>()?.into_iter().max() else {
                continue;
            };
            bound = bound.checked_add(i128::from(batch.free).checked_mul(most.max(0))?)?;
            bound = bound.checked_add(i128::from(batch.kept).checked_mul(most)?)?;
        }
        Some(bound)
    }
}

/// What the dearest set of shares on one device costs.
fn dearest(shares: &BTreeMap<Milli, u64>) -> Option<i128> {
    let mut dearest = [0_i128; 1001];
    for room in 1..=1000 {
        dearest[room] = dearest[room - 1];
        for (share, price) in shares {
            let share = share.to_u32() as usize;
            if share <= room {
                let set = dearest[room - share].checked_add(i128::from(*price))?;
                dearest[room] = dearest[room].max(set);
            }
        }
    }
    Some(dearest[1000])
}
