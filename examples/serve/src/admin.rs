//! The endpoints around the models: health, metrics, tokens, reload, documents.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::callers::{LONGEST_LIFE, Need};
use crate::chat::{MODEL, chat};
use crate::observe::Call;
use crate::predict::predict;
use crate::refusal::Refusal;
use crate::service::{Service, body};
use crate::status::status;

/// Every endpoint.
pub(crate) fn router(service: &Arc<Service>) -> Router {
    Router::new()
        .route("/v1/predict", post(predict))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/models", get(models))
        .route("/v1/tokens", post(token))
        .route("/.well-known/jwks.json", get(jwks))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/status", get(status))
        .route("/admin/reload", post(reload))
        .route("/audit/checkpoint", get(checkpoint))
        .route("/openapi.json", get(openapi))
        .route("/", get(page))
        .fallback(async || Refusal::not_found("such path; GET /openapi.json lists them").with_body_unread())
        .method_not_allowed_fallback(async || Refusal::method().with_body_unread())
        .with_state(Arc::clone(service))
}

/// A body of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<Response<Body>, Refusal> {
    let bytes = serde_json::to_vec(value).map_err(|_| Refusal::failed())?;
    Ok(typed("application/json", bytes))
}

fn typed(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Pages for operators are open where only this machine can reach them, and need a scope elsewhere.
pub(crate) fn watch(service: &Service, request: &Request) -> Result<(), Refusal> {
    if service.settings.is_local() {
        return Ok(());
    }
    service
        .admit_caller(request.headers(), &Call::of(request), Need::Watch)
        .map(|_| ())
}

/// `GET /livez`: the process answers.
async fn livez() -> Response<Body> {
    typed("text/plain; charset=utf-8", "alive\n")
}

/// `GET /readyz`: requests are welcome.
async fn readyz(State(service): State<Arc<Service>>) -> Response<Body> {
    let trouble = match &service.telemetry {
        _ if service.is_draining() => "shutting down\n",
        Some(telemetry) if !telemetry.log_works() => "the request log cannot be written\n",
        _ => return typed("text/plain; charset=utf-8", "ready\n"),
    };
    let mut response = typed("text/plain; charset=utf-8", trouble);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// `GET /metrics`, in the format that the scraper asks for.
async fn metrics(State(service): State<Arc<Service>>, request: Request) -> Result<Response<Body>, Refusal> {
    watch(&service, &request)?;
    let telemetry = service
        .telemetry
        .as_ref()
        .ok_or(Refusal::not_found("metrics: the service runs without"))?;
    let accept = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    let exposition = telemetry.scrape(accept);
    Ok(typed(exposition.content_type, exposition.body))
}

/// `GET /v1/models`.
async fn models(State(service): State<Arc<Service>>) -> Result<Response<Body>, Refusal> {
    let model = service.model();
    let entry = |id: &str| json!({"id": id, "object": "model", "created": 0, "owned_by": "modelops"});
    json(&json!({"object": "list", "data": [entry(MODEL), entry(&model.name)]}))
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct TokenAsked {
    seconds: Option<u64>,
}

/// `POST /v1/tokens`: a short-lived token for the holder of an API key.
async fn token(State(service): State<Arc<Service>>, request: Request) -> Result<Response<Body>, Refusal> {
    let (call, now) = (Call::of(&request), service.clock.now());
    let who = service.callers.authenticate(request.headers(), &call, now)?;
    let body = body(request).await?;
    let asked: TokenAsked = match &body[..] {
        [] => TokenAsked::default(),
        text => serde_json::from_slice(text).map_err(|error| Refusal::bad_request(error.to_string()))?,
    };
    let seconds = asked.seconds.unwrap_or(LONGEST_LIFE);
    if !(1..=LONGEST_LIFE).contains(&seconds) {
        return Err(Refusal::bad_request(format!("seconds is 1 to {LONGEST_LIFE}")));
    }
    let token = service.callers.token_for(who, seconds, now)?;
    json(&json!({"access_token": token, "token_type": "Bearer", "expires_in": seconds}))
}

/// `GET /.well-known/jwks.json`: the keys that the tokens verify with.
async fn jwks(State(service): State<Arc<Service>>) -> Response<Body> {
    typed("application/json", service.callers.jwks())
}

/// `POST /admin/reload`: looks at the published model at once.
async fn reload(State(service): State<Arc<Service>>, request: Request) -> Result<Response<Body>, Refusal> {
    let (call, now) = (Call::of(&request), service.clock.now());
    let who = service.callers.authenticate(request.headers(), &call, now)?;
    who.may(Need::Reload)?;
    let reloaded = {
        let (service, principal) = (Arc::clone(&service), Arc::clone(&who.principal));
        // Opening a keyring stretches its passphrase: not on a thread that serves.
        tokio::task::spawn_blocking(move || service.reload(&principal)).await
    };
    match reloaded {
        Ok(Ok(model)) => json(&json!({"model": model.name, "generation": model.generation})),
        Ok(Err(error)) => Err(Refusal::conflict(format!(
            "the published model was refused: {error}"
        ))),
        Err(_) => Err(Refusal::failed()),
    }
}

/// `GET /audit/checkpoint`: the signed head of the audit log.
async fn checkpoint(
    State(service): State<Arc<Service>>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    watch(&service, &request)?;
    let note = service.audit.checkpoint().map_err(|_| Refusal::failed())?;
    Ok(typed("text/plain; charset=utf-8", note))
}

/// `GET /openapi.json`: what this service knows.
async fn openapi() -> Response<Body> {
    typed("application/json", include_str!("openapi.json"))
}

/// `GET /`: the operator's page, which reads `/status`.
async fn page() -> Response<Body> {
    let mut response = typed("text/html; charset=utf-8", include_str!("page.html"));
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                  img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
