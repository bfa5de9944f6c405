//! The series of one metric, told apart by labels.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;

use crate::counter::Counter;
use crate::kernel::slab;
use crate::labels::LabelSet;
use crate::series::{Cardinality, Core, Kept, Metric};

/// The series of one metric, told apart by a typed label set `L`; `M` is a [`Counter`](crate::Counter), a
/// [`Gauge`](crate::Gauge) or a [`Histogram`](crate::Histogram).
///
/// Where every label is an enum the series are one array, found by arithmetic. Where a label is text, a series comes
/// into being on first use, and each thread remembers the series it used lately: a hit neither locks nor allocates.
/// Beyond the registry's cardinality limit all further label sets share one series whose labels read `__overflow__`,
/// so totals stay exact and memory stays bounded.
///
/// ```
/// use modelops_monitoring::{Counter, Family, Registry, label_enum, label_set};
/// label_enum! { pub enum Outcome { Ok = "ok", Denied = "denied" } }
/// label_set! { pub struct Route<'a> { tenant: &'a str, outcome: Outcome } }
///
/// let registry = Registry::new("shop")?;
/// let requests: Family<Route<'static>, Counter> = registry.counter_family("requests", "Finished requests.")?;
/// requests.with(&Route { tenant: "acme", outcome: Outcome::Ok }).inc();
/// assert!(registry.to_prometheus_text().contains(r#"shop_requests_total{tenant="acme",outcome="ok"} 1"#));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[doc(alias("labels", "CounterVec", "GaugeVec", "HistogramVec"))]
pub struct Family<L, M: Metric> {
    pub(crate) core: Arc<Core<M>>,
    /// The first cell and the number of dense counters; none for any other kind.
    cells: (u32, u32),
    /// Covariant, so that a family of `Route<'static>` takes a `Route` of any lifetime.
    labels: PhantomData<L>,
}

impl<L, M: Metric> Clone for Family<L, M> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            cells: self.cells,
            labels: PhantomData,
        }
    }
}

impl<L, M: Metric> fmt::Debug for Family<L, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family")
            .field("name", &self.core.descriptor.name)
            .field("series", &self.core.len())
            .finish_non_exhaustive()
    }
}

impl<L: LabelSet, M: Metric> Family<L, M> {
    pub(crate) fn new(core: Arc<Core<M>>) -> Self {
        let first = core.dense.first().and_then(M::slot);
        let cells = first.map_or((0, 0), |first| (first, core.dense.len() as u32));
        Self {
            core,
            cells,
            labels: PhantomData,
        }
    }

    /// The series of `labels`, made on first use; use it at once, on this thread.
    ///
    /// **Complexity**: O(1) for enum labels. For text labels O(length of the texts) on a hit; a miss takes a lock.
    #[inline]
    pub fn with(&self, labels: &L) -> Series<'_, M> {
        if L::COMBINATIONS.is_some()
            && let Some(metric) = self.core.dense.get(labels.index())
        {
            return Series(Held::Dense(metric));
        }
        Series(Held::Sparse(self.core.cached(labels)))
    }

    /// A handle to the series of `labels`, to keep and to send to other threads: the fastest way to record.
    ///
    /// A series that was bound is never dropped for idleness.
    #[must_use]
    pub fn bind(&self, labels: &L) -> M {
        match self.with(labels).0 {
            Held::Dense(metric) => metric.clone(),
            Held::Sparse(kept) => {
                kept.0.pin();
                kept.0.metric.clone()
            }
        }
    }

    /// How many series there are now, the overflow series not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.len()
    }

    /// Whether there is no series yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values each label takes, and whether the limit was met: look here when `__overflow__` shows up.
    #[must_use]
    pub fn cardinality(&self) -> Cardinality {
        self.core.cardinality()
    }
}

impl<L: LabelSet> Family<L, Counter> {
    /// Adds one to the counter of `labels`: where they are enums the fastest way to count by labels, a bound counter
    /// aside.
    ///
    /// ```
    /// use modelops_monitoring::{Registry, label_enum, label_set};
    /// label_enum! { pub enum Outcome { Ok = "ok", Denied = "denied" } }
    /// label_set! { pub struct Labels { outcome: Outcome, cached: bool } }
    /// let requests = Registry::new("shop")?.counter_family::<Labels>("requests", "Finished requests.")?;
    /// requests.inc(&Labels { outcome: Outcome::Ok, cached: true });
    /// assert_eq!(requests.with(&Labels { outcome: Outcome::Ok, cached: true }).value(), 1);
    /// # Ok::<(), modelops_monitoring::RegisterError>(())
    /// ```
    #[inline]
    pub fn inc(&self, labels: &L) {
        self.inc_by(labels, 1);
    }

    /// Adds `n` to the counter of `labels`.
    #[inline]
    pub fn inc_by(&self, labels: &L, n: u64) {
        // The cells lie side by side: no counter has to be looked at to find its own.
        let (first, count) = self.cells;
        if L::COMBINATIONS.is_some()
            && let index = labels.index() as u32
            && index < count
        {
            slab::add(first + index, n);
        } else {
            self.inc_looked_up(labels, n);
        }
    }

    /// Out of line, so that the way by arithmetic is short enough to be part of the caller.
    #[inline(never)]
    fn inc_looked_up(&self, labels: &L, n: u64) {
        self.with(labels).inc_by(n);
    }
}

/// A series borrowed for a moment; it dereferences to the metric.
#[derive(Debug)]
pub struct Series<'a, M: Metric>(Held<'a, M>);

#[derive(Debug)]
enum Held<'a, M: Metric> {
    Dense(&'a M),
    Sparse(Rc<Kept<M>>),
}

impl<M: Metric> Deref for Series<'_, M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        match &self.0 {
            Held::Dense(metric) => metric,
            Held::Sparse(kept) => &kept.0.metric,
        }
    }
}
