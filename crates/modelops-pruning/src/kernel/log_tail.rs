//! Logarithms of upper tails that never underflow, and ψ at whole numbers.
//!
//! Prefactors are saddle-point densities (Loader, "Fast and accurate computation of binomial probabilities", 2000),
//! so that no large logarithms of Γ are subtracted; the rest is a continued fraction or a power series.

use std::f64::consts::PI;

/// ln P(F ≥ f) with (d1, d2) degrees of freedom.
pub(crate) fn ln_f_tail(f: f64, d1: usize, d2: usize) -> f64 {
    if f <= 0.0 {
        return 0.0;
    }
    let (n1, n2) = (d1 as f64, d2 as f64);
    let ratio = n1 / n2 * f;
    if ratio.is_infinite() {
        return f64::NEG_INFINITY;
    }
    let (x, y) = (1.0 / (1.0 + ratio), ratio / (1.0 + ratio));
    let (a, b) = (n2 / 2.0, n1 / 2.0);
    if x * (a + b + 2.0) < a + 1.0 {
        ln_beta_fraction(a, b, x, y)
    } else {
        ln_one_minus_exp(ln_beta_fraction(b, a, y, x))
    }
}

/// ln P(X ≥ x) of a chi-squared variable with `d` degrees of freedom.
pub(crate) fn ln_chi2_tail(x: f64, d: usize) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return f64::NEG_INFINITY;
    }
    let (a, x) = (d as f64 / 2.0, x / 2.0);
    // ln of xᵃ e⁻ˣ / Γ(a + 1).
    let density = -stirling_error(a) - deviance(a, x) - 0.5 * (2.0 * PI * a).ln();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0, 1.0, a);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        ln_one_minus_exp(density + sum.ln())
    } else {
        let mut b = x + 1.0 - a;
        let mut fraction = Lentz::new(b);
        for i in 1..LIMIT {
            let i = f64::from(i);
            b += 2.0;
            if fraction.step(-i * (i - a), b) {
                break;
            }
        }
        density + a.ln() - fraction.value.ln()
    }
}

/// ψ(n) for n ≥ 1.
pub(crate) fn digamma(n: usize) -> f64 {
    const EULER_GAMMA: f64 = 0.577_215_664_901_532_9;
    if n < 16 {
        return (1..n).map(|i| 1.0 / i as f64).sum::<f64>() - EULER_GAMMA;
    }
    let n = n as f64;
    let r = 1.0 / (n * n);
    n.ln() - 0.5 / n - r * (1.0 / 12.0 - r * (1.0 / 120.0 - r * (1.0 / 252.0 - r / 240.0)))
}

/// More steps than any degrees of freedom that fit in memory need: convergence takes about √(a + b).
const LIMIT: i32 = 1_000_000;

/// ln of the regularised incomplete beta Iₓ(a, b), y = 1 − x, for x below the mean.
fn ln_beta_fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x == 0.0 {
        return f64::NEG_INFINITY;
    }
    let n = a + b;
    // ln of xᵃ yᵇ / B(a, b) / a.
    let density =
        stirling_error(n) - stirling_error(a) - stirling_error(b) - deviance(a, n * x) - deviance(b, n * y)
            + 0.5 * (b / (2.0 * PI * a * n)).ln();
    let mut fraction = Lentz::new(1.0);
    for m in 0..LIMIT {
        let m = f64::from(m);
        let odd = -(a + m) * (n + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let even = (m + 1.0) * (b - m - 1.0) * x / ((a + 2.0 * m + 1.0) * (a + 2.0 * m + 2.0));
        if fraction.step(odd, 1.0) | fraction.step(even, 1.0) {
            break;
        }
    }
    density - fraction.value.ln()
}

/// ln(1 − eᵛ) for v ≤ 0.
fn ln_one_minus_exp(v: f64) -> f64 {
    if v > -std::f64::consts::LN_2 {
        (-v.exp_m1()).ln()
    } else {
        (-v.exp()).ln_1p()
    }
}

/// ln Γ(z + 1) less Stirling's formula, for z a positive multiple of one half.
fn stirling_error(z: f64) -> f64 {
    if z < 16.0 {
        // Γ(1/2) = √π and Γ(1) = 1, then Γ(t + 1) = t Γ(t).
        let (mut t, mut gamma) = if z.fract() == 0.0 {
            (1.0, 1.0)
        } else {
            (0.5, PI.sqrt())
        };
        while t < z + 1.0 {
            gamma *= t;
            t += 1.0;
        }
        return gamma.ln() - (z + 0.5) * z.ln() + z - 0.5 * (2.0 * PI).ln();
    }
    let r = 1.0 / (z * z);
    (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r / 1188.0)))) / z
}

/// x ln(x/m) + m − x, without cancellation where m is near x.
fn deviance(x: f64, m: f64) -> f64 {
    if (x - m).abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    // With v = (x − m)/(x + m), ln(x/m) = 2 artanh v.
    let v = (x - m) / (x + m);
    let mut sum = (x - m) * v;
    let mut power = 2.0 * x * v;
    let mut odd = 1.0;
    loop {
        power *= v * v;
        odd += 2.0;
        let next = sum + power / odd;
        if next == sum {
            return sum;
        }
        sum = next;
    }
}

/// A continued fraction b₀ + a₁/(b₁ + a₂/(b₂ + …)), from the front (Lentz, modified by Thompson and Barnett).
struct Lentz {
    value: f64,
    c: f64,
    d: f64,
}

impl Lentz {
    fn new(first: f64) -> Self {
        Self {
            value: first,
            c: first,
            d: 0.0,
        }
    }

    /// Adds a partial fraction; true once it changes nothing.
    fn step(&mut self, a: f64, b: f64) -> bool {
        const TINY: f64 = 1e-300;
        self.d = b + a * self.d;
        self.d = 1.0 / if self.d == 0.0 { TINY } else { self.d };
        self.c = b + a / self.c;
        self.c = if self.c == 0.0 { TINY } else { self.c };
        let factor = self.c * self.d;
        self.value *= factor;
        (factor - 1.0).abs() < 4.0 * f64::EPSILON
    }
}

#[cfg(test)]
#[expect(
    clippy::excessive_precision,
    clippy::approx_constant,
    reason = "digits as mpmath printed them"
)]
mod tests {
    use super::*;
    use modelops_testkit::tolerance::{LOG_TAIL, close_relative};

    /// mpmath 1.4.1 with 40 digits; commands in tests/data/README.md.
    const F: [(f64, usize, usize, f64); 11] = [
        (1000.0, 2, 147, -197.08247451585328743),
        (3.0, 2, 147, -2.9403920941068883654),
        (0.001, 2, 147, -0.00099999319734061364144),
        (1.0, 1, 1, -0.69314718055994530942),
        (0.5, 7, 3, -0.22651628570220549963),
        (2.5, 30, 41, -5.7022351917657503114),
        (1.01, 1000, 999, -0.82661387305988651692),
        (0.9, 1, 100_000, -1.0706547569664451585),
        (50_000.0, 2, 99_997, -34657.069301601313051),
        (200_000.0, 1, 99_998, -54935.962005703197008),
        (1e12, 3, 10, -131.13938900332077588),
    ];
    const CHI2: [(f64, usize, f64); 8] = [
        (1e-5, 3, -8.4104165441545899946e-9),
        (10.0, 3, -3.986416031734384042),
        (2.0, 1, -1.8496055099332482486),
        (2000.0, 9, -978.27309047262126269),
        (9.3, 10, -0.68539956176183739874),
        (100.0, 101, -0.67447361399756136965),
        (1000.0, 1000, -0.70511277596023771353),
        (53991.65592375085, 1, -27001.502064145429942),
    ];

    #[test]
    fn tails_agree_with_mpmath() {
        for (f, d1, d2, expected) in F {
            let found = ln_f_tail(f, d1, d2);
            assert!(
                close_relative(found, expected, LOG_TAIL),
                "F({f}; {d1}, {d2}): {found} for {expected}"
            );
        }
        for (x, d, expected) in CHI2 {
            let found = ln_chi2_tail(x, d);
            assert!(
                close_relative(found, expected, LOG_TAIL),
                "chi2({x}; {d}): {found} for {expected}"
            );
        }
    }

    #[test]
    fn digamma_agrees_with_its_recurrence() {
        let mut sum = -0.577_215_664_901_532_9;
        for n in 1..200 {
            assert!(close_relative(digamma(n), sum, LOG_TAIL), "{n}");
            sum += 1.0 / n as f64;
        }
    }
}
