//! Spans and events of `tracing`, as metrics and log records.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tracing_core::field::{Field, Visit};
use tracing_core::span::{Attributes, Id};
use tracing_core::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::counter::Counter;
use crate::error::RegisterError;
use crate::family::Family;
use crate::histogram::{Histogram, HistogramOptions};
use crate::record_log::RecordLog;
use crate::registry::Registry;

crate::label_enum! {
    enum EventLevel { Error = "error", Warn = "warn", Info = "info", Debug = "debug", Trace = "trace" }
}
crate::label_set! { struct EventLabels<'a> { target: &'a str, level: EventLevel } }
crate::label_set! { struct SpanLabels<'a> { span: &'a str } }

/// A clock: the time since any fixed moment.
type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A layer for `tracing_subscriber`: how long spans last and how many events there are become metrics, and events
/// become log records where a [`RecordLog`] is given.
///
/// It gives `span_seconds{span}`, from the making of a span to its end, and `events_total{target,level}`, both after
/// the registry's namespace. A record holds `time` (seconds of the clock), `level`, `target`, `span` and the event's
/// fields; a field of one of those names is kept as `field_` and the name.
///
/// ```
/// use std::time::Instant;
/// use modelops_monitoring::{MonitoringLayer, Registry};
/// use tracing_subscriber::layer::SubscriberExt;
/// let registry = Registry::new("shop")?;
/// # #[expect(clippy::disallowed_methods, reason = "an application reads the clock")]
/// let start = Instant::now();
/// let layer = MonitoringLayer::new(&registry, move || start.elapsed())?;
/// tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
///     let _span = tracing::info_span!("order").entered();
///     tracing::warn!(target: "stock", "low");
/// });
/// let text = registry.to_prometheus_text();
/// assert!(text.contains("shop_events_total{target=\"stock\",level=\"warn\"} 1\n"));
/// assert!(text.contains("shop_span_seconds_count{span=\"order\"} 1\n"));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
pub struct MonitoringLayer {
    clock: Clock,
    spans: Family<SpanLabels<'static>, Histogram>,
    events: Family<EventLabels<'static>, Counter>,
    log: Option<RecordLog>,
    lost: Counter,
}

impl fmt::Debug for MonitoringLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitoringLayer")
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

/// When a span was made.
struct Made(Duration);

impl MonitoringLayer {
    /// A layer that records into `registry` and asks `clock` for the time: `Instant::elapsed` of any moment, say.
    ///
    /// # Errors
    /// [`RegisterError`] where one of its names is taken, by another layer on the same registry for instance.
    pub fn new(
        registry: &Registry,
        clock: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Result<Self, RegisterError> {
        Ok(Self {
            clock: Arc::new(clock),
            spans: registry.histogram_family(
                "span_seconds",
                "How long spans last.",
                HistogramOptions::seconds(),
            )?,
            events: registry.counter_family("events", "Events by target and level.")?,
            lost: registry.counter("events_unlogged", "Events that the log did not take.")?,
            log: None,
        })
    }

    /// The same, with every event written to `log`. What the log refuses is counted as `events_unlogged_total`.
    #[must_use]
    pub fn with_log(mut self, log: RecordLog) -> Self {
        self.log = Some(log);
        self
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for MonitoringLayer {
    fn on_new_span(&self, _: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Made((self.clock)()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(Made(made)) = span.extensions_mut().remove::<Made>() else {
            return;
        };
        let lasted = (self.clock)().saturating_sub(made).as_secs_f64();
        self.spans.with(&SpanLabels { span: span.name() }).observe(lasted);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let level = match *metadata.level() {
            Level::ERROR => EventLevel::Error,
            Level::WARN => EventLevel::Warn,
            Level::INFO => EventLevel::Info,
            Level::DEBUG => EventLevel::Debug,
            Level::TRACE => EventLevel::Trace,
        };
        let target = metadata.target();
        self.events.with(&EventLabels { target, level }).inc();
        let Some(log) = &self.log else { return };
        let mut record = Map::new();
        record.insert("time".to_owned(), (self.clock)().as_secs_f64().into());
        record.insert("level".to_owned(), crate::LabelValue::text(&level).into());
        record.insert("target".to_owned(), target.into());
        if let Some(span) = context.event_span(event) {
            record.insert("span".to_owned(), span.name().into());
        }
        event.record(&mut Fields(&mut record));
        if log.write(&record).is_err() {
            self.lost.inc();
        }
    }
}

/// Puts the fields of an event into a record.
struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            name @ ("time" | "level" | "target" | "span") => format!("field_{name}"),
            name => name.to_owned(),
        };
        self.0.insert(name, value);
    }
}

impl Visit for Fields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
}
