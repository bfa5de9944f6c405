//! One interval a feature.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::engine::outlier;
use crate::error::FitError;
use crate::impute::width;
use crate::spec::OutlierMethod;

/// Finds values outside an interval learned from the training part, feature by feature, and marks or clips them.
///
/// The intervals are those of [`OutlierMethod`]. NaN is passed over. Marking appends a feature for each one, `NAME
/// outlier`, that is 1 where the value lies outside; clipping moves such a value to the nearest end. To take rows out
/// rather than values, see [`IsolationForest`](crate::IsolationForest) or an outlier step of a pipeline.
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, OutlierFences, OutlierMethod, Split, Train};
/// use ndarray::array;
///
/// let x = array![[1.0], [2.0], [3.0], [4.0], [5.0], [90.0]];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 6], vec!["only".to_string()])?);
/// let fences = OutlierFences::mark(OutlierMethod::Iqr(1.5))?.fit(&train)?;
/// // Q1 = 2.25, Q3 = 4.75: the fences are -1.5 and 8.5.
/// assert_eq!(fences.interval(0), Some((-1.5, 8.5)));
/// assert_eq!(fences.transform(&train)?.x().column(1).to_vec(), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("Tukey", "IQR"))]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Unchecked")]
pub struct OutlierFences {
    method: OutlierMethod,
    clip: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    method: OutlierMethod,
    clip: bool,
}

impl TryFrom<Unchecked> for OutlierFences {
    type Error = FitError;

    fn try_from(Unchecked { method, clip }: Unchecked) -> Result<Self, FitError> {
        Self::new(method, clip)
    }
}

impl OutlierFences {
    /// Appends a feature that says where a value lies outside.
    ///
    /// # Errors
    /// [`FitError::Parameter`] unless the method's factor is finite and above zero.
    pub fn mark(method: OutlierMethod) -> Result<Self, FitError> {
        Self::new(method, false)
    }

    /// Moves values that lie outside to the nearest end.
    ///
    /// # Errors
    /// As [`OutlierFences::mark`].
    pub fn clip(method: OutlierMethod) -> Result<Self, FitError> {
        Self::new(method, true)
    }

    fn new(method: OutlierMethod, clip: bool) -> Result<Self, FitError> {
        let (OutlierMethod::ZScore(value) | OutlierMethod::Mad(value) | OutlierMethod::Iqr(value)) = method;
        if !value.is_finite() || value <= 0.0 {
            return Err(FitError::Parameter { value });
        }
        Ok(Self { method, clip })
    }

    /// Learns the intervals from the training part.
    ///
    /// # Errors
    /// [`FitError::Empty`] and [`FitError::Infinite`].
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedOutlierFences, FitError> {
        let x = train.x();
        if x.nrows() == 0 {
            return Err(FitError::Empty);
        }
        if let Some(((row, feature), _)) = x.indexed_iter().find(|(_, v)| v.is_infinite()) {
            return Err(FitError::Infinite { row, feature });
        }
        let interval = |column: ndarray::ArrayView1<'_, f64>| {
            let (low, high) = outlier::interval(self.method, &mut column.to_vec());
            low.is_finite().then_some((low, high))
        };
        Ok(FittedOutlierFences {
            intervals: x.columns().into_iter().map(interval).collect(),
            clip: self.clip,
        })
    }
}

/// [`OutlierFences`] that have learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedOutlierFences {
    intervals: Vec<Option<(f64, f64)>>,
    clip: bool,
}

impl FittedOutlierFences {
    /// The interval of a feature; `None` for one without spread, where nothing is an outlier, and beyond the last.
    #[must_use]
    pub fn interval(&self, feature: usize) -> Option<(f64, f64)> {
        self.intervals.get(feature).copied().flatten()
    }

    pub(crate) fn width(&self) -> Option<usize> {
        let sound = self.intervals.iter().flatten().all(|(low, high)| low <= high);
        sound.then_some(self.intervals.len())
    }

    /// Marks or clips the values of a part.
    ///
    /// # Errors
    /// [`FitError::Width`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        width(self.intervals.len(), part)?;
        if self.clip {
            let mut x = part.x().to_owned();
            for (mut column, interval) in x.columns_mut().into_iter().zip(&self.intervals) {
                if let &Some((low, high)) = interval {
                    column.mapv_inplace(|v| if v.is_nan() { v } else { v.clamp(low, high) });
                }
            }
            return Ok(part.with_x(x, part.features().to_vec()));
        }
        let outside = Array2::from_shape_fn(part.x().dim(), |(row, feature)| {
            let value = part.x()[[row, feature]];
            let out = self.intervals[feature].is_some_and(|(low, high)| value < low || value > high);
            f64::from(u8::from(out))
        });
        let names = part.features().iter().map(|name| format!("{name} outlier"));
        Ok(part.append(outside.view(), names))
    }
}
