//! Neighbours of every node, side by side in memory.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType};

/// The lists of all nodes in one array.
///
/// petgraph threads a node's edges through the list of all edges, so that every step of a walk is a cache miss; here a
/// node's neighbours are next to each other, for one pass over the edges to put them there.
pub(crate) struct Adjacency<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy + Default> Adjacency<T> {
    /// Lists at each source its target where `ends.1`, at each target its source where `ends.0`; `item` makes an entry of
    /// the neighbour and the index of the edge. Self-loops are left out.
    pub(crate) fn new<N, E, Ty: EdgeType, Ix: IndexType>(
        graph: &Graph<N, E, Ty, Ix>,
        ends: (bool, bool),
        item: impl Fn(u32, usize) -> T,
    ) -> Self {
        let mut starts = vec![0_usize; graph.node_count() + 1];
        let each = |visit: &mut dyn FnMut(usize, usize, usize)| {
            for (index, edge) in graph.raw_edges().iter().enumerate() {
                let (a, b) = (edge.source().index(), edge.target().index());
                if a != b {
                    visit(a, b, index);
                }
            }
        };
        each(&mut |a, b, _| {
            starts[a + 1] += usize::from(ends.1);
            starts[b + 1] += usize::from(ends.0);
        });
        for node in 1..starts.len() {
            starts[node] += starts[node - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![T::default(); starts.last().copied().unwrap_or(0)];
        each(&mut |a, b, index| {
            if ends.1 {
                items[next[a]] = item(b as u32, index);
                next[a] += 1;
            }
            if ends.0 {
                items[next[b]] = item(a as u32, index);
                next[b] += 1;
            }
        });
        Self { starts, items }
    }

    pub(crate) fn of(&self, node: usize) -> &[T] {
        &self.items[self.starts[node]..self.starts[node + 1]]
    }
}
