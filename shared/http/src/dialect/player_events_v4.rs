//! Player events, version 4: `{"code","type","message","documentationUrl","requestId"}`.
//!
//! The codes are the vendor's. Where it has none, the code is the status, or 2002 for a key that is used again.

use lambda_http::http::StatusCode;
use punchcard_models::fault::{Fault, FaultKind};
use serde_json::{Value, json};
use uuid::Uuid;

use super::player_events::message;
use crate::error::Error;

/// The vendor's page with the codes.
const DOCUMENTATION_URL: &str = "https://docs.gameball.co/api-reference/overview/status-error-codes";

pub(super) fn body(error: &Error, status: StatusCode, request_id: Uuid) -> Value {
    let code = code(error, status);
    json!({
        "code": code,
        "type": category(code),
        "message": message(error),
        "documentationUrl": DOCUMENTATION_URL,
        "requestId": request_id,
    })
}

/// The status of a request with faults, by the first of them.
pub(super) fn status(faults: &[Fault]) -> StatusCode {
    match faults.first().map(|fault| fault.kind) {
        Some(FaultKind::Null | FaultKind::Invalid) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(FaultKind::Missing | FaultKind::Malformed | FaultKind::Repeated) | None => StatusCode::BAD_REQUEST,
    }
}

fn code(error: &Error, status: StatusCode) -> u16 {
    match error {
        Error::Unauthorized(_) => 1000,
        Error::KeyReused => 2002,
        // A client takes it for an order that was recorded before, and does not retry.
        Error::IdReused(_) => 9004,
        Error::NoSuchOrder => 9005,
        Error::BelowZero => 9008,
        Error::Invalid(faults) => faults.first().map_or(3003, |fault| match fault.kind {
            FaultKind::Missing => 3000,
            FaultKind::Null => 3001,
            FaultKind::Invalid => 3003,
            FaultKind::Malformed | FaultKind::Repeated => 3016,
        }),
        Error::UnsupportedMediaType | Error::UnsupportedEncoding => 3013,
        Error::UnsupportedGrantType | Error::AlreadyExists(_) | Error::Conflict(_) => 4000,
        Error::Internal => 5000,
        Error::Unavailable | Error::OutcomeUnknown => 5003,
        // Only customers can be looked up.
        Error::NotFound(_) => 7000,
        Error::MethodNotAllowed(_) | Error::BodyTooLarge | Error::TooLargeToStore | Error::Overloaded => {
            status.as_u16()
        }
    }
}

/// The category of a code, by its thousands.
fn category(code: u16) -> &'static str {
    match code / 1000 {
        1 => "Authentication Error",
        3 => "Payload Error",
        4 => "General Error",
        5 => "Server Error",
        7 => "Customer Error",
        9 => "Transaction Error",
        _ => "Request Error",
    }
}
