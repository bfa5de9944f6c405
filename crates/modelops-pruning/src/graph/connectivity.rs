//! What must stay connected.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType, NodeIndex};
use petgraph::unionfind::UnionFind;

/// What must stay in one piece when nodes go. Directions of edges are ignored.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub enum Connectivity<Ix = petgraph::graph::DefaultIx> {
    /// Nothing: the result may fall apart.
    #[default]
    Free,
    /// Of what is left keep the component with the most nodes (on a tie, the one with the lowest index).
    LargestComponent,
    /// The result has exactly as many components as the input. Nodes on the strongest paths between kept nodes are
    /// spared, and where a whole component would go, its best node stays.
    PreserveComponents,
    /// These nodes stay, and those that were connected stay connected, by the strongest paths.
    Terminals(Vec<NodeIndex<Ix>>),
}

/// Labels every node with a representative of its component, among the nodes that `present` marks.
pub(crate) fn components<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    present: &[bool],
) -> Vec<usize> {
    let mut sets = UnionFind::<usize>::new(graph.node_count());
    for edge in graph.raw_edges() {
        let (a, b) = (edge.source().index(), edge.target().index());
        if present[a] && present[b] {
            sets.union(a, b);
        }
    }
    sets.into_labeling()
}

/// Unmarks every node outside the largest component of the marked ones.
pub(crate) fn keep_largest<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    kept: &mut [bool],
) {
    let label = components(graph, kept);
    let mut size = vec![0_usize; kept.len()];
    for (node, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
        size[label[node]] += 1;
    }
    let mut best: Option<usize> = None;
    for (node, _) in kept.iter().enumerate().filter(|(_, kept)| **kept) {
        if best.is_none_or(|best| size[label[node]] > size[best]) {
            best = Some(label[node]);
        }
    }
    for (node, kept) in kept.iter_mut().enumerate() {
        *kept &= Some(label[node]) == best;
    }
}

/// Edges of a maximum spanning forest, strongest first (on a tie, the lower index).
pub(crate) fn spanning_forest<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    weights: &[f64],
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_unstable_by(|a, b| weights[*b].total_cmp(&weights[*a]).then(a.cmp(b)));
    let mut sets = UnionFind::<usize>::new(graph.node_count());
    let edges = graph.raw_edges();
    order.retain(|edge| sets.union(edges[*edge].source().index(), edges[*edge].target().index()));
    order
}

/// Marks the nodes on the paths of the maximum spanning forest between wanted nodes, the wanted ones included.
pub(crate) fn connect<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    weights: &[f64],
    wanted: &[bool],
) -> Vec<bool> {
    let nodes = graph.node_count();
    let forest = spanning_forest(graph, weights);
    // A leaf of the forest that nobody wants is on no path: peel until none is left. The neighbours of a leaf that
    // are still there are one, which the XOR of all its present neighbours names.
    let (mut degree, mut neighbours) = (vec![0_usize; nodes], vec![0_usize; nodes]);
    for edge in forest {
        let edge = &graph.raw_edges()[edge];
        let (a, b) = (edge.source().index(), edge.target().index());
        degree[a] += 1;
        degree[b] += 1;
        neighbours[a] ^= b;
        neighbours[b] ^= a;
    }
    let mut marked = vec![true; nodes];
    let mut leaves: Vec<usize> = (0..nodes)
        .filter(|node| degree[*node] <= 1 && !wanted[*node])
        .collect();
    while let Some(leaf) = leaves.pop() {
        marked[leaf] = false;
        if degree[leaf] == 1 {
            let next = neighbours[leaf];
            degree[next] -= 1;
            neighbours[next] ^= leaf;
            // At zero it is wanted, or already waiting.
            if degree[next] == 1 && !wanted[next] {
                leaves.push(next);
            }
        }
        degree[leaf] = 0;
    }
    marked
}
