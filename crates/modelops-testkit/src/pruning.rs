//! Oracles and strategies for `modelops-pruning`: slow, obvious, and written apart from what they check.

use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;

/// Nodes and weighted edges of a small graph, with self-loops, parallel edges and isolated nodes.
#[derive(Debug, Clone)]
pub struct SmallGraph {
    /// Number of nodes.
    pub nodes: usize,
    /// (source, target, weight), weights of at least zero.
    pub edges: Vec<(usize, usize, f64)>,
}

/// Up to 24 nodes and 60 edges; half of the graphs have whole weights, so that scores tie.
pub fn small_graph() -> impl Strategy<Value = SmallGraph> {
    (1_usize..24).prop_flat_map(|nodes| {
        let weight = prop_oneof![(0_u8..6).prop_map(f64::from), 0.0_f64..3.0];
        let edges = proptest::collection::vec((0..nodes, 0..nodes, weight), 0..60);
        edges.prop_map(move |edges| SmallGraph { nodes, edges })
    })
}

/// Which nodes are left when every node whose strength (over edges among those left) is below `threshold` goes, again
/// and again, and in how many rounds. Each round sums from nothing.
#[must_use]
pub fn peel(graph: &SmallGraph, threshold: f64) -> (Vec<bool>, usize) {
    let mut left = vec![true; graph.nodes];
    for round in 0.. {
        let mut strength = vec![0.0; graph.nodes];
        for (a, b, weight) in &graph.edges {
            if left[*a] && left[*b] {
                strength[*a] += weight;
                strength[*b] += weight;
            }
        }
        let weak: Vec<usize> = (0..graph.nodes)
            .filter(|n| left[*n] && strength[*n] < threshold)
            .collect();
        if weak.is_empty() {
            return (left, round);
        }
        weak.into_iter().for_each(|node| left[node] = false);
    }
    unreachable!("every round removes a node")
}

/// Connected components among the nodes that `present` marks, by repeated flooding.
#[must_use]
pub fn count_components(graph: &SmallGraph, present: &[bool]) -> usize {
    let mut seen: Vec<bool> = present.iter().map(|p| !p).collect();
    let mut count = 0;
    while let Some(start) = seen.iter().position(|seen| !seen) {
        count += 1;
        let mut stack = vec![start];
        while let Some(node) = stack.pop() {
            if std::mem::replace(&mut seen[node], true) {
                continue;
            }
            for (a, b, _) in &graph.edges {
                for (from, to) in [(*a, *b), (*b, *a)] {
                    if from == node && present[to] && !seen[to] {
                        stack.push(to);
                    }
                }
            }
        }
    }
    count
}

/// Positions of the `count` lowest magnitudes, of equals the first, by a stable sort.
#[must_use]
pub fn lowest(values: &[f32], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].abs().total_cmp(&values[*b].abs()));
    order.truncate(count);
    order.sort_unstable();
    order
}

/// Matrices with many ties and zeros, up to 12 × 16, columns a multiple of `multiple`.
#[expect(clippy::missing_panics_doc, reason = "as many values as the shape holds")]
pub fn tied_matrix(multiple: usize) -> impl Strategy<Value = Array2<f32>> {
    (1_usize..12, 1_usize..=16 / multiple).prop_flat_map(move |(rows, groups)| {
        let columns = groups * multiple;
        let weight = prop_oneof![(-3_i8..4).prop_map(|w| f32::from(w) / 2.0), -2.0_f32..2.0];
        proptest::collection::vec(weight, rows * columns).prop_map(move |flat| {
            Array2::from_shape_vec((rows, columns), flat).expect("as many as the shape holds")
        })
    })
}

/// The largest sum over cells of a square tile with exactly `keep` a row and a column, by trying every choice of every row.
#[must_use]
pub fn best_tile(tile: ArrayView2<'_, f64>, keep: usize) -> f64 {
    fn descend(tile: ArrayView2<'_, f64>, keep: usize, row: usize, left: &mut [usize]) -> f64 {
        let n = tile.ncols();
        if row == n {
            return 0.0;
        }
        let mut best = f64::NEG_INFINITY;
        for choice in 0_u32..1 << n {
            let chosen = || (0..n).filter(move |j| choice >> j & 1 == 1);
            if choice.count_ones() as usize != keep || chosen().any(|j| left[j] == 0) {
                continue;
            }
            chosen().for_each(|j| left[j] -= 1);
            let own: f64 = chosen().map(|j| tile[[row, j]]).sum();
            best = best.max(own + descend(tile, keep, row + 1, left));
            chosen().for_each(|j| left[j] += 1);
        }
        best
    }
    descend(tile, keep, 0, &mut vec![keep; tile.ncols()])
}

/// The smallest squared change of an output, (w − x)ᵀH(w − x), over all x that are zero outside `inside`, by elimination.
#[must_use]
pub fn refitted(h: ArrayView2<'_, f64>, w: &[f64], inside: &[usize]) -> f64 {
    let n = inside.len();
    let mut a: Vec<Vec<f64>> = inside
        .iter()
        .map(|i| {
            let right: f64 = w.iter().enumerate().map(|(j, w)| h[[*i, j]] * w).sum();
            inside.iter().map(|j| h[[*i, *j]]).chain([right]).collect()
        })
        .collect();
    for k in 0..n {
        for i in 0..n {
            if i != k {
                let factor = a[i][k] / a[k][k];
                let pivot = a[k].clone();
                a[i].iter_mut().zip(&pivot).for_each(|(x, p)| *x -= factor * p);
            }
        }
    }
    let mut delta = w.to_vec();
    for (k, i) in inside.iter().enumerate() {
        delta[*i] -= a[k][n] / a[k][k];
    }
    let product = |i: usize| -> f64 { delta.iter().enumerate().map(|(j, d)| h[[i, j]] * d).sum() };
    (0..w.len()).map(|i| delta[i] * product(i)).sum()
}

/// ψ(n) by its definition.
fn digamma(n: usize) -> f64 {
    (1..n).map(|i| 1.0 / i as f64).sum::<f64>() - 0.577_215_664_901_532_9
}

/// Ross' estimate of mutual information over all pairs of points, where no two values are equal.
#[must_use]
pub fn ross(x: &[f64], classes: &[usize], neighbours: usize) -> f64 {
    let size = |class: usize| classes.iter().filter(|c| **c == class).count();
    let used: Vec<usize> = (0..x.len()).filter(|i| size(classes[*i]) > 1).collect();
    let mut sum = 0.0;
    for i in &used {
        let own = size(classes[*i]);
        let k = neighbours.min(own - 1);
        let same = used.iter().filter(|j| *j != i && classes[**j] == classes[*i]);
        let mut distances: Vec<f64> = same.map(|j| (x[*j] - x[*i]).abs()).collect();
        distances.sort_unstable_by(f64::total_cmp);
        let nearer = used
            .iter()
            .filter(|j| (x[**j] - x[*i]).abs() < distances[k - 1])
            .count();
        sum += digamma(used.len()) + digamma(k) - digamma(own) - digamma(nearer);
    }
    if used.is_empty() {
        0.0
    } else {
        sum / used.len() as f64
    }
}

/// The first estimate of Kraskov and others over all pairs of points, where no two coordinates are equal.
#[must_use]
pub fn ksg(x: &[f64], y: &[f64], neighbours: usize) -> f64 {
    let n = x.len();
    let mut sum = digamma(n) + digamma(neighbours.min(n - 1));
    for i in 0..n {
        let others = (0..n).filter(|j| *j != i);
        let mut distances: Vec<f64> = others
            .map(|j| (x[j] - x[i]).abs().max((y[j] - y[i]).abs()))
            .collect();
        distances.sort_unstable_by(f64::total_cmp);
        let radius = distances[neighbours.min(n - 1) - 1];
        let within = |values: &[f64]| values.iter().filter(|v| (**v - values[i]).abs() < radius).count();
        sum -= (digamma(within(x)) + digamma(within(y))) / n as f64;
    }
    sum
}

/// `count` numbers in [−1, 1) from a 64-bit congruential generator that any language can repeat.
#[must_use]
pub fn congruential(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f64 / f64::from(1 << 24) * 2.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
