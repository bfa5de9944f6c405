//! When features enter a lasso.

use ndarray::Array2;

use super::sums::{Centred, Sums};
use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;
use crate::kernel::sweep::sweep;

/// A feature of which a smaller share is its own, beside those in the model, cannot enter it.
const OWN_SHARE: f64 = 1e-13;
/// Penalties that differ by a smaller share are the same.
const SAME: f64 = 1e-9;

/// The penalty at which each feature first has a weight in a lasso, as its importance.
///
/// A sparse linear model: use it with [`Select::KBest`](crate::features::Select) for the first features of the path, within
/// [`StabilitySelection`](crate::features::StabilitySelection), and with [`Knockoffs`](crate::features::Knockoffs). It works for
/// more features than rows, and for features that depend on each other.
///
/// **Formula.** The largest λ at which βⱼ(λ) ≠ 0, 0 where there is none; β(λ) minimises ½ ‖y − Xβ‖² + λ ‖β‖₁ for centred y and
/// features, those divided by their norms. The path is exact: it is followed from one change of the active set to the next.
///
/// **Errors.** [`FeatureError::TargetKind`] where the target is not values, [`FeatureError::NonFinite`],
/// [`FeatureError::Parameter`] for a last penalty outside 0 to 1.
///
/// **Complexity.** O(rows · features² + changes · features²) time, O(features²) space; changes are as many as features that enter,
/// and more where some leave again. The path ends after 8 changes a feature.
///
/// # Example
/// Columns at right angles enter at the length of the target along them: 3 · 2 / 2 and 1 · 2 / 2.
/// ```
/// use modelops_pruning::features::{LassoEntry, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[2.0, 1.0, -1.0, -2.0]))?; // (3 x₀ + x₁) / 2
/// let entry = LassoEntry::default().score(&samples)?;
/// assert!((entry.statistics()[0] - 3.0).abs() < 1e-12 && (entry.statistics()[1] - 1.0).abs() < 1e-12);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Osborne, Presnell and Turlach, "A new approach to variable selection in least squares problems", 2000,
/// DOI 10.1093/imanum/20.3.389. Efron, Hastie, Johnstone and Tibshirani, "Least angle regression", 2004,
/// DOI 10.1214/009053604000000067.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LassoEntry {
    last: f64,
}

impl Default for LassoEntry {
    /// Down to a thousandth of the penalty at which the first feature enters.
    fn default() -> Self {
        Self { last: 1e-3 }
    }
}

impl LassoEntry {
    /// Follows the path down to this share, 0 to 1, of the penalty at which the first feature enters.
    #[must_use]
    pub fn with_last(mut self, share: f64) -> Self {
        self.last = share;
        self
    }
}

impl ScoreFunction for LassoEntry {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        if !(0.0..=1.0).contains(&self.last) {
            return Err(FeatureError::Parameter { name: "last" });
        }
        let sums = Sums::of(samples, std::slice::from_ref(&(0..samples.rows())))?;
        Ok(Scores::new(Path::new(&Centred::new(&sums[0])).entries(self.last)))
    }
}

/// A lasso at some penalty.
struct Path {
    /// Products of features and, last, the target, swept by the active features.
    moments: Array2<f64>,
    /// −1, 0 or 1: the sign of every active feature's weight.
    sign: Vec<f64>,
    /// The feature that left in the last change, and the sign of its correlation: it touches the penalty there.
    left: Option<(usize, f64)>,
}

impl Path {
    fn new(centred: &Centred) -> Self {
        let target = centred.norms.len();
        let moments = Array2::from_shape_fn((target + 1, target + 1), |(i, j)| {
            match (i < target, j < target) {
                (true, true) => centred.gram[[i, j]],
                (true, false) => centred.right[i],
                (false, true) => centred.right[j],
                (false, false) => centred.total,
            }
        });
        Self {
            moments,
            sign: vec![0.0; target],
            left: None,
        }
    }

    fn entries(mut self, last: f64) -> Vec<f64> {
        let features = self.sign.len();
        let mut entries = vec![0.0; features];
        let correlation = |j: usize| self.moments[[j, features]].abs();
        let first = (0..features).map(correlation).fold(0.0, f64::max);
        let mut penalty = first;
        for _ in 0..8 * features {
            let Some((at, feature, sign)) = self.next_change(penalty) else {
                break;
            };
            if at <= 0.0 || at < last * first {
                break;
            }
            penalty = at;
            sweep(&mut self.moments, feature);
            if self.sign[feature] == 0.0 {
                self.sign[feature] = sign;
                self.left = None;
                if entries[feature] == 0.0 {
                    entries[feature] = at;
                }
            } else {
                self.left = Some((feature, self.sign[feature]));
                self.sign[feature] = 0.0;
            }
        }
        entries
    }

    /// The next penalty, going down, at which a feature enters with a sign, or leaves.
    fn next_change(&self, penalty: f64) -> Option<(f64, usize, f64)> {
        let target = self.sign.len();
        let mut next: Option<(f64, usize, f64)> = None;
        let mut offer = |at: f64, feature: usize, sign: f64| {
            let reached = at > 0.0 && at <= penalty * (1.0 + SAME);
            if reached && next.is_none_or(|(most, ..)| at > most) {
                next = Some((at, feature, sign));
            }
        };
        for (feature, row) in self.moments.rows().into_iter().take(target).enumerate() {
            // Of an active feature −(M⁻¹ s), of another its regression on the active ones times their signs.
            let slope: f64 = row.iter().zip(&self.sign).map(|(m, s)| m * s).sum();
            let now = row[target];
            if self.sign[feature] != 0.0 {
                // The weight, now + λ slope, becomes zero.
                let at = -now / slope;
                if at < penalty * (1.0 - SAME) {
                    offer(at, feature, 0.0);
                }
            } else if row[feature] >= OWN_SHARE {
                // The correlation, now + λ slope, becomes λ or −λ.
                for sign in [1.0, -1.0] {
                    if self.left != Some((feature, sign)) {
                        offer(sign * now / (1.0 - sign * slope), feature, sign);
                    }
                }
            }
        }
        next.map(|(at, feature, sign)| (at.min(penalty), feature, sign))
    }
}
