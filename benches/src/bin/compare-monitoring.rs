//! Side-by-side runs of `modelops-monitoring` against its peers.

fn main() {}
