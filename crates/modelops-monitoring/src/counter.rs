//! A number that only grows.

use std::sync::Arc;

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
    _slots: Arc<Slots>,
}

impl Counter {
    pub(crate) fn create() -> Option<Self> {
        let slots = Slots::reserve(1)?;
        Some(Self {
            slot: slots.first(),
            _slots: Arc::new(slots),
        })
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
