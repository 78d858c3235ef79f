//! Activities: `{"statusCode","errorCode","errorMessage"}`.

use lambda_http::http::StatusCode;
use serde_json::{Value, json};

use super::{first_fault, is_malformed};
use crate::error::Error;

pub(super) fn body(error: &Error, status: StatusCode) -> Value {
    json!({
        "statusCode": status.as_u16(),
        "errorCode": code(error),
        "errorMessage": first_fault(error),
    })
}

fn code(error: &Error) -> &'static str {
    match error {
        Error::Invalid(faults) if is_malformed(faults) => "MALFORMED_JSON",
        Error::Invalid(_) | Error::UnsupportedGrantType | Error::AlreadyExists(_) => "INVALID_REQUEST",
        Error::Unauthorized(_) => "UNAUTHORIZED",
        Error::NotFound(_) | Error::NoSuchOrder => "NOT_FOUND",
        Error::MethodNotAllowed(_) => "METHOD_NOT_ALLOWED",
        Error::BodyTooLarge | Error::TooLargeToStore => "PAYLOAD_TOO_LARGE",
        Error::UnsupportedMediaType | Error::UnsupportedEncoding => "UNSUPPORTED_MEDIA_TYPE",
        Error::Conflict(_) | Error::BelowZero => "CONFLICT",
        Error::KeyReused | Error::IdReused(_) => "IDEMPOTENCY_KEY_REUSED",
        Error::Overloaded => "TOO_MANY_REQUESTS",
        Error::Unavailable | Error::OutcomeUnknown => "SERVICE_UNAVAILABLE",
        Error::Internal => "INTERNAL_SERVER_ERROR",
    }
}
