//! Prunes the weights of checkpoints, from safetensors file to safetensors file.
//!
//! | I want to | use |
//! | --- | --- |
//! | prune a checkpoint that is larger than memory | [`prune_checkpoint`] with a [`Recipe`] |
//! | lose as little of the outputs as possible | [`CheckpointPruner`] with a [`Calibration`] |
//! | give every layer a sparsity of its own | [`allocate`] |
//! | choose how many weights go, and where | [`Pattern`] and [`Sparsity`] |
//! | prune matrices that I hold | [`Pattern::mask`] and [`Mask::apply`] |
//! | a smaller file | a [`Format`] other than dense |
//! | prune a layer so that its outputs change least | [`LayerPruner`] on a [`Gram`] of calibration inputs |
//! | read weights back, compressed or not | [`Checkpoint`] |
//! | check a pruned file against its input | [`verify_pruned`] |
//!
//! Counts are exact: k = round(sparsity · n) weights go, the lowest magnitudes first and of equal ones the first, zeros
//! that are there already included.

mod admm;
pub mod allocate;
mod bounds;
mod calibration;
mod checkpoint;
mod decode;
mod encode;
mod factor;
mod format;
mod gram;
mod layer;
mod layout;
mod mask;
mod pattern;
mod plan;
mod pruner;
mod recipe;
mod refit;
mod report;
mod saliency;
mod sink;
mod sparse_gpt;
mod swaps;
mod verify;
mod write;

pub use calibration::Calibration;
pub use checkpoint::Checkpoint;
pub use format::Format;
pub use gram::Gram;
pub use layer::{Certificate, LayerPruner, PrunedLayer, Solver};
pub(crate) use layout::head;
pub use mask::Mask;
pub use pattern::{Pattern, Scope, Sparsity};
pub use pruner::{CheckpointPruner, prune_checkpoint};
pub use recipe::Recipe;
pub use report::{FormatBytes, Report, TensorReport};
pub use saliency::{obs, taylor, wanda, wanda_mask};
pub(crate) use sink::{Sink, persist};
pub use verify::verify_pruned;
