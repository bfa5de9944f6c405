//! The training rows.
#![expect(
    clippy::needless_pass_by_value,
    reason = "views are passed by value, as ndarray does"
)]

use ndarray::{Array2, ArrayView2, Axis, CowArray, Ix2};

use crate::error::FeatureError;

/// What the features should tell about, one value per row of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Target<'a> {
    /// Class labels, any numbers.
    Classes(&'a [usize]),
    /// Values.
    Values(&'a [f64]),
    /// Nothing, for scores such as [`Variance`](crate::features::Variance).
    None,
}

/// The training rows of a table and of its target: all that a score may see.
///
/// **Shape.** `x` is (rows, features), row-major for speed; any layout works.
///
/// # Example
/// ```
/// use modelops_pruning::features::{Samples, Target};
/// use ndarray::array;
///
/// let x = array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]];
/// let y = [0, 1, 1];
/// let samples = Samples::training(x.view(), Target::Classes(&y), &[0, 1])?;
/// assert_eq!(samples.rows(), 2); // the held-out row 2 is out of reach
/// # Ok::<(), modelops_pruning::FeatureError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Samples<'a> {
    x: CowArray<'a, f64, Ix2>,
    labels: Labels,
}

#[derive(Debug, Clone)]
enum Labels {
    Classes { of_row: Vec<u32>, count: usize },
    Values(Vec<f64>),
    None,
}

impl<'a> Samples<'a> {
    /// Takes the rows that `training` names.
    ///
    /// # Errors
    /// [`FeatureError::NoFeatures`], [`FeatureError::TooFewRows`] for no row, [`FeatureError::TargetLength`],
    /// [`FeatureError::TrainingIndex`] for an index outside the table or given twice, and
    /// [`FeatureError::NonFiniteTarget`].
    pub fn training(
        x: ArrayView2<'a, f64>,
        target: Target<'_>,
        training: &[usize],
    ) -> Result<Self, FeatureError> {
        let rows = x.nrows();
        let mut seen = vec![false; rows];
        for index in training {
            match seen.get_mut(*index) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(FeatureError::TrainingIndex { index: *index, rows }),
            }
        }
        check_shape(&x, target)?;
        let labels = Labels::new(target, training.iter().copied())?;
        Self::new(x.select(Axis(0), training).into(), labels)
    }

    /// Takes every row: for a table that is training data as a whole.
    ///
    /// # Errors
    /// As [`Samples::training`].
    pub fn all(x: ArrayView2<'a, f64>, target: Target<'_>) -> Result<Self, FeatureError> {
        check_shape(&x, target)?;
        let labels = Labels::new(target, 0..x.nrows())?;
        let x = if x.is_standard_layout() {
            CowArray::from(x)
        } else {
            CowArray::from(x.as_standard_layout().into_owned())
        };
        Self::new(x, labels)
    }

    fn new(x: CowArray<'a, f64, Ix2>, labels: Labels) -> Result<Self, FeatureError> {
        if x.nrows() == 0 {
            return Err(FeatureError::TooFewRows { needed: 1, found: 0 });
        }
        Ok(Self { x, labels })
    }

    /// Number of training rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.x.nrows()
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.x.ncols()
    }

    /// The training part of the table.
    #[must_use]
    pub fn x(&self) -> ArrayView2<'_, f64> {
        self.x.view()
    }

    /// Class of every training row, numbered from 0 in ascending order of the labels, and the number of classes.
    ///
    /// # Errors
    /// [`FeatureError::TargetKind`] where the target is not classes, [`FeatureError::OneClass`] where fewer than two
    /// are present.
    pub fn classes(&self) -> Result<(&[u32], usize), FeatureError> {
        match &self.labels {
            Labels::Classes { count: 0 | 1, .. } => Err(FeatureError::OneClass),
            Labels::Classes { of_row, count } => Ok((of_row, *count)),
            _ => Err(FeatureError::TargetKind { needed: "classes" }),
        }
    }

    /// Target of every training row.
    ///
    /// # Errors
    /// [`FeatureError::TargetKind`] where the target is not values.
    pub fn values(&self) -> Result<&[f64], FeatureError> {
        match &self.labels {
            Labels::Values(values) => Ok(values),
            _ => Err(FeatureError::TargetKind { needed: "values" }),
        }
    }

    /// Some of the training rows, by their place among them.
    pub(super) fn subset(&self, rows: &[usize]) -> Samples<'static> {
        let labels = match &self.labels {
            Labels::Classes { of_row, .. } => {
                Labels::of_classes(rows.iter().map(|row| of_row[*row] as usize).collect())
            }
            Labels::Values(values) => Labels::Values(rows.iter().map(|row| values[*row]).collect()),
            Labels::None => Labels::None,
        };
        Samples {
            x: self.x.select(Axis(0), rows).into(),
            labels,
        }
    }

    /// The same rows and target with other features.
    pub(super) fn with_table(&self, x: Array2<f64>) -> Samples<'static> {
        let x = if x.is_standard_layout() {
            x
        } else {
            x.as_standard_layout().into_owned()
        };
        Samples {
            x: x.into(),
            labels: self.labels.clone(),
        }
    }

    /// Row-major training values.
    pub(crate) fn flat(&self) -> &[f64] {
        self.x
            .as_slice()
            .expect("both constructors make the layout standard")
    }

    /// Fails where a training value is not finite (the row is counted among the training rows).
    pub(crate) fn require_finite(&self) -> Result<(), FeatureError> {
        match self.flat().iter().position(|x| !x.is_finite()) {
            Some(at) => Err(FeatureError::NonFinite {
                row: at / self.features(),
                column: at % self.features(),
            }),
            None => Ok(()),
        }
    }
}

fn check_shape(x: &ArrayView2<'_, f64>, target: Target<'_>) -> Result<(), FeatureError> {
    let found = match target {
        Target::Classes(classes) => classes.len(),
        Target::Values(values) => values.len(),
        Target::None => x.nrows(),
    };
    if x.ncols() == 0 {
        return Err(FeatureError::NoFeatures);
    }
    if found != x.nrows() {
        return Err(FeatureError::TargetLength {
            expected: x.nrows(),
            found,
        });
    }
    Ok(())
}

impl Labels {
    fn of_classes(chosen: Vec<usize>) -> Self {
        let mut distinct = chosen.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let number = |label: &usize| distinct.partition_point(|other| other < label) as u32;
        Self::Classes {
            of_row: chosen.iter().map(number).collect(),
            count: distinct.len(),
        }
    }

    fn new(target: Target<'_>, rows: impl Iterator<Item = usize>) -> Result<Self, FeatureError> {
        match target {
            Target::Classes(classes) => Ok(Self::of_classes(rows.map(|row| classes[row]).collect())),
            Target::Values(values) => {
                let check = |row: usize| {
                    let value = values[row];
                    value
                        .is_finite()
                        .then_some(value)
                        .ok_or(FeatureError::NonFiniteTarget { row })
                };
                rows.map(check).collect::<Result<_, _>>().map(Self::Values)
            }
            Target::None => Ok(Self::None),
        }
    }
}
