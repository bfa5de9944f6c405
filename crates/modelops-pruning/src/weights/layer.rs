//! Pruning one layer so that its outputs change least.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use modelops_linalg::gemm;
use ndarray::{Array2, ArrayView2};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};

use super::factor::inverse_factor;
use super::{Gram, Mask, Pattern, admm, refit, saliency, sparse_gpt, swaps};
use crate::error::{LayerError, PatternError};
use crate::kernel::lowest::first_not_finite;

/// How a layer's mask, and the weights that stay, are chosen.
#[doc(alias("SparseGPT", "ALPS", "ADMM"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Solver {
    /// Lowest |w|; weights that stay keep their value.
    Magnitude,
    /// Lowest |w| times the norm of its input; weights that stay keep their value. Nearly free.
    Wanda,
    /// Lowest loss when one weight goes and the others make up for it, w² / [H⁻¹]ⱼⱼ, all judged at once.
    Obs,
    /// Lowest |w · gradient|: needs a gradient ([`LayerPruner::prune_by`], or a calibration with gradients).
    Taylor,
    /// Any weights: the baseline that the others must beat.
    Random {
        /// Of the generator, Xoshiro256++.
        seed: u64,
    },
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
#[doc(alias("SparseGPT", "ALPS"))]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerPruner {
    pattern: Pattern,
    solver: Solver,
    damping: f64,
    block: usize,
    refit: bool,
    swaps: usize,
    measured: bool,
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
            swaps: 0,
            measured: true,
        }
    }

    /// Prunes by another pattern, all else equal.
    #[must_use]
    pub fn with_pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = pattern;
        self
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

    /// Ends with up to this many swaps a row: one weight out and one in, within a group where the pattern has groups, all
    /// others moving to their new optimum, always the swap that gains most. Where the search ends by itself no single swap
    /// is left that gains: see [`Certificate::swap_optimal_rows`]. O(inputs³) a row and O(inputs²) a swap, so that it costs
    /// several times the rest; implies the refit. Blocks and transposable patterns have no such swaps.
    #[must_use]
    pub fn with_swaps(mut self, most: usize) -> Self {
        self.swaps = most;
        self
    }

    /// Whether the certificate's objective, relative error and stationarity are computed. They cost two products with the Gram
    /// matrix in `f64`, which for SparseGPT is more than the pruning itself; left out, they are NaN.
    #[must_use]
    pub fn with_measures(mut self, measured: bool) -> Self {
        self.measured = measured;
        self
    }

    pub(crate) fn solver(&self) -> Solver {
        self.solver
    }

    /// Prunes. The scope [`Global`](crate::weights::Scope::Global) means this tensor here.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn prune(&self, weights: ArrayView2<'_, f32>, gram: &Gram) -> Result<PrunedLayer, LayerError> {
        self.run(weights, None, gram)
    }

    /// Prunes by a saliency of your own, such as [`taylor`](crate::weights::taylor), in place of the solver's choice: the lowest |saliency| goes.
    ///
    /// # Errors
    /// [`LayerError`].
    pub fn prune_by(
        &self,
        weights: ArrayView2<'_, f32>,
        saliency: ArrayView2<'_, f32>,
        gram: &Gram,
    ) -> Result<PrunedLayer, LayerError> {
        if saliency.dim() != weights.dim() {
            return Err(LayerError::Width {
                expected: weights.ncols(),
                found: saliency.ncols(),
            });
        }
        self.run(weights, Some(saliency), gram)
    }

    fn check(&self, (rows, columns): (usize, usize), gram: &Gram) -> Result<(), LayerError> {
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
        Ok(self.pattern.check(rows, columns)?)
    }

    fn run(
        &self,
        weights: ArrayView2<'_, f32>,
        given: Option<ArrayView2<'_, f32>>,
        gram: &Gram,
    ) -> Result<PrunedLayer, LayerError> {
        let (rows, columns) = weights.dim();
        self.check((rows, columns), gram)?;
        let weights = weights.as_standard_layout().into_owned();
        finite(&weights)?;
        let mut keep = vec![0_u8; weights.len()];
        let (mut damping, mut iterations) = (0.0, 0);
        let judged = match (given, self.solver) {
            (Some(saliency), _) => Some(saliency.as_standard_layout().into_owned()),
            (None, Solver::Magnitude) => Some(weights.clone()),
            (None, Solver::Wanda) => Some(saliency::wanda(weights.view(), gram)?),
            (None, Solver::Obs) => {
                let (saliency, used) = saliency::obs(weights.view(), gram, self.damping)?;
                damping = used;
                Some(saliency)
            }
            (None, Solver::Random { seed }) => {
                let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
                Some(Array2::from_shape_simple_fn((rows, columns), || {
                    (rng.next_u64() >> 40) as f32
                }))
            }
            (None, Solver::Taylor) => return Err(LayerError::Parameter { name: "gradient" }),
            (None, Solver::SparseGpt | Solver::Admm) => None,
        };
        let mut pruned = if let Some(saliency) = judged {
            finite(&saliency)?;
            self.pattern.select(flat(&saliency), columns, &mut keep);
            weights.clone()
        } else if self.solver == Solver::SparseGpt {
            let (factor, used) = inverse_factor(gram, self.damping)?;
            damping = used;
            let live = without_dead(&weights, gram);
            sparse_gpt::solve(&live, &factor, self.pattern, self.block, &mut keep)
        } else {
            let live = without_dead(&weights, gram);
            let (solution, steps) = admm::solve(&live, gram, self.pattern, &mut keep)?;
            iterations = steps;
            solution
        };
        for (weight, keep) in pruned.iter_mut().zip(&keep) {
            *weight = if *keep == 0 { 0.0 } else { *weight };
        }
        if self.refit || self.swaps > 0 {
            pruned = refit::solve(&weights, &pruned, gram, &keep);
        }
        let mut certificate = Certificate {
            damping,
            iterations,
            ..Certificate::default()
        };
        if self.swaps > 0 {
            let outcome = swaps::refine(&weights, &mut pruned, gram, self.pattern, self.swaps, &mut keep);
            certificate.swaps = outcome.swaps;
            certificate.swap_optimal_rows = outcome.optimal_rows;
        }
        if self.measured {
            certify(&weights, &pruned, gram, &keep, &mut certificate);
        } else {
            certificate.objective = f64::NAN;
            certificate.relative_error = f64::NAN;
            certificate.stationarity = f64::NAN;
        }
        Ok(PrunedLayer {
            weights: pruned,
            mask: Mask::from_bytes(rows, columns, &keep),
            certificate,
        })
    }
}

fn flat(matrix: &Array2<f32>) -> &[f32] {
    matrix.as_slice().expect("the layout was made standard")
}

fn finite(matrix: &Array2<f32>) -> Result<(), PatternError> {
    match first_not_finite(flat(matrix)) {
        Some(index) => Err(PatternError::NonFinite { index }),
        None => Ok(()),
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
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[non_exhaustive]
pub struct Certificate {
    /// ‖X(W − Ŵ)ᵀ‖², the squared change of the outputs over all that was observed. This and the next two are NaN where
    /// [`LayerPruner::with_measures`] left them out.
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
    /// Swaps that were made at the end.
    pub swaps: usize,
    /// Rows (of outputs) of which no single swap is left that would lower the objective, all other weights moving to their
    /// optimum; 0 where no swaps were asked for.
    pub swap_optimal_rows: usize,
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

fn certify(
    weights: &Array2<f32>,
    pruned: &Array2<f32>,
    gram: &Gram,
    keep: &[u8],
    certificate: &mut Certificate,
) {
    let delta = weights.mapv(f64::from) - pruned.mapv(f64::from);
    let (objective, gradient) = quadratic(&delta, gram);
    let (whole, full) = quadratic(&weights.mapv(f64::from), gram);
    let largest = full.iter().fold(0.0_f64, |most, x| most.max(x.abs()));
    let left = gradient.iter().zip(keep).filter(|(_, keep)| **keep == 1);
    let left = left.fold(0.0_f64, |most, (x, _)| most.max(x.abs()));
    certificate.objective = objective;
    certificate.relative_error = if whole > 0.0 { objective / whole } else { 0.0 };
    certificate.stationarity = if largest > 0.0 { left / largest } else { 0.0 };
}

/// ‖X(W − Ŵ)ᵀ‖² relative to ‖XWᵀ‖², 0 where that is 0.
pub(crate) fn output_error(weights: &Array2<f32>, pruned: &Array2<f32>, gram: &Gram) -> f64 {
    let mut certificate = Certificate::default();
    certify(weights, pruned, gram, &[], &mut certificate);
    certificate.relative_error
}

/// Σ over rows of `xᵀHx`, at least 0, and X H.
fn quadratic(x: &Array2<f64>, gram: &Gram) -> (f64, Array2<f64>) {
    let mut product = Array2::zeros(x.dim());
    gemm(1.0, x.view(), gram.matrix(), 0.0, product.view_mut()).expect("the widths were compared");
    let sum: f64 = x.iter().zip(&product).map(|(a, b)| a * b).sum();
    (sum.max(0.0), product)
}
