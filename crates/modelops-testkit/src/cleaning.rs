//! Oracles and strategies for `modelops-cleaning`.
