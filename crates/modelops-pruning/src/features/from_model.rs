//! Selection by what a model makes of each feature.

use super::{Rfe, Samples, ScoreFunction, Scores, Selection};
use crate::error::FeatureError;

/// Absolute coefficients of a linear regression on all features at once, as importances.
///
/// They have the unit of the target over that of their feature: scale features first where their units differ.
///
/// **Errors.** [`FeatureError::TargetKind`] where the target is not values, [`FeatureError::NonFinite`],
/// [`FeatureError::TooFewRows`], [`FeatureError::Collinear`].
///
/// **Complexity.** O(rows · features² + features³) time, O(features²) space.
///
/// # Example
/// ```
/// use modelops_pruning::features::{LinearCoefficients, Samples, ScoreFunction, Target};
/// use ndarray::array;
///
/// let x = array![[1.0, 1.0], [-1.0, 2.0], [1.0, 3.0], [0.0, 4.0]];
/// let samples = Samples::all(x.view(), Target::Values(&[-2.0, -4.0, -6.0, -8.0]))?; // −2 x₁
/// let scores = LinearCoefficients.score(&samples)?;
/// assert!(scores.statistics()[0] < 1e-12 && (scores.statistics()[1] - 2.0).abs() < 1e-12);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinearCoefficients;

impl ScoreFunction for LinearCoefficients {
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError> {
        let fitted = Rfe::new(samples.features()).fit(samples)?;
        Ok(Scores::new(
            fitted.coefficients().iter().map(|beta| beta.abs()).collect(),
        ))
    }
}

/// The importance that a feature needs at least.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Importance {
    /// This value.
    AtLeast(f64),
    /// This multiple of the mean importance.
    TimesMean(f64),
    /// This multiple of the median importance.
    TimesMedian(f64),
}

/// Keeps the features to which a model gives importance enough.
///
/// The model is anything that implements [`ScoreFunction`]: [`LinearCoefficients`], or an adapter to a forest or a network
/// of yours that trains on the rows it is given. Unlike [`Rfe`] it fits once, and takes importances as they stand beside
/// all other features.
///
/// **Errors.** Those of the model; [`FeatureError::Parameter`] for a threshold that is NaN.
///
/// **Complexity.** That of the model, and O(features log features).
///
/// **Numerics.** A feature without an importance (NaN) is never kept, and counts in no mean and no median.
///
/// # Example
/// ```
/// use modelops_pruning::features::{Importance, Scores, SelectFromModel};
///
/// let importances = Scores::new(vec![0.5, 0.1, 0.3, 0.3]); // their mean is 0.3
/// let from_model = SelectFromModel::new(Importance::TimesMean(1.0));
/// assert_eq!(from_model.select(importances.clone())?.selected(), [0, 2, 3]);
/// assert_eq!(from_model.with_most(2).select(importances)?.selected(), [0, 2]);
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SelectFromModel {
    threshold: Importance,
    most: Option<usize>,
}

impl SelectFromModel {
    /// Keeps every feature that reaches the threshold.
    #[must_use]
    pub fn new(threshold: Importance) -> Self {
        Self {
            threshold,
            most: None,
        }
    }

    /// Keeps no more than this many, the most important; on a tie the lower index.
    #[must_use]
    pub fn with_most(mut self, most: usize) -> Self {
        self.most = Some(most);
        self
    }

    /// Fits the model on the training rows and selects.
    ///
    /// # Errors
    /// As the type says.
    pub fn fit(&self, model: &impl ScoreFunction, samples: &Samples<'_>) -> Result<Selection, FeatureError> {
        self.select(model.score(samples)?)
    }

    /// Selects by importances that are there already.
    ///
    /// # Errors
    /// [`FeatureError::Parameter`] for a threshold that is NaN.
    pub fn select(&self, importances: Scores) -> Result<Selection, FeatureError> {
        let mut known: Vec<f64> = importances.statistics().to_vec();
        known.retain(|importance| !importance.is_nan());
        known.sort_unstable_by(f64::total_cmp);
        let (given, base) = match self.threshold {
            Importance::AtLeast(value) => (value, 1.0),
            Importance::TimesMean(factor) => (factor, known.iter().sum::<f64>() / known.len() as f64),
            Importance::TimesMedian(factor) => (factor, median(&known)),
        };
        if given.is_nan() {
            return Err(FeatureError::Parameter { name: "threshold" });
        }
        let bound = given * base;
        let mut selected = importances.ranking();
        selected.retain(|feature| importances.statistics()[*feature] >= bound);
        selected.truncate(self.most.unwrap_or(usize::MAX));
        Ok(Selection::new(selected, importances))
    }
}

/// Of ascending values; NaN where there are none.
fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}
