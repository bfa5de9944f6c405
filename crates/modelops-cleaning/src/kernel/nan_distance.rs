//! Nearest rows by the Euclidean distance over the features that both rows have.

use multiversion::multiversion;
use ndarray::{ArrayView1, ArrayView2};

/// Rows worked on at a time: their partial sums stay in the first cache.
const BLOCK: usize = 512;

/// A matrix feature by feature, a missing value as zero with a zero in the mask.
pub(crate) struct Columns {
    rows: usize,
    features: usize,
    values: Vec<f64>,
    present: Vec<f64>,
}

impl Columns {
    pub(crate) fn new(x: ArrayView2<'_, f64>) -> Self {
        let flat = x.t();
        let present = |v: &f64| f64::from(u8::from(!v.is_nan()));
        Self {
            rows: x.nrows(),
            features: x.ncols(),
            values: flat.iter().map(|v| if v.is_nan() { 0.0 } else { *v }).collect(),
            present: flat.iter().map(present).collect(),
        }
    }

    fn values(&self, feature: usize, from: usize, to: usize) -> &[f64] {
        &self.values[feature * self.rows + from..feature * self.rows + to]
    }

    fn present(&self, feature: usize, from: usize, to: usize) -> &[f64] {
        &self.present[feature * self.rows + from..feature * self.rows + to]
    }
}

/// Finds nearest rows, reusing its buffers.
pub(crate) struct Nearest {
    k: usize,
    squares: Vec<f64>,
    shared: Vec<f64>,
    /// For each missing feature the nearest rows so far: distance (of the mean, not of the sum) and row.
    best: Vec<Vec<(f64, u32)>>,
}

impl Nearest {
    pub(crate) fn new(k: usize) -> Self {
        Self {
            k,
            squares: vec![0.0; BLOCK],
            shared: vec![0.0; BLOCK],
            best: Vec::new(),
        }
    }

    /// For each of the `missing` features of `row`, the `k` nearest rows that have it, nearest first.
    pub(crate) fn find(
        &mut self,
        columns: &Columns,
        row: ArrayView1<'_, f64>,
        missing: &[usize],
    ) -> impl Iterator<Item = Vec<u32>> + '_ {
        self.best.clear();
        self.best.resize(missing.len(), Vec::new());
        let mut from = 0;
        while from < columns.rows {
            let to = (from + BLOCK).min(columns.rows);
            let squares = &mut self.squares[..to - from];
            let shared = &mut self.shared[..to - from];
            squares.fill(0.0);
            shared.fill(0.0);
            for feature in (0..columns.features).filter(|&f| !row[f].is_nan()) {
                let values = columns.values(feature, from, to);
                add(
                    squares,
                    shared,
                    values,
                    columns.present(feature, from, to),
                    row[feature],
                );
            }
            divide(squares, shared);
            for (&feature, best) in missing.iter().zip(&mut self.best) {
                let present = columns.present(feature, from, to);
                let mut worst = worst(best, self.k);
                for (i, (&distance, &present)) in squares.iter().zip(present).enumerate() {
                    // No common feature gives 0/0: NaN is never nearer.
                    if distance < worst && present != 0.0 {
                        let at = best.partition_point(|&(known, _)| known <= distance);
                        best.insert(at, (distance, (from + i) as u32));
                        best.truncate(self.k);
                        worst = self::worst(best, self.k);
                    }
                }
            }
            from = to;
        }
        self.best
            .iter()
            .map(|best| best.iter().map(|&(_, row)| row).collect())
    }
}

fn worst(best: &[(f64, u32)], k: usize) -> f64 {
    if best.len() < k {
        f64::INFINITY
    } else {
        best[k - 1].0
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add(squares: &mut [f64], shared: &mut [f64], values: &[f64], present: &[f64], mine: f64) {
    for (((square, shared), value), present) in squares.iter_mut().zip(shared).zip(values).zip(present) {
        let difference = (value - mine) * present;
        *square += difference * difference;
        *shared += present;
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn divide(squares: &mut [f64], shared: &[f64]) {
    for (square, shared) in squares.iter_mut().zip(shared) {
        *square /= shared;
    }
}
