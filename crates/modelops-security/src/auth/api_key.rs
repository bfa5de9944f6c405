//! API keys: issued once, stored as a peppered hash, refused without telling why too much.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use ring::hmac;
use serde::{Deserialize, Serialize, Serializer};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::key_table::{KeyTable, Slot};
use super::{Scope, UnixSeconds};
use crate::Secret;
use crate::error::{ApiKeyError, IssueError, RandomError};
use crate::kernel::base62;
use crate::random::{SecureRandom, random_bytes};

/// First characters of every key, for secret scanners.
const PREFIX: &str = "mo_";
const ID: usize = 12;
/// 43 base62 digits: 256 bits.
const SECRET: usize = 43;
const CHECKSUM: usize = 6;
/// Locks, so that many threads can authenticate while one issues.
const SHARDS: usize = 16;

/// The secret that turns tokens into stored hashes; keep it apart from the records, so that stolen records are worth nothing.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// A fresh pepper.
    ///
    /// # Errors
    ///
    /// [`RandomError`] where the source failed.
    pub fn generate(random: &mut dyn SecureRandom) -> Result<Self, RandomError> {
        random_bytes(random).map(Self)
    }

    /// Takes over a stored pepper.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The pepper itself, for storing it where secrets are kept.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper([REDACTED])")
    }
}

/// The public part of a key: 12 base62 digits that may be logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ApiKeyId([u8; ID]);

impl ApiKeyId {
    pub(super) const LEN: usize = ID;

    pub(super) fn from_bytes(bytes: [u8; ID]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; ID] {
        &self.0
    }

    /// 64 bits that every digit decides on. Stored names are uniformly random: a caller may ask for any, but decides nothing about those.
    pub(super) fn spread(self) -> u64 {
        let [a, b, c, d, e, f, g, h, rest @ ..] = self.0;
        let (low, high) = (
            u64::from_le_bytes([a, b, c, d, e, f, g, h]),
            u32::from_le_bytes(rest),
        );
        let mixed =
            (low.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(high)).wrapping_mul(0xD1B5_4A32_D192_ED03);
        mixed ^ mixed >> 32
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a name has base62 digits alone")
    }

    /// The lock that guards the name, by bits that the table does not look at.
    fn shard(self) -> usize {
        (self.spread() >> 58) as usize % SHARDS
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyId({self})")
    }
}

impl Serialize for ApiKeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl TryFrom<String> for ApiKeyId {
    type Error = ApiKeyError;

    fn try_from(text: String) -> Result<Self, ApiKeyError> {
        let bytes: [u8; ID] = text.as_bytes().try_into().map_err(|_| ApiKeyError::Malformed)?;
        if bytes.iter().all(|b| base62::is_digit(*b)) {
            Ok(Self(bytes))
        } else {
            Err(ApiKeyError::Malformed)
        }
    }
}

impl From<ApiKeyId> for String {
    fn from(id: ApiKeyId) -> Self {
        id.to_string()
    }
}

/// What a key is to stand for.
///
/// ```
/// use modelops_security::auth::{ApiKeyGrant, Scope, UnixSeconds};
/// let grant = ApiKeyGrant::new("team-vision").with_scope(Scope::new("model:penguins:infer")?)
///     .with_expiry(UnixSeconds(2_000_000_000));
/// assert_eq!(grant.principal, "team-vision");
/// # Ok::<(), modelops_security::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiKeyGrant {
    /// Who calls with the key; quotas count for the principal, not for the key.
    pub principal: String,
    /// What the key may do; nothing where empty.
    pub scopes: Vec<Scope>,
    /// The first second at which the key is refused; never where `None`.
    pub expires: Option<UnixSeconds>,
}

impl ApiKeyGrant {
    /// A grant for `principal`, without a scope and without an end.
    pub fn new(principal: impl Into<String>) -> Self {
        Self {
            principal: principal.into(),
            scopes: Vec::new(),
            expires: None,
        }
    }

    /// Adds a scope.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Ends the grant at `expires`.
    #[must_use]
    pub fn with_expiry(mut self, expires: UnixSeconds) -> Self {
        self.expires = Some(expires);
        self
    }
}

/// A new key. The token is shown here once and cannot be had again.
#[derive(Debug)]
#[non_exhaustive]
pub struct IssuedKey {
    /// The public part.
    pub id: ApiKeyId,
    /// What the caller presents.
    pub token: Secret<String>,
}

/// Who was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// The principal.
    pub principal: Arc<str>,
    /// The key that was presented.
    pub key: ApiKeyId,
    /// What the key may do.
    pub scopes: Arc<[Scope]>,
    /// The first second at which the key is refused; never where `None`.
    pub expires: Option<UnixSeconds>,
}

impl Caller {
    /// Whether one of the caller's scopes grants `wanted`; no scope grants nothing.
    #[must_use]
    pub fn allows(&self, wanted: &Scope) -> bool {
        self.scopes.iter().any(|scope| scope.grants(wanted))
    }
}

/// A key as it is stored: no secret, only the peppered hash of the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ApiKeyRecord {
    /// The public part.
    pub id: ApiKeyId,
    /// Which pepper made the hash, from 0.
    pub pepper: u8,
    /// HMAC-SHA-256 of the token under the pepper.
    pub hash: [u8; 32],
    /// Who calls with the key.
    pub principal: Arc<str>,
    /// What the key may do.
    pub scopes: Arc<[Scope]>,
    /// The first second at which the key is refused.
    pub expires: Option<UnixSeconds>,
    /// Whether it was withdrawn.
    pub revoked: bool,
}

/// Issues API keys and authenticates callers, from many threads at once.
///
/// A key reads `mo_ENV_ID_SECRETCHECKSUM`. The checksum catches typing errors before anything is looked up, and lets scanners
/// find keys without false alarms. Unknown keys and wrong secrets cost the same work and give the same answer.
///
/// ```
/// use modelops_security::auth::{ApiKeyGrant, ApiKeys, Pepper, UnixSeconds};
/// use modelops_security::{ApiKeyError, SystemRandom};
/// let mut random = SystemRandom::new();
/// let keys = ApiKeys::new("live", &Pepper::generate(&mut random)?)?;
/// let now = UnixSeconds(1_700_000_000);
/// let issued = keys.issue(&ApiKeyGrant::new("team-vision"), now, &mut random)?;
/// assert!(issued.token.expose().starts_with("mo_live_"));
/// assert_eq!(&*keys.authenticate(issued.token.expose(), now)?.principal, "team-vision");
/// keys.revoke(issued.id)?;
/// assert_eq!(keys.authenticate(issued.token.expose(), now), Err(ApiKeyError::Revoked));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Complexity
///
/// Authenticating is O(1): a CRC-32, one HMAC-SHA-256 and one look-up.
#[doc(alias("bearer", "authenticate"))]
pub struct ApiKeys {
    environment: String,
    peppers: Vec<hmac::Key>,
    shards: [RwLock<KeyTable>; SHARDS],
    changes: AtomicU64,
}

impl ApiKeys {
    /// A store without keys, for one environment (`live`, `test`): keys of another one are refused.
    ///
    /// # Errors
    ///
    /// [`IssueError::Environment`] unless it has 1 to 8 lower-case letters or digits.
    pub fn new(environment: &str, pepper: &Pepper) -> Result<Self, IssueError> {
        let sound = (1..=8).contains(&environment.len())
            && environment
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !sound {
            return Err(IssueError::Environment);
        }
        Ok(Self {
            environment: environment.to_owned(),
            peppers: vec![hmac::Key::new(hmac::HMAC_SHA256, pepper.expose())],
            shards: std::array::from_fn(|_| RwLock::default()),
            changes: AtomicU64::new(0),
        })
    }

    /// A number that every change of a key raises: issuing, rotating, revoking, putting back.
    ///
    /// Read it before you authenticate, and what was found holds for as long as the number is the same and the key has not expired: see
    /// [`Remembered`](super::Remembered).
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// After a change was made, and before whoever asked for it is told so.
    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Adds a pepper, which hashes new keys from now on; older keys stay with theirs. Keep the order when you restore.
    ///
    /// # Errors
    ///
    /// [`IssueError::TooManyPeppers`] after the 256th.
    pub fn with_newer_pepper(mut self, pepper: &Pepper) -> Result<Self, IssueError> {
        if self.peppers.len() > usize::from(u8::MAX) {
            return Err(IssueError::TooManyPeppers);
        }
        self.peppers
            .push(hmac::Key::new(hmac::HMAC_SHA256, pepper.expose()));
        Ok(self)
    }

    /// Puts a stored record back; one of the same name is replaced.
    pub fn insert(&self, record: ApiKeyRecord) {
        self.write(record.id).insert(record);
        self.changed();
    }

    /// All records, in the order of their names, for storing them.
    #[must_use]
    pub fn records(&self) -> Vec<ApiKeyRecord> {
        let mut all: Vec<ApiKeyRecord> = Vec::new();
        for shard in &self.shards {
            all.extend(shard.read().unwrap_or_else(PoisonError::into_inner).records());
        }
        all.sort_by_key(|record| record.id);
        all
    }

    /// Issues a key.
    ///
    /// # Errors
    ///
    /// [`IssueError::AlreadyExpired`], or [`IssueError::Random`] where the source failed.
    pub fn issue(
        &self,
        grant: &ApiKeyGrant,
        now: UnixSeconds,
        random: &mut dyn SecureRandom,
    ) -> Result<IssuedKey, IssueError> {
        if grant.expires.is_some_and(|end| end <= now) {
            return Err(IssueError::AlreadyExpired);
        }
        self.issue_for(
            grant.principal.as_str().into(),
            grant.scopes.as_slice().into(),
            grant.expires,
            random,
        )
    }

    fn issue_for(
        &self,
        principal: Arc<str>,
        scopes: Arc<[Scope]>,
        expires: Option<UnixSeconds>,
        random: &mut dyn SecureRandom,
    ) -> Result<IssuedKey, IssueError> {
        let mut id = ApiKeyId([0; ID]);
        base62::fill_random(random, &mut id.0)?;
        let mut secret = Zeroizing::new([0; SECRET]);
        base62::fill_random(random, secret.as_mut_slice())?;
        // The right capacity from the start, so that no reallocation leaves an unwiped copy behind.
        let mut token =
            String::with_capacity(PREFIX.len() + self.environment.len() + 2 + ID + SECRET + CHECKSUM);
        token.push_str(PREFIX);
        token.push_str(&self.environment);
        token.push('_');
        token.extend(id.0.iter().map(|b| char::from(*b)));
        token.push('_');
        token.extend(secret.iter().map(|b| char::from(*b)));
        let mut checksum = [0; CHECKSUM];
        base62::write_u32(crc32fast::hash(token.as_bytes()), &mut checksum);
        token.extend(checksum.iter().map(|b| char::from(*b)));
        let newest = self.peppers.len() - 1;
        let hash = hash_token(&self.peppers[newest], token.as_bytes());
        let token = Secret::new(token);
        self.insert(ApiKeyRecord {
            id,
            pepper: newest as u8,
            hash,
            principal,
            scopes,
            expires,
            revoked: false,
        });
        Ok(IssuedKey { id, token })
    }

    /// Tells who presents `token` at the time `now`.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError`]; answer every variant with the same refusal.
    pub fn authenticate(&self, token: &str, now: UnixSeconds) -> Result<Caller, ApiKeyError> {
        let id = self.parse(token).ok_or(ApiKeyError::Malformed)?;
        let shard = self.read(id);
        // The line of the key comes from memory while the token is hashed; with several peppers it says with which.
        shard.expect(id);
        let pepper = match self.peppers.as_slice() {
            [only] => only,
            all => &all[usize::from(shard.find(id).map_or(0, Slot::pepper)).min(all.len() - 1)],
        };
        let hash = hmac::sign(pepper, token.as_bytes());
        let slot = shard.find(id);
        // An unknown key is compared too, with a hash that no token has.
        let same =
            bool::from(words(hash.as_ref()).ct_eq(&words(slot.map_or([0; 32].as_slice(), Slot::hash))));
        let slot = slot.filter(|_| same).ok_or(ApiKeyError::Invalid)?;
        if slot.is_revoked() {
            return Err(ApiKeyError::Revoked);
        }
        if slot.expires().is_some_and(|end| now >= end) {
            return Err(ApiKeyError::Expired);
        }
        let (principal, scopes) = shard.grant(slot).clone();
        Ok(Caller {
            principal,
            key: id,
            scopes,
            expires: slot.expires(),
        })
    }

    /// Replaces a key by a new one for the same principal and scopes; the old one works until `now + grace` seconds.
    ///
    /// Quotas are those of the principal, so rotating neither resets nor doubles them.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unknown`], [`IssueError::Revoked`], [`IssueError::AlreadyExpired`] or [`IssueError::Random`]; the old key is
    /// then as before.
    pub fn rotate(
        &self,
        id: ApiKeyId,
        grace: u64,
        now: UnixSeconds,
        random: &mut dyn SecureRandom,
    ) -> Result<IssuedKey, IssueError> {
        let (revoked, expires, (principal, scopes)) = {
            let shard = self.read(id);
            let old = shard.find(id).ok_or(IssueError::Unknown)?;
            (old.is_revoked(), old.expires(), shard.grant(old).clone())
        };
        if revoked {
            return Err(IssueError::Revoked);
        }
        if expires.is_some_and(|end| end <= now) {
            return Err(IssueError::AlreadyExpired);
        }
        let issued = self.issue_for(principal, scopes, expires, random)?;
        let end = now.plus(grace);
        if let Some(slot) = self.write(id).find_mut(id) {
            slot.set_expires(slot.expires().map_or(end, |expires| expires.min(end)));
        }
        self.changed();
        Ok(issued)
    }

    /// Withdraws a key, from the next request on.
    ///
    /// # Errors
    ///
    /// [`IssueError::Unknown`].
    pub fn revoke(&self, id: ApiKeyId) -> Result<(), IssueError> {
        self.write(id).find_mut(id).ok_or(IssueError::Unknown)?.revoke();
        self.changed();
        Ok(())
    }

    /// The name inside a well-formed token of this environment with the right checksum.
    fn parse(&self, token: &str) -> Option<ApiKeyId> {
        let rest = token
            .strip_prefix(PREFIX)?
            .strip_prefix(self.environment.as_str())?
            .strip_prefix('_')?;
        let (id, rest) = rest.as_bytes().split_first_chunk::<ID>()?;
        let (underscore, secret) = rest.split_first()?;
        // The digits of the secret need no look: the checksum and then the hash cover them.
        let digits = id.iter().all(|b| base62::is_digit(*b));
        if *underscore != b'_' || secret.len() != SECRET + CHECKSUM || !digits {
            return None;
        }
        let (signed, checksum) = token.as_bytes().split_last_chunk::<CHECKSUM>()?;
        let mut expected = [0; CHECKSUM];
        base62::write_u32(crc32fast::hash(signed), &mut expected);
        (*checksum == expected).then_some(ApiKeyId(*id))
    }

    fn read(&self, id: ApiKeyId) -> std::sync::RwLockReadGuard<'_, KeyTable> {
        self.shards[id.shard()]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, id: ApiKeyId) -> std::sync::RwLockWriteGuard<'_, KeyTable> {
        self.shards[id.shard()]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The hash as numbers, four comparisons instead of 32.
fn words(hash: &[u8]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<8>().0) {
        *word = u64::from_ne_bytes(*bytes);
    }
    words
}

fn hash_token(pepper: &hmac::Key, token: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(hmac::sign(pepper, token).as_ref());
    hash
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeys({}, [REDACTED])", self.environment)
    }
}
