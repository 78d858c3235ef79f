//! Vendor dialects: the error response format of each API.

mod activities;
mod client_events;
mod oauth;
mod player_events;
mod player_events_v4;

use lambda_http::http::{HeaderValue, StatusCode, header};
use punchcard_models::{
    access::Denied,
    api_version::ApiVersion,
    fault::{Fault, FaultKind},
};
use uuid::Uuid;

use crate::{error::Error, reply::Reply};

/// The error response format of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"type","title","status","validationErrors","requestId"}`
    ClientEvents,
    /// `{"statusCode","errorCode","errorMessage"}`
    Activities,
    /// `{"code","message"}`
    PlayerEvents,
    /// `{"code","type","message","documentationUrl","requestId"}`
    PlayerEventsV4,
    /// `{"error","error_description"}` (RFC 6749)
    OAuth,
}

/// The `Retry-After` delay, in seconds.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The supported content encoding.
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

impl Dialect {
    /// The API version of a request in this dialect. Only the player events' API has several.
    #[must_use]
    pub fn api_version(self) -> ApiVersion {
        match self {
            Dialect::PlayerEventsV4 => ApiVersion::V4,
            Dialect::ClientEvents | Dialect::Activities | Dialect::PlayerEvents | Dialect::OAuth => ApiVersion::V3,
        }
    }

    /// Renders an error.
    #[must_use]
    pub fn render(self, error: &Error, request_id: Uuid) -> Reply {
        let status = self.status(error);
        let body = match self {
            Dialect::ClientEvents => client_events::body(error, status, request_id),
            Dialect::Activities => activities::body(error, status),
            Dialect::PlayerEvents => player_events::body(error, status),
            Dialect::PlayerEventsV4 => player_events_v4::body(error, status, request_id),
            Dialect::OAuth => oauth::body(error),
        };
        let reply = Reply::json(status, &body);
        match error {
            Error::MethodNotAllowed(allow) => reply.with_header(header::ALLOW, allow.clone()),
            Error::Unauthorized(denied) => reply.with_header(header::WWW_AUTHENTICATE, self.challenge(*denied)),
            Error::UnsupportedEncoding => reply.with_header(header::ACCEPT_ENCODING, GZIP),
            Error::Overloaded => reply.with_header(header::RETRY_AFTER, RETRY_AFTER_SECONDS),
            Error::Unavailable if status == StatusCode::SERVICE_UNAVAILABLE => {
                reply.with_header(header::RETRY_AFTER, RETRY_AFTER_SECONDS)
            }
            Error::NotFound(_)
            | Error::BodyTooLarge
            | Error::TooLargeToStore
            | Error::UnsupportedMediaType
            | Error::Invalid(_)
            | Error::UnsupportedGrantType
            | Error::AlreadyExists(_)
            | Error::Conflict(_)
            | Error::KeyReused
            | Error::IdReused(_)
            | Error::NoSuchOrder
            | Error::BelowZero
            | Error::Unavailable
            | Error::OutcomeUnknown
            | Error::Internal => reply,
        }
    }

    fn status(self, error: &Error) -> StatusCode {
        match (error, self) {
            (Error::NotFound(_) | Error::NoSuchOrder, _) => StatusCode::NOT_FOUND,
            (Error::MethodNotAllowed(_), _) => StatusCode::METHOD_NOT_ALLOWED,
            (Error::Unauthorized(_), _) => StatusCode::UNAUTHORIZED,
            (Error::BodyTooLarge | Error::TooLargeToStore, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Error::UnsupportedMediaType | Error::UnsupportedEncoding, _) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            (Error::Invalid(faults), Dialect::PlayerEventsV4) => player_events_v4::status(faults),
            (Error::Invalid(_) | Error::UnsupportedGrantType | Error::AlreadyExists(_), _) => StatusCode::BAD_REQUEST,
            (Error::KeyReused | Error::IdReused(_), _) | (Error::BelowZero, Dialect::PlayerEventsV4) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            (Error::Conflict(_) | Error::BelowZero, _) => StatusCode::CONFLICT,
            (Error::Overloaded, _) => StatusCode::TOO_MANY_REQUESTS,
            (Error::Internal, _) | (Error::Unavailable | Error::OutcomeUnknown, Dialect::ClientEvents) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            (
                Error::Unavailable | Error::OutcomeUnknown,
                Dialect::Activities | Dialect::PlayerEvents | Dialect::PlayerEventsV4 | Dialect::OAuth,
            ) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// `WWW-Authenticate`. Without a credential there is no `error` (RFC 6750, 3.1).
    fn challenge(self, denied: Denied) -> HeaderValue {
        HeaderValue::from_static(match self {
            Dialect::ClientEvents | Dialect::Activities if denied == Denied::Missing => "Bearer realm=\"punchcard\"",
            Dialect::ClientEvents | Dialect::Activities => "Bearer realm=\"punchcard\", error=\"invalid_token\"",
            Dialect::PlayerEvents | Dialect::PlayerEventsV4 => "APIKey realm=\"punchcard\"",
            Dialect::OAuth => "Basic realm=\"punchcard\"",
        })
    }
}

fn faults(error: &Error) -> &[Fault] {
    match error {
        Error::Invalid(faults) => faults,
        _ => &[],
    }
}

/// The message for dialects whose error body has a single message field.
fn first_fault(error: &Error) -> String {
    faults(error).first().map_or_else(|| title(error).to_owned(), sentence)
}

fn title(error: &Error) -> &str {
    match error {
        Error::NotFound(message) | Error::Conflict(message) | Error::IdReused(message) => message,
        Error::AlreadyExists(message) => message,
        Error::MethodNotAllowed(_) => "The method is not allowed here",
        Error::Unauthorized(Denied::NotUtf8) => "The credentials are not valid UTF-8",
        Error::Unauthorized(_) => "The credentials are missing or not valid",
        Error::BodyTooLarge => "The body must be at most 256 KiB",
        Error::TooLargeToStore => "The request needs more than one write can hold; send its events in parts",
        Error::UnsupportedMediaType => "The Content-Type is not supported here",
        Error::UnsupportedEncoding => "The Content-Encoding must be gzip, or absent",
        Error::Invalid(_) => "The request is not valid",
        Error::UnsupportedGrantType => "grant_type must be client_credentials",
        Error::KeyReused => "The Idempotency-Key was used with another payload",
        Error::NoSuchOrder => "The customer has no order with the id reverseTransactionId",
        Error::BelowZero => "The balance must not fall below zero",
        Error::Unavailable => "The service is unavailable; the request can be sent again as it is",
        Error::OutcomeUnknown => {
            "The outcome is unknown: the request may have been recorded, and sending it again may record it twice. \
             With an id of its own or an Idempotency-Key a request can always be sent again"
        }
        Error::Overloaded => "Too many requests are under way; the request can be sent again as it is",
        Error::Internal => "The request failed because of an internal error",
    }
}

/// Formats a fault as a sentence. Faults of the whole request already are.
fn sentence(fault: &Fault) -> String {
    match fault.pointer.as_str() {
        "" => fault.message.clone(),
        pointer => format!("{} {}", pointer.trim_start_matches('/'), fault.message),
    }
}

fn is_malformed(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| fault.kind == FaultKind::Malformed)
}
