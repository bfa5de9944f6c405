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
/// Jacomy, Venturini, Heymann and Bastian, "`ForceAtlas2`, a continuous graph layout algorithm for handy network
/// visualization", 2014, DOI 10.1371/journal.pone.0098679.
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
    /// O(nodes² + edges) for each of 500 steps up to 2,000 nodes, a plain spiral beyond.
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
            fit(&mut positions);
            separate(&mut positions);
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

/// Attraction d along edges; repulsion (1 + kᵢ)(1 + kⱼ)/d between nodes of degrees kᵢ and kⱼ, which keeps hubs apart
/// and their leaves near; a pull to the centre that holds loose parts.
fn simulate(positions: &mut [[f64; 2]], edges: &[(usize, usize)]) {
    let mut mass = vec![1.0_f64; positions.len()];
    for &(a, b) in edges {
        mass[a] += 1.0;
        mass[b] += 1.0;
    }
    let mut forces = vec![[0.0_f64; 2]; positions.len()];
    let hottest = (positions.len() as f64).sqrt();
    for step in 0..STEPS {
        for (node, force) in forces.iter_mut().enumerate() {
            let at = positions[node];
            *force = [-0.15 * mass[node] * at[0], -0.15 * mass[node] * at[1]];
            for (other, other_mass) in positions.iter().zip(&mass) {
                let (dx, dy) = (at[0] - other[0], at[1] - other[1]);
                let push = mass[node] * other_mass / (dx * dx + dy * dy).max(1e-4);
                force[0] += dx * push;
                force[1] += dy * push;
            }
        }
        for &(a, b) in edges {
            let (dx, dy) = (
                positions[b][0] - positions[a][0],
                positions[b][1] - positions[a][1],
            );
            for (node, sign) in [(a, 1.0), (b, -1.0)] {
                forces[node][0] += sign * dx;
                forces[node][1] += sign * dy;
            }
        }
        let limit = hottest * (1.0 - step as f64 / STEPS as f64);
        for ((at, force), mass) in positions.iter_mut().zip(&forces).zip(&mass) {
            let size = (force[0] * force[0] + force[1] * force[1]).sqrt().max(1e-12);
            let scale = limit.min(size * 0.15 / mass) / size;
            at[0] += force[0] * scale;
            at[1] += force[1] * scale;
        }
    }
}

/// Pushes apart, in the unit square, nodes that would be drawn on top of each other.
fn separate(positions: &mut [[f64; 2]]) {
    let room = (0.55 / (positions.len() as f64).sqrt()).min(0.09);
    for _ in 0..100 {
        for a in 0..positions.len() {
            for b in a + 1..positions.len() {
                let (dx, dy) = (
                    positions[b][0] - positions[a][0],
                    positions[b][1] - positions[a][1],
                );
                let distance = (dx * dx + dy * dy).sqrt();
                if distance < room {
                    let half = (room - distance) / 2.0 / distance.max(1e-9);
                    for (node, sign) in [(a, -half), (b, half)] {
                        positions[node][0] += sign * dx;
                        positions[node][1] += sign * dy;
                    }
                }
            }
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
