//! Products and norms of vectors.

use multiversion::multiversion;

pub(crate) const LANES: usize = 8;

/// Σ aᵢ bᵢ in eight lanes; inlined into the dispatched kernels.
#[inline(always)]
pub(crate) fn dot_lanes(a: &[f64], b: &[f64]) -> f64 {
    let (a_chunks, a_tail) = a.as_chunks::<LANES>();
    let (b_chunks, b_tail) = b.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (p, q) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] += p[lane] * q[lane];
        }
    }
    let mut sum = sum_lanes(lanes);
    for (p, q) in a_tail.iter().zip(b_tail) {
        sum += p * q;
    }
    sum
}

/// The lanes added in a fixed tree.
#[inline(always)]
pub(crate) fn sum_lanes(l: [f64; LANES]) -> f64 {
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

/// Σ aᵢ bᵢ.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    dot_lanes(a, b)
}

/// y += a x.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// The largest absolute entry; NaN where any entry is NaN.
pub(crate) fn max_norm(x: &[f64]) -> f64 {
    let mut largest = 0.0f64;
    for v in x {
        if v.is_nan() {
            return f64::NAN;
        }
        largest = largest.max(v.abs());
    }
    largest
}

/// The Euclidean norm, scaled so that it neither overflows nor underflows.
pub(crate) fn norm(x: &[f64]) -> f64 {
    let sum = dot(x, x);
    if sum.is_normal() && sum < 1e300 {
        return sum.sqrt();
    }
    let largest = max_norm(x);
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest
        * x.iter()
            .map(|v| (v / largest) * (v / largest))
            .sum::<f64>()
            .sqrt()
}
