//! A sum of squares linearised at a point, and its least value within a trust region.

use modelops_linalg::Qr;
use ndarray::{Array1, Array2, ArrayView2};

use crate::Residuals;
use crate::kernel::vector::{dot, norm};

/// How near to the edge of the trust region a step has to end.
const EDGE: f64 = 0.1;

/// x times scale, entry by entry.
pub(crate) fn scaled(x: &[f64], scale: &[f64]) -> Vec<f64> {
    x.iter().zip(scale).map(|(x, s)| x * s).collect()
}

/// The problem linearised at a point: r + J p, with J = Q R.
pub(crate) struct Linear {
    /// R, dim × dim upper triangular.
    r: Array2<f64>,
    /// The first dim entries of Qᵀ r.
    qtr: Array1<f64>,
    pub(crate) gradient: Vec<f64>,
    pub(crate) column_lengths: Vec<f64>,
}

/// A step within the trust region.
pub(crate) struct Step {
    pub(crate) p: Vec<f64>,
    /// ‖D p‖.
    pub(crate) length: f64,
    /// ‖J p‖.
    pub(crate) model_length: f64,
    pub(crate) damping: f64,
}

impl Linear {
    /// The model of `problem` at `x`; `None` where a derivative is not finite.
    pub(crate) fn at<R: Residuals + ?Sized>(problem: &R, x: &[f64], residuals: &[f64]) -> Option<Self> {
        let (n, m) = (problem.dim(), problem.count());
        // Rows of zeros change neither R nor the solution, and let there be fewer residuals than variables.
        let mut jacobian = Array2::zeros((m.max(n), n));
        problem.jacobian(x, &mut jacobian.as_slice_mut()?[..m * n]);
        Self::new(&jacobian, residuals)
    }

    /// The model of a Jacobian with at least as many rows as columns; residuals that it has more rows than are zero.
    /// `None` where an entry is not finite.
    pub(crate) fn new(jacobian: &Array2<f64>, residuals: &[f64]) -> Option<Self> {
        let qr = Qr::new(jacobian.view()).ok()?;
        let padded = Array1::from_shape_fn(jacobian.nrows(), |i| residuals.get(i).copied().unwrap_or(0.0));
        let qtr = qr.q().t().dot(&padded);
        let gradient = jacobian.t().dot(&padded).to_vec();
        let column_lengths = jacobian
            .columns()
            .into_iter()
            .map(|c| norm(&c.to_vec()))
            .collect();
        Some(Self {
            r: qr.r(),
            qtr,
            gradient,
            column_lengths,
        })
    }

    pub(crate) fn gradient_norm(&self) -> f64 {
        self.gradient.iter().fold(0.0, |m, g| m.max(g.abs()))
    }

    /// R p, as long as J p.
    pub(crate) fn image(&self, p: &[f64]) -> Vec<f64> {
        self.r
            .rows()
            .into_iter()
            .map(|row| row.iter().zip(p).map(|(r, p)| r * p).sum())
            .collect()
    }

    /// The largest cosine between the residuals and a column of J.
    pub(crate) fn steepest_cosine(&self, length: f64) -> f64 {
        if length == 0.0 {
            return 0.0;
        }
        let cosine = |(g, l): (&f64, &f64)| if *l > 0.0 { (g / l / length).abs() } else { 0.0 };
        self.gradient
            .iter()
            .zip(&self.column_lengths)
            .map(cosine)
            .fold(0.0, f64::max)
    }

    /// The step of least ‖r + J p‖ within ‖D p‖ ≤ region, by Newton's method on the damping.
    pub(crate) fn step(&self, scale: &[f64], region: f64, damping: f64) -> Step {
        if let Some(step) = self.damped(scale, 0.0).map(|(step, _)| step)
            && step.length <= (1.0 + EDGE) * region
        {
            return step;
        }
        // ‖D p‖ falls with the damping; these bounds hold the root.
        let steepest = norm(
            &self
                .gradient
                .iter()
                .zip(scale)
                .map(|(g, s)| g / s)
                .collect::<Vec<_>>(),
        );
        let (mut lower, mut upper) = (0.0f64, steepest / region);
        let mut damping = damping.clamp(lower, upper);
        if damping == 0.0 {
            damping = (1e-3 * upper).max(f64::MIN_POSITIVE);
        }
        let mut best = None;
        for _ in 0..12 {
            let Some((step, fall)) = self.damped(scale, damping) else {
                lower = lower.max(damping);
                damping = 0.5 * (lower + upper.max(2.0 * damping));
                continue;
            };
            let excess = step.length - region;
            let done = excess.abs() <= EDGE * region;
            if excess > 0.0 {
                lower = lower.max(damping);
            } else {
                upper = upper.min(damping);
            }
            let newton = damping + excess / region * (step.length / fall).powi(2);
            best = Some(step);
            if done {
                break;
            }
            let inside = newton.is_finite() && newton > lower && newton < upper;
            damping = if inside {
                newton
            } else {
                (0.001 * upper).max((lower * upper).sqrt())
            };
        }
        best.unwrap_or(Step {
            p: vec![0.0; scale.len()],
            length: 0.0,
            model_length: 0.0,
            damping,
        })
    }

    /// The minimiser of ‖r + J p‖² + damping ‖D p‖², and ‖T⁻ᵀ D² p‖ for Newton's method, T the triangle of the damped problem.
    /// `None` where it is singular.
    fn damped(&self, scale: &[f64], damping: f64) -> Option<(Step, f64)> {
        let n = scale.len();
        let root = damping.sqrt();
        let (triangle, p) = if damping == 0.0 {
            let largest = (0..n).fold(0.0f64, |m, j| m.max(self.r[[j, j]].abs() / scale[j]));
            if (0..n).any(|j| self.r[[j, j]].abs() / scale[j] <= 1e-15 * largest) {
                return None;
            }
            (
                self.r.clone(),
                backward(self.r.view(), &self.qtr.mapv(|v| -v).to_vec())?,
            )
        } else {
            let stacked = Array2::from_shape_fn((2 * n, n), |(i, j)| {
                if i < n {
                    self.r[[i, j]]
                } else if i - n == j {
                    root * scale[j]
                } else {
                    0.0
                }
            });
            let right = Array1::from_shape_fn(2 * n, |i| if i < n { -self.qtr[i] } else { 0.0 });
            let qr = Qr::new(stacked.view()).ok()?;
            (qr.r(), qr.least_squares_vec(right.view()).ok()?.to_vec())
        };
        let dp = scaled(&p, scale);
        let length = norm(&dp);
        let model_length = norm(&self.r.dot(&Array1::from(p.clone())).to_vec());
        let fall = norm(&forward(triangle.view(), &scaled(&dp, scale))?);
        if !length.is_finite() {
            return None;
        }
        Some((
            Step {
                p,
                length,
                model_length,
                damping,
            },
            fall,
        ))
    }
}

/// Solves Tᵀ z = b for an upper triangle T.
fn forward(t: ArrayView2<'_, f64>, b: &[f64]) -> Option<Vec<f64>> {
    let mut z = b.to_vec();
    for j in 0..z.len() {
        let known: f64 = (0..j).map(|i| t[[i, j]] * z[i]).sum();
        z[j] = (z[j] - known) / t[[j, j]];
    }
    z.iter().all(|v| v.is_finite()).then_some(z)
}

/// Solves T z = b for an upper triangle T.
fn backward(t: ArrayView2<'_, f64>, b: &[f64]) -> Option<Vec<f64>> {
    let mut z = b.to_vec();
    for i in (0..z.len()).rev() {
        let row = t.row(i);
        let known: f64 = dot(&row.to_vec()[i + 1..], &z[i + 1..]);
        z[i] = (z[i] - known) / t[[i, i]];
    }
    z.iter().all(|v| v.is_finite()).then_some(z)
}
