//! A client of one request a connection.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// Calls one service.
#[derive(Clone)]
pub(crate) struct Client {
    address: SocketAddr,
}

/// An answer that was read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// A connection of its own.
    async fn connect(&self) -> SendRequest<Body> {
        let stream = TcpStream::connect(self.address)
            .await
            .expect("the service listens");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        sender
    }

    /// The head of the answer, and the body as it comes.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> hyper::Response<Incoming> {
        let mut sender = self.connect().await;
        let mut request = Request::builder().method(method).uri(path).header("host", "test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        sender.send_request(request).await.expect("an answer")
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let answer = self.open(method, path, headers, body).await;
        let (head, body) = answer.into_parts();
        let body = axum::body::to_bytes(Body::new(body), usize::MAX)
            .await
            .expect("the whole body");
        Answer {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let bearer = format!("Bearer {key}");
        self.call(
            Method::POST,
            path,
            &[("authorization", &bearer)],
            body.to_string(),
        )
        .await
    }

    /// Posts one body after the other on one connection, with a credential and a wait before each; the statuses.
    pub(crate) async fn keep(&self, path: &str, body: &Value, calls: &[(&str, Duration)]) -> Vec<StatusCode> {
        let mut sender = self.connect().await;
        let mut statuses = Vec::new();
        for (credential, wait) in calls {
            tokio::time::sleep(*wait).await;
            let request = Request::post(path)
                .header("host", "test")
                .header("authorization", format!("Bearer {credential}"));
            let request = request.body(Body::from(body.to_string())).expect("a request");
            let answer = sender.send_request(request).await.expect("an answer");
            statuses.push(answer.status());
            let read = axum::body::to_bytes(Body::new(answer.into_body()), usize::MAX).await;
            read.expect("the whole body");
        }
        statuses
    }

    /// The value of one series of `/metrics`, 0 where it is not there.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let answer = self.get("/metrics").await;
        let line = answer
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(series))
            .map(str::to_owned);
        line.map_or(0.0, |value| value.trim().parse().expect("a number"))
    }
}
