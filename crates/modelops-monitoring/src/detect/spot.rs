//! Thresholds from the theory of extreme values.

use std::collections::VecDeque;

/// Excesses that are remembered.
const REMEMBERED: usize = 2_000;
/// Excesses that a fit needs.
const LEAST_EXCESSES: usize = 10;

/// Settings of a [`Spot`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SpotOptions {
    /// The share of values that may be reported though nothing is wrong. Default 1e-4.
    pub risk: f64,
    /// Values gathered before the first verdict. Default 1,000.
    pub calibration: usize,
    /// The quantile of those beyond which the tail begins. Default 0.98.
    pub level: f64,
}

impl Default for SpotOptions {
    fn default() -> Self {
        Self {
            risk: 1e-4,
            calibration: 1_000,
            level: 0.98,
        }
    }
}

impl SpotOptions {
    /// The same with another share of false alarms.
    #[must_use]
    pub fn with_risk(mut self, risk: f64) -> Self {
        self.risk = risk;
        self
    }
}

/// Streaming peaks over a threshold (SPOT): reports values so large that only a share `risk` of ordinary ones exceeds
/// them, whatever their distribution.
///
/// It fits a generalized Pareto distribution to what lies above a high quantile and goes on learning; what it reports it
/// learns as a value at the threshold. Give it `-x` to find small values. A trend has to be taken out first.
///
/// **Formula**: reports above `z = t + σ/ξ·((q·n/N)^−ξ − 1)`, with N values above the quantile `t` among n, `q` the risk, ξ and
/// σ the shape and scale of the Pareto distribution.
///
/// **Complexity**: O(1) amortised a value; a fit, whenever a tenth more was learnt, takes O(2,000).
///
/// **Numerics**: ξ and σ by probability-weighted moments, which exist for ξ < 1; NaN is ignored.
///
/// ```
/// use modelops_monitoring::detect::{Spot, SpotOptions};
/// let mut spot = Spot::new(SpotOptions::default());
/// for i in 0..5_000 {
///     spot.update(f64::from(i * 7919 % 5_003) / 5_003.0); // evenly spread over [0, 1)
/// }
/// assert!(spot.update(1.5));
/// assert!(!spot.update(0.9));
/// ```
///
/// **References**: A. Siffer et al., "Anomaly Detection in Streams with Extreme Value Theory", KDD 2017,
/// doi:10.1145/3097983.3098144; J. R. M. Hosking, J. R. Wallis, Technometrics 29, 1987, doi:10.1080/00401706.1987.10488243.
#[doc(alias("extreme_value", "outlier"))]
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    options: SpotOptions,
    gathered: Vec<f64>,
    tail: f64,
    excesses: VecDeque<f64>,
    /// Values, and those of them beyond the tail's begin.
    values: u64,
    beyond: u64,
    fitted_at: u64,
    threshold: f64,
}

impl Spot {
    /// A detector that has seen nothing.
    #[must_use]
    pub fn new(options: SpotOptions) -> Self {
        Self {
            options,
            gathered: Vec::with_capacity(options.calibration),
            tail: f64::INFINITY,
            excesses: VecDeque::new(),
            values: 0,
            beyond: 0,
            fitted_at: 0,
            threshold: f64::INFINITY,
        }
    }

    /// Takes a value and says whether it is extreme.
    pub fn update(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        if self.tail == f64::INFINITY {
            if value.is_finite() {
                self.gathered.push(value);
            }
            if self.gathered.len() >= self.options.calibration.max(LEAST_EXCESSES * 2) {
                self.calibrate();
            }
            return false;
        }
        let extreme = value > self.threshold;
        self.values += 1;
        // Left out, extreme values would pull the threshold down, and more would be extreme than promised.
        let excess = value.min(self.threshold) - self.tail;
        if excess > 0.0 {
            self.learn(excess);
            if self.beyond * 10 >= self.fitted_at * 11 {
                self.fit();
            }
        }
        extreme
    }

    /// The value beyond which one is reported; infinite while values are gathered.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    fn calibrate(&mut self) {
        let mut sorted = std::mem::take(&mut self.gathered);
        sorted.sort_unstable_by(f64::total_cmp);
        let most = sorted.len() - LEAST_EXCESSES;
        let at = ((self.options.level * sorted.len() as f64) as usize).min(most);
        self.tail = sorted[at - 1];
        self.values = sorted.len() as u64;
        let tail = self.tail;
        for value in sorted {
            if value > tail {
                self.learn(value - tail);
            }
        }
        self.fit();
    }

    fn learn(&mut self, excess: f64) {
        if self.excesses.len() == REMEMBERED {
            self.excesses.pop_front();
        }
        self.excesses.push_back(excess);
        self.beyond += 1;
    }

    /// Fits the tail and sets the threshold.
    fn fit(&mut self) {
        self.fitted_at = self.beyond;
        let mut sorted: Vec<f64> = self.excesses.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let (mut mean, mut weighted) = (0.0, 0.0);
        for (rank, excess) in sorted.iter().enumerate() {
            mean += excess / n;
            weighted += excess * (n - 1.0 - rank as f64) / (n * (n - 1.0));
        }
        if self.beyond == 0 || mean <= 0.0 {
            // Nothing is known of what lies beyond: anything beyond is extreme.
            self.threshold = self.tail;
            return;
        }
        let shape = 2.0 - mean / (mean - 2.0 * weighted);
        let scale = 2.0 * mean * weighted / (mean - 2.0 * weighted);
        let share = self.options.risk * self.values as f64 / self.beyond as f64;
        let beyond = if shape.abs() < 1e-8 {
            -scale * share.ln()
        } else {
            scale / shape * (share.powf(-shape) - 1.0)
        };
        self.threshold = if beyond.is_finite() {
            self.tail + beyond.max(0.0)
        } else {
            self.tail + sorted[sorted.len() - 1]
        };
    }
}
