//! Halton's sequence and the sampler on it.

use super::sampler::{Context, Sampler};
use super::sobol::{hash, unit};

/// Points of Halton's sequence with permuted digits: even like [`SobolSampler`](crate::SobolSampler)'s, for any number of trials.
///
/// **Method**: coordinate j of point k is the radical inverse of k in the base of the j-th prime, every digit under a permutation
/// keyed by the seed, the axis and the digit's place. Parameters beyond the 64th are drawn at random.
///
/// **References**: J. H. Halton, On the efficiency of certain quasi-random sequences of points, 1960, Numer. Math. 2, DOI 10.1007/BF01386213;
/// A. B. Owen, A randomized Halton algorithm in R, 2017, arXiv:1706.02808.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HaltonSampler {
    seed: u64,
}

impl HaltonSampler {
    /// A sampler whose permutations depend on `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Sampler for HaltonSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let parameters = context.space.parameters().iter().enumerate();
        parameters
            .map(|(axis, p)| {
                let key = hash(self.seed ^ hash(axis as u64 + 1));
                let quantile = match PRIMES.get(axis) {
                    Some(base) => radical_inverse(number as u64, *base, |place, digit| {
                        permuted(digit, *base, hash(key ^ place))
                    }),
                    None => unit(hash(key ^ hash(number as u64))),
                };
                p.domain.at_quantile(quantile)
            })
            .collect()
    }
}

const PRIMES: [u64; 64] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223,
    227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293, 307, 311,
];

/// 0.d₀d₁d₂… in `base`, where dᵢ is `digit(i, i-th digit of k)`. Digits go on until they no longer matter.
fn radical_inverse(k: u64, base: u64, digit: impl Fn(u64, u64) -> u64) -> f64 {
    let (mut rest, mut scale, mut sum) = (k, 1.0, 0.0);
    let mut place = 0;
    while scale > f64::EPSILON {
        scale /= base as f64;
        sum += scale * digit(place, rest % base) as f64;
        rest /= base;
        place += 1;
    }
    // A sum of all the largest digits rounds to one.
    sum.min(1.0 - f64::EPSILON / 2.0)
}

/// The place of `digit` in a permutation of 0..base that `key` chooses.
fn permuted(digit: u64, base: u64, key: u64) -> u64 {
    let mut order: Vec<u64> = (0..base).collect();
    for k in (1..base).rev() {
        let other = (unit(hash(key ^ hash(k))) * (k + 1) as f64) as u64;
        order.swap(k as usize, other.min(k) as usize);
    }
    order[digit as usize]
}

#[cfg(test)]
mod tests {
    use modelops_testkit::tolerance::{CLOSED_FORM, close};

    use super::*;

    /// Against `scipy.stats.qmc.Halton(64, scramble=False)` of SciPy 1.17.1; see tests/data/README.md.
    #[test]
    fn points_are_those_of_scipy() {
        let plain = |k, axis: usize| radical_inverse(k, PRIMES[axis], |_, digit| digit);
        let seventh = [0.875, 5.0 / 9.0, 0.44, 1.0 / 49.0, 7.0 / 11.0, 7.0 / 13.0];
        for (axis, expected) in seventh.into_iter().enumerate() {
            assert!(close(plain(7, axis), expected, CLOSED_FORM), "axis {axis}");
        }
        assert!(close(plain(4095, 63), 0.16733697955976468, CLOSED_FORM));
        let sum: f64 = (0..4096)
            .map(|k| (0..64).map(|axis| plain(k, axis)).sum::<f64>())
            .sum();
        assert!(close(sum, 129_835.401_870_027_39, CLOSED_FORM), "{sum}");
    }

    #[test]
    fn permutations_are_permutations() {
        for base in [2, 3, 11, 311] {
            let mut seen: Vec<u64> = (0..base).map(|digit| permuted(digit, base, 5)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..base).collect::<Vec<u64>>());
        }
    }
}
