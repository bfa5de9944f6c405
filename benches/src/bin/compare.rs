//! Dispatch of the side-by-side runs.

fn main() {}
