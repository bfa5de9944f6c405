//! Removal of weak nodes, once or to the fixpoint.

use petgraph::EdgeType;
use petgraph::graph::{DefaultIx, Graph, IndexType, NodeIndex};

use super::cascade::cascade;
use super::connectivity::{Connectivity, components, connect, keep_largest};
use super::score::{NodeScore, edge_weights, require_non_negative, strength_sums};
use crate::error::GraphError;

/// Which nodes are too weak.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Threshold {
    /// Those whose score is strictly below this value.
    Below(f64),
    /// Those strictly below this quantile (0 to 1) of the input's scores, interpolated linearly between ranks.
    Quantile(f64),
    /// All but this many of the best; on a tie the lower index stays. Snapshot only.
    Keep(usize),
}

/// How often scores are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Cascade {
    /// Once, on the input.
    #[default]
    Snapshot,
    /// Again after every removal, until every node left is strong enough. For strengths this is the s-core, for
    /// degrees the k-core: the largest subgraph in which all nodes reach the threshold, whatever the order.
    Fixpoint,
}

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// Strong enough.
    Kept,
    /// Too weak, kept because [`Connectivity`] needs it.
    Spared,
    /// Too weak in this round (the first is 1).
    Removed {
        /// The round.
        round: usize,
    },
    /// Strong enough, dropped because [`Connectivity`] keeps only one component.
    Detached,
}

/// Removes nodes whose score is below a threshold.
///
/// Use it to shrink a graph of model components, features or services to the part that carries weight. To drop edges
/// and keep all nodes, see [`backbone`](crate::graph::backbone).
///
/// **Formula.** The strength of a node is the sum of the weights of its edges. A snapshot removes every node with
/// strength < threshold, judged on the input. A fixpoint removes in rounds; a round judges every node by its edges to
/// nodes that are still there.
///
/// **Complexity.** O(nodes + edges) time and space for both; connectivity policies that follow strongest paths add the
/// sorting of the edges.
///
/// **Numerics.** Strengths are compensated sums, so that the outcome does not depend on the order of nodes or edges.
///
/// # Example
/// A chain with a weak end: removing node 3 leaves node 2 with strength 1, which only a fixpoint sees.
/// ```
/// use modelops_pruning::graph::{Cascade, NodePruner, Threshold};
/// use petgraph::graph::UnGraph;
///
/// let graph = UnGraph::<(), f64>::from_edges([(0, 1, 5.0), (1, 2, 1.0), (2, 3, 1.5)]);
/// let pruner = NodePruner::new(Threshold::Below(2.0));
/// assert_eq!(pruner.prune(&graph, |w| *w)?.graph().node_count(), 3);
/// let fixpoint = pruner.with_cascade(Cascade::Fixpoint).prune(&graph, |w| *w)?;
/// assert_eq!(fixpoint.graph().node_count(), 2);
/// assert_eq!(fixpoint.plan().rounds(), 2);
/// # Ok::<(), modelops_pruning::GraphError>(())
/// ```
///
/// # References
/// Eidsaa and Almaas, "s-core network decomposition: A generalization of k-core analysis to weighted networks", 2013,
/// DOI 10.1103/PhysRevE.88.062819.
#[doc(alias = "node_pruning")]
#[derive(Debug, Clone, PartialEq)]
pub struct NodePruner<Ix = DefaultIx> {
    threshold: Threshold,
    score: NodeScore,
    cascade: Cascade,
    connectivity: Connectivity<Ix>,
}

impl<Ix: IndexType> NodePruner<Ix> {
    /// A snapshot by total strength which may fall apart.
    #[must_use]
    pub fn new(threshold: Threshold) -> Self {
        Self {
            threshold,
            score: NodeScore::default(),
            cascade: Cascade::default(),
            connectivity: Connectivity::Free,
        }
    }

    /// Judges nodes by `score`.
    #[must_use]
    pub fn with_score(mut self, score: NodeScore) -> Self {
        self.score = score;
        self
    }

    /// Looks once, or again until nothing changes.
    #[must_use]
    pub fn with_cascade(mut self, cascade: Cascade) -> Self {
        self.cascade = cascade;
        self
    }

    /// Keeps what `connectivity` names in one piece.
    #[must_use]
    pub fn with_connectivity(mut self, connectivity: Connectivity<Ix>) -> Self {
        self.connectivity = connectivity;
        self
    }

    /// Decides about every node without building the pruned graph.
    ///
    /// # Errors
    /// [`GraphError`] for weights, thresholds, scores or terminals that cannot be used; a fixpoint and the policies
    /// that follow strongest paths refuse negative weights.
    pub fn plan<N, E, Ty: EdgeType>(
        &self,
        graph: &Graph<N, E, Ty, Ix>,
        weight: impl Fn(&E) -> f64,
    ) -> Result<NodePlan, GraphError> {
        let weights = edge_weights(graph, weight)?;
        let nodes = graph.node_count();
        let (sums, unit_weights);
        let (scores, cascading) = match &self.score {
            NodeScore::Strength(strength) => {
                sums = strength_sums(graph, *strength, &weights);
                (
                    sums.iter().map(|sum| sum.value()).collect(),
                    Some((&sums, &weights, *strength)),
                )
            }
            NodeScore::Degree(strength) => {
                unit_weights = vec![1.0; weights.len()];
                sums = strength_sums(graph, *strength, &unit_weights);
                (
                    sums.iter().map(|sum| sum.value()).collect(),
                    Some((&sums, &unit_weights, *strength)),
                )
            }
            NodeScore::PerNode(scores) => (check_scores(scores, nodes)?, None),
        };
        let cut = self.threshold.cut(&scores)?;
        let mut removed_in = match cut {
            Cut::Value(cut) => scores.iter().map(|score| u32::from(*score < cut)).collect(),
            Cut::Best(count) => all_but_best(&scores, count),
        };
        if self.cascade == Cascade::Fixpoint {
            let Cut::Value(cut) = cut else {
                return Err(GraphError::NoFixpoint);
            };
            if let Some((sums, weights, strength)) = cascading {
                require_non_negative(weights)?;
                let ends = strength.ends(graph.is_directed());
                cascade(graph, weights, ends, sums.clone(), cut, &mut removed_in);
            }
        }
        let fates = self.connect(graph, &weights, &scores, &removed_in)?;
        Ok(NodePlan::new(scores, fates))
    }

    /// Removes the weak nodes. The input stays as it is; an empty result is a result.
    ///
    /// # Errors
    /// Those of [`NodePruner::plan`].
    pub fn prune<N: Clone, E: Clone, Ty: EdgeType>(
        &self,
        graph: &Graph<N, E, Ty, Ix>,
        weight: impl Fn(&E) -> f64,
    ) -> Result<PrunedGraph<N, E, Ty, Ix>, GraphError> {
        let plan = self.plan(graph, weight)?;
        Ok(PrunedGraph {
            graph: plan.apply(graph)?,
            plan,
        })
    }

    fn connect<N, E, Ty: EdgeType>(
        &self,
        graph: &Graph<N, E, Ty, Ix>,
        weights: &[f64],
        scores: &[f64],
        removed_in: &[u32],
    ) -> Result<Vec<Fate>, GraphError> {
        let mut kept: Vec<bool> = removed_in.iter().map(|round| *round == 0).collect();
        match &self.connectivity {
            Connectivity::Free => {}
            Connectivity::LargestComponent => keep_largest(graph, &mut kept),
            Connectivity::PreserveComponents => {
                require_non_negative(weights)?;
                keep_one_each(graph, scores, &mut kept);
                kept = connect(graph, weights, &kept);
            }
            Connectivity::Terminals(terminals) => {
                require_non_negative(weights)?;
                let mut wanted = vec![false; kept.len()];
                for terminal in terminals {
                    let node = terminal.index();
                    *wanted.get_mut(node).ok_or(GraphError::UnknownTerminal { node })? = true;
                }
                for (kept, path) in kept.iter_mut().zip(connect(graph, weights, &wanted)) {
                    *kept |= path;
                }
            }
        }
        let fate = |(kept, round): (&bool, &u32)| match (kept, round) {
            (true, 0) => Fate::Kept,
            (true, _) => Fate::Spared,
            (false, 0) => Fate::Detached,
            (false, round) => Fate::Removed {
                round: *round as usize,
            },
        };
        Ok(kept.iter().zip(removed_in).map(fate).collect())
    }
}

/// What [`NodePruner::plan`] decided, with the score that made it so.
#[derive(Debug, Clone, PartialEq)]
pub struct NodePlan {
    scores: Vec<f64>,
    fates: Vec<Fate>,
    new_index: Vec<Option<usize>>,
    rounds: usize,
}

impl NodePlan {
    fn new(scores: Vec<f64>, fates: Vec<Fate>) -> Self {
        let mut next = 0;
        let mut number = |fate: &Fate| {
            matches!(fate, Fate::Kept | Fate::Spared).then(|| {
                next += 1;
                next - 1
            })
        };
        let new_index = fates.iter().map(&mut number).collect();
        let round = |fate: &Fate| {
            if let Fate::Removed { round } = fate {
                *round
            } else {
                0
            }
        };
        let rounds = fates.iter().map(round).max().unwrap_or(0);
        Self {
            scores,
            fates,
            new_index,
            rounds,
        }
    }

    /// Score of every node of the input, before anything was removed.
    #[must_use]
    pub fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// What happened to every node of the input.
    #[must_use]
    pub fn fates(&self) -> &[Fate] {
        &self.fates
    }

    /// For every node of the input its index in the result, `None` where it went.
    #[must_use]
    pub fn new_index(&self) -> &[Option<usize>] {
        &self.new_index
    }

    /// Old indices of the nodes that stay, in the order of the result.
    pub fn kept(&self) -> impl Iterator<Item = usize> + '_ {
        self.new_index
            .iter()
            .enumerate()
            .filter_map(|(old, new)| new.map(|_| old))
    }

    /// Rounds in which at least one node went.
    #[must_use]
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Builds the pruned copy of `graph`; nodes and edges keep their order.
    ///
    /// # Errors
    /// [`GraphError::Length`] where `graph` has another number of nodes than the one that was planned on.
    pub fn apply<N: Clone, E: Clone, Ty: EdgeType, Ix: IndexType>(
        &self,
        graph: &Graph<N, E, Ty, Ix>,
    ) -> Result<Graph<N, E, Ty, Ix>, GraphError> {
        if graph.node_count() != self.fates.len() {
            return Err(GraphError::Length {
                expected: self.fates.len(),
                found: graph.node_count(),
            });
        }
        let ends = |edge: &petgraph::graph::Edge<E, Ix>| {
            let a = self.new_index[edge.source().index()]?;
            self.new_index[edge.target().index()].map(|b| (NodeIndex::new(a), NodeIndex::new(b)))
        };
        let edges = graph
            .raw_edges()
            .iter()
            .filter(|edge| ends(edge).is_some())
            .count();
        let mut pruned = Graph::with_capacity(self.kept().count(), edges);
        for node in self.kept() {
            pruned.add_node(graph.raw_nodes()[node].weight.clone());
        }
        for edge in graph.raw_edges() {
            if let Some((a, b)) = ends(edge) {
                pruned.add_edge(a, b, edge.weight.clone());
            }
        }
        Ok(pruned)
    }
}

/// A pruned graph and the plan that led to it.
#[derive(Debug, Clone)]
pub struct PrunedGraph<N, E, Ty: EdgeType, Ix: IndexType = DefaultIx> {
    graph: Graph<N, E, Ty, Ix>,
    plan: NodePlan,
}

impl<N, E, Ty: EdgeType, Ix: IndexType> PrunedGraph<N, E, Ty, Ix> {
    /// What is left.
    #[must_use]
    pub fn graph(&self) -> &Graph<N, E, Ty, Ix> {
        &self.graph
    }

    /// Scores, fates and the index map.
    #[must_use]
    pub fn plan(&self) -> &NodePlan {
        &self.plan
    }

    /// Takes both apart.
    #[must_use]
    pub fn into_parts(self) -> (Graph<N, E, Ty, Ix>, NodePlan) {
        (self.graph, self.plan)
    }
}

/// A threshold, made concrete on the input's scores.
enum Cut {
    Value(f64),
    Best(usize),
}

impl Threshold {
    fn cut(self, scores: &[f64]) -> Result<Cut, GraphError> {
        match self {
            Self::Below(value) if !value.is_nan() => Ok(Cut::Value(value)),
            Self::Quantile(q) if (0.0..=1.0).contains(&q) => Ok(Cut::Value(quantile(scores, q))),
            Self::Keep(count) => Ok(Cut::Best(count)),
            _ => Err(GraphError::InvalidThreshold),
        }
    }
}

fn check_scores(scores: &[f64], nodes: usize) -> Result<Vec<f64>, GraphError> {
    if scores.len() != nodes {
        return Err(GraphError::Length {
            expected: nodes,
            found: scores.len(),
        });
    }
    match scores.iter().position(|score| !score.is_finite()) {
        Some(node) => Err(GraphError::InvalidScore { node }),
        None => Ok(scores.to_vec()),
    }
}

/// Quantile between the two nearest ranks; 0 of nothing.
fn quantile(scores: &[f64], q: f64) -> f64 {
    if scores.is_empty() {
        return 0.0;
    }
    let mut scores = scores.to_vec();
    let rank = q * (scores.len() - 1) as f64;
    let (_, low, above) = scores.select_nth_unstable_by(rank as usize, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    *low + rank.fract() * (high - *low)
}

fn all_but_best(scores: &[f64], count: usize) -> Vec<u32> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    let mut removed_in = vec![1; scores.len()];
    for node in order.into_iter().take(count) {
        removed_in[node] = 0;
    }
    removed_in
}

/// Marks the best node of every component that keeps none.
fn keep_one_each<N, E, Ty: EdgeType, Ix: IndexType>(
    graph: &Graph<N, E, Ty, Ix>,
    scores: &[f64],
    kept: &mut [bool],
) {
    let label = components(graph, &vec![true; kept.len()]);
    let mut best: Vec<Option<usize>> = vec![None; kept.len()];
    for node in 0..kept.len() {
        let best = &mut best[label[node]];
        let rank = |node: usize| (kept[node], scores[node]);
        if best.is_none_or(|best| rank(node) > rank(best)) {
            *best = Some(node);
        }
    }
    for node in best.into_iter().flatten() {
        kept[node] = true;
    }
}
