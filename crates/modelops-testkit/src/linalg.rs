//! Oracles and strategies for `modelops-linalg`.
