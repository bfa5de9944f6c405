//! The `metrics` facade, recorded into a registry.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use metrics::{CounterFn, GaugeFn, HistogramFn, Key, KeyName, Metadata, SharedString, Unit};

use crate::counter::Counter;
use crate::error::{InstallError, RegisterError};
use crate::gauge::Gauge;
use crate::histogram::{Histogram, HistogramOptions, Shape};
use crate::listing::Collect as _;
use crate::loose::{Loose, fitting_name};
use crate::registry::Registry;
use crate::sample::Kind;
use crate::series::Metric;

/// Handles that are remembered by key; beyond that each use looks its series up.
const REMEMBERED: usize = 1 << 14;

/// A recorder for the [`metrics`] facade, so that what libraries count through it lands in a [`Registry`].
///
/// Names and labels are made to fit (`http.requests` becomes `http_requests`), and the registry's namespace is put
/// before them. A family has at most as many series as the registry allows; the others share its overflow series. A
/// name used for two kinds of metric, which Prometheus does not allow, keeps its first kind: what the other records
/// goes nowhere, and [`refused`](Self::refused) counts such series.
///
/// Histograms record [`HistogramOptions::seconds`] where the name ends with `seconds` or `duration`, and
/// [`HistogramOptions::sizes`] otherwise; [`with_histogram`](Self::with_histogram) gives one its own.
///
/// ```
/// use modelops_monitoring::{Registry, RegistryRecorder};
/// let registry = Registry::new("shop")?;
/// let recorder = RegistryRecorder::new(&registry);
/// metrics::with_local_recorder(&recorder, || {
///     metrics::describe_counter!("orders", "Orders taken.");
///     metrics::counter!("orders", "country" => "pl").increment(2);
/// });
/// assert!(registry.to_prometheus_text().ends_with("shop_orders_total{country=\"pl\"} 2\n"));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
pub struct RegistryRecorder {
    registry: Registry,
    options: HashMap<String, HistogramOptions>,
    helps: Mutex<HashMap<String, String>>,
    counters: Families<Counter, metrics::Counter>,
    gauges: Families<Gauge, metrics::Gauge>,
    histograms: Families<Histogram, metrics::Histogram>,
    refused: AtomicU64,
}

/// The families of one kind, and the handles that were given out.
struct Families<M: Metric, H> {
    /// By name as it was given; `None` where it was refused.
    by_name: RwLock<HashMap<String, Option<Arc<Loose<M>>>>>,
    handles: RwLock<HashMap<Key, H>>,
}

impl<M: Metric, H> Default for Families<M, H> {
    fn default() -> Self {
        Self {
            by_name: RwLock::default(),
            handles: RwLock::default(),
        }
    }
}

impl fmt::Debug for RegistryRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryRecorder")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

/// Makes `registry` the one that the [`metrics`] facade records into, for the whole process.
///
/// # Errors
/// [`InstallError::Taken`] where another recorder was installed before.
pub fn install_recorder(registry: &Registry) -> Result<(), InstallError> {
    metrics::set_global_recorder(RegistryRecorder::new(registry)).map_err(|_| InstallError::Taken)
}

impl RegistryRecorder {
    /// A recorder into `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
            options: HashMap::new(),
            helps: Mutex::default(),
            counters: Families::default(),
            gauges: Families::default(),
            histograms: Families::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// The same with options of its own for the histogram `name`.
    #[must_use]
    pub fn with_histogram(mut self, name: &str, options: HistogramOptions) -> Self {
        self.options.insert(name.to_owned(), options);
        self
    }

    /// Series asked for that record nowhere, because their name is taken by another kind of metric.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    fn describe<M: Metric, H>(&self, families: &Families<M, H>, name: &str, help: &str) {
        let known = families.by_name.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(family)) = known.get(name) {
            family.describe(help);
        }
        drop(known);
        let mut helps = self.helps.lock().unwrap_or_else(PoisonError::into_inner);
        helps.insert(name.to_owned(), help.to_owned());
    }

    /// The handle of `key`: the one given out before, or a new one around its series.
    fn handle<M: Metric, H: Clone>(
        &self,
        families: &Families<M, H>,
        key: &Key,
        kind: Kind,
        shared: impl FnOnce() -> Result<M::Shared, RegisterError>,
        around: impl FnOnce(M) -> H,
    ) -> Option<H> {
        {
            let handles = families.handles.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(handle) = handles.get(key) {
                return Some(handle.clone());
            }
        }
        let family = self.family(families, key.name(), kind, shared);
        let labels = key.labels().map(|label| (label.key(), label.value()));
        let Some((metric, own)) = family.and_then(|family| family.series(labels)) else {
            self.refused.fetch_add(1, Relaxed);
            return None;
        };
        let handle = around(metric);
        let mut handles = families.handles.write().unwrap_or_else(PoisonError::into_inner);
        if own && handles.len() < REMEMBERED {
            handles.insert(key.clone(), handle.clone());
        }
        Some(handle)
    }

    fn family<M: Metric, H>(
        &self,
        families: &Families<M, H>,
        name: &str,
        kind: Kind,
        shared: impl FnOnce() -> Result<M::Shared, RegisterError>,
    ) -> Option<Arc<Loose<M>>> {
        {
            let known = families.by_name.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(family) = known.get(name) {
                return family.clone();
            }
        }
        let mut known = families.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(family) = known.get(name) {
            return family.clone();
        }
        let fitting = fitting_name(name);
        let fitting = match kind {
            // The exposition puts the ending after the name by itself.
            Kind::Counter => fitting.strip_suffix("_total").unwrap_or(&fitting),
            _ => &fitting,
        };
        // Names that become one name are one family.
        let twin = known.values().flatten().find(|family| {
            let own = &family.descriptor().name;
            *own == self.registry.full_name(fitting)
        });
        let family = twin.cloned().or_else(|| {
            let helps = self.helps.lock().unwrap_or_else(PoisonError::into_inner);
            let help = helps.get(name).map_or("", String::as_str);
            let limit = self.registry.cardinality_limit();
            let make = |descriptor| Ok(Arc::new(Loose::new(descriptor, shared()?, limit)));
            self.registry.admit(fitting, false, help, kind, &[], make).ok()
        });
        known.insert(name.to_owned(), family.clone());
        family
    }

    fn shape(&self, name: &str) -> Result<Arc<Shape>, RegisterError> {
        let options = self.options.get(name).cloned().unwrap_or_else(|| {
            if name.ends_with("seconds") || name.ends_with("duration") {
                HistogramOptions::seconds()
            } else {
                HistogramOptions::sizes()
            }
        });
        Ok(Arc::new(Shape::new(&options)?))
    }
}

impl metrics::Recorder for RegistryRecorder {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&self.counters, key.as_str(), &description);
    }

    fn describe_gauge(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&self.gauges, key.as_str(), &description);
    }

    fn describe_histogram(&self, key: KeyName, _: Option<Unit>, description: SharedString) {
        self.describe(&self.histograms, key.as_str(), &description);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> metrics::Counter {
        let around = |counter| metrics::Counter::from_arc(Arc::new(Recorded::new(counter)));
        self.handle(&self.counters, key, Kind::Counter, || Ok(Arc::default()), around)
            .unwrap_or_else(metrics::Counter::noop)
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> metrics::Gauge {
        let around = |gauge| metrics::Gauge::from_arc(Arc::new(Recorded::new(gauge)));
        self.handle(&self.gauges, key, Kind::Gauge, || Ok(()), around)
            .unwrap_or_else(metrics::Gauge::noop)
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> metrics::Histogram {
        let around = |histogram| metrics::Histogram::from_arc(Arc::new(Recorded::new(histogram)));
        self.handle(
            &self.histograms,
            key,
            Kind::Histogram,
            || self.shape(key.name()),
            around,
        )
        .unwrap_or_else(metrics::Histogram::noop)
    }
}

/// A metric as the facade uses it.
struct Recorded<M> {
    metric: M,
    /// Held while a counter is raised to an absolute value.
    raising: Mutex<()>,
}

impl<M> Recorded<M> {
    fn new(metric: M) -> Self {
        Self {
            metric,
            raising: Mutex::new(()),
        }
    }
}

impl CounterFn for Recorded<Counter> {
    fn increment(&self, value: u64) {
        self.metric.inc_by(value);
    }

    /// Raises the counter to `value`; a lower one is ignored, as the facade asks.
    fn absolute(&self, value: u64) {
        let _raising = self.raising.lock().unwrap_or_else(PoisonError::into_inner);
        self.metric.inc_by(value.saturating_sub(self.metric.value()));
    }
}

impl GaugeFn for Recorded<Gauge> {
    fn increment(&self, value: f64) {
        self.metric.add(value);
    }

    fn decrement(&self, value: f64) {
        self.metric.sub(value);
    }

    fn set(&self, value: f64) {
        self.metric.set(value);
    }
}

impl HistogramFn for Recorded<Histogram> {
    fn record(&self, value: f64) {
        self.metric.observe(value);
    }

    fn record_many(&self, value: f64, count: usize) {
        self.metric.observe_n(value, count as u64);
    }
}
