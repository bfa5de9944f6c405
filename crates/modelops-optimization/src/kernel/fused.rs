//! One pass over the rows for the residual, the loss and the gradient of least squares.

use super::prefetch::{LINE, prefetch};
use super::vector::{LANES, dot_lanes, sum_lanes};
use multiversion::multiversion;

/// How many numbers ahead of the products the memory is asked, 16 KiB: far enough that they have come, near enough that they are still in
/// the nearest cache.
const AHEAD: usize = 2048;

/// Writes Xᵀ(Xw − y) into `gradient` and returns ‖Xw − y‖²; `x` holds the rows one after the other.
///
/// A separate product and transposed product read the matrix twice from memory; here each block of four rows is read once
/// and is still in the nearest cache when its gradient is added. The sums end each block with a pause in which the processor does not see
/// the reads that follow, so that the memory is asked for a later block meanwhile.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn residual_gradient(x: &[f64], y: &[f64], w: &[f64], gradient: &mut [f64]) -> f64 {
    let d = w.len();
    gradient.fill(0.0);
    let mut loss = 0.0;
    let (blocks, last) = y.as_chunks::<4>();
    let ahead = AHEAD.next_multiple_of(4 * d);
    for (index, (targets, block)) in blocks.iter().zip(x.chunks_exact(4 * d)).enumerate() {
        let (r0, rest) = block.split_at(d);
        let (r1, rest) = rest.split_at(d);
        let (r2, r3) = rest.split_at(d);
        let [p0, p1, p2, p3] = four_dots([r0, r1, r2, r3], w, &x[index * 4 * d..], ahead);
        let e = [p0 - targets[0], p1 - targets[1], p2 - targets[2], p3 - targets[3]];
        loss += (e[0] * e[0] + e[1] * e[1]) + (e[2] * e[2] + e[3] * e[3]);
        add_four(r0, r1, r2, r3, e, gradient);
    }
    for (target, row) in last.iter().zip(x[blocks.len() * 4 * d..].chunks_exact(d)) {
        let error = dot_lanes(row, w) - target;
        loss += error * error;
        for (g, v) in gradient.iter_mut().zip(row) {
            *g += error * v;
        }
    }
    loss
}

/// Four rows against one vector, so that each load of `w` serves four products; meanwhile as many numbers are fetched of those that lie
/// `ahead` in `x`.
#[inline(always)]
fn four_dots(rows: [&[f64]; 4], w: &[f64], x: &[f64], ahead: usize) -> [f64; 4] {
    let [r0, r1, r2, r3] = rows;
    let (c0, t0) = r0.as_chunks::<LANES>();
    let (c1, t1) = r1.as_chunks::<LANES>();
    let (c2, t2) = r2.as_chunks::<LANES>();
    let (c3, t3) = r3.as_chunks::<LANES>();
    let (cw, tw) = w.as_chunks::<LANES>();
    let (mut a0, mut a1, mut a2, mut a3) = ([0.0; LANES], [0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for (j, ((((v, p0), p1), p2), p3)) in cw.iter().zip(c0).zip(c1).zip(c2).zip(c3).enumerate() {
        for line in 4 * j..4 * (j + 1) {
            prefetch(x, ahead + line * LINE);
        }
        for lane in 0..LANES {
            a0[lane] += p0[lane] * v[lane];
            a1[lane] += p1[lane] * v[lane];
            a2[lane] += p2[lane] * v[lane];
            a3[lane] += p3[lane] * v[lane];
        }
    }
    let mut sums = [sum_lanes(a0), sum_lanes(a1), sum_lanes(a2), sum_lanes(a3)];
    for ((((v, p0), p1), p2), p3) in tw.iter().zip(t0).zip(t1).zip(t2).zip(t3) {
        sums[0] += p0 * v;
        sums[1] += p1 * v;
        sums[2] += p2 * v;
        sums[3] += p3 * v;
    }
    sums
}

/// gradient += e₀ r₀ + e₁ r₁ + e₂ r₂ + e₃ r₃.
#[inline(always)]
fn add_four(r0: &[f64], r1: &[f64], r2: &[f64], r3: &[f64], e: [f64; 4], gradient: &mut [f64]) {
    for ((((g, p0), p1), p2), p3) in gradient.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
        *g += (e[0] * p0 + e[1] * p1) + (e[2] * p2 + e[3] * p3);
    }
}
