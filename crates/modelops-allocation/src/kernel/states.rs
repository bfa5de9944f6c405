//! Equal nodes are one state: a score is computed once a state, not once a node.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use rustc_hash::FxBuildHasher;

/// The states that nodes are in now. A slot that nobody is in any more is used again under a new epoch.
#[derive(Clone, Debug)]
pub(crate) struct States {
    stride: usize,
    cells: Vec<u64>,
    members: Vec<u32>,
    epochs: Vec<u32>,
    /// The members by rank; entries of nodes that left are dropped when they surface.
    queues: Vec<BinaryHeap<Reverse<(u32, u32)>>>,
    index: HashMap<Box<[u64]>, u32, FxBuildHasher>,
    free: Vec<u32>,
}

impl States {
    pub(crate) fn new(stride: usize) -> Self {
        Self {
            stride,
            cells: Vec::new(),
            members: Vec::new(),
            epochs: Vec::new(),
            queues: Vec::new(),
            index: HashMap::default(),
            free: Vec::new(),
        }
    }

    /// One more than the largest slot in use.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn row(&self, state: u32) -> &[u64] {
        &self.cells[state as usize * self.stride..][..self.stride]
    }

    pub(crate) fn members(&self, state: u32) -> u32 {
        self.members[state as usize]
    }

    /// How many nodes are in each state.
    pub(crate) fn all_members(&self) -> &[u32] {
        &self.members
    }

    pub(crate) fn epochs(&self) -> &[u32] {
        &self.epochs
    }

    /// Puts `node` into the state with this row.
    pub(crate) fn enter(&mut self, row: &[u64], node: u32, rank: u32) -> u32 {
        let state = match self.index.get(row) {
            Some(state) => *state,
            None => {
                let state = self.free.pop().unwrap_or_else(|| {
                    self.cells.resize(self.cells.len() + self.stride, 0);
                    self.members.push(0);
                    self.epochs.push(0);
                    self.queues.push(BinaryHeap::new());
                    self.members.len() as u32 - 1
                });
                self.cells[state as usize * self.stride..][..self.stride].copy_from_slice(row);
                self.epochs[state as usize] += 1;
                self.index.insert(row.into(), state);
                state
            }
        };
        self.members[state as usize] += 1;
        self.queues[state as usize].push(Reverse((rank, node)));
        state
    }

    /// Takes one node out of `state`.
    pub(crate) fn leave(&mut self, state: u32) {
        let at = state as usize;
        self.members[at] -= 1;
        if self.members[at] == 0 {
            self.index.remove(&self.cells[at * self.stride..][..self.stride]);
            self.queues[at].clear();
            // An odd epoch is in use, an even one is not.
            self.epochs[at] += 1;
            self.free.push(state);
        }
    }

    /// The member of `state` that comes first; `state_of` says where each node is now.
    pub(crate) fn first(&mut self, state: u32, state_of: &[u32]) -> Option<(u32, u32)> {
        let queue = &mut self.queues[state as usize];
        while let Some(Reverse((rank, node))) = queue.peek().copied() {
            if state_of[node as usize] == state {
                return Some((rank, node));
            }
            queue.pop();
        }
        None
    }

    /// Drops what is stale once it outweighs the members; amortised O(1) a move.
    pub(crate) fn tidy(&mut self, state: u32, state_of: &[u32]) {
        let queue = &mut self.queues[state as usize];
        if queue.len() > 2 * self.members[state as usize] as usize + 16 {
            let mut entries = std::mem::take(queue).into_vec();
            entries.retain(|Reverse((_, node))| state_of[*node as usize] == state);
            entries.sort_unstable();
            entries.dedup();
            *queue = entries.into();
        }
    }

    /// The states that somebody is in.
    pub(crate) fn live(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.members.len() as u32).filter(|state| self.members[*state as usize] > 0)
    }
}
