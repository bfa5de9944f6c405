//! A credential that was verified, so that whoever presents it again on the same connection need not be verified anew.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::UnixSeconds;

/// The credential that a connection presented last, and who that was.
///
/// A caller keeps a connection and presents the same key with every request. Hashing it, or verifying a signature, each time finds
/// nothing new as long as no key was changed; this is the short way, and it takes nothing away:
///
/// - it holds for the very bytes that were verified, compared in constant time;
/// - a key that was revoked, replaced or rotated since is verified anew, by [`ApiKeys::changes`](super::ApiKeys::changes);
/// - so is one that has ended.
///
/// Keep one for each connection and never share it: so a comparison tells nobody more than what they presented themselves. It holds the
/// credential in the clear, as the buffers of the connection do, and wipes it when it is dropped. `None` from [`recall`](Self::recall)
/// says nothing about the credential: verify it.
///
/// ```
/// use modelops_security::SystemRandom;
/// use modelops_security::auth::{ApiKeyGrant, ApiKeys, Pepper, Remembered, UnixSeconds};
/// let mut random = SystemRandom::new();
/// let keys = ApiKeys::new("live", &Pepper::generate(&mut random)?)?;
/// let now = UnixSeconds(1_700_000_000);
/// let issued = keys.issue(&ApiKeyGrant::new("team-vision"), now, &mut random)?;
/// let token = issued.token.expose();
///
/// let changes = keys.changes(); // before the key is looked at
/// let caller = keys.authenticate(token, now)?;
/// let seen = Remembered::new(token.as_bytes(), caller.expires, changes, caller);
/// assert!(seen.recall(token.as_bytes(), now, keys.changes()).is_some());
/// assert!(seen.recall(b"another one", now, keys.changes()).is_none());
/// keys.revoke(issued.id)?;
/// assert!(seen.recall(token.as_bytes(), now, keys.changes()).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// O(length of the credential): a comparison instead of a hash or a signature.
pub struct Remembered<W> {
    presented: Zeroizing<Vec<u8>>,
    until: Option<UnixSeconds>,
    changes: u64,
    who: W,
}

impl<W> Remembered<W> {
    /// Remembers that `presented` was verified and stands for `who` until the second `until`, which is excluded.
    ///
    /// `changes` is [`ApiKeys::changes`](super::ApiKeys::changes) as it was *before* the credential was verified, so that a change in
    /// between is not overlooked. For tokens that no store knows, any number that changes with the keys that verify them.
    pub fn new(presented: &[u8], until: Option<UnixSeconds>, changes: u64, who: W) -> Self {
        Self {
            presented: Zeroizing::new(presented.to_vec()),
            until,
            changes,
            who,
        }
    }

    /// Who presents `presented`, where that is what was verified and nothing has changed since; `None` says that it has to be verified.
    pub fn recall(&self, presented: &[u8], now: UnixSeconds, changes: u64) -> Option<&W> {
        let holds = self.changes == changes && self.until.is_none_or(|end| now < end);
        (holds && same(&self.presented, presented)).then_some(&self.who)
    }
}

/// In a time that depends on the lengths alone.
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let ((words, rest), (others, other_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let differ = words.iter().zip(others).fold(0, |differ, (a, b)| {
        differ | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b))
    });
    let differ = rest
        .iter()
        .zip(other_rest)
        .fold(differ, |differ, (a, b)| differ | u64::from(a ^ b));
    differ.ct_eq(&0).into()
}

impl<W> fmt::Debug for Remembered<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn one_bit_anywhere_tells_two_credentials_apart() {
        for length in 0..40 {
            let one: Vec<u8> = (0..length).collect();
            assert!(same(&one, &one.clone()));
            assert!(!same(&one, &[&one[..], b"x"].concat()));
            for bit in 0..8 * one.len() {
                let mut other = one.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(!same(&one, &other), "{length} bytes, bit {bit}");
            }
        }
    }
}
