//! Small dense loops of the evolution strategy and BFGS: updates of low rank and Cholesky factors, row by row.

use multiversion::multiversion;

use super::vector::dot_lanes;

/// C += a v vᵀ for a symmetric C of which both halves are kept.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn add_outer(c: &mut [f64], a: f64, v: &[f64]) {
    for (row, x) in c.chunks_exact_mut(v.len()).zip(v) {
        let factor = a * x;
        for (c, y) in row.iter_mut().zip(v) {
            *c += factor * y;
        }
    }
}

/// C += u vᵀ + v uᵀ for a symmetric C of which both halves are kept.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn add_outer_pair(c: &mut [f64], u: &[f64], v: &[f64]) {
    for ((row, p), q) in c.chunks_exact_mut(v.len()).zip(u).zip(v) {
        for ((c, u), v) in row.iter_mut().zip(u).zip(v) {
            *c += p * v + q * u;
        }
    }
}

/// The lower L with L Lᵀ = C; false where C is not positive definite.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn factor(c: &[f64], l: &mut [f64]) -> bool {
    let n = c.len().isqrt();
    for i in 0..n {
        let (above, rest) = l.split_at_mut(i * n);
        let row = &mut rest[..n];
        for j in 0..i {
            let other = &above[j * n..j * n + n];
            row[j] = (c[i * n + j] - dot_lanes(&row[..j], &other[..j])) / other[j];
        }
        let square = c[i * n + i] - dot_lanes(&row[..i], &row[..i]);
        if !(square > 0.0 && square.is_finite()) {
            return false;
        }
        row[i] = square.sqrt();
        row[i + 1..].fill(0.0);
    }
    true
}

/// out = L z.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn multiply(l: &[f64], z: &[f64], out: &mut [f64]) {
    let n = z.len();
    for (i, out) in out.iter_mut().enumerate() {
        *out = dot_lanes(&l[i * n..=i * n + i], &z[..=i]);
    }
}

/// Solves L z = y in place.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn solve(l: &[f64], y: &mut [f64]) {
    let n = y.len();
    for i in 0..n {
        let sum = dot_lanes(&l[i * n..i * n + i], &y[..i]);
        y[i] = (y[i] - sum) / l[i * n + i];
    }
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{REORDERED_SUM, close};

    use super::*;

    #[test]
    fn factors_multiply_back_and_solve() {
        for n in [1, 2, 7, 8, 9, 33] {
            let mut c = vec![0.0; n * n];
            for k in 0..n {
                c[k * n + k] = 1.0;
            }
            for m in 1..4 {
                let v: Vec<f64> = (0..n).map(|k| ((k * m * 7) % 11) as f64 / 11.0 - 0.4).collect();
                add_outer(&mut c, 0.5 * m as f64, &v);
            }
            let mut l = vec![f64::NAN; n * n];
            assert!(factor(&c, &mut l));
            for i in 0..n {
                for j in 0..n {
                    let product: f64 = (0..n).map(|k| l[i * n + k] * l[j * n + k]).sum();
                    assert!(close(product, c[i * n + j], REORDERED_SUM), "{n}: {i}, {j}");
                }
            }
            let z: Vec<f64> = (0..n).map(|k| k as f64 - 2.5).collect();
            let mut y = vec![0.0; n];
            multiply(&l, &z, &mut y);
            solve(&l, &mut y);
            assert!(y.iter().zip(&z).all(|(a, b)| close(*a, *b, REORDERED_SUM)));
        }
        let mut l = vec![0.0; 4];
        assert!(!factor(&[1.0, 2.0, 2.0, 1.0], &mut l));
        assert!(!factor(&[f64::NAN, 0.0, 0.0, 1.0], &mut l));
    }
}
