//! Adaptive windowing.

use std::collections::VecDeque;

/// Settings of an [`Adwin`]; the defaults are those of river.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct AdwinOptions {
    /// The share of false alarms that is tolerated. Default 0.002.
    pub delta: f64,
    /// Values between two looks for a change. Default 32.
    pub clock: u64,
    /// Buckets of one size. Default 5.
    pub buckets: usize,
    /// The shortest part of the window that is compared. Default 5.
    pub least_part: f64,
    /// Values before the first look. Default 10.
    pub grace: f64,
}

impl Default for AdwinOptions {
    fn default() -> Self {
        Self {
            delta: 0.002,
            clock: 32,
            buckets: 5,
            least_part: 5.0,
            grace: 10.0,
        }
    }
}

impl AdwinOptions {
    /// The same with another tolerated share of false alarms, in `(0, 1)`.
    #[must_use]
    pub fn with_delta(mut self, delta: f64) -> Self {
        self.delta = delta;
        self
    }
}

/// Adaptive windowing (ADWIN): a window that grows while its mean stays the same, and reports when it has to be cut.
///
/// Needs no threshold in the unit of the values. After a report it begins anew with the next value, as river does.
///
/// **Complexity**: O(1) amortised a value, O(log n) buckets for a window of n values.
///
/// **Numerics**: the same sums in the same order as river 0.26; NaN is ignored.
///
/// ```
/// use modelops_monitoring::detect::{Adwin, AdwinOptions};
/// let mut window = Adwin::new(AdwinOptions::default());
/// let at = (0..2_000).position(|i| window.update(f64::from(u8::from(i >= 1_000))));
/// assert_eq!(at, Some(1_023)); // the first look after the change
/// ```
///
/// **References**: A. Bifet, R. Gavaldà, "Learning from Time-Changing Data with Adaptive Windowing", SDM 2007,
/// doi:10.1137/1.9781611972771.42.
#[doc(alias("change_point", "concept_drift"))]
#[derive(Debug, Clone)]
pub struct Adwin {
    options: AdwinOptions,
    /// Row `i` holds buckets of `2^i` values, the oldest first.
    rows: Vec<VecDeque<Bucket>>,
    width: f64,
    total: f64,
    /// The sum of squared deviations from the mean.
    spread: f64,
    ticks: u64,
    changed: bool,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    total: f64,
    spread: f64,
}

impl Adwin {
    /// An empty window.
    #[must_use]
    pub fn new(options: AdwinOptions) -> Self {
        Self {
            options,
            rows: vec![VecDeque::new()],
            width: 0.0,
            total: 0.0,
            spread: 0.0,
            ticks: 0,
            changed: false,
        }
    }

    /// Takes a value and says whether the mean has changed.
    pub fn update(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        if self.changed {
            *self = Self::new(self.options);
        }
        self.insert(value);
        self.ticks += 1;
        self.changed = false;
        if self.ticks.is_multiple_of(self.options.clock.max(1)) && self.width > self.options.grace {
            while self.has_cut() {
                self.changed = true;
                self.forget_oldest();
            }
        }
        self.changed
    }

    /// The mean of the window; 0 where it is empty.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.width > 0.0 {
            self.total / self.width
        } else {
            0.0
        }
    }

    /// Values in the window.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.width as u64
    }

    fn insert(&mut self, value: f64) {
        self.rows[0].push_back(Bucket {
            total: value,
            spread: 0.0,
        });
        self.width += 1.0;
        if self.width > 1.0 {
            let before = self.width - 1.0;
            let deviation = value - self.total / before;
            self.spread += before * deviation * deviation / self.width;
        }
        self.total += value;
        let mut row = 0;
        while self.rows[row].len() > self.options.buckets {
            let (Some(a), Some(b)) = (self.rows[row].pop_front(), self.rows[row].pop_front()) else {
                break;
            };
            let size = size(row);
            let between = a.total / size - b.total / size;
            if row + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            self.rows[row + 1].push_back(Bucket {
                total: a.total + b.total,
                spread: a.spread + b.spread + size * 0.5 * between * between,
            });
            row += 1;
        }
    }

    /// Whether the means before and after some cut differ by more than chance allows.
    fn has_cut(&self) -> bool {
        let least = self.options.least_part;
        let (mut width, mut total) = (0.0, 0.0);
        let (mut width_after, mut total_after) = (self.width, self.total);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            let size = size(row);
            for (place, bucket) in buckets.iter().enumerate() {
                width += size;
                width_after -= size;
                total += bucket.total;
                total_after -= bucket.total;
                if row == 0 && place + 1 == buckets.len() {
                    return false;
                }
                if width_after >= least && width >= least {
                    let between = total / width - total_after / width_after;
                    if between.abs() > self.chance(width, width_after) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// The greatest difference of means that chance explains.
    fn chance(&self, width: f64, width_after: f64) -> f64 {
        let least = self.options.least_part;
        let log = (2.0 * self.width.ln() / self.options.delta).ln();
        let parts = 1.0 / (width - least + 1.0) + 1.0 / (width_after - least + 1.0);
        (2.0 * parts * (self.spread / self.width) * log).sqrt() + 2.0 / 3.0 * log * parts
    }

    fn forget_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let Some(bucket) = self.rows[row].pop_front() else {
            return;
        };
        let size = size(row);
        self.width -= size;
        self.total -= bucket.total;
        let between = bucket.total / size - self.total / self.width;
        self.spread -= bucket.spread + size * self.width * between * between / (size + self.width);
        if self.rows[row].is_empty() && row > 0 {
            self.rows.pop();
        }
    }
}

/// Values in a bucket of that row.
fn size(row: usize) -> f64 {
    2f64.powi(row as i32)
}
