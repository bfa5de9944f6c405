//! Where metrics are registered and read from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::collector::{Collected, CollectedFamily, Collector};
use crate::counter::Counter;
use crate::encode::{openmetrics, text};
use crate::error::RegisterError;
use crate::family::Family;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, HistogramOptions, Shape};
use crate::info::{Facts, StateSet, States};
use crate::labels::{LabelSet, LabelValue};
use crate::listing::{Collect, Prepared};
use crate::sample::{Descriptor, Kind};
use crate::series::{Core, Metric};

/// Settings of a [`Registry`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RegistryOptions {
    /// Series a family may have before further label sets share its overflow series. Default 2,000.
    pub cardinality_limit: usize,
    /// When counting begins, in seconds since the Unix epoch: usually now. The formats that have a start timestamp
    /// (OpenMetrics 2.0, protobuf, OTLP) then name it, so that a reader sees a restart. Default none.
    pub start: Option<f64>,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            cardinality_limit: 2_000,
            start: None,
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

    /// The same with the time that counting begins, in seconds since the Unix epoch.
    #[must_use]
    pub fn with_start(mut self, seconds: f64) -> Self {
        self.start = seconds.is_finite().then_some(seconds);
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
#[doc(alias = "prometheus")]
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    namespace: String,
    options: RegistryOptions,
    /// By exposed name.
    families: RwLock<BTreeMap<String, Arc<dyn Collect>>>,
    collectors: RwLock<Vec<Collecting>>,
}

/// A collector and what it said when it was added: the only metrics it may give.
struct Collecting {
    collector: Box<dyn Collector>,
    admitted: Vec<Descriptor>,
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
                collectors: RwLock::new(Vec::new()),
            }),
        })
    }

    /// Registers a counter without labels.
    ///
    /// # Errors
    /// [`RegisterError::Name`], [`RegisterError::Taken`], [`RegisterError::Storage`].
    pub fn counter(&self, name: &str, help: &str) -> Result<Counter, RegisterError> {
        Ok(self.counter_family::<()>(name, help)?.bind(&()))
    }

    /// Registers a gauge without labels.
    ///
    /// # Errors
    /// [`RegisterError::Name`], [`RegisterError::Taken`].
    pub fn gauge(&self, name: &str, help: &str) -> Result<Gauge, RegisterError> {
        Ok(self.gauge_family::<()>(name, help)?.bind(&()))
    }

    /// Registers a histogram without labels.
    ///
    /// # Errors
    /// [`RegisterError::Name`], [`RegisterError::Taken`], [`RegisterError::Bounds`],
    /// [`RegisterError::FastRange`], [`RegisterError::Storage`].
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
    /// [`RegisterError::Name`], [`RegisterError::Taken`], [`RegisterError::Label`], [`RegisterError::DuplicateLabel`],
    /// [`RegisterError::Storage`].
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
    /// [`RegisterError::Name`], [`RegisterError::Taken`], [`RegisterError::Label`], [`RegisterError::DuplicateLabel`].
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
    /// [`RegisterError::Name`], [`RegisterError::Taken`], [`RegisterError::Label`], [`RegisterError::DuplicateLabel`],
    /// [`RegisterError::Bounds`], [`RegisterError::FastRange`], [`RegisterError::Storage`].
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
        self.register(name, full, help, Kind::Counter, Arc::default())
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

    /// Registers facts that do not change while the process runs, as the labels of one series that is always 1.
    ///
    /// ```
    /// use modelops_monitoring::Registry;
    /// let registry = Registry::new("shop")?;
    /// registry.info("build", "What runs.", &[("version", "1.4.0")])?;
    /// assert!(registry.to_openmetrics().ends_with("shop_build_info{version=\"1.4.0\"} 1\n# EOF\n"));
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    ///
    /// # Errors
    /// [`RegisterError::Name`], [`RegisterError::Taken`], [`RegisterError::Label`], [`RegisterError::DuplicateLabel`].
    pub fn info(&self, name: &str, help: &str, facts: &[(&str, &str)]) -> Result<(), RegisterError> {
        let names: Vec<_> = facts.iter().map(|(name, _)| *name).collect();
        check_labels(&names)?;
        self.admit(name, false, help, Kind::Info, &[], |descriptor| {
            Ok(Arc::new(Facts::new(descriptor, facts)))
        })?;
        Ok(())
    }

    /// Registers a set of states, each on or off, that the variants of `E` name.
    ///
    /// # Errors
    /// [`RegisterError::Name`], [`RegisterError::Taken`]; [`RegisterError::States`] where `E` is text or has more
    /// than 64 values.
    pub fn state_set<E: LabelValue>(&self, name: &str, help: &str) -> Result<StateSet<E>, RegisterError> {
        let set = StateSet::new().ok_or(RegisterError::States)?;
        let cells = set.cells();
        self.admit(name, false, help, Kind::StateSet, &[], |descriptor| {
            Ok(Arc::new(States::new::<E>(descriptor, cells)))
        })?;
        Ok(set)
    }

    /// Asks `collector` for its numbers at each scrape from now on; they follow the registry's own.
    ///
    /// # Errors
    /// [`RegisterError`] where a name that it gives now is malformed or taken, or a label is bad; it is then not added.
    pub fn add_collector(&self, collector: Box<dyn Collector>) -> Result<(), RegisterError> {
        let mut first = Collected::default();
        collector.collect(&mut first);
        let families = self
            .inner
            .families
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut collectors = self
            .inner
            .collectors
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut admitted: Vec<Descriptor> = Vec::new();
        for family in first.into_families() {
            let descriptor = family.descriptor();
            check_name(&descriptor.name)?;
            for labels in family.label_names() {
                check_labels(&labels)?;
            }
            let others = collectors.iter().flat_map(|collecting| &collecting.admitted);
            let own = families.values().map(|family| family.descriptor());
            let taken = own
                .chain(others)
                .chain(&admitted)
                .find_map(|taken| clash(taken, descriptor));
            if let Some(name) = taken {
                return Err(RegisterError::Taken { name });
            }
            admitted.push(descriptor.clone());
        }
        collectors.push(Collecting { collector, admitted });
        Ok(())
    }

    /// What the collectors say now, as far as they may.
    fn collected(&self) -> Vec<CollectedFamily> {
        let collectors = self
            .inner
            .collectors
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all = Vec::new();
        for Collecting { collector, admitted } in &*collectors {
            let mut collected = Collected::default();
            collector.collect(&mut collected);
            let known = |family: &CollectedFamily| {
                let descriptor = family.descriptor();
                let same =
                    |known: &Descriptor| known.name == descriptor.name && known.kind == descriptor.kind;
                admitted.iter().any(same) && family.label_names().all(|labels| check_labels(&labels).is_ok())
            };
            all.extend(collected.into_families().filter(known));
        }
        all
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
        check_labels(L::NAMES)?;
        let limit = self.inner.options.cardinality_limit;
        let core = self.admit(name, full, help, kind, L::NAMES, |descriptor| {
            Ok(Arc::new(Core::<M>::new::<L>(descriptor, shared, limit)?))
        })?;
        Ok(Family::new(core))
    }

    /// What all families are, the collectors' included.
    pub(crate) fn descriptors(&self) -> Vec<Descriptor> {
        let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
        let collectors = self
            .inner
            .collectors
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let collected = collectors.iter().flat_map(|collecting| &collecting.admitted);
        let own = families.values().map(|family| family.descriptor());
        own.chain(collected).cloned().collect()
    }

    /// The name with the namespace before it.
    pub(crate) fn full_name(&self, name: &str) -> String {
        match &*self.inner.namespace {
            "" => name.to_owned(),
            namespace => format!("{namespace}_{name}"),
        }
    }

    /// Series that one family may have.
    #[cfg(feature = "metrics")]
    pub(crate) fn cardinality_limit(&self) -> usize {
        self.inner.options.cardinality_limit
    }

    /// Puts the family that `make` makes among the others, unless its name is malformed or taken.
    pub(crate) fn admit<C: Collect + 'static>(
        &self,
        name: &str,
        full: bool,
        help: &str,
        kind: Kind,
        labels: &'static [&'static str],
        make: impl FnOnce(Descriptor) -> Result<Arc<C>, RegisterError>,
    ) -> Result<Arc<C>, RegisterError> {
        let name = if full {
            name.to_owned()
        } else {
            self.full_name(name)
        };
        if !full {
            check_name(&name)?;
        }
        let descriptor = Descriptor {
            help: help.to_owned(),
            kind,
            labels,
            start: self.inner.options.start,
            name: name.clone(),
        };
        let mut families = self
            .inner
            .families
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let collectors = self
            .inner
            .collectors
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let collected = collectors.iter().flat_map(|collecting| &collecting.admitted);
        let own = families.values().map(|family| family.descriptor());
        if let Some(name) = own.chain(collected).find_map(|taken| clash(taken, &descriptor)) {
            return Err(RegisterError::Taken { name });
        }
        let family = make(descriptor)?;
        families.insert(name, Arc::clone(&family) as Arc<dyn Collect>);
        Ok(family)
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

    pub(crate) fn encode(
        &self,
        format: impl FnOnce(&[Box<dyn Prepared + '_>], &mut Vec<u8>),
        out: &mut Vec<u8>,
    ) {
        let families: Vec<_> = {
            let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
            families.values().cloned().collect()
        };
        // Listed before storage is locked, and dropped after.
        let collected = self.collected();
        let mut prepared: Vec<_> = families.iter().map(|family| family.prepare()).collect();
        prepared.extend(
            collected
                .into_iter()
                .map(|family| Box::new(family) as Box<dyn Prepared>),
        );
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
            Kind::Gauge | Kind::StateSet => &[""],
            Kind::Info => &["", "_info"],
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
