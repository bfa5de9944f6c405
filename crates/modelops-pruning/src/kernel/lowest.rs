//! Exact selection of the lowest magnitudes: by histograms over a stream, by partition in a row, by rank in a group.
//!
//! A magnitude is the bit pattern of |w| as `f32`, which orders as the value does. Of equal magnitudes the ones that
//! come first go first, so that every count is exact.

use half::{bf16, f16};
use multiversion::multiversion;

use super::counts::{each_in_bucket, reach};

/// Bits of infinity: no magnitude of a usable weight reaches it.
pub(crate) const INFINITE: u32 = 0x7f80_0000;

/// A storage type of weights.
pub(crate) trait Weight: bytemuck::Pod + Send + Sync {
    /// Bits of |w| as `f32`.
    fn magnitude(self) -> u32;
    /// The value.
    fn value(self) -> f32;
    /// The nearest value, ties to even; beyond the largest, infinity.
    fn round(value: f32) -> Self;
    /// +0.
    const ZERO: Self;
    /// Whether every `f32` is a value of this type.
    const WIDE: bool;
    /// Orders as the magnitude does.
    type Rank: Rank;
    fn rank(self) -> Self::Rank;
    /// Rank of infinity.
    const INFINITE: Self::Rank;
    /// 15 bits that order as magnitudes do: all there are in a type of 16 bits, the high half in `f32`.
    fn key(self) -> u16;
    /// The lowest magnitude with this key.
    fn magnitude_of(key: u16) -> u32;
    /// The lowest rank of a magnitude that is not below `bound`, and whether it is the bound itself.
    fn rank_of(bound: u32) -> (Self::Rank, bool);
}

impl Weight for f32 {
    const ZERO: Self = 0.0;
    const WIDE: bool = true;
    type Rank = u32;
    const INFINITE: u32 = INFINITE;
    fn rank(self) -> u32 {
        self.magnitude()
    }
    fn key(self) -> u16 {
        (self.magnitude() >> 16) as u16
    }
    fn magnitude_of(key: u16) -> u32 {
        u32::from(key) << 16
    }
    fn rank_of(bound: u32) -> (u32, bool) {
        (bound, true)
    }
    fn magnitude(self) -> u32 {
        self.to_bits() & 0x7fff_ffff
    }
    fn value(self) -> f32 {
        self
    }
    fn round(value: f32) -> Self {
        value
    }
}

impl Weight for bf16 {
    const ZERO: Self = bf16::ZERO;
    const WIDE: bool = false;
    type Rank = u16;
    const INFINITE: u16 = 0x7f80;
    fn rank(self) -> u16 {
        self.to_bits() & 0x7fff
    }
    fn key(self) -> u16 {
        self.rank()
    }
    fn magnitude_of(key: u16) -> u32 {
        u32::from(key) << 16
    }
    fn rank_of(bound: u32) -> (u16, bool) {
        let bits = bound.saturating_add(0xffff) >> 16;
        (bits as u16, bits << 16 == bound)
    }
    fn magnitude(self) -> u32 {
        u32::from(self.to_bits() & 0x7fff) << 16
    }
    fn value(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }
}

impl Weight for f16 {
    const ZERO: Self = f16::ZERO;
    const WIDE: bool = false;
    type Rank = u16;
    const INFINITE: u16 = 0x7c00;
    fn rank(self) -> u16 {
        self.to_bits() & 0x7fff
    }
    fn key(self) -> u16 {
        self.rank()
    }
    fn magnitude_of(key: u16) -> u32 {
        f16::from_bits(key).magnitude()
    }
    fn rank_of(bound: u32) -> (u16, bool) {
        let (mut low, mut high) = (0_u16, 0x7fff);
        while low < high {
            let middle = low.midpoint(high);
            if Self::magnitude_of(middle) < bound {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low, Self::magnitude_of(low) == bound)
    }
    fn magnitude(self) -> u32 {
        self.value().to_bits() & 0x7fff_ffff
    }
    /// Without branches, so that a loop over many is vectorised: the exponent is moved by a multiplication, which also
    /// normalises subnormals; what was infinite or NaN stays so.
    fn value(self) -> f32 {
        let bits = u32::from(self.to_bits());
        let magnitude = f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits(0x7780_0000);
        let special = if magnitude >= 65536.0 { INFINITE } else { 0 };
        f32::from_bits(magnitude.to_bits() | special | (bits & 0x8000) << 16)
    }
    fn round(value: f32) -> Self {
        Self::from_f32(value)
    }
}

/// What goes: every magnitude below `bound`, and the first `ties` of those equal to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lowest {
    pub(crate) bound: u32,
    pub(crate) ties: u64,
}

/// The bound over finite matrices in memory, given how often each high half occurs in all of them: a partition of those under
/// the one high half in which the count is reached, which are few.
pub(crate) fn lowest_in_memory(counts: &[u64], count: u64, matrices: &[&[f32]]) -> Lowest {
    let (bucket, left) = reach(counts, count);
    let mut inside: Vec<u32> = Vec::with_capacity(counts[usize::from(bucket)] as usize);
    for matrix in matrices {
        each_in_bucket(matrix, bucket, |magnitude| inside.push(magnitude));
    }
    if left >= inside.len() as u64 {
        return Lowest {
            bound: (u32::from(bucket) + 1) << 16,
            ties: 0,
        };
    }
    let (below, bound, _) = inside.select_nth_unstable(left as usize);
    let bound = *bound;
    let ties = below.iter().filter(|magnitude| **magnitude == bound).count() as u64;
    Lowest { bound, ties }
}

/// Writes 1 for weights that stay and 0 for those that go; takes ties from the budget in `lowest`.
pub(crate) fn keep_above<T: Weight>(weights: &[T], lowest: &mut Lowest, keep: &mut [u8]) {
    let bits: &[T::Rank] = bytemuck::cast_slice(weights);
    let (bound, reached) = T::rank_of(lowest.bound);
    T::Rank::mark(bits, bound, keep);
    if reached {
        lowest.ties = T::Rank::take_ties(bits, bound, lowest.ties, keep);
    }
}

/// Keeps all but the `count` lowest of one row; false where a weight is not finite.
pub(crate) fn keep_in_row<T: Weight>(
    weights: &[T],
    count: usize,
    scratch: &mut Vec<T::Rank>,
    keep: &mut [u8],
) -> bool {
    scratch.clear();
    scratch.extend(weights.iter().map(|weight| weight.rank()));
    T::Rank::keep(scratch, count, T::INFINITE, keep)
}

/// What orders the weights of a type, as narrow as it can be, so that a vector holds many.
pub(crate) trait Rank: bytemuck::Pod {
    /// Keeps all but the `count` lowest of a row, of equals the first; false where one is not below `infinite`.
    fn keep(row: &[Self], count: usize, infinite: Self, keep: &mut [u8]) -> bool;
    /// Marks which are not below `bound`, whatever their sign.
    fn mark(bits: &[Self], bound: Self, keep: &mut [u8]);
    /// Marks the first `ties` of those that equal the bound as going, whatever their sign; how many ties are left.
    fn take_ties(bits: &[Self], bound: Self, ties: u64, keep: &mut [u8]) -> u64;
}

macro_rules! rank {
    ($rank:ident, $module:ident) => {
        mod $module {
            use multiversion::multiversion;

            impl super::Rank for $rank {
                fn keep(row: &[Self], count: usize, infinite: Self, keep: &mut [u8]) -> bool {
                    let finite = highest(row) < infinite;
                    if count == 0 || count >= row.len() {
                        keep.fill(u8::from(count == 0));
                        return finite;
                    }
                    let (bound, below) = bound_of(row, count);
                    mark(row, bound, keep);
                    take_ties(row, bound, (count - below) as u64, keep);
                    finite
                }

                fn mark(bits: &[Self], bound: Self, keep: &mut [u8]) {
                    mark(bits, bound, keep);
                }

                fn take_ties(bits: &[Self], bound: Self, ties: u64, keep: &mut [u8]) -> u64 {
                    take_ties(bits, bound, ties, keep)
                }
            }

            /// All but the sign.
            const MAGNITUDE: $rank = $rank::MAX >> 1;

            /// A bound with at most `count` ranks below it, and how many there are; if fewer, the missing ones equal the bound.
            ///
            /// The bound is built bit by bit from the highest, and every bit is a count over the row, which takes whole vectors at a
            /// time; most rows are done long before the last bit, as soon as the count is met.
            fn bound_of(row: &[$rank], count: usize) -> ($rank, usize) {
                let (mut bound, mut below) = (0, 0);
                for bit in (0..$rank::BITS - 1).rev() {
                    let candidate = bound | 1 << bit;
                    let lower = count_below(row, candidate);
                    if lower <= count {
                        (bound, below) = (candidate, lower);
                        if lower == count {
                            break;
                        }
                    }
                }
                (bound, below)
            }

            #[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
            fn take_ties(bits: &[$rank], bound: $rank, mut ties: u64, keep: &mut [u8]) -> u64 {
                let equal = |bits: &$rank| bits & MAGNITUDE == bound;
                for (keep, part) in keep.chunks_mut(64).zip(bits.chunks(64)) {
                    if ties == 0 {
                        break;
                    }
                    if part.iter().fold(false, |any, bits| any | equal(bits)) {
                        for (keep, bits) in keep.iter_mut().zip(part) {
                            if equal(bits) && ties > 0 {
                                *keep = 0;
                                ties -= 1;
                            }
                        }
                    }
                }
                ties
            }

            #[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
            fn count_below(row: &[$rank], bound: $rank) -> usize {
                // Stretches so short that a counter as narrow as a rank holds them.
                let stretch = |part: &[$rank]| {
                    let lower = part.iter().map(|rank| $rank::from(*rank < bound));
                    lower.fold(0, $rank::wrapping_add) as usize
                };
                row.chunks(1 << 15).map(stretch).sum()
            }

            #[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
            fn highest(row: &[$rank]) -> $rank {
                row.iter().fold(0, |most, rank| most.max(*rank))
            }

            #[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2"))]
            fn mark(bits: &[$rank], bound: $rank, keep: &mut [u8]) {
                for (keep, bits) in keep.iter_mut().zip(bits) {
                    *keep = u8::from(bits & MAGNITUDE >= bound);
                }
            }
        }
    };
}

rank!(u16, narrow);
rank!(u32, wide);

/// Keeps the `kept` highest of every group of `group` weights; false where a weight is not finite.
pub(crate) fn keep_in_groups<T: Weight>(weights: &[T], kept: usize, group: usize, keep: &mut [u8]) -> bool {
    let mut most = 0;
    if group == 4 {
        let mut magnitudes = [0_u32; 1024];
        for (keep, weights) in keep
            .chunks_mut(magnitudes.len())
            .zip(weights.chunks(magnitudes.len()))
        {
            let part = &mut magnitudes[..weights.len()];
            for (magnitude, weight) in part.iter_mut().zip(weights) {
                *magnitude = weight.magnitude();
            }
            most = most.max(keep_in_fours(part, kept as u32, keep));
        }
        return most < INFINITE;
    }
    for (keep, weights) in keep.chunks_exact_mut(group).zip(weights.chunks_exact(group)) {
        for (i, slot) in keep.iter_mut().enumerate() {
            let own = weights[i].magnitude();
            most = most.max(own);
            let beats = |(j, other): (usize, &T)| {
                let other = other.magnitude();
                other > own || (other == own && j > i)
            };
            let rank = weights
                .iter()
                .enumerate()
                .filter(|(j, other)| beats((*j, *other)))
                .count();
            *slot = u8::from(rank < kept);
        }
    }
    most < INFINITE
}

/// Groups of four, a vector of groups at a time: a weight's rank is how many of its three neighbours, which are rotations
/// within the group, beat it. Of equals the later one wins, so that one is added to those that come later. Gives the
/// highest magnitude. With 512-bit vectors it takes several times as long: left out.
#[multiversion(targets("x86_64+avx2"))]
fn keep_in_fours(magnitudes: &[u32], kept: u32, keep: &mut [u8]) -> u32 {
    const LANES: usize = 16;
    let mut most = [0_u32; LANES];
    let mut rank_part = |m: &[u32; LANES], keep: &mut [u8; LANES]| {
        let mut rank = [0_u32; LANES];
        for i in 0..LANES {
            let (own, base) = (m[i], i & !3);
            let beats = |by: usize| {
                let at = (i + by) & 3;
                u32::from(m[base | at] + u32::from(at > (i & 3)) > own)
            };
            rank[i] = beats(1) + beats(2) + beats(3);
            most[i] = most[i].max(own);
        }
        for i in 0..LANES {
            keep[i] = u8::from(rank[i] < kept);
        }
    };
    let (wholes, rest) = magnitudes.as_chunks::<LANES>();
    let (keep_wholes, keep_rest) = keep.as_chunks_mut::<LANES>();
    for (m, keep) in wholes.iter().zip(keep_wholes) {
        rank_part(m, keep);
    }
    if !rest.is_empty() {
        let (mut m, mut flags) = ([0; LANES], [0; LANES]);
        m[..rest.len()].copy_from_slice(rest);
        rank_part(&m, &mut flags);
        keep_rest.copy_from_slice(&flags[..rest.len()]);
    }
    most.iter().fold(0, |a, b| a.max(*b))
}

/// Position of the first weight that is NaN or infinite.
pub(crate) fn first_not_finite<T: Weight>(weights: &[T]) -> Option<usize> {
    // Most are finite: chunks without a branch inside, and only the one that has it is searched.
    weights.chunks(4096).enumerate().find_map(|(chunk, part)| {
        let most = part.iter().fold(0, |most, weight| most.max(weight.magnitude()));
        let inside =
            (most >= INFINITE).then(|| part.iter().position(|weight| weight.magnitude() >= INFINITE));
        inside.flatten().map(|at| chunk * 4096 + at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_f16_has_its_value() {
        for bits in 0..=u16::MAX {
            let (ours, theirs) = (Weight::value(f16::from_bits(bits)), f16::from_bits(bits).to_f32());
            assert!(
                ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(),
                "{bits:04x}"
            );
        }
    }

    /// Bounds on, next to and far from values of the type.
    #[test]
    fn ranks_stand_for_the_bounds_of_all_types() {
        fn check<T: Weight>(from_bits: impl Fn(u16) -> T, rank: impl Fn(T::Rank) -> u32) {
            for bits in (0..0x7c00_u16).step_by(37) {
                for bound in [-1_i64, 0, 1, 900] {
                    let bound = (i64::from(from_bits(bits).magnitude()) + bound).max(0) as u32;
                    let (found, reached) = T::rank_of(bound);
                    let lowest = (0..0x7fff_u16).find(|bits| from_bits(*bits).magnitude() >= bound);
                    assert_eq!(lowest.map(u32::from), Some(rank(found)));
                    assert_eq!(
                        lowest.map(|bits| from_bits(bits).magnitude() == bound),
                        Some(reached)
                    );
                }
            }
        }
        check(f16::from_bits, u32::from);
        check(bf16::from_bits, u32::from);
    }
}
