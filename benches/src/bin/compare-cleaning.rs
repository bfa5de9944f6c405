//! Side-by-side runs of `modelops-cleaning` against its peers.
//!
//! Built without the `frame` feature: a release build of polars takes ten minutes on two cores, and the peers bring
//! their own. Typed pipelines are therefore not measured here.

#[path = "../cleaning/matrix.rs"]
mod matrix;
#[path = "../cleaning/table.rs"]
mod table;

use modelops_benches::Comparison;

fn main() {
    let mut comparison = Comparison::from_args("cleaning");
    // First, while the peak of memory of this process is that of this case.
    table::run(&mut comparison);
    matrix::run(&mut comparison);
    comparison.finish();
}
