//! One pass over the rows for the loss and the gradient of logistic regression.

use super::vector::dot_lanes;
use multiversion::multiversion;

/// Adds Σᵢ (pᵢ − labelᵢ) [xᵢ, 1]ᵀ to `gradient` and returns Σᵢ of the log loss; `parameters` ends with the intercept.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn log_loss_gradient(
    x: &[f64],
    labels: &[bool],
    d: usize,
    parameters: &[f64],
    gradient: &mut [f64],
) -> f64 {
    let mut loss = 0.0;
    for (row, &label) in x.chunks_exact(d).zip(labels) {
        let logit = dot_lanes(row, &parameters[..d]) + parameters[d];
        // ln(1 + exp(z)) and 1 / (1 + exp(−z)) from exp(−|z|), which cannot overflow.
        let small = (-logit.abs()).exp();
        let softplus = logit.max(0.0) + small.ln_1p();
        let probability = if logit >= 0.0 {
            1.0 / (1.0 + small)
        } else {
            small / (1.0 + small)
        };
        loss += if label { softplus - logit } else { softplus };
        let residual = if label { probability - 1.0 } else { probability };
        for (g, v) in gradient[..d].iter_mut().zip(row) {
            *g += residual * v;
        }
        gradient[d] += residual;
    }
    loss
}
