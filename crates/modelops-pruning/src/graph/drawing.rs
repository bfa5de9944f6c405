//! A graph, ready to be drawn.

use petgraph::EdgeType;
use petgraph::graph::{Graph, IndexType, NodeIndex};

use super::{Fate, Layout, NodePlan};

/// Labels, edges and positions of a graph, drawn as SVG for people or written as DOT for Graphviz.
///
/// For up to a few hundred nodes; beyond that a picture of all nodes tells nothing.
///
/// # Example
/// ```
/// use modelops_pruning::graph::Drawing;
/// use petgraph::graph::UnGraph;
///
/// let mut graph = UnGraph::<&str, f64>::new_undirected();
/// let (a, b) = (graph.add_node("router"), graph.add_node("expert"));
/// graph.add_edge(a, b, 2.5);
/// let drawing = Drawing::new(&graph, |_, name| name.to_string(), |w| *w).with_title("Before");
/// assert!(drawing.to_dot().contains(r#"0 -- 1 [label="2.5", penwidth=4]"#));
/// assert!(drawing.to_svg().contains(">expert</text>"));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    pub(crate) title: String,
    pub(crate) directed: bool,
    pub(crate) labels: Vec<String>,
    pub(crate) edges: Vec<(usize, usize, f64)>,
    pub(crate) faded: Vec<bool>,
    pub(crate) layout: Layout,
}

impl Drawing {
    /// Reads labels and weights; the weight of an edge sets how thick it is drawn.
    pub fn new<N, E, Ty: EdgeType, Ix: IndexType>(
        graph: &Graph<N, E, Ty, Ix>,
        label: impl Fn(NodeIndex<Ix>, &N) -> String,
        weight: impl Fn(&E) -> f64,
    ) -> Self {
        let nodes = graph.raw_nodes().iter().enumerate();
        let edges = graph.raw_edges().iter();
        Self {
            title: String::new(),
            directed: graph.is_directed(),
            labels: nodes
                .map(|(node, data)| label(NodeIndex::new(node), &data.weight))
                .collect(),
            edges: edges
                .map(|e| (e.source().index(), e.target().index(), weight(&e.weight)))
                .collect(),
            faded: vec![false; graph.node_count()],
            layout: Layout::force_directed(graph),
        }
    }

    /// Writes a title above the picture.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Uses these positions, where there is one for every node.
    #[must_use]
    pub fn with_layout(mut self, layout: Layout) -> Self {
        if layout.positions().len() == self.labels.len() {
            self.layout = layout;
        }
        self
    }

    /// Draws the nodes that `plan` removes faint and dashed, so that one picture shows both what goes and what stays.
    #[must_use]
    pub fn with_plan(mut self, plan: &NodePlan) -> Self {
        for (faded, fate) in self.faded.iter_mut().zip(plan.fates()) {
            *faded = !matches!(fate, Fate::Kept | Fate::Spared);
        }
        self
    }

    /// The positions in use, to draw the pruned graph on the same ones.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes the Graphviz language.
    #[must_use]
    pub fn to_dot(&self) -> String {
        super::dot::render(self)
    }

    /// Draws a self-contained SVG.
    #[must_use]
    pub fn to_svg(&self) -> String {
        super::svg::render(self)
    }

    /// Thickness of an edge of this weight relative to the thickest, 0 to 1.
    pub(crate) fn thickness(&self, weight: f64) -> f64 {
        let heaviest = self
            .edges
            .iter()
            .map(|e| e.2.abs())
            .filter(|w| w.is_finite())
            .fold(0.0, f64::max);
        if heaviest > 0.0 && weight.is_finite() {
            (weight.abs() / heaviest).sqrt()
        } else {
            1.0
        }
    }
}

/// A weight for reading: up to three significant digits.
pub(crate) fn short(weight: f64) -> String {
    if weight == 0.0 || !weight.is_finite() {
        return weight.to_string();
    }
    let digits = (2 - weight.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{weight:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}
