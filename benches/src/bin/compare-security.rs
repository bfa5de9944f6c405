//! Side-by-side runs of `modelops-security` against its peers.

fn main() {}
