//! Gaps of a sequence: the value before, the value after, or the line between them.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::dataset::{Role, Split};
use crate::error::FitError;

/// What fills a gap between two known values of a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Gap {
    /// The last known value before it (`ffill` of pandas).
    Forward,
    /// The first known value after it (`bfill`): it looks into the future, so never use it on what a model is to predict.
    Backward,
    /// The straight line between the two; rows are one unit apart (`interpolate(limit_area="inside")`).
    Linear,
}

/// Fills in missing values from the rows before and after, in the order of the rows.
///
/// Rows are taken to be in their natural order, times for instance: sort first. Nothing is learned, so there is no `fit`: a
/// part is filled in from itself alone. A gap that has no known value on the side, or the sides, that it is filled
/// from stays missing; so does what lies beyond the limit.
///
/// # Complexity
/// O(rows · features).
///
/// # Example
/// ```
/// use modelops_cleaning::{Dataset, Gap, SequenceImputer, Split, Train};
/// use ndarray::array;
///
/// let x = array![[1.0], [f64::NAN], [f64::NAN], [4.0]];
/// let part = Split::<Train>::declare(Dataset::try_new(x, vec![0; 4], vec!["only".to_string()])?);
/// let filled = SequenceImputer::new(Gap::Linear).transform(&part)?;
/// assert_eq!(filled.x(), array![[1.0], [2.0], [3.0], [4.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("forward_fill", "interpolate"))]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceImputer {
    gap: Gap,
    #[serde(default)]
    limit: Option<NonZeroUsize>,
    #[serde(default)]
    within: Option<usize>,
}

impl SequenceImputer {
    /// Fills every gap by `gap`, over all rows.
    #[must_use]
    pub fn new(gap: Gap) -> Self {
        Self {
            gap,
            limit: None,
            within: None,
        }
    }

    /// Fills at most `rows` rows of a gap: those nearest to the known value that it is filled from, the one before it for
    /// [`Gap::Linear`].
    #[must_use]
    pub fn with_limit(mut self, rows: NonZeroUsize) -> Self {
        self.limit = Some(rows);
        self
    }

    /// Takes rows with the same value of `feature` for a sequence of their own (`groupby(…).ffill()` of pandas). A row
    /// where that feature is missing belongs to no sequence and stays as it is.
    #[must_use]
    pub fn within(mut self, feature: usize) -> Self {
        self.within = Some(feature);
        self
    }

    /// Fills in a part.
    ///
    /// # Errors
    /// [`FitError::Feature`] where the part does not have the feature that separates sequences.
    pub fn transform<R: Role>(&self, part: &Split<R>) -> Result<Split<R>, FitError> {
        let mut x = part.x().to_owned();
        for rows in self.sequences(part)? {
            for feature in 0..x.ncols() {
                if Some(feature) != self.within {
                    self.fill(&mut x, feature, &rows);
                }
            }
        }
        Ok(part.with_x(x, part.features().to_vec()))
    }

    fn sequences<R: Role>(&self, part: &Split<R>) -> Result<Vec<Vec<usize>>, FitError> {
        let x = part.x();
        let Some(feature) = self.within else {
            return Ok(vec![(0..x.nrows()).collect()]);
        };
        if feature >= x.ncols() {
            return Err(FitError::Feature {
                feature,
                features: x.ncols(),
            });
        }
        let mut places: HashMap<u64, usize> = HashMap::new();
        let mut sequences: Vec<Vec<usize>> = Vec::new();
        for (row, &key) in x.column(feature).iter().enumerate() {
            if key.is_nan() {
                continue;
            }
            let place = *places.entry(super::key(key)).or_insert(sequences.len());
            if place == sequences.len() {
                sequences.push(Vec::new());
            }
            sequences[place].push(row);
        }
        Ok(sequences)
    }

    /// Fills the gaps of one feature along `rows`.
    fn fill(&self, x: &mut Array2<f64>, feature: usize, rows: &[usize]) {
        let limit = self.limit.map_or(usize::MAX, NonZeroUsize::get);
        let mut before = None;
        let mut at = 0;
        while at < rows.len() {
            let value = x[[rows[at], feature]];
            if !value.is_nan() {
                before = Some(value);
                at += 1;
                continue;
            }
            let start = at;
            while at < rows.len() && x[[rows[at], feature]].is_nan() {
                at += 1;
            }
            let gap = &rows[start..at];
            let after = rows.get(at).map(|&row| x[[row, feature]]);
            let near = gap.iter().take(limit);
            match (self.gap, before, after) {
                (Gap::Forward, Some(value), _) => near.for_each(|&row| x[[row, feature]] = value),
                (Gap::Backward, _, Some(value)) => {
                    gap.iter()
                        .rev()
                        .take(limit)
                        .for_each(|&row| x[[row, feature]] = value);
                }
                (Gap::Linear, Some(low), Some(high)) => {
                    let step = (high - low) / (gap.len() + 1) as f64;
                    near.enumerate()
                        .for_each(|(i, &row)| x[[row, feature]] = low + step * (i + 1) as f64);
                }
                _ => {}
            }
        }
    }
}
