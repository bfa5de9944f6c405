//! Features and labels, and their split into a training and a test part.

use std::marker::PhantomData;

use ndarray::{Array2, ArrayView2, Axis, concatenate};
use xxhash_rust::xxh3::Xxh3;

use crate::error::DataError;
use crate::kernel::random::{below, generator};
use crate::table::Skipped;

/// Features and labels.
///
/// **Shape and units**: `x` is rows × features, NaN where a value is missing; `y` has a label for each row, an index
/// into `classes`.
#[doc(alias = "train_test_split")]
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    x: Array2<f64>,
    y: Vec<usize>,
    features: Vec<String>,
    classes: Vec<String>,
    rows: Vec<usize>,
    skipped: Vec<(String, Skipped)>,
}

impl Dataset {
    /// Puts features and labels together.
    ///
    /// # Errors
    /// [`DataError::Length`] where `x` and `y` differ in rows, [`DataError::Label`] for a label beyond the classes.
    pub fn try_new(x: Array2<f64>, y: Vec<usize>, classes: Vec<String>) -> Result<Self, DataError> {
        if x.nrows() != y.len() {
            return Err(DataError::Length {
                expected: x.nrows(),
                found: y.len(),
            });
        }
        if let Some(&label) = y.iter().find(|&&label| label >= classes.len()) {
            return Err(DataError::Label {
                label,
                classes: classes.len(),
            });
        }
        Ok(Self {
            features: (0..x.ncols()).map(|i| format!("x{i}")).collect(),
            rows: (0..y.len()).collect(),
            x,
            y,
            classes,
            skipped: Vec::new(),
        })
    }

    pub(crate) fn with_feature_names(mut self, names: Vec<String>) -> Self {
        debug_assert_eq!(names.len(), self.x.ncols());
        self.features = names;
        self
    }

    pub(crate) fn with_skipped(mut self, skipped: Vec<(String, Skipped)>) -> Self {
        self.skipped = skipped;
        self
    }

    /// The features: rows × features.
    #[must_use]
    pub fn x(&self) -> ArrayView2<'_, f64> {
        self.x.view()
    }

    /// A label for each row.
    #[must_use]
    pub fn y(&self) -> &[usize] {
        &self.y
    }

    /// The names of the features.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Columns of the table that are no features, each with the reason.
    #[must_use]
    pub fn skipped(&self) -> &[(String, Skipped)] {
        &self.skipped
    }

    /// Splits into a training and a test part, each class in the same proportion.
    ///
    /// Of a class with n rows, `round(test · n)` go to the test part, but at least one and at most n − 1; a class with
    /// one row stays in the training part. Both parts keep the order of the rows.
    ///
    /// # Errors
    /// [`DataError::Fraction`] unless 0 < `test` < 1; [`DataError::TooFewRows`] where no class has two rows.
    ///
    /// # Example
    /// ```
    /// use modelops_cleaning::Dataset;
    /// use ndarray::Array2;
    ///
    /// let x = Array2::from_shape_fn((8, 1), |(i, _)| i as f64);
    /// let classes = vec!["a".to_string(), "b".to_string()];
    /// let data = Dataset::try_new(x, vec![0, 0, 0, 0, 1, 1, 1, 1], classes)?;
    /// let (train, test) = data.split(0.25, 7)?;
    /// assert_eq!((train.y(), test.y()), (&[0, 0, 0, 1, 1, 1][..], &[0, 1][..]));
    /// # Ok::<(), modelops_cleaning::DataError>(())
    /// ```
    pub fn split(&self, test: f64, seed: u64) -> Result<(Split<Train>, Split<Test>), DataError> {
        if !(test > 0.0 && test < 1.0) {
            return Err(DataError::Fraction { fraction: test });
        }
        let mut generator = generator(seed);
        let mut held = vec![false; self.y.len()];
        for class in 0..self.classes.len() {
            let mut members: Vec<usize> = (0..self.y.len()).filter(|&i| self.y[i] == class).collect();
            let n = members.len();
            if n < 2 {
                continue;
            }
            let wanted = ((test * n as f64).round() as usize).clamp(1, n - 1);
            for i in 0..wanted {
                let j = i + below(&mut generator, n - i);
                members.swap(i, j);
                held[members[i]] = true;
            }
        }
        if !held.contains(&true) {
            return Err(DataError::TooFewRows { rows: self.y.len() });
        }
        let part =
            |wanted: bool| -> Vec<usize> { (0..self.y.len()).filter(|&i| held[i] == wanted).collect() };
        Ok((
            Split::declare(self.take(&part(false))),
            Split::declare(self.take(&part(true))),
        ))
    }

    fn take(&self, rows: &[usize]) -> Self {
        Self {
            x: self.x.select(Axis(0), rows),
            y: rows.iter().map(|&i| self.y[i]).collect(),
            rows: rows.iter().map(|&i| self.rows[i]).collect(),
            ..self.clone_names()
        }
    }

    fn clone_names(&self) -> Self {
        Self {
            x: Array2::zeros((0, 0)),
            y: Vec::new(),
            rows: Vec::new(),
            features: self.features.clone(),
            classes: self.classes.clone(),
            skipped: self.skipped.clone(),
        }
    }
}

/// The part that a model may learn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Train {}

/// The part that only judges a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Train {}
    impl Sealed for super::Test {}
}

/// [`Train`] or [`Test`].
pub trait Role: sealed::Sealed {}
impl Role for Train {}
impl Role for Test {}

/// One part of a data set. Everything that learns takes a `&Split<Train>`, so learning from the test part does not
/// compile:
///
/// ```compile_fail,E0308
/// use modelops_cleaning::{Dataset, SimpleImputer};
/// # fn leak(data: &Dataset) -> Result<(), Box<dyn std::error::Error>> {
/// let (train, test) = data.split(0.25, 7)?;
/// SimpleImputer::mean().fit(&test)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, PartialEq)]
pub struct Split<R: Role> {
    data: Dataset,
    role: PhantomData<R>,
}

// Derived, it would ask for a role that can be cloned.
impl<R: Role> Clone for Split<R> {
    fn clone(&self) -> Self {
        Self::declare(self.data.clone())
    }
}

impl<R: Role> Split<R> {
    /// Declares a whole data set to be one part: for data that somebody else has split.
    #[must_use]
    pub fn declare(data: Dataset) -> Self {
        Self {
            data,
            role: PhantomData,
        }
    }

    /// The features: rows × features.
    #[must_use]
    pub fn x(&self) -> ArrayView2<'_, f64> {
        self.data.x()
    }

    /// A label for each row.
    #[must_use]
    pub fn y(&self) -> &[usize] {
        &self.data.y
    }

    /// The names of the features.
    #[must_use]
    pub fn features(&self) -> &[String] {
        &self.data.features
    }

    /// The names of the classes.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.data.classes
    }

    /// The row of the whole data set that each row is.
    #[must_use]
    pub fn rows(&self) -> &[usize] {
        &self.data.rows
    }

    /// Some of the rows.
    pub(crate) fn take(&self, rows: &[usize]) -> Self {
        Self::declare(self.data.take(rows))
    }

    /// A fingerprint of all that a transformer can learn from: values (one NaN), labels, names.
    pub(crate) fn fingerprint(&self) -> u128 {
        let mut hash = Xxh3::new();
        let (rows, features) = self.x().dim();
        for count in [rows, features, self.classes().len()] {
            hash.update(&(count as u64).to_le_bytes());
        }
        for &value in self.x() {
            let value = if value.is_nan() { f64::NAN } else { value };
            hash.update(&value.to_bits().to_le_bytes());
        }
        for &label in self.y() {
            hash.update(&(label as u64).to_le_bytes());
        }
        for name in self.features().iter().chain(self.classes()) {
            hash.update(&(name.len() as u64).to_le_bytes());
            hash.update(name.as_bytes());
        }
        hash.digest128()
    }

    /// The same rows with more features.
    pub(crate) fn append(&self, more: ArrayView2<'_, f64>, names: impl IntoIterator<Item = String>) -> Self {
        let x = concatenate(Axis(1), &[self.x(), more]).expect("as many rows");
        let mut features = self.features().to_vec();
        features.extend(names);
        self.with_x(x, features)
    }

    /// The same rows with other features.
    pub(crate) fn with_x(&self, x: Array2<f64>, features: Vec<String>) -> Self {
        Self::declare(Dataset {
            x,
            features,
            y: self.data.y.clone(),
            rows: self.data.rows.clone(),
            ..self.data.clone_names()
        })
    }
}
