//! From the first nodes that fall to the last.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType};

use super::adjacency::Adjacency;
use crate::kernel::exact_sum::ExactSum;

/// A round that drops less than this part of the edges is the last that looks at all of them.
const FEW: usize = 8;

#[derive(Clone, Copy)]
struct Edge {
    source: u32,
    target: u32,
    weight: f64,
}

/// Continues the first round in `removed_in` to the fixpoint; `ends` says at which ends an edge counts.
///
/// As long as many edges fall in a round, all that are left are passed over in order, which is far cheaper than to look up
/// the neighbours of each node that falls; a long tail of small rounds looks them up.
pub(crate) fn cascade<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    weights: &[f64],
    ends: (bool, bool),
    sums: Vec<ExactSum>,
    cut: f64,
    removed_in: &mut [u32],
) {
    let mut state = State {
        ends,
        sums,
        cut,
        removed_in,
    };
    let mut fallen: Vec<u32> = Vec::new();
    let all = graph.raw_edges().iter().zip(weights).map(|(edge, weight)| Edge {
        source: edge.source().index() as u32,
        target: edge.target().index() as u32,
        weight: *weight,
    });
    // Most edges may fall at once: only those that stay are written.
    let mut edges: Vec<Edge> = all.filter(|edge| state.pass(edge, &mut fallen)).collect();
    let (mut before, mut round) = (graph.edge_count(), 2);
    while state.settle(&mut fallen, round) {
        if before - edges.len() < before / FEW {
            return state.look_up(&edges, fallen, round);
        }
        before = edges.len();
        fallen.clear();
        edges.retain(|edge| state.pass(edge, &mut fallen));
        round += 1;
    }
}

struct State<'a> {
    ends: (bool, bool),
    sums: Vec<ExactSum>,
    cut: f64,
    removed_in: &'a mut [u32],
}

impl State<'_> {
    /// Whether both ends of an edge stand. If one does it loses the edge, and is listed where that makes it too weak.
    fn pass(&mut self, edge: &Edge, fallen: &mut Vec<u32>) -> bool {
        if edge.source == edge.target {
            return false; // falls with its node alone
        }
        let stands = |node: u32| self.removed_in[node as usize] == 0;
        match (stands(edge.source), stands(edge.target)) {
            (true, true) => return true,
            (true, false) if self.ends.0 => self.lose(edge.source, edge.weight, fallen),
            (false, true) if self.ends.1 => self.lose(edge.target, edge.weight, fallen),
            _ => {}
        }
        false
    }

    fn lose(&mut self, node: u32, weight: f64, fallen: &mut Vec<u32>) {
        let sum = &mut self.sums[node as usize];
        sum.add(-weight);
        if sum.value() < self.cut {
            fallen.push(node);
        }
    }

    /// Removes the nodes that were listed, perhaps more than once, and leaves each once; false where there are none.
    fn settle(&mut self, fallen: &mut Vec<u32>, round: u32) -> bool {
        fallen.retain(|node| {
            let removed_in = &mut self.removed_in[*node as usize];
            let first = *removed_in == 0;
            if first {
                *removed_in = round;
            }
            first
        });
        !fallen.is_empty()
    }

    /// The rounds after `round`, in which `frontier` fell.
    fn look_up(&mut self, edges: &[Edge], mut frontier: Vec<u32>, mut round: u32) {
        let each = edges.iter().map(|edge| (edge.source, edge.target, edge.weight));
        let neighbours = Adjacency::new(self.removed_in.len(), each, self.ends, |node, weight| {
            (node, weight)
        });
        let mut next = Vec::new();
        while !frontier.is_empty() {
            round += 1;
            for node in frontier.drain(..) {
                for (neighbour, weight) in neighbours.of(node as usize) {
                    if self.removed_in[*neighbour as usize] == 0 {
                        self.lose(*neighbour, *weight, &mut next);
                    }
                }
            }
            self.settle(&mut next, round);
            std::mem::swap(&mut frontier, &mut next);
        }
    }
}
