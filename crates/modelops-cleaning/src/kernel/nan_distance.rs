//! Nearest rows by the Euclidean distance over the features that both rows have.

use multiversion::multiversion;
use ndarray::{ArrayView1, ArrayView2};

/// Rows measured together; only a group with a nearer one is looked into.
const GROUP: usize = 64;

/// A matrix group by group and feature by feature, a missing value as zero with a zero in the mask.
#[derive(Debug)]
pub(crate) struct Columns {
    rows: usize,
    features: usize,
    values: Vec<[f64; GROUP]>,
    present: Vec<[f64; GROUP]>,
}

impl Columns {
    pub(crate) fn new(x: ArrayView2<'_, f64>) -> Self {
        let (rows, features) = x.dim();
        let cells = rows.div_ceil(GROUP) * features;
        let mut columns = Self {
            rows,
            features,
            values: vec![[0.0; GROUP]; cells],
            present: vec![[0.0; GROUP]; cells],
        };
        for ((row, feature), &value) in x.indexed_iter() {
            if !value.is_nan() {
                let cell = row / GROUP * features + feature;
                columns.values[cell][row % GROUP] = value;
                columns.present[cell][row % GROUP] = 1.0;
            }
        }
        columns
    }
}

/// Finds nearest rows, reusing its buffers.
#[derive(Debug)]
pub(crate) struct Nearest {
    k: usize,
    /// For each missing feature the nearest rows so far: mean square of the differences, and row.
    best: Vec<Vec<(f64, u32)>>,
}

impl Nearest {
    pub(crate) fn new(k: usize) -> Self {
        Self { k, best: Vec::new() }
    }

    /// For each of the `missing` features of `row`, the `k` nearest rows that have it, nearest first.
    pub(crate) fn find(
        &mut self,
        columns: &Columns,
        row: ArrayView1<'_, f64>,
        missing: &[usize],
    ) -> impl Iterator<Item = Vec<u32>> + '_ {
        self.best.clear();
        self.best.resize(missing.len(), Vec::with_capacity(self.k + 1));
        let known: Vec<(usize, f64)> = row
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, v)| !v.is_nan())
            .collect();
        let mut farthest = f64::INFINITY;
        let mut distances = [0.0; GROUP];
        for group in 0..columns.rows.div_ceil(GROUP) {
            let cells = group * columns.features..(group + 1) * columns.features;
            let (values, present) = (&columns.values[cells.clone()], &columns.present[cells]);
            if measure(values, present, &known, &mut distances) >= farthest {
                continue;
            }
            for (&feature, best) in missing.iter().zip(&mut self.best) {
                let mut worst = worst(best, self.k);
                for (at, (&distance, &there)) in distances.iter().zip(&present[feature]).enumerate() {
                    // No common feature gives 0/0: NaN is never nearer.
                    if distance < worst && there != 0.0 {
                        let place = best.partition_point(|&(known, _)| known <= distance);
                        best.insert(place, (distance, (group * GROUP + at) as u32));
                        best.truncate(self.k);
                        worst = self::worst(best, self.k);
                    }
                }
            }
            farthest = self
                .best
                .iter()
                .map(|best| worst(best, self.k))
                .fold(0.0, f64::max);
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

/// The mean squared differences of one row to a group over the features both have, and the least of them.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn measure(
    values: &[[f64; GROUP]],
    present: &[[f64; GROUP]],
    known: &[(usize, f64)],
    distances: &mut [f64; GROUP],
) -> f64 {
    let mut squares = [0.0; GROUP];
    let mut shared = [0.0; GROUP];
    for &(feature, mine) in known {
        let cells = values[feature].iter().zip(&present[feature]);
        for ((square, shared), (value, present)) in squares.iter_mut().zip(&mut shared).zip(cells) {
            let difference = (value - mine) * present;
            *square += difference * difference;
            *shared += present;
        }
    }
    let mut least = [f64::INFINITY; 8];
    for (at, (square, shared)) in squares.iter().zip(&shared).enumerate() {
        let distance = square / shared;
        distances[at] = distance;
        let least = &mut least[at % 8];
        *least = if distance < *least { distance } else { *least };
    }
    least.into_iter().fold(f64::INFINITY, f64::min)
}
