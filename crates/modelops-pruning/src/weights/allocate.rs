//! Shares a sparsity out over tensors.
//!
//! | I have … | use | it holds |
//! | --- | --- | --- |
//! | nothing but sizes | the same [`Sparsity`] everywhere | nothing to go wrong |
//! | calibration inputs | [`owl`] on [`outlier_ratio`] | layers with outliers keep more: a heuristic that helps some models and hurts others |
//! | error curves, and how much the model minds each | [`knapsack`] | the least total for these curves, exactly |
//!
//! **What the sum means.** A knapsack on bare reconstruction errors finds less total error and, where layers matter
//! differently, a worse model: it takes from tensors whose error looks small and is not. Weigh each curve with a measured
//! sensitivity, such as the loss of quality when that tensor alone is pruned, per unit of its error.

use ndarray::ArrayView2;

use super::{Gram, Sparsity, saliency};
use crate::error::{AllocationError, LayerError};

/// What each sparsity would cost one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct ErrorCurve {
    /// Number of weights.
    pub weights: u64,
    /// What the model loses for one unit of error here; 1 where all that counts is the error.
    pub sensitivity: f64,
    /// Sparsities to choose from, and the measured error at each.
    pub levels: Vec<(Sparsity, f64)>,
}

impl ErrorCurve {
    fn cost(&self, level: usize) -> f64 {
        self.sensitivity * self.levels[level].1
    }

    fn zeros(&self, level: usize) -> u64 {
        self.levels[level].0.count(self.weights)
    }
}

/// One level a tensor.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Allocation {
    /// The chosen sparsity of every tensor, in the order of the curves.
    pub sparsities: Vec<Sparsity>,
    /// Σ sensitivity · error: no choice of levels that removes as many weights has less.
    pub loss: f64,
    /// The same for the linear relaxation, which no choice can beat: the gap shows how little whole levels cost.
    pub bound: f64,
    /// Weights that go.
    pub zeros: u64,
}

/// Chooses one level a tensor such that at least `target` of all weights go and Σ sensitivity · error is the least possible.
///
/// Exact for the curves given: states that another one dominates are dropped, and so are states that cannot beat the best
/// known choice by the bound of the Lagrangian.
///
/// # Errors
/// [`AllocationError::Curve`], [`AllocationError::OutOfReach`].
///
/// # Complexity
/// O(tensors · levels · states); the states between the bounds are few where curves are convex, and at worst as many as
/// there are different counts of zeros.
///
/// # Example
/// The second tensor minds ten times as much: the first gives all it can.
/// ```
/// use modelops_pruning::weights::Sparsity;
/// use modelops_pruning::weights::allocate::{ErrorCurve, knapsack};
///
/// let s = |share: f64| Sparsity::try_new(share).expect("a share");
/// let curve = |sensitivity| ErrorCurve {
///     weights: 100,
///     sensitivity,
///     levels: vec![(s(0.0), 0.0), (s(0.5), 0.1), (s(1.0), 0.3)],
/// };
/// let best = knapsack(&[curve(1.0), curve(10.0)], s(0.5))?;
/// assert_eq!(best.sparsities, [s(1.0), s(0.0)]);
/// assert_eq!(best.zeros, 100);
/// # Ok::<(), modelops_pruning::AllocationError>(())
/// ```
///
/// # References
/// Kellerer, Pferschy and Pisinger, "Knapsack Problems", 2004, chapter 11. Frantar and Alistarh, "SPDY", 2022,
/// arXiv:2201.13096, for the use on sparsities.
pub fn knapsack(curves: &[ErrorCurve], target: Sparsity) -> Result<Allocation, AllocationError> {
    check(curves)?;
    let needed = target.count(curves.iter().map(|curve| curve.weights).sum());
    let most: u64 = curves
        .iter()
        .map(|curve| levels(curve).map(|l| curve.zeros(l)).max().unwrap_or(0))
        .sum();
    if most < needed {
        return Err(AllocationError::OutOfReach { most, needed });
    }
    let (price, bound) = best_price(curves, needed);
    let feasible = at_price(curves, price, true);
    let known = if zeros_of(curves, &feasible) >= needed {
        loss_of(curves, &feasible)
    } else {
        f64::INFINITY
    };
    let choice = search(curves, needed, price, known).unwrap_or(feasible);
    Ok(Allocation {
        loss: loss_of(curves, &choice),
        zeros: zeros_of(curves, &choice),
        bound,
        sparsities: choice
            .iter()
            .zip(curves)
            .map(|(level, curve)| curve.levels[*level].0)
            .collect(),
    })
}

fn check(curves: &[ErrorCurve]) -> Result<(), AllocationError> {
    let usable = |x: f64| x.is_finite() && x >= 0.0;
    let wrong = |curve: &ErrorCurve| {
        curve.levels.is_empty()
            || !usable(curve.sensitivity)
            || curve
                .levels
                .iter()
                .any(|(_, error)| !usable(*error) || !usable(*error * curve.sensitivity))
    };
    match curves.iter().position(wrong) {
        Some(tensor) => Err(AllocationError::Curve { tensor }),
        None => Ok(()),
    }
}

fn levels(curve: &ErrorCurve) -> std::ops::Range<usize> {
    0..curve.levels.len()
}

fn loss_of(curves: &[ErrorCurve], choice: &[usize]) -> f64 {
    curves
        .iter()
        .zip(choice)
        .map(|(curve, level)| curve.cost(*level))
        .sum()
}

fn zeros_of(curves: &[ErrorCurve], choice: &[usize]) -> u64 {
    curves
        .iter()
        .zip(choice)
        .map(|(curve, level)| curve.zeros(*level))
        .sum()
}

/// The level of each tensor that is best when a zero is worth `price`; on a tie the one with more or with fewer zeros.
fn at_price(curves: &[ErrorCurve], price: f64, more: bool) -> Vec<usize> {
    let best = |curve: &ErrorCurve| {
        let key = |level: usize| {
            let zeros = curve.zeros(level) as f64;
            let order = if more { -zeros } else { zeros };
            (curve.cost(level) - price * zeros, order)
        };
        let by = |a: &usize, b: &usize| {
            let (a, b) = (key(*a), key(*b));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
        };
        levels(curve).min_by(by).unwrap_or(0)
    };
    curves.iter().map(best).collect()
}

/// The price that makes the Lagrangian's bound largest, and that bound.
fn best_price(curves: &[ErrorCurve], needed: u64) -> (f64, f64) {
    let value = |price: f64| {
        let choice = at_price(curves, price, true);
        loss_of(curves, &choice) + price * (needed as f64 - zeros_of(curves, &choice) as f64)
    };
    let (mut low, mut high) = (0.0_f64, 1e-12_f64);
    while zeros_of(curves, &at_price(curves, high, true)) < needed && high < 1e300 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if zeros_of(curves, &at_price(curves, middle, true)) < needed {
            low = middle;
        } else {
            high = middle;
        }
    }
    (high, value(high).max(0.0))
}

/// A partial choice: zeros and loss so far, and the state and level that it came from.
#[derive(Clone, Copy)]
struct State {
    zeros: u64,
    loss: f64,
    parent: u32,
    level: u32,
}

/// `None` where nothing beats `known`.
fn search(curves: &[ErrorCurve], needed: u64, price: f64, known: f64) -> Option<Vec<usize>> {
    // What the rest costs at least, when its zeros are paid for.
    let mut rest = vec![0.0; curves.len() + 1];
    let mut rest_zeros = vec![0_u64; curves.len() + 1];
    for (i, curve) in curves.iter().enumerate().rev() {
        let reduced = levels(curve).map(|l| curve.cost(l) - price * curve.zeros(l) as f64);
        rest[i] = rest[i + 1] + reduced.fold(f64::INFINITY, f64::min);
        rest_zeros[i] = rest_zeros[i + 1] + levels(curve).map(|l| curve.zeros(l)).max().unwrap_or(0);
    }
    // Sums in another order may differ in the last digits.
    let limit = known + known.abs() * 1e-12;
    let mut stages: Vec<Vec<State>> = Vec::with_capacity(curves.len());
    let mut now = vec![State {
        zeros: 0,
        loss: 0.0,
        parent: 0,
        level: 0,
    }];
    for (i, curve) in curves.iter().enumerate() {
        let mut next: Vec<State> = Vec::with_capacity(now.len() * curve.levels.len());
        for (parent, state) in now.iter().enumerate() {
            for level in levels(curve) {
                let zeros = (state.zeros + curve.zeros(level)).min(needed);
                let loss = state.loss + curve.cost(level);
                let reachable = zeros + rest_zeros[i + 1] >= needed;
                let least = loss + rest[i + 1] + price * (needed - zeros) as f64;
                if reachable && least <= limit {
                    next.push(State {
                        zeros,
                        loss,
                        parent: parent as u32,
                        level: level as u32,
                    });
                }
            }
        }
        // Of states with at least as many zeros, only one with less loss than all before is worth keeping.
        next.sort_by(|a, b| b.zeros.cmp(&a.zeros).then(a.loss.total_cmp(&b.loss)));
        let mut least = f64::INFINITY;
        next.retain(|state| {
            let keep = state.loss < least;
            least = least.min(state.loss);
            keep
        });
        stages.push(next.clone());
        now = next;
    }
    let mut at = now.iter().position(|state| state.zeros >= needed)?;
    let mut choice = vec![0; curves.len()];
    for (i, stage) in stages.iter().enumerate().rev() {
        choice[i] = stage[at].level as usize;
        at = stage[at].parent as usize;
    }
    Some(choice)
}

/// Share of weights whose Wanda saliency exceeds `times` the mean of its tensor: what [`owl`] calls outliers.
///
/// # Errors
/// [`LayerError::Width`]; [`LayerError::Parameter`] where `times` is not a finite number above zero.
pub fn outlier_ratio(weights: ArrayView2<'_, f32>, gram: &Gram, times: f64) -> Result<f64, LayerError> {
    if !(times.is_finite() && times > 0.0) {
        return Err(LayerError::Parameter { name: "times" });
    }
    let saliency = saliency::wanda(weights, gram)?;
    let count = saliency.len().max(1) as f64;
    let mean = saliency.iter().map(|s| f64::from(*s)).sum::<f64>() / count;
    Ok(saliency.iter().filter(|s| f64::from(**s) > times * mean).count() as f64 / count)
}

/// Outlier-weighed layerwise sparsity: tensors with more outliers keep more, within `spread` of the target either way.
///
/// **Formula.** `D = 2 · spread · (r − min r) / (max r − min r)`, sparsity = target + mean(D) − D, with the mean weighted by
/// `weights`, so that the whole meets the target; cut to 0 to 1.
///
/// # Errors
/// [`AllocationError::Parameter`] where the lists differ in length, a ratio is not finite, or `spread` is outside 0 to 1.
///
/// # References
/// Yin et al., "Outlier weighed layerwise sparsity (OWL)", 2023, arXiv:2310.05175.
pub fn owl(
    ratios: &[f64],
    weights: &[u64],
    target: Sparsity,
    spread: f64,
) -> Result<Vec<Sparsity>, AllocationError> {
    if ratios.len() != weights.len() || ratios.iter().any(|r| !r.is_finite()) {
        return Err(AllocationError::Parameter { name: "ratios" });
    }
    if !(0.0..=1.0).contains(&spread) {
        return Err(AllocationError::Parameter { name: "spread" });
    }
    let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shift = |r: f64| {
        if high > low {
            2.0 * spread * (r - low) / (high - low)
        } else {
            0.0
        }
    };
    let all: u64 = weights.iter().sum();
    let mean: f64 = ratios
        .iter()
        .zip(weights)
        .map(|(r, n)| shift(*r) * *n as f64)
        .sum::<f64>()
        / (all as f64).max(1.0);
    let one = |r: &f64| {
        let share = (target.value() + mean - shift(*r)).clamp(0.0, 1.0);
        Sparsity::try_new(share).map_err(|_| AllocationError::Parameter { name: "ratios" })
    };
    ratios.iter().map(one).collect()
}
