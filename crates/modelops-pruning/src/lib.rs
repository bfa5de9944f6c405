#![doc = include_str!("../README.md")]

mod error;
pub mod features;
pub mod graph;
mod kernel;
pub mod structured;
pub mod weights;

pub use error::{
    AllocationError, CheckpointError, FeatureError, GraphError, LayerError, PatternError, StructureError,
};
