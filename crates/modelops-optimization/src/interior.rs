//! A linearised sum of squares seen from within its bounds.

use ndarray::Array2;

use crate::OptimizationError;
use crate::bounds::Bounds;
use crate::kernel::vector::{dot, norm};
use crate::least_squares_model::Linear;
use crate::trust_region_step::to_sphere;

/// The share of the way to a bound that a step may go, at least.
const STEP_BACK: f64 = 0.995;

/// Refuses bounds without room and a start out of them; gives the start, moved off the bounds.
pub(crate) fn start_inside(lower: &[f64], upper: &[f64], x0: &[f64]) -> Result<Vec<f64>, OptimizationError> {
    Bounds::new(lower, upper, x0)?;
    let mut x = x0.to_vec();
    for ((x, lower), upper) in x.iter_mut().zip(lower).zip(upper) {
        // Two neighbouring numbers have no room between them either.
        if lower.next_up() >= *upper {
            return Err(OptimizationError::InvalidHyperparameter {
                name: "upper",
                value: *upper,
                requirement: "above the lower bound",
            });
        }
        let off = |bound: f64| 1e-10 * bound.abs().max(1.0);
        if *x == *lower {
            *x = (lower + off(*lower)).min(0.5 * lower + 0.5 * upper);
        } else if *x == *upper {
            *x = (upper - off(*upper)).max(0.5 * lower + 0.5 * upper);
        }
        *x = strictly_inside(*x, *lower, *upper);
    }
    Ok(x)
}

fn strictly_inside(x: f64, lower: f64, upper: f64) -> f64 {
    x.max(lower.next_up()).min(upper.next_down())
}

/// The model in variables p̂ = p / d that shrink near a bound ahead.
pub(crate) struct Interior {
    /// Ĵ = J D over the root of the curvature that the change of D brings.
    model: Linear,
    d: Vec<f64>,
    /// J's column lengths.
    lengths: Vec<f64>,
    gradient: Vec<f64>,
    /// The distance to the bound that descent leads to, if there is one.
    room: Vec<Option<f64>>,
    /// The curvature that the change of D brings.
    bend: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

/// A step tried.
pub(crate) struct InteriorStep {
    pub(crate) point: Vec<f64>,
    /// ‖p̂‖.
    pub(crate) length: f64,
    /// ‖p‖.
    pub(crate) change: f64,
    /// What the model promises, the bending counted as a cost.
    pub(crate) decrease: f64,
    /// The bending's part.
    pub(crate) bending: f64,
    pub(crate) damping: f64,
    /// Whether a bound was in the way.
    pub(crate) cut: bool,
}

impl Interior {
    /// `jacobian` has as many rows more than `residuals` as columns, all zero. `None` where an entry is not finite.
    pub(crate) fn new(
        mut jacobian: Array2<f64>,
        residuals: &[f64],
        x: &[f64],
        (lower, upper): (&[f64], &[f64]),
    ) -> Option<Self> {
        let n = x.len();
        let mut gradient = vec![0.0; n];
        for (r, row) in residuals.iter().zip(jacobian.rows()) {
            gradient.iter_mut().zip(row).for_each(|(g, j)| *g += r * j);
        }
        let lengths: Vec<f64> = jacobian
            .columns()
            .into_iter()
            .map(|c| norm(&c.to_vec()))
            .collect();
        if gradient.iter().chain(&lengths).any(|v| !v.is_finite()) {
            return None;
        }
        let room: Vec<Option<f64>> = (0..n)
            .map(|i| {
                let ahead = if gradient[i] < 0.0 {
                    upper[i] - x[i]
                } else {
                    x[i] - lower[i]
                };
                (gradient[i] != 0.0 && ahead.is_finite()).then_some(ahead)
            })
            .collect();
        // With D = √room the derivative of D² adds the curvature |g|.
        let d: Vec<f64> = room.iter().map(|room| room.unwrap_or(1.0).sqrt()).collect();
        let bend: Vec<f64> = room
            .iter()
            .zip(&gradient)
            .map(|(room, g)| if room.is_some() { g.abs() } else { 0.0 })
            .collect();
        for mut row in jacobian.rows_mut() {
            row.iter_mut().zip(&d).for_each(|(j, d)| *j *= d);
        }
        for (i, bend) in bend.iter().enumerate() {
            jacobian[[residuals.len() + i, i]] = bend.sqrt();
        }
        Some(Self {
            model: Linear::new(&jacobian, residuals)?,
            d,
            lengths,
            gradient,
            room,
            bend,
            lower: lower.to_vec(),
            upper: upper.to_vec(),
        })
    }

    /// The largest |gᵢ| times the room ahead, at most 1.
    pub(crate) fn gradient_norm(&self) -> f64 {
        let entry = |(g, room): (&f64, &Option<f64>)| g.abs() * room.unwrap_or(1.0).min(1.0);
        self.gradient
            .iter()
            .zip(&self.room)
            .map(entry)
            .fold(0.0, f64::max)
    }

    /// ‖x / d‖.
    pub(crate) fn length_of(&self, x: &[f64]) -> f64 {
        norm(&x.iter().zip(&self.d).map(|(x, d)| x / d).collect::<Vec<_>>())
    }

    /// Whether every variable is at a right angle to the residuals, or would gain next to nothing on its way to the bound ahead.
    pub(crate) fn is_stationary(&self, value: f64, tolerance: f64) -> bool {
        let length = (2.0 * value).sqrt();
        (0..self.d.len()).all(|i| {
            let g = self.gradient[i].abs();
            g <= tolerance * self.lengths[i] * length
                || self.room[i].is_some_and(|room| g * room <= tolerance * value)
        })
    }

    /// The most promising step from `x` within the trust region and the bounds.
    pub(crate) fn step(&self, x: &[f64], region: f64, damping: f64) -> InteriorStep {
        let ones = vec![1.0; x.len()];
        let full = self.model.step(&ones, region, damping);
        let reach = region.max(full.length);
        let hat = full.p;
        let (share, hits) = self.to_bound(x, &hat);
        let cut = share <= 1.0;
        let hat = if cut {
            self.bent(x, &hat, share, &hits, reach)
        } else {
            hat
        };
        let point: Vec<f64> = (0..x.len())
            .map(|i| strictly_inside(x[i] + self.d[i] * hat[i], self.lower[i], self.upper[i]))
            .collect();
        let moved: Vec<f64> = point.iter().zip(x).map(|(p, x)| p - x).collect();
        let bending = 0.5 * hat.iter().zip(&self.bend).map(|(p, b)| p * p * b).sum::<f64>();
        InteriorStep {
            length: norm(&hat),
            change: norm(&moved),
            decrease: self.decrease(&hat),
            point,
            bending,
            damping: full.damping,
            cut,
        }
    }

    /// What the model promises for p̂.
    fn decrease(&self, hat: &[f64]) -> f64 {
        -dot(&self.model.gradient, hat) - 0.5 * norm(&self.model.image(hat)).powi(2)
    }

    /// The multiple of p̂ that ends on the first bound, infinite if there is none, and which variables are on it then.
    fn to_bound(&self, x: &[f64], hat: &[f64]) -> (f64, Vec<bool>) {
        let share = |i: usize| {
            let p = self.d[i] * hat[i];
            if p > 0.0 {
                (self.upper[i] - x[i]) / p
            } else if p < 0.0 {
                (self.lower[i] - x[i]) / p
            } else {
                f64::INFINITY
            }
        };
        let shares: Vec<f64> = (0..x.len()).map(share).collect();
        let first = shares.iter().copied().fold(f64::INFINITY, f64::min);
        (first, shares.iter().map(|s| *s == first).collect())
    }

    /// The best of the step cut at the bound, the step reflected there, and one along the gradient.
    fn bent(&self, x: &[f64], hat: &[f64], share: f64, hits: &[bool], reach: f64) -> Vec<f64> {
        let back = STEP_BACK.max(1.0 - self.gradient_norm());
        let times = |v: &[f64], factor: f64| v.iter().map(|v| factor * v).collect::<Vec<f64>>();
        let mut candidates = vec![times(hat, back * share)];

        let wall = times(hat, share);
        let mirrored: Vec<f64> = hat
            .iter()
            .zip(hits)
            .map(|(p, hit)| if *hit { -p } else { *p })
            .collect();
        let on_wall: Vec<f64> = (0..x.len())
            .map(|i| (x[i] + self.d[i] * wall[i]).clamp(self.lower[i], self.upper[i]))
            .collect();
        let least = (1.0 - back) * share;
        let most = (back * self.to_bound(&on_wall, &mirrored).0).min(to_sphere(&wall, &mirrored, reach));
        if least < most {
            let along = self.lowest(&wall, &mirrored, least, most);
            candidates.push(wall.iter().zip(&mirrored).map(|(w, m)| w + along * m).collect());
        }

        let downhill = times(&self.model.gradient, -1.0);
        let most = (back * self.to_bound(x, &downhill).0).min(reach / norm(&downhill));
        let origin = vec![0.0; x.len()];
        candidates.push(times(&downhill, self.lowest(&origin, &downhill, 0.0, most)));

        candidates
            .into_iter()
            .max_by(|a, b| self.decrease(a).total_cmp(&self.decrease(b)))
            .unwrap_or(origin)
    }

    /// The multiple of `direction` in [least, most] that brings the model lowest from `start`.
    fn lowest(&self, start: &[f64], direction: &[f64], least: f64, most: f64) -> f64 {
        let image = self.model.image(direction);
        let slope = dot(&self.model.gradient, direction) + dot(&self.model.image(start), &image);
        let curvature = dot(&image, &image);
        if curvature > 0.0 {
            (-slope / curvature).clamp(least, most)
        } else if slope < 0.0 {
            most
        } else {
            least
        }
    }
}
