//! One value a feature and group of rows.

use std::collections::BTreeMap;

use ndarray::ArrayView1;
use serde::{Deserialize, Serialize};

use super::{FittedSimpleImputer, SimpleImputer, Strategy};
use crate::dataset::{Role, Split, Train};
use crate::error::FitError;

/// Fills in one value a feature and group: the mean of the rows with the same category rather than that of all rows.
///
/// Rows are of one group where they have the same values of the features that group. A row of a group that the training
/// part does not have, or has no value of the feature for, or with a grouping feature missing, gets the value over
/// all rows. The grouping features are filled in over all rows as well.
///
/// This is `groupby(…).transform(lambda s: s.fillna(s.mean()))` of pandas, learned from the training part alone.
///
/// # Complexity
/// O(rows · features) time; the median and the mode O(rows · log rows · features).
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, GroupImputer, Split, Strategy, Train};
/// use ndarray::array;
///
/// let x = array![[0.0, 1.0], [0.0, 3.0], [1.0, 10.0], [0.0, f64::NAN], [1.0, f64::NAN]];
/// let train = Split::<Train>::declare(Dataset::try_new(x, vec![0; 5], vec!["only".to_string()])?);
/// let filled = GroupImputer::new(Strategy::Mean, [0])?.fit(&train)?.transform(&train)?;
/// assert_eq!((filled.x()[[3, 1]], filled.x()[[4, 1]]), (2.0, 10.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, try_from = "Unchecked")]
pub struct GroupImputer {
    strategy: Strategy,
    by: Vec<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    strategy: Strategy,
    by: Vec<usize>,
}

impl TryFrom<Unchecked> for GroupImputer {
    type Error = FitError;

    fn try_from(unchecked: Unchecked) -> Result<Self, FitError> {
        Self::new(unchecked.strategy, unchecked.by)
    }
}

impl GroupImputer {
    /// Uses `strategy` among rows with the same values of the features `by`.
    ///
    /// # Errors
    /// [`FitError::Zero`] where no feature is named.
    pub fn new(strategy: Strategy, by: impl IntoIterator<Item = usize>) -> Result<Self, FitError> {
        let by: Vec<usize> = by.into_iter().collect();
        if by.is_empty() {
            return Err(FitError::Zero);
        }
        Ok(Self { strategy, by })
    }

    /// Learns the values from the training part.
    ///
    /// # Errors
    /// Those of [`SimpleImputer::fit`]; [`FitError::Feature`] for a grouping feature that the part does not have.
    pub fn fit(&self, train: &Split<Train>) -> Result<FittedGroupImputer, FitError> {
        let x = train.x();
        if let Some(&feature) = self.by.iter().find(|&&feature| feature >= x.ncols()) {
            return Err(FitError::Feature {
                feature,
                features: x.ncols(),
            });
        }
        let all = SimpleImputer::new(self.strategy).fit(train)?;
        let mut members: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
        for (row, values) in x.rows().into_iter().enumerate() {
            if let Some(key) = key(values, &self.by) {
                members.entry(key).or_default().push(row);
            }
        }
        let groups = members.into_iter().map(|(key, rows)| {
            let values = x.columns().into_iter().zip(all.values());
            let values = values.map(|(column, &overall)| {
                let known = rows.iter().map(|&row| column[row]).filter(|v| !v.is_nan());
                self.strategy
                    .of(&mut known.collect::<Vec<f64>>())
                    .unwrap_or(overall)
            });
            Group {
                key,
                values: values.collect(),
            }
        });
        Ok(FittedGroupImputer {
            by: self.by.clone(),
            groups: groups.collect(),
            all,
        })
    }
}

/// The bits of the grouping values, as one NaN-free key.
fn key(row: ArrayView1<'_, f64>, by: &[usize]) -> Option<Vec<u64>> {
    by.iter()
        .map(|&feature| (!row[feature].is_nan()).then(|| super::key(row[feature])))
        .collect()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Group {
    key: Vec<u64>,
    values: Vec<f64>,
}

/// A [`GroupImputer`] that has learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedGroupImputer {
    by: Vec<usize>,
    /// By key.
    groups: Vec<Group>,
    all: FittedSimpleImputer,
}

impl FittedGroupImputer {
    /// How many groups the training part has.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Fills in a part.
    ///
    /// # Errors
    /// [`FitError::Width`].
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        self.all.fits(part)?;
        let mut x = part.x().to_owned();
        for mut row in x.rows_mut() {
            let group = key(row.view(), &self.by)
                .and_then(|key| self.groups.binary_search_by(|group| group.key.cmp(&key)).ok());
            let values = group.map_or(self.all.values(), |at| &self.groups[at].values);
            for (value, &stand_in) in row.iter_mut().zip(values) {
                if value.is_nan() {
                    *value = stand_in;
                }
            }
        }
        Ok(part.with_x(x, part.features().to_vec()))
    }

    /// The features it was fitted on, where all of its parts agree.
    pub(crate) fn width(&self) -> Option<usize> {
        let width = self.all.width()?;
        let sound = self.by.iter().all(|&feature| feature < width)
            && self.groups.iter().all(|group| group.values.len() == width)
            && self.groups.is_sorted_by(|a, b| a.key < b.key);
        sound.then_some(width)
    }
}
