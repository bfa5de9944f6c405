//! A distribution that any number of threads record.

use std::sync::{Arc, Mutex, PoisonError};

use crate::error::RegisterError;
use crate::exemplar::Exemplar;
use crate::kernel::index::{IndexTable, bucket};
use crate::kernel::slab::{self, Reader, Slots, Writer};
use crate::sketch::{Schema, Sketch};

/// Lists of classic bucket bounds.
pub mod buckets {
    /// Durations of requests in seconds, 1 ms to one minute.
    pub const SECONDS: &[f64] = &[
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ];
    /// Sizes and token counts: the powers of four to 65,536.
    pub const SIZES: &[f64] = &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0];
    /// Time to the first token of a streamed answer in seconds, as the OpenTelemetry conventions for generative AI list it.
    pub const GEN_AI_TIME_TO_FIRST_TOKEN: &[f64] = &[
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ];
    /// Time from one token to the next in seconds, as the OpenTelemetry conventions for generative AI list it.
    pub const TOKEN_GAP: &[f64] = &[
        0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
    ];
}

/// How a histogram stores what it sees.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HistogramOptions {
    /// Resolution of the exponential buckets.
    pub schema: Schema,
    /// Bounds of the classic buckets that are counted, exactly, beside the exponential ones; may be empty.
    pub buckets: Vec<f64>,
    /// Exponents of two: values in `(2^min, 2^max]` take the fast path, all others a lock.
    pub fast_range: (i8, i8),
}

impl HistogramOptions {
    /// For durations in seconds: schema 5, [`buckets::SECONDS`], fast from 1 µs to 24 days.
    #[must_use]
    pub fn seconds() -> Self {
        Self {
            schema: Schema::S5,
            buckets: buckets::SECONDS.to_vec(),
            fast_range: (-20, 21),
        }
    }

    /// For token counts and sizes: schema 5, [`buckets::SIZES`], fast from 1 to 2^40.
    #[must_use]
    pub fn sizes() -> Self {
        Self {
            schema: Schema::S5,
            buckets: buckets::SIZES.to_vec(),
            fast_range: (-1, 40),
        }
    }

    /// The same with another resolution. Schemas below 0 record at 0 and are coarsened when read.
    #[must_use]
    pub fn with_schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// The same with other classic bounds, rising and finite.
    #[must_use]
    pub fn with_buckets(mut self, bounds: &[f64]) -> Self {
        self.buckets = bounds.to_vec();
        self
    }

    /// The same with another fast range, `(2^min, 2^max]`.
    #[must_use]
    pub fn with_fast_range(mut self, min: i8, max: i8) -> Self {
        self.fast_range = (min, max);
        self
    }
}

/// Cells before the classic ones: the sum's high and low part, and the count of zeros.
const SUM_HIGH: u32 = 0;
const SUM_LOW: u32 = 1;
const ZEROS: u32 = 2;
const FIXED_CELLS: u32 = 3;
/// Bits of the sum's low part: a value's rest, in units of 2^(max − 76).
const LOW_BITS: u32 = 44;

/// Exemplars of a histogram without classic buckets.
const OCTAVES: usize = 10;

/// Repetitions that the low part of the sum can take in one step.
const MOST_AT_ONCE: u64 = 1 << 16;

/// What all series of a family share.
#[derive(Debug)]
pub struct Shape {
    table: IndexTable,
    schema: Schema,
    max: i8,
    least: f64,
    greatest: f64,
    /// Index of the bucket just below the fast range.
    below: i32,
    /// Cells before the first bucket: the fixed ones, then one for each classic bound.
    head: u32,
    bucket_count: u32,
    bounds: Box<[f64]>,
    /// The bucket, counted from the fast range's first, that each classic bound falls into; `None` outside.
    homes: Box<[Option<u32>]>,
    /// A bit for each bucket that a classic bound cuts in two.
    cut: Box<[u64]>,
    high: Rounding,
    low: Rounding,
}

/// Rounds to a multiple of a power of two by adding and subtracting a large number.
#[derive(Debug, Clone, Copy)]
struct Rounding {
    magic: f64,
    half: f64,
}

impl Rounding {
    fn to_unit(exponent: i32) -> Self {
        let unit = 2f64.powi(exponent);
        Self {
            // One and a half times 2^52 units: neighbouring numbers lie one unit apart on both sides.
            magic: 1.5 * 4_503_599_627_370_496.0 * unit,
            half: 0.5 * unit,
        }
    }

    /// `value` (at most 2^50 units) as whole units, to the nearest, and what is left of it.
    #[inline]
    fn split(self, value: f64, rest_of: f64) -> (u64, f64) {
        let rounded = value + self.magic;
        let units = rounded.to_bits().wrapping_sub(self.magic.to_bits());
        (units, rest_of - (rounded - self.magic))
    }
}

impl Shape {
    pub(crate) fn new(options: &HistogramOptions) -> Result<Self, RegisterError> {
        let (min, max) = options.fast_range;
        if !(-64 <= min && min < max && max <= 64) {
            return Err(RegisterError::FastRange { min, max });
        }
        let mut before = f64::NEG_INFINITY;
        for (position, bound) in options.buckets.iter().enumerate() {
            if !bound.is_finite() || *bound <= before {
                return Err(RegisterError::Bounds { position });
            }
            before = *bound;
        }
        let schema = options.schema.number().max(0);
        let (least, greatest) = (2f64.powi(min.into()), 2f64.powi(max.into()));
        let below = i32::from(min) << schema;
        let bucket_count = ((i32::from(max) - i32::from(min)) << schema) as u32;
        let inside = |bound: f64| bound > least && bound <= greatest;
        let homes: Box<[_]> = options
            .buckets
            .iter()
            .map(|bound| inside(*bound).then(|| (bucket(*bound, schema) - below - 1) as u32))
            .collect();
        let mut cut = vec![0u64; bucket_count.div_ceil(64) as usize];
        for home in homes.iter().flatten() {
            cut[(home / 64) as usize] |= 1 << (home % 64);
        }
        Ok(Self {
            table: IndexTable::new(schema),
            schema: options.schema,
            max,
            least,
            greatest,
            below,
            head: FIXED_CELLS + options.buckets.len() as u32,
            bucket_count,
            bounds: options.buckets.clone().into(),
            homes,
            cut: cut.into(),
            high: Rounding::to_unit(i32::from(max) - 32),
            low: Rounding::to_unit(i32::from(max) - 32 - LOW_BITS as i32),
        })
    }

    fn cells(&self) -> u32 {
        self.head + self.bucket_count
    }
}

/// What lies outside the fast range: rare, so a lock serves.
#[derive(Debug)]
struct Far {
    sketch: Sketch,
    /// For each classic bound, the values at most that large.
    at_most: Box<[u64]>,
}

#[derive(Debug)]
struct Rest {
    /// Given back with the last handle.
    _slots: Slots,
    far: Mutex<Option<Box<Far>>>,
    /// One for each classic bucket, or for each octave modulo [`OCTAVES`] where there is none.
    exemplars: Mutex<Box<[Option<Exemplar>]>>,
}

/// A distribution of durations or sizes, recorded by any number of threads.
///
/// One histogram is at once a Prometheus native histogram, an OpenTelemetry exponential histogram and a quantile
/// sketch, with the classic buckets that [`HistogramOptions`] asks for counted exactly beside it. The caller measures
/// the duration; the library reads no clock.
///
/// **Numerics**: quantiles are within the schema's relative error (1.083 % by default). The sum is kept in whole
/// units of `2^(max − 76)`, so it is the same bits for any number of threads. NaN is counted apart, infinities have
/// buckets of their own, negative values and values outside the fast range are kept just as precisely, but cost a lock.
///
/// **Complexity**: `observe` O(1); `snapshot` O(threads · buckets). A thread pays 4 KiB for each run of 512 buckets
/// that it touches.
///
/// ```
/// use modelops_monitoring::{HistogramOptions, Registry};
/// let registry = Registry::new("shop")?;
/// let seconds = registry.histogram("request_seconds", "Duration.", HistogramOptions::seconds())?;
/// seconds.observe(0.25);
/// seconds.observe_n(0.5, 2);
/// let snapshot = seconds.snapshot();
/// assert_eq!((snapshot.count(), snapshot.sum()), (3, 1.25));
/// assert_eq!(seconds.count_at_most(0.25), Some(1));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[doc(alias("latency", "percentile", "Summary"))]
#[derive(Debug, Clone)]
pub struct Histogram {
    first: u32,
    shape: Arc<Shape>,
    rest: Arc<Rest>,
}

impl Histogram {
    pub(crate) fn create(shape: &Arc<Shape>) -> Option<Self> {
        let slots = Slots::reserve(shape.cells())?;
        Some(Self {
            first: slots.first(),
            shape: Arc::clone(shape),
            rest: Arc::new(Rest {
                _slots: slots,
                far: Mutex::new(None),
                exemplars: Mutex::new(Box::default()),
            }),
        })
    }

    /// Counts `value` once.
    #[inline]
    pub fn observe(&self, value: f64) {
        let shape = &*self.shape;
        if value > shape.least
            && value <= shape.greatest
            && let Some(writer) = slab::writer()
        {
            self.record(writer, value, 1);
        } else {
            self.observe_far(value, 1);
        }
    }

    /// Counts `value` `n` times: the gaps of the tokens that one step of an engine produced, say.
    pub fn observe_n(&self, value: f64, n: u64) {
        let shape = &*self.shape;
        if value > shape.least
            && value <= shape.greatest
            && n <= MOST_AT_ONCE
            && let Some(writer) = slab::writer()
        {
            self.record(writer, value, n);
        } else {
            self.observe_far(value, n);
        }
    }

    /// Counts `value` once and remembers the trace it belongs to, one for each classic bucket (one for each of ten
    /// octaves where there are no classic buckets), the last one seen.
    ///
    /// Takes a lock of this series: meant for sampled requests, not for every one.
    pub fn observe_with_exemplar(&self, value: f64, exemplar: Exemplar) {
        self.observe(value);
        if value.is_nan() {
            return;
        }
        let bounds = &self.shape.bounds;
        let (place, places) = if bounds.is_empty() {
            let octave = bucket(value.abs().clamp(f64::MIN_POSITIVE, f64::MAX), 0);
            (octave.rem_euclid(OCTAVES as i32) as usize, OCTAVES)
        } else {
            (bounds.partition_point(|bound| *bound < value), bounds.len() + 1)
        };
        let mut exemplars = self.rest.exemplars.lock().unwrap_or_else(PoisonError::into_inner);
        if exemplars.is_empty() {
            *exemplars = vec![None; places].into();
        }
        exemplars[place] = Some(exemplar.of(value));
    }

    /// `value` lies in the fast range and `n` is at most [`MOST_AT_ONCE`].
    #[inline]
    fn record(&self, writer: Writer, value: f64, n: u64) {
        let shape = &*self.shape;
        let at = (shape.table.bucket(value) - shape.below - 1) as u32;
        writer.add(self.first + shape.head + at, n);
        if shape.cut[(at / 64) as usize] >> (at % 64) & 1 == 1 {
            self.record_cut(writer, at, value, n);
        }
        // Rounding down, by half a unit, keeps both parts from ever falling between two reads.
        let (high, rest) = shape.high.split(value - shape.high.half, value);
        let (low, _) = shape.low.split(rest, rest);
        writer.add(self.first + SUM_HIGH, high * n);
        let lows = writer.add(self.first + SUM_LOW, low * n);
        if lows >> 63 == 1 {
            slab::carry(writer, self.first + SUM_HIGH, self.first + SUM_LOW, LOW_BITS);
        }
    }

    /// Counts what lies above a classic bound within the bucket that the bound cuts.
    #[inline(never)]
    fn record_cut(&self, writer: Writer, at: u32, value: f64, n: u64) {
        let shape = &*self.shape;
        for (j, (home, bound)) in shape.homes.iter().zip(&shape.bounds).enumerate() {
            if *home == Some(at) && value > *bound {
                writer.add(self.first + FIXED_CELLS + j as u32, n);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn observe_far(&self, value: f64, n: u64) {
        if value == 0.0
            && let Some(writer) = slab::writer()
        {
            writer.add(self.first + ZEROS, n);
            return;
        }
        let mut far = self.rest.far.lock().unwrap_or_else(PoisonError::into_inner);
        let far = far.get_or_insert_with(|| {
            Box::new(Far {
                sketch: Sketch::new(self.shape.schema),
                at_most: vec![0; self.shape.bounds.len()].into(),
            })
        });
        far.sketch.observe_n(value, n);
        for (count, bound) in far.at_most.iter_mut().zip(&self.shape.bounds) {
            if value <= *bound {
                *count += n;
            }
        }
    }

    /// The distribution so far, over all threads.
    #[must_use]
    pub fn snapshot(&self) -> Sketch {
        self.read(&Reader::new()).sketch()
    }

    /// A quantile of the distribution so far, 0.99 for the 99th percentile; see [`Sketch::quantile`].
    #[must_use]
    #[doc(alias("p50", "p95", "p99", "percentile"))]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.snapshot().quantile(q)
    }

    /// How many values are at most `bound`, exactly; `None` unless `bound` is one of the classic bounds.
    ///
    /// This is what a latency objective wants: give its threshold as a classic bound.
    #[must_use]
    pub fn count_at_most(&self, bound: f64) -> Option<u64> {
        self.good_of(bound).map(|(good, _)| good)
    }

    /// The values at most `bound` and all values, at one moment.
    pub(crate) fn good_of(&self, bound: f64) -> Option<(u64, u64)> {
        let j = self.shape.bounds.iter().position(|b| *b == bound)?;
        let reading = self.read(&Reader::new());
        Some((reading.cumulative()[j], reading.count()))
    }

    /// Sums the cells up under the reader's lock.
    pub(crate) fn read(&self, reader: &Reader) -> Reading<'_> {
        let mut cells = vec![0; self.shape.cells() as usize];
        reader.sum_range(self.first, &mut cells);
        Reading {
            shape: &self.shape,
            cells,
            exemplars: self
                .rest
                .exemplars
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
            far: self
                .rest
                .far
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_deref()
                .map(|far| Far {
                    sketch: far.sketch.clone(),
                    at_most: far.at_most.clone(),
                }),
        }
    }
}

/// The cells of one histogram at one moment.
pub struct Reading<'a> {
    shape: &'a Shape,
    cells: Vec<u64>,
    far: Option<Far>,
    exemplars: Box<[Option<Exemplar>]>,
}

impl Reading<'_> {
    /// The exemplar of classic bucket `place`, the one to infinity being the last.
    pub(crate) fn exemplar_at(&self, place: usize) -> Option<&Exemplar> {
        self.exemplars.get(place)?.as_ref()
    }

    /// All exemplars, in the order of the classic buckets.
    pub(crate) fn exemplars(&self) -> impl Iterator<Item = &Exemplar> {
        self.exemplars.iter().flatten()
    }

    fn buckets(&self) -> &[u64] {
        &self.cells[self.shape.head as usize..]
    }

    /// For each classic bound, the values at most that large.
    pub(crate) fn cumulative(&self) -> Vec<u64> {
        let mut running = 0;
        let mut taken = 0;
        let mut counts = Vec::with_capacity(self.shape.bounds.len());
        for (j, (bound, home)) in self.shape.bounds.iter().zip(&self.shape.homes).enumerate() {
            let up_to = match home {
                Some(home) => *home as usize + 1,
                None if *bound > self.shape.greatest => self.buckets().len(),
                None => 0,
            };
            running += self.buckets()[taken..up_to].iter().sum::<u64>();
            taken = up_to;
            let above = self.cells[FIXED_CELLS as usize + j];
            let zeros = if *bound >= 0.0 {
                self.cells[ZEROS as usize]
            } else {
                0
            };
            let far = self.far.as_ref().map_or(0, |far| far.at_most[j]);
            counts.push(running - above + zeros + far);
        }
        counts
    }

    pub(crate) fn bounds(&self) -> &[f64] {
        &self.shape.bounds
    }

    pub(crate) fn count(&self) -> u64 {
        let far = self.far.as_ref().map_or(0, |far| far.sketch.count());
        self.buckets().iter().sum::<u64>() + self.cells[ZEROS as usize] + far
    }

    pub(crate) fn sketch(&self) -> Sketch {
        let recorded = Schema::try_new(self.shape.schema.number().max(0)).unwrap_or(Schema::S5);
        let mut sketch = Sketch::new(recorded);
        for (index, n) in (self.shape.below + 1..).zip(self.buckets()) {
            sketch.add_bucket(index, *n);
        }
        // In units of 2^(max − 76); a sketch counts in units of 2^-64.
        let units = (u128::from(self.cells[SUM_HIGH as usize]) << LOW_BITS)
            .wrapping_add(u128::from(self.cells[SUM_LOW as usize])) as i128;
        let shift = i32::from(self.shape.max) + 64 - 32 - LOW_BITS as i32;
        let units = if shift >= 0 {
            units.saturating_mul(1i128 << shift)
        } else {
            units >> -shift
        };
        sketch.add_rest(self.cells[ZEROS as usize], units);
        sketch.collapse();
        // Merging with an empty sketch of the schema asked for coarsens where that is below 0.
        sketch.merge(&Sketch::new(self.shape.schema));
        if let Some(far) = &self.far {
            sketch.merge(&far.sketch);
        }
        sketch
    }
}
