//! The minimiser of a quadratic model within a sphere.

use modelops_linalg::Eigh;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::kernel::vector::{axpy, dot, norm};
use crate::{Differentiable, Evaluations, second_derivatives};

/// A step and the decrease that the model promises for it.
pub(crate) struct Step {
    pub(crate) p: Vec<f64>,
    pub(crate) promised: f64,
}

impl Step {
    /// Against the gradient to the edge of the region, as though there were no curvature.
    pub(crate) fn downhill(gradient: &[f64], region: f64) -> Self {
        let length = norm(gradient);
        Self {
            p: gradient.iter().map(|g| -g / length * region).collect(),
            promised: length * region,
        }
    }
}

/// The model in the directions of the eigenvectors: Σ gᵢ pᵢ + ½ λᵢ pᵢ².
pub(crate) struct Exact {
    values: Array1<f64>,
    vectors: Array2<f64>,
    gradient: Vec<f64>,
}

impl Exact {
    /// `None` where the second derivatives are not finite.
    pub(crate) fn new<O: Differentiable + ?Sized>(
        objective: &O,
        x: &[f64],
        gradient: &[f64],
        spent: &mut Evaluations,
    ) -> Option<Self> {
        let n = x.len();
        let mut matrix = vec![0.0; n * n];
        if !second_derivatives::hessian(objective, x, gradient, &mut matrix, spent) {
            return None;
        }
        let eigen = Eigh::new(ArrayView2::from_shape((n, n), &matrix).ok()?).ok()?;
        let (values, vectors) = eigen.into_parts();
        let gradient = vectors.t().dot(&ArrayView1::from(gradient)).to_vec();
        Some(Self {
            values,
            vectors,
            gradient,
        })
    }

    /// The minimiser within ‖p‖ ≤ region: −g / (λ + μ), with the least μ ≥ 0 that makes λ + μ positive and the step short enough.
    pub(crate) fn step(&self, region: f64) -> Step {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let largest = self.values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let at = |mu: f64| -> Vec<f64> {
            let entry = |(g, l): (&f64, &f64)| if *g == 0.0 { 0.0 } else { -g / (l + mu) };
            self.gradient.iter().zip(&self.values).map(entry).collect()
        };
        let mut q = if least > 0.0 { at(0.0) } else { vec![f64::INFINITY] };
        if norm(&q) > region {
            // ‖p‖ falls from at least the region to at most the region between these.
            let mut low = (-least).max(0.0);
            let mut high = low + norm(&self.gradient) / region;
            // One rounding above the edge of definiteness, where a step without a part in the direction of least curvature is finite.
            let edge = low + f64::EPSILON * largest.max(f64::MIN_POSITIVE);
            q = at(edge);
            if norm(&q) <= region {
                self.extend(&mut q, least, region);
            } else {
                low = edge;
                let mut mu = low;
                for _ in 0..100 {
                    q = at(mu);
                    let length = norm(&q);
                    if (length - region).abs() <= 1e-10 * region || high <= low {
                        break;
                    }
                    if length > region {
                        low = low.max(mu);
                    } else {
                        high = high.min(mu);
                    }
                    // Newton on 1 / ‖p‖, which is nearly straight.
                    let fall: f64 = q.iter().zip(&self.values).map(|(q, l)| q * q / (l + mu)).sum();
                    let newton = mu + (length - region) / region * (length * length / fall);
                    let next = if newton > low && newton < high {
                        newton
                    } else {
                        0.5 * (low + high)
                    };
                    if next == mu {
                        break;
                    }
                    mu = next;
                }
                // What Newton left outside the region is cut off.
                let length = norm(&q);
                if length > region {
                    q.iter_mut().for_each(|q| *q *= region / length);
                }
            }
        }
        let promised = self
            .gradient
            .iter()
            .zip(&self.values)
            .zip(&q)
            .map(|((g, l), q)| -g * q - 0.5 * l * q * q)
            .sum();
        Step {
            p: self.vectors.dot(&ArrayView1::from(&q)).to_vec(),
            promised,
        }
    }

    /// The hard case: the gradient has no part in the direction of least curvature, so that either way along it is as good; goes to the
    /// edge.
    fn extend(&self, q: &mut [f64], least: f64, region: f64) {
        if let Some(i) = self.values.iter().position(|v| *v == least) {
            let rest = dot(q, q) - q[i] * q[i];
            let room = (region * region - rest).max(0.0).sqrt();
            q[i] = if self.gradient[i] > 0.0 { -room } else { room };
        }
    }
}

/// Conjugate gradients on the model, until they are accurate enough, leave the region or meet negative curvature. `None` where no
/// product is finite.
pub(crate) fn truncated<O: Differentiable + ?Sized>(
    objective: &O,
    x: &[f64],
    gradient: &[f64],
    region: f64,
    spent: &mut Evaluations,
) -> Option<Step> {
    let n = x.len();
    let length = norm(gradient);
    let enough = length * length.sqrt().min(0.1);
    let mut p = vec![0.0; n];
    // g + H p, and H p on its own for the promise.
    let mut residual = gradient.to_vec();
    let mut image = vec![0.0; n];
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut product = vec![0.0; n];
    let mut squared = dot(&residual, &residual);
    for round in 0..2 * n.max(5) {
        if !second_derivatives::product(objective, x, gradient, &direction, &mut product, spent) {
            if round == 0 {
                return None;
            }
            break;
        }
        let curvature = dot(&direction, &product);
        let share = squared / curvature;
        let to_edge = to_sphere(&p, &direction, region);
        if curvature.is_nan() || curvature <= 0.0 || share >= to_edge {
            axpy(to_edge, &direction, &mut p);
            axpy(to_edge, &product, &mut image);
            break;
        }
        axpy(share, &direction, &mut p);
        axpy(share, &product, &mut image);
        axpy(share, &product, &mut residual);
        let before = std::mem::replace(&mut squared, dot(&residual, &residual));
        if squared.sqrt() <= enough {
            break;
        }
        for (d, r) in direction.iter_mut().zip(&residual) {
            *d = squared / before * *d - r;
        }
    }
    let promised = -dot(gradient, &p) - 0.5 * dot(&p, &image);
    (promised > 0.0).then_some(Step { p, promised })
}

/// The multiple of `direction` that leads from `start`, within the sphere, to it; not above 0 where there is none.
pub(crate) fn to_sphere(start: &[f64], direction: &[f64], radius: f64) -> f64 {
    let (a, b) = (dot(direction, direction), dot(start, direction));
    let c = radius * radius - dot(start, start);
    let root = (b * b + a * c).max(0.0).sqrt();
    // Whichever form does not cancel.
    if b > 0.0 { c / (b + root) } else { (root - b) / a }
}
