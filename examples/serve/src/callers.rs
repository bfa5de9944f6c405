//! Who calls, what they may do, and how much: API keys, tokens made from them, scopes and quotas.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use modelops_monitoring::LogContext;
use modelops_security::auth::{
    ApiKeyGrant, ApiKeyId, ApiKeys, Jwk, JwtIssuer, JwtVerifier, LoginThrottle, Pepper, Remembered, Scope,
    UnixSeconds,
};
use modelops_security::quota::{Limit, QuotaAccount, QuotaLedger, Reservation};
use modelops_security::sign::SigningKey;
use modelops_security::{ApiKeyError, JwtError, QuotaError, SystemRandom};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::files::write_private;
use crate::observe::Call;
use crate::refusal::{Reason, Refusal};
use crate::settings::Settings;

/// Whom tokens come from and whom they are for.
const ISSUER: &str = "https://serve.modelops.example";
/// A token for a caller lives at most so many seconds.
pub(crate) const LONGEST_LIFE: u64 = 600;
/// Seconds of a quota's window.
pub(crate) const WINDOW: u64 = 60;
/// Failed attempts of one address that are answered at once; beyond, each costs a longer wait.
const FREE_FAILURES: u32 = 20;

/// The callers of the example: name, scopes, and whether the quota is a small one.
const CALLERS: [(&str, &[&str], bool); 3] = [
    ("analyst", &["model:*:infer"], false),
    ("guest", &["model:classifier:infer"], true),
    (
        "operator",
        &["model:*:infer", "service:watch", "service:reload"],
        false,
    ),
];
/// Tokens a minute of the guest.
const SMALL_QUOTA: u64 = 100;

/// What an endpoint needs its caller to be allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Need {
    Classify,
    Chat,
    Watch,
    Reload,
}

/// The scope of each need.
const NEEDS: [&str; 4] = [
    "model:classifier:infer",
    "model:babble:infer",
    "service:watch",
    "service:reload",
];

/// Who calls. What follows from a credential was found out when it was verified.
#[derive(Debug)]
pub(crate) struct Who {
    pub(crate) principal: Arc<str>,
    credential: Credential,
    scopes: Arc<[Scope]>,
    may: [bool; NEEDS.len()],
    account: Account,
    /// What the log says of the caller.
    pub(crate) log: LogContext,
}

/// The quota of a caller.
#[derive(Debug)]
enum Account {
    Held(QuotaAccount),
    /// None was ever given: the caller may ask for nothing.
    Missing,
    /// The service runs without quotas.
    Unlimited,
}

/// What was presented; only what may be logged of it.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Credential {
    /// The public part of an API key.
    Key(ApiKeyId),
    /// The name of a token.
    Token(Box<str>),
}

#[derive(Serialize)]
struct Logged<'a> {
    caller: &'a str,
    credential: &'a Credential,
}

/// The claims of a token.
#[derive(Debug, Serialize, Deserialize)]
struct TokenClaims {
    iss: String,
    sub: String,
    aud: String,
    iat: u64,
    exp: u64,
    jti: String,
    scope: String,
}

pub(crate) struct Callers {
    keys: ApiKeys,
    issuer: JwtIssuer,
    verifier: JwtVerifier,
    pub(crate) quotas: QuotaLedger,
    unlimited: bool,
    needs: [Scope; NEEDS.len()],
    throttle: Mutex<LoginThrottle>,
}

impl Callers {
    /// Issues a key to each caller and writes them to `callers.env`, readable by its owner alone.
    pub(crate) fn issue(settings: &Settings, now: UnixSeconds) -> Result<Self, Failure> {
        let mut random = SystemRandom::new();
        let keys = ApiKeys::new("demo", &Pepper::generate(&mut random)?)?;
        let quotas = QuotaLedger::new();
        let mut file = String::new();
        for (name, scopes, small) in CALLERS {
            let mut grant = ApiKeyGrant::new(name);
            for scope in scopes {
                grant = grant.with_scope(Scope::new(*scope)?);
            }
            let issued = keys.issue(&grant, now, &mut random)?;
            let variable = name.to_ascii_uppercase();
            file.push_str(&format!("{variable}_KEY={}\n", issued.token.expose()));
            let tokens = if small { SMALL_QUOTA } else { settings.quota };
            quotas.set_limit(name, Limit::new(tokens, WINDOW)?);
        }
        let revoked = keys.issue(&ApiKeyGrant::new("leaver"), now, &mut random)?;
        keys.revoke(revoked.id)?;
        file.push_str(&format!("REVOKED_KEY={}\n", revoked.token.expose()));
        write_private(&settings.out.join(KEYS_FILE), file.as_bytes())?;

        let key = SigningKey::generate_ed25519(&mut random)?;
        let [classify, chat, watch, reload] = NEEDS.map(Scope::new);
        let needs = [classify?, chat?, watch?, reload?];
        let jwk = Jwk::from_verifying_key("serve-1", &key.verifying_key());
        Ok(Self {
            keys,
            issuer: JwtIssuer::new(key, "serve-1", ISSUER)?,
            verifier: JwtVerifier::new(jwk, ISSUER, ISSUER).with_max_age(LONGEST_LIFE),
            quotas,
            unlimited: !settings.quotas,
            needs,
            throttle: Mutex::new(LoginThrottle::new(FREE_FAILURES, 10_000)),
        })
    }

    /// The names of those who have a quota.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        CALLERS.iter().map(|(name, ..)| *name)
    }

    /// Who presents the credential of these headers; the log of the call will say so.
    ///
    /// A right one passes from any address; failures of an address make it wait. One that was verified on this connection
    /// before is not verified again, unless a key was changed since: see [`Remembered`].
    pub(crate) fn authenticate<'c>(
        &self,
        headers: &HeaderMap,
        call: &'c Call,
        now: UnixSeconds,
    ) -> Result<&'c Who, Refusal> {
        let header = headers.get(AUTHORIZATION);
        let presented = header.map_or(&[][..], HeaderValue::as_bytes);
        let changes = self.keys.changes();
        let mut known = call.connection.known();
        let recalled = known
            .as_ref()
            .and_then(|known| known.recall(presented, now, changes));
        let who = if let Some(who) = recalled {
            Arc::clone(who)
        } else {
            let (who, until) = self.identify(header, now).map_err(|reason| {
                let source = call.connection.from.to_string();
                let mut throttle = self.throttle();
                if let Err(wait) = throttle.check(&source, now) {
                    return Refusal::throttled(wait.retry_after);
                }
                throttle.failed(&source, now);
                Refusal::unauthenticated(reason)
            })?;
            let who = Arc::new(who);
            *known = Some(Remembered::new(presented, until, changes, Arc::clone(&who)));
            who
        };
        Ok(call.who.get_or_init(|| who))
    }

    /// Who presents a credential, and until when it says so.
    fn identify(
        &self,
        header: Option<&HeaderValue>,
        now: UnixSeconds,
    ) -> Result<(Who, Option<UnixSeconds>), Reason> {
        let text = header
            .ok_or(Reason::NoCredential)?
            .to_str()
            .map_err(|_| Reason::Malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or(Reason::Malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Reason::Malformed);
        }
        let token = token.trim();
        if token.starts_with("mo_") {
            let caller = self.keys.authenticate(token, now).map_err(|error| match error {
                ApiKeyError::Malformed => Reason::Malformed,
                ApiKeyError::Revoked => Reason::Revoked,
                ApiKeyError::Expired => Reason::Expired,
                _ => Reason::Unknown,
            })?;
            let who = self.who(caller.principal, Credential::Key(caller.key), caller.scopes);
            return Ok((who, caller.expires));
        }
        let claims = self.verifier.verify(token, now).map_err(|error| match error {
            JwtError::Malformed => Reason::Malformed,
            JwtError::Expired | JwtError::NotYet => Reason::Expired,
            _ => Reason::Unknown,
        })?;
        let claims: TokenClaims = claims.read().map_err(|_| Reason::Malformed)?;
        let scopes: Result<Vec<Scope>, _> = claims.scope.split_whitespace().map(Scope::new).collect();
        let scopes = scopes.map_err(|_| Reason::Malformed)?;
        // Too old or ended, whichever comes first.
        let until = claims.exp.min(claims.iat.saturating_add(LONGEST_LIFE));
        let who = self.who(
            claims.sub.into(),
            Credential::Token(claims.jti.into()),
            scopes.into(),
        );
        Ok((who, Some(UnixSeconds(until))))
    }

    fn who(&self, principal: Arc<str>, credential: Credential, scopes: Arc<[Scope]>) -> Who {
        let account = match self.quotas.account(&principal) {
            _ if self.unlimited => Account::Unlimited,
            Some(account) => Account::Held(account),
            None => Account::Missing,
        };
        let log = LogContext::new(&Logged {
            caller: &principal,
            credential: &credential,
        });
        let may = |need: &Scope| scopes.iter().any(|scope| scope.grants(need));
        Who {
            may: self.needs.each_ref().map(may),
            account,
            log: log.expect("a struct is a JSON object"),
            principal,
            credential,
            scopes,
        }
    }

    /// A token with the caller's own scopes, for `seconds`; a token makes no further tokens.
    pub(crate) fn token_for(&self, who: &Who, seconds: u64, now: UnixSeconds) -> Result<String, Refusal> {
        let Credential::Key(key) = &who.credential else {
            return Err(Refusal::forbidden("an API key"));
        };
        let scopes: Vec<&str> = who.scopes.iter().map(Scope::as_str).collect();
        let claims = TokenClaims {
            iss: ISSUER.to_owned(),
            sub: who.principal.to_string(),
            aud: ISSUER.to_owned(),
            iat: now.0,
            exp: now.plus(seconds).0,
            jti: format!("{key}-{}", now.0),
            scope: scopes.join(" "),
        };
        self.issuer.issue_claims(&claims).map_err(|_| Refusal::failed())
    }

    /// The public keys of the tokens.
    pub(crate) fn jwks(&self) -> String {
        self.issuer.jwks()
    }

    fn throttle(&self) -> MutexGuard<'_, LoginThrottle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the keys are.
pub(crate) const KEYS_FILE: &str = "callers.env";

/// How to read them into a shell.
pub(crate) fn keys_hint(out: &Path) -> String {
    format!(". {}", out.join(KEYS_FILE).display())
}

impl Who {
    /// Whether one of the caller's scopes grants what is needed.
    pub(crate) fn may(&self, need: Need) -> Result<(), Refusal> {
        if self.may[need as usize] {
            Ok(())
        } else {
            Err(Refusal::forbidden(NEEDS[need as usize]))
        }
    }

    /// Holds `cost` tokens of the caller's quota; nothing where the service runs without quotas.
    pub(crate) fn reserve(&self, cost: u64, now: UnixSeconds) -> Result<Option<Reservation>, Refusal> {
        let account = match &self.account {
            Account::Held(account) => account,
            Account::Unlimited => return Ok(None),
            Account::Missing => return Err(Refusal::forbidden("a quota")),
        };
        account.reserve(cost, now).map(Some).map_err(|error| match error {
            QuotaError::Exhausted { retry_after } => Refusal::exhausted(retry_after),
            QuotaError::TooLarge { limit } => Refusal::above_quota(cost, limit),
            _ => Refusal::forbidden("a quota"),
        })
    }
}
