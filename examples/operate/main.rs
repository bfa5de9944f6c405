//! Examples of modelops; see the README beside this package.

fn main() {}
