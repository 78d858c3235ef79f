//! Client-facing errors, independent of the dialect that renders them.
//!
//! An error carries only what the client may see. Details for the log, such as the cause of a store error, stay in the
//! runtime, which maps them to [`Error::Unavailable`], [`Error::OutcomeUnknown`] or [`Error::Internal`].

use std::borrow::Cow;

use lambda_http::http::HeaderValue;
use punchcard_models::{
    access::Denied,
    fault::{Fault, FaultKind, Faults},
};

/// The message for an activity whose id exists.
pub const ACTIVITY_EXISTS: &str = "ActivityID already exists";

/// The start of the message for an activity that is already reversed.
pub const ALREADY_REVERSED: &str = "The activity is already reversed";

/// A failed request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The resource does not exist. Carries the message.
    #[error("not found")]
    NotFound(&'static str),
    /// The path does not support the method. Carries the `Allow` header's value.
    #[error("method not allowed")]
    MethodNotAllowed(HeaderValue),
    /// Authentication failed.
    #[error("unauthorized")]
    Unauthorized(Denied),
    /// The body is larger than the limit.
    #[error("body too large")]
    BodyTooLarge,
    /// The request needs more than one item or transaction can hold.
    #[error("too large to store")]
    TooLargeToStore,
    /// The `Content-Type` is not supported.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The `Content-Encoding` is not supported.
    #[error("unsupported content encoding")]
    UnsupportedEncoding,
    /// The request is not valid. Carries its faults.
    #[error("invalid")]
    Invalid(Vec<Fault>),
    /// The grant type of a token request is not supported (RFC 6749, 5.2).
    #[error("unsupported grant type")]
    UnsupportedGrantType,
    /// The record exists already, and the dialect treats that as an error. Carries the message.
    #[error("already exists")]
    AlreadyExists(Cow<'static, str>),
    /// The request conflicts with stored data. Carries the message.
    #[error("conflict")]
    Conflict(&'static str),
    /// The Idempotency-Key was used with another payload.
    #[error("idempotency key reused")]
    KeyReused,
    /// The id of an order or a refund was used for another one. Carries the message.
    #[error("id reused")]
    IdReused(&'static str),
    /// The order to refund does not exist.
    #[error("no such order")]
    NoSuchOrder,
    /// A balance would fall below zero, which the catalog refuses.
    #[error("below zero")]
    BelowZero,
    /// Temporarily unavailable. A retry is safe: nothing was recorded, or the request is idempotent.
    #[error("unavailable")]
    Unavailable,
    /// The request may have been recorded, and it is not idempotent.
    #[error("outcome unknown")]
    OutcomeUnknown,
    /// Too many concurrent requests.
    #[error("overloaded")]
    Overloaded,
    /// A bug, a corrupt item or a misconfiguration.
    #[error("internal error")]
    Internal,
}

impl Error {
    /// Creates an error for a fault of the request as a whole.
    #[must_use]
    pub fn invalid(sentence: &str) -> Self {
        Error::Invalid(vec![Fault { pointer: String::new(), kind: FaultKind::Invalid, message: sentence.to_owned() }])
    }

    /// Returns the name of the outcome in metrics and logs.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Error::NotFound(_) | Error::NoSuchOrder => "not_found",
            Error::MethodNotAllowed(_) => "method_not_allowed",
            Error::Unauthorized(_) => "unauthorized",
            Error::BodyTooLarge | Error::TooLargeToStore => "too_large",
            Error::UnsupportedMediaType | Error::UnsupportedEncoding => "unsupported_media_type",
            Error::Invalid(_) | Error::UnsupportedGrantType => "invalid",
            Error::AlreadyExists(_) => "duplicate",
            Error::Conflict(_) | Error::BelowZero => "conflict",
            Error::KeyReused | Error::IdReused(_) => "key_reused",
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
