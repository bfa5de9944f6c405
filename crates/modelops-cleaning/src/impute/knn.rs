//! The mean of the nearest rows that have the value.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::error::FitError;
use crate::impute::width;
use crate::kernel::patterns::Patterns;

/// Fills in the mean of the `k` nearest rows of the training part that have the value.
///
/// **Formula**: d(a, b)² = F/|S| · Σ (a − b)², summed over S, the features of all F that both rows have (the
/// `nan_euclidean` distance of scikit-learn). Rows without a common feature are no neighbours; where no row is one, the
/// mean of the feature stands in. Fewer than `k` rows with the value: all of them. Equal distances: the earlier row.
///
/// Scale the features first. Gives the values of scikit-learn's `KNNImputer` (uniform weights).
///
/// # Complexity
/// O(rows with a hole · training rows · features) time at worst, O(training rows · features) space. Training rows with the same
/// holes are ordered along the direction of the largest spread and far ones passed over: features that hang together leave a
/// small part of them to measure.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, KnnImputer, Split, Train};
/// use ndarray::array;
///
/// let x = array![[1.0, 10.0], [1.1, 12.0], [9.0, 50.0], [1.2, f64::NAN]];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 4], vec!["only".to_string()])?);
/// let filled = KnnImputer::new(2)?.fit(&train)?.transform(&train)?;
/// assert_eq!(filled.x()[[3, 1]], 11.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # References
/// Troyanskaya et al., "Missing value estimation methods for DNA microarrays", 2001, doi:10.1093/bioinformatics/17.6.520.
#[doc(alias = "nearest_neighbours")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnnImputer {
    neighbours: NonZeroUsize,
}

impl Default for KnnImputer {
    /// Five neighbours.
    fn default() -> Self {
        const DEFAULT: NonZeroUsize = NonZeroUsize::new(5).expect("not zero");
        Self { neighbours: DEFAULT }
    }
}

impl KnnImputer {
    /// Uses `neighbours` nearest rows.
    ///
    /// # Errors
    /// [`FitError::Zero`].
    pub fn new(neighbours: usize) -> Result<Self, FitError> {
        let neighbours = NonZeroUsize::new(neighbours).ok_or(FitError::Zero)?;
        Ok(Self { neighbours })
    }

    /// Keeps the training part.
    ///
    /// # Errors
    /// [`FitError::Empty`], [`FitError::NoValue`] and [`FitError::Infinite`].
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedKnnImputer, FitError> {
        let x = train.x();
        if x.nrows() == 0 {
            return Err(FitError::Empty);
        }
        if let Some(((row, feature), _)) = x.indexed_iter().find(|(_, v)| v.is_infinite()) {
            return Err(FitError::Infinite { row, feature });
        }
        let mut means = Vec::with_capacity(x.ncols());
        for (feature, column) in x.columns().into_iter().enumerate() {
            let (sum, count) = column
                .iter()
                .filter(|v| !v.is_nan())
                .fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
            if count == 0 {
                return Err(FitError::NoValue { feature });
            }
            means.push(sum / count as f64);
        }
        Ok(FittedKnnImputer {
            neighbours: self.neighbours.get(),
            x: x.to_owned(),
            means,
        })
    }
}

/// A [`KnnImputer`] that has its training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct FittedKnnImputer {
    neighbours: usize,
    x: Array2<f64>,
    means: Vec<f64>,
}

/// As it is written down: the training part row by row, `null` where a value is missing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    neighbours: NonZeroUsize,
    rows: usize,
    values: Vec<Option<f64>>,
    means: Vec<f64>,
}

impl From<FittedKnnImputer> for Stored {
    fn from(fitted: FittedKnnImputer) -> Self {
        Self {
            neighbours: NonZeroUsize::new(fitted.neighbours).expect("checked when the imputer was made"),
            rows: fitted.x.nrows(),
            values: fitted.x.iter().map(|&v| (!v.is_nan()).then_some(v)).collect(),
            means: fitted.means,
        }
    }
}

impl TryFrom<Stored> for FittedKnnImputer {
    type Error = ndarray::ShapeError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let values = stored.values.into_iter().map(|v| v.unwrap_or(f64::NAN));
        Ok(Self {
            neighbours: stored.neighbours.get(),
            x: Array2::from_shape_vec((stored.rows, stored.means.len()), values.collect())?,
            means: stored.means,
        })
    }
}

impl FittedKnnImputer {
    /// Fills in a part.
    ///
    /// # Errors
    /// [`FitError::Width`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        width(self.means.len(), part)?;
        Ok(part.with_x(self.fill(part.x()), part.features().to_vec()))
    }

    fn fill(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut holes: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
        for (at, row) in x.rows().into_iter().enumerate() {
            let missing: Vec<usize> = (0..row.len()).filter(|&f| row[f].is_nan()).collect();
            if !missing.is_empty() {
                holes.entry(missing).or_default().push(at);
            }
        }
        let donors = Patterns::new(self.x.view());
        let mut out = x.to_owned();
        for (missing, rows) in holes {
            donors.search(x, &rows, &missing, self.neighbours, |row, found| {
                for (&feature, near) in missing.iter().zip(found) {
                    let near = near.rows();
                    out[[row, feature]] = if near.len() == 0 {
                        self.means[feature]
                    } else {
                        let count = near.len() as f64;
                        near.map(|i| self.x[[i as usize, feature]]).sum::<f64>() / count
                    };
                }
            });
        }
        out
    }
}
