//! One value a feature: a constant, the mean, the median or the mode.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::engine::outlier::quantile;
use crate::error::FitError;
use crate::impute::width;

/// What stands in for a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Strategy {
    /// This number.
    Constant(f64),
    /// The mean of the feature; sums run in row order.
    Mean,
    /// The median of the feature, the mean of the middle two for an even count.
    Median,
    /// The most frequent value of the feature, the smallest of equals.
    Mode,
}

impl Strategy {
    /// The value for the known values of a feature; `None` where it takes one and there is none.
    pub(crate) fn of(self, known: &mut [f64]) -> Option<f64> {
        match self {
            Self::Constant(value) => Some(value),
            _ if known.is_empty() => None,
            Self::Mean => Some(known.iter().sum::<f64>() / known.len() as f64),
            Self::Median => Some(quantile(known, 0.5)),
            Self::Mode => Some(mode(known)),
        }
    }
}

/// Fills in one value a feature. Fast and blunt: it narrows the spread and ignores the other features.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, SimpleImputer, Split, Train};
/// use ndarray::array;
///
/// let x = array![[1.0], [f64::NAN], [4.0]];
/// let data = Dataset::try_new(x, vec![0, 0, 0], vec!["only".to_string()])?;
/// let train = Split::<Train>::declare(data);
/// let filled = SimpleImputer::mean().fit(&train)?.transform(&train)?;
/// assert_eq!(filled.x(), array![[1.0], [2.5], [4.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("fillna", "mean", "median"))]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleImputer {
    strategy: Strategy,
    indicators: bool,
}

impl SimpleImputer {
    /// Uses `strategy`.
    #[must_use]
    pub fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            indicators: false,
        }
    }

    /// Uses the mean.
    #[must_use]
    pub fn mean() -> Self {
        Self::new(Strategy::Mean)
    }

    /// Uses the median.
    #[must_use]
    pub fn median() -> Self {
        Self::new(Strategy::Median)
    }

    /// Uses the most frequent value.
    #[must_use]
    pub fn mode() -> Self {
        Self::new(Strategy::Mode)
    }

    /// Appends, for each feature with a missing value in the training part, one that is 1 where it was missing.
    #[must_use]
    pub fn with_indicators(mut self, indicators: bool) -> Self {
        self.indicators = indicators;
        self
    }

    /// Learns the values from the training part.
    ///
    /// # Errors
    /// [`FitError::Empty`]; [`FitError::NoValue`] for a feature without any value (a constant needs none);
    /// [`FitError::Infinite`].
    ///
    /// # Complexity
    /// O(rows · features) time, O(rows) space; the mode O(rows · log rows) a feature.
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedSimpleImputer, FitError> {
        let x = train.x();
        if x.nrows() == 0 {
            return Err(FitError::Empty);
        }
        let mut values = Vec::with_capacity(x.ncols());
        let mut indicated = Vec::new();
        for (feature, column) in x.columns().into_iter().enumerate() {
            let mut known = Vec::with_capacity(x.nrows());
            for (row, &value) in column.iter().enumerate() {
                if value.is_infinite() {
                    return Err(FitError::Infinite { row, feature });
                }
                if !value.is_nan() {
                    known.push(value);
                }
            }
            if self.indicators && known.len() < x.nrows() {
                indicated.push(feature);
            }
            let value = self.strategy.of(&mut known);
            values.push(value.ok_or(FitError::NoValue { feature })?);
        }
        Ok(FittedSimpleImputer { values, indicated })
    }
}

fn mode(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let mut best = (0, values[0]);
    for run in values.chunk_by(|a, b| a == b) {
        if run.len() > best.0 {
            best = (run.len(), run[0]);
        }
    }
    best.1
}

/// A [`SimpleImputer`] that has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedSimpleImputer {
    values: Vec<f64>,
    indicated: Vec<usize>,
}

impl FittedSimpleImputer {
    /// The value for each feature.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Fills in a part.
    ///
    /// # Errors
    /// [`FitError::Width`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        self.fits(part)?;
        let mut names = part.features().to_vec();
        let x = self.fill(part.x());
        names.extend(
            self.indicated
                .iter()
                .map(|&feature| format!("{} missing", part.features()[feature])),
        );
        Ok(part.with_x(x, names))
    }

    pub(crate) fn fits<R: Role>(&self, part: &Split<R>) -> Result<(), FitError> {
        width(self.values.len(), part)
    }

    pub(crate) fn width(&self) -> Option<usize> {
        let width = self.values.len();
        self.indicated
            .iter()
            .all(|&feature| feature < width)
            .then_some(width)
    }

    fn fill(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let (rows, width) = x.dim();
        let mut out = Array2::zeros((rows, width + self.indicated.len()));
        for (mut to, from) in out.rows_mut().into_iter().zip(x.rows()) {
            for (feature, (&value, &stand_in)) in from.iter().zip(&self.values).enumerate() {
                to[feature] = if value.is_nan() { stand_in } else { value };
            }
            for (i, &feature) in self.indicated.iter().enumerate() {
                to[width + i] = f64::from(u8::from(from[feature].is_nan()));
            }
        }
        out
    }
}
