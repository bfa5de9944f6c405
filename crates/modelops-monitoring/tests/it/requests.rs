//! The life of a request to a language model.

use std::time::Duration;

use modelops_monitoring::Registry;
use modelops_monitoring::llm::{FinishReason, NameScheme, Served, ServerMetrics, StepStats, Tier};
use modelops_monitoring::openmetrics::{Advice, lint};

fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn server(scheme: NameScheme, tiers: &[Tier]) -> (Registry, ServerMetrics) {
    let registry = Registry::new("chat").unwrap();
    let metrics = ServerMetrics::new(&registry, scheme, &Served::new("m"), tiers).unwrap();
    (registry, metrics)
}

fn value(registry: &Registry, sample: &str) -> Option<f64> {
    let text = registry.to_prometheus_text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ').map(str::to_owned));
    line.map(|text| text.parse().unwrap())
}

#[test]
fn the_intervals_are_those_of_the_timeline_preemptions_included() {
    let (registry, metrics) = server(NameScheme::Own, &[]);
    let mut request = metrics.request(0, 64, at(0));
    request.queued(at(1000));
    request.scheduled(at(2000));
    request.preempted(at(2500));
    assert_eq!(
        value(&registry, "chat_llm_requests_waiting{model=\"m\"}"),
        Some(1.0)
    );
    request.scheduled(at(4000));
    request.tokens(1, at(4500));
    request.preempted(at(5000));
    request.scheduled(at(6000));
    request.tokens(4, at(6500));
    assert_eq!(
        value(&registry, "chat_llm_requests_running{model=\"m\"}"),
        Some(1.0)
    );
    request.finish(FinishReason::Length, at(7000));
    for (name, expected) in [
        ("time_to_first_token", 4.5),
        ("queue", 3.0),
        ("prefill", 0.5),
        ("decode", 2.0),
        ("inter_token_latency", 2.0),
        ("time_per_output_token", 0.5),
        ("request", 7.0),
    ] {
        let sample = format!("chat_llm_{name}_seconds_sum{{model=\"m\"}}");
        assert_eq!(value(&registry, &sample), Some(expected), "{name}");
    }
    assert_eq!(metrics.inter_token_latency().snapshot().count(), 4);
    assert_eq!(
        value(&registry, "chat_llm_preemptions_total{model=\"m\"}"),
        Some(2.0)
    );
    assert_eq!(
        value(
            &registry,
            "chat_llm_requests_total{model=\"m\",reason=\"length\"}"
        ),
        Some(1.0)
    );
    assert_eq!(
        value(&registry, "chat_llm_requests_running{model=\"m\"}"),
        Some(0.0)
    );
}

#[test]
fn a_single_token_has_no_time_per_token_and_a_dropped_request_is_an_abort() {
    let tier = Tier::new("t").with_time_per_output_token(at(1));
    let (registry, metrics) = server(NameScheme::VllmCompat, &[tier]);
    let mut request = metrics.request(0, 8, at(0));
    request.scheduled(at(1));
    request.tokens(1, at(2));
    request.finish(FinishReason::Stop, at(3));
    drop(metrics.request(0, 8, at(5)));
    assert_eq!(metrics.time_per_output_token().snapshot().count(), 0);
    let ended = |reason: &str| {
        value(
            &registry,
            &format!("vllm:request_success_total{{model_name=\"m\",finished_reason=\"{reason}\"}}"),
        )
    };
    assert_eq!((ended("stop"), ended("abort")), (Some(1.0), Some(1.0)));
    assert_eq!(
        value(&registry, "vllm:num_requests_waiting{model_name=\"m\"}"),
        Some(0.0)
    );
    let goodput = &metrics.goodput()[0];
    assert_eq!((goodput.requests, goodput.good_requests), (2, 1));
}

#[test]
fn every_scheme_exposes_what_the_strict_parser_takes() {
    for scheme in [NameScheme::Own, NameScheme::GenAi, NameScheme::VllmCompat] {
        let (registry, metrics) = server(scheme, &[Tier::new("free"), Tier::new("paid")]);
        let mut request = metrics.request(1, 8, at(0));
        request.scheduled(at(1));
        request.tokens(2, at(2));
        request.finish(FinishReason::Stop, at(3));
        metrics.step(&StepStats {
            kv_cache_usage: 0.5,
            drafted: 4,
            accepted: 3,
            ..StepStats::default()
        });
        let families = modelops_monitoring::openmetrics::parse(&registry.to_openmetrics()).unwrap();
        assert_eq!(families.len(), 24, "{scheme:?}");
        assert!(families.iter().all(|family| !family.samples.is_empty()));
        let colons = if scheme == NameScheme::VllmCompat { 20 } else { 0 };
        let issues = lint(&families);
        assert_eq!(issues.len(), colons, "{issues:?}");
        assert!(issues.iter().all(|issue| issue.advice == Advice::Colon));
    }
}
