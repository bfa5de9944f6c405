//! How much a caller may use: tokens reserved before a request and settled after it.
//!
//! What a request costs is known only when it is done. Checking a counter first and adding to it later lets many requests through
//! at once; here a request first reserves the most it may cost, in one step, and settles what it did cost. So the sum of what was used
//! and what is reserved never exceeds the limit, whatever the number of threads. The account belongs to the principal, so a rotated
//! key neither resets nor doubles it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::auth::UnixSeconds;
use crate::error::QuotaError;

/// Locks over the table of accounts; the accounts have their own.
const SHARDS: usize = 16;

/// So many tokens in every window of so many seconds. Windows begin at multiples of their length since 1970.
///
/// ```
/// use modelops_security::quota::Limit;
/// let limit = Limit::new(100_000, 60)?;
/// assert_eq!((limit.tokens(), limit.seconds()), (100_000, 60));
/// assert!(Limit::new(1, 0).is_err());
/// # Ok::<(), modelops_security::QuotaError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    tokens: u64,
    seconds: u64,
}

impl Limit {
    /// A limit of `tokens` in `seconds`.
    ///
    /// # Errors
    ///
    /// [`QuotaError::NoWindow`] for zero seconds.
    pub fn new(tokens: u64, seconds: u64) -> Result<Self, QuotaError> {
        if seconds == 0 {
            Err(QuotaError::NoWindow)
        } else {
            Ok(Self { tokens, seconds })
        }
    }

    /// Tokens in a window.
    #[must_use]
    pub fn tokens(self) -> u64 {
        self.tokens
    }

    /// Seconds of a window.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.seconds
    }
}

/// What an account holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// Tokens used in this window.
    pub used: u64,
    /// Tokens that requests under way have reserved.
    pub reserved: u64,
    /// Tokens that may still be reserved in this window.
    pub left: u64,
}

/// The accounts of all principals; share it between threads by reference or in an [`Arc`].
///
/// ```
/// use modelops_security::auth::UnixSeconds;
/// use modelops_security::quota::{Limit, QuotaLedger};
/// let ledger = QuotaLedger::new();
/// ledger.set_limit("team", Limit::new(100, 60)?);
/// let now = UnixSeconds(600);
/// let request = ledger.reserve("team", 70, now)?;
/// assert!(ledger.reserve("team", 40, now).is_err()); // 70 + 40 > 100
/// request.settle(25, now);
/// assert_eq!(ledger.usage("team", now).map(|usage| usage.left), Some(75));
/// drop(ledger.reserve("team", 40, now)?); // a request that failed costs nothing
/// assert_eq!(ledger.usage("team", now).map(|usage| usage.left), Some(75));
/// # Ok::<(), modelops_security::QuotaError>(())
/// ```
///
/// # Complexity
///
/// O(1) a call: one look-up, one lock of the account.
#[doc(alias("rate_limit", "RateLimiter", "budget"))]
pub struct QuotaLedger {
    hasher: RandomState,
    shards: [RwLock<HashMap<Box<str>, Arc<Account>>>; SHARDS],
}

/// The account of one principal, looked up once: [`QuotaLedger::account`].
#[derive(Clone)]
pub struct QuotaAccount(Arc<Account>);

struct Account(Mutex<State>);

struct State {
    limit: Limit,
    window: u64,
    used: u64,
    reserved: u64,
}

impl State {
    /// Begins the window of `now`. A clock that goes back does not bring old windows back.
    fn roll(&mut self, now: UnixSeconds) {
        let window = now.0 / self.limit.seconds;
        if window > self.window {
            (self.window, self.used) = (window, 0);
        }
    }

    fn left(&self) -> u64 {
        self.limit
            .tokens
            .saturating_sub(self.used)
            .saturating_sub(self.reserved)
    }
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QuotaLedger {
    /// No accounts: everybody is refused until they have a limit.
    #[must_use]
    pub fn new() -> Self {
        Self {
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| RwLock::default()),
        }
    }

    /// Gives a principal a limit, or another one; what was used and reserved stays.
    pub fn set_limit(&self, principal: &str, limit: Limit) {
        let mut shard = self
            .shard(principal)
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match shard.get(principal) {
            Some(account) => {
                let mut state = account.lock();
                if state.limit.seconds != limit.seconds {
                    // Windows of another length have other numbers; the tokens used move into the current one.
                    state.window = state.window.saturating_mul(state.limit.seconds) / limit.seconds;
                }
                state.limit = limit;
            }
            None => {
                let state = State {
                    limit,
                    window: 0,
                    used: 0,
                    reserved: 0,
                };
                shard.insert(principal.into(), Arc::new(Account(Mutex::new(state))));
            }
        }
    }

    /// Reserves the most that a request may cost.
    ///
    /// # Errors
    ///
    /// [`QuotaError::Unknown`] without a limit, [`QuotaError::TooLarge`] where the cost exceeds a whole window, [`QuotaError::Exhausted`]
    /// with the seconds after which to try again.
    pub fn reserve(&self, principal: &str, cost: u64, now: UnixSeconds) -> Result<Reservation, QuotaError> {
        let account = self.find(principal).ok_or(QuotaError::Unknown)?;
        hold(account, cost, now)
    }

    /// The account of a principal, for callers who come again and again; `None` without a limit.
    ///
    /// It is the account itself: limits that are set later hold for it too.
    ///
    /// ```
    /// use modelops_security::auth::UnixSeconds;
    /// use modelops_security::quota::{Limit, QuotaLedger};
    /// let ledger = QuotaLedger::new();
    /// ledger.set_limit("team", Limit::new(100, 60)?);
    /// let account = ledger.account("team").expect("it has a limit");
    /// let now = UnixSeconds(600);
    /// account.reserve(70, now)?.settle(70, now);
    /// assert!(account.reserve(40, now).is_err());
    /// assert_eq!(ledger.usage("team", now).map(|usage| usage.left), Some(30));
    /// # Ok::<(), modelops_security::QuotaError>(())
    /// ```
    #[must_use]
    pub fn account(&self, principal: &str) -> Option<QuotaAccount> {
        self.find(principal).map(QuotaAccount)
    }

    /// What the account of a principal holds; `None` without a limit.
    #[must_use]
    pub fn usage(&self, principal: &str, now: UnixSeconds) -> Option<Usage> {
        let account = self.find(principal)?;
        let mut state = account.lock();
        state.roll(now);
        Some(Usage {
            used: state.used,
            reserved: state.reserved,
            left: state.left(),
        })
    }

    fn find(&self, principal: &str) -> Option<Arc<Account>> {
        self.shard(principal)
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(principal)
            .cloned()
    }

    fn shard(&self, principal: &str) -> &RwLock<HashMap<Box<str>, Arc<Account>>> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(principal.as_bytes());
        &self.shards[hasher.finish() as usize % SHARDS]
    }
}

impl QuotaAccount {
    /// As [`QuotaLedger::reserve`], without looking the principal up.
    ///
    /// # Errors
    ///
    /// As [`QuotaLedger::reserve`], [`QuotaError::Unknown`] excepted.
    pub fn reserve(&self, cost: u64, now: UnixSeconds) -> Result<Reservation, QuotaError> {
        hold(Arc::clone(&self.0), cost, now)
    }
}

impl fmt::Debug for QuotaAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaAccount(..)")
    }
}

fn hold(account: Arc<Account>, cost: u64, now: UnixSeconds) -> Result<Reservation, QuotaError> {
    {
        let mut state = account.lock();
        state.roll(now);
        if cost > state.limit.tokens {
            return Err(QuotaError::TooLarge {
                limit: state.limit.tokens,
            });
        }
        if cost > state.left() {
            let retry_after = state.limit.seconds - now.0 % state.limit.seconds;
            return Err(QuotaError::Exhausted { retry_after });
        }
        state.reserved += cost;
    }
    Ok(Reservation { account, cost })
}

impl Default for QuotaLedger {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for QuotaLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |shard: &RwLock<HashMap<_, _>>| shard.read().unwrap_or_else(PoisonError::into_inner).len();
        write!(
            f,
            "QuotaLedger({} accounts)",
            self.shards.iter().map(count).sum::<usize>()
        )
    }
}

/// Tokens held for a request under way; dropped without [`settle`](Self::settle), also by a panic, it gives all of them back.
#[must_use = "a dropped reservation gives its tokens back"]
pub struct Reservation {
    account: Arc<Account>,
    cost: u64,
}

impl Reservation {
    /// What was reserved.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// Books what the request did cost and gives the rest back.
    ///
    /// A request that cost more than it had reserved is booked in full, so that the next ones wait for it; reserve the most a request
    /// may cost, and stop it there, to stay below the limit.
    pub fn settle(mut self, actual: u64, now: UnixSeconds) {
        let mut state = self.account.lock();
        state.roll(now);
        state.reserved = state.reserved.saturating_sub(self.cost);
        state.used = state.used.saturating_add(actual);
        drop(state);
        self.cost = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.cost > 0 {
            let mut state = self.account.lock();
            state.reserved = state.reserved.saturating_sub(self.cost);
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reservation({} tokens)", self.cost)
    }
}
