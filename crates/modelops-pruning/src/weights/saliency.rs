//! How much each weight matters.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use ndarray::{Array2, ArrayView2};

use super::Gram;
use super::factor::damped_inverse;
use crate::error::LayerError;

/// Wanda's saliency: |w| times the norm of its input.
///
/// # Errors
/// [`LayerError::Width`].
pub fn wanda(weights: ArrayView2<'_, f32>, gram: &Gram) -> Result<Array2<f32>, LayerError> {
    let norms = gram.column_norms();
    if norms.len() != weights.ncols() {
        return Err(LayerError::Width {
            expected: weights.ncols(),
            found: norms.len(),
        });
    }
    Ok(Array2::from_shape_fn(weights.dim(), |(i, j)| {
        weights[[i, j]].abs() * norms[j] as f32
    }))
}

/// First-order saliency: |w · gradient|, with a gradient of the loss that the caller has averaged.
///
/// # Errors
/// [`LayerError::Width`] where the shapes differ.
pub fn taylor(
    weights: ArrayView2<'_, f32>,
    gradient: ArrayView2<'_, f32>,
) -> Result<Array2<f32>, LayerError> {
    if weights.dim() != gradient.dim() {
        return Err(LayerError::Width {
            expected: weights.ncols(),
            found: gradient.ncols(),
        });
    }
    Ok((&weights * &gradient).mapv(f32::abs))
}

/// Optimal brain surgeon's saliency, w² / (2 [H⁻¹]ⱼⱼ): what the squared error of the outputs grows by, halved, when this weight
/// goes and all others of its row move to make up for it. Also gives the damping that the inverse needed, as a share of
/// the mean diagonal.
///
/// # Errors
/// [`LayerError::Width`]; [`LayerError::NotPositiveDefinite`] where no damping up to one helps.
///
/// # References
/// Hassibi and Stork, "Second order derivatives for network pruning: optimal brain surgeon", 1992.
pub fn obs(
    weights: ArrayView2<'_, f32>,
    gram: &Gram,
    damping: f64,
) -> Result<(Array2<f32>, f64), LayerError> {
    if gram.matrix().ncols() != weights.ncols() {
        return Err(LayerError::Width {
            expected: weights.ncols(),
            found: gram.matrix().ncols(),
        });
    }
    if !(damping.is_finite() && damping >= 0.0) {
        return Err(LayerError::Parameter { name: "damping" });
    }
    let (inverse, used) = damped_inverse(gram, damping)?;
    let norms = gram.column_norms();
    let saliency = Array2::from_shape_fn(weights.dim(), |(i, j)| {
        // A weight whose input never occurs costs nothing.
        if norms[j] > 0.0 {
            (f64::from(weights[[i, j]]).powi(2) / (2.0 * inverse[[j, j]])) as f32
        } else {
            0.0
        }
    });
    Ok((saliency, used))
}
