//! Exposition formats.

pub(crate) mod text;
