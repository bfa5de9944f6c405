//! Exposition formats.

pub(crate) mod openmetrics;
pub(crate) mod text;
