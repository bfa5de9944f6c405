//! What is measured: metrics, the request log, objectives, and the last minutes for the operator's page.

use std::collections::VecDeque;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use modelops_monitoring::llm::{NameScheme, Served, ServerMetrics, Tier};
use modelops_monitoring::{
    BurnRate, Counter, Events, Exposition, Family, Gauge, Histogram, HistogramOptions, LabelValue as _,
    LogContext, LogError, LogReport, Objective, RecordLog, RecordLogOptions, Registry, Sketch, WhenFull,
    label_enum, label_set,
};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::Failure;
use crate::callers::Who;
use crate::refusal::Reason;
use crate::settings::Settings;

label_enum! {
    /// The endpoints.
    pub(crate) enum Route {
        Predict = "/v1/predict",
        Chat = "/v1/chat/completions",
        Models = "/v1/models",
        Tokens = "/v1/tokens",
        Jwks = "/.well-known/jwks.json",
        Metrics = "/metrics",
        Livez = "/livez",
        Readyz = "/readyz",
        Status = "/status",
        Reload = "/admin/reload",
        Checkpoint = "/audit/checkpoint",
        OpenApi = "/openapi.json",
        Page = "/",
        Other = "other",
    }
}

label_enum! {
    /// How a request ended; 499 where the caller went away first.
    pub(crate) enum Code {
        C200 = "200", C400 = "400", C401 = "401", C403 = "403", C404 = "404", C405 = "405", C408 = "408", C409 = "409",
        C413 = "413", C429 = "429", C499 = "499", C500 = "500", C503 = "503", Other = "other",
    }
}

label_enum! {
    /// What a caller is billed for.
    pub(crate) enum Kind { Prompt = "prompt", Completion = "completion", Row = "row" }
}

label_enum! {
    /// How a reload ended.
    pub(crate) enum Reloaded { Taken = "taken", Unchanged = "unchanged", Refused = "refused" }
}

label_enum! {
    /// The methods that the log tells apart.
    pub(crate) enum Method {
        Get = "GET", Post = "POST", Head = "HEAD", Put = "PUT", Delete = "DELETE", Options = "OPTIONS", Other = "other"
    }
}

label_set! { pub(crate) struct Ended { route: Route, code: Code } }
label_set! { pub(crate) struct OfRoute { route: Route } }
label_set! { pub(crate) struct Refused { reason: Reason } }
label_set! { pub(crate) struct Used<'a> { caller: &'a str, kind: Kind } }
label_set! { pub(crate) struct OfReload { outcome: Reloaded } }
label_set! { pub(crate) struct OfModel<'a> { model: &'a str } }
label_set! { pub(crate) struct OfWindow<'a> { objective: &'a str, window: &'a str } }

impl Route {
    const ALL: [Self; 14] = [
        Self::Predict,
        Self::Chat,
        Self::Models,
        Self::Tokens,
        Self::Jwks,
        Self::Metrics,
        Self::Livez,
        Self::Readyz,
        Self::Status,
        Self::Reload,
        Self::Checkpoint,
        Self::OpenApi,
        Self::Page,
        Self::Other,
    ];

    pub(crate) fn of(path: &str) -> Self {
        let known = Self::TEXTS.iter().position(|known| *known == path);
        known
            .and_then(|at| Self::ALL.get(at))
            .copied()
            .unwrap_or(Self::Other)
    }
}

impl Code {
    const ALL: [Self; 14] = [
        Self::C200,
        Self::C400,
        Self::C401,
        Self::C403,
        Self::C404,
        Self::C405,
        Self::C408,
        Self::C409,
        Self::C413,
        Self::C429,
        Self::C499,
        Self::C500,
        Self::C503,
        Self::Other,
    ];

    fn of(status: u16) -> Self {
        match status {
            200 => Self::C200,
            400 => Self::C400,
            401 => Self::C401,
            403 => Self::C403,
            404 => Self::C404,
            405 => Self::C405,
            408 => Self::C408,
            409 => Self::C409,
            413 => Self::C413,
            429 => Self::C429,
            499 => Self::C499,
            500 => Self::C500,
            503 => Self::C503,
            _ => Self::Other,
        }
    }
}

/// A line of the request log, but for what many lines share: endpoint, caller and replica follow as contexts. Nothing in it is
/// secret: keys are named by their public part, and what callers wrote was redacted.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Record<'a> {
    /// Seconds since 1970.
    pub(crate) at: f64,
    pub(crate) id: u64,
    /// The method and the path, where that is not an endpoint's alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<&'a str>,
    pub(crate) status: u16,
    pub(crate) seconds: f64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) prompt: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) completion: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
}

/// What is known of a request by names, of which there are few.
pub(crate) struct Request<'a> {
    pub(crate) route: Route,
    pub(crate) method: Method,
    pub(crate) reason: Option<Reason>,
    pub(crate) who: Option<&'a Who>,
    /// The replica that worked on it, as the log names it.
    pub(crate) replica: Option<&'a LogContext>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// Records that the operator's page shows.
const RECENT: usize = 40;
/// More bytes than so many records have, mostly.
const RECENT_BYTES: u64 = 64 << 10;
/// Seconds that the curves of the page show.
const HISTORY: usize = 120;
/// The window of the page's quantiles.
const WINDOW: usize = 60;

/// One second of the page's curves.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Second {
    requests: u64,
    failures: u64,
    good_tokens: u64,
    waiting: usize,
    in_flight: u64,
}

/// What the last seconds looked like.
#[derive(Default)]
struct Past {
    seconds: VecDeque<Second>,
    totals: [u64; 3],
    /// Latencies so far, one a second, of each route that the page shows.
    sketches: VecDeque<[Sketch; 3]>,
    ticks: u64,
}

/// Latencies of the last minute.
#[derive(Debug, Serialize)]
pub(crate) struct Quantiles {
    pub(crate) name: &'static str,
    pub(crate) count: u64,
    pub(crate) p50: Option<f64>,
    pub(crate) p95: Option<f64>,
    pub(crate) p99: Option<f64>,
}

/// An objective as the page shows it.
#[derive(Debug, Serialize)]
pub(crate) struct Promise {
    pub(crate) name: String,
    pub(crate) target: f64,
    pub(crate) total: u64,
    pub(crate) bad: u64,
    pub(crate) budget_left: f64,
    pub(crate) burn_5m: Option<f64>,
    pub(crate) burn_1h: Option<f64>,
    pub(crate) firing: Vec<String>,
}

struct Watched {
    objective: Objective,
    burn: BurnRate,
}

pub(crate) struct Telemetry {
    pub(crate) registry: Registry,
    pub(crate) llm: ServerMetrics,
    requests: Family<Ended, Counter>,
    seconds: Vec<Histogram>,
    refused: Family<Refused, Counter>,
    used: Family<Used<'static>, Counter>,
    /// The counters of `used` for those who are known from the start.
    used_by: Vec<(&'static str, [Counter; 3])>,
    reloads: Family<OfReload, Counter>,
    model: Family<OfModel<'static>, Gauge>,
    burn: Family<OfWindow<'static>, Gauge>,
    in_flight_gauge: Gauge,
    log_failures: Counter,
    next_id: AtomicU64,
    folder: PathBuf,
    log: Option<RecordLog>,
    /// What the lines of each endpoint share, by route and method.
    endpoints: Vec<[LogContext; Method::TEXTS.len()]>,
    nothing: LogContext,
    past: Mutex<Past>,
    promises: Mutex<[Watched; 2]>,
}

/// An answer of the classifier within this time is good.
pub(crate) const PROMISE: f64 = 0.05;
const WINDOWS: [(&str, u64); 2] = [("5m", 300), ("1h", 3600)];

impl Telemetry {
    pub(crate) fn new(
        settings: &Settings,
        callers: impl Iterator<Item = &'static str>,
    ) -> Result<Self, Failure> {
        let registry = Registry::new("serve")?;
        let ms = Duration::from_millis;
        let tiers = [
            Tier::new("interactive")
                .with_time_to_first_token(ms(500))
                .with_time_per_output_token(ms(50)),
            Tier::new("flex").with_end_to_end(ms(60_000)),
        ];
        let seconds: Family<OfRoute, Histogram> = registry.histogram_family(
            "http_request_seconds",
            "Time from the head of a request to the last byte of its answer.",
            HistogramOptions::seconds()
                .with_buckets(&[0.001, 0.005, 0.01, 0.025, PROMISE, 0.1, 0.25, 1.0, 5.0, 30.0]),
        )?;
        let options = RecordLogOptions::default()
            .with_stem("requests")
            .with_when_full(WhenFull::Wait);
        let folder = settings.out.join("log");
        let log = settings
            .log
            .then(|| RecordLog::create(&folder, options))
            .transpose()?;
        let used: Family<Used<'static>, Counter> =
            registry.counter_family("caller_tokens", "Tokens and rows that callers were billed for.")?;
        let kinds = [Kind::Prompt, Kind::Completion, Kind::Row];
        let used_by = callers.map(|caller| (caller, kinds.map(|kind| used.bind(&Used { caller, kind }))));
        Ok(Self {
            llm: ServerMetrics::new(&registry, NameScheme::Own, &Served::new("babble"), &tiers)?,
            requests: registry.counter_family("http_requests", "Requests that ended, each once.")?,
            seconds: Route::ALL
                .iter()
                .map(|route| seconds.bind(&OfRoute { route: *route }))
                .collect(),
            refused: registry.counter_family("refused", "Requests that were refused, by reason.")?,
            used_by: used_by.collect(),
            used,
            reloads: registry.counter_family("model_reloads", "Looks at the published model.")?,
            model: registry.gauge_family(
                "model_served",
                "1 for the model that is served, 0 for those before.",
            )?,
            burn: registry.gauge_family(
                "burn_rate_ratio",
                "How fast an error budget burns; at 1 it lasts its period.",
            )?,
            in_flight_gauge: registry.gauge("http_requests_in_flight", "Requests that have not ended.")?,
            log_failures: registry.counter("log_failures", "Log lines that could not be written.")?,
            registry,
            next_id: AtomicU64::new(1),
            folder,
            log,
            endpoints: Route::ALL.iter().map(endpoint).collect::<Result<_, _>>()?,
            nothing: LogContext::new(&Value::Object(Map::new()))?,
            past: Mutex::default(),
            promises: Mutex::new([
                watched(Objective::latency("classifier within 50 ms", PROMISE, 0.99)?),
                watched(Objective::availability("requests answered", 0.999)?),
            ]),
        })
    }

    /// A request has begun; its number.
    pub(crate) fn begin(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// A request has ended: counted, timed and logged, here and nowhere else.
    pub(crate) fn end(&self, ended: &Request<'_>, record: &Record<'_>) {
        let Request {
            route,
            method,
            reason,
            who,
            replica,
        } = *ended;
        if let Some(log) = &self.log {
            let endpoint = match record.path {
                None => &self.endpoints[route as usize][method as usize],
                Some(_) => &self.nothing,
            };
            let caller = who.map_or(&self.nothing, |who| &who.log);
            let contexts = [endpoint, caller, replica.unwrap_or(&self.nothing)];
            if log.write_with(&contexts, record).is_err() {
                self.log_failures.inc();
            }
        }
        let code = Code::of(record.status);
        self.seconds[route as usize].observe(record.seconds);
        if let Some(reason) = reason {
            self.refused.inc(&Refused { reason });
        }
        if let Some(Who { principal, .. }) = who {
            let caller = &**principal;
            let input = if route == Route::Predict {
                Kind::Row
            } else {
                Kind::Prompt
            };
            let known = self.used_by.iter().find(|(known, _)| *known == caller);
            for (kind, tokens) in [(input, record.prompt), (Kind::Completion, record.completion)] {
                match known {
                    _ if tokens == 0 => {}
                    Some((_, counters)) => counters[kind as usize].inc_by(tokens),
                    None => self.used.inc_by(&Used { caller, kind }, tokens),
                }
            }
        }
        // Last, so that whoever sees the request counted finds the rest of it too.
        self.requests.inc(&Ended { route, code });
    }

    /// Requests that ended, and those of them that the service failed at.
    fn ended(&self) -> (u64, u64) {
        let (mut ended, mut failed) = (0, 0);
        for (route, code) in Route::ALL
            .iter()
            .flat_map(|route| Code::ALL.map(|code| (*route, code)))
        {
            let count = self.requests.with(&Ended { route, code }).value();
            ended += count;
            if code.text().starts_with('5') {
                failed += count;
            }
        }
        (ended, failed)
    }

    /// Requests that ended, and those that have not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let (ended, _) = self.ended();
        let begun = self.next_id.load(Ordering::Relaxed) - 1;
        (ended, begun.saturating_sub(ended))
    }

    /// Rules for a Prometheus server, a file for each promise and one about the metrics themselves: what this process
    /// evaluates, in its words.
    pub(crate) fn rules(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut files = vec![("metrics.yml", self.registry.prometheus_alerts())];
        for watched in lock(&self.promises).iter() {
            let (file, events) = watched.events();
            let rules = watched.burn.prometheus_rules(&watched.objective, &events)?;
            files.push((file, rules));
        }
        Ok(files)
    }

    pub(crate) fn reloaded(&self, outcome: Reloaded) {
        self.reloads.with(&OfReload { outcome }).inc();
    }

    pub(crate) fn serves(&self, new: &str, old: Option<&str>) {
        if let Some(old) = old {
            self.model.with(&OfModel { model: old }).set(0.0);
        }
        self.model.with(&OfModel { model: new }).set(1.0);
    }

    /// Whether log lines can still be written.
    pub(crate) fn log_works(&self) -> bool {
        self.log_failures.value() == 0
    }

    /// Takes note of the second that has passed.
    pub(crate) fn tick(&self, now: Duration, waiting: usize) {
        let (total, failures) = self.ended();
        let in_flight = self.counts().1;
        let good_tokens = self.llm.goodput().iter().map(|tier| tier.good_tokens).sum();
        let mut past = lock(&self.past);
        let [requests, failed, tokens] = past.totals;
        past.seconds.push_back(Second {
            requests: total - requests,
            failures: failures - failed,
            good_tokens: good_tokens - tokens,
            waiting,
            in_flight,
        });
        past.totals = [total, failures, good_tokens];
        past.sketches.push_back(self.sketches());
        while past.seconds.len() > HISTORY {
            past.seconds.pop_front();
        }
        while past.sketches.len() > WINDOW {
            past.sketches.pop_front();
        }
        let due = past.ticks.is_multiple_of(10);
        past.ticks += 1;
        drop(past);
        if due {
            self.observe_promises(now, failures, total);
        }
    }

    fn observe_promises(&self, now: Duration, failures: u64, total: u64) {
        let predict = &self.seconds[Route::Predict as usize];
        let mut promises = lock(&self.promises);
        for watched in promises.iter_mut() {
            let (bad, all) = watched.counts(predict, failures, total);
            // Bad events are among all: the counts fit each other.
            let _counted = watched.burn.observe(now, bad, all);
            for (window, seconds) in WINDOWS {
                let rate = watched.burn.over(Duration::from_secs(seconds)).unwrap_or(0.0);
                let objective = watched.objective.name();
                self.burn.with(&OfWindow { objective, window }).set(rate);
            }
        }
    }

    fn sketches(&self) -> [Sketch; 3] {
        [
            self.seconds[Route::Predict as usize].snapshot(),
            self.llm.time_to_first_token().snapshot(),
            self.llm.inter_token_latency().snapshot(),
        ]
    }

    /// The quantiles of the last minute.
    pub(crate) fn quantiles(&self) -> Vec<Quantiles> {
        let now = self.sketches();
        let past = lock(&self.past);
        let names = ["classifier", "babble, first token", "babble, next token"];
        names
            .into_iter()
            .enumerate()
            .map(|(i, name)| {
                let window = match past.sketches.front() {
                    Some(before) => now[i].delta_since(&before[i]).unwrap_or_else(|_| now[i].clone()),
                    None => now[i].clone(),
                };
                let quantile = |q| window.quantile(q);
                Quantiles {
                    name,
                    count: window.count(),
                    p50: quantile(0.5),
                    p95: quantile(0.95),
                    p99: quantile(0.99),
                }
            })
            .collect()
    }

    pub(crate) fn promises(&self) -> Vec<Promise> {
        let predict = &self.seconds[Route::Predict as usize];
        let (total, failures) = self.ended();
        let promises = lock(&self.promises);
        promises
            .iter()
            .filter_map(|watched| {
                let (bad, total) = watched.counts(predict, failures, total.max(failures));
                let verdict = watched.objective.verdict(bad, total).ok()?;
                let firing = watched.burn.alerts().into_iter().filter(|alert| alert.firing);
                Some(Promise {
                    name: watched.objective.name().to_owned(),
                    target: watched.objective.target(),
                    total,
                    bad,
                    budget_left: verdict.budget_left,
                    burn_5m: watched.burn.over(Duration::from_secs(300)),
                    burn_1h: watched.burn.over(Duration::from_secs(3600)),
                    firing: firing
                        .map(|alert| format!("{:?} at {}", alert.rule.severity, alert.rule.factor))
                        .collect(),
                })
            })
            .collect()
    }

    /// The last lines of the request log, the newest first: what an operator would read there, redacted as it is there.
    pub(crate) fn recent(&self) -> Vec<Value> {
        // Where the log cannot be written, `/readyz` says so.
        let Some(log) = &self.log else {
            return Vec::new();
        };
        let _stopped = log.flush();
        last_lines(&self.folder).unwrap_or_default()
    }

    pub(crate) fn seconds(&self) -> Vec<Second> {
        lock(&self.past).seconds.iter().copied().collect()
    }

    /// All metrics of now, in the format that suits an `Accept` header best.
    pub(crate) fn scrape(&self, accept: Option<&str>) -> Exposition {
        self.in_flight_gauge.set(self.counts().1 as f64);
        self.registry.expose(accept)
    }

    /// Writes what is pending; what became of all lines.
    pub(crate) fn close(&self) -> Result<LogReport, Failure> {
        let Some(log) = &self.log else {
            return Ok(LogReport::default());
        };
        log.flush()?;
        Ok(log.report())
    }
}

/// The last records of a log, the newest first. A file that was just begun has few.
fn last_lines(folder: &Path) -> std::io::Result<Vec<Value>> {
    let files = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let Some(newest) = files.max() else {
        return Ok(Vec::new());
    };
    let mut file = std::fs::File::open(newest)?;
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(RECENT_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(RECENT_BYTES).read_to_end(&mut bytes)?;
    // The first line may lack its beginning; it is no JSON then.
    let lines = bytes.rsplit(|byte| *byte == b'\n');
    let records = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    // An open page looks once a second, and would push out what it is there to show.
    let own = |record: &Value| record["path"] == Route::Status.text() && record["status"] == 200;
    let others = records.filter(|record| record.is_object() && !own(record));
    Ok(others.take(RECENT).collect())
}

/// What the lines of an endpoint share, for each method.
fn endpoint(route: &Route) -> Result<[LogContext; Method::TEXTS.len()], LogError> {
    #[derive(Serialize)]
    struct Endpoint {
        method: &'static str,
        path: &'static str,
    }
    let path = Route::text_at(*route as usize);
    let contexts: Result<Vec<_>, _> = Method::TEXTS
        .iter()
        .map(|method| LogContext::new(&Endpoint { method, path }))
        .collect();
    Ok(contexts?.try_into().expect("one for each method"))
}

fn watched(objective: Objective) -> Watched {
    Watched {
        burn: BurnRate::google_sre(&objective).with_least_events(100),
        objective,
    }
}

impl Watched {
    /// Where the events of the promise are counted, for rules in a file of this name.
    fn events(&self) -> (&'static str, Events) {
        if self.objective.threshold().is_some() {
            let name = "serve_http_request_seconds{route=\"/v1/predict\"}".to_owned();
            return ("latency.yml", Events::Histogram { name });
        }
        let total = "serve_http_requests_total";
        let bad = format!("{total}{{code=~\"5..\"}}");
        let total = total.to_owned();
        ("availability.yml", Events::Counters { bad, total })
    }

    /// Bad events and all: slow answers where the objective has a threshold, failures otherwise.
    fn counts(&self, predict: &Histogram, failures: u64, total: u64) -> (u64, u64) {
        match self.objective.verdict_of(predict) {
            Some(verdict) => (verdict.bad, verdict.total),
            None => (failures.min(total), total),
        }
    }
}

/// The text of a reason, for the log.
pub(crate) fn text(reason: Option<Reason>) -> Option<&'static str> {
    reason.map(|reason| Reason::text_at(reason.index()))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
