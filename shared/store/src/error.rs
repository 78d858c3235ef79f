//! Store errors, and the classification of failed SDK calls.
//!
//! An error carries nothing of a request: no item, key or table name. SDK errors may hold whole items, so only their
//! code and request id are taken over, and every message here is safe to log.

use std::{error::Error as StdError, io};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// An operation on the store that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Nothing was written. The operation can be retried.
    #[error("{operation}: {cause}")]
    Unavailable {
        /// The operation, for the log.
        operation: &'static str,
        /// The last attempt's failure.
        cause: Cause,
    },
    /// An attempt may have taken effect, and the deadline passed before that was known.
    #[error("{operation}: outcome unknown: {cause}")]
    OutcomeUnknown {
        /// The operation, for the log.
        operation: &'static str,
        /// The last attempt's failure.
        cause: Cause,
    },
    /// A stored item, or an answer, that this version cannot read.
    #[error("{operation}: unreadable: {what}")]
    Corrupt {
        /// The operation, for the log.
        operation: &'static str,
        /// The unreadable thing.
        what: &'static str,
    },
    /// A request that DynamoDB rejects as malformed, or that could not be built.
    #[error("{operation}: invalid request: {what}")]
    Internal {
        /// The operation, for the log.
        operation: &'static str,
        /// The rejected part, or DynamoDB's code.
        what: String,
    },
}

/// The reason why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No answer in time.
    #[error("timed out")]
    TimedOut,
    /// No connection, or one that broke.
    #[error("not reached: {0}")]
    Unreached(&'static str),
    /// DynamoDB refused.
    #[error("refused: {code} (request {request_id})")]
    Refused {
        /// DynamoDB's error code.
        code: String,
        /// The id by which AWS support finds the request.
        request_id: String,
    },
    /// Conflicts with other writes until the deadline.
    #[error("busy until the deadline")]
    Busy,
}

impl StoreError {
    /// The operation, for the log.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            StoreError::Unavailable { operation, .. }
            | StoreError::OutcomeUnknown { operation, .. }
            | StoreError::Corrupt { operation, .. }
            | StoreError::Internal { operation, .. } => operation,
        }
    }

    /// The cause, for the log.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            StoreError::Unavailable { cause, .. } => cause.to_string(),
            StoreError::OutcomeUnknown { cause, .. } => format!("outcome unknown: {cause}"),
            StoreError::Corrupt { what, .. } => format!("unreadable: {what}"),
            StoreError::Internal { what, .. } => format!("invalid request: {what}"),
        }
    }

    pub(crate) fn corrupt(operation: &'static str, what: &'static str) -> Self {
        StoreError::Corrupt { operation, what }
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers pass an error or a text, owned or borrowed")]
    pub(crate) fn internal(operation: &'static str, what: impl ToString) -> Self {
        StoreError::Internal { operation, what: what.to_string() }
    }

    pub(crate) fn unavailable(operation: &'static str, cause: Cause) -> Self {
        StoreError::Unavailable { operation, cause }
    }

    /// A failed read. The SDK has retried it already.
    pub(crate) fn read<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        match FailedAttempt::new(operation, error) {
            FailedAttempt::Conflict => StoreError::unavailable(operation, Cause::Busy),
            FailedAttempt::Transient { cause, .. } => StoreError::unavailable(operation, cause),
            FailedAttempt::Final(error) => error,
        }
    }
}

/// An attempt to write that failed, other than by one of its conditions.
#[derive(Debug, Clone)]
pub(crate) enum FailedAttempt {
    /// Cancelled because another write touched the same items: not carried out, and worth another attempt.
    Conflict,
    /// Worth another attempt.
    Transient {
        cause: Cause,
        /// Whether the write may have been carried out all the same.
        may_have_taken_effect: bool,
    },
    /// Another attempt would fail likewise.
    Final(StoreError),
}

impl FailedAttempt {
    pub(crate) fn new<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        let uncertain = |cause| FailedAttempt::Transient { cause, may_have_taken_effect: true };
        match error {
            SdkError::TimeoutError(_) => uncertain(Cause::TimedOut),
            SdkError::DispatchFailure(failure)
                if failure.as_connector_error().is_some_and(|error| never_connected(error)) =>
            {
                let cause = Cause::Unreached(unreached(failure.as_connector_error()));
                FailedAttempt::Transient { cause, may_have_taken_effect: false }
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => uncertain(Cause::TimedOut),
            SdkError::DispatchFailure(failure) => uncertain(Cause::Unreached(unreached(failure.as_connector_error()))),
            SdkError::ResponseError(_) => uncertain(Cause::Unreached("unreadable response")),
            SdkError::ServiceError(refusal) => match refusal.err().code() {
                Some(code) => {
                    let request_id = error.request_id().unwrap_or("unknown").to_owned();
                    Self::refused(operation, code, request_id, refusal.raw().status().is_server_error())
                }
                // Not DynamoDB's words, such as a success whose body was damaged on the way.
                None => uncertain(Cause::Unreached("unreadable response")),
            },
            SdkError::ConstructionFailure(_) => {
                FailedAttempt::Final(StoreError::internal(operation, "it could not be built"))
            }
            _ => FailedAttempt::Final(StoreError::internal(operation, "an error unknown to this version")),
        }
    }

    /// A member of a batch or transaction that failed inside a call that succeeded.
    pub(crate) fn of_member(operation: &'static str, code: &str) -> Self {
        Self::refused(operation, code, "of a batch".to_owned(), code == "InternalServerError")
    }

    fn refused(operation: &'static str, code: &str, request_id: String, is_server_error: bool) -> Self {
        let cause = Cause::Refused { code: code.to_owned(), request_id };
        match code {
            "TransactionConflict" | "TransactionConflictException" | "TransactionInProgressException" => {
                FailedAttempt::Conflict
            }
            "ValidationException"
            | "ValidationError"
            | "SerializationException"
            | "ItemCollectionSizeLimitExceeded" => FailedAttempt::Final(StoreError::internal(operation, code)),
            _ if is_throttling(code) => FailedAttempt::Transient { cause, may_have_taken_effect: false },
            _ if is_server_error => FailedAttempt::Transient { cause, may_have_taken_effect: true },
            // Missing permissions, expired credentials, a missing table: nothing is written until an operator acts.
            _ => FailedAttempt::Final(StoreError::unavailable(operation, cause)),
        }
    }
}

fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "ThrottlingError"
            | "ThrottlingException"
            | "Throttling"
            | "ProvisionedThroughputExceeded"
            | "ProvisionedThroughputExceededException"
            | "RequestLimitExceeded"
            | "LimitExceededException"
    )
}

/// Whether no connection was opened, so that the request cannot have been sent.
fn never_connected(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The phase in which a connection failed, by its source errors. Their own texts may name hosts, so none is kept.
fn unreached(error: Option<&(impl StdError + 'static)>) -> &'static str {
    let mut next: Option<&(dyn StdError + 'static)> = error.map(|error| error as _);
    while let Some(error) = next {
        if let Some(failed) = error.downcast_ref::<io::Error>().filter(|failed| failed.raw_os_error().is_some()) {
            match failed.kind() {
                io::ErrorKind::ConnectionRefused => return "connection refused",
                io::ErrorKind::ConnectionReset => return "connection reset",
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => return "no route to host",
                _ => {}
            }
        }
        let text = error.to_string();
        if text.contains("failed to lookup address") || text.contains("dns error") {
            return "host name not found";
        }
        if text.contains("certificate") {
            return "certificate not trusted";
        }
        // An error may hold another that it does not name as its source.
        next = error.source().or_else(|| {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            inner.map(|inner| inner as &(dyn StdError + 'static))
        });
    }
    "no connection"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(code: &str) -> String {
        match FailedAttempt::of_member("test", code) {
            FailedAttempt::Conflict => "conflict".to_owned(),
            FailedAttempt::Transient { may_have_taken_effect, .. } => format!("transient, {may_have_taken_effect}"),
            FailedAttempt::Final(error) => error.to_string(),
        }
    }

    #[test]
    fn a_code_decides_whether_an_attempt_is_repeated_and_whether_it_may_have_taken_effect() {
        assert_eq!(member("TransactionConflict"), "conflict");
        assert_eq!(member("ThrottlingError"), "transient, false");
        assert_eq!(member("ProvisionedThroughputExceeded"), "transient, false");
        assert_eq!(member("InternalServerError"), "transient, true");
        assert_eq!(member("ValidationError"), "test: invalid request: ValidationError");
        assert_eq!(member("AccessDenied"), "test: refused: AccessDenied (request of a batch)");
    }
}
