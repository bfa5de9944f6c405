//! Each request is counted, timed and logged once, when its answer has ended or its caller has gone.
//!
//! The service of one connection stands before the router: what it needs of a request it holds in one place, [`Call`], and
//! nothing of it is boxed.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{self, HeaderName, HeaderValue, Response, Uri};
use axum::routing::future::RouteFuture;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use modelops_monitoring::{LabelValue as _, LogContext};
use modelops_security::auth::Remembered;
use modelops_security::redact;
use tower_service::Service as _;

use crate::callers::Who;
use crate::refusal::Reason;
use crate::service::Service;
use crate::telemetry::{self, Method, Record, Route, text};

/// The status of a request whose caller went away first.
const GONE: u16 = 499;
/// Tells the caller which line of the log is theirs.
const NUMBER: HeaderName = HeaderName::from_static("x-request-id");

/// Somebody who is connected.
pub(crate) struct Connection {
    service: Arc<Service>,
    pub(crate) from: IpAddr,
    /// The credential that was verified last: a caller sends the same one with every request of a connection.
    known: Mutex<Option<Remembered<Arc<Who>>>>,
}

impl Connection {
    pub(crate) fn known(&self) -> MutexGuard<'_, Option<Remembered<Arc<Who>>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way, and what its endpoint says of it for the log.
pub(crate) struct Call {
    pub(crate) connection: Arc<Connection>,
    /// When it came, by the clock of the service.
    pub(crate) begin: Duration,
    pub(crate) who: OnceLock<Arc<Who>>,
    /// The replica that works on it; those of a service stay the same.
    replica: AtomicUsize,
    prompt: AtomicU64,
    completion: AtomicU64,
}

impl Call {
    /// The call that a request belongs to.
    pub(crate) fn of(request: &Request) -> Arc<Self> {
        let call = request.extensions().get::<Arc<Self>>();
        Arc::clone(call.expect("every request comes over a connection"))
    }

    /// Where it is worked on.
    pub(crate) fn placed(&self, replica: usize) {
        self.replica.store(replica, Ordering::Relaxed);
    }

    fn replica(&self, route: Route) -> Option<&LogContext> {
        let admission = &self.connection.service.admission;
        let pool = if route == Route::Predict {
            &admission.classify
        } else {
            &admission.chat
        };
        let replica = pool.replicas.get(self.replica.load(Ordering::Relaxed));
        replica.map(|replica| &replica.log)
    }

    /// Rows or tokens that were asked about.
    pub(crate) fn asked(&self, prompt: u64) {
        self.prompt.store(prompt, Ordering::Relaxed);
    }

    /// Tokens that were answered.
    pub(crate) fn answered(&self, completion: u64) {
        self.completion.store(completion, Ordering::Relaxed);
    }
}

/// What serves one connection.
pub(crate) struct Caller {
    router: Router,
    connection: Arc<Connection>,
}

impl Caller {
    pub(crate) fn new(service: Arc<Service>, router: Router, from: IpAddr) -> Self {
        let connection = Connection {
            service,
            from,
            known: Mutex::default(),
        };
        Self {
            router,
            connection: Arc::new(connection),
        }
    }
}

/// For any body, so that what it costs can be measured without connections.
impl<B> hyper::service::Service<Request<B>> for Caller
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<B>) -> Answering {
        let service = &self.connection.service;
        let call = Arc::new(Call {
            connection: Arc::clone(&self.connection),
            begin: service.clock.elapsed(),
            who: OnceLock::new(),
            replica: AtomicUsize::new(usize::MAX),
            prompt: AtomicU64::new(0),
            completion: AtomicU64::new(0),
        });
        let watched = service.telemetry.as_ref().map(|telemetry| {
            let route = Route::of(request.uri().path());
            Watched {
                id: telemetry.begin(),
                route,
                method: method(request.method()),
                path: path(request.uri(), route),
                // Until there is an answer, being dropped means that the caller went away.
                status: GONE,
                reason: None,
                call: Arc::clone(&call),
            }
        });
        request.extensions_mut().insert(call);
        Answering {
            answer: self.router.clone().call(request),
            watched,
        }
    }
}

/// A request that ends when this is dropped.
struct Watched {
    call: Arc<Call>,
    id: u64,
    route: Route,
    method: Method,
    /// What the caller wrote, where that is not the path of an endpoint alone.
    path: Option<String>,
    status: u16,
    reason: Option<Reason>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let call = &self.call;
        let Service { telemetry, clock, .. } = &*call.connection.service;
        let Some(telemetry) = telemetry else {
            return;
        };
        let end = clock.elapsed();
        let request = telemetry::Request {
            route: self.route,
            method: self.method,
            reason: self.reason,
            who: call.who.get().map(|who| &**who),
            replica: call.replica(self.route),
        };
        let path = self.path.as_deref();
        let record = Record {
            at: clock.unix(end).as_secs_f64(),
            id: self.id,
            method: path.map(|_| Method::text_at(self.method.index())),
            path,
            status: self.status,
            seconds: end.saturating_sub(call.begin).as_secs_f64(),
            prompt: call.prompt.load(Ordering::Relaxed),
            completion: call.completion.load(Ordering::Relaxed),
            reason: text(self.reason),
        };
        telemetry.end(&request, &record);
    }
}

/// The answer to come.
pub(crate) struct Answering {
    answer: RouteFuture<Infallible>,
    watched: Option<Watched>,
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(mut response) = ready!(Pin::new(&mut self.answer).poll(cx));
        let mut watched = self.watched.take();
        if let Some(watched) = &mut watched {
            response.headers_mut().insert(NUMBER, number(watched.id));
            watched.reason = response.extensions().get::<Reason>().copied();
        }
        let status = response.status().as_u16();
        Poll::Ready(Ok(response.map(|body| Answer {
            body,
            status,
            watched,
        })))
    }
}

/// The body of an answer, which knows whether it was sent to its end.
pub(crate) struct Answer {
    body: Body,
    status: u16,
    watched: Option<Watched>,
}

impl Answer {
    fn is_sent(&mut self) {
        if let Some(watched) = &mut self.watched {
            watched.status = self.status;
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.is_sent();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // An empty body is sent without a look at it.
        if self.body.is_end_stream() {
            self.is_sent();
        }
    }
}

/// The number of a request as a header. (`HeaderValue::from` allocates twice for what is shorter than its type allows.)
fn number(id: u64) -> HeaderValue {
    HeaderValue::from_str(itoa::Buffer::new().format(id)).expect("digits are fit for a header")
}

/// What the caller wrote, redacted and cut, where it is more than the path of an endpoint.
fn path(uri: &Uri, route: Route) -> Option<String> {
    if route != Route::Other && uri.query().is_none() {
        return None;
    }
    let written = uri.path_and_query().map_or("", |written| written.as_str());
    let safe = redact(written);
    let end = safe.char_indices().nth(200).map_or(safe.len(), |(at, _)| at);
    Some(safe[..end].to_owned())
}

fn method(method: &http::Method) -> Method {
    match *method {
        http::Method::GET => Method::Get,
        http::Method::POST => Method::Post,
        http::Method::HEAD => Method::Head,
        http::Method::PUT => Method::Put,
        http::Method::DELETE => Method::Delete,
        http::Method::OPTIONS => Method::Options,
        _ => Method::Other,
    }
}
