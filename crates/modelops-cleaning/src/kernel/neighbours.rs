//! Nearest neighbours among the rows of a matrix.

use multiversion::multiversion;
use ndarray::ArrayView2;

/// Candidates whose distances are computed together; only a group with a better one is looked into.
const GROUP: usize = 64;

/// The `k` nearest other rows of every row, nearest first, equal distances in row order: `n × k` positions.
/// Squared Euclidean distance; every value is finite and `k` is below the number of rows.
///
/// All pairs are measured. Up to some ten thousand rows of ten features that is faster than a tree, whose boxes overlap
/// more with every feature.
pub(crate) fn nearest(x: ArrayView2<'_, f64>, k: usize) -> Vec<u32> {
    let n = x.nrows();
    let groups = n.div_ceil(GROUP);
    // Group by group, feature by feature; what is missing in the last group is infinitely far.
    let mut columns = vec![f64::INFINITY; groups * x.ncols() * GROUP];
    for (group, rows) in columns.chunks_mut((x.ncols() * GROUP).max(1)).enumerate() {
        for (feature, values) in rows.chunks_mut(GROUP).enumerate() {
            let from = group * GROUP;
            for (value, row) in values.iter_mut().zip(from..n) {
                *value = x[[row, feature]];
            }
        }
    }
    let mut out = Vec::with_capacity(n * k);
    let mut best: Vec<(f64, u32)> = Vec::with_capacity(k + 1);
    let mut distances = [0.0; GROUP];
    for (i, me) in x.rows().into_iter().enumerate() {
        let me = me.to_vec();
        best.clear();
        let mut worst = f64::INFINITY;
        for (group, rows) in columns.chunks((x.ncols() * GROUP).max(1)).enumerate() {
            if measure(rows, &me, &mut distances) >= worst {
                continue;
            }
            for (at, &distance) in distances.iter().enumerate() {
                let j = group * GROUP + at;
                if distance < worst && j != i && j < n {
                    let place = best.partition_point(|&(known, _)| known <= distance);
                    best.insert(place, (distance, j as u32));
                    best.truncate(k);
                    if best.len() == k {
                        worst = best[k - 1].0;
                    }
                }
            }
        }
        out.extend(best.iter().map(|&(_, j)| j));
    }
    out
}

/// The distances of one row to a group, and the least of them.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn measure(rows: &[f64], me: &[f64], distances: &mut [f64; GROUP]) -> f64 {
    let mut sums = [0.0; GROUP];
    for (values, &mine) in rows.as_chunks::<GROUP>().0.iter().zip(me) {
        for (sum, value) in sums.iter_mut().zip(values) {
            let difference = value - mine;
            *sum += difference * difference;
        }
    }
    let mut least = [f64::INFINITY; 8];
    for sums in sums.as_chunks::<8>().0 {
        for (least, &sum) in least.iter_mut().zip(sums) {
            *least = if sum < *least { sum } else { *least };
        }
    }
    *distances = sums;
    least.into_iter().fold(f64::INFINITY, f64::min)
}
