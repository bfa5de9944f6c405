//! Why something does not fit, and the smallest change after which it would.

use std::fmt;

use crate::kernel::fit;
use crate::ledger::Ledger;
use crate::reject::{Blocker, DEVICES, Rejection};
use crate::resources::Resources;
use crate::scheduler::differing;
use crate::space::{Demand, SHARE, Space};
use crate::topology::{self, Verdict};
use crate::workload::Request;

/// Why a replica fits nowhere, and what would let it in.
///
/// # Example
/// ```
/// use modelops_allocation::score::BestFit;
/// use modelops_allocation::{Fleet, Greedy, Node, Rejection, Request, Resources, Scheduler};
/// let cpu = |n| Resources::new().with("cpu", n);
/// let fleet = Fleet::try_new(vec![Node::new("a", cpu(10)), Node::new("b", cpu(8))])?;
/// let mut scheduler = Scheduler::new(&fleet, &Greedy::new(BestFit::default()));
/// scheduler.place(&Request::new("x").with_resource("cpu", 7))?; // on b
/// scheduler.place(&Request::new("y").with_resource("cpu", 5))?; // on a
/// let answer = scheduler.why_not(&Request::new("z").with_resource("cpu", 6)).expect("nothing has 6 left");
/// assert!(matches!(answer.reason, Rejection::Fragmented { total_free: 6, largest_free: 5, .. }));
/// let change = answer.change.expect("there are nodes");
/// assert_eq!((change.node, change.resources.amount("cpu")), (0, 1)); // one more on a
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "why_pending")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The smallest true reason.
    pub reason: Rejection,
    /// The smallest change after which it fits; `None` where there is no node.
    pub change: Option<Change>,
}

/// What one node would have to have left for one replica to fit, beyond what it has now.
///
/// Freed, added, or not asked for: each does. **Formula**: of all nodes that the rules allow the one where the sum over what
/// lacks, each in millionths of the most that any node or device of the fleet has of it and a device that is not there as one
/// million more, is least. Where it fits already but a rule forbids it, nothing lacks and `waived` says which rules would have to
/// go, as few as any node allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The position of the node.
    pub node: usize,
    /// What lacks of the node's own resources.
    pub resources: Resources,
    /// What lacks on devices; those where nothing lacks are left out.
    pub devices: Vec<DeviceChange>,
    /// The rules that would have to go.
    pub waived: Vec<Blocker>,
}

/// What lacks on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceChange {
    /// The position of the device on its node; `None` for one that would have to be added, of an accepted kind.
    pub device: Option<usize>,
    /// What lacks; the share under `device_milli`.
    pub resources: Resources,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut part = |f: &mut fmt::Formatter<'_>, text: fmt::Arguments<'_>| {
            let comma = if std::mem::take(&mut first) { "" } else { ", " };
            write!(f, "{comma}{text}")
        };
        for (name, amount) in self.resources.iter() {
            part(f, format_args!("{amount} more {name}"))?;
        }
        // Devices that need the same are told together.
        let mut alike: Vec<(&DeviceChange, usize)> = Vec::new();
        for device in &self.devices {
            let same = |other: &DeviceChange| match (device.device, other.device) {
                (None, None) => true,
                (Some(_), Some(_)) => device.resources == other.resources,
                _ => false,
            };
            match alike.iter_mut().find(|(other, _)| same(other)) {
                Some((_, count)) => *count += 1,
                None => alike.push((device, 1)),
            }
        }
        for (device, count) in alike {
            match (device.device, count) {
                (None, 1) => part(f, format_args!("one more device"))?,
                (None, _) => part(f, format_args!("{count} more devices"))?,
                (Some(_), _) => {
                    for (name, amount) in device.resources.iter() {
                        match count {
                            1 => part(f, format_args!("{amount} more {name} on one device"))?,
                            _ => part(f, format_args!("{amount} more {name} on each of {count} devices"))?,
                        }
                    }
                }
            }
        }
        for blocker in &self.waived {
            part(f, format_args!("the rule {blocker} waived"))?;
        }
        Ok(())
    }
}

/// What has been read of the states, by demand; only states that changed are read again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    by_demand: Vec<Option<Gauge>>,
}

/// What each state has of each need of one demand, side by side for all states.
#[derive(Clone, Debug)]
struct Gauge {
    /// Why not even an empty fleet would do.
    never: Option<Rejection>,
    needs: Vec<Need>,
    /// The most that a device of the fleet has.
    largest_device: Vec<u64>,
    /// The epoch of each state when it was read.
    epochs: Vec<u32>,
    /// Bit i: need i is met. Nothing is met where no node is in the state.
    met: Vec<u128>,
    /// What lacks, by the formula of [`Change`].
    lack: Vec<u64>,
    /// By need and state: the most in one place, and the sum over the places of one node. An explanation reads one need only.
    amounts: Vec<Vec<(u64, u64)>>,
    /// How many states meet each need, and how many meet all.
    meeting: Vec<u32>,
    fitting: u32,
    /// The states where least lacks, and how much that is.
    nearest: Vec<u32>,
    least: u64,
    /// The amounts of one state, and the states that changed: kept for their memory.
    row: Vec<(u64, u64)>,
    changed: Vec<u32>,
}

/// One need of a demand that a node may or may not meet.
#[derive(Clone, Copy, Debug)]
enum Need {
    Node(usize),
    Device(usize),
    Devices,
}

impl Gauges {
    /// The reason and the change; `None` where one more replica fits.
    pub(crate) fn explain(
        &mut self,
        ledger: &mut Ledger,
        demand: u32,
        request: &Request,
    ) -> Option<Explanation> {
        let shape = std::sync::Arc::clone(ledger.demand(demand));
        let space = std::sync::Arc::clone(ledger.space());
        if space.classes.is_empty() {
            let reason = Rejection::NoNodes;
            return Some(Explanation { reason, change: None });
        }
        if self.by_demand.len() <= demand as usize {
            self.by_demand.resize(demand as usize + 1, None);
        }
        let gauge = self.by_demand[demand as usize].get_or_insert_with(|| Gauge::new(&space, &shape));
        gauge.refresh(ledger, &space, &shape);
        let verdicts = if topology::unruled(ledger, request) {
            Vec::new()
        } else {
            topology::verdicts(ledger, request)
        };
        let all = (1_u128 << gauge.needs.len()) - 1;
        let state_of = ledger.state_of();
        let allowed = |node: usize| verdicts.iter().all(|verdict| verdict.allowed[node]);
        if gauge.fitting > 0 && shape.missing.is_empty() {
            let fits = |node: &usize| gauge.met[state_of[*node] as usize] == all;
            let places: Vec<usize> = (0..state_of.len()).filter(fits).collect();
            if places.iter().any(|node| allowed(*node)) {
                return None;
            }
            return Some(forbidden(ledger, &verdicts, &places));
        }
        let reason = match &gauge.never {
            Some(never) => never.clone(),
            None => gauge.now(ledger, &space, &shape),
        };
        let (node, waived) = if verdicts.is_empty() {
            debug_assert!(gauge.least > 0, "it would fit");
            let firsts = gauge.nearest.iter().filter_map(|state| ledger.first(*state));
            let first = firsts.min();
            (first?.1 as usize, Vec::new())
        } else {
            let lack = |state: u32| gauge.lack[state as usize];
            let key = |node: &usize| (lack(state_of[*node]), ledger.rank(*node));
            let nodes = 0..state_of.len();
            match nodes.clone().filter(|node| allowed(*node)).min_by_key(key) {
                Some(node) => (node, Vec::new()),
                None => {
                    let broken = |node: usize| verdicts.iter().filter(|v| !v.allowed[node]).count();
                    let node = nodes.min_by_key(|node| (broken(*node), key(node)))?;
                    (node, broken_at(ledger, &verdicts, node))
                }
            }
        };
        let change = gauge.change(&space, ledger.row(node), &shape, node, waived);
        Some(Explanation {
            reason,
            change: Some(change),
        })
    }
}

/// The rules that a node breaks.
fn broken_at(ledger: &Ledger, verdicts: &[Verdict], node: usize) -> Vec<Blocker> {
    let broken = verdicts.iter().filter(|verdict| !verdict.allowed[node]);
    broken
        .map(|verdict| named(ledger, &verdict.blocker, &[node]))
        .collect()
}

/// A rule as it is told about these nodes: of taints those that one of them has.
fn named(ledger: &Ledger, blocker: &Blocker, nodes: &[usize]) -> Blocker {
    let mut blocker = blocker.clone();
    if let Blocker::UntoleratedTaint { taints } = &mut blocker {
        taints.retain(|taint| ledger.space().topology.tainted(taint, nodes));
    }
    blocker
}

/// The answer where it fits on `places` and rules forbid each of them.
fn forbidden(ledger: &Ledger, verdicts: &[Verdict], places: &[usize]) -> Explanation {
    let blocks = |set: &[&Verdict]| {
        let mut places = places.iter();
        places.all(|node| set.iter().any(|verdict| !verdict.allowed[*node]))
    };
    let mut set: Vec<&Verdict> = verdicts.iter().collect();
    for i in (0..set.len()).rev() {
        let mut without = set.clone();
        without.remove(i);
        if blocks(&without) {
            set = without;
        }
    }
    let blockers: Vec<Blocker> = set
        .iter()
        .map(|verdict| named(ledger, &verdict.blocker, places))
        .collect();
    let reason = match &blockers[..] {
        [Blocker::MaxPerNode { most }] => Rejection::MaxPerNode { most: *most },
        [Blocker::UntoleratedTaint { taints }] => Rejection::UntoleratedTaint {
            taints: taints.clone(),
        },
        _ => Rejection::AffinityConflict { blockers },
    };
    let broken = |node: usize| verdicts.iter().filter(|verdict| !verdict.allowed[node]).count();
    let least = places
        .iter()
        .min_by_key(|node| (broken(**node), ledger.rank(**node)));
    let change = least.map(|node| Change {
        node: *node,
        resources: Resources::new(),
        devices: Vec::new(),
        waived: broken_at(ledger, verdicts, *node),
    });
    Explanation { reason, change }
}

impl Gauge {
    fn new(space: &Space, shape: &Demand) -> Self {
        let node = (0..space.node_dims()).filter(|i| shape.node[*i] > 0);
        let mut needs: Vec<Need> = node.map(Need::Node).collect();
        if shape.count > 0 {
            let device = (0..space.device_dims()).filter(|i| shape.device[*i] > 0);
            needs.extend(device.map(Need::Device));
            needs.push(Need::Devices);
        }
        let width = space.device_dims();
        let mut largest_device = vec![0; width];
        for class in &space.classes {
            for cell in class.full[1 + space.node_dims()..space.devices_end].chunks_exact(width) {
                for (largest, amount) in largest_device.iter_mut().zip(cell) {
                    *largest = (*largest).max(*amount);
                }
            }
        }
        let mut gauge = Self {
            never: None,
            needs,
            largest_device,
            epochs: Vec::new(),
            met: Vec::new(),
            lack: Vec::new(),
            amounts: Vec::new(),
            meeting: Vec::new(),
            fitting: 0,
            nearest: Vec::new(),
            least: u64::MAX,
            row: Vec::new(),
            changed: Vec::new(),
        };
        gauge.meeting.resize(gauge.needs.len(), 0);
        gauge.amounts.resize(gauge.needs.len(), Vec::new());
        gauge.row.resize(gauge.needs.len(), (0, 0));
        gauge.never = gauge.never(space, shape);
        gauge
    }

    fn never(&self, space: &Space, shape: &Demand) -> Option<Rejection> {
        if shape.count > 0 && shape.allowed.iter().all(|mask| *mask == 0) {
            return Some(Rejection::NoMatchingDevice {
                kinds: shape.kinds.clone(),
            });
        }
        if let Some(missing) = shape.missing.first() {
            return Some(Rejection::ExceedsEveryNode {
                resource: missing.resource.clone(),
                requested: missing.amount,
                largest: 0,
            });
        }
        let mut amounts = Vec::new();
        let mut met = Vec::new();
        for class in &space.classes {
            let at = amounts.len();
            amounts.resize(at + self.needs.len(), (0, 0));
            met.push(self.read(space, &class.full, shape, &mut amounts[at..]).0);
        }
        let somewhere = met.iter().fold(0_u128, |all, met| all | met);
        if let Some(need) = (0..self.needs.len()).find(|need| somewhere >> need & 1 == 0) {
            let largest = amounts.iter().skip(need).step_by(self.needs.len());
            return Some(Rejection::ExceedsEveryNode {
                resource: name(space, self.needs[need]),
                requested: requested(shape, self.needs[need]),
                largest: largest.map(|(best, _)| *best).max().unwrap_or(0),
            });
        }
        let resources = self.together(space, &met)?;
        Some(Rejection::ExceedsTogether { resources })
    }

    /// Reads the states that changed.
    fn refresh(&mut self, ledger: &Ledger, space: &Space, shape: &Demand) {
        let states = ledger.states();
        self.epochs.resize(states.len(), 0);
        self.met.resize(states.len(), 0);
        self.lack.resize(states.len(), u64::MAX);
        for amounts in &mut self.amounts {
            amounts.resize(states.len(), (0, 0));
        }
        let mut changed = std::mem::take(&mut self.changed);
        changed.clear();
        differing(&self.epochs, states.epochs(), &mut changed);
        let mut row = std::mem::take(&mut self.row);
        let mut stale = false;
        for state in &changed {
            let at = *state as usize;
            // An odd epoch is in use: it was counted then, and is now.
            if self.epochs[at] % 2 == 1 {
                self.count(self.met[at], u32::wrapping_sub);
            }
            stale |= self.lack[at] <= self.least;
            self.epochs[at] = states.epochs()[at];
            if states.members(*state) > 0 {
                (self.met[at], self.lack[at]) = self.read(space, states.row(*state), shape, &mut row);
                self.count(self.met[at], u32::wrapping_add);
            } else {
                (self.met[at], self.lack[at]) = (0, u64::MAX);
                row.fill((0, 0));
            }
            stale |= self.lack[at] <= self.least;
            for (amounts, amount) in self.amounts.iter_mut().zip(&row) {
                amounts[at] = *amount;
            }
        }
        (self.row, self.changed) = (row, changed);
        if stale {
            self.least = self.lack.iter().copied().min().unwrap_or(u64::MAX);
            self.nearest.clear();
            let states = (0_u32..).zip(&self.lack);
            let nearest = states.filter(|(_, lack)| **lack == self.least);
            self.nearest.extend(nearest.map(|(state, _)| state));
        }
    }

    /// Counts a state in or out.
    fn count(&mut self, met: u128, change: fn(u32, u32) -> u32) {
        for (need, meeting) in self.meeting.iter_mut().enumerate() {
            *meeting = change(*meeting, (met >> need & 1) as u32);
        }
        let all = (1_u128 << self.needs.len()) - 1;
        self.fitting = change(self.fitting, u32::from(met == all));
    }

    /// The reason in the present state, where no state meets all and an empty fleet would.
    fn now(&self, ledger: &Ledger, space: &Space, shape: &Demand) -> Rejection {
        let states = ledger.states();
        let Some(need) = self.meeting.iter().position(|states| *states == 0) else {
            let live = states.live().map(|state| self.met[state as usize]);
            let resources = self
                .together(space, &live.collect::<Vec<_>>())
                .unwrap_or_default();
            return Rejection::Scattered { resources };
        };
        let (mut largest_free, mut total) = (0, 0_u128);
        for ((best, sum), members) in self.amounts[need].iter().zip(states.all_members()) {
            largest_free = largest_free.max(*best);
            total += u128::from(*sum) * u128::from(*members);
        }
        let (resource, requested) = (name(space, self.needs[need]), requested(shape, self.needs[need]));
        let total_free = u64::try_from(total).unwrap_or(u64::MAX);
        if total_free < requested {
            Rejection::Insufficient {
                resource,
                requested,
                largest_free,
                total_free,
            }
        } else {
            Rejection::Fragmented {
                resource,
                requested,
                largest_free,
                total_free,
            }
        }
    }

    /// What a row has of each need, which needs it meets, and what lacks by the formula of [`Change`].
    fn read(&self, space: &Space, row: &[u64], shape: &Demand, amounts: &mut [(u64, u64)]) -> (u128, u64) {
        let mut lack = shape.missing.len() as u64 * MILLION;
        let mut met = 0;
        // Where a device has a share and nothing else, one look at the devices answers all.
        let shares = (shape.count > 0 && space.device_dims() == 1).then(|| most(space, row, shape, 0));
        for (i, (need, amount)) in self.needs.iter().zip(amounts.iter_mut()).enumerate() {
            *amount = match need {
                Need::Node(i) => {
                    let free = row[1 + i];
                    let short = part(shape.node[*i].saturating_sub(free), space.largest[*i]);
                    lack = lack.saturating_add(short);
                    (free, free)
                }
                Need::Device(i) => shares.unwrap_or_else(|| most(space, row, shape, *i)),
                Need::Devices
                    if shape.count == 1 && shares.is_some_and(|(best, _)| best < shape.device[0]) =>
                {
                    (0, 0)
                }
                Need::Devices => {
                    let fitting = u64::from(fit::fitting(space, row, shape).count_ones());
                    (fitting, fitting)
                }
            };
            met |= u128::from(amount.0 >= requested(shape, *need)) << i;
        }
        if let (1, Some((best, _)), true) = (shape.count, shares, shape.allowed[row[0] as usize] != 0) {
            // One share of one device: the device with the most lacks least.
            let short = part(shape.device[0].saturating_sub(best), self.largest_device[0]);
            lack = lack.saturating_add(short);
        } else if shape.count > 0 {
            let chosen = self.chosen(space, row, shape);
            lack = chosen
                .iter()
                .fold(lack, |sum, (lack, _)| sum.saturating_add(*lack));
        }
        (met, lack)
    }

    /// Needs that no place meets together, none of them superfluous; `None` where some place meets all.
    fn together(&self, space: &Space, met: &[u128]) -> Option<Vec<String>> {
        let mut blocked = (1_u128 << self.needs.len()) - 1;
        let clash = |set: u128| met.iter().all(|met| met & set != set);
        if !clash(blocked) {
            return None;
        }
        for need in 0..self.needs.len() {
            let without = blocked & !(1 << need);
            if clash(without) {
                blocked = without;
            }
        }
        let names = (0..self.needs.len()).filter(|need| blocked >> need & 1 == 1);
        Some(names.map(|need| name(space, self.needs[need])).collect())
    }

    /// The devices where least lacks, with what lacks; those that would have to be added have no position.
    fn chosen(&self, space: &Space, row: &[u64], shape: &Demand) -> Vec<(u64, Option<usize>)> {
        let allowed = shape.allowed[row[0] as usize];
        let cells = row[1 + space.node_dims()..space.devices_end].chunks_exact(space.device_dims());
        let lack = |cell: &[u64]| {
            let lacks = cell.iter().zip(&shape.device).zip(&self.largest_device);
            lacks.fold(0_u64, |sum, ((free, need), largest)| {
                sum.saturating_add(part(need.saturating_sub(*free), *largest))
            })
        };
        let mut devices: Vec<(u64, Option<usize>)> = cells
            .enumerate()
            .filter(|(i, _)| allowed >> i & 1 == 1)
            .map(|(i, cell)| (lack(cell), Some(i)))
            .collect();
        devices.sort_unstable();
        let nothing = vec![
            0;
            if devices.len() < shape.count as usize {
                space.device_dims()
            } else {
                0
            }
        ];
        while devices.len() < shape.count as usize {
            devices.push((lack(&nothing).saturating_add(MILLION), None));
        }
        devices.truncate(shape.count as usize);
        devices
    }

    fn change(
        &self,
        space: &Space,
        row: &[u64],
        shape: &Demand,
        node: usize,
        waived: Vec<Blocker>,
    ) -> Change {
        let mut resources = Resources::new();
        for ((need, free), name) in shape.node.iter().zip(&row[1..]).zip(&space.node_resources) {
            if need > free {
                resources = resources.with(name, need - free);
            }
        }
        let missing = |on_device: bool| shape.missing.iter().filter(move |m| m.on_device == on_device);
        for missing in missing(false) {
            resources = resources.with(&missing.resource, missing.amount);
        }
        let mut devices = Vec::new();
        if shape.count > 0 {
            for (_, device) in self.chosen(space, row, shape) {
                let mut lacks = Resources::new();
                for (i, need) in shape.device.iter().enumerate() {
                    let at = |d: usize| row[1 + space.node_dims() + d * space.device_dims() + i];
                    let free = device.map_or(0, at);
                    if *need > free {
                        lacks = lacks.with(&space.device_resources[i], need - free);
                    }
                }
                for missing in missing(true) {
                    lacks = lacks.with(&missing.resource, missing.amount);
                }
                if device.is_none() || !lacks.is_empty() {
                    devices.push(DeviceChange {
                        device,
                        resources: lacks,
                    });
                }
            }
        }
        Change {
            node,
            resources,
            devices,
            waived,
        }
    }
}

const MILLION: u64 = 1_000_000;

/// The most that a device of an accepted kind has of a resource, and what all of them have.
fn most(space: &Space, row: &[u64], shape: &Demand, resource: usize) -> (u64, u64) {
    let mut allowed = shape.allowed[row[0] as usize];
    let (mut best, mut sum) = (0, 0_u64);
    let devices = &row[1 + space.node_dims()..space.devices_end];
    for free in devices[resource..].iter().step_by(space.device_dims()) {
        if allowed & 1 == 1 {
            best = best.max(*free);
            sum = sum.saturating_add(*free);
        }
        allowed >>= 1;
    }
    (best, sum)
}

/// An amount in millionths of the largest, rounded up.
fn part(amount: u64, largest: u64) -> u64 {
    if amount == 0 {
        return 0;
    }
    if largest == 0 {
        return MILLION;
    }
    match amount.checked_mul(MILLION) {
        Some(product) => product.div_ceil(largest),
        None => u64::try_from((u128::from(amount) * u128::from(MILLION)).div_ceil(u128::from(largest)))
            .unwrap_or(u64::MAX),
    }
}

fn name(space: &Space, need: Need) -> String {
    match need {
        Need::Node(i) => space.node_resources[i].clone(),
        Need::Device(0) => SHARE.to_owned(),
        Need::Device(i) => space.device_resources[i].clone(),
        Need::Devices => DEVICES.to_owned(),
    }
}

fn requested(shape: &Demand, need: Need) -> u64 {
    match need {
        Need::Node(i) => shape.node[i],
        Need::Device(i) => shape.device[i],
        Need::Devices => u64::from(shape.count),
    }
}
