//! Oracles and strategies for `modelops-pruning`.
