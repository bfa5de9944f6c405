//! A moment, given by the caller: this crate reads no clock.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 UTC.
///
/// ```
/// use modelops_security::auth::UnixSeconds;
/// let now = UnixSeconds(1_000);
/// assert_eq!(now.plus(60), UnixSeconds(1_060));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// This moment and `seconds`; the end of time instead of an overflow.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

/// A clock's time; moments before 1970 become 1970.
impl From<SystemTime> for UnixSeconds {
    fn from(time: SystemTime) -> Self {
        Self(
            time.duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since: Duration| since.as_secs()),
        )
    }
}
