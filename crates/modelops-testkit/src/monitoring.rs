//! Oracles and strategies for `modelops-monitoring`.

use proptest::prelude::*;

/// The value of rank `⌈q·n⌉` (at least 1) of `values`, by sorting; `None` where there is none.
#[must_use]
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let rank = ((q * sorted.len() as f64).ceil() as usize).max(1);
    sorted.get(rank.min(sorted.len().max(1)) - 1).copied()
}

/// How many of `values` are at most each of `bounds`, one by one.
#[must_use]
pub fn cumulative(values: &[f64], bounds: &[f64]) -> Vec<u64> {
    bounds
        .iter()
        .map(|bound| values.iter().filter(|v| *v <= bound).count() as u64)
        .collect()
}

/// Whether the fraction bits `bits` are those of the `f64` nearest to `2^(i/256)`, by integers alone.
///
/// With `m = 2^52 + bits` this holds when `(2m − 1)^256 < 2^(53·256 + i) < (2m + 1)^256`.
#[must_use]
pub fn is_nearest_root(bits: u64, i: u32) -> bool {
    let m = (1u128 << 52) + u128::from(bits);
    let target_bit = 53 * 256 + u64::from(i);
    power_256(2 * m - 1) < Big::power_of_two(target_bit)
        && Big::power_of_two(target_bit) < power_256(2 * m + 1)
}

fn power_256(base: u128) -> Big {
    let mut power = Big::from(base);
    for _ in 0..8 {
        power = power.square();
    }
    power
}

/// A natural number, least significant digit first, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Big(Vec<u32>);

impl Big {
    fn from(mut n: u128) -> Self {
        let mut digits = Vec::new();
        while n > 0 {
            digits.push(n as u32);
            n >>= 32;
        }
        Self(digits)
    }

    fn power_of_two(bit: u64) -> Self {
        let mut digits = vec![0; (bit / 32) as usize + 1];
        digits[(bit / 32) as usize] = 1 << (bit % 32);
        Self(digits)
    }

    fn square(&self) -> Self {
        let mut digits = vec![0u32; self.0.len() * 2];
        for (i, a) in self.0.iter().enumerate() {
            let mut carry = 0u64;
            for (j, b) in self.0.iter().enumerate() {
                let sum = u64::from(*a) * u64::from(*b) + u64::from(digits[i + j]) + carry;
                digits[i + j] = sum as u32;
                carry = sum >> 32;
            }
            digits[i + self.0.len()] = carry as u32;
        }
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self(digits)
    }
}

impl PartialOrd for Big {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Big {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

/// The share of bad events among those of the last `window` steps, from `(bad, total)` of every step, one by one.
#[must_use]
pub fn bad_share(steps: &[(u64, u64)], window: usize) -> Option<f64> {
    let within = &steps[steps.len().saturating_sub(window)..];
    let (bad, total) = within
        .iter()
        .fold((0, 0), |sum, step| (sum.0 + step.0, sum.1 + step.1));
    (total > 0).then(|| bad as f64 / total as f64)
}

/// Positive values as services see them: over many magnitudes, often on a bucket bound or right beside one.
pub fn positive_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        (1e-9..1e9f64),
        (-40.0..40.0f64).prop_map(f64::exp2),
        (-40..40i32).prop_map(|e| 2f64.powi(e)),
        (-40..40i32).prop_map(|e| 2f64.powi(e).next_up()),
        (-40..40i32).prop_map(|e| 2f64.powi(e).next_down()),
        prop::sample::select(vec![0.001, 0.0025, 0.005, 0.1, 0.25, 1.0, 2.5, 10.0]),
    ]
}

/// Any value at all, the troublesome ones included.
pub fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => positive_value(),
        1 => positive_value().prop_map(|v| -v),
        1 => prop::sample::select(vec![0.0, -0.0, 1e300, -1e300, 1e-300, f64::MIN_POSITIVE, 5e-324, f64::MAX]),
    ]
}
