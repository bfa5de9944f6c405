//! Mergeable distribution with a proven relative error.

use crate::error::{SketchError, ValueError};
use crate::kernel::index::{bucket, upper_bound};

/// Values at most this far from zero count as zero, as in Prometheus.
pub(crate) const ZERO_THRESHOLD: f64 = f64::from_bits((1023 - 128) << 52);

/// Buckets a sketch keeps on either side of zero before it halves its resolution.
const MAX_BUCKETS: usize = 2_048;

/// From this magnitude on, values are summed in `f64` instead of exactly.
const COARSE: f64 = (1u64 << 53) as f64;

/// Resolution of an exponential histogram: `2^schema` buckets for each doubling.
///
/// **Formula**: the bounds are `b^i` for integer `i`, with `b = 2^(2^−schema)`.
/// A quantile is off by at most `(b − 1)/(b + 1)`: 1.083 % at 5, 4.33 % at 3, 0.271 % at 7.
///
/// **References**: Prometheus, "Native Histograms" specification; OpenTelemetry metrics data model, `ExponentialHistogram`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schema(i8);

impl Schema {
    /// Thirty-two buckets for each doubling, relative error 1.083 %: the default.
    pub const S5: Self = Self(5);
    /// Eight buckets for each doubling, relative error 4.33 %.
    pub const S3: Self = Self(3);
    /// 256 buckets for each doubling, relative error 0.135 %: the finest.
    pub const S8: Self = Self(8);

    /// The schema with number `n`.
    ///
    /// # Errors
    /// [`ValueError::Schema`] unless `-4 <= n <= 8`.
    pub const fn try_new(n: i8) -> Result<Self, ValueError> {
        if n < -4 || n > 8 {
            return Err(ValueError::Schema { given: n });
        }
        Ok(Self(n))
    }

    /// The number of the schema, −4 to 8.
    #[must_use]
    pub const fn number(self) -> i8 {
        self.0
    }

    /// The ratio of neighbouring bounds, `b = 2^(2^−schema)`.
    #[must_use]
    pub fn base(self) -> f64 {
        upper_bound(1, self.0)
    }

    /// The greatest relative error of a quantile, `(b − 1)/(b + 1)`.
    ///
    /// ```
    /// use modelops_monitoring::Schema;
    /// // b = 2: a bucket (1, 2] is answered with 4/3, a third above 1 and a third below 2.
    /// assert_eq!(Schema::try_new(0)?.relative_error(), 1.0 / 3.0);
    /// # Ok::<(), modelops_monitoring::ValueError>(())
    /// ```
    #[must_use]
    pub fn relative_error(self) -> f64 {
        let base = self.base();
        (base - 1.0) / (base + 1.0)
    }

    /// The upper, inclusive bound of bucket `index`, `b^index`.
    #[must_use]
    pub fn upper_bound(self, index: i32) -> f64 {
        upper_bound(index, self.0)
    }
}

/// The buckets on one side of zero: counts from `first` on, without leading or trailing zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Buckets {
    first: i32,
    counts: Vec<u64>,
}

impl Buckets {
    fn add(&mut self, index: i32, n: u64) {
        if n == 0 {
            return;
        }
        if self.counts.is_empty() {
            self.first = index;
        }
        if index < self.first {
            let missing = (self.first - index) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = index;
        }
        let at = (index - self.first) as usize;
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += n;
    }

    /// Index and count of every bucket that is not empty, by rising index.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + '_ {
        let first = self.first;
        self.counts
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(move |(i, n)| (first + i as i32, *n))
    }

    fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    fn halve(&mut self) {
        let mut coarse = Self::default();
        for (index, n) in self.iter() {
            coarse.add((index + 1) >> 1, n);
        }
        *self = coarse;
    }

    fn subtract(&self, other: &Self) -> Option<Self> {
        let mut left = self.clone();
        for (index, n) in other.iter() {
            let at = usize::try_from(index.checked_sub(left.first)?).ok()?;
            let count = left.counts.get_mut(at)?;
            *count = count.checked_sub(n)?;
        }
        let mut trimmed = Self::default();
        for (index, n) in left.iter() {
            trimmed.add(index, n);
        }
        Some(trimmed)
    }
}

/// A distribution of values: count, sum and quantiles within a proven relative error, exactly mergeable.
///
/// It is at once a quantile sketch, the content of a Prometheus native histogram and of an OpenTelemetry exponential
/// histogram. Take one from [`Histogram::snapshot`](crate::Histogram::snapshot), or fill one by hand where one thread
/// does the work. Where many threads record, a [`Histogram`](crate::Histogram) is the right type.
///
/// **Numerics**: [`quantile`](Self::quantile) is within [`relative_error`](Self::relative_error) for values beyond
/// `2^-128` in magnitude; smaller ones count as zero. The sum is exact to `2^-64` a value (below 2^53), in any order.
/// NaN is counted, and is in neither the sum nor the quantiles. Infinities have buckets of their own.
///
/// **Complexity**: `observe` O(1) amortised; `quantile` and `merge` O(buckets); at most 2,048 buckets on either side of
/// zero: beyond that span (64 doublings at schema 5) the resolution is halved, which `relative_error` reports.
///
/// ```
/// use modelops_monitoring::{Schema, Sketch};
/// let mut sketch = Sketch::new(Schema::S5);
/// for milliseconds in 1..=100 {
///     sketch.observe(f64::from(milliseconds));
/// }
/// assert_eq!(sketch.count(), 100);
/// assert_eq!(sketch.sum(), 5050.0);
/// let p99 = sketch.quantile(0.99).expect("not empty");
/// assert!((p99 - 99.0).abs() <= 99.0 * sketch.relative_error());
/// ```
///
/// **References**: C. Masson, J. E. Rim, H. K. Lee, "`DDSketch`: a fast and fully-mergeable quantile sketch with
/// relative-error guarantees", PVLDB 12(12), 2019, doi:10.14778/3352063.3352135.
#[doc(alias("DDSketch", "quantile", "percentile"))]
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    schema: i8,
    pub(crate) positive: Buckets,
    pub(crate) negative: Buckets,
    zero: u64,
    nan: u64,
    /// Values of plus and minus infinity.
    infinite: [u64; 2],
    /// The sum in units of 2^-64.
    fixed: i128,
    /// The sum of the values too large for `fixed`.
    coarse: f64,
}

impl Sketch {
    /// An empty sketch.
    #[must_use]
    pub fn new(schema: Schema) -> Self {
        Self {
            schema: schema.0,
            positive: Buckets::default(),
            negative: Buckets::default(),
            zero: 0,
            nan: 0,
            infinite: [0; 2],
            fixed: 0,
            coarse: 0.0,
        }
    }

    /// Counts `value` once.
    pub fn observe(&mut self, value: f64) {
        self.observe_n(value, 1);
    }

    /// Counts `value` `n` times.
    pub fn observe_n(&mut self, value: f64, n: u64) {
        if value.is_nan() {
            self.nan += n;
            return;
        }
        if value.is_infinite() {
            self.infinite[usize::from(value < 0.0)] += n;
            return;
        }
        if value.abs() < COARSE {
            // Exact: 53 bits at 2^-64 or coarser; finer bits are cut off.
            let units = (value * 18_446_744_073_709_551_616.0) as i128;
            self.fixed = self.fixed.saturating_add(units.saturating_mul(i128::from(n)));
        } else {
            self.coarse += value * n as f64;
        }
        if value.abs() <= ZERO_THRESHOLD {
            self.zero += n;
        } else {
            let index = bucket(value.abs(), self.schema);
            let side = if value > 0.0 {
                &mut self.positive
            } else {
                &mut self.negative
            };
            side.add(index, n);
            self.collapse();
        }
    }

    /// Puts `n` values into a bucket without touching the sum.
    pub(crate) fn add_bucket(&mut self, index: i32, n: u64) {
        self.positive.add(index, n);
    }

    /// Puts in what does not lie in a bucket: zeros and a sum in units of 2^-64.
    pub(crate) fn add_rest(&mut self, zeros: u64, units: i128) {
        self.zero += zeros;
        self.fixed = self.fixed.saturating_add(units);
    }

    /// Halves the resolution until both sides fit.
    pub(crate) fn collapse(&mut self) {
        while self.schema > -4
            && (self.positive.counts.len() > MAX_BUCKETS || self.negative.counts.len() > MAX_BUCKETS)
        {
            self.halve();
        }
    }

    fn halve(&mut self) {
        self.positive.halve();
        self.negative.halve();
        self.schema -= 1;
    }

    /// The schema now in use: the one asked for, or a coarser one after a collapse.
    #[must_use]
    pub fn schema(&self) -> Schema {
        Schema(self.schema)
    }

    /// The greatest relative error of a quantile, `(b − 1)/(b + 1)` at the present schema.
    #[must_use]
    pub fn relative_error(&self) -> f64 {
        self.schema().relative_error()
    }

    /// How many values were observed, NaN and infinities included.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ordered() + self.nan
    }

    /// How many of the values were NaN.
    #[must_use]
    pub fn nan_count(&self) -> u64 {
        self.nan
    }

    /// How many of the values count as zero (magnitude at most 2^-128).
    #[must_use]
    pub fn zero_count(&self) -> u64 {
        self.zero
    }

    /// How many of the values were plus infinity, and how many minus infinity.
    #[must_use]
    pub fn infinite_counts(&self) -> [u64; 2] {
        self.infinite
    }

    /// Index and count of each occupied bucket of positive values; bucket `i` holds `b^(i−1) < v ≤ b^i`.
    #[must_use]
    pub fn positive_buckets(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + '_ {
        self.positive.iter()
    }

    /// Index and count of each occupied bucket of negative values, by magnitude.
    #[must_use]
    pub fn negative_buckets(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + '_ {
        self.negative.iter()
    }

    /// The values that have a place in the order: all but NaN.
    fn ordered(&self) -> u64 {
        self.positive.total() + self.negative.total() + self.zero + self.infinite[0] + self.infinite[1]
    }

    /// The sum of the values, NaN left out; infinite where an infinity was observed, NaN where both were.
    #[must_use]
    pub fn sum(&self) -> f64 {
        match self.infinite {
            [0, 0] => self.finite_sum(),
            [_, 0] => f64::INFINITY,
            [0, _] => f64::NEG_INFINITY,
            _ => f64::NAN,
        }
    }

    /// The sum of the finite values.
    pub(crate) fn finite_sum(&self) -> f64 {
        self.fixed as f64 / 18_446_744_073_709_551_616.0 + self.coarse
    }

    /// The sum as exposition formats want it: NaN once a NaN was observed.
    pub(crate) fn exposed_sum(&self) -> f64 {
        if self.nan > 0 { f64::NAN } else { self.sum() }
    }

    /// The buckets of one side with that of infinity, which lies just beyond the one that holds `f64::MAX`.
    pub(crate) fn side(&self, negative: bool) -> impl Iterator<Item = (i32, u64)> + '_ {
        let buckets = if negative { &self.negative } else { &self.positive };
        let infinite = self.infinite[usize::from(negative)];
        let beyond = bucket(f64::MAX, self.schema) + 1;
        buckets
            .iter()
            .chain(std::iter::once((beyond, infinite)).filter(|(_, n)| *n > 0))
    }

    /// The value of rank `⌈q·n⌉` among the `n` values (at least rank 1), within the relative error.
    ///
    /// `None` where nothing but NaN was observed, or `q` is not in `[0, 1]`.
    ///
    /// ```
    /// use modelops_monitoring::{Schema, Sketch};
    /// let mut sketch = Sketch::new(Schema::try_new(0)?);
    /// sketch.observe_n(2.0, 3);
    /// // Bucket (1, 2] is answered with 2·1·2/(1 + 2).
    /// assert_eq!(sketch.quantile(0.5), Some(4.0 / 3.0));
    /// # Ok::<(), modelops_monitoring::ValueError>(())
    /// ```
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let n = self.ordered();
        if n == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = ((q * n as f64).ceil() as u64).clamp(1, n);
        let mut seen = self.infinite[1];
        if rank <= seen {
            return Some(f64::NEG_INFINITY);
        }
        for (index, count) in self.negative.iter().rev() {
            seen += count;
            if rank <= seen {
                return Some(-self.middle(index));
            }
        }
        seen += self.zero;
        if rank <= seen {
            return Some(0.0);
        }
        for (index, count) in self.positive.iter() {
            seen += count;
            if rank <= seen {
                return Some(self.middle(index));
            }
        }
        Some(f64::INFINITY)
    }

    /// The point of a bucket `(l, u]` whose greatest relative error is least, `2lu/(l + u)`.
    fn middle(&self, index: i32) -> f64 {
        let lower = upper_bound(index - 1, self.schema);
        let upper = upper_bound(index, self.schema);
        lower * (upper / (0.5 * lower + 0.5 * upper))
    }

    /// How many values are at most `bound`, counting the whole of the bucket that holds `bound`.
    ///
    /// Exact where `bound` is a bucket bound (each power of two is one); otherwise the nearest the buckets can say.
    #[must_use]
    pub fn count_at_most(&self, bound: f64) -> u64 {
        if bound.is_nan() {
            return 0;
        }
        let up_to = |value: f64| bucket(value.min(f64::MAX), self.schema);
        let mut count = self.infinite[1];
        if bound < -ZERO_THRESHOLD {
            let least = up_to(-bound);
            return count
                + self
                    .negative
                    .iter()
                    .filter(|(i, _)| *i >= least)
                    .map(|(_, n)| n)
                    .sum::<u64>();
        }
        count += self.negative.total() + self.zero;
        if bound > ZERO_THRESHOLD {
            let most = up_to(bound);
            count += self
                .positive
                .iter()
                .filter(|(i, _)| *i <= most)
                .map(|(_, n)| n)
                .sum::<u64>();
        }
        if bound == f64::INFINITY {
            count += self.infinite[0];
        }
        count
    }

    /// Adds all that `other` holds; the coarser of the two schemas wins.
    ///
    /// Merging shards gives, bit for bit, the sketch that would have seen all their values (sums of magnitudes from
    /// 2^53 on excepted: those are added in `f64`).
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        while self.schema > other.schema {
            self.halve();
        }
        while other.schema > self.schema {
            other.halve();
        }
        for (index, n) in other.positive.iter() {
            self.positive.add(index, n);
        }
        for (index, n) in other.negative.iter() {
            self.negative.add(index, n);
        }
        self.zero += other.zero;
        self.nan += other.nan;
        self.infinite[0] += other.infinite[0];
        self.infinite[1] += other.infinite[1];
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.coarse += other.coarse;
        self.collapse();
    }

    /// What was observed after `earlier`, a previous snapshot of the same histogram.
    ///
    /// # Errors
    /// [`SketchError::NotContained`] where `earlier` counts anything that `self` does not.
    pub fn delta_since(&self, earlier: &Self) -> Result<Self, SketchError> {
        let (mut later, mut earlier) = (self.clone(), earlier.clone());
        while later.schema > earlier.schema {
            later.halve();
        }
        while earlier.schema > later.schema {
            earlier.halve();
        }
        let minus = |a: u64, b: u64| a.checked_sub(b).ok_or(SketchError::NotContained);
        Ok(Self {
            schema: later.schema,
            positive: later
                .positive
                .subtract(&earlier.positive)
                .ok_or(SketchError::NotContained)?,
            negative: later
                .negative
                .subtract(&earlier.negative)
                .ok_or(SketchError::NotContained)?,
            zero: minus(later.zero, earlier.zero)?,
            nan: minus(later.nan, earlier.nan)?,
            infinite: [
                minus(later.infinite[0], earlier.infinite[0])?,
                minus(later.infinite[1], earlier.infinite[1])?,
            ],
            fixed: later.fixed - earlier.fixed,
            coarse: later.coarse - earlier.coarse,
        })
    }
}
