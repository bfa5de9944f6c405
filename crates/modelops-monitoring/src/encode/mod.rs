//! The exposition formats.

pub(crate) mod openmetrics;
pub(crate) mod openmetrics2;
pub(crate) mod otlp;
pub(crate) mod protobuf;
pub(crate) mod text;
mod wire;
