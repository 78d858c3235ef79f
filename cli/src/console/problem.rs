//! The reasons why a page cannot be shown.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use punchcard_store::StoreError;

use crate::{
    api::{NoToken, SendError},
    failure::Failure,
};

/// The reason why a request to the console fails. [`guard`](super::guard) makes a page of it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Problem {
    /// The address is not the console's.
    #[error("This address is not the console's. Use the address that punchcard printed.")]
    OtherHost,
    /// Another site made the browser send the request.
    #[error("The request comes from another site.")]
    OtherOrigin,
    /// The request has no session.
    #[error(
        "Open the link that punchcard printed when it started. It works once; the signal USR1 makes punchcard print another one."
    )]
    NoSession,
    /// The link was used or is wrong.
    #[error("This link was used before, or is not complete. The signal USR1 makes punchcard print another one.")]
    WrongLink,
    /// A form without the session's token.
    #[error("The form is out of date. Go back, load the page again and repeat what you did.")]
    WrongToken,
    /// The body is not a form.
    #[error("The request is not a form.")]
    NoForm,
    /// The form is too large.
    #[error("The form is larger than 256 KB. Use the command line for it.")]
    TooLarge,
    /// The console may not write.
    #[error("This console is read only. Start it with --write to change something.")]
    ReadOnly,
    /// There is no such page.
    #[error("There is no such page.")]
    NoPage,
    /// There is no such record or member.
    #[error("There is no {0}.")]
    NotFound(String),
    /// A field is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The time limit was exceeded.
    #[error("The store did not answer in time. If you sent a form, send the same form again: it takes effect once.")]
    TooSlow,
    /// Too many requests at once.
    #[error("Too many requests at once. Try again.")]
    Busy,
    /// The store failed, or a record cannot be read.
    #[error("{0}")]
    Failed(String),
}

impl Problem {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Problem::OtherHost => StatusCode::MISDIRECTED_REQUEST,
            Problem::OtherOrigin | Problem::WrongToken | Problem::ReadOnly | Problem::WrongLink => {
                StatusCode::FORBIDDEN
            }
            Problem::NoSession => StatusCode::UNAUTHORIZED,
            Problem::NoForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Problem::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::NoPage | Problem::NotFound(_) => StatusCode::NOT_FOUND,
            Problem::Invalid(_) => StatusCode::BAD_REQUEST,
            Problem::TooSlow | Problem::Failed(_) => StatusCode::SERVICE_UNAVAILABLE,
            Problem::Busy => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The heading of the page.
    pub fn title(&self) -> &'static str {
        match self {
            Problem::OtherHost | Problem::OtherOrigin | Problem::WrongToken => "Refused",
            Problem::NoSession | Problem::WrongLink => "Not signed in",
            Problem::ReadOnly => "Read only",
            Problem::NoPage | Problem::NotFound(_) => "Not found",
            Problem::NoForm | Problem::TooLarge | Problem::Invalid(_) => "Not valid",
            Problem::TooSlow | Problem::Busy | Problem::Failed(_) => "Not available",
        }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoRecord(what) => Problem::NotFound(what),
            Failure::UnknownVersion(version) => Problem::NotFound(format!("version {version} of the catalog")),
            failure => Problem::Failed(failure.to_string()),
        }
    }
}

impl From<NoToken> for Problem {
    fn from(error: NoToken) -> Self {
        match error {
            NoToken::Refused(answer) => Problem::Invalid(format!(
                "No token was issued: status {}. Check the id and the secret.",
                answer.status.as_u16()
            )),
            NoToken::Unanswered(SendError::Invalid(part)) => {
                Problem::Invalid(format!("The request cannot be sent: the {part} is not valid."))
            }
            NoToken::Unanswered(error) => Problem::Failed(format!("The request was not answered: {error}.")),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if matches!(self, Problem::Busy) {
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
