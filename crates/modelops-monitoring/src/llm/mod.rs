//! The life of a request to a language model, from arrival to the last token.
//!
//! The server tells what happens and when, on one monotonic clock of its own: one reading of it serves a whole engine
//! step. From these events come the intervals that the field has agreed on:
//!
//! | interval | from | to |
//! | --- | --- | --- |
//! | time to first token | arrival | first token |
//! | queue | queued | last scheduling before the first token |
//! | prefill | that scheduling | first token |
//! | decode | first token | last token |
//! | inter-token latency | tokens | next tokens, divided by their number |
//! | time per output token | decode / (tokens − 1) | undefined, so not recorded, for a single token |
//! | end to end | arrival | finish |
//!
//! A preemption while decoding shows in the inter-token latency, one before the first token in the time to it.

mod names;
mod request;

pub use names::{NameScheme, Served};
pub use request::Request;

use std::sync::Arc;
use std::time::Duration;

use crate::counter::Counter;
use crate::error::RegisterError;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, HistogramOptions, buckets};
use crate::label_enum;
use crate::registry::Registry;

label_enum! {
    /// Why a request ended.
    pub enum FinishReason {
        /// The model ended its answer.
        Stop = "stop",
        /// The longest allowed answer was reached.
        Length = "length",
        /// The caller went away, or the request was dropped.
        Abort = "abort",
        /// The server failed.
        Error = "error",
    }
}

/// A class of service and what it promises; a bound that is `None` always holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Tier {
    /// The tier's name, a label.
    pub name: String,
    /// The longest time to the first token.
    pub time_to_first_token: Option<Duration>,
    /// The longest mean time per further token.
    pub time_per_output_token: Option<Duration>,
    /// The longest time from arrival to the end.
    pub end_to_end: Option<Duration>,
}

impl Tier {
    /// A tier that promises nothing yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The same with a bound on the time to the first token.
    #[must_use]
    pub fn with_time_to_first_token(mut self, bound: Duration) -> Self {
        self.time_to_first_token = Some(bound);
        self
    }

    /// The same with a bound on the time per output token.
    #[must_use]
    pub fn with_time_per_output_token(mut self, bound: Duration) -> Self {
        self.time_per_output_token = Some(bound);
        self
    }

    /// The same with a bound on the whole time.
    #[must_use]
    pub fn with_end_to_end(mut self, bound: Duration) -> Self {
        self.end_to_end = Some(bound);
        self
    }

    /// Whether all bounds hold, in whole nanoseconds; `further` tokens after the first took `decode`.
    fn keeps(&self, first: Option<Duration>, decode: Duration, further: u64, whole: Duration) -> bool {
        let all_tokens = |bound: Duration| decode.as_nanos() <= bound.as_nanos() * u128::from(further);
        self.time_to_first_token
            .is_none_or(|bound| first.is_none_or(|first| first <= bound))
            && self
                .time_per_output_token
                .is_none_or(|bound| further == 0 || all_tokens(bound))
            && self.end_to_end.is_none_or(|bound| whole <= bound)
    }
}

/// What a tier has delivered. A request is good if it finished by itself (stop or length) within all its tier's bounds;
/// its generated tokens are then good tokens. Rates are differences of two readings over the time between them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goodput {
    /// The tier's name.
    pub tier: String,
    /// Requests that ended.
    pub requests: u64,
    /// The good ones.
    pub good_requests: u64,
    /// Tokens generated for them.
    pub tokens: u64,
    /// Tokens of good requests.
    pub good_tokens: u64,
}

/// What one step of the engine looked like; fields that are zero change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepStats {
    /// Share of the KV cache in use, 0 to 1.
    pub kv_cache_usage: f64,
    /// Tokens looked up in the prefix cache, found or not.
    pub prefix_queries: u64,
    /// Tokens of those that were found.
    pub prefix_hits: u64,
    /// Tokens that the draft model proposed.
    pub drafted: u64,
    /// Tokens of those that the model accepted.
    pub accepted: u64,
}

/// The metrics of one model server.
///
/// ```
/// use std::time::Duration;
/// use modelops_monitoring::Registry;
/// use modelops_monitoring::llm::{FinishReason, NameScheme, Served, ServerMetrics, Tier};
///
/// let registry = Registry::new("chat")?;
/// let tier = Tier::new("interactive").with_time_to_first_token(Duration::from_millis(200));
/// let metrics = ServerMetrics::new(&registry, NameScheme::VllmCompat, &Served::new("llama"), &[tier])?;
///
/// let at = Duration::from_millis;
/// let mut request = metrics.request(0, 100, at(0)); // tier 0, 100 prompt tokens
/// request.scheduled(at(40));
/// request.tokens(1, at(150));
/// request.tokens(2, at(190)); // two tokens in one step: 20 ms each
/// request.finish(FinishReason::Stop, at(190));
///
/// assert_eq!(metrics.goodput()[0].good_tokens, 3);
/// let text = registry.to_prometheus_text();
/// assert!(text.contains("vllm:time_to_first_token_seconds_sum{model_name=\"llama\"} 0.15\n"));
/// # Ok::<(), modelops_monitoring::RegisterError>(())
/// ```
#[doc(alias("TTFT", "TPOT", "vllm"))]
#[derive(Debug, Clone)]
pub struct ServerMetrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    time_to_first_token: Histogram,
    inter_token: Histogram,
    per_token: Histogram,
    end_to_end: Histogram,
    queue: Histogram,
    prefill: Histogram,
    decode: Histogram,
    prompt: Histogram,
    generated: Histogram,
    prompt_total: Counter,
    generated_total: Counter,
    preemptions: Counter,
    finished: [Counter; 4],
    running: Gauge,
    waiting: Gauge,
    kv_cache_usage: Gauge,
    prefix_queries: Counter,
    prefix_hits: Counter,
    drafted: Counter,
    accepted: Counter,
    tiers: Vec<(Tier, TierCounters)>,
}

#[derive(Debug)]
struct TierCounters {
    requests: Counter,
    good_requests: Counter,
    tokens: Counter,
    good_tokens: Counter,
}

impl ServerMetrics {
    /// Registers the metrics of a server under the names of `scheme`.
    ///
    /// Requests name their tier by its position in `tiers`. Goodput has names of its own in every scheme: no other has any.
    ///
    /// # Errors
    /// [`RegisterError`] where a name is taken (one server, one scheme a registry) or storage is exhausted.
    pub fn new(
        registry: &Registry,
        scheme: NameScheme,
        served: &Served,
        tiers: &[Tier],
    ) -> Result<Self, RegisterError> {
        let named = names::Named::new(registry, scheme, served);
        let seconds = || HistogramOptions::seconds();
        // Tokens that one step makes share its time: a small model's are less than a microsecond apart.
        let token_gap = || {
            seconds()
                .with_buckets(buckets::TOKEN_GAP)
                .with_fast_range(-27, 21)
        };
        let first = || seconds().with_buckets(buckets::GEN_AI_TIME_TO_FIRST_TOKEN);
        let sizes = HistogramOptions::sizes;
        let goodput = names::Goodputs::new(registry)?;
        Ok(Self {
            inner: Arc::new(Inner {
                time_to_first_token: named.histogram(names::TIME_TO_FIRST_TOKEN, first())?,
                inter_token: named.histogram(names::INTER_TOKEN, token_gap())?,
                per_token: named.histogram(names::PER_TOKEN, token_gap())?,
                end_to_end: named.histogram(names::END_TO_END, seconds())?,
                queue: named.histogram(names::QUEUE, seconds())?,
                prefill: named.histogram(names::PREFILL, seconds())?,
                decode: named.histogram(names::DECODE, seconds())?,
                prompt: named.histogram(names::PROMPT, sizes())?,
                generated: named.histogram(names::GENERATED, sizes())?,
                prompt_total: named.counter(names::PROMPT_TOTAL)?,
                generated_total: named.counter(names::GENERATED_TOTAL)?,
                preemptions: named.counter(names::PREEMPTIONS)?,
                finished: named.finished(names::FINISHED)?,
                running: named.gauge(names::RUNNING)?,
                waiting: named.gauge(names::WAITING)?,
                kv_cache_usage: named.gauge(names::KV_CACHE)?,
                prefix_queries: named.counter(names::PREFIX_QUERIES)?,
                prefix_hits: named.counter(names::PREFIX_HITS)?,
                drafted: named.counter(names::DRAFTED)?,
                accepted: named.counter(names::ACCEPTED)?,
                tiers: tiers
                    .iter()
                    .map(|tier| (tier.clone(), goodput.of(served, tier)))
                    .collect(),
            }),
        })
    }

    /// A request of the tier at position `tier` that arrived at `at` and waits from then on.
    ///
    /// A tier beyond the list promises nothing and counts in no goodput.
    #[must_use = "a request that is dropped counts as aborted"]
    pub fn request(&self, tier: usize, prompt_tokens: u64, at: Duration) -> Request {
        Request::new(Arc::clone(&self.inner), tier, prompt_tokens, at)
    }

    /// Takes in what one step of the engine looked like.
    pub fn step(&self, stats: &StepStats) {
        self.inner.kv_cache_usage.set(stats.kv_cache_usage);
        self.inner.prefix_queries.inc_by(stats.prefix_queries);
        self.inner.prefix_hits.inc_by(stats.prefix_hits);
        self.inner.drafted.inc_by(stats.drafted);
        self.inner.accepted.inc_by(stats.accepted);
    }

    /// What each tier has delivered so far, exactly.
    #[must_use]
    pub fn goodput(&self) -> Vec<Goodput> {
        let read = |(tier, counters): &(Tier, TierCounters)| Goodput {
            tier: tier.name.clone(),
            requests: counters.requests.value(),
            good_requests: counters.good_requests.value(),
            tokens: counters.tokens.value(),
            good_tokens: counters.good_tokens.value(),
        };
        self.inner.tiers.iter().map(read).collect()
    }

    /// The time to the first token, in seconds.
    #[must_use]
    pub fn time_to_first_token(&self) -> &Histogram {
        &self.inner.time_to_first_token
    }

    /// The time from tokens to the next ones, in seconds.
    #[must_use]
    pub fn inter_token_latency(&self) -> &Histogram {
        &self.inner.inter_token
    }

    /// The mean time of a request's further tokens, in seconds.
    #[must_use]
    pub fn time_per_output_token(&self) -> &Histogram {
        &self.inner.per_token
    }

    /// The time from arrival to the end, in seconds.
    #[must_use]
    pub fn end_to_end(&self) -> &Histogram {
        &self.inner.end_to_end
    }

    /// The tokens of each prompt.
    #[must_use]
    pub fn prompt_tokens(&self) -> &Histogram {
        &self.inner.prompt
    }

    /// The tokens generated for each request.
    #[must_use]
    pub fn generated_tokens(&self) -> &Histogram {
        &self.inner.generated
    }
}
