//! Side-by-side runs of `modelops-pruning` against its peers.

fn main() {}
