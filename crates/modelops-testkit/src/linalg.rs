//! Oracles and strategies for `modelops-linalg`.

use ndarray::{Array2, ArrayView2};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// A matrix of independent entries in (−1, 1), of 1 to `rows` by 1 to `columns`.
pub fn matrix(rows: usize, columns: usize) -> impl Strategy<Value = Array2<f64>> {
    (1..=rows, 1..=columns, any::<u64>()).prop_map(|(m, n, seed)| seeded_matrix(m, n, seed))
}

/// The `rows` by `columns` matrix of independent entries in (−1, 1) that `seed` names.
#[must_use]
pub fn seeded_matrix(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    Array2::from_shape_simple_fn((rows, columns), || rng.random_range(-1.0..1.0))
}

/// A symmetric positive definite matrix of side 1 to `n`, its eigenvalues at least 1.
pub fn positive_definite(n: usize) -> impl Strategy<Value = Array2<f64>> {
    matrix(n, n).prop_map(|b| {
        let mut a = naive_product(b.view(), b.t());
        a.diag_mut().mapv_inplace(|x| x + 1.0);
        a
    })
}

/// The product by its definition, each entry summed with Neumaier's compensation.
#[must_use]
pub fn naive_product(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> Array2<f64> {
    Array2::from_shape_fn((a.nrows(), b.ncols()), |(i, j)| {
        let (mut sum, mut lost) = (0.0_f64, 0.0);
        for (x, y) in a.row(i).iter().zip(b.column(j)) {
            let term = x * y;
            let next = sum + term;
            lost += if sum.abs() >= term.abs() {
                (sum - next) + term
            } else {
                (term - next) + sum
            };
            sum = next;
        }
        sum + lost
    })
}

/// The Cholesky factor by its definition, or the index of the first pivot that is not positive.
///
/// # Errors
///
/// The index of that pivot.
pub fn naive_cholesky(a: ArrayView2<'_, f64>) -> Result<Array2<f64>, usize> {
    let n = a.nrows();
    let mut l = Array2::<f64>::zeros((n, n));
    for j in 0..n {
        for i in j..n {
            let rest: f64 = (0..j).map(|k| l[[i, k]] * l[[j, k]]).sum();
            let x = a[[i, j]] - rest;
            if i > j {
                l[[i, j]] = x / l[[j, j]];
            } else if x > 0.0 {
                l[[j, j]] = x.sqrt();
            } else {
                return Err(j);
            }
        }
    }
    Ok(l)
}

/// The largest absolute entry; 0 for an empty matrix.
#[must_use]
pub fn largest(a: ArrayView2<'_, f64>) -> f64 {
    a.iter().fold(0.0, |m, x| x.abs().max(m))
}

/// The largest absolute difference of two matrices of one shape; infinite where the shapes differ or an entry is NaN.
#[must_use]
pub fn distance(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>) -> f64 {
    if a.dim() != b.dim() || a.iter().chain(b).any(|x| x.is_nan()) {
        return f64::INFINITY;
    }
    largest((&a - &b).view())
}
