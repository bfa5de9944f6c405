//! What is sold and who buys: the fleet and the workload as a price sees them.

use std::collections::{BTreeMap, HashMap};

use crate::fleet::Fleet;
use crate::kernel::fit;
use crate::space::Space;
use crate::workload::Workload;

/// A fleet and a workload, reduced to what has a price.
pub(crate) struct Market {
    /// How many devices there are of each group of kinds that the same requests accept.
    pub(crate) groups: Vec<u64>,
    /// Equal nodes together.
    pub(crate) classes: Vec<Seller>,
    /// The sizes of shares, a whole device among them where one is asked for.
    pub(crate) sizes: Vec<usize>,
    /// Replicas that need the same and are worth the same.
    pub(crate) batches: Vec<Batch>,
}

/// A class of equal nodes.
pub(crate) struct Seller {
    /// What all of them have of each resource of the node, and then of their devices beside the share.
    pub(crate) capacity: Vec<u128>,
}

/// Replicas that need the same and are worth the same.
pub(crate) struct Batch {
    pub(crate) share: usize,
    pub(crate) count: u32,
    pub(crate) value: u64,
    pub(crate) free: u64,
    pub(crate) kept: u64,
    /// What one needs of each resource, in the order of [`Seller::capacity`].
    pub(crate) needs: Vec<u128>,
    /// The classes on which it fits, with the groups of its devices there.
    pub(crate) places: Vec<(usize, Vec<usize>)>,
}

impl Market {
    pub(crate) fn new(fleet: &Fleet, workload: &Workload, kept: &[u32]) -> Self {
        let space = Space::new(fleet, None, false);
        let demands: Vec<_> = workload
            .requests()
            .iter()
            .map(|request| space.demand(request))
            .collect();
        // Two kinds are one group where every request accepts both or neither.
        let mut lists: Vec<&[String]> = demands.iter().map(|demand| &demand.kinds[..]).collect();
        lists.sort_unstable();
        lists.dedup();
        let mut ids: BTreeMap<Vec<bool>, usize> = BTreeMap::new();
        let group_of: Vec<usize> = space
            .kinds
            .iter()
            .map(|kind| {
                let accepted = lists
                    .iter()
                    .map(|list| list.is_empty() || list.contains(kind))
                    .collect();
                let next = ids.len();
                *ids.entry(accepted).or_insert(next)
            })
            .collect();
        let mut groups = vec![0_u64; ids.len()];
        let width = space.device_dims();
        let seller = |class: &crate::space::Class| {
            let own = class.full[1..=space.node_dims()].iter();
            let times = u128::from(class.nodes);
            let mut capacity: Vec<u128> = own.map(|amount| u128::from(*amount) * times).collect();
            for i in 1..width {
                let cells = class.full[1 + space.node_dims()..space.devices_end]
                    .iter()
                    .skip(i)
                    .step_by(width);
                capacity.push(cells.map(|amount| u128::from(*amount)).sum::<u128>() * times);
            }
            Seller { capacity }
        };
        let classes: Vec<Seller> = space.classes.iter().map(seller).collect();
        for class in &space.classes {
            for kind in &class.kinds {
                groups[group_of[*kind as usize]] += class.nodes;
            }
        }
        let mut at: HashMap<(crate::space::Demand, u64), usize> = HashMap::new();
        let mut batches: Vec<Batch> = Vec::new();
        for (i, (request, demand)) in workload.requests().iter().zip(demands).enumerate() {
            let kept = kept.get(i).copied().unwrap_or(0).min(request.replicas());
            let batch = *at
                .entry((demand, request.value()))
                .or_insert_with_key(|(demand, value)| {
                    let mut needs: Vec<u128> = demand.node.iter().map(|need| u128::from(*need)).collect();
                    let each = demand.device[1..].iter();
                    needs.extend(each.map(|need| u128::from(*need) * u128::from(demand.count)));
                    let places = space
                        .classes
                        .iter()
                        .enumerate()
                        .filter(|(_, class)| fit::fits(&space, &class.full, demand));
                    let places = places.map(|(c, class)| {
                        let fitting = if demand.count == 0 {
                            0
                        } else {
                            fit::fitting(&space, &class.full, demand)
                        };
                        let devices = class
                            .kinds
                            .iter()
                            .enumerate()
                            .filter(|(d, _)| fitting >> d & 1 == 1);
                        let mut groups: Vec<usize> =
                            devices.map(|(_, kind)| group_of[*kind as usize]).collect();
                        groups.sort_unstable();
                        groups.dedup();
                        (c, groups)
                    });
                    batches.push(Batch {
                        share: demand.share() as usize,
                        count: demand.count,
                        value: *value,
                        free: 0,
                        kept: 0,
                        needs,
                        places: places.collect(),
                    });
                    batches.len() - 1
                });
            batches[batch].free += u64::from(request.replicas() - kept);
            batches[batch].kept += u64::from(kept);
        }
        let mut sizes: Vec<usize> = batches
            .iter()
            .map(|batch| batch.share)
            .filter(|share| *share > 0)
            .collect();
        sizes.sort_unstable();
        sizes.dedup();
        Self {
            groups,
            classes,
            sizes,
            batches,
        }
    }
}
