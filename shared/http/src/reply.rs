//! Responses, and the headers common to all of them.

use lambda_http::{
    Body, Response,
    http::{HeaderName, HeaderValue, StatusCode, header},
};
use serde::Serialize;
use uuid::Uuid;

/// The response header with the request id, which log lines include too.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// The preference for a dry run (RFC 7240).
pub(crate) const DRY_RUN: &str = "dry-run";

/// The headers of every response.
const HEADERS: [(&str, &str); 13] = [
    ("access-control-allow-origin", "*"),
    (
        "access-control-expose-headers",
        "Allow, Idempotent-Replayed, Preference-Applied, Retry-After, WWW-Authenticate, x-amzn-RequestId",
    ),
    ("cache-control", "no-cache, no-store, must-revalidate"),
    (
        "content-security-policy",
        "connect-src 'none';object-src https://*.cloudfront.net;script-src https://*.cloudfront.net",
    ),
    ("expect-ct", "max-age=86400"),
    ("feature-policy", "vibrate 'none'; geolocation 'none'"),
    ("permissions-policy", "vibrate=(), geolocation=()"),
    // RFC 6749, 5.1: required in token responses, in addition to Cache-Control.
    ("pragma", "no-cache"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "sameorigin"),
    ("x-xss-protection", "1;mode=block"),
];

/// The headers of a CORS preflight response. They allow every request header that the vendors' published clients send.
/// Credentials are not allowed, because CORS forbids them with origin `*`.
const PREFLIGHT: [(&str, &str); 3] = [
    ("access-control-allow-methods", "GET, POST, OPTIONS"),
    (
        "access-control-allow-headers",
        "Authorization, APIKey, Content-Encoding, Content-Type, Idempotency-Key, Lang, Prefer, SecretKey, X-GB-TOKEN, \
         X-Identifier-Type, x-cdlx-request-id, x-gb-agent, x-mock-data, x-source-customer-id",
    ),
    ("access-control-max-age", "86400"),
];

/// The body of a response that could not be serialised.
const INTERNAL_ERROR: &str = r#"{"message":"Internal Server Error"}"#;

/// A response: status, body and headers.
#[derive(Debug)]
pub struct Reply {
    status: StatusCode,
    body: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// Creates a JSON response.
    #[must_use]
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Reply::json_text(status, body),
            // A response that cannot be serialised must not look like a success.
            Err(_) => Reply::json_text(StatusCode::INTERNAL_SERVER_ERROR, INTERNAL_ERROR.to_owned()),
        }
    }

    /// Creates a response from JSON text.
    #[must_use]
    pub fn json_text(status: StatusCode, body: String) -> Self {
        let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Reply { status, body, headers: vec![content_type] }
    }

    /// Creates a JSON response with status 200.
    #[must_use]
    pub fn ok(body: &impl Serialize) -> Self {
        Reply::json(StatusCode::OK, body)
    }

    /// Creates the response to a CORS preflight request.
    #[must_use]
    pub fn preflight(allow: HeaderValue) -> Self {
        let headers = PREFLIGHT.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let reply = Reply { status: StatusCode::NO_CONTENT, body: String::new(), headers: headers.into() };
        reply.with_header(header::ALLOW, allow)
    }

    /// Marks the response as the replay of an earlier one.
    #[must_use]
    pub fn replayed(self) -> Self {
        self.with_header(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"))
    }

    /// Marks the response as that of a dry run, which wrote nothing.
    #[must_use]
    pub fn of_dry_run(self) -> Self {
        self.with_header(HeaderName::from_static("preference-applied"), HeaderValue::from_static(DRY_RUN))
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the body.
    #[must_use]
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Converts the reply to an HTTP response and adds the common headers.
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

/// Creates the response to a request that reaches no handler, in the format of API Gateway, which sends it on AWS.
#[must_use]
pub fn gateway_answer(status: StatusCode, message: &str) -> Response<Body> {
    Reply::json(status, &serde_json::json!({"message": message})).into_response(Uuid::new_v4())
}

#[cfg(test)]
mod tests {
    use serde::{Serializer, ser::Error as _};

    use super::*;

    /// A body that cannot be serialised.
    struct Broken;

    impl Serialize for Broken {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(S::Error::custom("broken"))
        }
    }

    #[test]
    fn a_body_that_cannot_be_serialised_is_an_internal_error_and_no_empty_success() {
        let response = Reply::ok(&Broken).into_response(Uuid::nil());
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(&**response.body(), INTERNAL_ERROR.as_bytes());
    }
}
