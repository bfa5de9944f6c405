//! Nonces that were seen, in bounded memory.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::hash::BuildHasher as _;

use super::UnixSeconds;
use crate::error::RequestError;

/// Remembers nonces until they expire; refuses rather than forgets when it is full.
///
/// ```
/// use modelops_security::auth::{ReplayCache, UnixSeconds};
/// use modelops_security::RequestError;
/// let mut cache = ReplayCache::new(1);
/// let (now, until) = (UnixSeconds(100), UnixSeconds(160));
/// assert_eq!(cache.remember("key", "nonce-1", until, now), Ok(()));
/// assert_eq!(cache.remember("key", "nonce-1", until, now), Err(RequestError::Replayed));
/// assert_eq!(cache.remember("key", "nonce-2", until, now), Err(RequestError::Busy));
/// assert_eq!(cache.remember("key", "nonce-2", UnixSeconds(220), until), Ok(()));
/// ```
pub struct ReplayCache {
    capacity: usize,
    seen: HashSet<u64>,
    /// The same, by the second from which each may be forgotten.
    by_end: BTreeMap<UnixSeconds, Vec<u64>>,
    key: RandomState,
}

impl ReplayCache {
    /// Room for `capacity` nonces, about 30 bytes each; at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            seen: HashSet::new(),
            by_end: BTreeMap::new(),
            key: RandomState::new(),
        }
    }

    /// Notes a nonce of a key until the time `until`.
    ///
    /// # Errors
    ///
    /// [`RequestError::Replayed`] where it was noted before, [`RequestError::Busy`] where there is no room before older ones expire.
    ///
    /// # Complexity
    ///
    /// O(log of the seconds in use), and O(1) for each nonce that expired since.
    pub fn remember(
        &mut self,
        key_id: &str,
        nonce: &str,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<(), RequestError> {
        while let Some(oldest) = self.by_end.first_entry()
            && *oldest.key() <= now
        {
            for name in oldest.remove() {
                self.seen.remove(&name);
            }
        }
        // The hash is keyed, so nobody can look for two nonces that share one; by chance, one new nonce in 2⁶⁴ ÷ `capacity`
        // is refused.
        let name = self.key.hash_one((key_id, nonce));
        if self.seen.contains(&name) {
            return Err(RequestError::Replayed);
        }
        if self.seen.len() >= self.capacity {
            return Err(RequestError::Busy);
        }
        self.seen.insert(name);
        self.by_end.entry(until).or_default().push(name);
        Ok(())
    }
}

impl fmt::Debug for ReplayCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayCache({} of {})", self.seen.len(), self.capacity)
    }
}
