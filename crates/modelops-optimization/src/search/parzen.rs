//! Mixtures of kernels around observed parameters.

use libm::{erf, erfc};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::space::Domain;
use crate::kernel::mixture::log_mixture;

/// A mixture over several parameters at once: one product of kernels an observation, and a prior over the whole space.
pub(crate) struct Parzen {
    weights: Vec<f64>,
    /// ln of weight times the normalisers of all continuous kernels.
    log_weights: Vec<f64>,
    axes: Vec<Axis>,
}

/// One parameter: a kernel an observation, the last for the prior.
enum Axis {
    /// Normal kernels cut off at the ends; in logarithms where the domain is.
    Continuous {
        kernels: Kernels,
        log: bool,
        inverse_sigmas: Vec<f64>,
    },
    /// The same, of which each value takes the mass of its cell.
    Stepped {
        kernels: Kernels,
        log: bool,
        step: f64,
        first: f64,
        last: f64,
    },
    /// Weights of the choices: kernel by kernel, `choices` entries each.
    Choice { log_weights: Vec<f64>, choices: usize },
}

struct Kernels {
    means: Vec<f64>,
    sigmas: Vec<f64>,
    low: f64,
    high: f64,
}

/// Observations below which all weigh the same; of more, the oldest weigh less.
const EQUAL_WEIGHTS: usize = 25;

impl Parzen {
    /// A mixture from observations: one list of numbers a domain, all of one length, in the order of time.
    pub(crate) fn new(domains: &[&Domain], observations: &[Vec<f64>]) -> Self {
        let count = observations.first().map_or(0, Vec::len);
        let mut weights = weights_by_age(count);
        weights.push(1.0);
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        let mut log_weights: Vec<f64> = weights.iter().map(|w| w.ln()).collect();
        let axes: Vec<Axis> = domains
            .iter()
            .zip(observations)
            .map(|(d, o)| Axis::new(d, o))
            .collect();
        for axis in &axes {
            if let Axis::Continuous { kernels, .. } = axis {
                for (w, (mean, sigma)) in log_weights
                    .iter_mut()
                    .zip(kernels.means.iter().zip(&kernels.sigmas))
                {
                    *w -= HALF_LN_2PI + sigma.ln() + kernels.log_mass(*mean, *sigma);
                }
            }
        }
        Self {
            weights,
            log_weights,
            axes,
        }
    }

    /// One draw: a kernel by weight, then every parameter from it.
    pub(crate) fn draw(&self, generator: &mut ChaCha8Rng) -> Vec<f64> {
        let mut left: f64 = generator.random();
        let mut kernel = self.weights.len() - 1;
        for (k, weight) in self.weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                kernel = k;
                break;
            }
        }
        self.axes
            .iter()
            .map(|axis| axis.draw(kernel, generator))
            .collect()
    }

    /// ln of the density at each of `points`.
    pub(crate) fn log_density(&self, points: &[Vec<f64>]) -> Vec<f64> {
        let mut exponents = vec![0.0; self.log_weights.len()];
        points
            .iter()
            .map(|point| {
                exponents.copy_from_slice(&self.log_weights);
                for (axis, x) in self.axes.iter().zip(point) {
                    axis.add_log_density(*x, &mut exponents);
                }
                log_mixture(&exponents)
            })
            .collect()
    }
}

/// ln √(2π).
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

/// 1 for the newest 25, falling to 1/n for the oldest of more.
fn weights_by_age(n: usize) -> Vec<f64> {
    let old = n.saturating_sub(EQUAL_WEIGHTS);
    let least = 1.0 / n.max(1) as f64;
    let ramp = |k: usize| {
        if old > 1 {
            least + (1.0 - least) * k as f64 / (old - 1) as f64
        } else {
            least
        }
    };
    (0..n).map(|k| if k < old { ramp(k) } else { 1.0 }).collect()
}

impl Axis {
    fn new(domain: &Domain, observations: &[f64]) -> Self {
        match domain {
            Domain::Categorical { choices } => Self::choice(observations, choices.len()),
            Domain::Float {
                low,
                high,
                log,
                step: None,
            } => {
                let kernels = Kernels::new(observations, *low, *high, *log);
                let inverse_sigmas = kernels.sigmas.iter().map(|s| 1.0 / s).collect();
                Self::Continuous {
                    kernels,
                    log: *log,
                    inverse_sigmas,
                }
            }
            Domain::Float {
                low,
                high,
                log,
                step: Some(step),
            } => Self::stepped(observations, *low, *high, *step, *log),
            Domain::Int { low, high, log, step } => {
                Self::stepped(observations, *low as f64, *high as f64, *step as f64, *log)
            }
        }
    }

    fn choice(observations: &[f64], choices: usize) -> Self {
        let kernels = observations.len() + 1;
        let smoothing = 1.0 / kernels as f64;
        let total = 1.0 + smoothing * choices as f64;
        let mut log_weights = vec![(smoothing / total).ln(); kernels * choices];
        for (kernel, seen) in observations.iter().enumerate() {
            log_weights[kernel * choices + *seen as usize] = ((1.0 + smoothing) / total).ln();
        }
        log_weights[(kernels - 1) * choices..].fill((1.0 / choices as f64).ln());
        Self::Choice { log_weights, choices }
    }

    fn stepped(observations: &[f64], low: f64, high: f64, step: f64, log: bool) -> Self {
        let kernels = Kernels::new(observations, low - step / 2.0, high + step / 2.0, log);
        Self::Stepped {
            kernels,
            log,
            step,
            first: low,
            last: high,
        }
    }

    /// Adds the logarithm of every kernel's density at `x`; constants of continuous kernels are in the weights.
    fn add_log_density(&self, x: f64, exponents: &mut [f64]) {
        match self {
            Self::Continuous {
                kernels,
                log,
                inverse_sigmas,
            } => {
                let x = if *log { x.ln() } else { x };
                for ((e, mean), inverse) in exponents.iter_mut().zip(&kernels.means).zip(inverse_sigmas) {
                    let z = (x - mean) * inverse;
                    *e -= 0.5 * z * z;
                }
            }
            Self::Stepped {
                kernels, log, step, ..
            } => {
                let (mut left, mut right) = (x - step / 2.0, x + step / 2.0);
                if *log {
                    (left, right) = (left.ln(), right.ln());
                }
                for ((e, mean), sigma) in exponents.iter_mut().zip(&kernels.means).zip(&kernels.sigmas) {
                    *e += log_gauss_mass((left - mean) / sigma, (right - mean) / sigma)
                        - kernels.log_mass(*mean, *sigma);
                }
            }
            Self::Choice { log_weights, choices } => {
                for (e, kernel) in exponents.iter_mut().zip(log_weights.chunks_exact(*choices)) {
                    *e += kernel[x as usize];
                }
            }
        }
    }

    fn draw(&self, kernel: usize, generator: &mut ChaCha8Rng) -> f64 {
        match self {
            Self::Continuous { kernels, log, .. } => {
                let x = kernels.draw(kernel, generator);
                // The logarithm and back may leave the range by a rounding.
                if *log {
                    x.exp().clamp(kernels.low.exp(), kernels.high.exp())
                } else {
                    x
                }
            }
            Self::Stepped {
                kernels,
                log,
                step,
                first,
                last,
            } => {
                let x = kernels.draw(kernel, generator);
                let x = if *log { x.exp() } else { x };
                (first + ((x - first) / step).round() * step).clamp(*first, *last)
            }
            Self::Choice { log_weights, choices } => {
                let weights = &log_weights[kernel * choices..(kernel + 1) * choices];
                let mut left: f64 = generator.random();
                let chosen = weights.iter().position(|w| {
                    left -= w.exp();
                    left < 0.0
                });
                chosen.unwrap_or(choices - 1) as f64
            }
        }
    }
}

impl Kernels {
    /// Kernels as wide as the farther neighbour is away, within limits; then the prior.
    fn new(observations: &[f64], low: f64, high: f64, log: bool) -> Self {
        let (low, high) = if log { (low.ln(), high.ln()) } else { (low, high) };
        let mut means: Vec<f64> = observations
            .iter()
            .map(|x| if log { x.ln() } else { *x })
            .collect();
        let mut sigmas = neighbour_distances(&means, low, high);
        let range = high - low;
        let narrowest = range / (2.0 + means.len() as f64).min(100.0);
        sigmas.iter_mut().for_each(|s| *s = s.clamp(narrowest, range));
        means.push(0.5 * (low + high));
        sigmas.push(range);
        // A range of one value: any width will do, as long as it is one.
        sigmas.iter_mut().for_each(|s| *s = s.max(f64::MIN_POSITIVE));
        Self {
            means,
            sigmas,
            low,
            high,
        }
    }

    /// ln of a kernel's mass between the ends.
    fn log_mass(&self, mean: f64, sigma: f64) -> f64 {
        if self.high > self.low {
            log_gauss_mass((self.low - mean) / sigma, (self.high - mean) / sigma)
        } else {
            0.0
        }
    }

    /// A draw from one kernel within the ends.
    fn draw(&self, kernel: usize, generator: &mut ChaCha8Rng) -> f64 {
        // A mean within the ends and a width of at most the range keep a third of the draws or more.
        for _ in 0..200 {
            let z: f64 = StandardNormal.sample(generator);
            let x = self.means[kernel] + self.sigmas[kernel] * z;
            if self.low <= x && x <= self.high {
                return x;
            }
        }
        self.means[kernel].clamp(self.low, self.high)
    }
}

/// For each point the distance to the farther of its two neighbours; the outermost of several have one neighbour.
fn neighbour_distances(points: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].total_cmp(&points[*b]));
    let at = |k: usize| points[order[k]];
    let mut distances = vec![0.0; points.len()];
    let last = points.len().wrapping_sub(1);
    for k in 0..points.len() {
        let below = if k == 0 { at(k) - low } else { at(k) - at(k - 1) };
        let above = if k == last {
            high - at(k)
        } else {
            at(k + 1) - at(k)
        };
        distances[order[k]] = match k {
            0 if last > 0 => above,
            _ if k == last && last > 0 => below,
            _ => above.max(below),
        };
    }
    distances
}

/// ln (Φ(b) − Φ(a)) for a ≤ b, without cancellation in the tails.
fn log_gauss_mass(a: f64, b: f64) -> f64 {
    let root = std::f64::consts::FRAC_1_SQRT_2;
    let mass = if a > 0.0 {
        erfc(a * root) - erfc(b * root)
    } else if b < 0.0 {
        erfc(-b * root) - erfc(-a * root)
    } else {
        erf(b * root) - erf(a * root)
    };
    (0.5 * mass).max(f64::MIN_POSITIVE).ln()
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{CLOSED_FORM, close};

    use super::*;

    /// Densities of Optuna 5.0.0 at five points, from its own estimator; see tests/data/README.md.
    #[test]
    fn densities_are_those_of_optuna() {
        let float = |low, high, log, step| Domain::Float { low, high, log, step };
        let domains = [
            float(-5.0, 5.0, false, None),
            float(1e-5, 1e-1, true, None),
            Domain::Int {
                low: 1,
                high: 64,
                log: true,
                step: 1,
            },
            Domain::Int {
                low: 10,
                high: 100,
                log: false,
                step: 10,
            },
            Domain::Categorical {
                choices: vec!["a".into(), "b".into(), "c".into()],
            },
            float(0.0, 1.0, false, Some(0.2)),
        ];
        for (count, expected) in [(3, DENSITIES_3), (40, DENSITIES_40)] {
            // Plain arithmetic that both sides can do.
            let part = |k: usize, m: usize| ((k * m) % 101) as f64 / 101.0;
            let point = |k: usize| {
                vec![
                    -5.0 + 10.0 * part(k, 37),
                    1e-5 + (1e-1 - 1e-5) * part(k, 53).powi(3),
                    (1.0 + (63.0 * part(k, 71)).floor()).floor(),
                    10.0 * (1.0 + (10.0 * part(k, 29)).floor()),
                    (3.0 * part(k, 43)).floor(),
                    0.2 * (6.0 * part(k, 61)).floor(),
                ]
            };
            let observed: Vec<Vec<f64>> = (1..=count).map(point).collect();
            let columns: Vec<Vec<f64>> = (0..6)
                .map(|j| observed.iter().map(|row| row[j]).collect())
                .collect();
            let parzen = Parzen::new(&domains.each_ref(), &columns);
            let ours = parzen.log_density(&(50..55).map(point).collect::<Vec<_>>());
            for (a, b) in ours.iter().zip(expected) {
                assert!(close(*a, b, CLOSED_FORM), "{ours:?} against {expected:?}");
            }
        }
    }

    const DENSITIES_3: [f64; 5] = [
        -13.84377138670048,
        -15.097901615370565,
        -14.399243369513869,
        -13.669630038520266,
        -14.61294800600601,
    ];
    const DENSITIES_40: [f64; 5] = [
        -16.978924905554514,
        -18.85093715040478,
        -18.44649091982131,
        -17.683764784709034,
        -18.89598533534363,
    ];

    #[test]
    fn weights_fall_with_age() {
        assert_eq!(weights_by_age(0), [0.0; 0]);
        assert_eq!(weights_by_age(25), [1.0; 25]);
        assert_eq!(weights_by_age(26)[..2], [1.0 / 26.0, 1.0]);
        let forty = weights_by_age(40);
        assert!(close(forty[1], 0.09464285714285714, CLOSED_FORM) && forty[14] == 1.0);
    }
}
