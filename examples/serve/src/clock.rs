//! The clock of the service; the libraries take what it reads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use modelops_security::auth::UnixSeconds;

/// One monotonic clock, from which the time of day follows: a request reads it when it begins and when it ends, and no more.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    /// Nanoseconds since 1970 at the start, by the time of day as it was last looked at.
    epoch: AtomicU64,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a service has a clock")]
    pub(crate) fn new() -> Self {
        let clock = Self {
            start: Instant::now(),
            epoch: AtomicU64::new(0),
        };
        clock.adjust();
        clock
    }

    /// Follows the time of day, which may be set while the service runs; called once a second.
    #[expect(clippy::disallowed_methods, reason = "a service has a clock")]
    pub(crate) fn adjust(&self) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let epoch = unix.saturating_sub(self.elapsed());
        self.epoch.store(epoch.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Since the start of the service.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What [`elapsed`](Self::elapsed) said, since 1970.
    pub(crate) fn unix(&self, elapsed: Duration) -> Duration {
        Duration::from_nanos(self.epoch.load(Ordering::Relaxed)) + elapsed
    }

    /// The same for keys and quotas.
    pub(crate) fn seconds(&self, elapsed: Duration) -> UnixSeconds {
        UnixSeconds(self.unix(elapsed).as_secs())
    }

    /// Since 1970, for keys and quotas.
    pub(crate) fn now(&self) -> UnixSeconds {
        self.seconds(self.elapsed())
    }
}
