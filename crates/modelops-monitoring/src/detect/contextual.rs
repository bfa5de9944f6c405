//! Values that are unusual after the one before them.

use std::collections::VecDeque;

/// Settings of a [`ContextualAnomaly`]. The defaults are meant for every series.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct ContextualAnomalyOptions {
    /// Levels that the range of the values is divided into, 2 to 7. Default 6.
    pub levels: u32,
    /// How long it is silent after a report, as a share of the values seen until then. Default 0.03.
    pub refractory: f64,
    /// Values that are remembered, so that they can be told anew when the range grows. Default 2,048.
    pub remembered: usize,
    /// The share of the range that is added when a value lies outside. Default 0.05.
    pub margin: f64,
}

impl Default for ContextualAnomalyOptions {
    fn default() -> Self {
        Self {
            levels: 6,
            refractory: 0.03,
            remembered: 2_048,
            margin: 0.05,
        }
    }
}

impl ContextualAnomalyOptions {
    /// The same with another refractory period.
    #[must_use]
    pub fn with_refractory(mut self, share: f64) -> Self {
        self.refractory = share;
        self
    }
}

/// Reports values, and steps from one value to the next, of a kind that the series has not shown before.
///
/// The range seen so far is divided into a few levels; what is scored is whether the level, and the pair of levels with
/// the one before, occurred ever. So it finds spikes, dips and level shifts, and also values that are ordinary by
/// themselves but not where they come. It needs no training, no season and no unit: scaling and shifting the series
/// changes nothing. The first hundreds of values are all new to it; expect reports there.
///
/// **Formula**: score = (new level + new pair) / 2, so 0, 0.5 or 1; 0 within the refractory period after a score of 0.5
/// or more.
///
/// **Complexity**: O(1) a value, O(remembered) where the range grows.
///
/// **Numerics**: NaN and infinities score 0 and are forgotten.
///
/// ```
/// use modelops_monitoring::detect::{ContextualAnomaly, ContextualAnomalyOptions};
/// let mut detector = ContextualAnomaly::new(ContextualAnomalyOptions::default());
/// // A triangle wave, and one low value where the wave is never low.
/// let wave = |i: i32| f64::from(if i == 905 { 1 } else { (i % 20 - 10).abs() });
/// let reports: Vec<i32> = (0..1_000).filter(|i| detector.update(wave(*i)) > 0.0).collect();
/// assert_eq!(reports.last(), Some(&905));
/// assert!(reports.iter().filter(|i| **i > 100).count() == 1);
/// ```
///
/// **References**: M. Smirnov, "Contextual Anomaly Detector", 2016 (the idea that contexts, not values, are new);
/// A. Lavin, S. Ahmad, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark", ICMLA 2015,
/// doi:10.1109/ICMLA.2015.141.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextualAnomaly {
    options: ContextualAnomalyOptions,
    least: f64,
    greatest: f64,
    past: VecDeque<f64>,
    before: Option<u32>,
    /// A bit for each level, and one for each pair.
    levels: u64,
    pairs: u64,
    seen: u64,
    silent_until: f64,
}

impl ContextualAnomaly {
    /// A detector that has seen nothing; levels outside 2 to 7 are cut to that.
    #[must_use]
    pub fn new(mut options: ContextualAnomalyOptions) -> Self {
        options.levels = options.levels.clamp(2, 7);
        options.remembered = options.remembered.max(2);
        Self {
            options,
            least: f64::INFINITY,
            greatest: f64::NEG_INFINITY,
            past: VecDeque::new(),
            before: None,
            levels: 0,
            pairs: 0,
            seen: 0,
            silent_until: 0.0,
        }
    }

    /// Takes a value and gives its score: 0 ordinary, 0.5 or 1 new.
    pub fn update(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return 0.0;
        }
        let first = self.past.is_empty();
        if value < self.least || value > self.greatest {
            self.widen(value);
        }
        let level = self.level(value);
        let new = self.see(level);
        if self.past.len() == self.options.remembered {
            self.past.pop_front();
        }
        self.past.push_back(value);
        let place = self.seen as f64;
        self.seen += 1;
        if first || new == 0 || place < self.silent_until {
            return 0.0;
        }
        self.silent_until = place * (1.0 + self.options.refractory);
        0.5 * f64::from(new)
    }

    /// Makes room for `value`, and tells the past anew in the wider levels.
    fn widen(&mut self, value: f64) {
        let (least, greatest) = (self.least.min(value), self.greatest.max(value));
        // The first value is a range of its own.
        let margin = self.options.margin * (greatest - least);
        if value < self.least && !self.past.is_empty() {
            self.least = value - margin;
        } else {
            self.least = least;
        }
        if value > self.greatest && !self.past.is_empty() {
            self.greatest = value + margin;
        } else {
            self.greatest = greatest;
        }
        (self.levels, self.pairs, self.before) = (0, 0, None);
        for at in 0..self.past.len() {
            let level = self.level(self.past[at]);
            self.see(level);
        }
    }

    fn level(&self, value: f64) -> u32 {
        let span = self.greatest - self.least;
        if span <= 0.0 || !span.is_finite() {
            return 0;
        }
        let level = (value - self.least) / span * f64::from(self.options.levels);
        (level as u32).min(self.options.levels - 1)
    }

    /// Remembers the level and its pair; gives how many of the two are new.
    fn see(&mut self, level: u32) -> u8 {
        let mut new = u8::from(self.levels >> level & 1 == 0);
        self.levels |= 1 << level;
        if let Some(before) = self.before.replace(level) {
            let pair = before * self.options.levels + level;
            new += u8::from(self.pairs >> pair & 1 == 0);
            self.pairs |= 1 << pair;
        }
        new
    }
}
