//! Exact selection by counting: how often each high half of a magnitude occurs, then each low half under one of them.

use super::lowest::Weight;

/// Keys of the first reading: the sign is gone, so 15 bits.
pub(crate) const HIGH: usize = 1 << 15;
/// Keys of the second.
const LOW: usize = 1 << 16;

/// Counts keys of 15 bits: the high half of a magnitude, or the whole of it where the type has 16 bits.
pub(crate) struct HighCounts {
    /// Two tables, since the same key often follows itself; small counters stay in cache.
    tables: Box<[[u32; HIGH]; 2]>,
    pending: usize,
    sums: Vec<u64>,
}

impl HighCounts {
    pub(crate) fn new() -> Self {
        Self {
            tables: Box::new([[0; HIGH]; 2]),
            pending: 0,
            sums: vec![0; HIGH],
        }
    }

    pub(crate) fn count<T: Weight>(&mut self, weights: &[T], key: impl Fn(T) -> u16) {
        let key = |weight: T| usize::from(key(weight)) % HIGH;
        for part in weights.chunks(1 << 24) {
            if self.pending + part.len() > u32::MAX as usize {
                self.flush();
            }
            self.pending += part.len();
            let [even, odd] = &mut *self.tables;
            let mut pairs = part.chunks_exact(2);
            for pair in &mut pairs {
                even[key(pair[0])] += 1;
                odd[key(pair[1])] += 1;
            }
            for last in pairs.remainder() {
                even[key(*last)] += 1;
            }
        }
    }

    fn flush(&mut self) {
        for table in self.tables.iter_mut() {
            for (sum, part) in self.sums.iter_mut().zip(table.iter_mut()) {
                *sum += u64::from(*part);
                *part = 0;
            }
        }
        self.pending = 0;
    }

    /// What was counted since the last time, and starts anew.
    pub(crate) fn take(&mut self) -> Vec<u64> {
        self.flush();
        std::mem::replace(&mut self.sums, vec![0; HIGH])
    }
}

/// How often each low half occurs under the high half `bucket`.
pub(crate) fn count_low<T: Weight>(weights: &[T], bucket: u16, counts: &mut Vec<u64>) {
    counts.resize(LOW, 0);
    each_in_bucket(weights, bucket, |magnitude| {
        counts[(magnitude & 0xffff) as usize] += 1;
    });
}

/// Calls `f` with every magnitude whose high half is `bucket`. They are few: most stretches hold none.
pub(crate) fn each_in_bucket<T: Weight>(weights: &[T], bucket: u16, mut f: impl FnMut(u32)) {
    let inside = |weight: &T| weight.magnitude() >> 16 == u32::from(bucket);
    for part in weights.chunks(64) {
        if part.iter().fold(false, |any, weight| any | inside(weight)) {
            part.iter()
                .filter(|weight| inside(weight))
                .for_each(|weight| f(weight.magnitude()));
        }
    }
}

/// The key at which `left` values lie below, and how many of the values with that key are still wanted.
pub(crate) fn reach(counts: &[u64], mut left: u64) -> (u16, u64) {
    for (key, count) in counts.iter().enumerate() {
        if *count > left {
            return (key as u16, left);
        }
        left -= count;
    }
    ((counts.len() - 1) as u16, left)
}

/// The counts of one tensor, without the empty keys on both sides.
pub(crate) struct Part {
    first: usize,
    counts: Vec<u32>,
}

impl Part {
    /// `None` where a count does not fit.
    pub(crate) fn of(counts: &[u64]) -> Option<Self> {
        let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
        let end = counts
            .iter()
            .rposition(|count| *count > 0)
            .map_or(first, |at| at + 1);
        let counts = counts[first..end].iter().map(|count| u32::try_from(*count).ok());
        Some(Self {
            first,
            counts: counts.collect::<Option<_>>()?,
        })
    }

    /// In memory.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.counts.as_slice())
    }

    /// How many lie below `key`, and how many have it.
    pub(crate) fn at(&self, key: u16) -> [u64; 2] {
        let key = usize::from(key);
        let below = key.saturating_sub(self.first).min(self.counts.len());
        let own = key.checked_sub(self.first).and_then(|at| self.counts.get(at));
        [
            self.counts[..below].iter().map(|count| u64::from(*count)).sum(),
            own.map_or(0, |count| u64::from(*count)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_counts_as_the_whole_does() {
        let mut counts = vec![0_u64; 50];
        (counts[7], counts[9], counts[30]) = (3, 1, 5);
        let part = Part::of(&counts).expect("they fit");
        for key in 0..50_u16 {
            let below: u64 = counts[..usize::from(key)].iter().sum();
            assert_eq!(part.at(key), [below, counts[usize::from(key)]]);
        }
        assert_eq!(part.bytes(), 24 * 4);
        assert_eq!(Part::of(&[0; 4]).expect("they fit").at(2), [0, 0]);
        assert!(Part::of(&[1 << 32]).is_none());
    }

    #[test]
    fn the_key_is_the_one_in_which_the_count_is_reached() {
        assert_eq!(reach(&[0, 2, 0, 3], 0), (1, 0));
        assert_eq!(reach(&[0, 2, 0, 3], 1), (1, 1));
        assert_eq!(reach(&[0, 2, 0, 3], 2), (3, 0));
        assert_eq!(reach(&[0, 2, 0, 3], 5), (3, 0));
    }
}
