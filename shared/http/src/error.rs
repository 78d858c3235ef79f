//! What goes wrong with a request, blind to how a dialect tells it.

use std::error::Error as StdError;

use punchcard_models::{
    access::Denied,
    fault::{Fault, FaultKind, Faults},
};

/// Why a request gets no success.
#[derive(Debug)]
pub enum Error {
    /// There is no such thing; the text says what.
    NotFound(&'static str),
    /// The path is known, the method isn't one of its own.
    MethodNotAllowed,
    /// The caller isn't let in.
    Unauthorized(Denied),
    /// The body is over the limit.
    BodyTooLarge,
    /// The body is within the limit, what it means is more than the store can hold in one item.
    TooLargeToStore,
    /// The body isn't said to be JSON.
    UnsupportedMediaType,
    /// The request is wrong, in these ways.
    Invalid(Vec<Fault>),
    /// Something of this id is there, and that is an error in this dialect; the text says what.
    AlreadyExists(&'static str),
    /// It contradicts what is there; the text says how.
    Conflict(&'static str),
    /// The Idempotency-Key came before, with another payload.
    KeyReused,
    /// The store could not be used.
    Unavailable(Box<dyn StdError + Send + Sync>),
    /// More requests are under way than there is room for.
    Overloaded,
    /// A fault of ours.
    Panicked,
}

impl Error {
    /// The store could not be used. What the error says goes to the log, never to the caller.
    pub fn unavailable(error: impl StdError + Send + Sync + 'static) -> Self {
        Error::Unavailable(Box::new(error))
    }

    /// A fault of the request as a whole, told in a sentence.
    #[must_use]
    pub fn invalid(sentence: &str) -> Self {
        Error::Invalid(vec![Fault { pointer: String::new(), kind: FaultKind::Invalid, message: sentence.to_owned() }])
    }

    /// A word for metrics and logs.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        match self {
            Error::NotFound(_) => "not_found",
            Error::MethodNotAllowed => "method_not_allowed",
            Error::Unauthorized(_) => "unauthorized",
            Error::BodyTooLarge | Error::TooLargeToStore => "too_large",
            Error::UnsupportedMediaType => "unsupported_media_type",
            Error::Invalid(_) => "invalid",
            Error::AlreadyExists(_) => "duplicate",
            Error::Conflict(_) => "conflict",
            Error::KeyReused => "key_reused",
            Error::Unavailable(_) => "unavailable",
            Error::Overloaded => "overloaded",
            Error::Panicked => "panicked",
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
