//! Oracles and strategies for `modelops-monitoring`.
