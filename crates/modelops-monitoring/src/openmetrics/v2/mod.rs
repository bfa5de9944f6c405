//! OpenMetrics text 2.0, as of its release candidate 0: a strict parser and a writer.
//!
//! A sample here carries its whole value: a histogram with its classic and native buckets is one line, not dozens.

mod check;
mod scan;
mod write;

pub use scan::parse;
pub use write::write;

use super::{FamilyKind, ParsedExemplar};

/// A metric family as it was exposed.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Family {
    /// The name, which is also that of every sample: any text.
    pub name: String,
    /// What it is.
    pub kind: FamilyKind,
    /// The help text, unescaped; `None` where it was not given or is empty.
    pub help: Option<String>,
    /// The unit; `None` where it was not given or is empty.
    pub unit: Option<String>,
    /// The samples in their order.
    pub samples: Vec<Sample>,
}

/// One line of a family.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Label names and unescaped texts, in their order.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: Value,
    /// Seconds since the epoch.
    pub timestamp: Option<f64>,
    /// When counting began, in seconds since the epoch.
    pub start: Option<f64>,
    /// Events that the sample counted.
    pub exemplars: Vec<ParsedExemplar>,
}

impl Sample {
    /// The text of a label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let found = self.labels.iter().find(|(label, _)| label == name);
        found.map(|(_, text)| text.as_str())
    }
}

/// What a sample says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// One number.
    Number(f64),
    /// A distribution in buckets.
    Histogram(Histogram),
    /// A distribution in quantiles.
    Summary(Summary),
}

/// A distribution in classic buckets, native ones, or both.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// Whether it may shrink: written with `gcount` and `gsum`.
    pub gauge: bool,
    /// The number of measurements.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// The exponential buckets.
    pub native: Option<Native>,
    /// Upper bounds, the last one infinite, and the measurements up to each; empty where there are none.
    pub classic: Vec<(f64, f64)>,
}

/// Exponential buckets.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Native {
    /// The resolution, −4 to 8.
    pub schema: i8,
    /// Magnitudes up to this one count as zero.
    pub zero_threshold: f64,
    /// The measurements that count as zero.
    pub zero_count: f64,
    /// Index and count of the buckets of negative values, by magnitude.
    pub negative: Vec<(i32, f64)>,
    /// Index and count of the buckets of positive values.
    pub positive: Vec<(i32, f64)>,
}

/// A distribution in quantiles.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The number of measurements.
    pub count: f64,
    /// Their sum.
    pub sum: f64,
    /// Quantiles and the value at each.
    pub quantiles: Vec<(f64, f64)>,
}
