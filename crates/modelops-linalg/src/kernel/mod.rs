//! Allocation-free loops and layout changes.

pub(crate) mod layout;
pub(crate) mod scan;
