//! Nonces that were seen, in bounded memory.

use std::collections::{BTreeSet, HashSet};
use std::fmt;

use ring::digest;

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
    seen: HashSet<[u8; 16]>,
    /// The same, by the second at which each may be forgotten.
    by_end: BTreeSet<(UnixSeconds, [u8; 16])>,
}

impl ReplayCache {
    /// Room for `capacity` nonces, about 100 bytes each; at least one.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            seen: HashSet::new(),
            by_end: BTreeSet::new(),
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
    /// O(log n), and O(1) for each nonce that expired since.
    pub fn remember(
        &mut self,
        key_id: &str,
        nonce: &str,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<(), RequestError> {
        while let Some(&(end, name)) = self.by_end.first() {
            if end > now {
                break;
            }
            self.by_end.pop_first();
            self.seen.remove(&name);
        }
        let name = name(key_id, nonce);
        if self.seen.contains(&name) {
            return Err(RequestError::Replayed);
        }
        if self.seen.len() >= self.capacity {
            return Err(RequestError::Busy);
        }
        self.seen.insert(name);
        self.by_end.insert((until, name));
        Ok(())
    }
}

fn name(key_id: &str, nonce: &str) -> [u8; 16] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&(key_id.len() as u64).to_be_bytes());
    context.update(key_id.as_bytes());
    context.update(nonce.as_bytes());
    let mut name = [0; 16];
    name.copy_from_slice(&context.finish().as_ref()[..16]);
    name
}

impl fmt::Debug for ReplayCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplayCache({} of {})", self.seen.len(), self.capacity)
    }
}
