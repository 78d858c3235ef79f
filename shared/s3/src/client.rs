//! The settings of S3's client, and its errors.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
};

use crate::S3Error;

/// Limits of requests.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Time limit for opening a connection.
    pub connect: Duration,
    /// Time limit of one attempt.
    pub attempt: Duration,
    /// Time limit of an operation, including retries.
    pub operation: Duration,
    /// Maximum number of attempts.
    pub attempts: u32,
}

/// Creates a client. `endpoint` is that of another S3.
#[must_use]
pub fn connect(config: &SdkConfig, endpoint: Option<String>, limits: Limits) -> Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(limits.connect)
        .operation_attempt_timeout(limits.attempt)
        .operation_timeout(limits.operation);
    let mut config = aws_sdk_s3::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(limits.attempts))
        .timeout_config(timeouts.build())
        // The name of the bucket in the path: other endpoints have no domain for each bucket.
        .force_path_style(endpoint.is_some());
    if endpoint.is_some() {
        config.set_endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

impl<E, R> From<SdkError<E, R>> for S3Error
where
    E: ProvideErrorMetadata,
    SdkError<E, R>: RequestId,
{
    fn from(error: SdkError<E, R>) -> Self {
        match &error {
            SdkError::TimeoutError(_) => S3Error::TimedOut,
            SdkError::DispatchFailure(failure) if failure.is_timeout() => S3Error::TimedOut,
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => S3Error::Unreached,
            SdkError::ServiceError(refused) => S3Error::Refused {
                code: refused.err().code().unwrap_or("unknown").to_owned(),
                request_id: error.request_id().unwrap_or("unknown").to_owned(),
            },
            _ => S3Error::Invalid,
        }
    }
}
