//! Mixtures of kernels around observed parameters.

use libm::{erf, erfc};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::space::Domain;
use crate::kernel::mixture::{Kernels, log_mixture, log_mixtures};

/// A mixture over several parameters at once: a prior over the whole space, and one product of kernels an observation.
///
/// It is a function of the observations alone, whatever the order in which they came in.
pub(crate) struct Parzen {
    axes: Vec<Axis>,
    /// The numbers of the observed trials, in their order. Kernel 0 is the prior, kernel k + 1 belongs to the trial at k.
    trials: Vec<usize>,
    weights: Vec<f64>,
    total: f64,
    /// ln of the normalisers of a kernel, over all axes.
    constants: Vec<f64>,
}

/// One parameter: a kernel for the prior, then one an observation.
struct Axis {
    shape: Shape,
    /// Whether the kernels are of the logarithm.
    log: bool,
    /// The ends between which the kernels are cut off.
    low: f64,
    high: f64,
    /// The observations; the place of a choice.
    means: Vec<f64>,
    /// √½ over the widths.
    inverses: Vec<f64>,
    constants: Vec<f64>,
    /// The observed kernels by their means, equal ones by age.
    order: Vec<u32>,
}

enum Shape {
    /// Normal kernels.
    Continuous,
    /// The same, of which each value takes the mass of its cell.
    Stepped { step: f64, first: f64, last: f64 },
    /// Weights of so many choices.
    Choice(usize),
}

/// Observations below which all weigh the same; of more, the oldest weigh less.
const EQUAL_WEIGHTS: usize = 25;

/// ln √(2π).
const HALF_LN_2PI: f64 = 0.918_938_533_204_672_7;

impl Parzen {
    /// The prior alone.
    pub(crate) fn new<'a>(domains: impl IntoIterator<Item = &'a Domain>) -> Self {
        let mut parzen = Self {
            axes: domains.into_iter().map(Axis::new).collect(),
            trials: Vec::new(),
            weights: Vec::new(),
            total: 0.0,
            constants: Vec::new(),
        };
        parzen.refill(std::iter::empty());
        parzen
    }

    /// Takes these observations instead of those before: the number of a trial and its point, in the order of the numbers.
    pub(crate) fn refill(&mut self, observations: impl Iterator<Item = (usize, Vec<f64>)>) {
        self.trials.clear();
        self.axes.iter_mut().for_each(Axis::clear);
        for (number, point) in observations {
            self.trials.push(number);
            for (axis, x) in self.axes.iter_mut().zip(point) {
                axis.push(x);
            }
        }
        self.axes.iter_mut().for_each(Axis::fit);
        let kernels = self.trials.len() + 1;
        self.constants.resize(kernels, 0.0);
        for kernel in 0..kernels {
            self.sum_constants(kernel);
        }
        self.weigh();
    }

    /// Takes one more observation. Only the kernels beside it change, once there are enough of them.
    pub(crate) fn insert(&mut self, number: usize, point: &[f64]) {
        let place = self.trials.partition_point(|n| *n < number);
        self.trials.insert(place, number);
        let kernel = place + 1;
        self.constants.insert(kernel, 0.0);
        let mut changed = vec![kernel];
        for (axis, x) in self.axes.iter_mut().zip(point) {
            axis.insert(kernel, *x, &mut changed);
        }
        if self.trials.len() + 2 <= NARROWEST {
            changed = (0..self.constants.len()).collect();
        }
        changed.sort_unstable();
        changed.dedup();
        for kernel in changed {
            self.sum_constants(kernel);
        }
        self.weigh();
    }

    fn sum_constants(&mut self, kernel: usize) {
        self.constants[kernel] = self.axes.iter().map(|a| a.constants[kernel]).sum();
    }

    /// 1 for the prior and the newest 25, falling to 1/n for the oldest of more.
    fn weigh(&mut self) {
        self.weights.clear();
        self.weights.push(1.0);
        self.weights.extend(weights_by_age(self.trials.len()));
        self.total = self.weights.iter().sum();
    }

    /// One draw: a kernel by weight, then every parameter from it.
    pub(crate) fn draw(&self, generator: &mut ChaCha8Rng, point: &mut [f64]) {
        let mut left = generator.random::<f64>() * self.total;
        let kernel = self.weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let kernel = kernel.unwrap_or(0);
        for (axis, x) in self.axes.iter().zip(point) {
            *x = axis.draw(kernel, generator);
        }
    }

    /// ln of the density at each of `points`, which are stored one after the other.
    pub(crate) fn log_density(&self, points: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; points.len() / self.axes.len()];
        if self.axes.iter().all(|a| matches!(a.shape, Shape::Continuous)) {
            let axes: Vec<Kernels<'_>> = self
                .axes
                .iter()
                .map(|a| (&a.means[..], &a.inverses[..]))
                .collect();
            let mut points = points.to_vec();
            for point in points.chunks_exact_mut(self.axes.len()) {
                for (axis, x) in self.axes.iter().zip(point) {
                    *x = axis.transform(*x);
                }
            }
            log_mixtures(&points, &axes, &self.constants, &self.weights, &mut out);
        } else {
            let mut exponents = vec![0.0; self.constants.len()];
            for (out, point) in out.iter_mut().zip(points.chunks_exact(self.axes.len())) {
                exponents.copy_from_slice(&self.constants);
                for (axis, x) in self.axes.iter().zip(point) {
                    axis.add_log_density(*x, &mut exponents);
                }
                *out = log_mixture(&exponents, &self.weights);
            }
        }
        out.iter_mut().for_each(|density| *density -= self.total.ln());
        out
    }
}

fn weights_by_age(n: usize) -> impl Iterator<Item = f64> {
    let old = n.saturating_sub(EQUAL_WEIGHTS);
    let least = 1.0 / n.max(1) as f64;
    let slope = if old > 1 {
        (1.0 - least) / (old - 1) as f64
    } else {
        0.0
    };
    let ramp = (0..old).map(move |k| least + slope * k as f64);
    ramp.chain(std::iter::repeat_n(1.0, n - old))
}

/// A kernel is no narrower than the range over this many, and over the number of kernels where there are fewer.
const NARROWEST: usize = 100;

impl Axis {
    fn new(domain: &Domain) -> Self {
        let (shape, low, high, log) = match domain {
            Domain::Categorical { choices } => (Shape::Choice(choices.len()), 0.0, 0.0, false),
            Domain::Float {
                low,
                high,
                log,
                step: None,
            } => (Shape::Continuous, *low, *high, *log),
            Domain::Float {
                low,
                high,
                log,
                step: Some(step),
            } => Shape::stepped(*low, *high, *step, *log),
            Domain::Int { low, high, log, step } => {
                Shape::stepped(*low as f64, *high as f64, *step as f64, *log)
            }
        };
        let (low, high) = if log { (low.ln(), high.ln()) } else { (low, high) };
        Self {
            shape,
            log,
            low,
            high,
            means: Vec::new(),
            inverses: Vec::new(),
            constants: Vec::new(),
            order: Vec::new(),
        }
    }

    fn transform(&self, x: f64) -> f64 {
        if self.log { x.ln() } else { x }
    }

    /// Forgets the observations.
    fn clear(&mut self) {
        self.means.clear();
        self.means.push(0.5 * (self.low + self.high));
    }

    /// Adds an observation; [`fit`](Self::fit) has to follow.
    fn push(&mut self, x: f64) {
        self.means.push(self.transform(x));
    }

    /// Finds the order and the widths of all kernels.
    fn fit(&mut self) {
        let kernels = self.means.len();
        self.inverses.resize(kernels, 0.0);
        self.constants.resize(kernels, 0.0);
        if matches!(self.shape, Shape::Choice(_)) {
            return;
        }
        self.order.clear();
        self.order.extend(1..kernels as u32);
        let means = &self.means;
        self.order
            .sort_by(|a, b| means[*a as usize].total_cmp(&means[*b as usize]));
        self.set_width(0, self.high - self.low);
        for place in 0..self.order.len() {
            self.fit_place(place);
        }
    }

    /// Adds an observation as this kernel, and names the kernels that change.
    fn insert(&mut self, kernel: usize, x: f64, changed: &mut Vec<usize>) {
        let mean = self.transform(x);
        self.means.insert(kernel, mean);
        self.inverses.insert(kernel, 0.0);
        self.constants.insert(kernel, 0.0);
        if matches!(self.shape, Shape::Choice(_)) {
            return;
        }
        if kernel + 1 < self.means.len() {
            self.order
                .iter_mut()
                .for_each(|k| *k += u32::from(*k >= kernel as u32));
        }
        let before = |k: &u32| {
            let by_mean = self.means[*k as usize].total_cmp(&mean);
            by_mean.is_lt() || (by_mean.is_eq() && (*k as usize) < kernel)
        };
        let place = self.order.partition_point(before);
        self.order.insert(place, kernel as u32);
        let near = if self.order.len() + 2 <= NARROWEST {
            0..self.order.len()
        } else {
            place.saturating_sub(1)..(place + 2).min(self.order.len())
        };
        for place in near {
            self.fit_place(place);
            changed.push(self.order[place] as usize);
        }
    }

    /// Makes the kernel at a place of the order as wide as the farther of its neighbours is away, within limits.
    fn fit_place(&mut self, place: usize) {
        let at = |k: usize| self.means[self.order[k] as usize];
        let last = self.order.len() - 1;
        let below = at(place) - if place == 0 { self.low } else { at(place - 1) };
        let above = if place == last { self.high } else { at(place + 1) } - at(place);
        // The outermost of several look inwards only.
        let distance = match place {
            0 if last > 0 => above,
            _ if place == last && last > 0 => below,
            _ => above.max(below),
        };
        let range = self.high - self.low;
        let narrowest = range / (self.order.len() + 2).min(NARROWEST) as f64;
        self.set_width(self.order[place] as usize, distance.clamp(narrowest, range));
    }

    fn set_width(&mut self, kernel: usize, sigma: f64) {
        // A range of one value: any width will do, as long as it is one.
        let sigma = sigma.max(f64::MIN_POSITIVE);
        self.inverses[kernel] = std::f64::consts::FRAC_1_SQRT_2 / sigma;
        let mean = self.means[kernel];
        let log_mass = if self.high > self.low {
            log_gauss_mass((self.low - mean) / sigma, (self.high - mean) / sigma)
        } else {
            0.0
        };
        self.constants[kernel] = match self.shape {
            Shape::Continuous => -(HALF_LN_2PI + sigma.ln() + log_mass),
            _ => -log_mass,
        };
    }

    fn sigma(&self, kernel: usize) -> f64 {
        std::f64::consts::FRAC_1_SQRT_2 / self.inverses[kernel]
    }

    /// Adds the logarithm of every kernel's density at `x`, without its constant.
    fn add_log_density(&self, x: f64, exponents: &mut [f64]) {
        match self.shape {
            Shape::Continuous => {
                let x = self.transform(x);
                for ((e, mean), inverse) in exponents.iter_mut().zip(&self.means).zip(&self.inverses) {
                    let z = (x - mean) * inverse;
                    *e -= z * z;
                }
            }
            Shape::Stepped { step, .. } => {
                let (left, right) = (self.transform(x - step / 2.0), self.transform(x + step / 2.0));
                for (kernel, e) in exponents.iter_mut().enumerate() {
                    let (mean, sigma) = (self.means[kernel], self.sigma(kernel));
                    *e += log_gauss_mass((left - mean) / sigma, (right - mean) / sigma);
                }
            }
            Shape::Choice(choices) => {
                let (other, seen) = choice_weights(self.means.len(), choices);
                let (other, seen) = (other.ln(), seen.ln());
                for (e, mean) in exponents.iter_mut().zip(&self.means).skip(1) {
                    *e += if *mean == x { seen } else { other };
                }
                exponents[0] -= (choices as f64).ln();
            }
        }
    }

    fn draw(&self, kernel: usize, generator: &mut ChaCha8Rng) -> f64 {
        match self.shape {
            Shape::Continuous => {
                let x = self.draw_normal(kernel, generator);
                // The logarithm and back may leave the range by a rounding.
                if self.log {
                    x.exp().clamp(self.low.exp(), self.high.exp())
                } else {
                    x
                }
            }
            Shape::Stepped { step, first, last } => {
                let x = self.draw_normal(kernel, generator);
                let x = if self.log { x.exp() } else { x };
                (first + ((x - first) / step).round() * step).clamp(first, last)
            }
            Shape::Choice(choices) => {
                let mut left: f64 = generator.random();
                let (other, seen) = choice_weights(self.means.len(), choices);
                let chosen = (0..choices).position(|choice| {
                    left -= match kernel {
                        0 => 1.0 / choices as f64,
                        _ if self.means[kernel] == choice as f64 => seen,
                        _ => other,
                    };
                    left < 0.0
                });
                chosen.unwrap_or(choices - 1) as f64
            }
        }
    }

    /// A draw from one kernel within the ends.
    fn draw_normal(&self, kernel: usize, generator: &mut ChaCha8Rng) -> f64 {
        let (mean, sigma) = (self.means[kernel], self.sigma(kernel));
        // A mean within the ends and a width of at most the range keep a third of the draws or more.
        for _ in 0..200 {
            let z: f64 = StandardNormal.sample(generator);
            let x = mean + sigma * z;
            if self.low <= x && x <= self.high {
                return x;
            }
        }
        mean.clamp(self.low, self.high)
    }
}

impl Shape {
    /// Cells around the values, the outermost of which reach half a step beyond the ends.
    fn stepped(low: f64, high: f64, step: f64, log: bool) -> (Self, f64, f64, bool) {
        let shape = Self::Stepped {
            step,
            first: low,
            last: high,
        };
        (shape, low - step / 2.0, high + step / 2.0, log)
    }
}

/// The weights that an observed choice gives to each of the others, and to itself.
fn choice_weights(kernels: usize, choices: usize) -> (f64, f64) {
    let smoothing = 1.0 / kernels as f64;
    let total = 1.0 + smoothing * choices as f64;
    (smoothing / total, (1.0 + smoothing) / total)
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
            let points: Vec<f64> = (50..55).flat_map(point).collect();
            let mut at_once = Parzen::new(&domains);
            at_once.refill(observed.iter().cloned().enumerate());
            // One by one, in an order that is not that of their numbers.
            let mut one_by_one = Parzen::new(&domains);
            for k in 0..count {
                let number = (7 * k) % count;
                one_by_one.insert(number, &observed[number]);
            }
            let ours = at_once.log_density(&points);
            assert_eq!(ours, one_by_one.log_density(&points));
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
    fn observations_taken_one_by_one_give_the_same_mixture() {
        let domains = [
            Domain::Float {
                low: -1.0,
                high: 1.0,
                log: false,
                step: None,
            },
            Domain::Float {
                low: 1e-3,
                high: 1.0,
                log: true,
                step: None,
            },
        ];
        // Past the width limit, and with values that come twice.
        let point = |k: usize| {
            vec![
                ((k * 37) % 101) as f64 / 101.0,
                1e-3 + ((k * 53) % 89) as f64 / 100.0,
            ]
        };
        let mut one_by_one = Parzen::new(&domains);
        for k in 0..300 {
            let number = (7 * k) % 300;
            one_by_one.insert(number, &point(number));
        }
        let mut at_once = Parzen::new(&domains);
        at_once.refill((0..300).map(|k| (k, point(k))));
        let points: Vec<f64> = (300..320).flat_map(point).collect();
        assert_eq!(at_once.log_density(&points), one_by_one.log_density(&points));
    }

    #[test]
    fn weights_fall_with_age() {
        let weights = |n| weights_by_age(n).collect::<Vec<f64>>();
        assert_eq!(weights(0), [0.0; 0]);
        assert_eq!(weights(25), [1.0; 25]);
        assert_eq!(weights(26)[..2], [1.0 / 26.0, 1.0]);
        let forty = weights(40);
        assert!(close(forty[1], 0.09464285714285714, CLOSED_FORM) && forty[14] == 1.0);
    }
}
