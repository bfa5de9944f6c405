//! Second derivatives from the objective, or from differences of its gradient.

use crate::kernel::vector::norm;
use crate::{Differentiable, Evaluations};

/// Relative size of a difference: half of the digits go to truncation, half to rounding.
const SHIFT: f64 = 1.5e-8;

/// Writes the matrix of second derivatives at `x`, where the gradient is `gradient`; false where it is not finite.
pub(crate) fn hessian<O: Differentiable + ?Sized>(
    objective: &O,
    x: &[f64],
    gradient: &[f64],
    matrix: &mut [f64],
    spent: &mut Evaluations,
) -> bool {
    let n = x.len();
    if objective.hessian(x, matrix) {
        spent.hessians += 1;
    } else {
        let mut shifted = x.to_vec();
        for i in 0..n {
            let row = &mut matrix[i * n..(i + 1) * n];
            shifted[i] = x[i] + SHIFT * x[i].abs().max(1.0);
            let width = shifted[i] - x[i];
            objective.value_and_gradient(&shifted, row);
            spent.gradients += 1;
            shifted[i] = x[i];
            row.iter_mut()
                .zip(gradient)
                .for_each(|(r, g)| *r = (*r - g) / width);
        }
    }
    // Differences are symmetric but for rounding, and so may be what a user writes.
    for i in 0..n {
        for j in 0..i {
            let mean = 0.5 * (matrix[i * n + j] + matrix[j * n + i]);
            matrix[i * n + j] = mean;
            matrix[j * n + i] = mean;
        }
    }
    matrix.iter().all(|v| v.is_finite())
}

/// Writes the product of the second derivatives at `x` with `v`; false where it is not finite.
pub(crate) fn product<O: Differentiable + ?Sized>(
    objective: &O,
    x: &[f64],
    gradient: &[f64],
    v: &[f64],
    product: &mut [f64],
    spent: &mut Evaluations,
) -> bool {
    if objective.hessian_product(x, v, product) {
        spent.hessians += 1;
    } else {
        let width = SHIFT * norm(x).max(1.0) / norm(v);
        let shifted: Vec<f64> = x.iter().zip(v).map(|(x, v)| x + width * v).collect();
        objective.value_and_gradient(&shifted, product);
        spent.gradients += 1;
        product
            .iter_mut()
            .zip(gradient)
            .for_each(|(p, g)| *p = (*p - g) / width);
    }
    product.iter().all(|p| p.is_finite())
}
