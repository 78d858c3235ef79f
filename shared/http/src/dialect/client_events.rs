//! Client events: `{"type","title","status","validationErrors","requestId"}`.

use lambda_http::http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{faults, is_malformed, title};
use crate::error::Error;

pub(super) fn body(error: &Error, status: StatusCode, request_id: Uuid) -> Value {
    let validation_errors: Vec<_> =
        faults(error).iter().map(|fault| json!({"pointer": fault.pointer, "message": fault.message})).collect();
    json!({
        "type": error_type(error),
        "title": title(error),
        "status": status.as_u16(),
        "validationErrors": validation_errors,
        "requestId": request_id,
    })
}

fn error_type(error: &Error) -> &'static str {
    match error {
        Error::Invalid(faults) if is_malformed(faults) => "HttpMessageNotReadable",
        Error::Invalid(_) | Error::UnsupportedGrantType => "ValidationException",
        Error::Unauthorized(_) => "SessionValidationException",
        Error::NotFound(_) | Error::NoSuchOrder => "ResourceNotFoundException",
        Error::MethodNotAllowed(_) => "HttpRequestMethodNotSupported",
        Error::BodyTooLarge | Error::TooLargeToStore => "PayloadTooLargeException",
        Error::UnsupportedMediaType | Error::UnsupportedEncoding => "HttpMediaTypeNotSupported",
        Error::AlreadyExists(_) | Error::Conflict(_) | Error::BelowZero | Error::KeyReused | Error::IdReused(_) => {
            "ConflictException"
        }
        Error::Overloaded => "TooManyRequestsException",
        Error::Unavailable | Error::OutcomeUnknown | Error::Internal => "InternalServerError",
    }
}
