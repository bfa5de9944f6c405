//! Oracles and strategies for `modelops-optimization`.
