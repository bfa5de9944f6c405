//! Rows that few random cuts set apart.

use ndarray::{Array2, ArrayView1, ArrayView2};
use rand::Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::engine::outlier::quantile;
use crate::error::FitError;
use crate::impute::width;
use crate::kernel::random::{below, derive, generator, uniform};

/// Finds rows that random cuts set apart early: outliers in several features at once, of no shape known beforehand.
///
/// **Formula**: score(x) = 2^(−E\[h(x)\] / c(ψ)), with h(x) the cuts until x is alone in a tree grown on ψ random rows, plus
/// c(m) where m rows are left in its leaf, E the mean over trees, and c(n) = 2 (ln(n − 1) + γ) − 2 (n − 1)/n the mean
/// length of a search in a random tree of n. In (0, 1\]: near 1 for outliers, about ½ for rows of one even cloud. These are
/// scikit-learn's `IsolationForest` scores with their sign turned, up to the random cuts.
///
/// Every value must be there and finite. A row is an outlier where its score is above the threshold: ½, or the quantile of
/// the training scores that the contamination says.
///
/// # Complexity
/// O(trees · ψ · log ψ) to fit, O(rows · trees · log ψ) to judge.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, IsolationForest, Split, Train};
/// use ndarray::Array2;
///
/// // A grid of 10 × 10 and one row far from it.
/// let at = |i: usize| if i == 100 { 50.0 } else { 0.0 };
/// let x = Array2::from_shape_fn((101, 2), |(i, f)| at(i) + [i % 10, i / 10][f] as f64);
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 101], vec!["only".to_string()])?);
/// let forest = IsolationForest::default().with_contamination(0.01)?.fit(&train, 7)?;
/// let (inside, outside) = forest.separate(&train)?;
/// assert_eq!((inside.rows().len(), outside.rows()), (100, &[100][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// Liu, Ting and Zhou, "Isolation Forest", 2008, doi:10.1109/ICDM.2008.17.
#[doc(alias = "anomaly")]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Unchecked")]
pub struct IsolationForest {
    trees: usize,
    sample: usize,
    contamination: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    trees: usize,
    sample: usize,
    contamination: Option<f64>,
}

impl TryFrom<Unchecked> for IsolationForest {
    type Error = FitError;

    fn try_from(unchecked: Unchecked) -> Result<Self, FitError> {
        let forest = Self::new(unchecked.trees, unchecked.sample)?;
        match unchecked.contamination {
            Some(fraction) => forest.with_contamination(fraction),
            None => Ok(forest),
        }
    }
}

impl Default for IsolationForest {
    /// 100 trees on 256 rows each, threshold ½, as in the paper.
    fn default() -> Self {
        Self {
            trees: 100,
            sample: 256,
            contamination: None,
        }
    }
}

impl IsolationForest {
    /// So many trees, each grown on `sample` random rows (all of them where there are fewer).
    ///
    /// # Errors
    /// [`FitError::Zero`].
    pub fn new(trees: usize, sample: usize) -> Result<Self, FitError> {
        if trees == 0 || sample == 0 {
            return Err(FitError::Zero);
        }
        Ok(Self {
            trees,
            sample,
            contamination: None,
        })
    }

    /// Puts the threshold where this fraction of the training part lies above it.
    ///
    /// # Errors
    /// [`FitError::Parameter`] unless 0 < `fraction` ≤ ½.
    pub fn with_contamination(mut self, fraction: f64) -> Result<Self, FitError> {
        if !(fraction > 0.0 && fraction <= 0.5) {
            return Err(FitError::Parameter { value: fraction });
        }
        self.contamination = Some(fraction);
        Ok(self)
    }

    /// Grows the trees on the training part; the same seed grows the same trees, for any number of threads.
    ///
    /// # Errors
    /// [`FitError::Empty`], [`FitError::Missing`] and [`FitError::Infinite`].
    pub fn fit(&self, train: &Split<Train>, seed: u64) -> Result<FittedIsolationForest, FitError> {
        let x = train.x();
        if x.nrows() == 0 {
            return Err(FitError::Empty);
        }
        complete(x)?;
        Ok(self.grow(x, seed))
    }

    /// Which of these rows, all of them finite, are outliers among them.
    pub(crate) fn apart(&self, x: ArrayView2<'_, f64>, seed: u64) -> Vec<bool> {
        let fitted = self.grow(x, seed);
        let scores = fitted.score(x).into_iter();
        scores.map(|score| score > fitted.threshold).collect()
    }

    fn grow(&self, x: ArrayView2<'_, f64>, seed: u64) -> FittedIsolationForest {
        let sample = self.sample.min(x.nrows());
        let grow = |tree: usize| Tree::grow(x, sample, derive(seed, tree as u64));
        let mut fitted = FittedIsolationForest {
            features: x.ncols(),
            sample,
            trees: (0..self.trees).into_par_iter().map(grow).collect(),
            threshold: 0.5,
        };
        if let Some(fraction) = self.contamination {
            fitted.threshold = quantile(&mut fitted.score(x), 1.0 - fraction);
        }
        fitted
    }
}

fn complete(x: ArrayView2<'_, f64>) -> Result<(), FitError> {
    match x.indexed_iter().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some(((row, feature), value)) if value.is_nan() => Err(FitError::Missing { row, feature }),
        Some(((row, feature), _)) => Err(FitError::Infinite { row, feature }),
    }
}

/// The mean number of cuts that set one of `n` rows apart.
fn mean_cuts(n: usize) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = n as f64;
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Node {
    /// Rows with `feature` at most `cut` go to the node `low`, the others to the one after it.
    Cut { feature: u32, cut: f64, low: u32 },
    /// The cuts that led here, those that would set the rest apart included.
    Leaf(f64),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Node>);

impl Tree {
    fn grow(x: ArrayView2<'_, f64>, sample: usize, seed: u64) -> Self {
        let mut generator = generator(seed);
        let mut rows: Vec<usize> = (0..x.nrows()).collect();
        for i in 0..sample {
            let j = i + below(&mut generator, rows.len() - i);
            rows.swap(i, j);
        }
        rows.truncate(sample);
        let deepest = usize::BITS - (sample.max(2) - 1).leading_zeros();
        let mut tree = Self(vec![Node::Leaf(0.0)]);
        // What is left to cut: the node, its depth, its rows.
        let mut open = vec![(0, 0, 0..rows.len())];
        while let Some((at, depth, range)) = open.pop() {
            let inside = &mut rows[range.clone()];
            let cut = if depth < deepest && inside.len() > 1 {
                random_cut(x, inside, &mut generator)
            } else {
                None
            };
            let Some((feature, cut)) = cut else {
                tree.0[at] = Node::Leaf(f64::from(depth) + mean_cuts(inside.len()));
                continue;
            };
            let mut low = 0;
            for i in 0..inside.len() {
                if x[[inside[i], feature]] <= cut {
                    inside.swap(i, low);
                    low += 1;
                }
            }
            let middle = range.start + low;
            let child = tree.0.len();
            tree.0[at] = Node::Cut {
                feature: feature as u32,
                cut,
                low: child as u32,
            };
            tree.0.extend([Node::Leaf(0.0), Node::Leaf(0.0)]);
            open.push((child + 1, depth + 1, middle..range.end));
            open.push((child, depth + 1, range.start..middle));
        }
        tree
    }

    fn cuts(&self, row: ArrayView1<'_, f64>) -> f64 {
        let mut at = 0;
        loop {
            match self.0[at] {
                Node::Leaf(cuts) => return cuts,
                Node::Cut { feature, cut, low } => {
                    at = low as usize + usize::from(row[feature as usize] > cut);
                }
            }
        }
    }

    /// Every cut leads on, to nodes that are there.
    fn is_sound(&self, features: usize) -> bool {
        !self.0.is_empty()
            && self.0.iter().enumerate().all(|(at, node)| match node {
                Node::Leaf(cuts) => cuts.is_finite(),
                Node::Cut { feature, low, .. } => {
                    (*feature as usize) < features && *low as usize > at && (*low as usize) + 1 < self.0.len()
                }
            })
    }
}

/// A random feature among those with two values, and a random cut between its ends; `None` where there is none.
fn random_cut(x: ArrayView2<'_, f64>, rows: &[usize], generator: &mut impl Rng) -> Option<(usize, f64)> {
    let mut features: Vec<usize> = (0..x.ncols()).collect();
    while !features.is_empty() {
        let feature = features.swap_remove(below(generator, features.len()));
        let values = rows.iter().map(|&row| x[[row, feature]]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        if low < high {
            // Halves first: the distance of two finite numbers need not be finite.
            let cut = low + 2.0 * (uniform(generator) * (high / 2.0 - low / 2.0));
            return Some((feature, if cut < high { cut } else { low }));
        }
    }
    None
}

/// An [`IsolationForest`] that has grown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedIsolationForest {
    features: usize,
    sample: usize,
    trees: Vec<Tree>,
    threshold: f64,
}

impl FittedIsolationForest {
    /// The score above which a row is an outlier.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    pub(crate) fn width(&self) -> Option<usize> {
        let sound = !self.trees.is_empty() && self.trees.iter().all(|tree| tree.is_sound(self.features));
        sound.then_some(self.features)
    }

    /// How much each row of a part is an outlier, in (0, 1].
    ///
    /// # Errors
    /// [`FitError::Width`], [`FitError::Missing`] and [`FitError::Infinite`].
    pub fn scores<R: Role>(&self, part: &Split<R>) -> Result<Vec<f64>, FitError> {
        width(self.features, part)?;
        complete(part.x())?;
        Ok(self.score(part.x()))
    }

    fn score(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        let scale = self.trees.len() as f64 * mean_cuts(self.sample);
        let score = |row: usize| {
            if scale == 0.0 {
                // One row a tree: nothing sets any apart.
                return 0.5;
            }
            let cuts: f64 = self.trees.iter().map(|tree| tree.cuts(x.row(row))).sum();
            (-cuts / scale).exp2()
        };
        (0..x.nrows()).into_par_iter().map(score).collect()
    }

    /// Appends a feature, `outlier`, that is 1 for the rows above the threshold.
    ///
    /// # Errors
    /// As [`FittedIsolationForest::scores`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        let scores = self.scores(part)?;
        let mark = |(row, _)| f64::from(u8::from(scores[row] > self.threshold));
        let marks = Array2::from_shape_fn((scores.len(), 1), mark);
        Ok(part.append(marks.view(), ["outlier".to_owned()]))
    }

    /// The rows at most at the threshold, and those above it; [`Split::rows`] says which they are.
    ///
    /// # Errors
    /// As [`FittedIsolationForest::scores`].
    pub fn separate<R: Role>(&self, part: &Split<R>) -> Result<(Split<R>, Split<R>), FitError> {
        let scores = self.scores(part)?;
        let rows = |outside: bool| -> Vec<usize> {
            let wanted = |row: &usize| (scores[*row] > self.threshold) == outside;
            (0..scores.len()).filter(wanted).collect()
        };
        Ok((part.take(&rows(false)), part.take(&rows(true))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sklearn.ensemble._iforest._average_path_length` of scikit-learn 1.9.1.
    #[test]
    fn mean_cuts_are_those_of_scikit_learn() {
        for (n, cuts) in [
            (1, 0.0),
            (2, 1.0),
            (3, 1.207_392_357_589_623),
            (256, 10.244_770_920_119_917),
        ] {
            assert!((mean_cuts(n) - cuts).abs() < 1e-12, "{n}: {}", mean_cuts(n));
        }
    }
}
