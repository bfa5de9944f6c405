//! A number that rises and falls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bits of a NaN that no arithmetic makes: the gauge was never set.
const UNSET: u64 = 0x7ff8_6d6f_6465_6c00;

/// A number that rises and falls: queue length, memory in use, temperature.
///
/// Use a [`Counter`](crate::Counter) for what only grows: rates can be taken of counters alone. The last writer wins,
/// so all threads share one atomic cell.
///
/// **Numerics**: `f64`; NaN and infinities are kept and exposed as such.
///
/// ```
/// use modelops_monitoring::Registry;
/// let registry = Registry::new("shop")?;
/// let waiting = registry.gauge("requests_waiting", "Requests in the queue.")?;
/// waiting.set(5.0);
/// waiting.sub(2.0);
/// assert_eq!(waiting.value(), 3.0);
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gauge {
    bits: Arc<AtomicU64>,
}

impl Gauge {
    pub(crate) fn create() -> Self {
        Self {
            bits: Arc::new(AtomicU64::new(UNSET)),
        }
    }

    /// Replaces the value.
    #[inline]
    pub fn set(&self, value: f64) {
        self.bits.store(value.to_bits(), Relaxed);
    }

    /// Adds `change`; a gauge never set starts at 0.
    pub fn add(&self, change: f64) {
        let mut bits = self.bits.load(Relaxed);
        loop {
            let next = (from_bits(bits).unwrap_or(0.0) + change).to_bits();
            match self.bits.compare_exchange_weak(bits, next, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(seen) => bits = seen,
            }
        }
    }

    /// Takes `change` away; a gauge never set starts at 0.
    pub fn sub(&self, change: f64) {
        self.add(-change);
    }

    /// The present value; 0 where it was never set.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.read().unwrap_or(0.0)
    }

    pub(crate) fn read(&self) -> Option<f64> {
        from_bits(self.bits.load(Relaxed))
    }
}

fn from_bits(bits: u64) -> Option<f64> {
    (bits != UNSET).then(|| f64::from_bits(bits))
}
