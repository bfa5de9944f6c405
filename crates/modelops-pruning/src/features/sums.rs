//! All of a table that linear regressions need, read once.

use std::ops::Range;

use modelops_linalg::syrk;
use ndarray::{Array1, Array2, s};

use super::Samples;
use crate::error::FeatureError;

/// Rows that are centred at a time.
const BATCH: usize = 1024;

/// Stretches of neighbouring rows, as equal as possible: the first `rows % count` have one row more.
pub(super) fn folds(rows: usize, count: usize) -> Result<Vec<Range<usize>>, FeatureError> {
    if count < 2 || count > rows {
        return Err(FeatureError::Parameter { name: "folds" });
    }
    let edge = |fold: usize| fold * (rows / count) + fold.min(rows % count);
    Ok((0..count).map(|fold| edge(fold)..edge(fold + 1)).collect())
}

/// Sums of rows and of their products, around a common origin: all that a linear regression needs.
#[derive(Clone)]
pub(super) struct Sums {
    pub(super) rows: f64,
    pub(super) x: Array1<f64>,
    pub(super) y: f64,
    pub(super) xx: Array2<f64>,
    pub(super) xy: Array1<f64>,
    pub(super) yy: f64,
}

impl Sums {
    /// One for every stretch of rows; the origin is the mean of all.
    pub(super) fn of(samples: &Samples<'_>, parts: &[Range<usize>]) -> Result<Vec<Self>, FeatureError> {
        let y = samples.values()?;
        samples.require_finite()?;
        let (x, rows) = (samples.x(), samples.rows() as f64);
        let features = samples.features();
        // Relative to the first row, so that an offset costs no digits.
        let origin = x.row(0).to_owned();
        let mut mean = Array1::<f64>::zeros(features);
        x.rows().into_iter().for_each(|row| mean += &(&row - &origin));
        let centre = &origin + &(mean / rows);
        let y_centre = y[0] + y.iter().map(|v| v - y[0]).sum::<f64>() / rows;
        let mut sums = Vec::new();
        for part in parts {
            let mut sum = Self {
                rows: part.len() as f64,
                x: Array1::zeros(features),
                y: 0.0,
                xx: Array2::zeros((features, features)),
                xy: Array1::zeros(features),
                yy: 0.0,
            };
            for start in part.clone().step_by(BATCH) {
                let end = part.end.min(start + BATCH);
                let batch = &x.slice(s![start..end, ..]) - &centre;
                let target: Array1<f64> = y[start..end].iter().map(|v| v - y_centre).collect();
                syrk(1.0, batch.t(), 1.0, sum.xx.view_mut()).expect("square by construction");
                sum.xy += &batch.t().dot(&target);
                sum.x += &batch.sum_axis(ndarray::Axis(0));
                sum.y += target.sum();
                sum.yy += target.dot(&target);
            }
            sums.push(sum);
        }
        Ok(sums)
    }

    pub(super) fn plus(&self, other: &Self, sign: f64) -> Self {
        Self {
            rows: self.rows + sign * other.rows,
            x: &self.x + &(&other.x * sign),
            y: self.y + sign * other.y,
            xx: &self.xx + &(&other.xx * sign),
            xy: &self.xy + &(&other.xy * sign),
            yy: self.yy + sign * other.yy,
        }
    }
}

/// Products around the means, of features divided by their norms.
pub(super) struct Centred {
    pub(super) gram: Array2<f64>,
    pub(super) right: Array1<f64>,
    /// Of every feature around its mean; 0 where it does not vary.
    pub(super) norms: Vec<f64>,
    pub(super) mean: Array1<f64>,
    pub(super) y_mean: f64,
    /// The target's sum of squares around its mean.
    pub(super) total: f64,
}

impl Centred {
    pub(super) fn new(sums: &Sums) -> Self {
        let features = sums.x.len();
        let mean = &sums.x / sums.rows;
        let y_mean = sums.y / sums.rows;
        let norm = |j: usize| {
            let square = (sums.xx[[j, j]] - sums.rows * mean[j] * mean[j]).max(0.0);
            // Anything smaller is what rounding leaves of a constant.
            let least = 1e-20 * sums.xx[[j, j]].max(f64::MIN_POSITIVE);
            if square > least { square.sqrt() } else { 0.0 }
        };
        let norms: Vec<f64> = (0..features).map(norm).collect();
        // Products of a constant are zero.
        let scale = |j: usize| if norms[j] > 0.0 { norms[j] } else { f64::INFINITY };
        Self {
            gram: Array2::from_shape_fn((features, features), |(i, j)| {
                (sums.xx[[i, j]] - sums.rows * mean[i] * mean[j]) / (scale(i) * scale(j))
            }),
            right: Array1::from_shape_fn(features, |j| {
                (sums.xy[j] - sums.rows * mean[j] * y_mean) / scale(j)
            }),
            norms,
            mean,
            y_mean,
            total: (sums.yy - sums.rows * y_mean * y_mean).max(0.0),
        }
    }
}
