//! Kernels of this crate, at three sizes each.

fn main() {}
