//! Bad input of every kind: a typed error, never a panic.

mod near;
mod simhash;
