//! Nearest rows by the Euclidean distance over the features that both rows have: every row measured.

use multiversion::multiversion;
use ndarray::{ArrayView1, ArrayView2};

/// Rows measured together; only a group with a nearer one is looked into.
pub(super) const GROUP: usize = 64;

/// Rows of a matrix group by group and feature by feature, a missing value as zero with a zero in the mask.
#[derive(Debug)]
pub(crate) struct Columns {
    rows: Vec<u32>,
    features: usize,
    values: Vec<[f64; GROUP]>,
    present: Vec<[f64; GROUP]>,
}

impl Columns {
    /// These rows of `x`.
    pub(crate) fn new(x: ArrayView2<'_, f64>, rows: Vec<u32>) -> Self {
        let features = x.ncols();
        let cells = rows.len().div_ceil(GROUP) * features;
        let mut columns = Self {
            rows,
            features,
            values: vec![[0.0; GROUP]; cells],
            present: vec![[0.0; GROUP]; cells],
        };
        for (place, &row) in columns.rows.iter().enumerate() {
            for (feature, &value) in x.row(row as usize).iter().enumerate() {
                if !value.is_nan() {
                    let cell = place / GROUP * features + feature;
                    columns.values[cell][place % GROUP] = value;
                    columns.present[cell][place % GROUP] = 1.0;
                }
            }
        }
        columns
    }

    /// Offers every row to the neighbours of `row`, whose `missing` features they are to fill.
    pub(crate) fn search(&self, row: ArrayView1<'_, f64>, missing: &[usize], best: &mut [Best]) {
        let known: Vec<(usize, f64)> = row
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, v)| !v.is_nan())
            .collect();
        let mut farthest = farthest(best.iter());
        let mut distances = [0.0; GROUP];
        for (group, rows) in self.rows.chunks(GROUP).enumerate() {
            let cells = group * self.features..(group + 1) * self.features;
            let (values, present) = (&self.values[cells.clone()], &self.present[cells]);
            if measure(values, present, &known, &mut distances) > farthest {
                continue;
            }
            for (&feature, best) in missing.iter().zip(&mut *best) {
                for ((&row, &distance), &there) in rows.iter().zip(&distances).zip(&present[feature]) {
                    if there != 0.0 {
                        best.offer(distance, row);
                    }
                }
            }
            farthest = self::farthest(best.iter());
        }
    }
}

/// The nearest rows so far, nearest first, equal distances in row order.
#[derive(Debug)]
pub(crate) struct Best {
    k: usize,
    /// Mean square of the differences, and row.
    rows: Vec<(f64, u32)>,
}

impl Best {
    pub(crate) fn new(k: usize) -> Self {
        Self {
            k,
            rows: Vec::with_capacity(k.min(64) + 1),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.rows.clear();
    }

    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.rows.iter().map(|&(_, row)| row)
    }

    /// Takes a row that is nearer than one of the `k`. No common feature gives 0/0: NaN and infinity are never near.
    pub(super) fn offer(&mut self, distance: f64, row: u32) {
        let before = |known: &(f64, u32)| known.0 < distance || known.0 == distance && known.1 < row;
        if distance < f64::INFINITY && (self.rows.len() < self.k || !self.rows.last().is_some_and(before)) {
            let place = self.rows.partition_point(before);
            self.rows.insert(place, (distance, row));
            self.rows.truncate(self.k);
        }
    }

    /// A row farther than this is not taken.
    fn bound(&self) -> f64 {
        if self.rows.len() < self.k {
            f64::INFINITY
        } else {
            self.rows[self.k - 1].0
        }
    }
}

/// A row farther than this is taken by none of them.
pub(super) fn farthest<'a>(best: impl Iterator<Item = &'a Best>) -> f64 {
    best.map(Best::bound).fold(0.0, f64::max)
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
            // An infinite value of the row must not reach rows that lack the feature.
            let difference = if *present == 0.0 { 0.0 } else { value - mine };
            *square += difference * difference;
            *shared += present;
        }
    }
    for ((distance, square), shared) in distances.iter_mut().zip(&squares).zip(&shared) {
        *distance = square / shared;
    }
    least(distances)
}

/// The least of the distances that are numbers.
#[inline(always)]
pub(super) fn least(distances: &[f64; GROUP]) -> f64 {
    let mut least = [f64::INFINITY; 8];
    for distances in distances.as_chunks::<8>().0 {
        for (least, &distance) in least.iter_mut().zip(distances) {
            *least = if distance < *least { distance } else { *least };
        }
    }
    least.into_iter().fold(f64::INFINITY, f64::min)
}
