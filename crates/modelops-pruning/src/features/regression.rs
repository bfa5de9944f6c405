//! A linear regression that features can be dropped from.

use modelops_linalg::{Cholesky, gemm};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::sums::{Centred, Sums};
use crate::error::FeatureError;

/// Eliminations after which the inverse is computed anew, so that rounding cannot build up.
const FRESH: usize = 32;

/// A least-squares regression with an intercept that features can be dropped from.
pub(super) struct Regression {
    sums: Centred,
    /// Of the features still there that vary: their numbers, the inverse of their Gram matrix, their coefficients.
    fitted: Vec<usize>,
    inverse: Array2<f64>,
    solution: Array1<f64>,
    dropped: usize,
    /// All features still there, those that do not vary included.
    pub(super) active: Vec<usize>,
}

impl Regression {
    pub(super) fn new(sums: &Sums) -> Result<Self, FeatureError> {
        let centred = Centred::new(sums);
        let features = centred.norms.len();
        let fitted: Vec<usize> = (0..features).filter(|j| centred.norms[*j] > 0.0).collect();
        if (sums.rows as usize) <= fitted.len() {
            return Err(FeatureError::TooFewRows {
                needed: fitted.len() + 1,
                found: sums.rows as usize,
            });
        }
        let mut regression = Self {
            sums: centred,
            fitted,
            inverse: Array2::zeros((0, 0)),
            solution: Array1::zeros(0),
            dropped: 0,
            active: (0..features).collect(),
        };
        regression.refresh()?;
        Ok(regression)
    }

    fn refresh(&mut self) -> Result<(), FeatureError> {
        let n = self.fitted.len();
        let part = Array2::from_shape_fn((n, n), |(a, b)| self.sums.gram[[self.fitted[a], self.fitted[b]]]);
        let collinear = |at: usize| FeatureError::Collinear {
            column: self.fitted.get(at).copied().unwrap_or(0),
        };
        let factor = Cholesky::new(part.view()).map_err(|error| match error {
            modelops_linalg::FactorError::NotPositiveDefinite { pivot } => collinear(pivot),
            _ => collinear(0),
        })?;
        // Norms are one, so that a pivot is what the columns before leave unexplained.
        if let Some(at) = factor
            .lower()
            .diag()
            .iter()
            .position(|pivot| pivot * pivot < 1e-13)
        {
            return Err(collinear(at));
        }
        self.inverse = factor.inverse().map_err(|_| collinear(0))?;
        let right: Array1<f64> = self.fitted.iter().map(|j| self.sums.right[*j]).collect();
        self.solution = self.inverse.dot(&right);
        // One correction, since an inverse loses digits that a residual gives back.
        let residual = &right - &part.dot(&self.solution);
        self.solution += &self.inverse.dot(&residual);
        self.dropped = 0;
        Ok(())
    }

    /// In the feature's own unit; 0 where it does not vary.
    pub(super) fn coefficient(&self, feature: usize) -> f64 {
        match self.fitted.binary_search(&feature) {
            Ok(at) => self.solution[at] / self.sums.norms[feature],
            Err(_) => 0.0,
        }
    }

    pub(super) fn drop_feature(&mut self, feature: usize) -> Result<(), FeatureError> {
        self.active.retain(|j| *j != feature);
        let Ok(at) = self.fitted.binary_search(&feature) else {
            return Ok(());
        };
        self.fitted.remove(at);
        self.dropped += 1;
        if self.dropped == FRESH {
            return self.refresh();
        }
        let n = self.inverse.ncols();
        let column = self.inverse.column(at).to_owned();
        let (pivot, weight) = (column[at], self.solution[at]);
        let others = |j: &usize| *j != at;
        let kept: Vec<usize> = (0..n).filter(others).collect();
        let mut inverse = Array2::zeros((n - 1, n - 1));
        for (to, from) in kept.iter().enumerate() {
            let factor = column[*from] / pivot;
            let row = self.inverse.row(*from);
            let mut out = inverse.row_mut(to);
            for (slot, j) in out.iter_mut().zip(&kept) {
                *slot = row[*j] - factor * column[*j];
            }
        }
        self.solution = kept
            .iter()
            .map(|j| self.solution[*j] - column[*j] / pivot * weight)
            .collect();
        self.inverse = inverse;
        Ok(())
    }

    /// R² on other rows.
    pub(super) fn score(&self, other: &Sums) -> f64 {
        let beta: Array1<f64> = self.fitted.iter().map(|j| self.coefficient(*j)).collect();
        let pick = |of: ArrayView1<'_, f64>| -> Array1<f64> { self.fitted.iter().map(|j| of[*j]).collect() };
        // y − ŷ = (y − ȳ) − βᵀ(x − x̄): its sum of squares from the other rows' sums.
        let (x, xy, mean) = (
            pick(other.x.view()),
            pick(other.xy.view()),
            pick(self.sums.mean.view()),
        );
        let mut xx_beta = Array2::zeros((self.fitted.len(), 1));
        let part = self.part(other.xx.view());
        let column = beta.view().insert_axis(ndarray::Axis(1));
        gemm(1.0, part.view(), column, 0.0, xx_beta.view_mut()).expect("shapes agree");
        let shift = beta.dot(&mean) - self.sums.y_mean;
        let squares = other.yy - 2.0 * beta.dot(&xy)
            + beta.dot(&xx_beta.column(0))
            + 2.0 * shift * (other.y - beta.dot(&x))
            + other.rows * shift * shift;
        let spread = other.yy - other.y * other.y / other.rows;
        if spread > 0.0 { 1.0 - squares / spread } else { 0.0 }
    }

    fn part(&self, of: ArrayView2<'_, f64>) -> Array2<f64> {
        let n = self.fitted.len();
        Array2::from_shape_fn((n, n), |(a, b)| of[[self.fitted[a], self.fitted[b]]])
    }
}
