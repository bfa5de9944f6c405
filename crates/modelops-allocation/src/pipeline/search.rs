//! The least maximum load over the prefixes of a graph.
//!
//! A stage is what one prefix has more than another. For a limit T the best value of every prefix and number of used devices is
//! found by walking upward from each prefix that is reached, as long as some device could run what was added within T. The
//! limit starts just above a lower bound and is raised until a split is found, so that few pairs of prefixes are looked at.

use super::DeviceKind;
use super::contract::{Contracted, NEVER};
use super::lattice::{Lattice, is_row, orders};
use crate::error::PipelineError;

pub(super) struct Found {
    /// A kind and groups for each stage, from the first.
    pub(super) parts: Vec<(usize, Vec<u32>)>,
    pub(super) max_load: u64,
    pub(super) bound: u64,
}

/// How a search ended.
enum End {
    /// The best split along these prefixes, if it is better than what was known.
    Best(Option<Found>),
    /// The limit of states was reached; no split is below this.
    Limit(u64),
}

pub(super) fn solve(
    groups: &Contracted,
    kinds: &[DeviceKind],
    max_states: u64,
) -> Result<Found, PipelineError> {
    if let Some(group) = (0..groups.len()).find(|g| groups.times(*g).iter().all(|t| *t >= NEVER)) {
        return Err(PipelineError::Unplaceable {
            layer: groups.layer_in(group),
        });
    }
    let fleet = Fleet::new(groups, kinds);
    let bound = fleet.bound(groups);
    let mut left = max_states;
    let mut best: Option<Found> = None;
    let orders = orders(groups);
    let row = orders.first().filter(|order| is_row(groups, order));
    if row.is_none() {
        // Splits along single orders limit what the full search has to look at.
        for order in &orders {
            let lattice = Lattice::along(order);
            let mut share = max_states / 16;
            let known = best.as_ref().map(|best| best.max_load);
            if let End::Best(Some(found)) =
                Walk::new(groups, &fleet, &lattice).climb(bound, known, &mut share)
            {
                best = Some(found);
            }
            left = left.saturating_sub(max_states / 16 - share);
        }
    }
    let lattice = match row {
        Some(order) => Some(Lattice::along(order)),
        None => Lattice::all(groups, left),
    };
    let known = best.as_ref().map(|best| best.max_load);
    let end = lattice.map_or(End::Limit(bound), |lattice| {
        Walk::new(groups, &fleet, &lattice).climb(bound, known, &mut left)
    });
    match (end, best) {
        (End::Best(Some(found)), _) => Ok(found),
        (End::Best(None), Some(best)) => Ok(Found {
            bound: best.max_load,
            ..best
        }),
        (End::Best(None), None) => Err(PipelineError::Infeasible),
        (End::Limit(bound), Some(best)) => Ok(Found {
            bound: bound.min(best.max_load),
            ..best
        }),
        (End::Limit(_), None) => Err(PipelineError::Undecided),
    }
}

/// The devices, and the numbers of each kind that can be in use.
struct Fleet {
    memory: Vec<u64>,
    transfers: Vec<bool>,
    /// By use: how many of each kind; the first is none.
    uses: Vec<Vec<u32>>,
    counts: Vec<u32>,
    /// By kind: how much further in `uses` one more device is.
    strides: Vec<usize>,
    /// Weights of the kinds' time, for bounds on the work of all together.
    weights: [Vec<u64>; 2],
}

/// More uses than this are not tabulated: no plan is found then.
const MOST_USES: usize = 1 << 20;

impl Fleet {
    fn new(groups: &Contracted, kinds: &[DeviceKind]) -> Self {
        let counts: Vec<u32> = kinds
            .iter()
            .map(|kind| kind.count.min(groups.len() as u32))
            .collect();
        let (mut strides, mut size) = (Vec::new(), 1_usize);
        for count in &counts {
            strides.push(size);
            size = size.saturating_mul(*count as usize + 1);
        }
        let uses = if size > MOST_USES { 0 } else { size };
        let digit = |i: usize, k: usize| (i / strides[k] % (counts[k] as usize + 1)) as u32;
        // A kind that is ten times slower counts a tenth.
        let totals: Vec<u128> = (0..kinds.len())
            .map(|k| {
                (0..groups.len())
                    .map(|g| u128::from(groups.times(g)[k]))
                    .sum::<u128>()
                    .max(1)
            })
            .collect();
        let least = totals.iter().min().copied().unwrap_or(1);
        Self {
            memory: kinds.iter().map(|kind| kind.memory).collect(),
            transfers: kinds.iter().map(|kind| kind.transfers).collect(),
            uses: (0..uses)
                .map(|i| (0..kinds.len()).map(|k| digit(i, k)).collect())
                .collect(),
            strides,
            weights: [
                vec![1; kinds.len()],
                totals
                    .iter()
                    .map(|total| (least * 1024 / total).max(1) as u64)
                    .collect(),
            ],
            counts,
        }
    }

    /// The least weighted time of a group.
    fn work(&self, groups: &Contracted, group: usize, weights: &[u64]) -> u128 {
        let times = groups.times(group).iter().zip(weights);
        let possible = times.filter(|(time, _)| **time < NEVER);
        possible
            .map(|(time, weight)| u128::from(*time) * u128::from(*weight))
            .min()
            .unwrap_or(0)
    }

    /// No split has a smaller maximum load.
    fn bound(&self, groups: &Contracted) -> u64 {
        let largest = (0..groups.len())
            .filter_map(|g| groups.times(g).iter().min())
            .max()
            .copied();
        let shared = self.weights.iter().map(|weights| {
            let work: u128 = (0..groups.len()).map(|g| self.work(groups, g, weights)).sum();
            let devices: u128 = self
                .counts
                .iter()
                .zip(weights)
                .map(|(c, w)| u128::from(*c) * u128::from(*w))
                .sum();
            work.div_ceil(devices.max(1)) as u64
        });
        shared.chain(largest).max().unwrap_or(0)
    }
}

/// A search along the prefixes of one lattice.
struct Walk<'a> {
    groups: &'a Contracted,
    fleet: &'a Fleet,
    lattice: &'a Lattice,
    /// By prefix: the weighted work that is not in it.
    rest: Vec<[u128; 2]>,
}

impl<'a> Walk<'a> {
    fn new(groups: &'a Contracted, fleet: &'a Fleet, lattice: &'a Lattice) -> Self {
        let work = |group: usize| [0, 1].map(|i| fleet.work(groups, group, &fleet.weights[i]));
        let mut rest = Vec::with_capacity(lattice.len());
        rest.push(
            (0..groups.len())
                .map(work)
                .fold([0, 0], |a, b| [a[0] + b[0], a[1] + b[1]]),
        );
        for prefix in 1..lattice.len() {
            let (before, group) = lattice.from(prefix);
            let (all, less): ([u128; 2], [u128; 2]) = (rest[before as usize], work(group as usize));
            rest.push([all[0] - less[0], all[1] - less[1]]);
        }
        Self {
            groups,
            fleet,
            lattice,
            rest,
        }
    }

    /// Raises the limit from `bound` until a split is found or none below `known` is left.
    fn climb(&self, mut bound: u64, known: Option<u64>, left: &mut u64) -> End {
        let ceiling = match known {
            Some(0) => return End::Best(None),
            Some(known) => known - 1,
            None => NEVER - 1,
        };
        let mut step = bound / 64 + 1;
        while bound <= ceiling {
            let limit = bound.saturating_add(step).min(ceiling);
            match Table::fill(self, limit, left) {
                None => return End::Limit(bound),
                Some(Some(found)) => return End::Best(Some(found)),
                Some(None) => bound = limit + 1,
            }
            step = step.saturating_mul(4);
        }
        End::Best(None)
    }
}

/// The best values of the prefixes.
struct Table {
    /// By prefix and use: the least maximum load.
    values: Vec<u64>,
    /// The prefix before the last stage, and its kind.
    back: Vec<(u32, u32)>,
}

/// A prefix on the way up, what can still be added to it, and what was added last.
struct Frame {
    prefix: u32,
    cursor: usize,
    group: u32,
}

impl Table {
    /// The best split with a maximum load of at most `limit`, or that there is none; `None` at the limit of states.
    fn fill(walk: &Walk<'_>, limit: u64, left: &mut u64) -> Option<Option<Found>> {
        let uses = walk.fleet.uses.len();
        let cells = walk.lattice.len().checked_mul(uses).filter(|cells| *cells > 0)?;
        *left = left.checked_sub(2 * cells as u64)?;
        let mut table = Self {
            values: vec![u64::MAX; cells],
            back: vec![(0, 0); cells],
        };
        table.values[0] = 0;
        // What the devices that are not in use could do within the limit.
        let room: Vec<[u128; 2]> = walk
            .fleet
            .uses
            .iter()
            .map(|used| {
                [0, 1].map(|i| {
                    let free = used.iter().zip(&walk.fleet.counts).zip(&walk.fleet.weights[i]);
                    free.map(|((used, count), weight)| u128::from(count - used) * u128::from(*weight))
                        .sum::<u128>()
                        * u128::from(limit)
                })
            })
            .collect();
        let mut climber = Climber::new(walk, limit);
        for prefix in 0..walk.lattice.len() - 1 {
            let rest = walk.rest[prefix];
            climber.active.clear();
            for (at, value) in (0..uses).zip(&table.values[prefix * uses..]) {
                if *value <= limit && rest[0] <= room[at][0] && rest[1] <= room[at][1] {
                    climber.active.push((at, *value));
                }
            }
            if !climber.active.is_empty() {
                climber.from(prefix, &mut table, left)?;
            }
        }
        Some(table.trace(walk))
    }

    /// The stages that led to the best value of the full prefix.
    fn trace(&self, walk: &Walk<'_>) -> Option<Found> {
        let uses = walk.fleet.uses.len();
        let full = walk.lattice.len() - 1;
        let (mut at, max_load) = (full * uses..(full + 1) * uses)
            .map(|cell| (cell, self.values[cell]))
            .min_by_key(|(cell, value)| (*value, *cell))?;
        if max_load == u64::MAX {
            return None;
        }
        let mut parts = Vec::new();
        while at >= uses {
            let (before, kind) = self.back[at];
            let known = walk.lattice.groups(before as usize);
            let mut inside = vec![false; walk.groups.len()];
            known.iter().for_each(|group| inside[*group as usize] = true);
            let mut groups = walk.lattice.groups(at / uses);
            groups.retain(|group| !inside[*group as usize]);
            parts.push((kind as usize, groups));
            at = before as usize * uses + at % uses - walk.fleet.strides[kind as usize];
        }
        parts.reverse();
        Some(Found {
            parts,
            max_load,
            bound: max_load,
        })
    }
}

/// Walks upward from a prefix; what is added on the way is the stage.
struct Climber<'a> {
    walk: &'a Walk<'a>,
    limit: u64,
    /// The uses from which a stage can start, and their values.
    active: Vec<(usize, u64)>,
    /// By prefix: where it was last met from.
    met: Vec<u32>,
    frames: Vec<Frame>,
    /// By frame and kind: the time of the stage.
    times: Vec<u64>,
    /// By frame: its memory and the cost of what crosses its border.
    sizes: Vec<(u64, u64)>,
    inside: Vec<bool>,
    /// By output: how many groups of the stage read it.
    readers: Vec<u32>,
}

impl<'a> Climber<'a> {
    fn new(walk: &'a Walk<'a>, limit: u64) -> Self {
        Self {
            walk,
            limit,
            active: Vec::new(),
            met: vec![u32::MAX; walk.lattice.len()],
            frames: Vec::new(),
            times: Vec::new(),
            sizes: Vec::new(),
            inside: vec![false; walk.groups.len()],
            readers: vec![0; walk.groups.outputs.len()],
        }
    }

    fn from(&mut self, start: usize, table: &mut Table, left: &mut u64) -> Option<()> {
        let Walk {
            groups,
            fleet,
            lattice,
            ..
        } = *self.walk;
        let (kinds, uses) = (groups.kinds, fleet.uses.len());
        let usable: Vec<usize> = (0..kinds)
            .filter(|k| {
                self.active
                    .iter()
                    .any(|(at, _)| fleet.uses[*at][*k] < fleet.counts[*k])
            })
            .collect();
        self.times.clear();
        self.times.resize(kinds, 0);
        self.sizes.clear();
        self.sizes.push((0, 0));
        self.frames.push(Frame {
            prefix: start as u32,
            cursor: 0,
            group: u32::MAX,
        });
        while let Some(frame) = self.frames.last_mut() {
            let Some((group, child)) = lattice.next(frame.prefix as usize).get(frame.cursor).copied() else {
                let group = frame.group;
                self.frames.pop();
                self.times.truncate(self.times.len() - kinds);
                self.sizes.pop();
                if group != u32::MAX {
                    self.remove(group as usize);
                }
                continue;
            };
            frame.cursor += 1;
            if self.met[child as usize] == start as u32 {
                continue;
            }
            self.met[child as usize] = start as u32;
            *left = left.checked_sub(1)?;
            let base = self.times.len() - kinds;
            for (k, time) in groups.times(group as usize).iter().enumerate() {
                self.times.push((self.times[base + k] + time).min(NEVER));
            }
            let (memory, crossing) = self.sizes[self.sizes.len() - 1];
            let memory = memory + groups.memory[group as usize];
            let fits = |k: &usize| self.times[base + kinds + k] <= self.limit && memory <= fleet.memory[*k];
            if !usable.iter().any(fits) {
                self.times.truncate(base + kinds);
                continue;
            }
            let crossing = self.add(group as usize, crossing);
            for k in &usable {
                let load = self.times[base + kinds + k] + if fleet.transfers[*k] { crossing } else { 0 };
                if load > self.limit || memory > fleet.memory[*k] {
                    continue;
                }
                for (at, value) in &self.active {
                    if fleet.uses[*at][*k] < fleet.counts[*k] {
                        let cell = child as usize * uses + at + fleet.strides[*k];
                        let value = load.max(*value);
                        if value < table.values[cell] {
                            table.values[cell] = value;
                            table.back[cell] = (start as u32, *k as u32);
                        }
                    }
                }
            }
            self.sizes.push((memory, crossing));
            self.frames.push(Frame {
                prefix: child,
                cursor: 0,
                group,
            });
        }
        Some(())
    }

    /// Adds a group to the stage; what crosses its border then costs.
    fn add(&mut self, group: usize, mut crossing: u64) -> u64 {
        let groups = self.walk.groups;
        for i in &groups.reads[group] {
            let output = &groups.outputs[*i as usize];
            let count = &mut self.readers[*i as usize];
            *count += 1;
            if self.inside[output.owner as usize] {
                // The last reader outside came in.
                if *count as usize == output.readers.len() {
                    crossing -= output.cost;
                }
            } else if *count == 1 {
                crossing += output.cost;
            }
        }
        for i in &groups.owns[group] {
            let (output, count) = (&groups.outputs[*i as usize], self.readers[*i as usize] as usize);
            if count > 0 {
                crossing -= output.cost;
            }
            if count < output.readers.len() {
                crossing += output.cost;
            }
        }
        self.inside[group] = true;
        crossing
    }

    fn remove(&mut self, group: usize) {
        for i in &self.walk.groups.reads[group] {
            self.readers[*i as usize] -= 1;
        }
        self.inside[group] = false;
    }
}
