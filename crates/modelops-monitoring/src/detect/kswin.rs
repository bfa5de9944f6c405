//! Kolmogorov-Smirnov windowing.

use std::collections::VecDeque;
use std::fmt;

use crate::drift::ks_two_sample;

/// Settings of a [`Kswin`]; the defaults are those of river.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct KswinOptions {
    /// The p-value at which a change is reported. Default 0.005.
    pub alpha: f64,
    /// Values in the window. Default 100.
    pub window: usize,
    /// Values in the sample and in the recent part, at most half the window. Default 30.
    pub sample: usize,
}

impl Default for KswinOptions {
    fn default() -> Self {
        Self {
            alpha: 0.005,
            window: 100,
            sample: 30,
        }
    }
}

impl KswinOptions {
    /// The same with another p-value.
    #[must_use]
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }
}

/// Kolmogorov-Smirnov windowing (KSWIN): compares the newest values of a window with a random sample of the older ones,
/// by the whole distribution and not by the mean alone.
///
/// `below` is the source of chance: a number below its argument, evenly distributed. The same source gives the same
/// reports. After a report the next value begins a new window, as in river.
///
/// **Complexity**: O(sample²) a value.
///
/// ```
/// use modelops_monitoring::detect::{Kswin, KswinOptions};
/// let mut state = 1u64;
/// let below = move |n: usize| {
///     state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
///     (state >> 33) as usize % n
/// };
/// let mut window = Kswin::new(KswinOptions::default(), below);
/// let at = (0..400).position(|i| window.update(f64::from(i % 7) + if i < 200 { 0.0 } else { 9.0 }));
/// assert!((200..230).contains(&at.expect("the distributions do not overlap")));
/// ```
///
/// **References**: C. Raab, M. Heusinger, F.-M. Schleif, "Reactive Soft Prototype Computing for Concept Drift Streams",
/// Neurocomputing 416, 2020, doi:10.1016/j.neucom.2019.11.111.
#[doc(alias = "concept_drift")]
#[derive(Clone)]
pub struct Kswin<B> {
    options: KswinOptions,
    window: VecDeque<f64>,
    below: B,
    changed: bool,
}

impl<B> fmt::Debug for Kswin<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kswin")
            .field("options", &self.options)
            .field("values", &self.window.len())
            .finish_non_exhaustive()
    }
}

impl<B: FnMut(usize) -> usize> Kswin<B> {
    /// An empty window; a sample larger than half the window is cut to that.
    #[must_use]
    pub fn new(mut options: KswinOptions, below: B) -> Self {
        options.window = options.window.max(2);
        options.sample = options.sample.clamp(1, options.window / 2);
        Self {
            options,
            window: VecDeque::with_capacity(options.window),
            below,
            changed: false,
        }
    }

    /// Takes a value and says whether the distribution has changed. NaN is ignored.
    pub fn update(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        if std::mem::take(&mut self.changed) {
            self.window.clear();
        }
        let KswinOptions {
            alpha,
            window,
            sample,
        } = self.options;
        if self.window.len() == window {
            self.window.pop_front();
        }
        self.window.push_back(value);
        if self.window.len() < window {
            return false;
        }
        let older = window - sample;
        // The first steps of a shuffle, from the end of the pool.
        let mut pool: Vec<usize> = (0..older).collect();
        let mut picked = Vec::with_capacity(sample);
        for step in 0..sample {
            let left = older - step;
            let at = (self.below)(left).min(left - 1);
            picked.push(self.window[pool[at]]);
            pool[at] = pool[left - 1];
        }
        let recent: Vec<f64> = self.window.range(older..).copied().collect();
        let test = ks_two_sample(&picked, &recent);
        self.changed = test.is_some_and(|test| test.p_value <= alpha && test.statistic > 0.1);
        self.changed
    }
}
