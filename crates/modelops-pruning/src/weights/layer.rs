//! Pruning one layer so that its outputs change least.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use modelops_linalg::{Cholesky, gemm};
use ndarray::{Array2, ArrayView2};

use super::{Gram, Mask, Pattern, admm, refit, sparse_gpt};
use crate::error::{LayerError, PatternError};
use crate::kernel::lowest::first_not_finite;

/// How a layer's mask, and the weights that stay, are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Solver {
    /// Lowest |w|; weights that stay keep their value.
    Magnitude,
    /// Lowest |w| times the norm of its input; weights that stay keep their value. Nearly free.
    Wanda,
    /// Optimal brain surgeon, column by column: each removed weight is made up for by those to its right.
    SparseGpt,
    /// Alternating directions between the best weights and the best mask, with a penalty that grows until the mask
    /// stands still: the lowest error, at a few times the cost.
    #[default]
    Admm,
}

/// Prunes the weights of one layer against the Gram matrix of its inputs.
///
/// **Formula.** Minimises ‖X(W − Ŵ)ᵀ‖² = Σ over outputs of `δᵀHδ`, with `H = XᵀX` and δ the change of an output's weights,
/// over all Ŵ that fit the pattern. With a refit the weights that stay are the least-squares optimum for their mask.
///
/// **Shape.** Weights are (outputs, inputs), as linear layers store them.
///
/// **Errors.** [`LayerError`]. **Complexity.** O(outputs · inputs²) for the solvers that move weights, times about a
/// hundred products for ADMM and its refit; O(inputs³) for factors.
///
/// **Numerics.** Damping is a share of the mean diagonal of H; where a factorization fails it is raised tenfold, up to
/// one, and what was used is reported. It is never replaced by an identity.
///
/// # Example
/// Two inputs that always agree: the one that stays takes over the weight of the other.
/// ```
/// use modelops_pruning::weights::{Gram, LayerPruner, Pattern};
/// use ndarray::array;
///
/// let mut gram = Gram::new(2);
/// gram.observe(array![[1.0, 1.0], [2.0, 2.0]].view())?;
/// let pruner = LayerPruner::new(Pattern::NM { keep: 1, group: 2 });
/// let pruned = pruner.prune(array![[1.0, 3.0]].view(), &gram)?;
/// assert!((pruned.weights()[[0, 0]] + pruned.weights()[[0, 1]] - 4.0).abs() < 1e-4);
/// assert!(pruned.certificate().relative_error < 1e-9);
/// # Ok::<(), modelops_pruning::LayerError>(())
/// ```
///
/// # References
/// Frantar and Alistarh, "SparseGPT", 2023, arXiv:2301.00774. Sun, Liu, Bair and Kolter, "A simple and effective pruning
/// approach for large language models" (Wanda), 2023, arXiv:2306.11695. Meng, Behdin, Wang and Mazumder, "ALPS", 2024,
/// arXiv:2406.07831.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerPruner {
    pattern: Pattern,
    solver: Solver,
    damping: f64,
    block: usize,
    refit: bool,
}

impl LayerPruner {
    /// ADMM with a refit, damping 0.01 and blocks of 128 columns where those are used.
    #[must_use]
    pub fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            solver: Solver::default(),
            damping: 0.01,
            block: 128,
            refit: true,
        }
    }

    /// Chooses by `solver`. SparseGPT and ADMM also move the weights that stay.
    #[must_use]
    pub fn with_solver(mut self, solver: Solver) -> Self {
        self.solver = solver;
        self
    }

    /// Adds this share of the mean diagonal to the diagonal when SparseGPT factors the Gram matrix.
    #[must_use]
    pub fn with_damping(mut self, damping: f64) -> Self {
        self.damping = damping;
        self
    }

    /// Columns that SparseGPT masks at once.
    #[must_use]
    pub fn with_block(mut self, block: usize) -> Self {
        self.block = block;
        self
    }

    /// Whether the weights that stay are replaced by their least-squares optimum at the end.
    #[must_use]
    pub fn with_refit(mut self, refit: bool) -> Self {
        self.refit = refit;
        self
    }

    /// Prunes. The scope [`Global`](crate::weights::Scope::Global) means this tensor here.
    ///
    /// # Errors
    /// [`LayerError`].
    #[expect(clippy::missing_panics_doc, reason = "the layout was made standard")]
    pub fn prune(&self, weights: ArrayView2<'_, f32>, gram: &Gram) -> Result<PrunedLayer, LayerError> {
        let (rows, columns) = weights.dim();
        if gram.matrix().ncols() != columns {
            return Err(LayerError::Width {
                expected: columns,
                found: gram.matrix().ncols(),
            });
        }
        if !(self.damping.is_finite() && self.damping >= 0.0) {
            return Err(LayerError::Parameter { name: "damping" });
        }
        if self.block == 0 {
            return Err(LayerError::Parameter { name: "block" });
        }
        self.pattern.check(columns)?;
        let weights = weights.as_standard_layout().into_owned();
        let flat = weights.as_slice().expect("the layout was made standard");
        if let Some(index) = first_not_finite(flat) {
            return Err(PatternError::NonFinite { index }.into());
        }
        let mut keep = vec![0_u8; flat.len()];
        let mut damping = 0.0;
        let mut iterations = 0;
        let mut pruned = match self.solver {
            Solver::Magnitude => {
                self.pattern.select(flat, columns, &mut keep);
                weights.clone()
            }
            Solver::Wanda => {
                let saliency = wanda(weights.view(), gram)?;
                self.pattern
                    .select(saliency.as_slice().unwrap_or(&[]), columns, &mut keep);
                weights.clone()
            }
            Solver::SparseGpt => {
                let (factor, used) = inverse_factor(gram, self.damping)?;
                damping = used;
                sparse_gpt::solve(
                    &without_dead(&weights, gram),
                    &factor,
                    self.pattern,
                    self.block,
                    &mut keep,
                )
            }
            Solver::Admm => {
                let (solution, steps) =
                    admm::solve(&without_dead(&weights, gram), gram, self.pattern, &mut keep)?;
                iterations = steps;
                solution
            }
        };
        for (weight, keep) in pruned.iter_mut().zip(&keep) {
            *weight = if *keep == 0 { 0.0 } else { *weight };
        }
        if self.refit {
            pruned = refit::solve(&weights, &pruned, gram, &keep);
        }
        let certificate = certify(&weights, &pruned, gram, &keep, damping, iterations);
        Ok(PrunedLayer {
            weights: pruned,
            mask: Mask::from_bytes(rows, columns, &keep),
            certificate,
        })
    }
}

/// A pruned layer.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunedLayer {
    weights: Array2<f32>,
    mask: Mask,
    certificate: Certificate,
}

impl PrunedLayer {
    /// Its weights, zeros included.
    #[must_use]
    pub fn weights(&self) -> ArrayView2<'_, f32> {
        self.weights.view()
    }

    /// Which of them stay.
    #[must_use]
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// What can be said about them, computed from the weights as they are returned, in `f64`.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Takes all apart.
    #[must_use]
    pub fn into_parts(self) -> (Array2<f32>, Mask, Certificate) {
        (self.weights, self.mask, self.certificate)
    }
}

/// Measures of a pruned layer.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Certificate {
    /// ‖X(W − Ŵ)ᵀ‖², the squared change of the outputs over all that was observed.
    pub objective: f64,
    /// The same, relative to `‖XWᵀ‖²`; 0 where that is 0.
    pub relative_error: f64,
    /// Largest gradient left on a weight that stays, relative to the largest of H W: 0 at the least-squares optimum of
    /// the mask. Rounding of the weights to `f32` leaves about 1e-7.
    pub stationarity: f64,
    /// Share of the mean diagonal that had to be added to factor; 0 where nothing was factored.
    pub damping: f64,
    /// Steps of ADMM; 0 for the others.
    pub iterations: usize,
}

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

/// The weights, zero where the input never occurs: those are the first to go.
fn without_dead(weights: &Array2<f32>, gram: &Gram) -> Array2<f32> {
    let mut live = weights.clone();
    for (mut column, square) in live.columns_mut().into_iter().zip(gram.matrix().diag()) {
        if *square == 0.0 {
            column.fill(0.0);
        }
    }
    live
}

/// Upper factor R with `RᵀR` = (H + damping)⁻¹, and the damping that was needed. Inputs that never occur get a diagonal of
/// the mean, so that their weights are free to go.
fn inverse_factor(gram: &Gram, damping: f64) -> Result<(Array2<f32>, f64), LayerError> {
    let mut h = gram.matrix().to_owned();
    let mean = h.diag().sum() / h.ncols().max(1) as f64;
    let mean = if mean > 0.0 { mean } else { 1.0 };
    h.diag_mut()
        .iter_mut()
        .filter(|d| **d == 0.0)
        .for_each(|d| *d = mean);
    let mut share = damping;
    loop {
        let mut damped = h.clone();
        damped.diag_mut().iter_mut().for_each(|d| *d += share * mean);
        let inverse = Cholesky::new(damped.view())
            .ok()
            .and_then(|factor| factor.inverse().ok());
        if let Some(factor) = inverse.and_then(|inverse| Cholesky::new(inverse.view()).ok()) {
            return Ok((factor.upper().mapv(|x| x as f32), share));
        }
        if share >= 1.0 {
            return Err(LayerError::NotPositiveDefinite);
        }
        share = (share * 10.0).clamp(1e-8, 1.0);
    }
}

fn certify(
    weights: &Array2<f32>,
    pruned: &Array2<f32>,
    gram: &Gram,
    keep: &[u8],
    damping: f64,
    iterations: usize,
) -> Certificate {
    let delta = weights.mapv(f64::from) - pruned.mapv(f64::from);
    let (objective, gradient) = quadratic(&delta, gram);
    let (whole, full) = quadratic(&weights.mapv(f64::from), gram);
    let largest = full.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let left = gradient.iter().zip(keep).filter(|(_, keep)| **keep == 1);
    let left = left.fold(0.0_f64, |most, (x, _)| most.max(x.abs()));
    Certificate {
        objective,
        relative_error: if whole > 0.0 { objective / whole } else { 0.0 },
        stationarity: if largest > 0.0 { left / largest } else { 0.0 },
        damping,
        iterations,
    }
}

/// Σ over rows of `xᵀHx`, at least 0, and X H.
fn quadratic(x: &Array2<f64>, gram: &Gram) -> (f64, Array2<f64>) {
    let mut product = Array2::zeros(x.dim());
    gemm(1.0, x.view(), gram.matrix(), 0.0, product.view_mut()).expect("the widths were compared");
    let sum: f64 = x.iter().zip(&product).map(|(a, b)| a * b).sum();
    (sum.max(0.0), product)
}
