//! What a node is worth.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType};

use crate::error::GraphError;
use crate::kernel::exact_sum::ExactSum;

/// Which ends of an edge count towards a node. On an undirected graph every choice means [`Strength::Total`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Strength {
    /// Both ends: every edge counts at each of its two ends, so a self-loop counts twice (as degrees are counted).
    #[default]
    Total,
    /// Edges that arrive.
    In,
    /// Edges that leave.
    Out,
}

impl Strength {
    /// Whether the (source, target) end of an edge counts.
    pub(crate) fn ends(self, directed: bool) -> (bool, bool) {
        match self {
            Self::In if directed => (false, true),
            Self::Out if directed => (true, false),
            _ => (true, true),
        }
    }
}

/// What [`NodePruner`](crate::graph::NodePruner) compares with its threshold.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum NodeScore {
    /// Sum of the weights of incident edges.
    Strength(Strength),
    /// Number of incident edges.
    Degree(Strength),
    /// One given value per node, in index order, for instance from [`benefit_per_cost`]. It does not change while
    /// neighbours go, so a fixpoint equals a snapshot.
    PerNode(Vec<f64>),
}

impl Default for NodeScore {
    fn default() -> Self {
        Self::Strength(Strength::Total)
    }
}

/// Divides what each node brings (a performance index) by what it costs (compute): a score for
/// [`NodeScore::PerNode`].
///
/// # Errors
/// [`GraphError::Length`] where the slices differ in length; [`GraphError::InvalidScore`] where a benefit is not
/// finite or a cost is not a finite number above zero.
///
/// # Example
/// ```
/// use modelops_pruning::graph::benefit_per_cost;
///
/// assert_eq!(benefit_per_cost(&[6.0, 1.0], &[2.0, 4.0])?, [3.0, 0.25]);
/// # Ok::<(), modelops_pruning::GraphError>(())
/// ```
pub fn benefit_per_cost(benefit: &[f64], cost: &[f64]) -> Result<Vec<f64>, GraphError> {
    if benefit.len() != cost.len() {
        return Err(GraphError::Length {
            expected: benefit.len(),
            found: cost.len(),
        });
    }
    let ratio = |(node, (b, c)): (usize, (&f64, &f64))| {
        let ratio = b / c;
        let usable = c.is_finite() && *c > 0.0 && ratio.is_finite();
        usable.then_some(ratio).ok_or(GraphError::InvalidScore { node })
    };
    benefit.iter().zip(cost).enumerate().map(ratio).collect()
}

/// Sums the weights of the edges at every node, in node order.
///
/// Each sum is rounded once, so relabelling nodes or edges does not change it.
///
/// # Errors
/// [`GraphError::NonFiniteWeight`] where `weight` gives NaN or an infinity.
///
/// # Complexity
/// O(nodes + edges) time, 16 bytes a node.
///
/// # Example
/// ```
/// use modelops_pruning::graph::{Strength, node_strengths};
/// use petgraph::graph::UnGraph;
///
/// let graph = UnGraph::<(), f64>::from_edges([(0, 1, 2.0), (1, 2, 0.5)]);
/// assert_eq!(node_strengths(&graph, Strength::Total, |w| *w)?, [2.0, 2.5, 0.5]);
/// # Ok::<(), modelops_pruning::GraphError>(())
/// ```
pub fn node_strengths<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    strength: Strength,
    weight: impl Fn(&E) -> f64,
) -> Result<Vec<f64>, GraphError> {
    let sums = strength_sums(graph, strength, &edge_weights(graph, weight)?);
    Ok(sums.into_iter().map(ExactSum::value).collect())
}

/// Every weight, checked to be finite.
pub(crate) fn edge_weights<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    weight: impl Fn(&E) -> f64,
) -> Result<Vec<f64>, GraphError> {
    let weights: Vec<f64> = graph
        .raw_edges()
        .iter()
        .map(|edge| weight(&edge.weight))
        .collect();
    match weights.iter().position(|w| !w.is_finite()) {
        Some(edge) => Err(GraphError::NonFiniteWeight { edge }),
        None => Ok(weights),
    }
}

/// Refuses negative weights.
pub(crate) fn require_non_negative(weights: &[f64]) -> Result<(), GraphError> {
    match weights.iter().position(|w| *w < 0.0) {
        Some(edge) => Err(GraphError::NegativeWeight { edge }),
        None => Ok(()),
    }
}

/// The strengths, still unrounded, so that a cascade can subtract from them.
pub(crate) fn strength_sums<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    strength: Strength,
    weights: &[f64],
) -> Vec<ExactSum> {
    let (at_source, at_target) = strength.ends(graph.is_directed());
    let mut sums = vec![ExactSum::default(); graph.node_count()];
    for (edge, weight) in graph.raw_edges().iter().zip(weights) {
        if at_source {
            sums[edge.source().index()].add(*weight);
        }
        if at_target {
            sums[edge.target().index()].add(*weight);
        }
    }
    sums
}
