//! A histogram whose range need not be known beforehand.

/// Bins at most; fewer where neighbours were merged.
const BINS: usize = 64;

/// Counts of values in bins of equal width. The width is a power of two and doubles whenever a value falls outside,
/// so counts are exact whatever the order of the values, and only borders are coarse.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// The binary exponent of the width; `None` until a value has come.
    exponent: Option<i32>,
    /// The index of the first bin: it starts at `first · width`.
    first: i64,
    counts: Vec<u64>,
}

impl Histogram {
    /// Counts a finite value.
    pub(crate) fn see(&mut self, value: f64) {
        let exponent = *self.exponent.get_or_insert_with(|| {
            // Fine enough to start with: 2⁻²⁰ of the value; it only ever grows.
            let magnitude = if value == 0.0 {
                0
            } else {
                value.abs().log2().floor() as i32
            };
            magnitude.max(-900) - 20
        });
        let mut exponent = exponent;
        loop {
            let scaled = (value / 2f64.powi(exponent)).floor();
            if scaled.abs() < 9e15 {
                let bin = scaled as i64;
                if self.counts.is_empty() {
                    self.first = bin;
                    self.counts.push(1);
                    break;
                }
                let last = self.first + self.counts.len() as i64 - 1;
                if bin.max(last) - bin.min(self.first) < BINS as i64 {
                    self.put(bin);
                    break;
                }
            }
            self.halve();
            exponent += 1;
        }
        self.exponent = Some(exponent);
    }

    fn put(&mut self, bin: i64) {
        if bin < self.first {
            let missing = (self.first - bin) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bin;
        }
        let at = (bin - self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += 1;
    }

    fn halve(&mut self) {
        let Some(_) = self.counts.first() else { return };
        let first = self.first.div_euclid(2);
        let mut counts = Vec::with_capacity(BINS);
        for (i, &count) in self.counts.iter().enumerate() {
            let at = ((self.first + i as i64).div_euclid(2) - first) as usize;
            if at >= counts.len() {
                counts.resize(at + 1, 0);
            }
            counts[at] += count;
        }
        self.first = first;
        self.counts = counts;
    }

    /// The bins as (lower border, upper border, count), in order; at most 64.
    #[must_use]
    pub fn bins(&self) -> Vec<(f64, f64, u64)> {
        let Some(exponent) = self.exponent else {
            return Vec::new();
        };
        let width = 2f64.powi(exponent);
        self.counts
            .iter()
            .enumerate()
            .map(|(i, &count)| {
                let low = (self.first + i as i64) as f64 * width;
                (low, low + width, count)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_are_exact_in_any_order(mut values in proptest::collection::vec(-1e6f64..1e6, 1..200)) {
            let gather = |values: &[f64]| {
                let mut histogram = Histogram::default();
                values.iter().for_each(|&v| histogram.see(v));
                histogram
            };
            let bins = gather(&values).bins();
            prop_assert!(bins.len() <= BINS);
            for &(low, high, count) in &bins {
                let inside = values.iter().filter(|&&v| v >= low && v < high).count() as u64;
                prop_assert_eq!(count, inside);
            }
            values.reverse();
            let total: u64 = gather(&values).bins().iter().map(|b| b.2).sum();
            prop_assert_eq!(total, values.len() as u64);
        }
    }
}
