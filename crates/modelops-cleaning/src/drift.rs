//! How far a batch has moved from the training part.

use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::error::{FitError, StateError};
use crate::impute::width;

/// Bins of a feature, at most; values missing are one more.
const BINS: usize = 10;

/// Values of a feature kept to compare distributions with, at most.
const KNOTS: usize = 10_000;

/// What the features of a training part look like, to be compared with those of a batch.
///
/// For each feature the borders of ten bins with about as many training values each, the count in each, and up to 10,000 of
/// its order statistics. Serialises, so that a batch may be judged elsewhere.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, DriftProfile, Split, Test, Train};
/// use ndarray::Array2;
///
/// let part = |moved: f64| {
///     let x = Array2::from_shape_fn((1000, 1), |(i, _)| i as f64 + moved);
///     Dataset::try_new(x, vec![0; 1000], vec!["only".to_string()])
/// };
/// let profile = DriftProfile::fit(&Split::<Train>::declare(part(0.0)?))?;
/// let same = profile.compare(&Split::<Test>::declare(part(0.0)?))?;
/// assert_eq!((same[0].ks, same[0].psi), (0.0, 0.0));
/// let moved = profile.compare(&Split::<Test>::declare(part(100.0)?))?;
/// assert!((moved[0].ks - 0.1).abs() < 1e-12);
/// assert!(moved[0].psi > 0.2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "data_drift")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftProfile {
    features: Vec<Reference>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
struct Reference {
    name: String,
    /// The upper borders of all bins but the last, in order.
    borders: Vec<f64>,
    /// Values in each bin, and those missing.
    counts: Vec<u64>,
    /// Order statistics, evenly spaced.
    knots: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    name: String,
    borders: Vec<f64>,
    counts: Vec<u64>,
    knots: Vec<f64>,
}

impl TryFrom<Unchecked> for Reference {
    type Error = StateError;

    fn try_from(unchecked: Unchecked) -> Result<Self, StateError> {
        let Unchecked {
            name,
            borders,
            counts,
            knots,
        } = unchecked;
        let in_order = |values: &[f64]| values.is_sorted() && values.iter().all(|v| v.is_finite());
        if counts.len() != borders.len() + 2 || !in_order(&borders) || !in_order(&knots) {
            return Err(StateError::Damaged);
        }
        Ok(Self {
            name,
            borders,
            counts,
            knots,
        })
    }
}

/// How far one feature of a batch has moved.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FeatureDrift {
    /// The feature.
    pub feature: String,
    /// Population stability index: Σ (p − q) ln(p / q) over the bins and the missing values, with p and q the shares of batch and
    /// training part, half a row added to each count. By custom, below 0.1 is stable and above 0.25 has moved.
    pub psi: f64,
    /// Kolmogorov and Smirnov's statistic of the values that are there: the largest difference of the two distribution functions, in
    /// \[0, 1\]. Exact where the training part has at most 10,000 values, else to 1/10,000.
    pub ks: f64,
    /// The Jensen-Shannon distance (base 2) of the same shares as `psi`, in \[0, 1\].
    pub js: f64,
    /// The share of missing values in the training part, and in the batch.
    pub missing: (f64, f64),
}

impl DriftProfile {
    /// Learns what the features look like.
    ///
    /// # Errors
    /// [`FitError::Empty`], [`FitError::Infinite`] and [`FitError::NoValue`].
    ///
    /// # Complexity
    /// O(rows · log rows · features).
    pub fn fit(train: &Split<Train>) -> Result<Self, FitError> {
        let x = train.x();
        if x.nrows() == 0 {
            return Err(FitError::Empty);
        }
        let mut features = Vec::with_capacity(x.ncols());
        for (feature, name) in train.features().iter().enumerate() {
            let mut values = known(train, feature)?;
            if values.is_empty() {
                return Err(FitError::NoValue { feature });
            }
            values.sort_unstable_by(f64::total_cmp);
            let n = values.len();
            // A value that fills a bin alone gets one, and equal borders become one.
            let mut borders: Vec<f64> = (1..BINS).map(|bin| values[(bin * n / BINS).min(n - 1)]).collect();
            borders.dedup();
            let kept = n.min(KNOTS);
            let knot = |i: usize| {
                values[if kept == n {
                    i
                } else {
                    (2 * i + 1) * n / (2 * kept)
                }]
            };
            features.push(Reference {
                name: name.clone(),
                counts: counts(&borders, &values, x.nrows()),
                knots: (0..kept).map(knot).collect(),
                borders,
            });
        }
        Ok(Self { features })
    }

    /// Compares a batch, feature by feature.
    ///
    /// # Errors
    /// [`FitError::Width`], [`FitError::Empty`] and [`FitError::Infinite`].
    pub fn compare<R: Role>(&self, batch: &Split<R>) -> Result<Vec<FeatureDrift>, FitError> {
        width(self.features.len(), batch)?;
        let rows = batch.x().nrows();
        if rows == 0 {
            return Err(FitError::Empty);
        }
        let compare = |(feature, reference): (usize, &Reference)| {
            let mut values = known(batch, feature)?;
            values.sort_unstable_by(f64::total_cmp);
            let counts = counts(&reference.borders, &values, rows);
            let (q, p) = (shares(&reference.counts), shares(&counts));
            let last = p.len() - 1;
            let fraction = |counts: &[u64]| counts[last] as f64 / counts.iter().sum::<u64>() as f64;
            Ok(FeatureDrift {
                feature: reference.name.clone(),
                psi: p.iter().zip(&q).map(|(p, q)| (p - q) * (p / q).ln()).sum(),
                ks: largest_gap(&reference.knots, &values),
                js: jensen_shannon(&p, &q),
                missing: (fraction(&reference.counts), fraction(&counts)),
            })
        };
        self.features.iter().enumerate().map(compare).collect()
    }
}

fn known<R: Role>(part: &Split<R>, feature: usize) -> Result<Vec<f64>, FitError> {
    let column = part.x();
    let column = column.column(feature);
    if let Some(row) = column.iter().position(|v| v.is_infinite()) {
        return Err(FitError::Infinite { row, feature });
    }
    Ok(column.iter().copied().filter(|v| !v.is_nan()).collect())
}

/// Sorted values in each bin, and how many of the rows have none.
fn counts(borders: &[f64], values: &[f64], rows: usize) -> Vec<u64> {
    let mut counts = Vec::with_capacity(borders.len() + 2);
    let mut from = 0;
    for border in borders {
        let until = values.partition_point(|v| v <= border);
        counts.push((until - from) as u64);
        from = until;
    }
    counts.push((values.len() - from) as u64);
    counts.push((rows - values.len()) as u64);
    counts
}

fn shares(counts: &[u64]) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64 + 0.5 * counts.len() as f64;
    counts.iter().map(|&count| (count as f64 + 0.5) / total).collect()
}

/// The largest difference of two distribution functions, from sorted values; zero where one side has none.
fn largest_gap(a: &[f64], b: &[f64]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    let (mut i, mut j, mut largest) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        let value = a[i].min(b[j]);
        while i < a.len() && a[i] <= value {
            i += 1;
        }
        while j < b.len() && b[j] <= value {
            j += 1;
        }
        let gap = (i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs();
        largest = largest.max(gap);
    }
    largest
}

fn jensen_shannon(p: &[f64], q: &[f64]) -> f64 {
    let half = |a: &[f64], b: &[f64]| -> f64 {
        let terms = a.iter().zip(b).map(|(a, b)| a * (2.0 * a / (a + b)).log2());
        terms.sum::<f64>() / 2.0
    };
    (half(p, q) + half(q, p)).max(0.0).sqrt()
}
