//! Nearest neighbours among the rows of a matrix.

use ndarray::ArrayView2;

/// The `k` nearest other rows of every row, nearest first, equal distances in row order: `n × k` positions.
/// Squared Euclidean distance; every value is finite and `k` is below the number of rows.
pub(crate) fn nearest(x: ArrayView2<'_, f64>, k: usize) -> Vec<u32> {
    let n = x.nrows();
    let d = x.ncols();
    let rows = x.as_standard_layout();
    let rows = rows.as_slice().expect("standard layout");
    let mut out = Vec::with_capacity(n * k);
    let mut best: Vec<(f64, u32)> = Vec::with_capacity(k + 1);
    for i in 0..n {
        let me = &rows[i * d..(i + 1) * d];
        best.clear();
        for j in (0..n).filter(|&j| j != i) {
            let other = &rows[j * d..(j + 1) * d];
            let distance: f64 = me.iter().zip(other).map(|(a, b)| (a - b) * (a - b)).sum();
            if best.len() == k && distance >= best[k - 1].0 {
                continue;
            }
            let at = best.partition_point(|&(known, _)| known <= distance);
            best.insert(at, (distance, j as u32));
            best.truncate(k);
        }
        out.extend(best.iter().map(|&(_, j)| j));
    }
    out
}
