//! Control charts: exponentially weighted means and cumulative sums.

/// An exponentially weighted moving average (EWMA) with control limits, for small lasting shifts of a value whose mean
/// and deviation are known.
///
/// **Formula**: `z ← λ·x + (1 − λ)·z` with `z₀ = μ`; out of control where `|z − μ| > L·σ·√(λ/(2 − λ)·(1 − (1 − λ)^2t))`.
///
/// **Numerics**: NaN is ignored.
///
/// ```
/// use modelops_monitoring::detect::Ewma;
/// let mut chart = Ewma::new(10.0, 1.0).with_weight(0.2).with_limit(3.0);
/// assert!(!chart.update(10.5));
/// assert!((chart.mean() - 10.1).abs() < 1e-12);
/// assert!((0..10).any(|_| chart.update(12.0)));
/// ```
///
/// **References**: S. W. Roberts, "Control Chart Tests Based on Geometric Moving Averages", Technometrics 1, 1959,
/// doi:10.1080/00401706.1959.10489860.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewma {
    target: f64,
    deviation: f64,
    weight: f64,
    limit: f64,
    mean: f64,
    /// `(1 − λ)^2t`.
    rest: f64,
}

impl Ewma {
    /// A chart around the mean `target` of values whose standard deviation is `deviation`, with `λ = 0.2`, `L = 3`.
    #[must_use]
    pub fn new(target: f64, deviation: f64) -> Self {
        Self {
            target,
            deviation,
            weight: 0.2,
            limit: 3.0,
            mean: target,
            rest: 1.0,
        }
    }

    /// The same with another weight `λ` of the last value, kept within `[0, 1]`.
    #[must_use]
    pub fn with_weight(mut self, weight: f64) -> Self {
        self.weight = weight.clamp(0.0, 1.0);
        self
    }

    /// The same with another width `L` of the limits.
    #[must_use]
    pub fn with_limit(mut self, limit: f64) -> Self {
        self.limit = limit;
        self
    }

    /// Takes a value and says whether the mean is out of control.
    pub fn update(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        self.mean = self.weight * value + (1.0 - self.weight) * self.mean;
        self.rest *= (1.0 - self.weight) * (1.0 - self.weight);
        let spread = (self.weight / (2.0 - self.weight) * (1.0 - self.rest)).sqrt();
        (self.mean - self.target).abs() > self.limit * self.deviation * spread
    }

    /// The weighted mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }
}

/// Two-sided cumulative sums (CUSUM), which find a lasting shift of known size soonest.
///
/// **Formula**: `C⁺ ← max(0, C⁺ + (x − μ)/σ − k)`, `C⁻ ← max(0, C⁻ − (x − μ)/σ − k)`; a shift where either exceeds `h`.
/// `k` is half the shift to be found, in deviations.
///
/// **Numerics**: NaN is ignored. After a report both sums begin anew.
///
/// ```
/// use modelops_monitoring::detect::Cusum;
/// let mut sums = Cusum::new(10.0, 2.0);
/// let at = (0..100).position(|i| sums.update(if i < 50 { 10.0 } else { 14.0 }));
/// assert_eq!(at, Some(53)); // four steps of 2 − 0.5 exceed 5
/// ```
///
/// **References**: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954, doi:10.1093/biomet/41.1-2.100.
#[doc(alias = "change_point")]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cusum {
    target: f64,
    deviation: f64,
    slack: f64,
    threshold: f64,
    above: f64,
    below: f64,
}

impl Cusum {
    /// Sums around the mean `target` of values whose standard deviation is `deviation`, with `k = 0.5`, `h = 5`.
    #[must_use]
    pub fn new(target: f64, deviation: f64) -> Self {
        Self {
            target,
            deviation,
            slack: 0.5,
            threshold: 5.0,
            above: 0.0,
            below: 0.0,
        }
    }

    /// The same with another slack `k` and threshold `h`, in deviations.
    #[must_use]
    pub fn with_limits(mut self, slack: f64, threshold: f64) -> Self {
        self.slack = slack;
        self.threshold = threshold;
        self
    }

    /// Takes a value and says whether the mean has shifted.
    pub fn update(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        let score = if self.deviation > 0.0 {
            (value - self.target) / self.deviation
        } else if value == self.target {
            0.0
        } else {
            f64::INFINITY.copysign(value - self.target)
        };
        self.above = (self.above + score - self.slack).max(0.0);
        self.below = (self.below - score - self.slack).max(0.0);
        let shifted = self.above > self.threshold || self.below > self.threshold;
        if shifted {
            (self.above, self.below) = (0.0, 0.0);
        }
        shifted
    }
}
