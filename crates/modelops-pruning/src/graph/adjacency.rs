//! Neighbours of every node, side by side in memory.

/// The lists of all nodes in one array.
///
/// petgraph threads a node's edges through the list of all edges, so that every step of a walk is a cache miss; here a
/// node's neighbours are next to each other, for two passes over the edges to put them there.
pub(crate) struct Adjacency<T> {
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy + Default> Adjacency<T> {
    /// Of edges (source, target, what is known of it). Lists at each source its target where `ends.1`, at each target its source
    /// where `ends.0`; `item` makes an entry of the neighbour and what is known. Self-loops are left out.
    pub(crate) fn new<K: Copy>(
        nodes: usize,
        edges: impl Iterator<Item = (u32, u32, K)> + Clone,
        ends: (bool, bool),
        item: impl Fn(u32, K) -> T,
    ) -> Self {
        let edges = edges.filter(|(a, b, _)| a != b);
        let mut starts = vec![0_usize; nodes + 1];
        for (a, b, _) in edges.clone() {
            starts[a as usize + 1] += usize::from(ends.1);
            starts[b as usize + 1] += usize::from(ends.0);
        }
        for node in 1..starts.len() {
            starts[node] += starts[node - 1];
        }
        let mut next = starts.clone();
        let mut items = vec![T::default(); starts.last().copied().unwrap_or(0)];
        let mut put = |node: u32, item: T| {
            let next = &mut next[node as usize];
            items[*next] = item;
            *next += 1;
        };
        for (a, b, known) in edges {
            if ends.1 {
                put(a, item(b, known));
            }
            if ends.0 {
                put(b, item(a, known));
            }
        }
        Self { starts, items }
    }

    pub(crate) fn of(&self, node: usize) -> &[T] {
        &self.items[self.starts[node]..self.starts[node + 1]]
    }
}
