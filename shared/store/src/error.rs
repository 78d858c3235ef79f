//! Store errors, and the classification of failed SDK calls.
//!
//! Errors contain no items, keys or table names and are safe to log. SDK errors can contain whole items, so only their
//! code and request id are copied.

use std::{error::Error as StdError, io};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// A failed store operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The operation failed and wrote nothing. It can be retried.
    #[error("{operation}: {cause}")]
    Unavailable {
        /// The operation, for the log.
        operation: &'static str,
        /// The last attempt's failure.
        cause: Cause,
    },
    /// An attempt may have taken effect, and the deadline passed before its outcome was known.
    #[error("{operation}: outcome unknown: {cause}")]
    OutcomeUnknown {
        /// The operation, for the log.
        operation: &'static str,
        /// The last attempt's failure.
        cause: Cause,
    },
    /// A stored item or a response cannot be parsed.
    #[error("{operation}: unreadable: {what}")]
    Corrupt {
        /// The operation, for the log.
        operation: &'static str,
        /// The item or response.
        what: &'static str,
    },
    /// DynamoDB rejected the request as malformed, or the request could not be built.
    #[error("{operation}: invalid request: {what}")]
    Internal {
        /// The operation, for the log.
        operation: &'static str,
        /// The reason, such as DynamoDB's error code.
        what: String,
    },
}

/// The reason why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No response in time.
    #[error("timed out")]
    TimedOut,
    /// The connection could not be opened or was lost.
    #[error("connection failed: {0}")]
    Unreached(&'static str),
    /// DynamoDB returned an error.
    #[error("refused: {code} (request {request_id})")]
    Refused {
        /// DynamoDB's error code.
        code: String,
        /// The request id, for AWS support.
        request_id: String,
    },
    /// Conflicts with concurrent writes continued until the deadline.
    #[error("busy until the deadline")]
    Busy,
}

impl StoreError {
    /// Returns the operation, for the log.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            StoreError::Unavailable { operation, .. }
            | StoreError::OutcomeUnknown { operation, .. }
            | StoreError::Corrupt { operation, .. }
            | StoreError::Internal { operation, .. } => operation,
        }
    }

    /// Returns the cause, for the log.
    #[must_use]
    pub fn cause(&self) -> String {
        match self {
            StoreError::Unavailable { cause, .. } => cause.to_string(),
            StoreError::OutcomeUnknown { cause, .. } => format!("outcome unknown: {cause}"),
            StoreError::Corrupt { what, .. } => format!("unreadable: {what}"),
            StoreError::Internal { what, .. } => format!("invalid request: {what}"),
        }
    }

    /// Creates an error of a stored item that cannot be read.
    #[must_use]
    pub fn corrupt(operation: &'static str, what: &'static str) -> Self {
        StoreError::Corrupt { operation, what }
    }

    #[expect(clippy::needless_pass_by_value, reason = "callers pass errors and strings, owned or borrowed")]
    pub(crate) fn internal(operation: &'static str, what: impl ToString) -> Self {
        StoreError::Internal { operation, what: what.to_string() }
    }

    pub(crate) fn unavailable(operation: &'static str, cause: Cause) -> Self {
        StoreError::Unavailable { operation, cause }
    }

    /// Converts the error of a failed read, after the SDK's retries.
    pub(crate) fn read<E: ProvideErrorMetadata>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self {
        match FailedAttempt::new(operation, error) {
            FailedAttempt::Conflict => StoreError::unavailable(operation, Cause::Busy),
            FailedAttempt::Transient { cause, .. } => StoreError::unavailable(operation, cause),
            FailedAttempt::Final(error) => error,
        }
    }
}

/// A failed write attempt. Failed conditions are outcomes, not failures.
#[derive(Debug, Clone)]
pub(crate) enum FailedAttempt {
    /// Cancelled by a concurrent write to the same items. Had no effect and can be retried.
    Conflict,
    /// A transient failure that can be retried.
    Transient {
        cause: Cause,
        /// True if the write may have taken effect despite the failure.
        may_have_taken_effect: bool,
    },
    /// A permanent failure.
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
                // Not a DynamoDB error, for example a successful response with a corrupt body.
                None => uncertain(Cause::Unreached("unreadable response")),
            },
            SdkError::ConstructionFailure(_) => {
                FailedAttempt::Final(StoreError::internal(operation, "the request could not be built"))
            }
            _ => FailedAttempt::Final(StoreError::internal(operation, "an unknown SDK error")),
        }
    }

    /// Classifies the failure of one statement of a batch or one write of a transaction.
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
            // Missing permissions, expired credentials or a missing table: an operator must act.
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

/// Returns true if no connection was opened, so that the request cannot have been sent.
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

/// Describes a connection failure by its source errors. Their messages may contain host names and are not copied.
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
        // `io::Error` may wrap an error that `source` does not return.
        next = error.source().or_else(|| {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            inner.map(|inner| inner as &(dyn StdError + 'static))
        });
    }
    "unknown cause"
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
    fn an_error_code_determines_retries_and_whether_an_attempt_may_have_taken_effect() {
        assert_eq!(member("TransactionConflict"), "conflict");
        assert_eq!(member("ThrottlingError"), "transient, false");
        assert_eq!(member("ProvisionedThroughputExceeded"), "transient, false");
        assert_eq!(member("InternalServerError"), "transient, true");
        assert_eq!(member("ValidationError"), "test: invalid request: ValidationError");
        assert_eq!(member("AccessDenied"), "test: refused: AccessDenied (request of a batch)");
    }
}
