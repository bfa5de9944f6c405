//! Features that a selection finds again and again.

use rand::Rng;
use rand::seq::SliceRandom;

use super::Samples;
use crate::error::FeatureError;

/// Repeats a selection on complementary halves of the rows, and keeps the features that it finds often enough.
///
/// It makes any selection steadier, and bounds how many features it finds by chance. Select a few features in every half, fewer than
/// are thought to matter, and let the repetition decide.
///
/// **Formula.** Each pair splits the rows at random into two halves of ⌊rows / 2⌋. Π(f) is the share of halves in which f is
/// selected; those with Π(f) ≥ threshold stay. Of the features that a selection of q out of p features finds no more often than by
/// guessing, in q/p of the halves, the expected number that stay is at most
/// - q² / ((2τ − 1) p) for the threshold τ, whatever the selection does ([`Stability::bound`]);
/// - C q² / p where Π of such features has one mode (as it usually has), q/p ≤ 1/√3, and B pairs are drawn:
///   C = 1 / (2 (2τ − 1 − 1/(2B))) for τ ≤ 3/4, C = 4 (1 − τ + 1/(2B)) / (1 + 1/B) above ([`Stability::unimodal_bound`]).
///
/// q is the largest number selected in any half.
///
/// **Errors.** [`FeatureError::Parameter`] for no pair, or a threshold not above 1/2 or above 1, [`FeatureError::TooFewRows`] below
/// 2 rows, [`FeatureError::Columns`] for a feature that is not there, and those of the selection: halves are not stratified, so
/// that a class of few rows may be missing from one.
///
/// **Complexity.** 2 · pairs selections on half of the rows.
///
/// # Example
/// The target follows the second feature; the others are waves.
/// ```
/// use modelops_pruning::features::{FRegression, Samples, Select, StabilitySelection, Target};
/// use ndarray::Array2;
/// use rand::SeedableRng;
/// use rand_xoshiro::Xoshiro256PlusPlus;
///
/// let x = Array2::from_shape_fn((50, 18), |(i, j)| ((i * (2 * j + 3)) as f64).sin());
/// let y: Vec<f64> = x.column(1).to_vec();
/// let samples = Samples::all(x.view(), Target::Values(&y))?;
/// let first = |half: &Samples<'_>| Ok(Select::KBest(2).fit(&FRegression, half)?.selected().to_vec());
/// let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
/// let found = StabilitySelection::new(50, 0.9).fit(first, &samples, &mut rng)?;
/// assert_eq!(found.selected(), [1]);
/// assert_eq!(found.shares()[1], 1.0);
/// assert!((found.bound() - 2.0 * 2.0 / (0.8 * 18.0)).abs() < 1e-12);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Meinshausen and Bühlmann, "Stability selection", 2010, DOI 10.1111/j.1467-9868.2010.00740.x. Shah and Samworth, "Variable
/// selection with error control: another look at stability selection", 2013, DOI 10.1111/j.1467-9868.2011.01034.x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StabilitySelection {
    pairs: usize,
    threshold: f64,
}

impl StabilitySelection {
    /// Draws this many pairs of halves (50 is usual), and keeps features found in this share of them, above 1/2 and up to 1.
    #[must_use]
    pub fn new(pairs: usize, threshold: f64) -> Self {
        Self { pairs, threshold }
    }

    /// Selects on the training rows: `select` gives the features that it finds in a half.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(
        &self,
        mut select: impl FnMut(&Samples<'_>) -> Result<Vec<usize>, FeatureError>,
        samples: &Samples<'_>,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Stability, FeatureError> {
        if self.pairs == 0 {
            return Err(FeatureError::Parameter { name: "pairs" });
        }
        if !(self.threshold > 0.5 && self.threshold <= 1.0) {
            return Err(FeatureError::Parameter { name: "threshold" });
        }
        let (rows, features) = (samples.rows(), samples.features());
        if rows < 2 {
            return Err(FeatureError::TooFewRows {
                needed: 2,
                found: rows,
            });
        }
        let mut counts = vec![0_usize; features];
        let mut most = 0;
        let mut order: Vec<usize> = (0..rows).collect();
        for _ in 0..self.pairs {
            order.shuffle(rng);
            for half in order.chunks_exact(rows / 2).take(2) {
                let mut found = select(&samples.subset(half))?;
                found.sort_unstable();
                found.dedup();
                most = most.max(found.len());
                for feature in found {
                    *counts.get_mut(feature).ok_or(FeatureError::Columns {
                        expected: features,
                        found: feature + 1,
                    })? += 1;
                }
            }
        }
        let halves = (2 * self.pairs) as f64;
        Ok(Stability {
            shares: counts.iter().map(|count| *count as f64 / halves).collect(),
            most,
            pairs: self.pairs,
            threshold: self.threshold,
        })
    }
}

/// How often each feature was found in halves of the rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Stability {
    shares: Vec<f64>,
    most: usize,
    pairs: usize,
    threshold: f64,
}

impl Stability {
    /// Share of the halves in which each feature was selected, 0 to 1.
    #[must_use]
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// Columns whose share reaches the threshold, ascending.
    #[must_use]
    pub fn selected(&self) -> Vec<usize> {
        let stable = |j: &usize| self.shares[*j] >= self.threshold;
        (0..self.shares.len()).filter(stable).collect()
    }

    /// The largest number of features that were selected in a half.
    #[must_use]
    pub fn most_in_a_half(&self) -> usize {
        self.most
    }

    /// Bounds the expected number of selected features that a half finds no more often than by guessing.
    #[must_use]
    pub fn bound(&self) -> f64 {
        self.squared_share() / (2.0 * self.threshold - 1.0)
    }

    /// The tighter bound where shares of such features have one mode; `None` where it does not hold: more than 1/√3 of the
    /// features selected in a half, or a threshold too near to 1/2 for so few pairs. Never above [`Stability::bound`].
    #[must_use]
    pub fn unimodal_bound(&self) -> Option<f64> {
        let (tau, pairs) = (self.threshold, self.pairs as f64);
        let guess = self.most as f64 / self.shares.len() as f64;
        let step = 0.5 / pairs;
        let least = (0.5 + guess * guess).min(0.5 + step + 0.75 * guess * guess);
        if guess > 1.0 / 3.0_f64.sqrt() || tau <= least || 2.0 * tau - 1.0 <= step {
            return None;
        }
        let factor = if tau <= 0.75 {
            1.0 / (2.0 * (2.0 * tau - 1.0 - step))
        } else {
            4.0 * (1.0 - tau + step) / (1.0 + 2.0 * step)
        };
        Some((factor * self.squared_share()).min(self.bound()))
    }

    /// q² / p.
    fn squared_share(&self) -> f64 {
        (self.most * self.most) as f64 / self.shares.len() as f64
    }
}
