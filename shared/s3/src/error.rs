//! Errors.

/// A failed request to S3. Safe to log: it has S3's code and request id, and nothing of an object or its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum S3Error {
    /// No response in time. The request may have been carried out.
    #[error("timed out")]
    TimedOut,
    /// The connection could not be opened or was lost. The request may have been carried out.
    #[error("connection failed")]
    Unreached,
    /// S3 returned an error.
    #[error("refused: {code} (request {request_id})")]
    Refused {
        /// S3's error code.
        code: String,
        /// The request id, for AWS support.
        request_id: String,
    },
    /// There is no region, or there are no credentials.
    #[error("no region or no credentials")]
    NoCredentials,
    /// The request could not be built or signed, or its response not be read.
    #[error("invalid request or response")]
    Invalid,
}
