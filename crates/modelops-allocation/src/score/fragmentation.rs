//! The gradient of expected fragmentation.

use std::collections::BTreeMap;

use crate::resources::Milli;
use crate::score::lanes::Lanes;
use crate::score::{NodeView, Score, Trial};
use crate::space::Space;
use crate::workload::Request;

/// The steps in which two fragmentation gradients differ; within one step they tie, and the tie rule decides.
///
/// Steps are not a detail: on the openb trace ([`crate::trace`]) the exact gradient places 2.3 points less than the published steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quantum {
    /// ⌊100 · sigmoid(gradient in devices)⌋, as the published experiments score.
    Percent,
    /// Steps of this many thousandths of a device; 0 and 1: as fine as integers are.
    Milli(u32),
}

/// Places where the expected fragmentation of the free devices grows least (FGD).
///
/// Fragmentation is the share of devices that typical requests cannot use: for a typical request, all that is free where it does
/// not fit, else the devices on which no part of it fits. The typical requests are those of a known workload, the most frequent
/// first, until they cover `popularity` of it. Node resources that scores do not look at are ignored.
///
/// **Formula**: F(n) = Σₘ freqₘ · fragment(n, m); score = quantum(F(n) − F(n after placing)).
///
/// **Numerics**: F is kept as an integer over the number of typical requests, so there is no rounding and ties are exact.
///
/// **Complexity**: O(distinct typical demands · devices) for a state, once.
///
/// **References**: Q. Weng et al., *Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
/// Descent*, USENIX ATC 2023.
///
/// # Example
/// ```
/// use modelops_allocation::score::FragmentationGradient;
/// use modelops_allocation::{DeviceDemand, Fleet, Greedy, Milli, Request, Workload};
/// let fleet: Fleet = serde_json::from_str(
///     r#"{"nodes": [{"name": "idle", "devices": [{"kind": "L4"}]}, {"name": "used", "devices": [{"kind": "L4"}]}]}"#)?;
/// let half = Request::new("half").with_devices(DeviceDemand::share(Milli::try_new(500)?)).with_replicas(2);
/// let whole = Request::new("whole").with_devices(DeviceDemand::whole(1));
/// let policy = FragmentationGradient::new(&[half.clone(), whole.clone()]);
/// let plan = Greedy::new(policy).plan(&fleet, &Workload::try_new(vec![half, whole])?);
/// // Both halves share a device, which leaves a whole one.
/// assert_eq!(plan.value(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "FGD")]
#[derive(Clone, Debug)]
pub struct FragmentationGradient {
    typical: Vec<(Request, u64)>,
    popularity: Milli,
    quantum: Quantum,
    groups: Vec<Group>,
    /// What typical requests that never use a device weigh.
    without: i64,
    total: i64,
    /// The least gradient of each published step.
    steps: Vec<i64>,
    /// The same demands laid out for fleets whose devices have a share and nothing else.
    lanes: Option<Lanes>,
}

/// Typical requests with the same demand on a device.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) device: Box<[u64]>,
    pub(super) allowed: Box<[u64]>,
    pub(super) members: Vec<Member>,
}

#[derive(Clone, Debug)]
pub(super) struct Member {
    /// By position in [`Space::scored`].
    pub(super) node: Box<[u64]>,
    pub(super) count: u32,
    pub(super) weight: i64,
}

impl FragmentationGradient {
    /// The published policy for a workload like `typical`: 95 % popularity, percent steps.
    #[must_use]
    pub fn new(typical: &[Request]) -> Self {
        let mut counts: Vec<(Request, u64)> = Vec::new();
        let mut at: std::collections::HashMap<Request, usize> = std::collections::HashMap::new();
        for request in typical {
            let shape = request
                .clone()
                .with_name("")
                .with_replicas(1)
                .with_value(1)
                .with_priority(0);
            let replicas = u64::from(request.replicas());
            let index = *at.entry(shape).or_insert_with_key(|shape| {
                counts.push((shape.clone(), 0));
                counts.len() - 1
            });
            counts[index].1 += replicas;
        }
        Self {
            typical: counts,
            popularity: Milli(950),
            quantum: Quantum::Percent,
            groups: Vec::new(),
            without: 0,
            total: 1,
            steps: Vec::new(),
            lanes: None,
        }
    }

    /// The same, taking as typical what covers this part of the workload.
    #[must_use]
    pub fn with_popularity(mut self, popularity: Milli) -> Self {
        self.popularity = popularity;
        self
    }

    /// The same with these steps.
    #[must_use]
    pub fn with_quantum(mut self, quantum: Quantum) -> Self {
        self.quantum = quantum;
        self
    }

    /// The expected fragmentation of a node in thousandths of a device, times [`Self::total`].
    fn fragmentation(&self, node: NodeView<'_>) -> i64 {
        match &self.lanes {
            Some(lanes) => lanes.fragmentation(node.row),
            None => self.by_definition(node),
        }
    }

    /// The same, demand by demand.
    fn by_definition(&self, node: NodeView<'_>) -> i64 {
        let row = node.row;
        let all = node.free_share() as i64;
        let mut sum = self.without * all;
        let space = node.space;
        let width = space.device_dims();
        let devices = &row[1 + space.node_dims()..space.devices_end];
        for group in &self.groups {
            let allowed = group.allowed[row[0] as usize];
            let (mut fitting, mut lost) = (0, 0);
            if allowed == 0 {
                // The type does not match: all that is free is lost to it.
            } else if width == 1 {
                let need = group.device[0];
                for (i, free) in devices.iter().enumerate() {
                    let fits = *free >= need && allowed >> i & 1 == 1;
                    fitting += u32::from(fits);
                    lost += if fits { 0 } else { *free as i64 };
                }
            } else {
                for (i, free) in devices.chunks_exact(width).enumerate() {
                    let fits =
                        allowed >> i & 1 == 1 && free.iter().zip(&group.device).all(|(f, need)| f >= need);
                    fitting += u32::from(fits);
                    lost += if fits { 0 } else { free[0] as i64 };
                }
            }
            for member in &group.members {
                let fits = fitting >= member.count
                    && space
                        .scored
                        .iter()
                        .zip(&member.node)
                        .all(|(i, need)| row[1 + i] >= *need);
                sum += member.weight * if fits { lost } else { all };
            }
        }
        sum
    }

    /// What [`Self::fragmentation`] is a multiple of.
    pub(crate) fn total(&self) -> i64 {
        self.total
    }

    /// The step of a gradient that is given times [`Self::total`].
    fn step(&self, gradient: i64) -> i64 {
        match self.quantum {
            Quantum::Percent => self.steps.partition_point(|least| *least <= gradient) as i64,
            Quantum::Milli(quantum) => gradient.div_euclid(self.total * i64::from(quantum.max(1))),
        }
    }
}

impl Score for FragmentationGradient {
    fn prepare(&mut self, space: &Space) {
        type Key = (Vec<u64>, Box<[u64]>, u32, Box<[u64]>);
        let mut merged: BTreeMap<Key, u64> = BTreeMap::new();
        for (request, count) in &self.typical {
            let demand = space.demand(request);
            let node = space.scored.iter().map(|i| demand.node[*i]).collect();
            *merged
                .entry((node, demand.device, demand.count, demand.allowed))
                .or_insert(0) += count;
        }
        let all: u64 = merged.values().sum();
        let mut typical: Vec<(Key, u64)> = merged.into_iter().collect();
        // The most frequent first; of equals the larger.
        typical.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
        let enough = u128::from(all) * u128::from(self.popularity.to_u32());
        self.groups.clear();
        (self.without, self.total) = (0, 0);
        for ((node, device, count, allowed), times) in typical {
            if self.total as u128 * 1000 >= enough {
                break;
            }
            let weight = times as i64;
            self.total += weight;
            if count == 0 {
                self.without += weight;
                continue;
            }
            let member = Member {
                node: node.into(),
                count,
                weight,
            };
            match self
                .groups
                .iter_mut()
                .find(|group| group.device == device && group.allowed == allowed)
            {
                Some(group) => group.members.push(member),
                None => self.groups.push(Group {
                    device,
                    allowed,
                    members: vec![member],
                }),
            }
        }
        self.lanes = Lanes::new(space, &self.groups, self.total);
        self.total = self.total.max(1);
        let least = |percent: i32| {
            let odds = f64::from(percent) / f64::from(100 - percent);
            // Rounded to a billionth of a device, so that the last bit of a logarithm does not matter.
            let billionths = (odds.ln() * 1e9).round() as i128;
            (billionths * i128::from(self.total) * 1000).div_euclid(1_000_000_000) as i64
                + i64::from((billionths * i128::from(self.total) * 1000).rem_euclid(1_000_000_000) > 0)
        };
        self.steps = (1..100).map(least).collect();
    }

    fn standing(&self, node: NodeView<'_>) -> i64 {
        self.fragmentation(node)
    }

    fn score(&self, trial: &Trial<'_>) -> i64 {
        self.step(trial.standing - self.fragmentation(trial.after))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Device, DeviceDemand, Fleet, Node, Resources};

    fn request(cpu: u64, share: u32, count: u32, kind: usize) -> Request {
        let request = Request::new("r").with_resource("cpu", cpu);
        let kinds = [&["L4"][..], &["T4"], &["L4", "T4"], &[]][kind];
        match (count, share) {
            (0, _) => request,
            (1, share) if share < 1000 => {
                let share = Milli::try_new(share).expect("at most a device");
                request.with_devices(DeviceDemand::share(share).with_kinds(kinds.iter().copied()))
            }
            _ => request.with_devices(DeviceDemand::whole(count).with_kinds(kinds.iter().copied())),
        }
    }

    proptest! {
        #[test]
        fn eight_at_a_time_is_the_definition(
            typical in prop::collection::vec((0..6_u64, 1..1001_u32, 0..5_u32, 0..4_usize), 0..30),
            nodes in prop::collection::vec((0..8_u64, prop::collection::vec(any::<bool>(), 0..9)), 1..5),
            used in prop::collection::vec((0..5_usize, 0..8_u64, prop::collection::vec(0..1001_u64, 8)), 1..20),
            scored in any::<bool>(),
        ) {
            let typical: Vec<Request> = typical.iter().map(|(cpu, share, n, kind)| request(*cpu, *share, *n, *kind)).collect();
            let node = |(i, (cpu, devices)): (usize, &(u64, Vec<bool>))| {
                let made = Node::new(format!("{i}"), Resources::new().with("cpu", *cpu));
                let kind = |l4: &bool| Device::new(if *l4 { "L4" } else { "T4" }, Resources::new());
                devices.iter().fold(made, |node, l4| node.with_devices(1, &kind(l4)))
            };
            let fleet = Fleet::try_new(nodes.iter().enumerate().map(node).collect()).expect("distinct names");
            let names = if scored { vec!["cpu".to_owned()] } else { Vec::new() };
            let space = Space::new(&fleet, Some(&names), false);
            let mut score = FragmentationGradient::new(&typical);
            score.prepare(&space);
            prop_assert!(score.lanes.is_some());
            for (class, cpu, free) in &used {
                let class = &space.classes[class % space.classes.len()];
                let mut row = class.full.to_vec();
                row[1] = row[1].min(*cpu);
                for (cell, free) in row[2..].iter_mut().zip(free) {
                    *cell = (*cell).min(*free);
                }
                let view = NodeView { space: &space, row: &row };
                prop_assert_eq!(score.fragmentation(view), score.by_definition(view));
            }
        }
    }
}
