//! One event that a metric counted, and the trace it belongs to.

/// The trace that an observation belongs to, so that a reader gets from a slow bucket to a request that fell into it.
///
/// Identifiers are those of W3C Trace Context. The caller gives the time: the library reads no clock.
///
/// ```
/// use modelops_monitoring::{Exemplar, HistogramOptions, Registry};
/// let registry = Registry::new("shop")?;
/// let seconds = registry.histogram("order_seconds", "Time to take an order.", HistogramOptions::seconds())?;
/// seconds.observe_with_exemplar(0.07, Exemplar::new(0x4bf9, 0x00f0, 1_700_000_000.5));
/// let text = registry.to_openmetrics();
/// assert!(text.contains(
///     "le=\"0.1\"} 1 # {trace_id=\"00000000000000000000000000004bf9\",span_id=\"00000000000000f0\"} 0.07 1700000000.5\n"
/// ));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    pub(crate) trace_id: u128,
    pub(crate) span_id: u64,
    /// Seconds since the epoch.
    pub(crate) seconds: f64,
    /// What was observed; the metric fills it in.
    pub(crate) value: f64,
}

impl Exemplar {
    /// An exemplar for the span `span_id` of the trace `trace_id`, observed `seconds` after the Unix epoch.
    #[must_use]
    pub fn new(trace_id: u128, span_id: u64, seconds: f64) -> Self {
        Self {
            trace_id,
            span_id,
            seconds: if seconds.is_finite() { seconds } else { 0.0 },
            value: 1.0,
        }
    }

    pub(crate) fn of(mut self, value: f64) -> Self {
        self.value = value;
        self
    }

    /// `trace_id="…",span_id="…"`
    pub(crate) fn labels(&self) -> [(&'static str, String); 2] {
        [
            ("trace_id", format!("{:032x}", self.trace_id)),
            ("span_id", format!("{:016x}", self.span_id)),
        ]
    }
}
