//! The graph with what must share a device contracted, in an order in which every group comes after what it reads.

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::unionfind::UnionFind;
use rustc_hash::FxHashMap;

use super::{DeviceKind, Layer};
use crate::error::PipelineError;

/// The time of a group on a kind that cannot run it: above every sum of times.
pub(super) const NEVER: u64 = 1 << 62;

/// How often groups that cost nothing are merged into their only neighbour: one round takes the leaves.
const ROUNDS: usize = 64;

/// Groups of layers.
pub(super) struct Contracted {
    members: Vec<Vec<usize>>,
    /// The groups that come before and after each, without repetition.
    pub(super) before: Vec<Vec<u32>>,
    pub(super) after: Vec<Vec<u32>>,
    pub(super) kinds: usize,
    /// By group and kind.
    times: Vec<u64>,
    pub(super) memory: Vec<u64>,
    pub(super) outputs: Vec<Output>,
    /// The outputs of other groups that each reads, and those of its own that another one reads.
    pub(super) reads: Vec<Vec<u32>>,
    pub(super) owns: Vec<Vec<u32>>,
}

/// What one or several layers of a group hand to the same other groups.
pub(super) struct Output {
    pub(super) owner: u32,
    pub(super) cost: u64,
    /// The other groups that read it.
    pub(super) readers: Vec<u32>,
}

impl Contracted {
    pub(super) fn new<E>(model: &DiGraph<Layer, E>, kinds: &[DeviceKind]) -> Result<Self, PipelineError> {
        check(model, kinds)?;
        let mut classes: UnionFind<usize> = UnionFind::new(model.node_count());
        let mut first: FxHashMap<u32, usize> = FxHashMap::default();
        for (i, layer) in model.node_weights().enumerate() {
            if let Some(class) = layer.colocated {
                classes.union(*first.entry(class).or_insert(i), i);
            }
        }
        let mut contracted = Self::grouped(model, kinds, &classes);
        for _ in 0..ROUNDS {
            if !contracted.merge_leaves(&mut classes) {
                break;
            }
            contracted = Self::grouped(model, kinds, &classes);
        }
        Ok(contracted)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn times(&self, group: usize) -> &[u64] {
        &self.times[group * self.kinds..][..self.kinds]
    }

    /// The layers of several groups, ascending.
    pub(super) fn layers_of(&self, groups: &[u32]) -> Vec<usize> {
        let mut layers: Vec<usize> = groups
            .iter()
            .flat_map(|group| self.members[*group as usize].iter().copied())
            .collect();
        layers.sort_unstable();
        layers
    }

    /// One layer of a group, to name it.
    pub(super) fn layer_in(&self, group: usize) -> usize {
        self.members[group][0]
    }

    /// Classes that would have to come before each other become one group.
    fn grouped<E>(model: &DiGraph<Layer, E>, kinds: &[DeviceKind], classes: &UnionFind<usize>) -> Self {
        let root: Vec<usize> = (0..model.node_count()).map(|i| classes.find(i)).collect();
        let mut forward = vec![false; root.len()];
        for (i, layer) in model.node_weights().enumerate() {
            forward[root[i]] |= !layer.backward;
        }
        let mut order: DiGraph<(), ()> = DiGraph::new();
        root.iter().for_each(|_| {
            order.add_node(());
        });
        for edge in model.edge_indices() {
            let Some((from, to)) = model.edge_endpoints(edge) else {
                continue;
            };
            let (a, b) = (
                NodeIndex::new(root[from.index()]),
                NodeIndex::new(root[to.index()]),
            );
            if a == b {
                continue;
            }
            if !model[from].backward && !model[to].backward {
                order.add_edge(a, b, ());
            } else if model[from].backward && (!forward[a.index()] || !forward[b.index()]) {
                // A class of the backward pass alone takes the place that mirrors it in the forward pass.
                order.add_edge(b, a, ());
            }
        }
        // Components come after what they lead to; turned around, they come after what they read. Not by Tarjan's algorithm, which
        // petgraph writes with a call a node: rows of tens of thousands would overflow the stack.
        let mut group_of = vec![u32::MAX; root.len()];
        let components = kosaraju_scc(&order);
        let mut count = 0;
        for component in components.iter().rev() {
            let real = |i: &&NodeIndex| root[i.index()] == i.index();
            if component.iter().any(|i| real(&i)) {
                component.iter().for_each(|i| group_of[i.index()] = count);
                count += 1;
            }
        }
        let group = |layer: usize| group_of[root[layer]];
        Self::of_groups(model, kinds, &order, count as usize, group, &group_of)
    }

    fn of_groups<E>(
        model: &DiGraph<Layer, E>,
        kinds: &[DeviceKind],
        order: &DiGraph<(), ()>,
        count: usize,
        group: impl Fn(usize) -> u32,
        group_of: &[u32],
    ) -> Self {
        let mut this = Self {
            members: vec![Vec::new(); count],
            before: vec![Vec::new(); count],
            after: vec![Vec::new(); count],
            kinds: kinds.len(),
            times: vec![0; count * kinds.len()],
            memory: vec![0; count],
            outputs: Vec::new(),
            reads: vec![Vec::new(); count],
            owns: vec![Vec::new(); count],
        };
        for (i, layer) in model.node_weights().enumerate() {
            let at = group(i) as usize;
            this.members[at].push(i);
            this.memory[at] += layer.memory;
            for (sum, time) in this.times[at * kinds.len()..].iter_mut().zip(&layer.times) {
                *sum = time.map_or(NEVER, |time| (*sum + time).min(NEVER));
            }
        }
        // A kind that is not there or too small is one that cannot run the group.
        for at in 0..count {
            for (k, kind) in kinds.iter().enumerate() {
                if kind.count == 0 || this.memory[at] > kind.memory {
                    this.times[at * kinds.len() + k] = NEVER;
                }
            }
        }
        for edge in order.edge_indices() {
            if let Some((from, to)) = order.edge_endpoints(edge) {
                let (a, b) = (group_of[from.index()], group_of[to.index()]);
                if a != b {
                    this.after[a as usize].push(b);
                    this.before[b as usize].push(a);
                }
            }
        }
        for list in this.before.iter_mut().chain(&mut this.after) {
            list.sort_unstable();
            list.dedup();
        }
        // Outputs with the same readers are one.
        let mut known: FxHashMap<(u32, Vec<u32>), usize> = FxHashMap::default();
        for node in model.node_indices() {
            let owner = group(node.index());
            let mut readers: Vec<u32> = model.neighbors(node).map(|to| group(to.index())).collect();
            readers.retain(|reader| *reader != owner);
            readers.sort_unstable();
            readers.dedup();
            if readers.is_empty() || model[node].output == 0 {
                continue;
            }
            let here = *known.entry((owner, readers.clone())).or_insert_with(|| {
                let at = this.outputs.len();
                this.owns[owner as usize].push(at as u32);
                readers
                    .iter()
                    .for_each(|reader| this.reads[*reader as usize].push(at as u32));
                this.outputs.push(Output {
                    owner,
                    cost: 0,
                    readers,
                });
                at
            });
            this.outputs[here].cost += model[node].output;
        }
        this
    }

    /// Joins each group that takes nothing with its only neighbour, which no split is worse for; whether there was one.
    fn merge_leaves(&self, classes: &mut UnionFind<usize>) -> bool {
        let mut merged = false;
        for at in 0..self.len() {
            if self.memory[at] > 0 || self.times(at).iter().any(|time| *time > 0) {
                continue;
            }
            let output = |i: &u32| &self.outputs[*i as usize];
            let mut neighbours: Vec<u32> = self.before[at].iter().chain(&self.after[at]).copied().collect();
            neighbours.extend(self.reads[at].iter().map(|i| output(i).owner));
            neighbours.extend(self.owns[at].iter().flat_map(|i| &output(i).readers));
            neighbours.sort_unstable();
            neighbours.dedup();
            if let [only] = neighbours[..] {
                merged |= classes.union(self.members[at][0], self.members[only as usize][0]);
            }
        }
        merged
    }
}

fn check<E>(model: &DiGraph<Layer, E>, kinds: &[DeviceKind]) -> Result<(), PipelineError> {
    let mut sums = [0_u128; 3];
    for (i, layer) in model.node_weights().enumerate() {
        if layer.times.len() != kinds.len() {
            return Err(PipelineError::Times {
                layer: i,
                times: layer.times.len(),
                kinds: kinds.len(),
            });
        }
        sums[0] += layer
            .times
            .iter()
            .flatten()
            .map(|time| u128::from(*time))
            .sum::<u128>();
        sums[1] += u128::from(layer.memory);
        sums[2] += u128::from(layer.output);
    }
    for (what, sum) in ["times", "memory", "outputs"].into_iter().zip(sums) {
        if sum >= 1 << 61 {
            return Err(PipelineError::Overflow { what });
        }
    }
    for edge in model.edge_indices() {
        if let Some((from, to)) = model.edge_endpoints(edge)
            && model[from].backward
            && !model[to].backward
        {
            return Err(PipelineError::BackwardFeedsForward {
                from: from.index(),
                to: to.index(),
            });
        }
    }
    toposort(model, None).map_err(|cycle| PipelineError::Cycle {
        layer: cycle.node_id().index(),
    })?;
    Ok(())
}
