//! The service without connections: what its parts cost a request is measured with it.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderValue, Request, StatusCode};
use hyper::service::Service as _;

use crate::Failure;
use crate::admin::router;
use crate::observe::Caller;
use crate::service::Service;
use crate::settings::Settings;

/// A service that is called from within its process.
pub struct Direct {
    service: Arc<Service>,
}

/// What a connection would be.
pub struct DirectCaller(Caller);

impl Direct {
    /// Opens the service without listening.
    ///
    /// # Errors
    /// As [`start`](crate::start).
    pub fn open(settings: Settings) -> Result<Self, Failure> {
        let service = Arc::new(Service::open(settings)?);
        Ok(Self { service })
    }

    /// A caller with a connection of their own.
    #[must_use]
    pub fn caller(&self) -> DirectCaller {
        let router = router(&self.service);
        let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
        DirectCaller(Caller::new(Arc::clone(&self.service), router, from))
    }
}

impl DirectCaller {
    /// Posts a body and reads the answer to its end.
    ///
    /// # Errors
    /// What broke an answer off.
    pub async fn post(
        &self,
        path: &'static str,
        authorization: &HeaderValue,
        body: &Bytes,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let mut request = Request::new(Body::from(body.clone()));
        *request.method_mut() = axum::http::Method::POST;
        *request.uri_mut() = axum::http::Uri::from_static(path);
        request.headers_mut().insert(AUTHORIZATION, authorization.clone());
        let Ok(answer) = self.0.call(request).await;
        let status = answer.status();
        let body = to_bytes(Body::new(answer.into_body()), usize::MAX).await?;
        Ok((status, body))
    }
}
