//! Side-by-side runs of `modelops-optimization` against its peers.

fn main() {}
