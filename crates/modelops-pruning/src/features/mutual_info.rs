//! Mutual information by nearest neighbours.

use super::f_test::centred;
use super::{Samples, ScoreFunction, Scores};
use crate::error::FeatureError;
use crate::kernel::neighbours::{ksg, ross};

/// How much, in nats, a feature tells about the target, whatever the shape of their relation.
///
/// Use it where a relation need not be a shift of means or a line; it costs a sort per feature and has no p-values.
///
/// **Formula.** Continuous feature and classes: Ross' estimate from k nearest neighbours. Continuous feature and values:
/// the first estimate of Kraskov, Stögbauer and Grassberger in the maximum norm of both, each divided by its standard
/// deviation. Discrete against discrete: Σ p(a,b) ln(p(a,b) / (p(a) p(b))).
///
/// **Errors.** [`FeatureError::Parameter`] for no neighbours or a mask of the wrong length, [`FeatureError::OneClass`],
/// [`FeatureError::TargetKind`], [`FeatureError::NonFinite`].
///
/// **Complexity.** O(n log n) per feature against classes. Against values by a tree that points search by the dozen: O(n log n)
/// where points scatter, O(n²) at worst.
///
/// **Numerics.** Deterministic: ties are counted, never broken by noise. At least 0 and at most the entropy of a
/// discrete side; exactly 0 for a constant feature. A class of one row is left out. Against values, neighbours whose distances
/// differ by no more than rounding (on a grid, say) may be counted on either side of the bound: each moves the estimate by 1/n at most.
///
/// # Example
/// Two classes far apart: ψ(8) − ψ(4) is the estimate, ln 2 the entropy that bounds it.
/// ```
/// use modelops_pruning::features::{MutualInfo, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[0.0], [1.0], [2.0], [3.0], [100.0], [101.0], [102.0], [103.0]];
/// let samples = Samples::all(x.view(), Target::Classes(&[0, 0, 0, 0, 1, 1, 1, 1]))?;
/// assert_eq!(MutualInfo::default().score(&samples)?.statistics(), [2.0_f64.ln()]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
///
/// # References
/// Ross, "Mutual information between discrete and continuous data sets", 2014, DOI 10.1371/journal.pone.0087357.
/// Kraskov, Stögbauer and Grassberger, "Estimating mutual information", 2004, DOI 10.1103/PhysRevE.69.066138.
#[doc(alias = "information_gain")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MutualInfo {
    neighbours: usize,
    discrete: Option<Vec<bool>>,
}

impl Default for MutualInfo {
    /// Three neighbours, all features continuous.
    fn default() -> Self {
        Self {
            neighbours: 3,
            discrete: None,
        }
    }
}

impl MutualInfo {
    /// Looks at this many neighbours: more lower the variance and raise the bias.
    #[must_use]
    pub fn with_neighbors(mut self, neighbours: usize) -> Self {
        self.neighbours = neighbours;
        self
    }

    /// Says which features are codes or counts rather than measurements.
    #[must_use]
    pub fn with_discrete(mut self, discrete: Vec<bool>) -> Self {
        self.discrete = Some(discrete);
        self
    }
}

impl ScoreFunction for MutualInfo {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let features = samples.features();
        if self.neighbours == 0 {
            return Err(FeatureError::Parameter { name: "neighbors" });
        }
        if self.discrete.as_ref().is_some_and(|mask| mask.len() != features) {
            return Err(FeatureError::Parameter { name: "discrete" });
        }
        let target = match samples.classes() {
            Ok((classes, count)) => Side::Discrete(classes.to_vec(), count),
            Err(FeatureError::TargetKind { .. }) => Side::Continuous(samples.values()?.to_vec()),
            Err(other) => return Err(other),
        };
        samples.require_finite()?;
        let score = |feature: usize| {
            let column: Vec<f64> = samples.x().column(feature).to_vec();
            let discrete = self.discrete.as_ref().is_some_and(|mask| mask[feature]);
            let side = if discrete {
                let (codes, count) = codes(&column);
                Side::Discrete(codes, count)
            } else {
                Side::Continuous(column)
            };
            information(&side, &target, self.neighbours)
        };
        Ok(Scores::new((0..features).map(score).collect()))
    }
}

enum Side {
    Discrete(Vec<u32>, usize),
    Continuous(Vec<f64>),
}

/// Numbers the distinct values of a column in ascending order; how many there are.
pub(super) fn codes(column: &[f64]) -> (Vec<u32>, usize) {
    let mut distinct: Vec<f64> = column.iter().map(|x| x + 0.0).collect();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    let code = |x: &f64| distinct.partition_point(|other| other < x) as u32;
    (column.iter().map(code).collect(), distinct.len())
}

fn information(feature: &Side, target: &Side, neighbours: usize) -> f64 {
    let estimate = match (feature, target) {
        (Side::Discrete(a, ka), Side::Discrete(b, kb)) => plug_in(a, *ka, b, *kb),
        (Side::Continuous(x), Side::Discrete(groups, count))
        | (Side::Discrete(groups, count), Side::Continuous(x)) => {
            let mut pairs = x.iter().copied().zip(groups.iter().copied()).collect();
            ross(&mut pairs, *count, neighbours)
        }
        (Side::Continuous(x), Side::Continuous(y)) => match (scaled(x), scaled(y)) {
            (Some(x), Some(y)) => ksg(&x, &y, neighbours),
            _ => 0.0,
        },
    };
    let bound = most(feature).min(most(target));
    estimate.clamp(0.0, bound)
}

/// Values over their standard deviation; `None` for a constant.
fn scaled(values: &[f64]) -> Option<Vec<f64>> {
    let centred = centred(values);
    let deviation = (centred.iter().map(|x| x * x).sum::<f64>() / centred.len() as f64).sqrt();
    (deviation > 0.0).then(|| centred.iter().map(|x| x / deviation).collect())
}

/// The most that a side can tell, in nats: its entropy; no bound for a continuous one.
fn most(side: &Side) -> f64 {
    match side {
        Side::Discrete(codes, count) => entropy(codes, *count),
        Side::Continuous(_) => f64::INFINITY,
    }
}

/// Entropy of codes in nats.
pub(super) fn entropy(codes: &[u32], count: usize) -> f64 {
    let mut counts = vec![0.0; count];
    codes.iter().for_each(|code| counts[*code as usize] += 1.0);
    let n = codes.len() as f64;
    -counts
        .iter()
        .filter(|c| **c > 0.0)
        .map(|c: &f64| c / n * (c / n).ln())
        .sum::<f64>()
}

fn plug_in(a: &[u32], ka: usize, b: &[u32], kb: usize) -> f64 {
    let mut pairs: Vec<(u32, u32)> = a.iter().copied().zip(b.iter().copied()).collect();
    pairs.sort_unstable();
    let (mut in_a, mut in_b) = (vec![0.0; ka], vec![0.0; kb]);
    for (a, b) in &pairs {
        in_a[*a as usize] += 1.0;
        in_b[*b as usize] += 1.0;
    }
    let n = pairs.len() as f64;
    pairs
        .chunk_by(|p, q| p == q)
        .map(|cell| {
            let (a, b) = cell[0];
            let c = cell.len() as f64;
            c / n * (c * n / (in_a[a as usize] * in_b[b as usize])).ln()
        })
        .sum()
}
