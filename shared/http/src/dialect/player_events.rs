//! Player events: `{"code","message"}`.

use lambda_http::http::StatusCode;
use punchcard_models::fault::{Fault, FaultKind};
use serde_json::{Value, json};

use super::{faults, sentence, title};
use crate::error::Error;

pub(super) fn body(error: &Error, status: StatusCode) -> Value {
    json!({"code": code(error, status), "message": message(error)})
}

fn code(error: &Error, status: StatusCode) -> u16 {
    match error {
        Error::Invalid(faults) => faults.first().map_or(7, |fault| match fault.kind {
            FaultKind::Missing => 4,
            FaultKind::Null => 5,
            FaultKind::Invalid => 7,
            FaultKind::Malformed => 3016,
            FaultKind::Repeated => 3017,
        }),
        Error::Unauthorized(_) => 1000,
        Error::KeyReused | Error::IdReused(_) => 2002,
        Error::Unavailable | Error::OutcomeUnknown | Error::Internal => 5000,
        Error::UnsupportedGrantType
        | Error::NotFound(_)
        | Error::MethodNotAllowed(_)
        | Error::BodyTooLarge
        | Error::TooLargeToStore
        | Error::UnsupportedMediaType
        | Error::UnsupportedEncoding
        | Error::AlreadyExists(_)
        | Error::Conflict(_)
        | Error::NoSuchOrder
        | Error::BelowZero
        | Error::Overloaded => status.as_u16(),
    }
}

/// One sentence per fault.
pub(super) fn message(error: &Error) -> String {
    match faults(error) {
        [] => title(error).to_owned(),
        faults => faults.iter().map(field_sentence).collect::<Vec<_>>().join(" "),
    }
}

/// Formats a fault like the vendor's server: `The PlayerUniqueId field is required.`
fn field_sentence(fault: &Fault) -> String {
    let field = fault.pointer.rsplit('/').next().unwrap_or_default();
    let mut letters = field.chars();
    let field: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    match fault.kind {
        FaultKind::Missing => format!("The {field} field is required."),
        FaultKind::Null => format!("The {field} field must not be null."),
        FaultKind::Malformed | FaultKind::Repeated | FaultKind::Invalid => format!("{}.", sentence(fault)),
    }
}
