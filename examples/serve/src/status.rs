//! `GET /status`: what the operator's page shows.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::{Value, json};

use crate::admin::{json, watch};
use crate::admission::Pool;
use crate::callers::{Callers, WINDOW};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::telemetry::Telemetry;

pub(crate) async fn status(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    watch(&service, &request)?;
    // The log is flushed and read: not on a thread that serves.
    let recent = {
        let service = Arc::clone(&service);
        tokio::task::spawn_blocking(move || service.telemetry.as_ref().map(Telemetry::recent)).await
    };
    let recent = recent.ok().flatten();
    let telemetry = service
        .telemetry
        .as_ref()
        .ok_or(Refusal::not_found("status: the service runs without metrics"))?;
    let model = service.model();
    let (requests, in_flight) = telemetry.counts();
    let (entries, root) = service.audit.head();
    let admission = &service.admission;
    let goodput: Vec<Value> = telemetry
        .llm
        .goodput()
        .into_iter()
        .map(|tier| {
            json!({
                "tier": tier.tier, "requests": tier.requests, "good_requests": tier.good_requests,
                "tokens": tier.tokens, "good_tokens": tier.good_tokens,
            })
        })
        .collect();
    let rejected: Vec<Value> = admission.plan.rejected_by_reason()
        .map(|(name, replicas, reason)| json!({"name": name, "replicas": replicas, "reason": reason.to_string()}))
        .collect();
    let nodes: Vec<Value> = admission.fleet.nodes().iter().map(|node| json!({
        "name": node.name(), "devices": node.devices().iter().map(|device| device.kind()).collect::<Vec<_>>(),
    })).collect();
    let now = service.clock.now();
    let quotas: Vec<Value> = Callers::names()
        .filter_map(|name| {
            let usage = service.callers.quotas.usage(name, now)?;
            Some(json!({"caller": name, "used": usage.used, "reserved": usage.reserved, "left": usage.left}))
        })
        .collect();
    json(&json!({
        "uptime": service.clock.elapsed().as_secs_f64(),
        "draining": service.is_draining(),
        "requests": requests,
        "in_flight": in_flight,
        "model": {
            "name": model.name, "generation": model.generation, "target": model.card.target,
            "classes": model.card.classes, "weights": model.weights.1, "not_zero": model.weights.0,
        },
        "generator": {"paragraphs": service.generator.learned.0, "duplicates": service.generator.learned.1},
        "quantiles": telemetry.quantiles(),
        "goodput": goodput,
        "promises": telemetry.promises(),
        "seconds": telemetry.seconds(),
        "quotas": {"window_seconds": WINDOW, "callers": quotas},
        "placement": {
            "value": admission.plan.value(), "bound": admission.plan.bound().value(), "nodes": nodes,
            "pools": [pool("babble", &admission.chat), pool("classifier", &admission.classify)],
            "left_out": rejected,
        },
        "audit": {"entries": entries, "root": root},
        "recent": recent.unwrap_or_default(),
    }))
}

fn pool(model: &str, pool: &Pool) -> Value {
    let replicas: Vec<Value> = pool.replicas.iter().zip(pool.busy()).map(|(replica, busy)| json!({
        "name": replica.name, "node": replica.node, "device": replica.device, "slots": replica.slots, "busy": busy,
        "token_ms": 1e3 * replica.token_seconds,
    })).collect();
    json!({"model": model, "waiting": pool.waiting(), "replicas": replicas})
}
