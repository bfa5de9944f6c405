//! Oracles and strategies for `modelops-cleaning`.

use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;

/// Bytes that look like CSV to nobody in particular: quotes, separators, all line ends, bytes that are no UTF-8.
/// The first line is always the header `a,b,c`.
pub fn hostile_csv() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        6 => Just(&b"1,2,3\n"[..]),
        3 => Just(&b"x,\"y, z\",0.5\r\n"[..]),
        2 => Just(&b"\""[..]),
        2 => Just(&b","[..]),
        2 => Just(&b"\n"[..]),
        1 => Just(&b"\r"[..]),
        1 => Just(&b"\xff"[..]),
        1 => Just(&b"NA"[..]),
        2 => Just(&b"\"\"\"q\"\"\""[..]),
        1 => Just("é".as_bytes()),
        2 => Just(&b"00501"[..]),
        1 => Just(&b"\0"[..]),
        1 => Just(&b" "[..]),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| {
        let mut text = b"a,b,c\n".to_vec();
        pieces.iter().for_each(|piece| text.extend_from_slice(piece));
        text
    })
}

/// The slow oracle of KNN imputation: all distances, sorted, for every missing cell; NaN where no row is a neighbour.
#[must_use]
pub fn knn_impute(train: ArrayView2<'_, f64>, x: ArrayView2<'_, f64>, k: usize) -> Array2<f64> {
    let mut out = x.to_owned();
    for ((row, feature), cell) in out.indexed_iter_mut() {
        if !cell.is_nan() {
            continue;
        }
        let mut donors: Vec<(f64, usize)> = (0..train.nrows())
            .filter(|&i| !train[[i, feature]].is_nan())
            .filter_map(|i| {
                let shared: Vec<f64> = (0..train.ncols())
                    .map(|f| train[[i, f]] - x[[row, f]])
                    .filter(|d| !d.is_nan())
                    .collect();
                let sum: f64 = shared.iter().map(|d| d * d).sum();
                (!shared.is_empty()).then(|| (sum / shared.len() as f64, i))
            })
            .collect();
        donors.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        donors.truncate(k);
        let sum: f64 = donors.iter().map(|&(_, i)| train[[i, feature]]).sum();
        *cell = sum / donors.len() as f64;
    }
    out
}

/// The `k` nearest other rows of row `i`, by sorting all distances; equal distances in row order.
#[must_use]
pub fn nearest(x: ArrayView2<'_, f64>, i: usize, k: usize) -> Vec<usize> {
    let mut all: Vec<(f64, usize)> = (0..x.nrows())
        .filter(|&j| j != i)
        .map(|j| {
            let distance = x
                .row(i)
                .iter()
                .zip(x.row(j))
                .map(|(a, b)| (a - b) * (a - b))
                .sum();
            (distance, j)
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    all.into_iter().take(k).map(|(_, j)| j).collect()
}
