//! Side-by-side runs of `modelops-cleaning` against its peers.
//!
//! Built with polars, as the typed pipelines need it: the first release build takes ten minutes on two cores.

#[path = "../cleaning/matrix.rs"]
mod matrix;
#[path = "../cleaning/table.rs"]
mod table;
#[path = "../cleaning/text.rs"]
mod text;

use modelops_benches::Comparison;

fn main() {
    let mut comparison = Comparison::from_args("cleaning");
    // First, while the peak of memory of this process is that of this case.
    table::run(&mut comparison);
    matrix::run(&mut comparison);
    text::run(&mut comparison);
    comparison.finish();
}
