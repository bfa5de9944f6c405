//! Oracles and strategies for `modelops-allocation`.
