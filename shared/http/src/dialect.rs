//! The vendors' dialects: one mechanism, a rendering each.

use lambda_http::http::{StatusCode, header};
use punchcard_models::fault::{Fault, FaultKind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{error::Error, reply::Reply};

/// How an endpoint tells what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `{"type","title","status","validationErrors","requestId"}`
    ClientEvents,
    /// `{"statusCode","errorCode","errorMessage"}`
    Activities,
    /// `{"code","message"}`
    PlayerEvents,
    /// `{"error","error_description"}` (RFC 6749)
    OAuth,
}

/// How long a caller should wait before it tries again, in seconds.
const RETRY_AFTER: &str = "1";

impl Dialect {
    /// Tells an error.
    pub(crate) fn render(self, error: &Error, allow: &'static str, request_id: Uuid) -> Reply {
        let status = self.status(error);
        let reply = Reply::json(status, &self.body(error, status, request_id));
        match error {
            Error::MethodNotAllowed => reply.with_header(header::ALLOW, allow),
            Error::Unauthorized(_) => reply.with_header(header::WWW_AUTHENTICATE, self.challenge()),
            Error::Overloaded => reply.with_header(header::RETRY_AFTER, RETRY_AFTER),
            Error::Unavailable(_) if status == StatusCode::SERVICE_UNAVAILABLE => {
                reply.with_header(header::RETRY_AFTER, RETRY_AFTER)
            }
            Error::NotFound(_)
            | Error::BodyTooLarge
            | Error::TooLargeToStore
            | Error::UnsupportedMediaType
            | Error::Invalid(_)
            | Error::AlreadyExists(_)
            | Error::Conflict(_)
            | Error::KeyReused
            | Error::Unavailable(_)
            | Error::Panicked => reply,
        }
    }

    fn status(self, error: &Error) -> StatusCode {
        match (error, self) {
            (Error::NotFound(_), _) => StatusCode::NOT_FOUND,
            (Error::MethodNotAllowed, _) => StatusCode::METHOD_NOT_ALLOWED,
            (Error::Unauthorized(_), _) => StatusCode::UNAUTHORIZED,
            (Error::BodyTooLarge | Error::TooLargeToStore, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Error::UnsupportedMediaType, _) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            (Error::Invalid(_) | Error::AlreadyExists(_), _) => StatusCode::BAD_REQUEST,
            (Error::Conflict(_), _) => StatusCode::CONFLICT,
            (Error::KeyReused, _) => StatusCode::UNPROCESSABLE_ENTITY,
            (Error::Overloaded, _) => StatusCode::TOO_MANY_REQUESTS,
            (Error::Panicked, _) | (Error::Unavailable(_), Dialect::ClientEvents) => StatusCode::INTERNAL_SERVER_ERROR,
            (Error::Unavailable(_), Dialect::Activities | Dialect::PlayerEvents | Dialect::OAuth) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }

    fn challenge(self) -> &'static str {
        match self {
            Dialect::ClientEvents | Dialect::Activities => "Bearer realm=\"punchcard\", error=\"invalid_token\"",
            Dialect::PlayerEvents => "APIKey realm=\"punchcard\"",
            Dialect::OAuth => "Basic realm=\"punchcard\"",
        }
    }

    fn body(self, error: &Error, status: StatusCode, request_id: Uuid) -> Value {
        match self {
            Dialect::ClientEvents => json!({
                "type": client_events_type(error),
                "title": title(error),
                "status": status.as_u16(),
                "validationErrors": faults(error)
                    .iter()
                    .map(|fault| json!({"pointer": fault.pointer, "message": fault.message}))
                    .collect::<Vec<_>>(),
                "requestId": request_id,
            }),
            Dialect::Activities => json!({
                "statusCode": status.as_u16(),
                "errorCode": activities_code(error),
                "errorMessage": first_fault(error, sentence),
            }),
            Dialect::PlayerEvents => json!({
                "code": player_events_code(error, status),
                "message": player_events_message(error),
            }),
            Dialect::OAuth => json!({
                "error": oauth_code(error),
                "error_description": first_fault(error, sentence),
            }),
        }
    }
}

fn faults(error: &Error) -> &[Fault] {
    match error {
        Error::Invalid(faults) => faults,
        _ => &[],
    }
}

/// For dialects that have room for one message.
fn first_fault(error: &Error, sentence: fn(&Fault) -> String) -> String {
    faults(error).first().map_or_else(|| title(error).to_owned(), sentence)
}

fn title(error: &Error) -> &'static str {
    match error {
        Error::NotFound(what) | Error::AlreadyExists(what) | Error::Conflict(what) => what,
        Error::MethodNotAllowed => "The method is not allowed here",
        Error::Unauthorized(_) => "The credentials are missing or not valid",
        Error::BodyTooLarge => "The body must be at most 256 KiB",
        Error::TooLargeToStore => "The request holds more than can be stored at once; send it in parts",
        Error::UnsupportedMediaType => "The Content-Type is not the one that is read here",
        Error::Invalid(_) => "The request is not valid",
        Error::KeyReused => "The Idempotency-Key was used with another payload",
        Error::Unavailable(_) => "The request could not be recorded now; it may be sent again as it is",
        Error::Overloaded => "Too many requests are under way; it may be sent again as it is",
        Error::Panicked => "The request could not be processed; it may be sent again as it is",
    }
}

/// A fault in one sentence: those of the whole request are sentences already.
fn sentence(fault: &Fault) -> String {
    match fault.pointer.as_str() {
        "" => fault.message.clone(),
        pointer => format!("{} {}", pointer.trim_start_matches('/'), fault.message),
    }
}

fn malformed(faults: &[Fault]) -> bool {
    faults.iter().any(|fault| fault.kind == FaultKind::Malformed)
}

fn client_events_type(error: &Error) -> &'static str {
    match error {
        Error::Invalid(faults) if malformed(faults) => "HttpMessageNotReadable",
        Error::Invalid(_) => "ValidationException",
        Error::Unauthorized(_) => "SessionValidationException",
        Error::NotFound(_) => "ResourceNotFoundException",
        Error::MethodNotAllowed => "HttpRequestMethodNotSupported",
        Error::BodyTooLarge | Error::TooLargeToStore => "PayloadTooLargeException",
        Error::UnsupportedMediaType => "HttpMediaTypeNotSupported",
        Error::AlreadyExists(_) | Error::Conflict(_) | Error::KeyReused => "ConflictException",
        Error::Overloaded => "TooManyRequestsException",
        Error::Unavailable(_) | Error::Panicked => "InternalServerError",
    }
}

fn activities_code(error: &Error) -> &'static str {
    match error {
        Error::Invalid(faults) if malformed(faults) => "MALFORMED_JSON",
        Error::Invalid(_) | Error::AlreadyExists(_) => "INVALID_REQUEST",
        Error::Unauthorized(_) => "UNAUTHORIZED",
        Error::NotFound(_) => "NOT_FOUND",
        Error::MethodNotAllowed => "METHOD_NOT_ALLOWED",
        Error::BodyTooLarge | Error::TooLargeToStore => "PAYLOAD_TOO_LARGE",
        Error::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
        Error::Conflict(_) => "CONFLICT",
        Error::KeyReused => "IDEMPOTENCY_KEY_REUSED",
        Error::Overloaded => "TOO_MANY_REQUESTS",
        Error::Unavailable(_) => "SERVICE_UNAVAILABLE",
        Error::Panicked => "INTERNAL_SERVER_ERROR",
    }
}

fn player_events_code(error: &Error, status: StatusCode) -> u16 {
    match error {
        Error::Invalid(faults) => faults.first().map_or(7, |fault| match fault.kind {
            FaultKind::Missing => 4,
            FaultKind::Null => 5,
            FaultKind::Invalid => 7,
            FaultKind::Malformed => 3016,
            FaultKind::Repeated => 3017,
        }),
        Error::Unauthorized(_) => 1000,
        Error::KeyReused => 2001,
        Error::Unavailable(_) | Error::Panicked => 5000,
        Error::NotFound(_)
        | Error::MethodNotAllowed
        | Error::BodyTooLarge
        | Error::TooLargeToStore
        | Error::UnsupportedMediaType
        | Error::AlreadyExists(_)
        | Error::Conflict(_)
        | Error::Overloaded => status.as_u16(),
    }
}

/// Every fault, in a sentence each.
fn player_events_message(error: &Error) -> String {
    match faults(error) {
        [] => title(error).to_owned(),
        faults => faults.iter().map(player_events_sentence).collect::<Vec<_>>().join(" "),
    }
}

/// The vendor names a missing member in its own server's style: `The PlayerUniqueId field is required.`
fn player_events_sentence(fault: &Fault) -> String {
    let field = fault.pointer.rsplit('/').next().unwrap_or_default();
    let mut letters = field.chars();
    let field: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    match fault.kind {
        FaultKind::Missing => format!("The {field} field is required."),
        FaultKind::Null => format!("The {field} field must not be null."),
        FaultKind::Malformed | FaultKind::Repeated | FaultKind::Invalid => format!("{}.", sentence(fault)),
    }
}

fn oauth_code(error: &Error) -> &'static str {
    match error {
        Error::Invalid(faults) => match faults.first() {
            Some(Fault { pointer, kind: FaultKind::Invalid, .. }) if pointer == "/grant_type" => {
                "unsupported_grant_type"
            }
            Some(Fault { pointer, kind: FaultKind::Invalid, .. }) if pointer == "/scope" => "invalid_scope",
            _ => "invalid_request",
        },
        Error::Unauthorized(_) => "invalid_client",
        Error::Unavailable(_) | Error::Overloaded => "temporarily_unavailable",
        Error::Panicked => "server_error",
        Error::NotFound(_)
        | Error::MethodNotAllowed
        | Error::BodyTooLarge
        | Error::TooLargeToStore
        | Error::UnsupportedMediaType
        | Error::AlreadyExists(_)
        | Error::Conflict(_)
        | Error::KeyReused => "invalid_request",
    }
}
