//! Errors as a caller sees them, before a dialect renders them.
//!
//! An error holds the caller's message and nothing else. Details for the log (a store error's cause, a panic's location)
//! stay with the runtime, which turns them into [`Error::Unavailable`], [`Error::OutcomeUnknown`] or [`Error::Internal`].

use lambda_http::http::HeaderValue;
use punchcard_models::{
    access::Denied,
    fault::{Fault, FaultKind, Faults},
};

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of this name exists; with the message.
    #[error("not found")]
    NotFound(&'static str),
    /// The path exists, but not with this method; with the value of `Allow`.
    #[error("method not allowed")]
    MethodNotAllowed(HeaderValue),
    /// The caller's credentials do not hold.
    #[error("unauthorized")]
    Unauthorized(Denied),
    /// The body is larger than the limit.
    #[error("body too large")]
    BodyTooLarge,
    /// The request needs more than one item or transaction can hold.
    #[error("too large to store")]
    TooLargeToStore,
    /// The body is not of the type that is read here.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The `Content-Encoding` is not supported.
    #[error("unsupported content encoding")]
    UnsupportedEncoding,
    /// The request is not valid, for these reasons.
    #[error("invalid")]
    Invalid(Vec<Fault>),
    /// The grant type of a token request is not supported (RFC 6749, 5.2).
    #[error("unsupported grant type")]
    UnsupportedGrantType,
    /// The id is taken, and the dialect treats that as an error; with the message.
    #[error("already exists")]
    AlreadyExists(&'static str),
    /// The request contradicts what is stored; with the message.
    #[error("conflict")]
    Conflict(&'static str),
    /// The Idempotency-Key was used with another payload.
    #[error("idempotency key reused")]
    KeyReused,
    /// Nothing was recorded, or the request has an id of its own: it can be sent again.
    #[error("unavailable")]
    Unavailable,
    /// The request has no id of its own and may have been recorded.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// Too many requests are under way.
    #[error("overloaded")]
    Overloaded,
    /// A bug, a corrupt item or a wrong configuration.
    #[error("internal error")]
    Internal,
}

impl Error {
    /// A fault of the request as a whole, with its message.
    #[must_use]
    pub fn invalid(sentence: &str) -> Self {
        Error::Invalid(vec![Fault { pointer: String::new(), kind: FaultKind::Invalid, message: sentence.to_owned() }])
    }

    /// The outcome in metrics and logs.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Error::NotFound(_) => "not_found",
            Error::MethodNotAllowed(_) => "method_not_allowed",
            Error::Unauthorized(_) => "unauthorized",
            Error::BodyTooLarge | Error::TooLargeToStore => "too_large",
            Error::UnsupportedMediaType | Error::UnsupportedEncoding => "unsupported_media_type",
            Error::Invalid(_) | Error::UnsupportedGrantType => "invalid",
            Error::AlreadyExists(_) => "duplicate",
            Error::Conflict(_) => "conflict",
            Error::KeyReused => "key_reused",
            Error::Unavailable => "unavailable",
            Error::OutcomeUnknown => "outcome_unknown",
            Error::Overloaded => "overloaded",
            Error::Internal => "internal",
        }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Error::Unauthorized(denied)
    }
}

impl From<Faults> for Error {
    fn from(faults: Faults) -> Self {
        Error::Invalid(faults.into_iter().collect())
    }
}
