//! From the first nodes that fall to the last.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType};

use super::adjacency::Adjacency;
use crate::kernel::exact_sum::ExactSum;

/// A round is poor where it drops less than this part of the edges.
const FEW: usize = 8;
/// So many poor rounds pass over all edges: to list all neighbours costs as much as they do together.
const POOR: usize = 6;
/// Edges that are looked at together.
const BLOCK: usize = 512;

#[derive(Clone, Copy, Default)]
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
        kept: [Edge::default(); BLOCK],
        lost: [(0, 0.0); BLOCK],
    };
    let mut fallen: Vec<u32> = Vec::new();
    // Most edges may fall at once: only those that stay are written.
    let mut edges: Vec<Edge> = Vec::with_capacity(graph.edge_count());
    let blocks = graph.raw_edges().chunks(BLOCK).zip(weights.chunks(BLOCK));
    for (block, weights) in blocks {
        let block = block.iter().zip(weights).map(|(edge, weight)| Edge {
            source: edge.source().index() as u32,
            target: edge.target().index() as u32,
            weight: *weight,
        });
        let count = state.pass(block, &mut fallen);
        edges.extend_from_slice(&state.kept[..count]);
    }
    let (mut before, mut round, mut poor) = (graph.edge_count(), 2, 0);
    while state.settle(&mut fallen, round) {
        poor += usize::from(before - edges.len() < before / FEW);
        if poor > POOR {
            return state.look_up(&edges, fallen, round);
        }
        before = edges.len();
        fallen.clear();
        let mut place = 0;
        for start in (0..before).step_by(BLOCK) {
            let end = before.min(start + BLOCK);
            let count = state.pass(edges[start..end].iter().copied(), &mut fallen);
            edges[place..place + count].copy_from_slice(&state.kept[..count]);
            place += count;
        }
        edges.truncate(place);
        round += 1;
    }
}

struct State<'a> {
    ends: (bool, bool),
    sums: Vec<ExactSum>,
    cut: f64,
    removed_in: &'a mut [u32],
    /// Of a block, the edges that stay.
    kept: [Edge; BLOCK],
    /// Of a block, the nodes that lose an edge, and its weight.
    lost: [(u32, f64); BLOCK],
}

impl State<'_> {
    /// Writes the edges of a block, no more than [`BLOCK`], of which both ends stand to `kept`, and gives their number. Where one
    /// end does it loses the edge, and is listed where that makes it too weak.
    ///
    /// Which edges fall is as good as random, so that nothing here branches on it: every edge is written to the next free
    /// place of both lists, and the place is taken only where it belongs there.
    fn pass(&mut self, block: impl Iterator<Item = Edge>, fallen: &mut Vec<u32>) -> usize {
        let (mut stay, mut losses) = (0, 0);
        for edge in block {
            let stands = |node: u32| self.removed_in[node as usize] == 0;
            let (source, target) = (stands(edge.source), stands(edge.target));
            self.kept[stay] = edge;
            // A self-loop falls with its node alone.
            stay += usize::from(source & target & (edge.source != edge.target));
            self.lost[losses] = (if source { edge.source } else { edge.target }, edge.weight);
            losses += usize::from((source & !target & self.ends.0) | (target & !source & self.ends.1));
        }
        for at in 0..losses {
            let (node, weight) = self.lost[at];
            self.lose(node, weight, fallen);
        }
        stay
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
