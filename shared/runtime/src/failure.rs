//! Handler failures, and their mapping to client-facing errors.
//!
//! A [`Failure`] carries the cause for the log. The client gets an [`Error`], which does not include it.

use std::error::Error as StdError;

use punchcard_http::{Error, token::UnusableKey};
use punchcard_models::{access::Denied, fault::Faults};
use punchcard_store::StoreError;

/// The reason why a handler did not produce a reply.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request was rejected.
    #[error(transparent)]
    Refused(#[from] Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The request took longer than [`REQUEST_LIMIT`](crate::REQUEST_LIMIT).
    #[error("deadline exceeded")]
    DeadlineExceeded,
    /// A fault of the service itself, such as a stored document that is not JSON or an unusable signing key.
    #[error("internal error: {0}")]
    Internal(#[source] Box<dyn StdError + Send + Sync>),
    /// The handler panicked. The panic hook logs the location.
    #[error("panicked")]
    Panicked,
}

impl Failure {
    /// Converts the failure to the client-facing error. `is_repeatable` is true if a retry cannot take effect twice.
    #[must_use]
    pub fn into_error(self, is_repeatable: bool) -> Error {
        match self {
            Failure::Refused(error) => error,
            Failure::Store(StoreError::Unavailable { .. }) => Error::Unavailable,
            Failure::Store(StoreError::OutcomeUnknown { .. }) | Failure::DeadlineExceeded => {
                if is_repeatable {
                    Error::Unavailable
                } else {
                    Error::OutcomeUnknown
                }
            }
            Failure::Store(StoreError::Corrupt { .. } | StoreError::Internal { .. })
            | Failure::Internal(_)
            | Failure::Panicked => Error::Internal,
        }
    }

    /// Logs the failure. Log lines never contain client data.
    pub(crate) fn log(&self) {
        match self {
            Failure::Refused(Error::Unauthorized(denied)) => tracing::info!(?denied, "unauthorized"),
            Failure::Refused(Error::Invalid(faults)) => tracing::info!(faults = faults.len(), "invalid request"),
            Failure::Refused(_) | Failure::Panicked => {}
            Failure::Store(error) => {
                tracing::error!(operation = error.operation(), cause = error.cause(), "store error");
            }
            Failure::DeadlineExceeded => tracing::error!("deadline exceeded"),
            Failure::Internal(error) => tracing::error!(%error, "internal error"),
        }
    }
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Failure::Refused(denied.into())
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Failure::Refused(faults.into())
    }
}

impl From<UnusableKey> for Failure {
    fn from(error: UnusableKey) -> Self {
        Failure::Internal(Box::new(error))
    }
}

/// A stored document that is not JSON.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        // serde_json quotes the document in data errors, so only the category is logged.
        Failure::Internal(format!("stored JSON: {:?}", error.classify()).into())
    }
}

#[cfg(test)]
mod tests {
    use punchcard_store::Cause;

    use super::*;

    #[test]
    fn an_unknown_outcome_invites_a_retry_only_if_that_is_safe() {
        let unknown = || Failure::Store(StoreError::OutcomeUnknown { operation: "test", cause: Cause::TimedOut });
        assert!(matches!(unknown().into_error(true), Error::Unavailable));
        assert!(matches!(unknown().into_error(false), Error::OutcomeUnknown));
        assert!(matches!(Failure::DeadlineExceeded.into_error(false), Error::OutcomeUnknown));
        let nothing_written = StoreError::Unavailable { operation: "test", cause: Cause::Busy };
        assert!(matches!(Failure::Store(nothing_written).into_error(false), Error::Unavailable));
    }

    #[test]
    fn a_corrupt_item_and_a_malformed_request_are_no_outage() {
        let corrupt = StoreError::Corrupt { operation: "test", what: "an item" };
        let internal = StoreError::Internal { operation: "test", what: "ValidationException".to_owned() };
        assert!(matches!(Failure::Store(corrupt).into_error(true), Error::Internal));
        assert!(matches!(Failure::Store(internal).into_error(true), Error::Internal));
    }
}
