//! The fast correlation-based filter.

use super::mutual_info::{codes, entropy};
use super::{Picks, Samples};
use crate::error::FeatureError;

/// Uncertainties are whole multiples of its inverse: those that only roundings set apart are equal.
const DECIMALS: f64 = 1e12;

/// Keeps the features that no better feature makes superfluous (fast correlation-based filter).
///
/// For codes and counts, or measurements cut into bins. It decides the number of features by itself, and for many
/// features looks at few pairs.
///
/// **Formula.** SU(a, b) = 2 (H(a) + H(b) − H(a, b)) / (H(a) + H(b)), 0 where neither varies, 1 where each gives the other.
/// Features with SU(f, target) above the threshold are taken from the greatest down; each drops every later g with
/// SU(f, g) ≥ SU(g, target). Those not dropped stay.
///
/// **Errors.** [`FeatureError::TargetKind`] for no target, [`FeatureError::OneClass`], [`FeatureError::NonFinite`],
/// [`FeatureError::Parameter`] for a threshold outside 0 to 1 or fewer than two bins.
///
/// **Complexity.** O(rows log(rows)) per feature and per pair looked at: at most kept · features pairs; O(rows · features)
/// space.
///
/// **Numerics.** Uncertainties are rounded to 12 decimals, so that equal ones compare equal in whatever order they were
/// summed; on a tie the lower index goes first.
///
/// # Example
/// The second feature is the first by other names; the third tells nothing.
/// ```
/// use modelops_pruning::features::{Fcbf, Samples, Target};
/// use ndarray::array;
///
/// let x = array![[0.0, 7.0, 0.0], [0.0, 7.0, 1.0], [1.0, 5.0, 0.0], [1.0, 5.0, 1.0]];
/// let samples = Samples::all(x.view(), Target::Classes(&[0, 0, 1, 1]))?;
/// let picks = Fcbf::default().fit(&samples)?;
/// assert_eq!(picks.order(), [0]);
/// assert!((picks.criteria()[0] - 1.0).abs() < 1e-12);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Yu and Liu, "Feature selection for high-dimensional data: a fast correlation-based filter solution", Proceedings of the
/// 20th International Conference on Machine Learning, 2003.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fcbf {
    threshold: f64,
    bins: Option<usize>,
}

impl Fcbf {
    /// Considers only features whose uncertainty with the target is above this, 0 to 1 (default 0).
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// Cuts features, and a target of values, into this many bins of as equal a number of rows as ties allow. Without it every
    /// distinct value is a code of its own.
    #[must_use]
    pub fn with_bins(mut self, bins: usize) -> Self {
        self.bins = Some(bins);
        self
    }

    /// Filters on the training rows; the criteria are uncertainties with the target, falling.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(&self, samples: &Samples<'_>) -> Result<Picks, FeatureError> {
        if !(0.0..=1.0).contains(&self.threshold) {
            return Err(FeatureError::Parameter { name: "threshold" });
        }
        if self.bins.is_some_and(|bins| bins < 2) {
            return Err(FeatureError::Parameter { name: "bins" });
        }
        let target = match samples.classes() {
            Ok((classes, count)) => Coded::new((classes.to_vec(), count)),
            Err(FeatureError::TargetKind { .. }) => self.coded(samples.values()?),
            Err(other) => return Err(other),
        };
        samples.require_finite()?;
        let features: Vec<Coded> = (0..samples.features())
            .map(|feature| self.coded(&samples.x().column(feature).to_vec()))
            .collect();
        let with_target: Vec<f64> = features.iter().map(|f| uncertainty(f, &target)).collect();
        let mut order: Vec<usize> = (0..features.len())
            .filter(|feature| with_target[*feature] > self.threshold)
            .collect();
        order.sort_by(|a, b| with_target[*b].total_cmp(&with_target[*a]));
        let mut kept = 0;
        while kept < order.len() {
            let later = order.split_off(kept + 1);
            let better = &features[order[kept]];
            let needed = |other: &usize| uncertainty(better, &features[*other]) < with_target[*other];
            order.extend(later.into_iter().filter(needed));
            kept += 1;
        }
        let criteria = order.iter().map(|feature| with_target[*feature]).collect();
        Ok(Picks::new(order, criteria))
    }

    fn coded(&self, column: &[f64]) -> Coded {
        match self.bins {
            Some(bins) => Coded::new(codes(&binned(column, bins))),
            None => Coded::new(codes(column)),
        }
    }
}

/// Codes from 0, how many there are, and their entropy.
struct Coded {
    of_row: Vec<u32>,
    count: usize,
    entropy: f64,
}

impl Coded {
    fn new((of_row, count): (Vec<u32>, usize)) -> Self {
        let entropy = entropy(&of_row, count);
        Self {
            of_row,
            count,
            entropy,
        }
    }
}

fn uncertainty(a: &Coded, b: &Coded) -> f64 {
    let both = a.entropy + b.entropy;
    // A constant has an entropy of exactly 0.
    if a.entropy == 0.0 || b.entropy == 0.0 {
        return 0.0;
    }
    let b_codes = b.count as u64;
    let mut pairs: Vec<u64> = a
        .of_row
        .iter()
        .zip(&b.of_row)
        .map(|(a, b)| u64::from(*a) * b_codes + u64::from(*b))
        .collect();
    pairs.sort_unstable();
    let rows = pairs.len() as f64;
    let joint: f64 = pairs
        .chunk_by(|p, q| p == q)
        .map(|cell| {
            let share = cell.len() as f64 / rows;
            -share * share.ln()
        })
        .sum();
    let uncertainty = (2.0 * (both - joint) / both).clamp(0.0, 1.0);
    (uncertainty * DECIMALS).round() / DECIMALS
}

/// The bin of every value: the share of rows that are less, in whole bins, so that equal values stay together.
fn binned(column: &[f64], bins: usize) -> Vec<f64> {
    let mut sorted = column.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let less = |x: &f64| sorted.partition_point(|other| other < x);
    column
        .iter()
        .map(|x| (less(x) as u128 * bins as u128 / column.len() as u128) as f64)
        .collect()
}
