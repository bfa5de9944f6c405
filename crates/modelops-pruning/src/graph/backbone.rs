//! Edges that matter: scores for edges, and a copy of the graph with the edges you choose.
//!
//! [`disparity`] asks whether an edge is heavier than chance, for weights that span orders of magnitude;
//! [`local_degree`] keeps the edges to hubs, for unweighted graphs; [`maximum_spanning_forest`] keeps connectivity with
//! the fewest edges. Weights of the kept edges are kept.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType, NodeIndex};
use petgraph::{Incoming, Outgoing};

use super::connectivity::spanning_forest;
use super::score::{Strength, edge_weights, require_non_negative, strength_sums};
use crate::error::GraphError;

/// Significance α of every edge under the disparity filter: keep those below a level such as 0.05.
///
/// **Formula.** α = min over both ends of (1 − w/s)^(k−1), where s is the strength and k the degree of that end, and 1
/// where k = 1. On a directed graph the source counts its outgoing and the target its incoming edges. An edge of
/// weight 0 has α = 1.
///
/// # Errors
/// [`GraphError::NonFiniteWeight`] and [`GraphError::NegativeWeight`].
///
/// # Complexity
/// O(nodes + edges · log k) time.
///
/// # Example
/// ```
/// use modelops_pruning::graph::backbone;
/// use petgraph::graph::UnGraph;
///
/// // The hub's share of the first edge is 1/4 of 8 over three edges: (1 - 0.25)².
/// let star = UnGraph::<(), f64>::from_edges([(0, 1, 2.0), (0, 2, 2.0), (0, 3, 4.0)]);
/// assert_eq!(backbone::disparity(&star, |w| *w)?, [0.5625, 0.5625, 0.25]);
/// # Ok::<(), modelops_pruning::GraphError>(())
/// ```
///
/// # References
/// Serrano, Boguñá and Vespignani, "Extracting the multiscale backbone of complex weighted networks", 2009,
/// DOI 10.1073/pnas.0808904106.
#[doc(alias = "backbone")]
pub fn disparity<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    weight: impl Fn(&E) -> f64,
) -> Result<Vec<f64>, GraphError> {
    let weights = edge_weights(graph, weight)?;
    require_non_negative(&weights)?;
    let ends = |strength| {
        let sums = strength_sums(graph, strength, &weights);
        let mut ends: Vec<(f64, i32)> = sums.into_iter().map(|sum| (sum.value(), -1)).collect();
        let (at_source, at_target) = strength.ends(graph.is_directed());
        for edge in graph.raw_edges() {
            ends[edge.source().index()].1 += i32::from(at_source);
            ends[edge.target().index()].1 += i32::from(at_target);
        }
        ends
    };
    let sources = ends(Strength::Out);
    let targets = if graph.is_directed() {
        Some(ends(Strength::In))
    } else {
        None
    };
    let targets = targets.as_ref().unwrap_or(&sources);
    let alpha = |weight: f64, (strength, others): (f64, i32)| {
        if others == 0 || weight == 0.0 {
            1.0
        } else {
            (1.0 - weight / strength).powi(others)
        }
    };
    let score = |(edge, weight): (&petgraph::graph::Edge<E, Ix>, &f64)| {
        let (a, b) = (sources[edge.source().index()], targets[edge.target().index()]);
        alpha(*weight, a).min(alpha(*weight, b))
    };
    Ok(graph.raw_edges().iter().zip(&weights).map(score).collect())
}

/// Local degree score of every edge, 0 to 1: keep those at or above 1 − e to keep, at every node, its edges to the
/// degree^e best connected neighbours.
///
/// **Formula.** At a node of degree d the neighbour of rank r (1 for the highest degree; on a tie the lower index) gives
/// 1 − ln r / ln d, and 1 where d = 1; an edge takes the larger score of its two ends. Directions are ignored.
///
/// # Complexity
/// O(nodes + edges · log degree) time.
///
/// # Example
/// ```
/// use modelops_pruning::graph::backbone;
/// use petgraph::graph::UnGraph;
///
/// let path = UnGraph::<(), ()>::from_edges([(0, 1), (1, 2)]);
/// assert_eq!(backbone::local_degree(&path), [1.0, 1.0]);
/// ```
///
/// # References
/// Hamann, Lindner, Meyerhenke, Staudt and Wagner, "Structure-preserving sparsification methods for social networks",
/// 2016, DOI 10.1007/s13278-016-0332-2.
#[must_use]
pub fn local_degree<N, E, Ty: EdgeType, Ix: IndexType>(graph: &Graph<N, E, Ty, Ix>) -> Vec<f64> {
    let mut degree = vec![0_usize; graph.node_count()];
    for edge in graph.raw_edges() {
        degree[edge.source().index()] += 1;
        degree[edge.target().index()] += 1;
    }
    let mut scores = vec![0.0_f64; graph.edge_count()];
    let mut incident: Vec<(usize, usize, usize)> = Vec::new();
    for node in 0..degree.len() {
        incident.clear();
        for direction in [Outgoing, Incoming] {
            let mut edge = graph.first_edge(NodeIndex::new(node), direction);
            while let Some(index) = edge {
                let ends = &graph.raw_edges()[index.index()];
                let other = if direction == Outgoing {
                    ends.target()
                } else {
                    ends.source()
                }
                .index();
                incident.push((usize::MAX - degree[other], other, index.index()));
                edge = graph.next_edge(index, direction);
            }
        }
        incident.sort_unstable();
        let scale = (incident.len() as f64).ln();
        for (rank, (_, _, edge)) in incident.iter().enumerate() {
            let score = if rank == 0 {
                1.0
            } else {
                1.0 - ((rank + 1) as f64).ln() / scale
            };
            scores[*edge] = scores[*edge].max(score);
        }
    }
    scores
}

/// Marks the edges of a spanning forest of the largest total weight (on a tie, the lower index), ignoring directions.
///
/// # Errors
/// [`GraphError::NonFiniteWeight`].
///
/// # Complexity
/// O(edges · log edges) time.
///
/// # Example
/// ```
/// use modelops_pruning::graph::backbone;
/// use petgraph::graph::UnGraph;
///
/// let triangle = UnGraph::<(), f64>::from_edges([(0, 1, 1.0), (1, 2, 3.0), (2, 0, 2.0)]);
/// assert_eq!(backbone::maximum_spanning_forest(&triangle, |w| *w)?, [false, true, true]);
/// # Ok::<(), modelops_pruning::GraphError>(())
/// ```
#[doc(alias("MST", "spanning_tree"))]
pub fn maximum_spanning_forest<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    weight: impl Fn(&E) -> f64,
) -> Result<Vec<bool>, GraphError> {
    let weights = edge_weights(graph, weight)?;
    let mut kept = vec![false; weights.len()];
    for edge in spanning_forest(graph, &weights) {
        kept[edge] = true;
    }
    Ok(kept)
}

/// A copy of `graph` with all its nodes and the edges that `kept` marks, in their order.
///
/// # Errors
/// [`GraphError::Length`] where `kept` is not as long as the graph has edges.
///
/// # Example
/// ```
/// use modelops_pruning::graph::backbone;
/// use petgraph::graph::UnGraph;
///
/// let graph = UnGraph::<(), f64>::from_edges([(0, 1, 1.0), (1, 2, 9.0)]);
/// let strong: Vec<bool> = graph.edge_weights().map(|w| *w >= 5.0).collect(); // a global threshold
/// assert_eq!(backbone::retain(&graph, &strong)?.edge_count(), 1);
/// # Ok::<(), modelops_pruning::GraphError>(())
/// ```
pub fn retain<N: Clone, E: Clone, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    kept: &[bool],
) -> Result<Graph<N, E, Ty, Ix>, GraphError> {
    if kept.len() != graph.edge_count() {
        return Err(GraphError::Length {
            expected: graph.edge_count(),
            found: kept.len(),
        });
    }
    let edges = kept.iter().filter(|kept| **kept).count();
    let mut backbone = Graph::with_capacity(graph.node_count(), edges);
    for node in graph.raw_nodes() {
        backbone.add_node(node.weight.clone());
    }
    for (edge, _) in graph.raw_edges().iter().zip(kept).filter(|(_, kept)| **kept) {
        backbone.add_edge(edge.source(), edge.target(), edge.weight.clone());
    }
    Ok(backbone)
}
