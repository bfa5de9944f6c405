//! Inverses of damped Gram matrices.

use modelops_linalg::{Cholesky, gemm};
use ndarray::{Array2, ArrayViewMut2, Axis, ShapeBuilder, s};

use super::Gram;
use crate::error::LayerError;

/// (H + damping)⁻¹, and the damping that was needed. Inputs that never occur get a diagonal of the mean, so that their weights
/// are free to go.
pub(crate) fn damped_inverse(gram: &Gram, damping: f64) -> Result<(Array2<f64>, f64), LayerError> {
    raise_damping(gram, damping, |damped| {
        Cholesky::new(damped.view()).ok()?.inverse().ok()
    })
}

/// Upper factor R with `RᵀR` = (H + damping)⁻¹, column by column, and the damping that was needed.
///
/// H read backwards is `LLᵀ`; read backwards again, H = `UUᵀ` with U upper, so that R = U⁻¹ is L⁻¹ read backwards: one
/// factorization and one triangular inverse in place of two factorizations and a whole inverse. A square matrix is read
/// backwards by reading its numbers backwards, in whichever order they lie.
pub(crate) fn inverse_factor(gram: &Gram, damping: f64) -> Result<(Array2<f32>, f64), LayerError> {
    raise_damping(gram, damping, |mut damped| {
        let n = damped.ncols();
        damped.as_slice_mut()?.reverse();
        // The transpose of a symmetric matrix, whose columns are contiguous: what the factorization copies fastest.
        let mut inverse = Cholesky::new(damped.t()).ok()?.into_lower();
        drop(damped);
        invert_lower(inverse.view_mut());
        let flat = inverse.as_slice_memory_order()?;
        let upper: Vec<f32> = flat.iter().rev().map(|x| *x as f32).collect();
        let finite = upper.iter().fold(0.0, |sum, x| sum + x * 0.0) == 0.0_f32;
        finite.then(|| Array2::from_shape_vec((n, n).f(), upper).ok())?
    })
}

/// Size below which a triangle is inverted column by column.
const LEAF: usize = 64;
/// Width of the panels in which triangles are multiplied.
const PANEL: usize = 512;

/// L ← L⁻¹ by halves: of [[A, 0], [B, C]] it is [[A⁻¹, 0], [−C⁻¹BA⁻¹, C⁻¹]], which is nearly all products.
fn invert_lower(mut l: ArrayViewMut2<'_, f64>) {
    let n = l.nrows();
    if n <= LEAF {
        for j in 0..n {
            let pivot = 1.0 / l[[j, j]];
            for i in (j + 1)..n {
                // Entries of column j above row i are inverted already.
                let sum: f64 = (j..i)
                    .map(|k| l[[i, k]] * if k == j { pivot } else { l[[k, j]] })
                    .sum();
                l[[i, j]] = -sum / l[[i, i]];
            }
            l[[j, j]] = pivot;
        }
        return;
    }
    let half = (n / 2).next_multiple_of(LEAF).min(n - 1);
    let (top, mut bottom) = l.view_mut().split_at(Axis(0), half);
    let (mut a, _) = top.split_at(Axis(1), half);
    let (mut b, mut c) = bottom.view_mut().split_at(Axis(1), half);
    invert_lower(a.view_mut());
    invert_lower(c.view_mut());
    // Half of each triangle is zero: panel by panel only what can be something else is multiplied. Columns are contiguous, so
    // that panels of them are written in place.
    let mut left = Array2::zeros(b.raw_dim().f());
    left.assign(&b);
    let mut scratch = Array2::zeros(b.raw_dim().f());
    for start in (0..half).step_by(PANEL) {
        let end = half.min(start + PANEL);
        let (left, right) = (left.slice(s![.., start..]), a.slice(s![start.., start..end]));
        gemm(1.0, left, right, 0.0, scratch.slice_mut(s![.., start..end])).expect("shapes agree");
    }
    for start in (0..n - half).step_by(PANEL) {
        let end = (n - half).min(start + PANEL);
        let (left, right) = (c.slice(s![start..end, ..end]), scratch.slice(s![..end, ..]));
        let mut rows = Array2::zeros((end - start, half).f());
        gemm(-1.0, left, right, 0.0, rows.view_mut()).expect("shapes agree");
        b.slice_mut(s![start..end, ..]).assign(&rows);
    }
}

/// Calls `invert` with more and more on the diagonal, tenfold each time, until it succeeds.
fn raise_damping<T>(
    gram: &Gram,
    damping: f64,
    invert: impl Fn(Array2<f64>) -> Option<T>,
) -> Result<(T, f64), LayerError> {
    let h = gram.matrix();
    let mean = h.diag().sum() / h.ncols().max(1) as f64;
    let mean = if mean > 0.0 { mean } else { 1.0 };
    let mut share = damping;
    loop {
        let mut damped = h.to_owned();
        for d in damped.diag_mut() {
            *d = if *d == 0.0 { mean } else { *d } + share * mean;
        }
        if let Some(inverse) = invert(damped) {
            return Ok((inverse, share));
        }
        if share >= 1.0 {
            return Err(LayerError::NotPositiveDefinite);
        }
        share = (share * 10.0).clamp(1e-8, 1.0);
    }
}
