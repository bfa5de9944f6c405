//! Slowing down those who guess, without locking out those who know.

use std::collections::HashMap;
use std::fmt;

use super::UnixSeconds;
use crate::error::Throttled;

/// Makes a source wait longer with each failure: 1 s after `free` failures, then 2, 4, … up to an hour; a success forgets them.
///
/// Failures count for the *source* of a request (an address, a subnet), never for the account or key it names, so nobody can lock out
/// somebody else by failing in their name. Where checking is cheap (API keys, tokens) check first and ask the throttle only about
/// failures: a valid key then passes from any source.
///
/// ```
/// use modelops_security::auth::{LoginThrottle, UnixSeconds};
/// let mut throttle = LoginThrottle::new(2, 10_000);
/// let now = UnixSeconds(0);
/// for _ in 0..3 {
///     throttle.failed("203.0.113.7", now);
/// }
/// assert_eq!(throttle.check("203.0.113.7", now).map_err(|wait| wait.retry_after), Err(1));
/// assert!(throttle.check("198.51.100.1", now).is_ok());
/// assert!(throttle.check("203.0.113.7", UnixSeconds(1)).is_ok());
/// ```
#[doc(alias("brute_force", "lockout"))]
pub struct LoginThrottle {
    free: u32,
    capacity: usize,
    sources: HashMap<Box<str>, Failures>,
}

struct Failures {
    count: u32,
    until: UnixSeconds,
}

const LONGEST_WAIT: u64 = 3600;

impl LoginThrottle {
    /// Lets `free` failures of a source pass without a wait, and remembers at most `capacity` sources.
    #[must_use]
    pub fn new(free: u32, capacity: usize) -> Self {
        Self {
            free,
            capacity: capacity.max(1),
            sources: HashMap::new(),
        }
    }

    /// Whether a source may try now.
    ///
    /// # Errors
    ///
    /// [`Throttled`] with the seconds to wait.
    pub fn check(&self, source: &str, now: UnixSeconds) -> Result<(), Throttled> {
        match self.sources.get(source) {
            Some(failures) if failures.until > now => Err(Throttled {
                retry_after: failures.until.0 - now.0,
            }),
            _ => Ok(()),
        }
    }

    /// Notes a failure of a source.
    ///
    /// When too many sources are known, those that wait for nothing any more are forgotten, and then the one that waits least.
    pub fn failed(&mut self, source: &str, now: UnixSeconds) {
        if !self.sources.contains_key(source) && self.sources.len() >= self.capacity {
            self.sources.retain(|_, failures| failures.until > now);
            if self.sources.len() >= self.capacity {
                let least = self
                    .sources
                    .iter()
                    .min_by_key(|(name, f)| (f.until, name.as_ref().to_owned()));
                let least = least.map(|(name, _)| name.clone());
                least.and_then(|name| self.sources.remove(&name));
            }
        }
        let failures = self
            .sources
            .entry(source.into())
            .or_insert(Failures { count: 0, until: now });
        failures.count = failures.count.saturating_add(1);
        if let Some(beyond) = failures.count.checked_sub(self.free + 1) {
            failures.until = now.plus(
                1_u64
                    .checked_shl(beyond)
                    .unwrap_or(LONGEST_WAIT)
                    .min(LONGEST_WAIT),
            );
        }
    }

    /// Notes a success: the failures of the source are forgotten.
    pub fn succeeded(&mut self, source: &str) {
        self.sources.remove(source);
    }
}

impl fmt::Debug for LoginThrottle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginThrottle({} sources)", self.sources.len())
    }
}
