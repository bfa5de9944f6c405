//! The largest curvature near a point, felt with gradient differences.

use crate::Differentiable;
use crate::kernel::vector::norm;

/// Estimates the largest curvature of `objective` at `x`, where its gradient is `g`, by power iteration on differences of
/// the gradient. On a quadratic it reaches more than half of the true value after a few products, and half is all that
/// a step of one over it needs to converge. Returns the estimate and the gradient calls spent; `None` where the
/// objective is flat or not finite around `x`.
pub(crate) fn estimate<O: Differentiable + ?Sized>(
    objective: &O,
    x: &[f64],
    g: &[f64],
    products: usize,
) -> (Option<f64>, usize) {
    let mut calls = 0;
    let mut direction = g.to_vec();
    let mut shifted = vec![0.0; x.len()];
    let mut g_shifted = vec![0.0; x.len()];
    let mut largest: Option<f64> = None;
    let reach = 1e-5 * norm(x).max(1.0);
    for _ in 0..products {
        let length = norm(&direction);
        if !(length > 0.0 && length.is_finite()) {
            break;
        }
        for ((s, x), d) in shifted.iter_mut().zip(x).zip(&direction) {
            *s = x + reach / length * d;
        }
        let value = objective.value_and_gradient(&shifted, &mut g_shifted);
        calls += 1;
        if !value.is_finite() {
            break;
        }
        for ((d, new), old) in direction.iter_mut().zip(&g_shifted).zip(g) {
            *d = (new - old) / reach;
        }
        let curvature = norm(&direction);
        if !curvature.is_finite() {
            break;
        }
        if curvature > 0.0 {
            largest = Some(largest.map_or(curvature, |l| l.max(curvature)));
        }
    }
    (largest, calls)
}
