//! The quadratic model of a limited-memory quasi-Newton method within a box.

use modelops_linalg::Lu;
use ndarray::{Array1, Array2};

use crate::bounds::Bounds;
use crate::kernel::vector::dot;
use crate::pairs::Pairs;

/// The model m(p) = gᵀp + ½ pᵀB p with B = θ I − W M Wᵀ, W = [Y, θ S].
///
/// **References**: R. Byrd, P. Lu, J. Nocedal and C. Zhu, A limited memory algorithm for bound constrained optimization, 1995,
/// doi:10.1137/0916069; J. Morales and J. Nocedal, Remark on Algorithm 778, 2011, doi:10.1145/2049662.2049669.
pub(crate) struct BoxModel {
    theta: f64,
    /// The columns of W, each of n entries.
    columns: Vec<Vec<f64>>,
    /// M⁻¹, and M.
    middle_inverse: Array2<f64>,
    middle: Array2<f64>,
}

/// The first minimiser of the model along the projected path of steepest descent.
struct Cauchy {
    point: Vec<f64>,
    /// Wᵀ (point − x).
    moved: Array1<f64>,
    /// The variables that are not on a bound there.
    free: Vec<usize>,
}

impl BoxModel {
    /// `None` where the pairs are too nearly dependent to be inverted.
    pub(crate) fn new(pairs: &Pairs) -> Option<Self> {
        let theta = pairs.curvature();
        let (steps, changes): (Vec<_>, Vec<_>) = pairs.independent().unzip();
        let k = steps.len();
        let mut middle_inverse = Array2::zeros((2 * k, 2 * k));
        for i in 0..k {
            middle_inverse[[i, i]] = -dot(steps[i], changes[i]);
            for j in 0..k {
                if j < i {
                    let below = dot(steps[i], changes[j]);
                    middle_inverse[[k + i, j]] = below;
                    middle_inverse[[j, k + i]] = below;
                }
                middle_inverse[[k + i, k + j]] = theta * dot(steps[i], steps[j]);
            }
        }
        let middle = if k == 0 {
            Array2::zeros((0, 0))
        } else {
            Lu::new(middle_inverse.view()).ok()?.inverse().ok()?
        };
        let scaled = |s: &&[f64]| s.iter().map(|s| theta * s).collect::<Vec<f64>>();
        let columns = changes
            .iter()
            .map(|y| y.to_vec())
            .chain(steps.iter().map(scaled))
            .collect();
        middle.iter().all(|v: &f64| v.is_finite()).then_some(Self {
            theta,
            columns,
            middle_inverse,
            middle,
        })
    }

    /// Row i of W.
    fn row(&self, i: usize) -> Array1<f64> {
        self.columns.iter().map(|c| c[i]).collect()
    }

    /// Wᵀ v.
    fn across(&self, v: &[f64]) -> Array1<f64> {
        self.columns.iter().map(|c| dot(c, v)).collect()
    }

    /// The point of the box near `x` where the model is low: the minimiser over the variables that the path of steepest descent leaves
    /// free, projected into the box.
    pub(crate) fn minimise(&self, x: &[f64], gradient: &[f64], within: Bounds<'_>) -> Vec<f64> {
        let cauchy = self.cauchy(x, gradient, within);
        let Some(step) = self.over_free(x, gradient, &cauchy) else {
            return cauchy.point;
        };
        let mut target = cauchy.point.clone();
        for (i, p) in cauchy.free.iter().zip(&step) {
            target[*i] = (target[*i] + p).clamp(within.lower[*i], within.upper[*i]);
        }
        let slope: f64 = gradient
            .iter()
            .zip(&target)
            .zip(x)
            .map(|((g, t), x)| g * (t - x))
            .sum();
        if slope < 0.0 {
            return target;
        }
        // The projection bent the step uphill: go straight until the first bound instead.
        let mut share = 1.0f64;
        for (i, p) in cauchy.free.iter().zip(&step) {
            let from = cauchy.point[*i];
            let bound = if *p > 0.0 {
                within.upper[*i]
            } else {
                within.lower[*i]
            };
            if *p != 0.0 && (bound - from) / p < share {
                share = (bound - from) / p;
            }
        }
        let mut target = cauchy.point;
        for (i, p) in cauchy.free.iter().zip(&step) {
            target[*i] = (target[*i] + share * p).clamp(within.lower[*i], within.upper[*i]);
        }
        target
    }

    fn cauchy(&self, x: &[f64], gradient: &[f64], within: Bounds<'_>) -> Cauchy {
        let n = x.len();
        // Where along the path each variable meets its bound.
        let meets: Vec<f64> = (0..n)
            .map(|i| match gradient[i] {
                g if g < 0.0 => (x[i] - within.upper[i]) / g,
                g if g > 0.0 => (x[i] - within.lower[i]) / g,
                _ => f64::INFINITY,
            })
            .collect();
        let mut direction: Vec<f64> = (0..n)
            .map(|i| if meets[i] > 0.0 { -gradient[i] } else { 0.0 })
            .collect();
        let mut order: Vec<usize> = (0..n)
            .filter(|i| meets[*i] > 0.0 && meets[*i].is_finite())
            .collect();
        order.sort_unstable_by(|a, b| meets[*a].total_cmp(&meets[*b]).then(a.cmp(b)));

        let mut point = x.to_vec();
        let mut across = self.across(&direction);
        let mut moved = Array1::<f64>::zeros(across.len());
        let mut slope = -dot(&direction, &direction);
        let first_curvature = -self.theta * slope;
        let mut curvature = first_curvature - across.dot(&self.middle.dot(&across));
        let mut at = 0.0;
        let mut held = vec![false; n];
        (0..n).filter(|i| meets[*i] <= 0.0).for_each(|i| held[i] = true);
        let mut longest = if slope < 0.0 {
            -slope / curvature.max(f64::EPSILON * first_curvature)
        } else {
            0.0
        };
        for i in order {
            let ahead = meets[i] - at;
            if longest < ahead {
                break;
            }
            let g = gradient[i];
            point[i] = if g < 0.0 { within.upper[i] } else { within.lower[i] };
            held[i] = true;
            moved.scaled_add(ahead, &across);
            let row = self.row(i);
            let pulled = self.middle.dot(&row);
            slope += ahead * curvature + g * g + self.theta * g * (point[i] - x[i]) - g * pulled.dot(&moved);
            curvature -= self.theta * g * g + 2.0 * g * pulled.dot(&across) + g * g * pulled.dot(&row);
            across.scaled_add(g, &row);
            direction[i] = 0.0;
            at = meets[i];
            longest = if slope < 0.0 {
                -slope / curvature.max(f64::EPSILON * first_curvature)
            } else {
                0.0
            };
        }
        let rest = if longest.is_finite() {
            longest.max(0.0)
        } else {
            0.0
        };
        moved.scaled_add(rest, &across);
        let free: Vec<usize> = (0..n).filter(|i| !held[*i]).collect();
        for i in &free {
            point[*i] = (x[*i] + (at + rest) * direction[*i]).clamp(within.lower[*i], within.upper[*i]);
        }
        Cauchy { point, moved, free }
    }

    /// The step from the Cauchy point to the minimiser of the model over the free variables, without regard to their bounds.
    fn over_free(&self, x: &[f64], gradient: &[f64], cauchy: &Cauchy) -> Option<Vec<f64>> {
        let free = &cauchy.free;
        if free.is_empty() {
            return None;
        }
        let pulled = self.middle.dot(&cauchy.moved);
        let mut columns: Vec<Vec<f64>> = Vec::with_capacity(self.columns.len());
        let mut residual: Vec<f64> = free
            .iter()
            .map(|i| gradient[*i] + self.theta * (cauchy.point[*i] - x[*i]))
            .collect();
        for (column, pull) in self.columns.iter().zip(&pulled) {
            let column: Vec<f64> = free.iter().map(|i| column[*i]).collect();
            residual.iter_mut().zip(&column).for_each(|(r, w)| *r -= pull * w);
            columns.push(column);
        }
        if columns.is_empty() {
            return Some(residual.iter().map(|r| -r / self.theta).collect());
        }
        // (M⁻¹ − WᵀW / θ)⁻¹ Wᵀ r over the free rows, by Sherman, Morrison and Woodbury.
        let mut system = self.middle_inverse.clone();
        for i in 0..columns.len() {
            for j in 0..=i {
                let product = dot(&columns[i], &columns[j]) / self.theta;
                system[[i, j]] -= product;
                if i != j {
                    system[[j, i]] -= product;
                }
            }
        }
        let right: Array1<f64> = columns.iter().map(|c| dot(c, &residual)).collect();
        let solved = Lu::new(system.view()).ok()?.solve_vec(right.view()).ok()?;
        let mut step: Vec<f64> = residual.iter().map(|r| -r / self.theta).collect();
        for (column, v) in columns.iter().zip(&solved) {
            let factor = v / (self.theta * self.theta);
            step.iter_mut().zip(column).for_each(|(s, w)| *s -= factor * w);
        }
        step.iter().all(|s| s.is_finite()).then_some(step)
    }
}
