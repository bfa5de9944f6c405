//! Oracles and strategies for `modelops-security`.
