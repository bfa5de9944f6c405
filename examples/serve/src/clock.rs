//! The clock of the service; the libraries take what it reads.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use modelops_security::auth::UnixSeconds;

/// One monotonic clock for durations, and the time of day for keys and logs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a service has a clock")]
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Since the start of the service.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Since 1970.
    #[expect(clippy::disallowed_methods, reason = "a service has a clock")]
    pub(crate) fn unix(&self) -> Duration {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }

    /// Since 1970, for keys and quotas.
    pub(crate) fn now(&self) -> UnixSeconds {
        UnixSeconds(self.unix().as_secs())
    }
}
