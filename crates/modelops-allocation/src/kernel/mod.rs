//! Allocation-free loops over slices, and the tables they run on.

pub(crate) mod choice_dp;
pub(crate) mod core_dp;
pub(crate) mod count;
pub(crate) mod exchange;
pub(crate) mod fit;
pub(crate) mod split;
pub(crate) mod states;
