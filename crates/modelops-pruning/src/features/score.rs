//! What every score has in common.

use super::Samples;
use crate::error::FeatureError;

/// One statistic per feature: larger is better. Implement it for a score of your own.
pub trait ScoreFunction {
    /// Scores every feature on the training rows.
    ///
    /// # Errors
    /// [`FeatureError`] where the samples do not fit the statistic.
    fn score(&self, samples: &Samples<'_>) -> Result<Scores, FeatureError>;
}

/// Statistics and their significance, in the order of the features.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    statistics: Vec<f64>,
    ln_p_values: Option<Vec<f64>>,
}

impl Scores {
    /// Statistics alone.
    #[must_use]
    pub fn new(statistics: Vec<f64>) -> Self {
        Self {
            statistics,
            ln_p_values: None,
        }
    }

    /// Adds natural logarithms of p-values.
    ///
    /// # Errors
    /// [`FeatureError::Columns`] where there is not one for each statistic.
    pub fn with_ln_p_values(mut self, ln_p_values: Vec<f64>) -> Result<Self, FeatureError> {
        if ln_p_values.len() != self.statistics.len() {
            return Err(FeatureError::Columns {
                expected: self.statistics.len(),
                found: ln_p_values.len(),
            });
        }
        self.ln_p_values = Some(ln_p_values);
        Ok(self)
    }

    /// The statistic of every feature; NaN where the feature has none, +∞ for a perfect separation.
    #[must_use]
    pub fn statistics(&self) -> &[f64] {
        &self.statistics
    }

    /// ln p of every feature, −∞ only for a perfect separation; `None` where the score knows no distribution.
    #[must_use]
    pub fn ln_p_values(&self) -> Option<&[f64]> {
        self.ln_p_values.as_deref()
    }

    /// Features from best to worst: larger statistics first, on a tie the lower index; those without one are left out.
    #[must_use]
    pub fn ranking(&self) -> Vec<usize> {
        let known = |feature: &usize| !self.statistics[*feature].is_nan();
        let mut order: Vec<usize> = (0..self.statistics.len()).filter(known).collect();
        order.sort_by(|a, b| self.statistics[*b].total_cmp(&self.statistics[*a]));
        order
    }
}
