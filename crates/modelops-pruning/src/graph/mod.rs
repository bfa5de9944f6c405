//! Prunes weighted graphs, keeps their backbone and draws them.
//!
//! | I want to | use |
//! | --- | --- |
//! | drop weak nodes once, or until none is left | [`NodePruner`] with [`Cascade::Snapshot`] or [`Cascade::Fixpoint`] |
//! | drop nodes that cost more than they bring | [`benefit_per_cost`] and [`NodeScore::PerNode`] |
//! | keep what is left in one piece | [`Connectivity`] |
//! | drop weak edges, keep all nodes | [`backbone`] |
//! | know how deeply a node is embedded | [`core_numbers`] |
//! | look at it | [`Drawing`] |
//!
//! All of it reads a [`petgraph::graph::Graph`], directed or not, and returns a new one with an old-to-new index map.
//! Scores are computed before anything is removed, so no result depends on the order in which nodes are visited.

mod adjacency;
pub mod backbone;
mod cascade;
mod connectivity;
mod cores;
mod dot;
mod drawing;
mod layout;
mod prune;
mod score;
mod svg;

pub use connectivity::Connectivity;
pub use cores::core_numbers;
pub use drawing::Drawing;
pub use layout::Layout;
pub use prune::{Cascade, Fate, NodePlan, NodePruner, PrunedGraph, Threshold};
pub use score::{NodeScore, Strength, benefit_per_cost, node_strengths};
