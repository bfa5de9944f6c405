//! Answers to what is not served: a status, a reason for the log, and when to come back.

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use modelops_monitoring::label_enum;
use serde_json::json;

label_enum! {
    /// Why a request was refused.
    pub(crate) enum Reason {
        NoCredential = "no_credential",
        Malformed = "malformed_credential",
        Unknown = "unknown_credential",
        Revoked = "revoked",
        Expired = "expired",
        Throttled = "throttled",
        Forbidden = "forbidden",
        Quota = "quota",
        AboveQuota = "above_quota",
        Overloaded = "overloaded",
        BadRequest = "bad_request",
        TooLarge = "too_large",
        TooSlow = "too_slow",
        NotFound = "not_found",
        Method = "method",
        Failed = "failed",
    }
}

/// A refusal in the form that OpenAI clients read.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    pub(crate) reason: Reason,
    kind: &'static str,
    message: String,
    retry_after: Option<u64>,
    body_unread: bool,
}

impl Refusal {
    fn new(status: StatusCode, reason: Reason, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            kind,
            message: message.into(),
            retry_after: None,
            body_unread: false,
        }
    }

    /// The request was refused before its body was read, so the connection ends: the caller has to know, or would send the next
    /// request into nothing.
    pub(crate) fn with_body_unread(mut self) -> Self {
        self.body_unread = true;
        self
    }

    fn with_retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The same answer to every wrong credential; the log has the reason.
    pub(crate) fn unauthenticated(reason: Reason) -> Self {
        let message = "present a valid API key or token: Authorization: Bearer KEY";
        Self::new(StatusCode::UNAUTHORIZED, reason, "authentication_error", message)
    }

    pub(crate) fn throttled(seconds: u64) -> Self {
        let message = format!("too many failed attempts from this address; come back in {seconds} s");
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            Reason::Throttled,
            "rate_limit_error",
            message,
        )
        .with_retry_after(seconds)
    }

    pub(crate) fn forbidden(needed: &str) -> Self {
        let message = format!("this credential does not carry what is needed: {needed}");
        Self::new(
            StatusCode::FORBIDDEN,
            Reason::Forbidden,
            "permission_error",
            message,
        )
    }

    pub(crate) fn exhausted(seconds: u64) -> Self {
        let message = format!("the token quota of this minute is used up; it is filled again in {seconds} s");
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            Reason::Quota,
            "rate_limit_error",
            message,
        )
        .with_retry_after(seconds)
    }

    /// No waiting helps, so nothing says when to come back.
    pub(crate) fn above_quota(cost: u64, limit: u64) -> Self {
        let message = format!(
            "this request may cost {cost} tokens, more than the {limit} of a whole minute; ask for less"
        );
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            Reason::AboveQuota,
            "rate_limit_error",
            message,
        )
    }

    pub(crate) fn overloaded(seconds: u64) -> Self {
        let message = format!("every replica is busy and the queue is full; come back in {seconds} s");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Reason::Overloaded,
            "server_error",
            message,
        )
        .with_retry_after(seconds)
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            Reason::BadRequest,
            "invalid_request_error",
            message,
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("a body has at most {limit} bytes");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Reason::TooLarge,
            "invalid_request_error",
            message,
        )
    }

    pub(crate) fn too_slow() -> Self {
        let message = "the body did not arrive in time";
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            Reason::TooSlow,
            "invalid_request_error",
            message,
        )
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Reason::NotFound,
            "invalid_request_error",
            format!("there is no {what}"),
        )
    }

    pub(crate) fn method() -> Self {
        let message = "this path does not know this method; GET /openapi.json says what it knows";
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            Reason::Method,
            "invalid_request_error",
            message,
        )
    }

    pub(crate) fn failed() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            Reason::Failed,
            "server_error",
            "the service failed; the log says why",
        )
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, Reason::Failed, "server_error", message)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let text = json!({"error": {
            "message": self.message, "type": self.kind, "param": null, "code": Reason::TEXTS[self.reason as usize],
        }});
        // What exactly is wrong with a credential is nobody's business but the operator's.
        let text = match self.status {
            StatusCode::UNAUTHORIZED => json!({"error": {
                "message": self.message, "type": self.kind, "param": null, "code": "invalid_api_key",
            }}),
            _ => text,
        };
        let mut response = Response::new(Body::from(text.to_string()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.body_unread {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"serve\""),
            );
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
        }
        response.extensions_mut().insert(self.reason);
        response
    }
}
