//! Exact selection of the lowest magnitudes: by histograms over a stream, by partition in a row, by rank in a group.
//!
//! A magnitude is the bit pattern of |w| as `f32`, which orders as the value does. Of equal magnitudes the ones that
//! come first go first, so that every count is exact.

use half::{bf16, f16};

/// Bits of infinity: no magnitude of a usable weight reaches it.
const INFINITE: u32 = 0x7f80_0000;

/// A storage type of weights.
pub(crate) trait Weight: bytemuck::Pod + Send + Sync {
    /// Bits of |w| as `f32`.
    fn magnitude(self) -> u32;
    /// The value.
    fn value(self) -> f32;
    /// +0.
    const ZERO: Self;
}

impl Weight for f32 {
    const ZERO: Self = 0.0;
    fn magnitude(self) -> u32 {
        self.to_bits() & 0x7fff_ffff
    }
    fn value(self) -> f32 {
        self
    }
}

impl Weight for bf16 {
    const ZERO: Self = bf16::ZERO;
    fn magnitude(self) -> u32 {
        u32::from(self.to_bits() & 0x7fff) << 16
    }
    fn value(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

impl Weight for f16 {
    const ZERO: Self = f16::ZERO;
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
    scratch: &mut Vec<u32>,
    keep: &mut [u8],
) -> bool {
    scratch.clear();
    scratch.extend(weights.iter().map(|weight| weight.magnitude()));
    let finite = scratch.iter().copied().max().is_none_or(|most| most < INFINITE);
    if count == 0 || count >= weights.len() {
        keep.fill(u8::from(count == 0));
        return finite;
    }
    let (below, bound, _) = scratch.select_nth_unstable(count);
    let bound = *bound;
    let ties = below.iter().filter(|magnitude| **magnitude == bound).count() as u64;
    keep_above(weights, &mut Lowest { bound, ties }, keep);
    finite
}

/// Keeps the `kept` highest of every group of `group` weights; false where a weight is not finite.
pub(crate) fn keep_in_groups<T: Weight>(weights: &[T], kept: usize, group: usize, keep: &mut [u8]) -> bool {
    let mut most = 0;
    if group == 4 {
        for (keep, weights) in keep.chunks_exact_mut(4).zip(weights.chunks_exact(4)) {
            let m = [
                weights[0].magnitude(),
                weights[1].magnitude(),
                weights[2].magnitude(),
                weights[3].magnitude(),
            ];
            most = most.max(m[0].max(m[1]).max(m[2].max(m[3])));
            // Rank = how many beat it; of equals the later one wins.
            let beats = |later: usize, earlier: usize| u8::from(m[later] >= m[earlier]);
            let (b10, b20, b30) = (beats(1, 0), beats(2, 0), beats(3, 0));
            let (b21, b31, b32) = (beats(2, 1), beats(3, 1), beats(3, 2));
            let ranks = [
                b10 + b20 + b30,
                1 - b10 + b21 + b31,
                2 - b20 - b21 + b32,
                3 - b30 - b31 - b32,
            ];
            for (keep, rank) in keep.iter_mut().zip(ranks) {
                *keep = u8::from(usize::from(rank) < kept);
            }
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

/// Position of the first weight that is NaN or infinite.
pub(crate) fn first_not_finite<T: Weight>(weights: &[T]) -> Option<usize> {
    weights.iter().position(|weight| weight.magnitude() >= INFINITE)
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
