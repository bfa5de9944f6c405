//! Nearest rows by the Euclidean distance over the features that both rows have: far rows passed over.

use std::collections::BTreeMap;

use multiversion::multiversion;
use ndarray::{ArrayView1, ArrayView2};

use super::nan_distance::{Best, Columns, GROUP, farthest, least};
use super::neighbours::direction;

/// As many rows that lack the same features are worth an order of the donors of their own.
const ENOUGH: usize = 32;

/// The rows of a matrix by the features that they have.
#[derive(Debug)]
pub(crate) struct Patterns<'a> {
    x: ArrayView2<'a, f64>,
    blocks: Vec<Block>,
    /// Rows that share their pattern with too few to fill a group.
    rest: Columns,
    all: Columns,
    direction: Vec<f64>,
    largest: f64,
}

/// Rows that have the same features.
#[derive(Debug)]
struct Block {
    present: Vec<usize>,
    rows: Vec<u32>,
}

impl<'a> Patterns<'a> {
    pub(crate) fn new(x: ArrayView2<'a, f64>) -> Self {
        let mut patterns: BTreeMap<Vec<usize>, Vec<u32>> = BTreeMap::new();
        for (at, row) in x.rows().into_iter().enumerate() {
            let present = (0..row.len()).filter(|&feature| !row[feature].is_nan());
            patterns.entry(present.collect()).or_default().push(at as u32);
        }
        let (mut blocks, mut rest) = (Vec::new(), Vec::new());
        for (present, rows) in patterns {
            if rows.len() < GROUP {
                rest.extend(rows);
            } else {
                blocks.push(Block { present, rows });
            }
        }
        // The largest first: it has most of the neighbours, and the others are then passed over.
        blocks.sort_by_key(|block| std::cmp::Reverse(block.rows.len()));
        let all = (0..x.nrows() as u32).collect();
        let finite = |m: f64, v: &f64| if v.is_nan() { m } else { m.max(v.abs()) };
        Self {
            x,
            blocks,
            rest: Columns::new(x, rest),
            all: Columns::new(x, all),
            direction: direction(x),
            largest: x.iter().fold(0.0, finite),
        }
    }

    /// For each row of `rows`, whose `missing` features are to be filled, what `then` is told: the row, and for each of those
    /// features the nearest of these rows that have it.
    pub(crate) fn search(
        &self,
        x: ArrayView2<'_, f64>,
        rows: &[usize],
        missing: &[usize],
        k: usize,
        mut then: impl FnMut(usize, &[Best]),
    ) {
        let mut best: Vec<Best> = missing.iter().map(|_| Best::new(k)).collect();
        let orders: Vec<Order> = if rows.len() < ENOUGH {
            Vec::new()
        } else {
            let blocks = self.blocks.iter();
            blocks
                .filter_map(|block| Order::new(self, block, missing))
                .collect()
        };
        for &row in rows {
            best.iter_mut().for_each(Best::clear);
            let values = x.row(row);
            // The distances to an infinite row are not ordered by any direction.
            if rows.len() < ENOUGH || values.iter().any(|v| v.is_infinite()) {
                self.all.search(values, missing, &mut best);
            } else {
                self.rest.search(values, missing, &mut best);
                for order in &orders {
                    order.search(values, &mut best);
                }
            }
            then(row, &best);
        }
    }
}

/// The rows of a block along the direction in which all rows spread most, as far as they and a row that lacks some features
/// both go.
///
/// A row that lies farther off along any direction of length one than the worst neighbour so far cannot be a neighbour, and
/// neither can any beyond it.
#[derive(Debug)]
struct Order {
    /// The features that both have, and the direction over them.
    shared: Vec<(usize, f64)>,
    /// Which of the missing features the block has.
    fills: Vec<usize>,
    /// Group by group, shared feature by shared feature; what is missing in the last group is infinitely far.
    values: Vec<[f64; GROUP]>,
    rows: Vec<u32>,
    /// How far along the direction each place lies, in order.
    along: Vec<f64>,
    /// More than what rounding can have moved a difference of two of these.
    slack: f64,
}

impl Order {
    /// None where no row of the block can be a neighbour.
    fn new(donors: &Patterns<'_>, block: &Block, missing: &[usize]) -> Option<Self> {
        let has = |feature: &usize| block.present.binary_search(feature).is_ok();
        let fills: Vec<usize> = (0..missing.len()).filter(|&at| has(&missing[at])).collect();
        let features = block.present.iter().filter(|feature| !missing.contains(feature));
        let mut shared: Vec<(usize, f64)> = features
            .map(|&feature| (feature, donors.direction[feature]))
            .collect();
        if fills.is_empty() || shared.is_empty() {
            return None;
        }
        let length = shared.iter().map(|(_, u)| u * u).sum::<f64>().sqrt();
        let even = 1.0 / (shared.len() as f64).sqrt();
        for (_, u) in &mut shared {
            *u = if length > 1e-3 { *u / length } else { even };
        }
        let mut order: Vec<(f64, u32)> = block
            .rows
            .iter()
            .map(|&row| (project(&shared, donors.x.row(row as usize)), row))
            .collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut values = vec![[f64::INFINITY; GROUP]; order.len().div_ceil(GROUP) * shared.len()];
        for (place, &(_, row)) in order.iter().enumerate() {
            let cells = &mut values[place / GROUP * shared.len()..];
            for (cells, &(feature, _)) in cells.iter_mut().zip(&shared) {
                cells[place % GROUP] = donors.x[[row as usize, feature]];
            }
        }
        let terms = shared.len() as f64 + 2.0;
        Some(Self {
            shared,
            fills,
            values,
            rows: order.iter().map(|&(_, row)| row).collect(),
            along: order.into_iter().map(|(along, _)| along).collect(),
            slack: 4.0 * terms * terms * f64::EPSILON * donors.largest,
        })
    }

    fn search(&self, row: ArrayView1<'_, f64>, best: &mut [Best]) {
        let mine: Vec<f64> = self.shared.iter().map(|&(feature, _)| row[feature]).collect();
        let here = project(&self.shared, row);
        let slack = self.slack.max(largest_slack(&mine, self.shared.len()));
        let groups = self.along.len().div_ceil(GROUP);
        let place = self.along.partition_point(|&along| along < here);
        let (mut low, mut high) = (place / GROUP, place / GROUP);
        // Outwards, the nearer side first, until neither side can have a neighbour.
        loop {
            let below = low
                .checked_sub(1)
                .map(|g| here - self.along[g * GROUP + GROUP - 1]);
            let above = (high < groups).then(|| self.along[high * GROUP] - here);
            let (gap, is_below) = match (below, above) {
                (None, None) => break,
                (Some(below), Some(above)) if below <= above => (below, true),
                (Some(below), None) => (below, true),
                (_, Some(above)) => (above, false),
            };
            let gap = (gap - slack).max(0.0);
            let bound = farthest(self.fills.iter().map(|&at| &best[at]));
            if gap * gap / self.shared.len() as f64 > bound {
                break;
            }
            let group = if is_below {
                low -= 1;
                low
            } else {
                high += 1;
                high - 1
            };
            self.group(group, &mine, bound, best);
        }
    }

    fn group(&self, group: usize, mine: &[f64], bound: f64, best: &mut [Best]) {
        let values = &self.values[group * mine.len()..(group + 1) * mine.len()];
        let mut distances = [0.0; GROUP];
        if measure(values, mine, &mut distances) > bound {
            return;
        }
        for &at in &self.fills {
            for (&row, &distance) in self.rows[group * GROUP..].iter().zip(&distances) {
                best[at].offer(distance, row);
            }
        }
    }
}

fn project(shared: &[(usize, f64)], row: ArrayView1<'_, f64>) -> f64 {
    shared.iter().map(|&(feature, u)| u * row[feature]).sum()
}

/// What rounding can have moved the projection of this row, and a difference whose square is lost to underflow.
fn largest_slack(row: &[f64], features: usize) -> f64 {
    let terms = features as f64 + 2.0;
    let largest = row.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    4.0 * terms * terms * f64::EPSILON * largest + 1e-150
}

/// The mean squared differences of one row to a group, and the least of them.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn measure(values: &[[f64; GROUP]], mine: &[f64], distances: &mut [f64; GROUP]) -> f64 {
    let mut squares = [0.0; GROUP];
    for (values, &mine) in values.iter().zip(mine) {
        for (square, value) in squares.iter_mut().zip(values) {
            let difference = value - mine;
            *square += difference * difference;
        }
    }
    let shared = mine.len() as f64;
    for (distance, square) in distances.iter_mut().zip(&squares) {
        *distance = square / shared;
    }
    least(distances)
}
