//! Importances from extremely randomised trees.

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::f_test::centred;
use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;

/// How much impurity each feature takes from an ensemble of extremely randomised trees.
///
/// It sees relations of any shape and features that matter together, for classes and values alike, and is the usual source of
/// importances for [`Boruta`](crate::features::Boruta) and [`SelectFromModel`](crate::features::SelectFromModel). It only measures:
/// the trees are not kept, and predict nothing.
///
/// **Formula.** Every tree sees all training rows. A node draws features, without those that are constant in it, until it has
/// enough of them, cuts each at a point drawn uniformly from its range, and takes the cut that lessens n · impurity most; the
/// impurity is Gini's for classes, the variance for values. What a feature lessens over a tree, as a share of all that the tree
/// lessens, is averaged over the trees: importances are ≥ 0, and add up to 1 unless nothing can be cut.
///
/// **Errors.** [`FeatureError::Parameter`] for no tree, no candidate or no depth, [`FeatureError::OneClass`],
/// [`FeatureError::TargetKind`] for no target, [`FeatureError::NonFinite`].
///
/// **Complexity.** O(trees · rows · depth · candidates) time; a tree is about 2 log(rows) deep. O(rows · features) space.
///
/// **Numerics.** The same seed gives the same trees. Of equal cuts the feature with the lower index wins. Features with more distinct
/// values have more ways to fit chance: compare them with shuffled copies of themselves, as `Boruta` does.
///
/// # Example
/// One cut at the first feature tells the classes apart; the second never does.
/// ```
/// use modelops_pruning::features::{ExtraTrees, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]];
/// let samples = Samples::all(x.view(), Target::Classes(&[0, 0, 1, 1]))?;
/// let trees = ExtraTrees::new(10, 7).with_candidates(2);
/// assert_eq!(trees.score(&samples)?.statistics(), [1.0, 0.0]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Geurts, Ernst and Wehenkel, "Extremely randomized trees", 2006, DOI 10.1007/s10994-006-6226-1.
#[doc(alias("random_forest", "feature_importance"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtraTrees {
    trees: usize,
    seed: u64,
    candidates: Option<usize>,
    depth: usize,
}

impl ExtraTrees {
    /// Grows this many trees (100 is usual), each until no node can be cut. A node looks at √features candidates for classes, at
    /// all features for values.
    #[must_use]
    pub fn new(trees: usize, seed: u64) -> Self {
        Self {
            trees,
            seed,
            candidates: None,
            depth: usize::MAX,
        }
    }

    /// Looks at this many features in a node: fewer spread importance over features that say the same.
    #[must_use]
    pub fn with_candidates(mut self, candidates: usize) -> Self {
        self.candidates = Some(candidates);
        self
    }

    /// Cuts at most this many times between the root and a leaf: shallow trees are faster and follow less of the noise.
    #[must_use]
    pub fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }
}

impl ScoreFunction for ExtraTrees {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        for (value, name) in [
            (self.trees, "trees"),
            (self.candidates.unwrap_or(1), "candidates"),
            (self.depth, "depth"),
        ] {
            if value == 0 {
                return Err(FeatureError::Parameter { name });
            }
        }
        let features = samples.features();
        let (target, usual) = match samples.classes() {
            Ok((of_row, count)) => (Labels::Classes { of_row, count }, features.isqrt().max(1)),
            Err(FeatureError::TargetKind { .. }) => (Labels::Values(centred(samples.values()?)), features),
            Err(other) => return Err(other),
        };
        samples.require_finite()?;
        let columns: Vec<Vec<f64>> = samples.x().columns().into_iter().map(|c| c.to_vec()).collect();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut total = vec![0.0; features];
        for _ in 0..self.trees {
            let mut tree = Tree {
                columns: &columns,
                target: &target,
                candidates: self.candidates.unwrap_or(usual).min(features),
                rng: &mut rng,
                rows: (0..samples.rows()).collect(),
                order: (0..features).collect(),
                lessened: vec![0.0; features],
            };
            tree.grow(self.depth);
            let all: f64 = tree.lessened.iter().sum();
            if all > 0.0 {
                for (total, lessened) in total.iter_mut().zip(&tree.lessened) {
                    *total += lessened / all;
                }
            }
        }
        let all: f64 = total.iter().sum();
        if all > 0.0 {
            total.iter_mut().for_each(|importance| *importance /= all);
        }
        Ok(Scores::new(total))
    }
}

enum Labels<'a> {
    Classes {
        of_row: &'a [u32],
        count: usize,
    },
    /// Less their mean over all rows.
    Values(Vec<f64>),
}

impl Labels<'_> {
    /// Rows times the impurity of these rows.
    fn impurity(&self, rows: &[usize]) -> f64 {
        let n = rows.len() as f64;
        match self {
            Self::Classes { of_row, count } => {
                let mut counts = vec![0.0; *count];
                rows.iter().for_each(|row| counts[of_row[*row] as usize] += 1.0);
                n - counts.iter().map(|c| c * c).sum::<f64>() / n
            }
            Self::Values(values) => {
                let (sum, squares) = rows.iter().fold((0.0, 0.0), |(sum, squares), row| {
                    (sum + values[*row], squares + values[*row] * values[*row])
                });
                (squares - sum * sum / n).max(0.0)
            }
        }
    }
}

struct Tree<'a> {
    columns: &'a [Vec<f64>],
    target: &'a Labels<'a>,
    candidates: usize,
    rng: &'a mut Xoshiro256PlusPlus,
    /// Rows, those of a node side by side.
    rows: Vec<usize>,
    /// Features, shuffled as far as a node needs.
    order: Vec<usize>,
    lessened: Vec<f64>,
}

impl Tree<'_> {
    fn grow(&mut self, depth: usize) {
        let root = self.target.impurity(&self.rows);
        let mut nodes = vec![(0, self.rows.len(), 0, root)];
        while let Some((start, end, above, impurity)) = nodes.pop() {
            // What rounding leaves of the root's impurity is none.
            if above == depth || impurity <= 1e-14 * root {
                continue;
            }
            let Some(cut) = self.best_cut(start, end) else {
                continue;
            };
            self.lessened[cut.feature] += (impurity - cut.left - cut.right).max(0.0);
            let middle = start + self.part(start, end, cut.feature, cut.at);
            nodes.push((start, middle, above + 1, cut.left));
            nodes.push((middle, end, above + 1, cut.right));
        }
    }

    fn best_cut(&mut self, start: usize, end: usize) -> Option<Cut> {
        let (mut best, mut tried) = (None::<Cut>, 0);
        for drawn in 0..self.order.len() {
            if tried == self.candidates {
                break;
            }
            let other = self.rng.random_range(drawn..self.order.len());
            self.order.swap(drawn, other);
            let feature = self.order[drawn];
            let column = &self.columns[feature];
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for row in &self.rows[start..end] {
                least = least.min(column[*row]);
                most = most.max(column[*row]);
            }
            if least == most {
                continue;
            }
            tried += 1;
            // Halves, so that the range of the largest values is finite; below the largest, so that a row is on either side.
            let share: f64 = self.rng.random();
            let mut at = 2.0 * ((1.0 - share) * (0.5 * least) + share * (0.5 * most));
            if at >= most || at < least {
                at = least;
            }
            let middle = start + self.part(start, end, feature, at);
            let left = self.target.impurity(&self.rows[start..middle]);
            let right = self.target.impurity(&self.rows[middle..end]);
            let better = best.as_ref().is_none_or(|best| {
                let (ours, theirs) = (left + right, best.left + best.right);
                ours < theirs || (ours == theirs && feature < best.feature)
            });
            if better {
                best = Some(Cut {
                    feature,
                    at,
                    left,
                    right,
                });
            }
        }
        best
    }

    /// Moves the rows of a node with values up to `at` to its front; how many they are.
    fn part(&mut self, start: usize, end: usize, feature: usize, at: f64) -> usize {
        let column = &self.columns[feature];
        let rows = &mut self.rows[start..end];
        let mut front = 0;
        for next in 0..rows.len() {
            if column[rows[next]] <= at {
                rows.swap(front, next);
                front += 1;
            }
        }
        front
    }
}

struct Cut {
    feature: usize,
    at: f64,
    /// Rows times the impurity, on either side.
    left: f64,
    right: f64,
}
