//! The answer to a scrape as a tower service.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use tower_service::Service;

use crate::registry::Registry;

/// A [`tower`](tower_service) service that answers a scrape in the format that it asks for: the route of an axum
/// router, or a branch of any server built on `http`.
///
/// `Router::new().route_service("/metrics", MetricsService::new(&registry))` is all that axum needs. GET and HEAD only;
/// the path, connections and time limits are the server's concern.
///
/// ```
/// use modelops_monitoring::{MetricsService, Registry};
/// use tower_service::Service;
/// let registry = Registry::new("shop")?;
/// let mut service = MetricsService::new(&registry);
/// let answer = service.call(http::Request::new(())).into_inner()?;
/// assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct MetricsService {
    registry: Registry,
}

impl MetricsService {
    /// A service that answers with the metrics of `registry`.
    #[must_use]
    pub fn new(registry: &Registry) -> Self {
        Self {
            registry: registry.clone(),
        }
    }

    fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let get = request.method() == Method::GET;
        if !get && request.method() != Method::HEAD {
            let mut refusal = Response::new(Full::default());
            *refusal.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
            refusal
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refusal;
        }
        let accepts = request.headers().get_all(header::ACCEPT).iter();
        let accepts: Vec<_> = accepts.filter_map(|accept| accept.to_str().ok()).collect();
        let exposition = self.registry.expose(Some(&accepts.join(",")));
        let length = exposition.body.len();
        let body = if get { exposition.body } else { Vec::new() };
        let mut answer = Response::new(Full::from(body));
        let headers = answer.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(exposition.content_type),
        );
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        answer
    }
}

impl<B> Service<Request<B>> for MetricsService {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ready(Ok(self.answer(&request)))
    }
}
