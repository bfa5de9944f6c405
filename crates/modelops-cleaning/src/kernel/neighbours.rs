//! Nearest neighbours among the rows of a matrix.

use multiversion::multiversion;
use ndarray::ArrayView2;

/// Candidates whose distances are computed together; only a group with a better one is looked into.
const GROUP: usize = 64;

/// Rows from which the direction of the largest spread is taken.
const SKETCH: usize = 1000;

/// The `k` nearest other rows of every row, nearest first, equal distances in row order: `n × k` positions.
/// Squared Euclidean distance; every value is finite and `k` is below the number of rows.
pub(crate) fn nearest(x: ArrayView2<'_, f64>, k: usize) -> Vec<u32> {
    let index = Index::new(x);
    let mut out = Vec::with_capacity(x.nrows() * k);
    for row in 0..x.nrows() {
        index.find(x, row, k, &mut out);
    }
    out
}

/// The rows of a matrix, sorted along the direction in which they spread most.
///
/// A row that lies farther off along that direction than the worst neighbour so far cannot be a neighbour, and neither can
/// any beyond it. Features of one thing hang together, so this leaves a fraction of the rows where a tree, whose boxes
/// overlap more with every feature, leaves most; where features are independent all pairs are measured.
#[derive(Debug)]
pub(crate) struct Index {
    features: usize,
    /// Group by group, feature by feature; what is missing in the last group is infinitely far.
    values: Vec<f64>,
    /// The row at each place.
    rows: Vec<u32>,
    /// The place of each row.
    places: Vec<u32>,
    /// How far along the direction each place lies, in order.
    along: Vec<f64>,
    /// More than what rounding can have moved a difference of two of these.
    slack: f64,
}

impl Index {
    pub(crate) fn new(x: ArrayView2<'_, f64>) -> Self {
        let (n, features) = x.dim();
        let direction = direction(x);
        let project = |row: usize| -> f64 { x.row(row).iter().zip(&direction).map(|(v, u)| v * u).sum() };
        let mut order: Vec<(f64, u32)> = (0..n).map(|row| (project(row), row as u32)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut values = vec![f64::INFINITY; n.div_ceil(GROUP) * features * GROUP];
        let mut places = vec![0; n];
        for (place, &(_, row)) in order.iter().enumerate() {
            places[row as usize] = place as u32;
            let group = place / GROUP * features * GROUP;
            for feature in 0..features {
                values[group + feature * GROUP + place % GROUP] = x[[row as usize, feature]];
            }
        }
        let largest = x.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let terms = features as f64 + 2.0;
        Self {
            features,
            values,
            places,
            rows: order.iter().map(|&(_, row)| row).collect(),
            along: order.into_iter().map(|(along, _)| along).collect(),
            // And no less than a difference whose square is lost to underflow.
            slack: 4.0 * terms * terms * f64::EPSILON * largest + 1e-150,
        }
    }

    /// Appends the `k` nearest other rows of `row` of the same matrix, nearest first, equal distances in row order.
    pub(crate) fn find(&self, x: ArrayView2<'_, f64>, row: usize, k: usize, out: &mut Vec<u32>) {
        let me = x.row(row).to_vec();
        let place = self.places[row] as usize;
        let mut search = Search {
            index: self,
            row: row as u32,
            me: &me,
            k,
            best: Vec::with_capacity(k + 1),
            distances: [0.0; GROUP],
        };
        let groups = self.along.len().div_ceil(GROUP);
        let (mut low, mut high) = (place / GROUP, place / GROUP + 1);
        search.group(low);
        // Outwards, the nearer side first, until neither side can have a neighbour.
        let here = self.along[place];
        loop {
            let below = low
                .checked_sub(1)
                .map(|group| here - self.along[group * GROUP + GROUP - 1]);
            let above = (high < groups).then(|| self.along[high * GROUP] - here);
            match (below, above) {
                (None, None) => break,
                (Some(gap), other) if other.is_none_or(|other| gap <= other) => {
                    if search.is_beyond(gap) {
                        break;
                    }
                    low -= 1;
                    search.group(low);
                }
                (_, Some(gap)) => {
                    if search.is_beyond(gap) {
                        break;
                    }
                    search.group(high);
                    high += 1;
                }
                (Some(_), None) => unreachable!("a side without another is the nearer one"),
            }
        }
        out.extend(search.best.iter().map(|&(_, row)| row));
    }
}

/// The neighbours of one row so far.
struct Search<'a> {
    index: &'a Index,
    row: u32,
    me: &'a [f64],
    k: usize,
    best: Vec<(f64, u32)>,
    distances: [f64; GROUP],
}

impl Search<'_> {
    /// Whether a row that lies `gap` farther along the direction is farther than all neighbours.
    fn is_beyond(&self, gap: f64) -> bool {
        let gap = (gap - self.index.slack).max(0.0);
        self.best.len() == self.k && gap * gap > self.best[self.k - 1].0
    }

    fn group(&mut self, group: usize) {
        let size = self.index.features * GROUP;
        let values = &self.index.values[group * size..(group + 1) * size];
        let least = measure(values, self.me, &mut self.distances);
        if self.best.len() == self.k && least > self.best[self.k - 1].0 {
            return;
        }
        let rows = self.index.rows[group * GROUP..].iter().take(GROUP);
        for (&distance, &row) in self.distances.iter().zip(rows) {
            let candidate = (distance, row);
            let before = |known: &(f64, u32)| known.0 < distance || known.0 == distance && known.1 < row;
            if row != self.row && (self.best.len() < self.k || !self.best.last().is_some_and(before)) {
                let place = self.best.partition_point(before);
                self.best.insert(place, candidate);
                self.best.truncate(self.k);
            }
        }
    }
}

/// About the direction of the largest spread, a few steps of the power method on some of the rows. Any direction of length one is
/// right; a better one is faster. A missing value counts as the mean of its feature.
pub(super) fn direction(x: ArrayView2<'_, f64>) -> Vec<f64> {
    let (n, features) = x.dim();
    let step = n.div_ceil(SKETCH).max(1);
    let rows: Vec<_> = (0..n).step_by(step).map(|row| x.row(row)).collect();
    let mean: Vec<f64> = (0..features)
        .map(|feature| {
            let values = rows.iter().map(|row| row[feature]).filter(|v| !v.is_nan());
            let count = values.clone().count().max(1) as f64;
            values.map(|v| v / count).sum()
        })
        .collect();
    let even = 1.0 / (features.max(1) as f64).sqrt();
    let mut direction = vec![even; features];
    for _ in 0..8 {
        let mut next = vec![0.0; features];
        for row in &rows {
            let centred = || {
                row.iter()
                    .zip(&mean)
                    .map(|(v, m)| if v.is_nan() { 0.0 } else { v - m })
            };
            let along: f64 = centred().zip(&direction).map(|(v, u)| v * u).sum();
            next.iter_mut()
                .zip(centred())
                .for_each(|(to, v)| *to += along * v);
        }
        let length = next.iter().map(|v| v * v).sum::<f64>().sqrt();
        if !length.is_normal() {
            break;
        }
        direction = next.iter().map(|v| v / length).collect();
    }
    direction
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

#[cfg(test)]
mod tests {
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    /// All distances, sorted.
    fn slow(x: ArrayView2<'_, f64>, row: usize, k: usize) -> Vec<u32> {
        let distance = |other: usize| -> f64 {
            let pairs = x.row(row).into_iter().zip(x.row(other));
            pairs.map(|(a, b)| (b - a) * (b - a)).sum()
        };
        let mut all: Vec<(f64, u32)> = (0..x.nrows())
            .filter(|&other| other != row)
            .map(|other| (distance(other), other as u32))
            .collect();
        all.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        all[..k].iter().map(|&(_, row)| row).collect()
    }

    proptest! {
        /// Law: the neighbours are those of sorting all distances, with ties, offsets and huge values among them.
        #[test]
        fn neighbours_are_those_of_sorting(
            cells in proptest::collection::vec(-4i8..4, 8..900),
            features in 1usize..4,
            scale in prop_oneof![Just(1.0), Just(1e-200), Just(1e250), Just(0.1)],
            offset in prop_oneof![Just(0.0), Just(1e6)],
            k in 1usize..7,
        ) {
            let n = cells.len() / features;
            prop_assume!(n > k);
            let x = Array2::from_shape_fn((n, features), |(row, feature)| {
                offset + scale * f64::from(cells[row * features + feature])
            });
            let fast = nearest(x.view(), k);
            for row in 0..n {
                prop_assert_eq!(&fast[row * k..(row + 1) * k], slow(x.view(), row, k));
            }
        }
    }
}
