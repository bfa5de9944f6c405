//! Each request is counted, timed and logged once, when its answer has ended or its caller has gone.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, Response};
use axum::middleware::Next;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use modelops_security::redact;

use crate::callers::{Credential, Who};
use crate::refusal::Reason;
use crate::service::Service;
use crate::telemetry::{Record, Route, text};

/// The status of a request whose caller went away first.
const GONE: u16 = 499;

/// What the endpoints say of a request, for its log line.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) caller: Option<Arc<str>>,
    pub(crate) credential: Option<Credential>,
    pub(crate) replica: Option<Arc<str>>,
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
}

/// Shared by the request, its endpoint and its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note(Arc<Mutex<Told>>);

impl Note {
    /// The note that `observe` gave the request; one that nobody reads where nothing is measured.
    pub(crate) fn of(request: &Request) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn caller(&self, who: &Who) {
        let mut told = self.told();
        told.caller = Some(Arc::clone(&who.principal));
        told.credential = Some(who.credential.clone());
    }
}

/// A request under way; ends when it is dropped.
struct Watched {
    service: Arc<Service>,
    note: Note,
    id: u64,
    route: Route,
    method: &'static str,
    path: Cow<'static, str>,
    begin: Duration,
    status: u16,
    reason: Option<Reason>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let Some(telemetry) = &self.service.telemetry else {
            return;
        };
        let seconds = (self.service.clock.elapsed() - self.begin).as_secs_f64();
        let told = std::mem::take(&mut *self.note.told());
        let record = Record {
            at: self.service.clock.unix().as_secs_f64(),
            id: self.id,
            method: self.method,
            path: std::mem::take(&mut self.path),
            status: self.status,
            seconds,
            caller: told.caller,
            credential: told.credential,
            replica: told.replica,
            prompt: told.prompt,
            completion: told.completion,
            reason: text(self.reason),
        };
        telemetry.end(self.route, self.reason, record);
    }
}

/// The middleware around all endpoints.
pub(crate) async fn observe(
    State(service): State<Arc<Service>>,
    mut request: Request,
    next: Next,
) -> Response<Body> {
    let Some(telemetry) = &service.telemetry else {
        return next.run(request).await;
    };
    let note = Note::default();
    let matched = request.extensions().get::<MatchedPath>();
    let route = Route::of(matched.map(MatchedPath::as_str));
    let mut watched = Watched {
        id: telemetry.begin(),
        note: note.clone(),
        route,
        method: method(request.method()),
        path: path(&request, route),
        begin: service.clock.elapsed(),
        // Until there is an answer, being dropped means that the caller went away.
        status: GONE,
        reason: None,
        service: Arc::clone(&service),
    };
    let id = watched.id;
    request.extensions_mut().insert(note);
    let mut response = next.run(request).await;
    response
        .headers_mut()
        .insert("x-request-id", HeaderValue::from(id));
    watched.reason = response.extensions().get::<Reason>().copied();
    let status = response.status().as_u16();
    response.map(|body| {
        Body::new(Answer {
            body,
            status,
            watched,
        })
    })
}

/// The body of an answer, which knows whether it was sent to its end.
struct Answer {
    body: Body,
    status: u16,
    watched: Watched,
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
            self.watched.status = self.status;
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
            self.watched.status = self.status;
        }
    }
}

/// The path for the log: that of the route where nothing was added, otherwise what the caller wrote, redacted and cut.
fn path(request: &Request, route: Route) -> Cow<'static, str> {
    use modelops_monitoring::LabelValue as _;
    let uri = request.uri();
    if route != Route::Other && uri.query().is_none() {
        return Cow::Borrowed(Route::text_at(route as usize));
    }
    let written = uri.path_and_query().map_or("", |written| written.as_str());
    let safe = redact(written);
    let end = safe.char_indices().nth(200).map_or(safe.len(), |(at, _)| at);
    Cow::Owned(safe[..end].to_owned())
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
