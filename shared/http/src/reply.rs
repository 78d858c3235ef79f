//! Answers, with the headers that every one of them carries.

use lambda_http::{
    Body, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use serde::Serialize;
use uuid::Uuid;

/// Names the request, by which an answer can be found in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// On every answer.
const HEADERS: [(&str, &str); 13] = [
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "Allow, Idempotent-Replayed, Retry-After, WWW-Authenticate, x-amzn-RequestId"),
    ("cache-control", "no-cache, no-store, must-revalidate"),
    (
        "content-security-policy",
        "connect-src 'none';object-src https://*.cloudfront.net;script-src https://*.cloudfront.net",
    ),
    ("expect-ct", "max-age=86400"),
    ("feature-policy", "vibrate 'none'; geolocation 'none'"),
    ("permissions-policy", "vibrate=(), geolocation=()"),
    // RFC 6749 asks for it beside Cache-Control where a token is.
    ("pragma", "no-cache"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "sameorigin"),
    ("x-xss-protection", "1;mode=block"),
];

/// What a browser is told before it sends a request from another origin. Credentials are never allowed with `*`.
const PREFLIGHT: [(&str, &str); 3] = [
    ("access-control-allow-methods", "GET, POST, OPTIONS"),
    (
        "access-control-allow-headers",
        "Authorization, APIKey, Content-Type, Idempotency-Key, X-Identifier-Type, x-cdlx-request-id, x-mock-data, \
         x-source-customer-id",
    ),
    ("access-control-max-age", "86400"),
];

/// The body of a response that could not be serialised.
const INTERNAL_ERROR: &str = r#"{"message":"Internal Server Error"}"#;

/// A status and a body.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// An answer in JSON.
    #[must_use]
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Reply::json_text(status, body),
            // A response that cannot be serialised is no success.
            Err(_) => Reply::json_text(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR.to_owned()),
        }
    }

    /// An answer whose JSON is written already.
    #[must_use]
    pub fn json_text(status: StatusCode, body: String) -> Self {
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Reply { status, body, headers: vec![content_type] }
    }

    /// 200 in JSON.
    #[must_use]
    pub fn ok(body: &impl Serialize) -> Self {
        Reply::json(StatusCode::OK, body)
    }

    /// The answer to a browser that asks before it sends.
    #[must_use]
    pub fn preflight(allow: HeaderValue) -> Self {
        let headers = PREFLIGHT.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let reply = Reply { status: StatusCode::NO_CONTENT, body: String::new(), headers: headers.into() };
        reply.with_header(header::ALLOW, allow)
    }

    /// The answer, marked as one that was given before.
    #[must_use]
    pub fn replayed(self) -> Self {
        self.with_header(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"))
    }

    /// The answer with one header more.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The answer as it leaves, with the headers of every answer.
    #[must_use]
    pub fn into_response(self, request_id: Uuid) -> Response<Body> {
        let body = if self.body.is_empty() { Body::Empty } else { Body::Text(self.body) };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.extend(HEADERS.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))));
        if let Ok(id) = HeaderValue::from_str(&request_id.to_string()) {
            headers.insert(REQUEST_ID, id);
        }
        headers.extend(self.headers);
        response
    }
}

/// What no endpoint answers, in the gateway's own words, since deployed it is the gateway's answer.
#[must_use]
pub fn gateway_answer(status: StatusCode, message: &str) -> Response<Body> {
    Reply::json(status, &serde_json::json!({"message": message})).into_response(Uuid::new_v4())
}
