#![doc = include_str!("../README.md")]

mod error;
pub mod features;
pub mod graph;
mod kernel;
pub mod weights;

pub use error::{CheckpointError, FeatureError, GraphError, LayerError, PatternError};
