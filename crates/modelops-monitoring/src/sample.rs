//! What a scrape sees: a metric's description and one series' value.

use crate::histogram::Reading;

/// What kind of metric a family holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Name, help and labels of a family.
#[derive(Debug, Clone)]
pub(crate) struct Descriptor {
    /// Full name, namespace included, without the `_total` of a counter.
    pub(crate) name: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    pub(crate) labels: &'static [&'static str],
}

/// One series' value at one moment.
pub enum Sample<'a> {
    Counter(u64),
    Gauge(f64),
    Histogram(Box<Reading<'a>>),
}
