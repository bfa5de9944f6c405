//! Loops over slices: no allocation per record, no polars.

pub(crate) mod canonical;
pub(crate) mod csv;
pub(crate) mod exact;
pub(crate) mod fingerprint;
pub(crate) mod infer;
pub(crate) mod nan_distance;
pub(crate) mod neighbours;
pub(crate) mod patterns;
pub(crate) mod random;
pub(crate) mod seen;
