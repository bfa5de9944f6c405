//! Least squares by gradient descent, as the textbooks write it.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::OptimizationError;
use crate::gradient_descent::positive;
use crate::kernel::fused::residual_gradient;
use crate::kernel::gram;
use crate::kernel::vector::{axpy, dot, norm};
use crate::table::{check_finite, check_finite_targets, check_shape, contiguous, contiguous_rows, entries};

/// Fits `w` in `X w ≈ y` by `iterations` steps of gradient descent from zero.
///
/// Use it to reproduce the textbook loop, or where the number of steps is itself the regulariser. To solve a least-squares
/// problem use [`LinearRegression`](crate::LinearRegression), which needs no learning rate.
///
/// **Formula**: w ← w − η Xᵀ(Xw − y) / n, the gradient of the loss ‖Xw − y‖² / 2n; η is `learning_rate`, n the rows. No
/// intercept is added: append a column of ones for one. A library that drops the ½ from its loss means half our η by its own.
///
/// **Shape and units**: `x` is n × d, `y` has n entries, the result d.
///
/// # Errors
///
/// [`OptimizationError::Diverged`] as soon as the loss exceeds the loss at zero, which for this loss proves that η > 2 / λ, where
/// λ is the largest eigenvalue of `XᵀX / n`; it carries a rate that converges. Otherwise a typed error for shapes that
/// disagree, for empty input, for entries that are not finite and for a learning rate that is not above 0.
///
/// **Complexity**: the lesser of O(n d · iterations), reading X once per step, and O(n d² + d² · iterations), on the Gram
/// matrix; both give the same iterates.
///
/// **Numerics**: within 1e-10 of the two-pass loop, relative to the largest entry (docs/NUMERICS.md).
///
/// # Example
///
/// ```
/// use modelops_optimization::gradient_descent;
/// use ndarray::array;
///
/// let x = array![[1.0], [2.0]];
/// let y = array![2.0, 4.0];
/// // From 0 the gradient is −(1·2 + 2·4) / 2 = −5, so that one step of 0.1 goes to 0.5.
/// assert_eq!(gradient_descent(x.view(), y.view(), 0.1, 1)?, array![0.5]);
/// // Many steps reach the slope 2.
/// let w = gradient_descent(x.view(), y.view(), 0.1, 200)?;
/// assert!((w[0] - 2.0).abs() < 1e-12);
/// # Ok::<(), modelops_optimization::OptimizationError>(())
/// ```
pub fn gradient_descent(
    x: ArrayView2<'_, f64>,
    y: ArrayView1<'_, f64>,
    learning_rate: f64,
    iterations: usize,
) -> Result<Array1<f64>, OptimizationError> {
    positive("learning_rate", learning_rate)?;
    check_shape(x, y.len())?;
    let rows = contiguous_rows(x);
    let targets = contiguous(y);
    let (rows, targets) = (entries(&rows), entries(&targets));
    let d = x.ncols();
    let outcome = if gram_is_cheaper(d, iterations) {
        on_gram(&rows, &targets, d, learning_rate, iterations)
    } else {
        on_rows(&rows, &targets, d, learning_rate, iterations)
    };
    outcome.map(Array1::from).map_err(|stop| match stop {
        // A sum over the table is the cheap first check; the culprit is looked for only when it fails.
        Stop::NotFinite => check_finite(x)
            .and(check_finite_targets(y))
            .err()
            .unwrap_or(OptimizationError::NonFiniteObjective),
        Stop::Diverged {
            iteration,
            loss,
            curvature,
        } => OptimizationError::Diverged {
            iteration,
            loss,
            learning_rate,
            suggested_learning_rate: 1.0 / curvature,
        },
    })
}

/// Columns above which the Gram matrix leaves the nearest caches.
const GRAM_COLUMNS: usize = 1024;

/// Whether building `XᵀX` pays: it costs as much arithmetic as d / 4 direct steps, at a far better rate.
fn gram_is_cheaper(d: usize, iterations: usize) -> bool {
    d <= GRAM_COLUMNS && iterations > 8 + d / 8
}

enum Stop {
    NotFinite,
    Diverged {
        iteration: usize,
        loss: f64,
        curvature: f64,
    },
}

/// The loss at zero, with room for rounding: a fixed step on this loss that ever rises above it diverges.
fn ceiling(loss_at_zero: f64) -> f64 {
    loss_at_zero * (1.0 + 1e-9) + f64::MIN_POSITIVE
}

/// Whether the loss is above the ceiling or NaN.
fn exceeds(loss: f64, ceiling: f64) -> bool {
    loss.is_nan() || loss > ceiling
}

fn on_rows(x: &[f64], y: &[f64], d: usize, rate: f64, iterations: usize) -> Result<Vec<f64>, Stop> {
    let n = y.len() as f64;
    let mut w = vec![0.0; d];
    let mut gradient = vec![0.0; d];
    let mut ceiling_loss = f64::INFINITY;
    // One look more than steps: the last iterate has to be below the ceiling too.
    for iteration in 0..=iterations {
        let loss = residual_gradient(x, y, &w, &mut gradient) / (2.0 * n);
        if iteration == 0 {
            if !loss.is_finite() {
                return Err(Stop::NotFinite);
            }
            ceiling_loss = ceiling(loss);
        } else if exceeds(loss, ceiling_loss) {
            let curvature = power_iteration(d, |v, out| {
                let zeros = vec![0.0; y.len()];
                residual_gradient(x, &zeros, v, out);
                out.iter_mut().for_each(|o| *o /= n);
            });
            return Err(Stop::Diverged {
                iteration,
                loss,
                curvature,
            });
        }
        if iteration < iterations {
            axpy(-rate / n, &gradient, &mut w);
        }
    }
    Ok(w)
}

fn on_gram(x: &[f64], y: &[f64], d: usize, rate: f64, iterations: usize) -> Result<Vec<f64>, Stop> {
    let n = y.len() as f64;
    let gram = gram::gram(x, y, d, &vec![0.0; d + 1]);
    let (matrix, moments) = (gram.matrix, gram.moments);
    let squared_targets = gram.squared_targets;
    if !squared_targets.is_finite() || matrix.iter().chain(&moments).any(|v| !v.is_finite()) {
        return Err(Stop::NotFinite);
    }
    let ceiling_loss = ceiling(squared_targets / (2.0 * n));
    let mut w = vec![0.0; d];
    let mut product = vec![0.0; d];
    for iteration in 0..=iterations {
        gram::symmetric_product(&matrix, &w, &mut product);
        let loss = (dot(&w, &product) - 2.0 * dot(&w, &moments) + squared_targets) / (2.0 * n);
        if exceeds(loss, ceiling_loss) {
            let curvature = power_iteration(d, |v, out| {
                gram::symmetric_product(&matrix, v, out);
                out.iter_mut().for_each(|o| *o /= n);
            });
            return Err(Stop::Diverged {
                iteration,
                loss,
                curvature,
            });
        }
        if iteration < iterations {
            for ((w, p), b) in w.iter_mut().zip(&product).zip(&moments) {
                *w -= rate / n * (p - b);
            }
        }
    }
    Ok(w)
}

/// Products of the power iteration: enough for far more than half of the largest eigenvalue, and one over half of it is the
/// longest step that still converges.
const POWER_ITERATIONS: usize = 30;

/// The largest eigenvalue of a positive semidefinite matrix, from below, by products with it.
pub(crate) fn power_iteration(d: usize, mut product: impl FnMut(&[f64], &mut [f64])) -> f64 {
    // A fixed start with no symmetry, so that it is orthogonal to no likely eigenvector.
    let mut v: Vec<f64> = (0..d)
        .map(|i| 1.0 + ((i * 2_654_435_761) % 1024) as f64 / 1024.0)
        .collect();
    let mut out = vec![0.0; d];
    let mut eigenvalue = 0.0f64;
    for _ in 0..POWER_ITERATIONS {
        let length = norm(&v);
        if !(length > 0.0 && length.is_finite()) {
            break;
        }
        v.iter_mut().for_each(|v| *v /= length);
        product(&v, &mut out);
        eigenvalue = eigenvalue.max(norm(&out));
        std::mem::swap(&mut v, &mut out);
    }
    eigenvalue
}
