//! Sums of exponentials over the kernels of a mixture.

use multiversion::multiversion;

use super::vector::{LANES, sum_lanes};

/// ln Σ exp(eₖ), shifted by the largest so that it cannot overflow; −∞ for no entries.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2"))]
pub(crate) fn log_mixture(exponents: &[f64]) -> f64 {
    let largest = exponents
        .iter()
        .fold(f64::NEG_INFINITY, |m, e| if *e > m { *e } else { m });
    if !largest.is_finite() {
        return largest;
    }
    let (chunks, tail) = exponents.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for chunk in chunks {
        for lane in 0..LANES {
            lanes[lane] += exp_of_negative(chunk[lane] - largest);
        }
    }
    let mut sum = sum_lanes(lanes);
    for e in tail {
        sum += exp_of_negative(e - largest);
    }
    largest + sum.ln()
}

/// exp(x) for x ≤ 0 to about 1e-15, without a branch; 1e-304 or so for x below −700.
///
/// x = k ln 2 + r with |r| ≤ ln 2 / 2, exp r by its Taylor sum, and k goes into the exponent bits.
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    // Adding and subtracting 1.5 · 2⁵² rounds to the nearest whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first of which has zeros enough that k times it is exact.
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const INVERSE_FACTORIALS: [f64; 14] = [
        1.0,
        1.0,
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5_040.0,
        1.0 / 40_320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
        1.0 / 479_001_600.0,
        1.0 / 6_227_020_800.0,
    ];
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let mut sum = INVERSE_FACTORIALS[13];
    for term in INVERSE_FACTORIALS[..13].iter().rev() {
        sum = sum * r + term;
    }
    // The low bits of `shifted` hold k; 1023 is the bias of the exponent.
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    sum * power
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{REORDERED_SUM, close, close_relative};

    use super::*;

    #[test]
    fn exponentials_are_those_of_the_library() {
        for k in 0..7000 {
            let x = -0.1 * f64::from(k);
            assert!(close_relative(exp_of_negative(x), x.exp(), REORDERED_SUM), "{x}");
        }
    }

    #[test]
    fn mixtures_survive_extremes() {
        assert_eq!(log_mixture(&[]), f64::NEG_INFINITY);
        assert_eq!(log_mixture(&[-5.0]), -5.0);
        assert!(close(log_mixture(&[1e4; 20]), 1e4 + 20f64.ln(), REORDERED_SUM));
        assert!(close(log_mixture(&[-1e5, 0.0, -1e6]), 0.0, REORDERED_SUM));
    }
}
