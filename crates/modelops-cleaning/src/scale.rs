//! Bringing features to one scale: learned from the training part, applied to any part.

use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::engine::outlier::quantile;
use crate::error::FitError;
use crate::impute::width;

/// What a feature's values are moved and divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scaling {
    /// (x − mean) / s, with s the population standard deviation, as scikit-learn's `StandardScaler`.
    Standard,
    /// (x − min) / (max − min).
    MinMax,
    /// (x − median) / (Q3 − Q1): outliers do not move it.
    Robust,
}

/// Brings features to one scale. A feature without spread is only moved. NaN is passed over and stays NaN.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, Scaler, Split, Train};
/// use ndarray::array;
///
/// let x = array![[1.0], [3.0]];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0, 0], vec!["only".to_string()])?);
/// let scaler = Scaler::standard().fit(&train)?;
/// assert_eq!(scaler.transform(&train)?.x(), array![[-1.0], [1.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("StandardScaler", "MinMaxScaler", "normalize"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    scaling: Scaling,
}

impl Scaler {
    /// Uses `scaling`.
    #[must_use]
    pub fn new(scaling: Scaling) -> Self {
        Self { scaling }
    }

    /// Mean 0, variance 1.
    #[must_use]
    pub fn standard() -> Self {
        Self::new(Scaling::Standard)
    }

    /// From 0 to 1.
    #[must_use]
    pub fn min_max() -> Self {
        Self::new(Scaling::MinMax)
    }

    /// Median 0, interquartile range 1.
    #[must_use]
    pub fn robust() -> Self {
        Self::new(Scaling::Robust)
    }

    /// Learns centre and spread of each feature from the training part.
    ///
    /// # Errors
    /// [`FitError::Empty`], [`FitError::NoValue`] and [`FitError::Infinite`].
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedScaler, FitError> {
        let x = train.x();
        if x.nrows() == 0 {
            return Err(FitError::Empty);
        }
        let mut fitted = FittedScaler {
            centres: Vec::with_capacity(x.ncols()),
            spreads: Vec::with_capacity(x.ncols()),
        };
        for (feature, column) in x.columns().into_iter().enumerate() {
            if let Some(row) = column.iter().position(|v| v.is_infinite()) {
                return Err(FitError::Infinite { row, feature });
            }
            let mut known: Vec<f64> = column.iter().copied().filter(|v| !v.is_nan()).collect();
            if known.is_empty() {
                return Err(FitError::NoValue { feature });
            }
            let (centre, spread) = match self.scaling {
                Scaling::Standard => {
                    let n = known.len() as f64;
                    let mean = known.iter().sum::<f64>() / n;
                    let squares: f64 = known.iter().map(|v| (v - mean) * (v - mean)).sum();
                    (mean, (squares / n).sqrt())
                }
                Scaling::MinMax => {
                    let low = known.iter().copied().fold(f64::INFINITY, f64::min);
                    let high = known.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    (low, high - low)
                }
                Scaling::Robust => {
                    let (q1, q3) = (quantile(&mut known, 0.25), quantile(&mut known, 0.75));
                    (quantile(&mut known, 0.5), q3 - q1)
                }
            };
            fitted.centres.push(centre);
            let flat = spread <= 10.0 * f64::EPSILON * centre.abs() || !spread.is_normal();
            fitted.spreads.push(if flat { 1.0 } else { spread });
        }
        Ok(fitted)
    }
}

/// A [`Scaler`] that has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedScaler {
    centres: Vec<f64>,
    spreads: Vec<f64>,
}

impl FittedScaler {
    /// What each feature is moved by.
    #[must_use]
    pub fn centres(&self) -> &[f64] {
        &self.centres
    }

    /// What each feature is divided by.
    #[must_use]
    pub fn spreads(&self) -> &[f64] {
        &self.spreads
    }

    /// The features it was fitted on, where all of its parts agree.
    pub(crate) fn width(&self) -> Option<usize> {
        let width = self.centres.len();
        (self.spreads.len() == width).then_some(width)
    }

    /// Scales a part.
    ///
    /// # Errors
    /// [`FitError::Width`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        width(self.centres.len(), part)?;
        let mut x = part.x().to_owned();
        for mut row in x.rows_mut() {
            for ((value, centre), spread) in row.iter_mut().zip(&self.centres).zip(&self.spreads) {
                *value = (*value - centre) / spread;
            }
        }
        Ok(part.with_x(x, part.features().to_vec()))
    }
}
