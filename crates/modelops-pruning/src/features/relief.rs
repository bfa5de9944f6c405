//! Features by what sets neighbours of different classes apart.

use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;

/// How much a feature sets rows apart from near rows of other classes, less from those of their own (`ReliefF`).
///
/// Use it where features matter together, such as two whose product decides, which no score of one feature at a time sees.
/// It looks at all pairs of rows: sample the training rows where there are many.
///
/// **Formula.** W(f) = 1/n Σ over rows i of class c: Σ over other classes k of P(k) / (1 − P(c)) · m(f, i, k) − m(f, i, c).
/// m(f, i, k) is the mean of d(f, i, j) over the nearest neighbours j of i in class k (i itself apart, and 0 where there is none),
/// d(f, i, j) = |xᵢ − xⱼ| / (max − min) along f, P the shares of classes; near is a small Σ d over all features. −1 ≤ W ≤ 1.
///
/// **Errors.** [`FeatureError::Parameter`] for no neighbours, [`FeatureError::OneClass`], [`FeatureError::TargetKind`],
/// [`FeatureError::NonFinite`].
///
/// **Complexity.** O(rows² · features) time, O(rows · features) space.
///
/// **Numerics.** Deterministic: every row is looked at, and of neighbours at the same distance the earlier row counts. A class
/// with fewer rows than neighbours gives all it has. A constant feature has W = 0.
///
/// # Example
/// Scaled to 0, 0.1, 0.9, 1: the nearest hit is 0.1 away, the nearest misses 0.9, 0.8, 0.8, 0.9.
/// ```
/// use modelops_pruning::features::{ReliefF, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[0.0], [1.0], [9.0], [10.0]];
/// let samples = Samples::all(x.view(), Target::Classes(&[0, 0, 1, 1]))?;
/// let weight = ReliefF::new(1).score(&samples)?.statistics()[0];
/// assert!((weight - 0.75).abs() < 1e-12);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Robnik-Šikonja and Kononenko, "Theoretical and empirical analysis of `ReliefF` and `RReliefF`", 2003,
/// DOI 10.1023/A:1025667309714.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReliefF {
    neighbours: usize,
}

impl Default for ReliefF {
    /// Ten neighbours of each class.
    fn default() -> Self {
        Self::new(10)
    }
}

impl ReliefF {
    /// Looks at this many neighbours of each class: more are steadier, and see less of what is local.
    #[must_use]
    pub fn new(neighbours: usize) -> Self {
        Self { neighbours }
    }
}

impl ScoreFunction for ReliefF {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        if self.neighbours == 0 {
            return Err(FeatureError::Parameter { name: "neighbors" });
        }
        let (classes, count) = samples.classes()?;
        samples.require_finite()?;
        let (rows, features) = (samples.rows(), samples.features());
        let scaled = scaled(samples.flat(), features);
        let row = |i: usize| &scaled[i * features..(i + 1) * features];
        let mut sizes = vec![0.0; count];
        classes.iter().for_each(|class| sizes[*class as usize] += 1.0);

        let mut weights = vec![0.0; features];
        let mut near: Vec<Vec<(f64, usize)>> = vec![Vec::new(); count];
        for i in 0..rows {
            near.iter_mut().for_each(Vec::clear);
            for j in (0..rows).filter(|j| *j != i) {
                let distance = row(i).iter().zip(row(j)).map(|(a, b)| (a - b).abs()).sum();
                near[classes[j] as usize].push((distance, j));
            }
            let own = classes[i] as usize;
            for (class, near) in near.iter_mut().enumerate() {
                if near.len() > self.neighbours {
                    near.select_nth_unstable_by(self.neighbours, |a, b| {
                        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
                    });
                    near.truncate(self.neighbours);
                }
                // The selection leaves them in no order that its algorithm promises to keep.
                near.sort_unstable_by_key(|(_, j)| *j);
                let share = if class == own {
                    -1.0
                } else {
                    sizes[class] / (rows as f64 - sizes[own])
                };
                let factor = share / (near.len() as f64 * rows as f64);
                for (_, j) in near.iter() {
                    for ((weight, a), b) in weights.iter_mut().zip(row(i)).zip(row(*j)) {
                        *weight += factor * (a - b).abs();
                    }
                }
            }
        }
        Ok(Scores::new(weights))
    }
}

/// Every feature moved and scaled to 0 to 1; 0 where it is constant.
fn scaled(x: &[f64], features: usize) -> Vec<f64> {
    let mut scaled = vec![0.0; x.len()];
    for feature in 0..features {
        let column = || x.iter().skip(feature).step_by(features);
        let least = column().copied().fold(f64::INFINITY, f64::min);
        let most = column().copied().fold(f64::NEG_INFINITY, f64::max);
        // Halved, so that the range of the largest values is finite.
        let range = 0.5 * most - 0.5 * least;
        if range > 0.0 {
            let out = scaled.iter_mut().skip(feature).step_by(features);
            out.zip(column())
                .for_each(|(out, x)| *out = (0.5 * x - 0.5 * least) / range);
        }
    }
    scaled
}
