//! One pass over the rows for the loss and the gradient of softmax regression.

use super::vector::dot_lanes;
use multiversion::multiversion;

/// Adds Σᵢ (pᵢ − onehot(labelᵢ)) [xᵢ, 1]ᵀ to `gradient` and returns Σᵢ −ln pᵢ[labelᵢ].
///
/// `parameters` and `gradient` hold, for each class, `d` coefficients and then the intercept; `logits` has one entry a class.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn cross_entropy_gradient(
    x: &[f64],
    labels: &[usize],
    d: usize,
    parameters: &[f64],
    logits: &mut [f64],
    gradient: &mut [f64],
) -> f64 {
    let mut loss = 0.0;
    for (row, &label) in x.chunks_exact(d).zip(labels) {
        for (logit, w) in logits.iter_mut().zip(parameters.chunks_exact(d + 1)) {
            *logit = dot_lanes(row, &w[..d]) + w[d];
        }
        let at_label = logits[label];
        let log_total = to_probabilities(logits);
        loss += log_total - at_label;
        logits[label] -= 1.0;
        for (&residual, g) in logits.iter().zip(gradient.chunks_exact_mut(d + 1)) {
            for (g, v) in g[..d].iter_mut().zip(row) {
                *g += residual * v;
            }
            g[d] += residual;
        }
    }
    loss
}

/// Turns logits into probabilities in place and returns ln Σ exp(logit), both free of overflow.
#[inline(always)]
pub(crate) fn to_probabilities(logits: &mut [f64]) -> f64 {
    let largest = logits.iter().fold(f64::NEG_INFINITY, |m, &z| m.max(z));
    let mut total = 0.0;
    for z in logits.iter_mut() {
        *z = (*z - largest).exp();
        total += *z;
    }
    for z in logits.iter_mut() {
        *z /= total;
    }
    largest + total.ln()
}
