//! How much each weight matters.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use ndarray::{Array2, ArrayView2};

use super::factor::damped_inverse;
use super::{Gram, Mask, Pattern};
use crate::error::{LayerError, PatternError};
use crate::kernel::lowest::first_not_finite;

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
    let norms: Vec<f32> = norms.into_iter().map(|norm| norm as f32).collect();
    let mut saliency = weights.mapv(f32::abs);
    for mut row in saliency.rows_mut() {
        row.iter_mut().zip(&norms).for_each(|(s, norm)| *s *= norm);
    }
    Ok(saliency)
}

/// The mask that Wanda chooses, without its saliencies in memory: a band of rows at a time where the pattern allows, so that
/// the cost is that of reading the weights.
///
/// # Errors
/// [`LayerError::Width`]; [`LayerError::Pattern`] for a pattern that does not fit, or a weight that is not finite.
///
/// # Example
/// ```
/// use modelops_pruning::weights::{Gram, Pattern, wanda_mask};
/// use ndarray::array;
///
/// // The second input is ten times as large as the first, and outweighs it.
/// let gram = Gram::from_sum(array![[1.0, 0.0], [0.0, 100.0]], 1)?;
/// let mask = wanda_mask(array![[3.0, -1.0]].view(), &gram, Pattern::NM { keep: 1, group: 2 })?;
/// assert!(mask.is_kept(0, 1));
/// # Ok::<(), modelops_pruning::LayerError>(())
/// ```
pub fn wanda_mask(weights: ArrayView2<'_, f32>, gram: &Gram, pattern: Pattern) -> Result<Mask, LayerError> {
    let norms: Vec<f32> = gram.column_norms().into_iter().map(|norm| norm as f32).collect();
    let (rows, columns) = weights.dim();
    if norms.len() != columns {
        return Err(LayerError::Width {
            expected: columns,
            found: norms.len(),
        });
    }
    let Some(weights) = weights.as_slice().filter(|_| pattern.is_local()) else {
        return Ok(pattern.mask(wanda(weights, gram)?.view())?);
    };
    pattern.check(rows, columns)?;
    let mut words = Vec::with_capacity(weights.len().div_ceil(64));
    let band = pattern.band_of(columns);
    let (mut saliency, mut keep) = (vec![0.0_f32; band], vec![0_u8; band]);
    for (number, part) in weights.chunks(band).enumerate() {
        let (saliency, keep) = (&mut saliency[..part.len()], &mut keep[..part.len()]);
        for (s, w) in saliency.chunks_exact_mut(columns).zip(part.chunks_exact(columns)) {
            for ((s, w), norm) in s.iter_mut().zip(w).zip(&norms) {
                *s = w.abs() * norm;
            }
        }
        if !pattern.select_local(saliency, columns, keep) {
            let index = number * band + first_not_finite(saliency).unwrap_or(0);
            return Err(PatternError::NonFinite { index }.into());
        }
        Mask::pack(keep, &mut words);
    }
    Ok(Mask::from_words(rows, columns, words))
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
#[doc(alias = "optimal_brain_surgeon")]
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
