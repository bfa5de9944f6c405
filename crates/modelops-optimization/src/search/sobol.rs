//! Sobol's sequence and the sampler on it.

use super::sampler::{Context, Sampler};

/// Digitally scrambled points of Sobol's sequence: they fill the space more evenly than random draws do.
///
/// Use it for the first trials of a search, for sensitivity studies, or in place of random search. Best with a power of two of trials.
///
/// **Method**: point k of the sequence in Gray-code order, each coordinate scrambled by Owen's nested permutations, keyed by the seed.
/// Parameters beyond the 64th are drawn at random, independently.
///
/// **Complexity**: O(d) a suggestion, whatever the number of trials.
///
/// # Example
///
/// ```
/// use modelops_optimization::{Direction, SearchSpace, SobolSampler, Study};
///
/// let space = SearchSpace::new().float("x", 0.0..=1.0)?;
/// let mut study = Study::new("even", space, Direction::Minimize).with_sampler(SobolSampler::new(1));
/// study.optimize(8, |trial| trial.parameters().float("x"))?;
/// // One point in every eighth of the range.
/// let mut eighths: Vec<i64> = study.trials().iter().map(|t| (t.value().unwrap() * 8.0) as i64).collect();
/// eighths.sort();
/// assert_eq!(eighths, [0, 1, 2, 3, 4, 5, 6, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// **References**: S. Joe and F. Y. Kuo, Constructing Sobol sequences with better two-dimensional projections, 2008, SIAM J. Sci. Comput. 30,
/// DOI 10.1137/070709359; A. B. Owen, Scrambling Sobol' and Niederreiter-Xing points, 1998, J. Complexity 14, DOI 10.1006/jcom.1998.0487.
#[doc(alias = "quasi_random")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SobolSampler {
    seed: u64,
}

impl SobolSampler {
    /// A sampler whose scrambling depends on `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }
}

impl Sampler for SobolSampler {
    fn suggest(&self, context: &Context<'_>, number: usize) -> Box<[f64]> {
        let parameters = context.space.parameters().iter().enumerate();
        parameters
            .map(|(axis, p)| p.domain.at_quantile(scrambled(number as u64, axis, self.seed)))
            .collect()
    }
}

/// Bits of a coordinate before scrambling: the sequence has 2³² points.
const BITS: u32 = 32;

/// The primitive polynomials and first direction numbers of the axes after the first, from the table `new-joe-kuo-6` of
/// S. Joe and F. Y. Kuo (three-clause BSD licence).
#[rustfmt::skip]
const DIRECTIONS: [(u32, &[u32]); 63] = [
    (3, &[1]),
    (7, &[1, 3]),
    (11, &[1, 3, 1]),
    (13, &[1, 1, 1]),
    (19, &[1, 1, 3, 3]),
    (25, &[1, 3, 5, 13]),
    (37, &[1, 1, 5, 5, 17]),
    (41, &[1, 1, 5, 5, 5]),
    (47, &[1, 1, 7, 11, 19]),
    (55, &[1, 1, 5, 1, 1]),
    (59, &[1, 1, 1, 3, 11]),
    (61, &[1, 3, 5, 5, 31]),
    (67, &[1, 3, 3, 9, 7, 49]),
    (91, &[1, 1, 1, 15, 21, 21]),
    (97, &[1, 3, 1, 13, 27, 49]),
    (103, &[1, 1, 1, 15, 7, 5]),
    (109, &[1, 3, 1, 15, 13, 25]),
    (115, &[1, 1, 5, 5, 19, 61]),
    (131, &[1, 3, 7, 11, 23, 15, 103]),
    (137, &[1, 3, 7, 13, 13, 15, 69]),
    (143, &[1, 1, 3, 13, 7, 35, 63]),
    (145, &[1, 3, 5, 9, 1, 25, 53]),
    (157, &[1, 3, 1, 13, 9, 35, 107]),
    (167, &[1, 3, 1, 5, 27, 61, 31]),
    (171, &[1, 1, 5, 11, 19, 41, 61]),
    (185, &[1, 3, 5, 3, 3, 13, 69]),
    (191, &[1, 1, 7, 13, 1, 19, 1]),
    (193, &[1, 3, 7, 5, 13, 19, 59]),
    (203, &[1, 1, 3, 9, 25, 29, 41]),
    (211, &[1, 3, 5, 13, 23, 1, 55]),
    (213, &[1, 3, 7, 3, 13, 59, 17]),
    (229, &[1, 3, 1, 3, 5, 53, 69]),
    (239, &[1, 1, 5, 5, 23, 33, 13]),
    (241, &[1, 1, 7, 7, 1, 61, 123]),
    (247, &[1, 1, 7, 9, 13, 61, 49]),
    (253, &[1, 3, 3, 5, 3, 55, 33]),
    (285, &[1, 3, 1, 15, 31, 13, 49, 245]),
    (299, &[1, 3, 5, 15, 31, 59, 63, 97]),
    (301, &[1, 3, 1, 11, 11, 11, 77, 249]),
    (333, &[1, 3, 1, 11, 27, 43, 71, 9]),
    (351, &[1, 1, 7, 15, 21, 11, 81, 45]),
    (355, &[1, 3, 7, 3, 25, 31, 65, 79]),
    (357, &[1, 3, 1, 1, 19, 11, 3, 205]),
    (361, &[1, 1, 5, 9, 19, 21, 29, 157]),
    (369, &[1, 3, 7, 11, 1, 33, 89, 185]),
    (391, &[1, 3, 3, 3, 15, 9, 79, 71]),
    (397, &[1, 3, 7, 11, 15, 39, 119, 27]),
    (425, &[1, 1, 3, 1, 11, 31, 97, 225]),
    (451, &[1, 1, 1, 3, 23, 43, 57, 177]),
    (463, &[1, 3, 7, 7, 17, 17, 37, 71]),
    (487, &[1, 3, 1, 5, 27, 63, 123, 213]),
    (501, &[1, 1, 3, 5, 11, 43, 53, 133]),
    (529, &[1, 3, 5, 5, 29, 17, 47, 173, 479]),
    (539, &[1, 3, 3, 11, 3, 1, 109, 9, 69]),
    (545, &[1, 1, 1, 5, 17, 39, 23, 5, 343]),
    (557, &[1, 3, 1, 5, 25, 15, 31, 103, 499]),
    (563, &[1, 1, 1, 11, 11, 17, 63, 105, 183]),
    (601, &[1, 1, 5, 11, 9, 29, 97, 231, 363]),
    (607, &[1, 1, 5, 15, 19, 45, 41, 7, 383]),
    (617, &[1, 3, 7, 7, 31, 19, 83, 137, 221]),
    (623, &[1, 1, 1, 3, 23, 15, 111, 223, 83]),
    (631, &[1, 1, 5, 13, 31, 15, 55, 25, 161]),
    (637, &[1, 1, 3, 13, 25, 47, 39, 87, 257]),
];

/// Coordinate `axis` (below 64) of point `k` (below 2³²), as a whole number of 2⁻³² .
fn coordinate(k: u64, axis: usize) -> u32 {
    let gray = (k ^ (k >> 1)) as u32;
    let mut bits = 0;
    let mut directions = [0u32; BITS as usize];
    fill_directions(axis, &mut directions);
    for (bit, direction) in directions.iter().enumerate() {
        if gray >> bit & 1 == 1 {
            bits ^= direction;
        }
    }
    bits
}

/// The direction numbers of an axis, by the recurrence of its polynomial.
fn fill_directions(axis: usize, out: &mut [u32; BITS as usize]) {
    let Some((polynomial, first)) = axis.checked_sub(1).map(|a| DIRECTIONS[a]) else {
        for (k, direction) in out.iter_mut().enumerate() {
            *direction = 1 << (BITS as usize - 1 - k);
        }
        return;
    };
    let degree = first.len();
    for k in 0..BITS as usize {
        if k < degree {
            out[k] = first[k] << (BITS as usize - 1 - k);
            continue;
        }
        let mut direction = out[k - degree] ^ (out[k - degree] >> degree);
        for j in 1..degree {
            if polynomial >> (degree - j) & 1 == 1 {
                direction ^= out[k - j];
            }
        }
        out[k] = direction;
    }
}

/// Coordinate `axis` of point `k` after scrambling, in [0, 1).
fn scrambled(k: u64, axis: usize, seed: u64) -> f64 {
    let key = hash(seed ^ hash(axis as u64 + 1));
    if axis > DIRECTIONS.len() {
        return unit(hash(key ^ hash(k)));
    }
    let bits = coordinate(k, axis);
    let mut out = 0u32;
    for bit in (0..BITS).rev() {
        // The digits above decide whether this one is flipped; the marker keeps different depths apart.
        let above = u64::from(bits) >> (bit + 1) | 1 << (BITS - bit);
        out |= ((bits >> bit) ^ (hash(key ^ hash(above)) >> 63) as u32 & 1) << bit & 1 << bit;
    }
    let below = hash(key ^ hash(u64::from(bits) | 1 << (BITS + 1))) >> (64 - 21);
    (f64::from(out) + below as f64 / f64::from(1 << 21)) / 2f64.powi(BITS as i32)
}

/// The finisher of `SplitMix64`.
pub(crate) fn hash(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number in [0, 1) from the upper bits.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 4096 × 64 coordinates against SciPy 1.17.1, by a checksum over them; see tests/data/README.md.
    #[test]
    fn points_are_those_of_scipy() {
        let mut checksum = 0u64;
        for k in 0..4096 {
            for axis in 0..64 {
                checksum = checksum
                    .wrapping_mul(1_099_511_628_211)
                    .wrapping_add(u64::from(coordinate(k, axis)));
            }
        }
        assert_eq!(checksum, 1_796_537_953_233_666_048);
        assert_eq!(f64::from(coordinate(100, 63)) / 2f64.powi(32), 0.6484375);
    }

    #[test]
    fn scrambled_points_stay_a_net() {
        // Every elementary interval of 2⁻⁸ in the first two axes holds one of 256 points.
        for seed in 0..5 {
            let point = |k| (scrambled(k, 0, seed), scrambled(k, 1, seed));
            for split in 0..=8 {
                let (a, b) = (f64::from(1 << split), f64::from(1 << (8 - split)));
                let mut seen = [false; 256];
                for k in 0..256 {
                    let (x, y) = point(k);
                    let cell = ((x * a).floor() * b + (y * b).floor()) as usize;
                    assert!(!seen[cell]);
                    seen[cell] = true;
                }
            }
        }
        assert!(
            (0..100)
                .map(|k| scrambled(k, 80, 1))
                .all(|u| (0.0..1.0).contains(&u))
        );
    }

    /// The centred discrepancy of 1024 points in ten dimensions: SciPy's scrambled Sobol reaches 7.9e-4, random points 8.9e-3.
    #[test]
    fn points_are_even() {
        let points: Vec<Vec<f64>> = (0..1024)
            .map(|k| (0..10).map(|j| scrambled(k, j, 7)).collect())
            .collect();
        let discrepancy = modelops_testkit::optimization::centred_discrepancy(&points);
        assert!(discrepancy < 8.5e-4, "{discrepancy}");
    }
}
