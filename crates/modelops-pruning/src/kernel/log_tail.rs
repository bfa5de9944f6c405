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
