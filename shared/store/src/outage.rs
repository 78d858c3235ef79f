//! What goes wrong with the store, told so that a log may have it: no item, key or table name in it.

use std::{error::Error, io};

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};

/// The store could not be used. The request may be sent again as it stands.
#[derive(Debug, thiserror::Error)]
#[error("{operation}: {cause}")]
pub struct Outage {
    operation: &'static str,
    cause: Cause,
}

/// Why the store could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// It took too long.
    #[error("timed out")]
    TimedOut,
    /// It was not reached.
    #[error("not reached: {0}")]
    Unreached(&'static str),
    /// It refused.
    #[error("refused: {code} (request {request_id})")]
    Refused {
        /// DynamoDB's own name for the reason.
        code: String,
        /// By which AWS support finds the request.
        request_id: String,
    },
    /// It was too busy until the request's deadline.
    #[error("busy until the deadline")]
    Busy,
    /// It holds something that this version cannot read.
    #[error("unreadable: {0}")]
    Unreadable(&'static str),
}

impl Outage {
    /// The cause.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    pub(crate) fn new(operation: &'static str, cause: Cause) -> Self {
        Outage { operation, cause }
    }

    pub(crate) fn unreadable(operation: &'static str, what: &'static str) -> Self {
        Outage::new(operation, Cause::Unreadable(what))
    }

    /// A member of a batch or transaction was refused; the call itself was not.
    pub(crate) fn refused(operation: &'static str, code: &str) -> Self {
        Outage::new(operation, Cause::Refused { code: code.to_owned(), request_id: "of a batch".to_owned() })
    }

    /// What a call's error says, without its contents: an error of the SDK may hold whole items.
    pub(crate) fn from_sdk<E: ProvideErrorMetadata, R>(operation: &'static str, error: &SdkError<E, R>) -> Self
    where
        SdkError<E, R>: RequestId,
    {
        let cause = match error {
            SdkError::TimeoutError(_) => Cause::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Cause::TimedOut,
            SdkError::DispatchFailure(failure) => Cause::Unreached(unreached(failure.as_connector_error())),
            SdkError::ConstructionFailure(_) => Cause::Unreached("no request could be made"),
            SdkError::ResponseError(_) => Cause::Unreached("no answer that could be read"),
            _ => Cause::Refused {
                code: error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or("unknown").to_owned(),
                request_id: error.request_id().unwrap_or("unknown").to_owned(),
            },
        };
        Outage::new(operation, cause)
    }
}

/// The phase in which a connection failed, by its source errors. Their own texts may name hosts, so none is kept.
fn unreached(error: Option<&(impl Error + 'static)>) -> &'static str {
    let mut next: Option<&(dyn Error + 'static)> = error.map(|error| error as _);
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
        // An error may hold another that it doesn't name as its source.
        next = error.source().or_else(|| {
            let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
            inner.map(|inner| inner as &(dyn Error + 'static))
        });
    }
    "no connection"
}
