//! Where to draw nodes.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType};

use super::NodePlan;

/// Positions of nodes in the unit square, by forces: edges pull, nodes push each other away.
///
/// Keep the layout of a graph before pruning and [restrict](Layout::restricted_to) it to draw the pruned one, so that
/// nodes stay where the reader last saw them.
///
/// # Example
/// ```
/// use modelops_pruning::graph::Layout;
/// use petgraph::graph::UnGraph;
///
/// let layout = Layout::force_directed(&UnGraph::<(), ()>::from_edges([(0, 1), (1, 2)]));
/// assert_eq!(layout.positions().len(), 3);
/// ```
///
/// # References
/// Fruchterman and Reingold, "Graph drawing by force-directed placement", 1991, DOI 10.1002/spe.4380211102.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    positions: Vec<[f64; 2]>,
}

/// Steps of the simulation; the picture has settled long before.
const STEPS: usize = 400;
/// Above this many nodes, forces between all pairs are too slow and the picture is unreadable anyway: a spiral.
const LARGEST: usize = 2_000;

impl Layout {
    /// Places the nodes of `graph`; the same graph gives the same positions.
    ///
    /// # Complexity
    /// O(nodes² + edges) for each of 400 steps up to 2,000 nodes, a plain spiral beyond.
    #[must_use]
    pub fn force_directed<N, E, Ty: EdgeType, Ix: IndexType>(graph: &Graph<N, E, Ty, Ix>) -> Self {
        let mut positions = spiral(graph.node_count());
        if (2..=LARGEST).contains(&positions.len()) {
            let edges = graph
                .raw_edges()
                .iter()
                .map(|edge| (edge.source().index(), edge.target().index()));
            let edges: Vec<(usize, usize)> = edges.filter(|(a, b)| a != b).collect();
            simulate(&mut positions, &edges);
        }
        fit(&mut positions);
        Self { positions }
    }

    /// One position per node, both coordinates between 0 and 1.
    #[must_use]
    pub fn positions(&self) -> &[[f64; 2]] {
        &self.positions
    }

    /// The positions of the nodes that `plan` keeps, in their new order.
    #[must_use]
    pub fn restricted_to(&self, plan: &NodePlan) -> Self {
        let positions = plan
            .kept()
            .filter_map(|old| self.positions.get(old).copied())
            .collect();
        Self { positions }
    }
}

/// Evenly spread start: the golden angle puts no two nodes on one ray.
fn spiral(nodes: usize) -> Vec<[f64; 2]> {
    let place = |node: usize| {
        let (radius, angle) = ((node as f64 + 0.5).sqrt(), node as f64 * 2.399_963_229_728_653);
        [radius * angle.cos(), radius * angle.sin()]
    };
    (0..nodes).map(place).collect()
}

/// Ideal edge length 1: attraction d², repulsion 1/d, a weak pull to the centre that holds loose parts.
fn simulate(positions: &mut [[f64; 2]], edges: &[(usize, usize)]) {
    let mut forces = vec![[0.0_f64; 2]; positions.len()];
    let hottest = (positions.len() as f64).sqrt() / 4.0;
    for step in 0..STEPS {
        for (node, force) in forces.iter_mut().enumerate() {
            let at = positions[node];
            *force = [-0.08 * at[0], -0.08 * at[1]];
            for other in positions.iter() {
                let (dx, dy) = (at[0] - other[0], at[1] - other[1]);
                let push = 1.0 / (dx * dx + dy * dy).max(1e-4);
                force[0] += dx * push;
                force[1] += dy * push;
            }
        }
        for &(a, b) in edges {
            let (dx, dy) = (
                positions[b][0] - positions[a][0],
                positions[b][1] - positions[a][1],
            );
            let pull = (dx * dx + dy * dy).sqrt() * 0.5;
            for (node, sign) in [(a, pull), (b, -pull)] {
                forces[node][0] += sign * dx;
                forces[node][1] += sign * dy;
            }
        }
        let limit = hottest * (1.0 - step as f64 / STEPS as f64);
        for (at, force) in positions.iter_mut().zip(&forces) {
            let size = (force[0] * force[0] + force[1] * force[1]).sqrt().max(1e-12);
            let scale = limit.min(size * 0.2) / size;
            at[0] += force[0] * scale;
            at[1] += force[1] * scale;
        }
    }
}

/// Scales to the unit square, the proportions kept, the smaller side centred.
fn fit(positions: &mut [[f64; 2]]) {
    let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
    for at in positions.iter() {
        for axis in 0..2 {
            low[axis] = low[axis].min(at[axis]);
            high[axis] = high[axis].max(at[axis]);
        }
    }
    let size = (high[0] - low[0]).max(high[1] - low[1]).max(1e-9);
    for at in positions {
        for axis in 0..2 {
            at[axis] = 0.5 + (at[axis] - (low[axis] + high[axis]) / 2.0) / size;
        }
    }
}
