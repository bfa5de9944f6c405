//! Loops over slices, without graphs, files or options: private.

pub(crate) mod counts;
pub(crate) mod exact_sum;
pub(crate) mod log_tail;
pub(crate) mod lowest;
pub(crate) mod moments;
pub(crate) mod neighbours;
pub(crate) mod plane;
pub(crate) mod sweep;
pub(crate) mod tiles;
