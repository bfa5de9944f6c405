//! The test of Page and Hinkley.

/// Settings of a [`PageHinkley`]; the defaults are those of river.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct PageHinkleyOptions {
    /// Values before the first verdict. Default 30.
    pub least_values: u64,
    /// The change that is tolerated. Default 0.005.
    pub delta: f64,
    /// The sum above which a change is reported. Default 50.
    pub threshold: f64,
    /// What a past deviation is multiplied by at each step. Default 0.9999.
    pub alpha: f64,
}

impl Default for PageHinkleyOptions {
    fn default() -> Self {
        Self {
            least_values: 30,
            delta: 0.005,
            threshold: 50.0,
            alpha: 1.0 - 0.0001,
        }
    }
}

impl PageHinkleyOptions {
    /// The same with another threshold.
    #[must_use]
    pub fn with_threshold(mut self, threshold: f64) -> Self {
        self.threshold = threshold;
        self
    }

    /// The same with another tolerated change.
    #[must_use]
    pub fn with_delta(mut self, delta: f64) -> Self {
        self.delta = delta;
        self
    }
}

/// The Page-Hinkley test: reports a change of the mean once the deviations from the running mean add up, in either
/// direction.
///
/// Cheap, and quick on abrupt changes of a known size; [`Adwin`](crate::detect::Adwin) needs no threshold. After a
/// report it begins anew with the next value.
///
/// **Formula**: `S ← α·S + x − x̄ − δ`; a change where `S − min S > λ`, and likewise downwards.
/// x̄ is the running mean; α, δ and λ are `alpha`, `delta` and `threshold` of the options.
///
/// **Numerics**: the same operations in the same order as river 0.26; NaN is ignored.
///
/// ```
/// use modelops_monitoring::detect::{PageHinkley, PageHinkleyOptions};
/// let mut test = PageHinkley::new(PageHinkleyOptions::default().with_threshold(5.0));
/// let at = (0..200).position(|i| test.update(if i < 100 { 0.0 } else { 1.0 }));
/// assert_eq!(at, Some(105));
/// ```
///
/// **References**: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954, doi:10.1093/biomet/41.1-2.100.
#[doc(alias = "change_point")]
#[derive(Debug, Clone, PartialEq)]
pub struct PageHinkley {
    options: PageHinkleyOptions,
    count: u64,
    mean: f64,
    rising: f64,
    falling: f64,
    least: f64,
    greatest: f64,
    changed: bool,
}

impl PageHinkley {
    /// A test that has seen nothing.
    #[must_use]
    pub fn new(options: PageHinkleyOptions) -> Self {
        Self {
            options,
            count: 0,
            mean: 0.0,
            rising: 0.0,
            falling: 0.0,
            least: f64::INFINITY,
            greatest: -1.0,
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
        let PageHinkleyOptions {
            least_values,
            delta,
            threshold,
            alpha,
        } = self.options;
        self.count += 1;
        self.mean += (value - self.mean) / self.count as f64;
        let deviation = value - self.mean;
        self.rising = alpha * self.rising + deviation - delta;
        self.falling = alpha * self.falling + deviation + delta;
        self.least = self.least.min(self.rising);
        self.greatest = self.greatest.max(self.falling);
        self.changed = self.count >= least_values
            && (self.rising - self.least > threshold || self.greatest - self.falling > threshold);
        self.changed
    }
}
