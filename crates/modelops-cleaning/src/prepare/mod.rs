//! Transformers one after the other, fitted together and kept together.

mod state;

use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split, Train};
use crate::error::FitError;
use crate::impute::{
    FittedGroupImputer, FittedIterativeImputer, FittedKnnImputer, FittedSimpleImputer, GroupImputer,
    IterativeImputer, KnnImputer, SequenceImputer, SimpleImputer,
};
use crate::outlier::{FittedIsolationForest, FittedOutlierFences, IsolationForest, OutlierFences};
use crate::scale::{FittedScaler, Scaler};

/// One transformer of a [`Preparation`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Transformer {
    /// One value a feature.
    Simple(SimpleImputer),
    /// One value a feature and group.
    Group(GroupImputer),
    /// Gaps of a sequence.
    Sequence(SequenceImputer),
    /// The mean of the nearest rows.
    Knn(KnnImputer),
    /// Each feature from all others.
    Iterative(IterativeImputer),
    /// Values outside an interval.
    Fences(OutlierFences),
    /// Rows set apart early, with the seed of the trees.
    Forest(IsolationForest, u64),
    /// One scale for all features.
    Scale(Scaler),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fitted {
    Simple(FittedSimpleImputer),
    Group(FittedGroupImputer),
    Sequence(SequenceImputer),
    Knn(FittedKnnImputer),
    Iterative(FittedIterativeImputer),
    Fences(FittedOutlierFences),
    Forest(FittedIsolationForest),
    Scale(FittedScaler),
}

impl Transformer {
    fn fit(&self, train: &Split<Train>) -> Result<Fitted, FitError> {
        Ok(match self {
            Self::Simple(step) => Fitted::Simple(step.fit(train)?),
            Self::Group(step) => Fitted::Group(step.fit(train)?),
            Self::Sequence(step) => Fitted::Sequence(step.clone()),
            Self::Knn(step) => Fitted::Knn(step.fit(train)?),
            Self::Iterative(step) => Fitted::Iterative(step.fit(train)?),
            Self::Fences(step) => Fitted::Fences(step.fit(train)?),
            Self::Forest(step, seed) => Fitted::Forest(step.fit(train, *seed)?),
            Self::Scale(step) => Fitted::Scale(step.fit(train)?),
        })
    }
}

impl Fitted {
    fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        match self {
            Self::Simple(step) => step.transform(part),
            Self::Group(step) => step.transform(part),
            Self::Sequence(step) => step.transform(part),
            Self::Knn(step) => step.transform(part),
            Self::Iterative(step) => step.transform(part),
            Self::Fences(step) => step.transform(part),
            Self::Forest(step) => step.transform(part),
            Self::Scale(step) => step.transform(part),
        }
    }

    /// Whether all that was learned fits together, as that of a fit always does and that of a file may not.
    fn is_sound(&self) -> bool {
        match self {
            Self::Simple(step) => step.width().is_some(),
            Self::Group(step) => step.width().is_some(),
            Self::Sequence(_) | Self::Knn(_) => true,
            Self::Iterative(step) => step.width().is_some(),
            Self::Fences(step) => step.width().is_some(),
            Self::Forest(step) => step.width().is_some(),
            Self::Scale(step) => step.width().is_some(),
        }
    }
}

/// Transformers one after the other: each is fitted on what the ones before it make of the training part.
///
/// Fitted state is saved with the hash of the preparation and the fingerprint of the training part, and refused for any other.
///
/// # Example
/// ```
/// use modelops_cleaning::{
///     Dataset, FittedPreparation, Preparation, Scaler, SimpleImputer, Split, StateError, Train, Transformer,
/// };
/// use ndarray::array;
///
/// let x = array![[1.0], [f64::NAN], [4.0]];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 3], vec!["only".to_string()])?);
/// let preparation = Preparation::new()
///     .step(Transformer::Simple(SimpleImputer::mean()))
///     .step(Transformer::Scale(Scaler::min_max()));
/// let fitted = preparation.fit(&train)?;
/// assert_eq!(fitted.transform(&train)?.x(), array![[0.0], [0.5], [1.0]]);
///
/// let stored = fitted.to_json();
/// assert_eq!(FittedPreparation::from_json(&stored, &preparation)?, fitted);
/// let other = Preparation::new();
/// assert_eq!(FittedPreparation::from_json(&stored, &other), Err(StateError::OtherPreparation));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    steps: Vec<Transformer>,
}

impl Preparation {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a transformer.
    #[must_use]
    pub fn step(mut self, step: Transformer) -> Self {
        self.steps.push(step);
        self
    }

    /// Fits every transformer on the training part.
    ///
    /// # Errors
    /// The first [`FitError`] of a transformer.
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedPreparation, FitError> {
        let mut part = train.clone();
        let mut steps = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let fitted = step.fit(&part)?;
            part = fitted.transform(&part)?;
            steps.push(fitted);
        }
        Ok(FittedPreparation {
            preparation: self.hash(),
            training: train.fingerprint(),
            steps,
        })
    }
}

/// A [`Preparation`] that has learned.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedPreparation {
    preparation: u128,
    training: u128,
    steps: Vec<Fitted>,
}

impl FittedPreparation {
    /// Applies every transformer to a part.
    ///
    /// # Errors
    /// The first [`FitError`] of a transformer.
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        let mut part = part.clone();
        for step in &self.steps {
            part = step.transform(&part)?;
        }
        Ok(part)
    }
}
