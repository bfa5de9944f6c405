//! Sums of exponentials over the kernels of a mixture.

use multiversion::multiversion;

use super::vector::{LANES, sum_lanes};

/// Kernels that are taken together, so that they stay in the first cache for all points.
const BLOCK: usize = 32;

/// One axis of a mixture: the means of its kernels, and √½ over their widths.
pub(crate) type Kernels<'a> = (&'a [f64], &'a [f64]);

/// ln Σₖ wₖ exp(cₖ − Σⱼ ((xⱼ − μⱼₖ) sⱼₖ)²) at each of several points, which are stored one after the other.
///
/// The exponents are shifted by the largest constant. Where every kernel is so far away that the sum comes near underflow, it is taken
/// again with a shift of its own.
pub(crate) fn log_mixtures(
    points: &[f64],
    axes: &[Kernels<'_>],
    constants: &[f64],
    weights: &[f64],
    out: &mut [f64],
) {
    let shift = constants.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut lanes = vec![[0.0; LANES]; out.len()];
    let whole = constants.len() / BLOCK * BLOCK;
    for start in (0..whole).step_by(BLOCK) {
        let block: Vec<Kernels<'_>> = axes
            .iter()
            .map(|(m, s)| (&m[start..start + BLOCK], &s[start..start + BLOCK]))
            .collect();
        let range = start..start + BLOCK;
        add_block(
            points,
            &block,
            &constants[range.clone()],
            &weights[range],
            shift,
            &mut lanes,
        );
    }
    if whole < constants.len() {
        // The rest, padded with kernels of no weight.
        let padded = |part: &[f64]| {
            let mut block = vec![0.0; BLOCK];
            block[..part.len() - whole].copy_from_slice(&part[whole..]);
            block
        };
        let rest: Vec<(Vec<f64>, Vec<f64>)> = axes.iter().map(|(m, s)| (padded(m), padded(s))).collect();
        let block: Vec<Kernels<'_>> = rest.iter().map(|(m, s)| (m.as_slice(), s.as_slice())).collect();
        let mut constants_rest = padded(constants);
        constants_rest[constants.len() - whole..].fill(shift);
        add_block(
            points,
            &block,
            &constants_rest,
            &padded(weights),
            shift,
            &mut lanes,
        );
    }
    for (index, (out, lanes)) in out.iter_mut().zip(lanes).enumerate() {
        let sum = sum_lanes(lanes);
        *out = if sum > 1e-250 {
            shift + sum.ln()
        } else {
            let point = &points[index * axes.len()..(index + 1) * axes.len()];
            far_mixture(point, axes, constants, weights)
        };
    }
}

/// Adds one block of kernels to the sums of all points.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2"))]
fn add_block(
    points: &[f64],
    axes: &[Kernels<'_>],
    constants: &[f64],
    weights: &[f64],
    shift: f64,
    lanes: &mut [[f64; LANES]],
) {
    let (Some(constants), Some(weights)) = (constants.first_chunk::<BLOCK>(), weights.first_chunk::<BLOCK>())
    else {
        return;
    };
    for (point, lanes) in points.chunks_exact(axes.len()).zip(lanes) {
        let mut exponents = [0.0; BLOCK];
        for k in 0..BLOCK {
            exponents[k] = constants[k] - shift;
        }
        for ((means, inverses), x) in axes.iter().zip(point) {
            let (Some(means), Some(inverses)) =
                (means.first_chunk::<BLOCK>(), inverses.first_chunk::<BLOCK>())
            else {
                return;
            };
            for k in 0..BLOCK {
                let z = (x - means[k]) * inverses[k];
                exponents[k] -= z * z;
            }
        }
        let mut terms = [0.0; BLOCK];
        for k in 0..BLOCK {
            terms[k] = weights[k] * exp_of_negative(exponents[k]);
        }
        for part in terms.as_chunks::<LANES>().0 {
            for lane in 0..LANES {
                lanes[lane] += part[lane];
            }
        }
    }
}

/// The same at one point that is far from every kernel.
fn far_mixture(point: &[f64], axes: &[Kernels<'_>], constants: &[f64], weights: &[f64]) -> f64 {
    let mut exponents = constants.to_vec();
    for ((means, inverses), x) in axes.iter().zip(point) {
        for ((e, mean), inverse) in exponents.iter_mut().zip(*means).zip(*inverses) {
            let z = (x - mean) * inverse;
            *e -= z * z;
        }
    }
    log_mixture(&exponents, weights)
}

/// ln Σ wₖ exp(eₖ), shifted by the largest exponent so that it cannot overflow; −∞ for no entries.
#[multiversion(targets("x86_64+avx512f+avx512vl+avx512dq", "x86_64+avx2"))]
pub(crate) fn log_mixture(exponents: &[f64], weights: &[f64]) -> f64 {
    let largest = exponents
        .iter()
        .fold(f64::NEG_INFINITY, |m, e| if *e > m { *e } else { m });
    if !largest.is_finite() {
        return largest;
    }
    let (chunks, tail) = exponents.as_chunks::<LANES>();
    let (weight_chunks, weight_tail) = weights.as_chunks::<LANES>();
    let mut lanes = [0.0; LANES];
    for (chunk, weights) in chunks.iter().zip(weight_chunks) {
        for lane in 0..LANES {
            lanes[lane] += weights[lane] * exp_of_negative(chunk[lane] - largest);
        }
    }
    let mut sum = sum_lanes(lanes);
    for (e, w) in tail.iter().zip(weight_tail) {
        sum += w * exp_of_negative(e - largest);
    }
    largest + sum.ln()
}

/// exp(x) for x ≤ 0 to about 1e-14, without a branch; 1e-304 or so for x below −700.
///
/// x = k ln 2 + r with |r| ≤ ln 2 / 2, exp r by its Taylor sum, and k goes into the exponent bits.
#[inline(always)]
fn exp_of_negative(x: f64) -> f64 {
    // Adding and subtracting 1.5 · 2⁵² rounds to the nearest whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, the first of which has zeros enough that k times it is exact.
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const INVERSE_FACTORIALS: [f64; 12] = [
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
    ];
    let x = if x < -700.0 { -700.0 } else { x };
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let mut sum = INVERSE_FACTORIALS[11];
    for term in INVERSE_FACTORIALS[..11].iter().rev() {
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
        let plain = |e: &[f64]| log_mixture(e, &vec![1.0; e.len()]);
        assert_eq!(plain(&[]), f64::NEG_INFINITY);
        assert_eq!(plain(&[-5.0]), -5.0);
        assert!(close(plain(&[1e4; 20]), 1e4 + 20f64.ln(), REORDERED_SUM));
        assert!(close(plain(&[-1e5, 0.0, -1e6]), 0.0, REORDERED_SUM));
    }

    #[test]
    fn blocks_give_the_plain_sum() {
        for count in [1, 31, 32, 33, 100] {
            let at = |k: usize, m: usize| (1 + (k * m) % 17) as f64 / 17.0;
            let column = |m| (0..count).map(|k| at(k, m)).collect::<Vec<f64>>();
            let (a, b, s, w, c) = (column(3), column(5), column(7), column(11), column(13));
            let axes = [(a.as_slice(), s.as_slice()), (b.as_slice(), s.as_slice())];
            // The last point is so far away that only the second shift can tell its density.
            let points = [0.1, 0.7, 0.9, 0.2, 500.0, -900.0];
            let mut ours = [0.0; 3];
            log_mixtures(&points, &axes, &c, &w, &mut ours);
            for (point, ours) in points.chunks(2).zip(ours) {
                let exponent = |k: usize| {
                    let (p, q) = ((point[0] - a[k]) * s[k], (point[1] - b[k]) * s[k]);
                    c[k] - p * p - q * q
                };
                let largest = (0..count).map(exponent).fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = (0..count).map(|k| w[k] * (exponent(k) - largest).exp()).sum();
                let plain = largest + sum.ln();
                assert!(
                    close(ours, plain, REORDERED_SUM),
                    "{count}: {ours} against {plain}"
                );
            }
        }
    }
}
