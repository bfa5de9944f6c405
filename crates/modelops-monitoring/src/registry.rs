//! Where metrics are registered and read from.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::counter::Counter;
use crate::encode::text;
use crate::error::RegisterError;
use crate::family::Family;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, HistogramOptions, Shape};
use crate::labels::LabelSet;
use crate::sample::{Descriptor, Kind};
use crate::series::{Collect, Core, Metric};

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
        self.register(name, help, Kind::Counter, ())
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
        self.register(name, help, Kind::Gauge, ())
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
        self.register(name, help, Kind::Histogram, Arc::new(Shape::new(&options)?))
    }

    fn register<L: LabelSet, M: Metric>(
        &self,
        name: &str,
        help: &str,
        kind: Kind,
        shared: M::Shared,
    ) -> Result<Family<L, M>, RegisterError>
    where
        Core<M>: Collect,
    {
        let name = match &*self.inner.namespace {
            "" => name.to_owned(),
            namespace => format!("{namespace}_{name}"),
        };
        check_name(&name)?;
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
        let families: Vec<_> = {
            let families = self.inner.families.read().unwrap_or_else(PoisonError::into_inner);
            families.values().cloned().collect()
        };
        // Listed before storage is locked, and dropped after.
        let prepared: Vec<_> = families.iter().map(|family| family.prepare()).collect();
        text::encode(&prepared, out);
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
