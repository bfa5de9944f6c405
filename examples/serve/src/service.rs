//! What all endpoints share.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use modelops_security::sign::VerifyingKey;
use serde_json::json;

use crate::Failure;
use crate::admission::{Admission, Pool, Slot};
use crate::audit::Audit;
use crate::callers::{Callers, Need, Who};
use crate::clock::Clock;
use crate::files::read;
use crate::generator::Generator;
use crate::model::{PUBLISHER, SIGNATURE, ServedModel};
use crate::observe::Call;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::telemetry::{Reloaded, Telemetry};

/// Bytes that a body may have.
pub(crate) const LARGEST_BODY: usize = 256 << 10;
/// How long a body may take to arrive.
const SLOWEST_BODY: Duration = Duration::from_secs(10);

pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<Clock>,
    pub(crate) generator: Generator,
    pub(crate) callers: Callers,
    pub(crate) admission: Admission,
    pub(crate) telemetry: Option<Telemetry>,
    pub(crate) audit: Audit,
    pub(crate) draining: AtomicBool,
    /// Who has to have signed, as it was at the start: a reload cannot bring its own publisher.
    publisher: VerifyingKey,
    model: RwLock<Arc<ServedModel>>,
    signature_seen: RwLock<Option<SystemTime>>,
}

impl Service {
    /// Opens everything, or says what to do.
    pub(crate) fn open(settings: Settings) -> Result<Self, Failure> {
        let clock = Arc::new(Clock::new());
        let publisher: PathBuf = settings.model.join(PUBLISHER);
        if !publisher.exists() {
            let folder = settings.model.display();
            return Err(format!(
                "no model in {folder}; make one first:\n\n    cargo run --example operate\n"
            )
            .into());
        }
        let publisher = VerifyingKey::from_pem(&String::from_utf8(read(&publisher)?)?)?;
        let signed_at = signed_at(&settings);
        let model = ServedModel::open(&settings.model, &publisher)?;
        std::fs::create_dir_all(&settings.out)?;
        let telemetry = settings
            .metrics
            .then(|| Telemetry::new(&settings, Callers::names()))
            .transpose()?;
        if let Some(telemetry) = &telemetry {
            telemetry.serves(&model.name, None);
            let rules = settings.out.join("rules");
            std::fs::create_dir_all(&rules)?;
            for (file, text) in telemetry.rules()? {
                std::fs::write(rules.join(file), text)?;
            }
        }
        let audit = Audit::open(&settings.out, Arc::clone(&clock))?;
        let told = json!({"model": model.name, "generation": model.generation});
        audit.note("model opened", "serve", told)?;
        let callers = Callers::issue(&settings, clock.now())?;
        audit.note(
            "keys issued",
            "serve",
            json!(Callers::names().collect::<Vec<_>>()),
        )?;
        Ok(Self {
            generator: Generator::learn()?,
            admission: Admission::plan(settings.pace, settings.queue)?,
            callers,
            audit,
            telemetry,
            clock,
            publisher,
            model: RwLock::new(Arc::new(model)),
            signature_seen: RwLock::new(signed_at),
            draining: AtomicBool::new(false),
            settings,
        })
    }

    /// The model of now; a request keeps the one it began with.
    pub(crate) fn model(&self) -> Arc<ServedModel> {
        Arc::clone(&self.model.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who calls, and that they may do what is needed; nobody where the service runs without guard.
    pub(crate) fn admit_caller<'c>(
        &self,
        headers: &HeaderMap,
        call: &'c Call,
        need: Need,
    ) -> Result<Option<&'c Who>, Refusal> {
        if !self.settings.guard {
            return Ok(None);
        }
        let who = self
            .callers
            .authenticate(headers, call, self.clock.seconds(call.begin))?;
        who.may(need)?;
        Ok(Some(who))
    }

    /// Room on a replica; none is asked for where the service runs without admission.
    pub(crate) async fn admit<P: Deref<Target = Pool>>(&self, pool: P) -> Result<Option<Slot<P>>, Refusal> {
        if self.settings.guard && self.settings.admission {
            Pool::admit(pool).await.map(Some)
        } else {
            Ok(None)
        }
    }

    /// Takes over what was published since; the old model goes on where the new one is refused.
    pub(crate) fn reload(&self, who: &str) -> Result<Arc<ServedModel>, Failure> {
        let outcome = |outcome| {
            if let Some(telemetry) = &self.telemetry {
                telemetry.reloaded(outcome);
            }
        };
        *self
            .signature_seen
            .write()
            .unwrap_or_else(PoisonError::into_inner) = signed_at(&self.settings);
        let new = match ServedModel::open(&self.settings.model, &self.publisher) {
            Ok(new) => Arc::new(new),
            Err(error) => {
                outcome(Reloaded::Refused);
                self.audit.note("reload refused", who, json!(error.to_string()))?;
                return Err(error);
            }
        };
        let old = self.model();
        if new.name == old.name && new.generation == old.generation {
            outcome(Reloaded::Unchanged);
            return Ok(new);
        }
        let told = json!({"from": old.name, "to": new.name, "generation": new.generation});
        self.audit.note("model reloaded", who, told)?;
        *self.model.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        if let Some(telemetry) = &self.telemetry {
            telemetry.serves(
                &new.name,
                Some(&old.name)
                    .filter(|old| **old != new.name)
                    .map(String::as_str),
            );
        }
        outcome(Reloaded::Taken);
        Ok(new)
    }

    /// Whether something was published since the last look.
    pub(crate) fn is_outdated(&self) -> bool {
        signed_at(&self.settings) != *self.signature_seen.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// When the signature, which is published last, was written.
fn signed_at(settings: &Settings) -> Option<SystemTime> {
    std::fs::metadata(settings.model.join(SIGNATURE))
        .and_then(|data| data.modified())
        .ok()
}

/// The body, within its bounds of size and time.
pub(crate) async fn body(request: Request) -> Result<Bytes, Refusal> {
    let body = axum::body::to_bytes(request.into_body(), LARGEST_BODY);
    match tokio::time::timeout(SLOWEST_BODY, body).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Refusal::too_large(LARGEST_BODY)),
        Err(_) => Err(Refusal::too_slow()),
    }
}
