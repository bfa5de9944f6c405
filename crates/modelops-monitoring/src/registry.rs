//! Where metrics are registered and read from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::counter::Counter;
use crate::encode::{openmetrics, text};
use crate::error::RegisterError;
use crate::family::Family;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, HistogramOptions, Shape};
use crate::labels::LabelSet;
use crate::sample::{Descriptor, Kind};
use crate::series::{Collect, Core, Metric, Prepared};

/// Settings of a [`Registry`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegistryOptions {
    /// Series a family may have before further label sets share its overflow series. Default 2,000.
    pub cardinality_limit: usize,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            cardinality_limit: 2_000,
        }
    }
}

impl RegistryOptions {
    /// The same with another cardinality limit.
    #[must_use]
    pub fn with_cardinality_limit(mut self, series: usize) -> Self {
        self.cardinality_limit = series;
        self
    }
}

/// The metrics of a service, registered once by name and read together. Cloning shares it.
///
/// Give names in base units with the unit as suffix (`request_seconds`, `cache_bytes`); the namespace is put before
/// them, and `_total` after a counter's. Families are exposed by rising name, series by rising label texts, so the
/// same counts give the same bytes.
///
/// ```
/// use modelops_monitoring::Registry;
/// let registry = Registry::new("shop")?;
/// registry.counter("orders", "Orders taken.")?.inc();
/// assert_eq!(
///     registry.to_prometheus_text(),
///     "# HELP shop_orders_total Orders taken.\n# TYPE shop_orders_total counter\nshop_orders_total 1\n",
/// );
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    namespace: String,
    options: RegistryOptions,
    /// By exposed name.
    families: RwLock<BTreeMap<String, Arc<dyn Collect>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Registry")
            .field("namespace", &self.inner.namespace)
            .field("families", &families.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry whose metrics are all named `namespace_…`; an empty namespace puts nothing before them.
    ///
    /// # Errors
    /// [`RegisterError::Name`] where the namespace cannot start a metric name.
    pub fn new(namespace: &str) -> Result<Self, RegisterError> {
        Self::with_options(namespace, RegistryOptions::default())
    }

    /// As [`new`](Self::new), with other settings.
    ///
    /// # Errors
    /// [`RegisterError::Name`] where the namespace cannot start a metric name.
    pub fn with_options(namespace: &str, options: RegistryOptions) -> Result<Self, RegisterError> {
        if !namespace.is_empty() {
            check_name(namespace)?;
        }
        Ok(Self {
            inner: Arc::new(Inner {
                namespace: namespace.to_owned(),
                options,
                families: RwLock::new(BTreeMap::new()),
            }),
        })
    }

    /// Registers a counter without labels.
    ///
    /// # Errors
    /// [`RegisterError`] for a malformed or taken name, or exhausted storage.
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, RegisterError> {
        Ok(self.counter_family::<()>(name, help)?.bind(&()))
    }

    /// Registers a gauge without labels.
    ///
    /// # Errors
    /// [`RegisterError`] for a malformed or taken name.
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, RegisterError> {
        Ok(self.gauge_family::<()>(name, help)?.bind(&()))
    }

    /// Registers a histogram without labels.
    ///
    /// # Errors
    /// [`RegisterError`] for a malformed or taken name, bounds that do not rise, or exhausted storage.
    pub fn histogram(
        &self,
        name: &str,
        help: &str,
        options: HistogramOptions,
    ) -> Result<Histogram, RegisterError> {
        Ok(self.histogram_family::<()>(name, help, options)?.bind(&()))
    }

    /// Registers a family of counters told apart by `L`.
    ///
    /// # Errors
    /// [`RegisterError`] for a malformed or taken name, a bad label, or exhausted storage.
    pub fn counter_family<L: LabelSet>(
        &self,
        name: &str,
        help: &str,
    ) -> Result<Family<L, Counter>, RegisterError> {
        self.counter_named(name, false, help)
    }

    /// Registers a family of gauges told apart by `L`.
    ///
    /// # Errors
    /// [`RegisterError`] for a malformed or taken name, or a bad label.
    pub fn gauge_family<L: LabelSet>(
        &self,
        name: &str,
        help: &str,
    ) -> Result<Family<L, Gauge>, RegisterError> {
        self.gauge_named(name, false, help)
    }

    /// Registers a family of histograms told apart by `L`.
    ///
    /// # Errors
    /// [`RegisterError`] for a malformed or taken name, a bad label, bounds that do not rise, or exhausted storage.
    #[expect(clippy::needless_pass_by_value, reason = "options are built in the call")]
    pub fn histogram_family<L: LabelSet>(
        &self,
        name: &str,
        help: &str,
        options: HistogramOptions,
    ) -> Result<Family<L, Histogram>, RegisterError> {
        self.histogram_named(name, false, help, &options)
    }

    /// As [`counter_family`](Self::counter_family); a `full` name stands by itself and may hold a colon.
    pub(crate) fn counter_named<L: LabelSet>(
        &self,
        name: &str,
        full: bool,
        help: &str,
    ) -> Result<Family<L, Counter>, RegisterError> {
        self.register(name, full, help, Kind::Counter, ())
    }

    /// As [`gauge_family`](Self::gauge_family); a `full` name stands by itself and may hold a colon.
    pub(crate) fn gauge_named<L: LabelSet>(
        &self,
        name: &str,
        full: bool,
        help: &str,
    ) -> Result<Family<L, Gauge>, RegisterError> {
        self.register(name, full, help, Kind::Gauge, ())
    }

    /// As [`histogram_family`](Self::histogram_family); a `full` name stands by itself and may hold a colon.
    pub(crate) fn histogram_named<L: LabelSet>(
        &self,
        name: &str,
        full: bool,
        help: &str,
        options: &HistogramOptions,
    ) -> Result<Family<L, Histogram>, RegisterError> {
        self.register(name, full, help, Kind::Histogram, Arc::new(Shape::new(options)?))
    }

    fn register<L: LabelSet, M: Metric>(
        &self,
        name: &str,
        full: bool,
        help: &str,
        kind: Kind,
        shared: M::Shared,
    ) -> Result<Family<L, M>, RegisterError>
    where
        Core<M>: Collect,
    {
        let name = match &*self.inner.namespace {
            namespace if !full && !namespace.is_empty() => format!("{namespace}_{name}"),
            _ => name.to_owned(),
        };
        if !full {
            check_name(&name)?;
        }
        check_labels(L::NAMES)?;
        let mut families = self
            .inner
            .families
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let descriptor = Descriptor {
            help: help.to_owned(),
            kind,
            labels: L::NAMES,
            name,
        };
        for taken in families.values() {
            if let Some(name) = clash(taken.descriptor(), &descriptor) {
                return Err(RegisterError::Taken { name });
            }
        }
        let name = descriptor.name.clone();
        let core = Arc::new(Core::<M>::new::<L>(
            descriptor,
            shared,
            self.inner.options.cardinality_limit,
        )?);
        families.insert(name, Arc::clone(&core) as Arc<dyn Collect>);
        Ok(Family::new(core))
    }

    /// Drops the series with text labels that nothing was recorded into for `idle`, and says how many.
    ///
    /// Call it now and then, with the time on any monotonic clock. A series is dropped, not set to zero: it vanishes
    /// from the exposition and begins anew when its labels come again. Series that were [bound](Family::bind), of enum
    /// labels, or without labels stay. A gauge that is set to the value it has counts as idle.
    ///
    /// ```
    /// use std::time::Duration;
    /// use modelops_monitoring::{Registry, label_set};
    /// label_set! { struct Tenant<'a> { tenant: &'a str } }
    /// let registry = Registry::new("shop")?;
    /// let orders = registry.counter_family::<Tenant<'static>>("orders", "")?;
    /// orders.with(&Tenant { tenant: "acme" }).inc();
    /// let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    /// assert_eq!(registry.evict_idle(minute, hour), 0); // first seen
    /// assert_eq!(registry.evict_idle(minute + hour, hour), 1);
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    pub fn evict_idle(&self, now: Duration, idle: Duration) -> usize {
        let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
        families.values().map(|family| family.evict_idle(now, idle)).sum()
    }

    /// All metrics in the Prometheus text format 0.0.4 (`text/plain; version=0.0.4`).
    ///
    /// **Complexity**: O(series · threads), under the lock that threads take to begin and to end.
    #[must_use]
    pub fn to_prometheus_text(&self) -> String {
        let mut out = Vec::new();
        self.encode_prometheus_text(&mut out);
        // Names, labels and help are text and numbers are ASCII: nothing is ever replaced.
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Appends all metrics in the Prometheus text format 0.0.4 to `out`, which a scraped service keeps and clears.
    pub fn encode_prometheus_text(&self, out: &mut Vec<u8>) {
        self.encode(text::encode, out);
    }

    /// All metrics in the OpenMetrics text format 1.0 (`application/openmetrics-text; version=1.0.0`).
    ///
    /// ```
    /// use modelops_monitoring::{Registry, openmetrics};
    /// let registry = Registry::new("shop")?;
    /// registry.gauge("cache_bytes", "Bytes in use.")?.set(5.0);
    /// let text = registry.to_openmetrics();
    /// assert!(text.ends_with("# UNIT shop_cache_bytes bytes\n# HELP shop_cache_bytes Bytes in use.\nshop_cache_bytes 5.0\n# EOF\n"));
    /// assert_eq!(openmetrics::parse(&text).expect("it speaks the format")[0].unit.as_deref(), Some("bytes"));
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    #[must_use]
    pub fn to_openmetrics(&self) -> String {
        let mut out = Vec::new();
        self.encode_openmetrics(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// Appends all metrics in the OpenMetrics text format 1.0 to `out`.
    pub fn encode_openmetrics(&self, out: &mut Vec<u8>) {
        self.encode(openmetrics::encode, out);
    }

    fn encode(&self, format: fn(&[Box<dyn Prepared + '_>], &mut Vec<u8>), out: &mut Vec<u8>) {
        let families: Vec<_> = {
            let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
            families.values().cloned().collect()
        };
        // Listed before storage is locked, and dropped after.
        let prepared: Vec<_> = families.iter().map(|family| family.prepare()).collect();
        format(&prepared, out);
    }
}

fn check_name(name: &str) -> Result<(), RegisterError> {
    if is_identifier(name) {
        Ok(())
    } else {
        Err(RegisterError::Name {
            name: name.to_owned(),
        })
    }
}

fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn check_labels(names: &[&str]) -> Result<(), RegisterError> {
    for (i, name) in names.iter().enumerate() {
        if !is_identifier(name) || name.starts_with("__") || matches!(*name, "le" | "quantile") {
            return Err(RegisterError::Label {
                label: (*name).to_owned(),
            });
        }
        if names[..i].contains(name) {
            return Err(RegisterError::DuplicateLabel {
                label: (*name).to_owned(),
            });
        }
    }
    Ok(())
}

/// The sample name that both families would expose, if any.
fn clash(a: &Descriptor, b: &Descriptor) -> Option<String> {
    let exposed = |descriptor: &Descriptor| {
        let suffixes: &[&str] = match descriptor.kind {
            Kind::Counter => &["", "_total", "_created"],
            Kind::Gauge => &[""],
            Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
        };
        suffixes
            .iter()
            .map(|suffix| format!("{}{suffix}", descriptor.name))
            .collect::<Vec<_>>()
    };
    let names = exposed(b);
    exposed(a).into_iter().find(|name| names.contains(name))
}
