//! Numbers from a portable generator, by formulas of our own so that no release of a crate can change a result.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator of a stored seed.
pub(crate) fn generator(seed: u64) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// A seed for item `index` of a run with `seed` (the finaliser of `SplitMix64`).
pub(crate) fn derive(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Uniform in [0, 1), 53 bits.
#[inline]
pub(crate) fn uniform(generator: &mut impl Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Uniform among 0 … n − 1 without bias (Lemire, "Fast random integer generation in an interval", 2019,
/// doi:10.1145/3230636). `n` is above zero.
#[inline]
pub(crate) fn below(generator: &mut impl Rng, n: usize) -> usize {
    let n = n as u64;
    let mut product = u128::from(generator.next_u64()) * u128::from(n);
    if (product as u64) < n {
        let threshold = n.wrapping_neg() % n;
        while (product as u64) < threshold {
            product = u128::from(generator.next_u64()) * u128::from(n);
        }
    }
    (product >> 64) as usize
}

/// A standard normal number (Box and Muller's transform; one of the pair is thrown away).
pub(crate) fn normal(generator: &mut impl Rng) -> f64 {
    let radius = (-2.0 * (1.0 - uniform(generator)).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform(generator)).cos()
}
