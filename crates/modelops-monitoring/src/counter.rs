//! A number that only grows.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::exemplar::Exemplar;
use crate::kernel::slab::{self, Reader, Slots};

/// A number that only grows: requests, errors, tokens.
///
/// Use a [`Gauge`](crate::Gauge) for what may fall. Each thread writes a cell of its own, so that recording neither
/// locks nor contends; a clone counts into the same series.
///
/// **Complexity**: `inc` O(1), a few instructions; `value` O(threads).
///
/// **Numerics**: exact to 2^64 − 1, then wraps.
///
/// ```
/// use modelops_monitoring::Registry;
/// let registry = Registry::new("shop")?;
/// let requests = registry.counter("requests", "Finished requests.")?;
/// requests.inc();
/// requests.inc_by(2);
/// assert_eq!(requests.value(), 3);
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Counter {
    slot: u32,
    rest: Arc<Rest>,
}

/// What recording does not touch.
#[derive(Debug)]
struct Rest {
    /// Given back with the last handle to any counter that shares them.
    _slots: Arc<Slots>,
    exemplar: Mutex<Option<Box<Exemplar>>>,
    /// Whether any counter of the family ever had one.
    exemplified: Arc<AtomicBool>,
}

impl Counter {
    pub(crate) fn create(exemplified: &Arc<AtomicBool>) -> Option<Self> {
        Self::create_all(exemplified, 1)?.pop()
    }

    /// `count` counters whose cells lie side by side.
    pub(crate) fn create_all(exemplified: &Arc<AtomicBool>, count: usize) -> Option<Vec<Self>> {
        let slots = Arc::new(Slots::reserve(u32::try_from(count).ok()?)?);
        let counter = |slot| Self {
            slot,
            rest: Arc::new(Rest {
                _slots: Arc::clone(&slots),
                exemplar: Mutex::new(None),
                exemplified: Arc::clone(exemplified),
            }),
        };
        Some((slots.first()..).take(count).map(counter).collect())
    }

    /// Adds one.
    #[inline]
    pub fn inc(&self) {
        slab::add(self.slot, 1);
    }

    /// Adds `n`.
    #[inline]
    pub fn inc_by(&self, n: u64) {
        slab::add(self.slot, n);
    }

    /// Adds `n` and remembers the trace it belongs to, in place of the one remembered before.
    ///
    /// Takes a lock of this series: meant for sampled requests, not for every one.
    pub fn inc_with_exemplar(&self, n: u64, exemplar: Exemplar) {
        self.inc_by(n);
        self.rest.exemplified.store(true, Relaxed);
        let mut last = self.rest.exemplar.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(Box::new(exemplar.of(n as f64)));
    }

    pub(crate) fn exemplar(&self) -> Option<Exemplar> {
        let last = self.rest.exemplar.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_deref().copied()
    }

    /// The count over all threads, those that ended included.
    #[must_use]
    pub fn value(&self) -> u64 {
        Reader::new().sum(self.slot)
    }

    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    pub(crate) fn read(&self, reader: &Reader) -> u64 {
        reader.sum(self.slot)
    }
}
