//! OAuth 2.0 (RFC 6749, 5.2): `{"error","error_description"}`.

use serde_json::{Value, json};

use super::first_fault;
use crate::error::Error;

pub(super) fn body(error: &Error) -> Value {
    json!({"error": code(error), "error_description": first_fault(error)})
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::UnsupportedGrantType => "unsupported_grant_type",
        Error::Unauthorized(_) => "invalid_client",
        Error::Unavailable | Error::OutcomeUnknown | Error::Overloaded => "temporarily_unavailable",
        Error::Internal => "server_error",
        Error::Invalid(_)
        | Error::NotFound(_)
        | Error::MethodNotAllowed(_)
        | Error::BodyTooLarge
        | Error::TooLargeToStore
        | Error::UnsupportedMediaType
        | Error::UnsupportedEncoding
        | Error::AlreadyExists(_)
        | Error::Conflict(_)
        | Error::KeyReused
        | Error::IdReused(_)
        | Error::NoSuchOrder
        | Error::BelowZero => "invalid_request",
    }
}
