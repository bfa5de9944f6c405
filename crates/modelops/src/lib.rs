#![cfg_attr(feature = "monitoring", doc = include_str!("../README.md"))]
// The example of the page needs the feature.
#![cfg_attr(not(feature = "monitoring"), doc = "README.md is the page.")]

#[cfg(feature = "allocation")]
pub use modelops_allocation as allocation;
#[cfg(feature = "cleaning")]
pub use modelops_cleaning as cleaning;
#[cfg(feature = "monitoring")]
pub use modelops_monitoring as monitoring;
#[cfg(feature = "optimization")]
pub use modelops_optimization as optimization;
#[cfg(feature = "pruning")]
pub use modelops_pruning as pruning;
#[cfg(feature = "security")]
pub use modelops_security as security;
