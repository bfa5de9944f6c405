//! Regression by a Gaussian process, with its lengths learned.

use modelops_linalg::Cholesky;
use ndarray::{Array2, ArrayView1};

use crate::kernel::triangular::solve;
use crate::kernel::vector::dot;
use crate::{FnObjective, Lbfgs};

/// A Gaussian process given observations, with Matérn's covariance of smoothness 5/2.
///
/// cov(x, x′) = a² (1 + √5 r + 5 r²/3) exp(−√5 r) + s² δ, with r² = Σⱼ (xⱼ − x′ⱼ)² / lⱼ². The values are standardised.
pub(crate) struct GaussianProcess {
    points: Vec<Vec<f64>>,
    hyper: Hyper,
    /// The lower factor of the covariance of the observations, row by row.
    factor: Vec<f64>,
    weights: Vec<f64>,
    centre: f64,
    scale: f64,
    /// The variance of the slopes of a linear trend.
    trend: f64,
}

struct Hyper {
    inverse_squares: Vec<f64>,
    amplitude: f64,
    noise: f64,
}

/// Where the priors of the logarithms are centred, and their widths: lengths of about half the range, little noise.
const LENGTH: (f64, f64) = (-0.5, 1.0);
const AMPLITUDE: (f64, f64) = (0.0, 1.0);
const NOISE: (f64, f64) = (-4.0, 1.5);
const ROOT_5: f64 = 2.236_067_977_499_79;

impl GaussianProcess {
    /// Learns from at least one point of the unit cube and its value. `None` where the values are not finite.
    pub(crate) fn fit(points: &[Vec<f64>], values: &[f64]) -> Option<Self> {
        Self::fit_with_trend(points, values, 0.0)
    }

    /// Learns a linear trend too, whose slopes have the variance `trend` in units of the values' own, so that it goes on beyond the points.
    pub(crate) fn fit_with_trend(points: &[Vec<f64>], values: &[f64], trend: f64) -> Option<Self> {
        let n = values.len() as f64;
        let centre = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / n;
        let scale = if variance > 0.0 { variance.sqrt() } else { 1.0 };
        if !(centre.is_finite() && scale.is_finite()) {
            return None;
        }
        let standard: Vec<f64> = values.iter().map(|v| (v - centre) / scale).collect();
        let dim = points.first()?.len();
        let start: Vec<f64> = std::iter::repeat_n(LENGTH.0, dim)
            .chain([AMPLITUDE.0, NOISE.0])
            .collect();
        let objective = FnObjective::new(dim + 2, |theta: &[f64], gradient: &mut [f64]| {
            negative_log_posterior(points, &standard, trend, theta, gradient)
        });
        let solver = Lbfgs::new().with_tolerance(1e-3).with_max_iterations(30);
        let theta = solver
            .minimize(&objective, &start)
            .map_or(start, |solution| solution.x);
        let hyper = Hyper::new(&theta);
        let covariance = hyper.covariance(points, trend);
        let cholesky = Cholesky::new(covariance.view()).ok()?;
        let weights = cholesky.solve_vec(ArrayView1::from(&standard)).ok()?.to_vec();
        Some(Self {
            points: points.to_vec(),
            hyper,
            factor: cholesky.lower().iter().copied().collect(),
            weights,
            centre,
            scale,
            trend,
        })
    }

    /// Mean and standard deviation of the function (without noise) at a point.
    pub(crate) fn predict(&self, point: &[f64]) -> (f64, f64) {
        let mut row: Vec<f64> = self
            .points
            .iter()
            .map(|p| self.hyper.between(p, point) + linear(p, point, self.trend))
            .collect();
        let mean = dot(&row, &self.weights);
        solve(&self.factor, &mut row);
        let variance = (self.hyper.amplitude + linear(point, point, self.trend) - dot(&row, &row)).max(1e-12);
        (self.centre + self.scale * mean, self.scale * variance.sqrt())
    }

    /// Mean and standard deviation of an observation at a point.
    pub(crate) fn predict_noisy(&self, point: &[f64]) -> (f64, f64) {
        let (mean, deviation) = self.predict(point);
        (mean, deviation.hypot(self.scale * self.hyper.noise.sqrt()))
    }
}

/// The covariance of a linear trend about the middle of the cube.
fn linear(a: &[f64], b: &[f64], trend: f64) -> f64 {
    trend * a.iter().zip(b).map(|(x, y)| (x - 0.5) * (y - 0.5)).sum::<f64>()
}

impl Hyper {
    /// From the logarithms of the lengths, of a and of s.
    fn new(theta: &[f64]) -> Self {
        let dim = theta.len() - 2;
        Self {
            inverse_squares: theta[..dim].iter().map(|l| (-2.0 * l).exp()).collect(),
            amplitude: (2.0 * theta[dim]).exp(),
            noise: (2.0 * theta[dim + 1]).exp() + 1e-8,
        }
    }

    fn squared_distance(&self, a: &[f64], b: &[f64]) -> f64 {
        let terms = a.iter().zip(b).zip(&self.inverse_squares);
        terms.map(|((x, y), w)| (x - y) * (x - y) * w).sum()
    }

    fn between(&self, a: &[f64], b: &[f64]) -> f64 {
        let r = ROOT_5 * self.squared_distance(a, b).sqrt();
        self.amplitude * (1.0 + r + r * r / 3.0) * (-r).exp()
    }

    fn covariance(&self, points: &[Vec<f64>], trend: f64) -> Array2<f64> {
        let n = points.len();
        let mut covariance = Array2::zeros((n, n));
        for i in 0..n {
            for j in 0..i {
                let value = self.between(&points[i], &points[j]) + linear(&points[i], &points[j], trend);
                covariance[[i, j]] = value;
                covariance[[j, i]] = value;
            }
            covariance[[i, i]] = self.amplitude + self.noise + linear(&points[i], &points[i], trend);
        }
        covariance
    }
}

/// −ln of likelihood times prior, up to a constant, and its gradient in the logarithms.
fn negative_log_posterior(
    points: &[Vec<f64>],
    values: &[f64],
    trend: f64,
    theta: &[f64],
    gradient: &mut [f64],
) -> f64 {
    let (n, dim) = (points.len(), theta.len() - 2);
    let hyper = Hyper::new(theta);
    gradient.fill(0.0);
    let covariance = hyper.covariance(points, trend);
    let Ok(cholesky) = Cholesky::new(covariance.view()) else {
        return f64::INFINITY;
    };
    let (Ok(alpha), Ok(inverse)) = (cholesky.solve_vec(ArrayView1::from(values)), cholesky.inverse()) else {
        return f64::INFINITY;
    };
    let fit: f64 = alpha.iter().zip(values).map(|(a, v)| a * v).sum();
    let mut value = 0.5 * (fit + cholesky.ln_determinant());
    // ∂/∂θ = ½ Σ (K⁻¹ − ααᵀ) ∘ ∂K/∂θ; both halves of the symmetric sum at once.
    for i in 0..n {
        for j in 0..i {
            let outer = inverse[[i, j]] - alpha[i] * alpha[j];
            let r = ROOT_5 * hyper.squared_distance(&points[i], &points[j]).sqrt();
            let slope = outer * hyper.amplitude * 5.0 / 3.0 * (1.0 + r) * (-r).exp();
            let (a, b) = (&points[i], &points[j]);
            for k in 0..dim {
                gradient[k] += slope * (a[k] - b[k]) * (a[k] - b[k]) * hyper.inverse_squares[k];
            }
            gradient[dim] += 2.0 * outer * hyper.between(&points[i], &points[j]);
        }
        let outer = inverse[[i, i]] - alpha[i] * alpha[i];
        gradient[dim] += outer * hyper.amplitude;
        gradient[dim + 1] += outer * (hyper.noise - 1e-8);
    }
    for (k, (t, g)) in theta.iter().zip(gradient).enumerate() {
        let (centre, width) = match k {
            k if k < dim => LENGTH,
            k if k == dim => AMPLITUDE,
            _ => NOISE,
        };
        value += 0.5 * ((t - centre) / width).powi(2);
        *g += (t - centre) / (width * width);
    }
    value
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{GRADIENT_BY_DIFFERENCES, SOLVED, close};

    use super::*;

    fn wave(n: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
        let points: Vec<Vec<f64>> = (0..n)
            .map(|k| vec![(k * 7 % n) as f64 / n as f64, (k * 5 % n) as f64 / n as f64])
            .collect();
        let values = points.iter().map(|p| (6.0 * p[0]).sin() + 0.1 * p[1]).collect();
        (points, values)
    }

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let (points, values) = wave(17);
        for trend in [0.0, 4.0] {
            let objective = FnObjective::new(4, |theta: &[f64], g: &mut [f64]| {
                negative_log_posterior(&points, &values, trend, theta, g)
            });
            let check = crate::check_gradient(&objective, &[-0.7, -0.2, 0.3, -2.0]).unwrap();
            assert!(
                check.max_relative_error < GRADIENT_BY_DIFFERENCES,
                "{trend}: {check:?}"
            );
        }
    }

    #[test]
    fn a_trend_goes_on_where_the_points_end() {
        let points: Vec<Vec<f64>> = (0..12).map(|k| vec![f64::from(k) / 24.0]).collect();
        let values: Vec<f64> = points.iter().map(|p| 3.0 * p[0] + 1.0).collect();
        let at = |trend| {
            let process = GaussianProcess::fit_with_trend(&points, &values, trend).unwrap();
            (process.predict(&[1.0]).0 - 4.0).abs()
        };
        assert!(
            at(4.0) < 0.3 && at(4.0) < 0.5 * at(0.0),
            "{} and {}",
            at(4.0),
            at(0.0)
        );
        let process = GaussianProcess::fit_with_trend(&points, &values, 4.0).unwrap();
        assert!(process.predict_noisy(&[0.3]).1 > process.predict(&[0.3]).1);
    }

    #[test]
    fn predictions_pass_through_the_observations_and_doubt_the_rest() {
        let (points, values) = wave(40);
        let process = GaussianProcess::fit(&points, &values).unwrap();
        for (point, value) in points.iter().zip(&values) {
            let (mean, deviation) = process.predict(point);
            assert!(
                close(mean, *value, 1e3 * SOLVED * 10.0) && deviation < 0.05,
                "{mean} against {value}, {deviation}"
            );
        }
        let (mean, inside) = process.predict(&[0.512, 0.3]);
        assert!((mean - (6.0f64 * 0.512).sin() - 0.03).abs() < 0.05, "{mean}");
        assert!(process.predict(&[3.0, 3.0]).1 > 5.0 * inside);
        // Only one value, and values without a difference.
        assert!(GaussianProcess::fit(&points[..1], &values[..1]).is_some());
        assert!(GaussianProcess::fit(&points, &[2.0; 40]).is_some());
        assert!(GaussianProcess::fit(&points[..2], &[1.0, f64::INFINITY]).is_none());
    }
}
