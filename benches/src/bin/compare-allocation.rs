//! Side-by-side runs of `modelops-allocation` against its peers.

fn main() {}
