//! Prunes the weights of checkpoints, from safetensors file to safetensors file.
//!
//! | I want to | use |
//! | --- | --- |
//! | prune a checkpoint that is larger than memory | [`prune_checkpoint`] with a [`Recipe`] |
//! | choose how many weights go, and where | [`Pattern`] and [`Sparsity`] |
//! | prune matrices that I hold | [`Pattern::mask`] and [`Mask::apply`] |
//! | a smaller file | [`Format::Bitmask`] |
//! | prune a layer so that its outputs change least | [`LayerPruner`] on a [`Gram`] of calibration inputs |
//! | read weights back, compressed or not | [`Checkpoint`] |
//!
//! Counts are exact: k = round(sparsity · n) weights go, the lowest magnitudes first and of equal ones the first, zeros
//! that are there already included.

mod admm;
mod checkpoint;
mod gram;
mod layer;
mod layout;
mod mask;
mod pattern;
mod recipe;
mod refit;
mod report;
mod sparse_gpt;
mod stream;

pub use checkpoint::Checkpoint;
pub use gram::Gram;
pub use layer::{Certificate, LayerPruner, PrunedLayer, Solver, taylor, wanda};
pub use layout::Format;
pub use mask::Mask;
pub use pattern::{Pattern, Scope, Sparsity};
pub use recipe::Recipe;
pub use report::{Report, TensorReport};
pub use stream::prune_checkpoint;
