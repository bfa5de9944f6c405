//! Allocation-free inner loops: cell storage and bucket arithmetic.

pub(crate) mod bounds;
pub(crate) mod index;
pub(crate) mod slab;
