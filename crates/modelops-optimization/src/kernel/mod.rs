//! Allocation-free loops over slices.
//!
//! Every sum runs over eight lanes in a fixed order with separate multiplications and additions, so that the same bits come
//! out on every processor, whatever vector width the dispatcher picks.

pub(crate) mod fused;
pub(crate) mod gram;
pub(crate) mod logistic;
pub(crate) mod mixture;
pub(crate) mod prefetch;
pub(crate) mod softmax;
pub(crate) mod triangular;
pub(crate) mod vector;
