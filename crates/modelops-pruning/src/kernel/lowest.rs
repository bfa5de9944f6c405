//! Exact selection of the lowest magnitudes: by histograms over a stream, by partition in a row, by rank in a group.
//!
//! A magnitude is the bit pattern of |w| as `f32`, which orders as the value does. Of equal magnitudes the ones that
//! come first go first, so that every count is exact.

use half::{bf16, f16};
use multiversion::multiversion;

/// Bits of infinity: no magnitude of a usable weight reaches it.
const INFINITE: u32 = 0x7f80_0000;

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
}

impl Weight for f32 {
    const ZERO: Self = 0.0;
    const WIDE: bool = true;
    type Rank = u32;
    const INFINITE: u32 = INFINITE;
    fn rank(self) -> u32 {
        self.magnitude()
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

/// Finds the `count` lowest magnitudes of a stream that is read twice: high halves, then the low halves of one bucket.
pub(crate) struct RadixSelect {
    counts: Vec<u64>,
    /// Two tables for the first reading, since the same bucket often follows itself; small counters stay in cache.
    tables: Box<[[u32; HIGH]; 2]>,
    pending: usize,
    bucket: Option<u32>,
    left: u64,
}

/// Buckets of the first reading: the sign is gone, so 15 bits.
const HIGH: usize = 1 << 15;

impl RadixSelect {
    pub(crate) fn new(count: u64) -> Self {
        Self {
            counts: vec![0; HIGH],
            tables: Box::new([[0; HIGH]; 2]),
            pending: 0,
            bucket: None,
            left: count,
        }
    }

    /// Counts weights of the first or of the second reading.
    pub(crate) fn count<T: Weight>(&mut self, weights: &[T]) {
        if let Some(bucket) = self.bucket {
            for weight in weights {
                let magnitude = weight.magnitude();
                if magnitude >> 16 == bucket {
                    self.counts[(magnitude & 0xffff) as usize] += 1;
                }
            }
            return;
        }
        for part in weights.chunks(1 << 24) {
            if self.pending + part.len() > u32::MAX as usize {
                self.flush();
            }
            self.pending += part.len();
            let [even, odd] = &mut *self.tables;
            let mut pairs = part.chunks_exact(2);
            for pair in &mut pairs {
                even[(pair[0].magnitude() >> 16) as usize] += 1;
                odd[(pair[1].magnitude() >> 16) as usize] += 1;
            }
            for last in pairs.remainder() {
                even[(last.magnitude() >> 16) as usize] += 1;
            }
        }
    }

    /// Whether the first reading met only finite weights so far.
    pub(crate) fn all_finite(&mut self) -> bool {
        self.flush();
        self.counts[(INFINITE >> 16) as usize..]
            .iter()
            .all(|count| *count == 0)
    }

    fn flush(&mut self) {
        for table in self.tables.iter_mut() {
            for (count, part) in self.counts.iter_mut().zip(table.iter_mut()) {
                *count += u64::from(*part);
                *part = 0;
            }
        }
        self.pending = 0;
    }

    /// Ends the first reading.
    pub(crate) fn narrow(&mut self) {
        self.flush();
        let bucket = self.descend();
        self.bucket = Some(bucket);
        self.counts = vec![0; 1 << 16];
    }

    /// Ends the second reading.
    pub(crate) fn finish(mut self) -> Lowest {
        let low = self.descend();
        Lowest {
            bound: self.bucket.unwrap_or(0) << 16 | low,
            ties: self.left,
        }
    }

    /// Ends both readings at once, where the weights can be read again in memory.
    pub(crate) fn finish_in_memory(mut self, matrices: &[&[f32]]) -> Lowest {
        self.flush();
        let bucket = self.descend();
        let mut inside: Vec<u32> = Vec::with_capacity(self.counts[bucket as usize] as usize + 64);
        for matrix in matrices {
            for part in matrix.chunks(64) {
                // Seldom: a bucket holds a fraction of a percent.
                if part
                    .iter()
                    .fold(false, |any, w| any | (w.magnitude() >> 16 == bucket))
                {
                    inside.extend(part.iter().map(|w| w.magnitude()).filter(|m| m >> 16 == bucket));
                }
            }
        }
        if inside.is_empty() || self.left >= inside.len() as u64 {
            return Lowest {
                bound: (bucket + 1) << 16,
                ties: 0,
            };
        }
        let (below, bound, _) = inside.select_nth_unstable(self.left as usize);
        let bound = *bound;
        let ties = below.iter().filter(|magnitude| **magnitude == bound).count() as u64;
        Lowest { bound, ties }
    }

    /// The bucket in which the count is reached; what is left of the count when it is entered stays in `left`.
    fn descend(&mut self) -> u32 {
        for (bucket, count) in self.counts.iter().enumerate() {
            if *count > self.left {
                return bucket as u32;
            }
            self.left -= count;
        }
        self.counts.len() as u32 - 1
    }
}

/// Writes 1 for weights that stay and 0 for those that go; takes ties from the budget in `lowest`.
pub(crate) fn keep_above<T: Weight>(weights: &[T], lowest: &mut Lowest, keep: &mut [u8]) {
    for (keep, weight) in keep.iter_mut().zip(weights) {
        *keep = u8::from(weight.magnitude() >= lowest.bound);
    }
    if lowest.ties > 0 {
        for (keep, weight) in keep.iter_mut().zip(weights) {
            if weight.magnitude() == lowest.bound {
                *keep = 0;
                lowest.ties -= 1;
                if lowest.ties == 0 {
                    break;
                }
            }
        }
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
pub(crate) trait Rank: Copy {
    /// Keeps all but the `count` lowest of a row, of equals the first; false where one is not below `infinite`.
    fn keep(row: &[Self], count: usize, infinite: Self, keep: &mut [u8]) -> bool;
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
                    take_ties(row, bound, count - below, keep);
                    finite
                }
            }

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

            /// Marks the first `ties` of those that equal the bound as going.
            #[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
            fn take_ties(row: &[$rank], bound: $rank, mut ties: usize, keep: &mut [u8]) {
                for (keep, part) in keep.chunks_mut(32).zip(row.chunks(32)) {
                    if ties == 0 {
                        return;
                    }
                    if part.iter().fold(false, |any, rank| any | (*rank == bound)) {
                        for (keep, rank) in keep.iter_mut().zip(part) {
                            if *rank == bound && ties > 0 {
                                *keep = 0;
                                ties -= 1;
                            }
                        }
                    }
                }
            }

            #[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
            fn count_below(row: &[$rank], bound: $rank) -> usize {
                // Stretches so short that a counter as narrow as a rank holds them.
                let stretch = |part: &[$rank]| {
                    let lower = part.iter().map(|rank| $rank::from(*rank < bound));
                    lower.fold(0, $rank::wrapping_add) as usize
                };
                row.chunks(1 << 15).map(stretch).sum()
            }

            #[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
            fn highest(row: &[$rank]) -> $rank {
                row.iter().fold(0, |most, rank| most.max(*rank))
            }

            #[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
            fn mark(row: &[$rank], bound: $rank, keep: &mut [u8]) {
                for (keep, rank) in keep.iter_mut().zip(row) {
                    *keep = u8::from(*rank >= bound);
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
/// highest magnitude.
#[multiversion(targets("x86_64+avx2", "x86_64+avx512f+avx512bw+avx512vl"))]
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
}
