//! What the metrics of a model server are called.

use super::{FinishReason, Tier, TierCounters};
use crate::counter::Counter;
use crate::error::RegisterError;
use crate::family::Family;
use crate::gauge::Gauge;
use crate::histogram::{Histogram, HistogramOptions};
use crate::label_set;
use crate::registry::Registry;

/// Whose names the metrics go by. What a scheme has no name for keeps ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NameScheme {
    /// `NAMESPACE_llm_…`, label `model`.
    #[default]
    Own,
    /// The OpenTelemetry conventions as Prometheus spells them: `gen_ai_server_…`, labels `gen_ai_…`.
    GenAi,
    /// Those of vLLM, for its dashboards: `vllm:…`, label `model_name`. Linters dislike the colon.
    VllmCompat,
}

/// What is served, by whom: the labels of all metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// The model's name.
    pub model: String,
    /// `gen_ai.operation.name`. Default `chat`.
    pub operation: String,
    /// `gen_ai.provider.name`. Default `modelops`.
    pub provider: String,
}

impl Served {
    /// A model that answers chats.
    #[must_use]
    pub fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            operation: "chat".to_owned(),
            provider: "modelops".to_owned(),
        }
    }
}

/// A metric's names: ours after the namespace, OpenTelemetry's and vLLM's in full, and its help.
pub(super) type Names = (
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
    &'static str,
);

pub(super) const TIME_TO_FIRST_TOKEN: Names = (
    "llm_time_to_first_token_seconds",
    Some("gen_ai_server_time_to_first_token_seconds"),
    Some("vllm:time_to_first_token_seconds"),
    "Time from arrival to the first token.",
);
pub(super) const INTER_TOKEN: Names = (
    "llm_inter_token_latency_seconds",
    None,
    Some("vllm:inter_token_latency_seconds"),
    "Time from one token to the next.",
);
pub(super) const PER_TOKEN: Names = (
    "llm_time_per_output_token_seconds",
    Some("gen_ai_server_time_per_output_token_seconds"),
    Some("vllm:request_time_per_output_token_seconds"),
    "Mean time of a request's tokens after the first.",
);
pub(super) const END_TO_END: Names = (
    "llm_request_seconds",
    Some("gen_ai_server_request_duration_seconds"),
    Some("vllm:e2e_request_latency_seconds"),
    "Time from arrival to the end.",
);
pub(super) const QUEUE: Names = (
    "llm_queue_seconds",
    None,
    Some("vllm:request_queue_time_seconds"),
    "Time from the queue to the last scheduling before the first token.",
);
pub(super) const PREFILL: Names = (
    "llm_prefill_seconds",
    None,
    Some("vllm:request_prefill_time_seconds"),
    "Time from that scheduling to the first token.",
);
pub(super) const DECODE: Names = (
    "llm_decode_seconds",
    None,
    Some("vllm:request_decode_time_seconds"),
    "Time from the first token to the last.",
);
pub(super) const PROMPT: Names = (
    "llm_request_prompt_tokens",
    None,
    Some("vllm:request_prompt_tokens"),
    "Tokens of a prompt.",
);
pub(super) const GENERATED: Names = (
    "llm_request_generated_tokens",
    None,
    Some("vllm:request_generation_tokens"),
    "Tokens of an answer.",
);
pub(super) const PROMPT_TOTAL: Names = (
    "llm_prompt_tokens",
    None,
    Some("vllm:prompt_tokens"),
    "Prompt tokens of the requests that ended.",
);
pub(super) const GENERATED_TOTAL: Names = (
    "llm_generated_tokens",
    None,
    Some("vllm:generation_tokens"),
    "Generated tokens of the requests that ended.",
);
pub(super) const PREEMPTIONS: Names = (
    "llm_preemptions",
    None,
    Some("vllm:num_preemptions"),
    "Requests put back into the queue.",
);
pub(super) const FINISHED: Names = (
    "llm_requests",
    None,
    Some("vllm:request_success"),
    "Requests that ended, by reason.",
);
pub(super) const RUNNING: Names = (
    "llm_requests_running",
    None,
    Some("vllm:num_requests_running"),
    "Requests in the engine.",
);
pub(super) const WAITING: Names = (
    "llm_requests_waiting",
    None,
    Some("vllm:num_requests_waiting"),
    "Requests in the queue.",
);
pub(super) const KV_CACHE: Names = (
    "llm_kv_cache_usage_ratio",
    None,
    Some("vllm:kv_cache_usage_perc"),
    "Share of the KV cache in use, 0 to 1.",
);
pub(super) const PREFIX_QUERIES: Names = (
    "llm_prefix_cache_queries",
    None,
    Some("vllm:prefix_cache_queries"),
    "Tokens looked up in the prefix cache.",
);
pub(super) const PREFIX_HITS: Names = (
    "llm_prefix_cache_hits",
    None,
    Some("vllm:prefix_cache_hits"),
    "Tokens found in the prefix cache.",
);
pub(super) const DRAFTED: Names = (
    "llm_draft_tokens",
    None,
    Some("vllm:spec_decode_num_draft_tokens"),
    "Tokens proposed by the draft model.",
);
pub(super) const ACCEPTED: Names = (
    "llm_accepted_tokens",
    None,
    Some("vllm:spec_decode_num_accepted_tokens"),
    "Proposed tokens that the model accepted.",
);

label_set! { struct Own<'a> { model: &'a str } }
label_set! { struct Vllm<'a> { model_name: &'a str } }
label_set! {
    struct GenAi<'a> { gen_ai_operation_name: &'a str, gen_ai_provider_name: &'a str, gen_ai_request_model: &'a str }
}
label_set! { struct OwnFinished<'a> { model: &'a str, reason: FinishReason } }
label_set! { struct VllmFinished<'a> { model_name: &'a str, finished_reason: FinishReason } }
label_set! { struct OfTier<'a> { model: &'a str, tier: &'a str } }

/// Registers under the names and labels of one scheme.
pub(super) struct Named<'a> {
    registry: &'a Registry,
    scheme: NameScheme,
    served: &'a Served,
}

/// Registers a family under the scheme's labels and binds its one series.
macro_rules! bind {
    ($self:ident, $names:ident, $register:expr) => {{
        let (own, gen_ai, vllm, help) = $names;
        let served = $self.served;
        match ($self.scheme, gen_ai, vllm) {
            (NameScheme::GenAi, Some(name), _) => {
                let family: Family<GenAi<'_>, _> = $register(name, true, help)?;
                Ok(family.bind(&GenAi {
                    gen_ai_operation_name: &served.operation,
                    gen_ai_provider_name: &served.provider,
                    gen_ai_request_model: &served.model,
                }))
            }
            (NameScheme::VllmCompat, _, Some(name)) => {
                let family: Family<Vllm<'_>, _> = $register(name, true, help)?;
                Ok(family.bind(&Vllm {
                    model_name: &served.model,
                }))
            }
            _ => {
                let family: Family<Own<'_>, _> = $register(own, false, help)?;
                Ok(family.bind(&Own { model: &served.model }))
            }
        }
    }};
}

impl<'a> Named<'a> {
    pub(super) fn new(registry: &'a Registry, scheme: NameScheme, served: &'a Served) -> Self {
        Self {
            registry,
            scheme,
            served,
        }
    }

    pub(super) fn counter(&self, names: Names) -> Result<Counter, RegisterError> {
        bind!(self, names, |name, full, help| self
            .registry
            .counter_named(name, full, help))
    }

    pub(super) fn gauge(&self, names: Names) -> Result<Gauge, RegisterError> {
        bind!(self, names, |name, full, help| self
            .registry
            .gauge_named(name, full, help))
    }

    pub(super) fn histogram(
        &self,
        names: Names,
        options: HistogramOptions,
    ) -> Result<Histogram, RegisterError> {
        bind!(self, names, |name, full, help| self
            .registry
            .histogram_named(name, full, help, &options))
    }

    pub(super) fn finished(&self, names: Names) -> Result<[Counter; 4], RegisterError> {
        const REASONS: [FinishReason; 4] = [
            FinishReason::Stop,
            FinishReason::Length,
            FinishReason::Abort,
            FinishReason::Error,
        ];
        let (own, _, vllm, help) = names;
        let model = &*self.served.model;
        Ok(match (self.scheme, vllm) {
            (NameScheme::VllmCompat, Some(name)) => {
                let family: Family<VllmFinished<'_>, _> = self.registry.counter_named(name, true, help)?;
                REASONS.map(|finished_reason| {
                    family.bind(&VllmFinished {
                        model_name: model,
                        finished_reason,
                    })
                })
            }
            _ => {
                let family: Family<OwnFinished<'_>, _> = self.registry.counter_named(own, false, help)?;
                REASONS.map(|reason| family.bind(&OwnFinished { model, reason }))
            }
        })
    }
}

/// The families that goodput is counted in.
pub(super) struct Goodputs {
    requests: Family<OfTier<'static>, Counter>,
    good_requests: Family<OfTier<'static>, Counter>,
    tokens: Family<OfTier<'static>, Counter>,
    good_tokens: Family<OfTier<'static>, Counter>,
}

impl Goodputs {
    pub(super) fn new(registry: &Registry) -> Result<Self, RegisterError> {
        Ok(Self {
            requests: registry.counter_family("llm_tier_requests", "Requests that ended, by tier.")?,
            good_requests: registry
                .counter_family("llm_tier_good_requests", "Requests within their tier's bounds.")?,
            tokens: registry.counter_family("llm_tier_tokens", "Tokens generated, by tier.")?,
            good_tokens: registry.counter_family(
                "llm_tier_good_tokens",
                "Tokens of requests within their tier's bounds.",
            )?,
        })
    }

    pub(super) fn of(&self, served: &Served, tier: &Tier) -> TierCounters {
        let labels = OfTier {
            model: &served.model,
            tier: &tier.name,
        };
        TierCounters {
            requests: self.requests.bind(&labels),
            good_requests: self.good_requests.bind(&labels),
            tokens: self.tokens.bind(&labels),
            good_tokens: self.good_tokens.bind(&labels),
        }
    }
}
