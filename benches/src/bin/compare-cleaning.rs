//! Side-by-side runs of `modelops-cleaning` against its peers.

fn main() {}
