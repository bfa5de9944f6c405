//! The state of a CMA evolution strategy: a normal distribution that learns from ranked points.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::kernel::triangular::{add_outer, factor, multiply, solve};

/// A normal distribution with mean m and covariance σ² C, and what its adaptation needs.
///
/// C is kept with its Cholesky factor, so that a generation costs O(λ n²) and a factorization.
#[derive(Debug, Clone)]
pub(crate) struct Evolution {
    pub(crate) mean: Vec<f64>,
    pub(crate) sigma: f64,
    rates: Rates,
    /// C and its lower factor, row by row.
    covariance: Vec<f64>,
    factor: Vec<f64>,
    path_sigma: Vec<f64>,
    path_c: Vec<f64>,
    generation: usize,
    /// The last covariance could not be factored.
    broken: bool,
}

/// The constants of the strategy for n variables and λ points a generation.
#[derive(Debug, Clone)]
struct Rates {
    weights: Vec<f64>,
    mu_eff: f64,
    c_sigma: f64,
    d_sigma: f64,
    c_c: f64,
    c_1: f64,
    c_mu: f64,
    expected_norm: f64,
}

/// The usual number of points a generation: 4 + ⌊3 ln n⌋.
pub(crate) fn usual_population(n: usize) -> usize {
    4 + (3.0 * (n.max(1) as f64).ln()).floor() as usize
}

impl Rates {
    fn new(n: usize, lambda: usize) -> Self {
        let dim = n as f64;
        let mut weights: Vec<f64> = (1..=lambda)
            .map(|i| ((lambda as f64 + 1.0) / 2.0).ln() - (i as f64).ln())
            .collect();
        let effective = |w: &[f64]| w.iter().sum::<f64>().powi(2) / w.iter().map(|w| w * w).sum::<f64>();
        let split = weights.partition_point(|w| *w > 0.0);
        let mu_eff = effective(&weights[..split]);
        let c_c = (4.0 + mu_eff / dim) / (dim + 4.0 + 2.0 * mu_eff / dim);
        let c_sigma = (mu_eff + 2.0) / (dim + mu_eff + 5.0);
        let c_1 = 2.0 / ((dim + 1.3).powi(2) + mu_eff);
        let c_mu =
            (1.0 - c_1).min(2.0 * (0.25 + mu_eff + 1.0 / mu_eff - 2.0) / ((dim + 2.0).powi(2) + mu_eff));
        let d_sigma = 1.0 + 2.0 * (((mu_eff - 1.0) / (dim + 1.0)).sqrt() - 1.0).max(0.0) + c_sigma;
        // The bad points get negative weights, which must leave C positive definite.
        let positive: f64 = weights[..split].iter().sum();
        weights[..split].iter_mut().for_each(|w| *w /= positive);
        let negative: f64 = -weights[split..].iter().sum::<f64>();
        if negative > 0.0 {
            let mu_eff_negative = effective(&weights[split..]);
            let most = (1.0 + c_1 / c_mu)
                .min(1.0 + 2.0 * mu_eff_negative / (mu_eff + 2.0))
                .min((1.0 - c_1 - c_mu) / (dim * c_mu));
            weights[split..].iter_mut().for_each(|w| *w *= most / negative);
        }
        let expected_norm = dim.sqrt() * (1.0 - 1.0 / (4.0 * dim) + 1.0 / (21.0 * dim * dim));
        Self {
            weights,
            mu_eff,
            c_sigma,
            d_sigma,
            c_c,
            c_1,
            c_mu,
            expected_norm,
        }
    }
}

impl Evolution {
    /// A round distribution of width `sigma`.
    pub(crate) fn new(mean: Vec<f64>, sigma: f64, lambda: usize) -> Self {
        let n = mean.len();
        let mut covariance = vec![0.0; n * n];
        (0..n).for_each(|k| covariance[k * n + k] = 1.0);
        Self {
            rates: Rates::new(n, lambda.max(2)),
            factor: covariance.clone(),
            covariance,
            path_sigma: vec![0.0; n],
            path_c: vec![0.0; n],
            generation: 0,
            broken: false,
            mean,
            sigma,
        }
    }

    /// λ.
    pub(crate) fn population(&self) -> usize {
        self.rates.weights.len()
    }

    /// A draw.
    pub(crate) fn draw(&self, generator: &mut ChaCha8Rng, point: &mut [f64]) {
        let z: Vec<f64> = (0..point.len())
            .map(|_| StandardNormal.sample(generator))
            .collect();
        multiply(&self.factor, &z, point);
        for (x, mean) in point.iter_mut().zip(&self.mean) {
            *x = mean + self.sigma * *x;
        }
    }

    /// The width along one variable.
    pub(crate) fn deviation(&self, axis: usize) -> f64 {
        self.sigma * self.covariance[axis * self.mean.len() + axis].sqrt()
    }

    /// Learns from λ points, the best first.
    pub(crate) fn update(&mut self, ranked: &[&[f64]]) {
        let n = self.mean.len();
        let rates = &self.rates;
        self.generation += 1;
        // Steps in the units of the distribution: y = (x − m) / σ, and z with y = A z.
        let mut steps = Vec::with_capacity(ranked.len());
        for point in ranked {
            let y: Vec<f64> = point
                .iter()
                .zip(&self.mean)
                .map(|(x, m)| (x - m) / self.sigma)
                .collect();
            let mut z = y.clone();
            solve(&self.factor, &mut z);
            let norm_squared: f64 = z.iter().map(|z| z * z).sum();
            steps.push((y, z, norm_squared));
        }
        let mut mean_y = vec![0.0; n];
        let mut mean_z = vec![0.0; n];
        for ((y, z, _), w) in steps.iter().zip(&rates.weights).filter(|(_, w)| **w > 0.0) {
            for k in 0..n {
                mean_y[k] += w * y[k];
                mean_z[k] += w * z[k];
            }
        }
        for (m, y) in self.mean.iter_mut().zip(&mean_y) {
            *m += self.sigma * y;
        }
        let gain = (rates.c_sigma * (2.0 - rates.c_sigma) * rates.mu_eff).sqrt();
        for (p, z) in self.path_sigma.iter_mut().zip(&mean_z) {
            *p = (1.0 - rates.c_sigma) * *p + gain * z;
        }
        let norm = self.path_sigma.iter().map(|p| p * p).sum::<f64>().sqrt();
        let started = (1.0 - (1.0 - rates.c_sigma).powi(2 * self.generation.min(1 << 20) as i32)).sqrt();
        let moves = norm / started < (1.4 + 2.0 / (n as f64 + 1.0)) * rates.expected_norm;
        let gain = if moves {
            (rates.c_c * (2.0 - rates.c_c) * rates.mu_eff).sqrt()
        } else {
            0.0
        };
        for (p, y) in self.path_c.iter_mut().zip(&mean_y) {
            *p = (1.0 - rates.c_c) * *p + gain * y;
        }
        // A path held back loses variance, which is given back.
        let kept = if moves {
            0.0
        } else {
            rates.c_1 * rates.c_c * (2.0 - rates.c_c)
        };
        let total: f64 = rates.weights.iter().sum();
        let decay = 1.0 + kept - rates.c_1 - rates.c_mu * total;
        self.covariance.iter_mut().for_each(|c| *c *= decay);
        add_outer(&mut self.covariance, rates.c_1, &self.path_c);
        for ((y, _, norm_squared), w) in steps.iter().zip(&rates.weights) {
            // A bad point counts as if it were as far away as an average one.
            let w = if *w < 0.0 {
                w * n as f64 / norm_squared.max(1e-300)
            } else {
                *w
            };
            add_outer(&mut self.covariance, rates.c_mu * w, y);
        }
        let change = (rates.c_sigma / rates.d_sigma) * (norm / rates.expected_norm - 1.0);
        self.sigma *= change.min(1.0).exp();
        self.broken = !factor(&self.covariance, &mut self.factor);
    }

    /// Why the distribution is of no more use: it has collapsed, exploded or lost its shape.
    pub(crate) fn is_exhausted(&self, smallest: f64) -> bool {
        let n = self.mean.len();
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for k in 0..n {
            let d = self.factor[k * n + k];
            least = least.min(d);
            most = most.max(d);
        }
        let widest = (0..n).map(|k| self.deviation(k)).fold(0.0, f64::max);
        let far = self
            .path_c
            .iter()
            .map(|p| (self.sigma * p).abs())
            .fold(0.0, f64::max);
        self.broken
            || !self.sigma.is_finite()
            || !widest.is_finite()
            || widest > 1e30
            || (widest < smallest && far < smallest)
            // The diagonal of the factor bounds the condition number from below.
            || most > 1e7 * least
            || (0..n).all(|k| self.mean[k] + 0.2 * self.deviation(k) == self.mean[k])
    }

    /// Keeps each value of whole variables reachable: the probability to leave the cell of the mean stays at 1/(n λ) or more.
    ///
    /// `cells` gives for each variable the width of its cells and how many there are, between 0 and 1.
    ///
    /// **References**: R. Hamano, S. Saito, M. Nomura and S. Shirakawa, CMA-ES with margin, 2022, DOI 10.1145/3512290.3528827.
    pub(crate) fn keep_margin(&mut self, cells: &[Option<u64>]) {
        let margin = 1.0 / (self.mean.len() * self.population()) as f64;
        // The distance from the mean, in widths, beyond which lies a probability of `p`.
        let reach = |p: f64| normal_quantile(1.0 - p).max(0.0);
        for (axis, count) in cells.iter().enumerate() {
            let Some(count) = count.filter(|c| *c > 1) else {
                continue;
            };
            let (mean, deviation) = (self.mean[axis].clamp(0.0, 1.0), self.deviation(axis));
            let cell = ((mean * count as f64).floor()).min((count - 1) as f64);
            let (below, above) = (cell / count as f64, (cell + 1.0) / count as f64);
            if cell == 0.0 {
                self.mean[axis] = mean.max(above - deviation * reach(margin));
            } else if cell == (count - 1) as f64 {
                self.mean[axis] = mean.min(below + deviation * reach(margin));
            } else {
                let tail = |threshold: f64| {
                    0.5 * libm::erfc((mean - threshold).abs() / deviation * std::f64::consts::FRAC_1_SQRT_2)
                };
                let (low, high) = (tail(below), tail(above));
                if low >= margin / 2.0 && high >= margin / 2.0 {
                    continue;
                }
                // Both neighbours get at least half of the margin, at the expense of the cell itself.
                let (low, high) = (reach(low.max(margin / 2.0)), reach(high.max(margin / 2.0)));
                let wanted = (above - below) / (low + high);
                self.mean[axis] = (below * high + above * low) / (low + high);
                self.stretch(axis, wanted / deviation);
            }
        }
    }

    /// Scales one variable of the distribution.
    fn stretch(&mut self, axis: usize, by: f64) {
        let n = self.mean.len();
        for k in 0..n {
            self.covariance[axis * n + k] *= by;
            self.covariance[k * n + axis] *= by;
            // A row of the factor scales with its variable.
            self.factor[axis * n + k] *= by;
        }
    }
}

/// The x with Φ(x) = p, for 0 < p < 1, by Newton's method on the logarithm of the tail.
fn normal_quantile(p: f64) -> f64 {
    let (tail, sign) = if p < 0.5 { (p, -1.0) } else { (1.0 - p, 1.0) };
    let tail = tail.max(1e-300);
    // From the asymptote of the tail; half a dozen steps leave nothing to gain.
    let mut x = (-2.0 * (2.0 * tail).ln()).max(0.0).sqrt();
    for _ in 0..30 {
        let upper = 0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2);
        let density = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let step = upper * (upper / tail).ln() / density;
        x += step;
        if step.abs() <= 1e-14 * (1.0 + x.abs()) {
            break;
        }
    }
    sign * x
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{CLOSED_FORM, close};

    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, x) in [
            (0.5, 0.0),
            (0.975, 1.959963984540054),
            (0.999, 3.090232306167813),
            (0.1, -1.2815515655446004),
        ] {
            assert!(
                close(normal_quantile(p), x, CLOSED_FORM),
                "{p}: {}",
                normal_quantile(p)
            );
        }
    }

    /// The constants of N. Hansen's tutorial (arXiv:1604.00772) for n = 10 and λ = 10, worked out by hand.
    #[test]
    fn rates_are_those_of_the_tutorial() {
        let rates = Rates::new(10, 10);
        assert_eq!(usual_population(10), 10);
        let positive: f64 = rates.weights.iter().filter(|w| **w > 0.0).sum();
        assert!(close(positive, 1.0, CLOSED_FORM));
        assert!(close(rates.mu_eff, 3.167_299_4, 1e-6), "{}", rates.mu_eff);
        assert!(close(
            rates.c_sigma,
            (rates.mu_eff + 2.0) / (15.0 + rates.mu_eff),
            CLOSED_FORM
        ));
        assert!(rates.weights.iter().sum::<f64>() > -1.0);
    }
}
