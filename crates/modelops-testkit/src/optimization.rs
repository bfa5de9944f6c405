//! Oracles and strategies for `modelops-optimization`.
//!
//! Slow and plain on purpose: what they compute is read off the formula.

pub mod dual;
pub mod filip;
pub mod more_garbow_hillstrom;
pub mod nist;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Gradient descent on ‖Xw − y‖² / 2n from zero, in two passes over the table per step.
#[must_use]
pub fn two_pass_descent(
    x: ArrayView2<'_, f64>,
    y: ArrayView1<'_, f64>,
    learning_rate: f64,
    iterations: usize,
) -> Array1<f64> {
    let mut w = Array1::zeros(x.ncols());
    for _ in 0..iterations {
        let residual = x.dot(&w) - y;
        let gradient = x.t().dot(&residual) / x.nrows() as f64;
        w -= &(gradient * learning_rate);
    }
    w
}

/// A table with entries in ±½ and targets linear in it plus a little noise.
#[must_use]
pub fn regression_table(rows: usize, columns: usize, seed: u64) -> (Array2<f64>, Array1<f64>) {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut draw = || generator.random::<f64>() - 0.5;
    let x = Array2::from_shape_simple_fn((rows, columns), &mut draw);
    let w = Array1::from_shape_simple_fn(columns, &mut draw);
    let noise = Array1::from_shape_simple_fn(rows, &mut draw);
    let y = x.dot(&w) + 0.1 * noise;
    (x, y)
}

/// Least squares with an l2 penalty n · l2 and no intercept, by the normal equations and elimination with pivoting.
#[must_use]
pub fn ridge_by_elimination(x: ArrayView2<'_, f64>, y: ArrayView1<'_, f64>, l2: f64) -> Array1<f64> {
    let d = x.ncols();
    let mut a = x.t().dot(&x) + Array2::<f64>::eye(d) * (l2 * x.nrows() as f64);
    let mut b = x.t().dot(&y);
    for k in 0..d {
        let pivot = (k..d)
            .max_by(|&i, &j| a[[i, k]].abs().total_cmp(&a[[j, k]].abs()))
            .unwrap_or(k);
        for j in 0..d {
            a.swap([k, j], [pivot, j]);
        }
        b.swap(k, pivot);
        for i in k + 1..d {
            let factor = a[[i, k]] / a[[k, k]];
            for j in k..d {
                a[[i, j]] -= factor * a[[k, j]];
            }
            b[i] -= factor * b[k];
        }
    }
    let mut w = Array1::zeros(d);
    for k in (0..d).rev() {
        let known: f64 = (k + 1..d).map(|j| a[[k, j]] * w[j]).sum();
        w[k] = (b[k] - known) / a[[k, k]];
    }
    w
}

/// The mean of −ln softmax(W xᵢ + b) at the labels, straight from the definition; parameters as `SoftmaxLoss` has them.
#[must_use]
pub fn cross_entropy(x: ArrayView2<'_, f64>, labels: &[usize], classes: usize, parameters: &[f64]) -> f64 {
    let d = x.ncols();
    let total: f64 = x
        .rows()
        .into_iter()
        .zip(labels)
        .map(|(row, &label)| {
            let logit = |class: usize| {
                let w = &parameters[class * (d + 1)..(class + 1) * (d + 1)];
                row.iter().zip(w).map(|(x, w)| x * w).sum::<f64>() + w[d]
            };
            (0..classes).map(|class| logit(class).exp()).sum::<f64>().ln() - logit(label)
        })
        .sum();
    total / labels.len() as f64
}

/// The centred L² discrepancy of points in the unit cube: how far they are from even.
///
/// **References**: F. J. Hickernell, A generalized discrepancy and quadrature error bound, 1998, Math. Comput. 67, DOI 10.1090/S0025-5718-98-00894-1.
#[must_use]
pub fn centred_discrepancy(points: &[Vec<f64>]) -> f64 {
    let n = points.len() as f64;
    let dim = points.first().map_or(0, Vec::len) as i32;
    let off = |x: f64| (x - 0.5).abs();
    let one = |p: &Vec<f64>| {
        p.iter()
            .map(|x| 1.0 + 0.5 * off(*x) - 0.5 * off(*x) * off(*x))
            .product::<f64>()
    };
    let two = |p: &Vec<f64>, q: &Vec<f64>| {
        let terms = p.iter().zip(q);
        terms
            .map(|(x, y)| 1.0 + 0.5 * off(*x) + 0.5 * off(*y) - 0.5 * (x - y).abs())
            .product::<f64>()
    };
    let singles: f64 = points.iter().map(one).sum();
    let pairs: f64 = points
        .iter()
        .map(|p| points.iter().map(|q| two(p, q)).sum::<f64>())
        .sum();
    (13.0f64 / 12.0).powi(dim) - 2.0 / n * singles + pairs / (n * n)
}
