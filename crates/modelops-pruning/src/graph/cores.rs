//! k-core decomposition.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType};

use super::adjacency::Adjacency;

/// Core number of every node: the largest k such that the node belongs to a subgraph whose nodes all have degree ≥ k.
///
/// Directions and self-loops are ignored; parallel edges count each. For weighted graphs use
/// [`NodePruner`](crate::graph::NodePruner) with [`Cascade::Fixpoint`](crate::graph::Cascade::Fixpoint).
///
/// # Complexity
/// O(nodes + edges) time and space.
///
/// # Example
/// A triangle with a tail: the tail's end is in the 1-core only.
/// ```
/// use modelops_pruning::graph::core_numbers;
/// use petgraph::graph::UnGraph;
///
/// let graph = UnGraph::<(), ()>::from_edges([(0, 1), (1, 2), (2, 0), (2, 3)]);
/// assert_eq!(core_numbers(&graph), [2, 2, 2, 1]);
/// ```
///
/// # References
/// Batagelj and Zaveršnik, "An O(m) algorithm for cores decomposition of networks", 2003, arXiv:cs/0310049.
#[doc(alias = "k_core")]
#[must_use]
pub fn core_numbers<N, E, Ty: EdgeType, Ix: IndexType>(graph: &Graph<N, E, Ty, Ix>) -> Vec<usize> {
    let edges = graph
        .raw_edges()
        .iter()
        .map(|edge| (edge.source().index() as u32, edge.target().index() as u32, ()));
    let neighbours = Adjacency::new(graph.node_count(), edges, (true, true), |node, ()| node);
    let mut degree: Vec<u32> = (0..graph.node_count())
        .map(|node| neighbours.of(node).len() as u32)
        .collect();
    let (mut order, mut position, mut start) = sort_by_degree(&degree);
    for rank in 0..order.len() {
        let node = order[rank] as usize;
        let own = degree[node];
        for neighbour in neighbours.of(node) {
            let neighbour = *neighbour as usize;
            if degree[neighbour] > own {
                // One degree less: swap with the first node of its bucket and move the bucket's start behind it.
                let bucket = degree[neighbour] as usize;
                let (from, to) = (position[neighbour], start[bucket]);
                let first = order[to as usize];
                order.swap(from as usize, to as usize);
                (position[neighbour], position[first as usize]) = (to, from);
                start[bucket] += 1;
                degree[neighbour] -= 1;
            }
        }
    }
    degree.into_iter().map(|core| core as usize).collect()
}

/// Nodes by degree, the place of each node, and where each degree starts.
fn sort_by_degree(degree: &[u32]) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
    let most = degree.iter().max().map_or(0, |most| *most as usize);
    let mut start = vec![0_u32; most + 2];
    for degree in degree {
        start[*degree as usize + 1] += 1;
    }
    for bucket in 1..start.len() {
        start[bucket] += start[bucket - 1];
    }
    let mut next = start.clone();
    let (mut order, mut position) = (vec![0; degree.len()], vec![0; degree.len()]);
    for (node, degree) in degree.iter().enumerate() {
        let place = &mut next[*degree as usize];
        order[*place as usize] = node as u32;
        position[node] = *place;
        *place += 1;
    }
    (order, position, start)
}
