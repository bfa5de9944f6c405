//! Removes whole heads, feed-forward channels, experts and layers of transformers: what is left is smaller for every
//! runtime, and loads with its rewritten config.
//!
//! | I want to | use |
//! | --- | --- |
//! | know what a checkpoint is made of | [`Architecture::from_config`] |
//! | see which dimensions have to shrink together | [`Coupling`] |
//! | say what stays | [`StructuredPlan`], whole, by hand, or [by magnitude](StructuredPlan::by_magnitude) |
//! | write the smaller model | [`slice_checkpoint`] |
//!
//! A sliced model computes what the whole one computes with the same parts masked. The hidden dimension is never cut: every
//! layer adds to it, and norms over fewer features are other norms.

mod architecture;
mod coupling;
mod plan;
mod slice;

pub use architecture::{Architecture, Family};
pub use coupling::{Axis, Coupling, Part};
pub use plan::{LayerPlan, StructuredPlan};
pub use slice::{SlicedReport, slice_checkpoint};
