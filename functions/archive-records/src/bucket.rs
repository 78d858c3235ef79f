//! The bucket of the archive.

use std::time::Duration;

use aws_sdk_s3::{
    Client, Config,
    config::{retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata as _, SdkError},
    operation::RequestId as _,
    primitives::ByteStream,
};
use punchcard_store::{ConfigError, sdk_config, text_variable, url_variable};

const BUCKET: &str = "ARCHIVE_BUCKET";
const ENDPOINT: &str = "S3_ENDPOINT";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below the limit of a batch, so that the reason is logged.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(40);
const ATTEMPTS: u32 = 8;

/// A bucket to write to.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// An object was not written. Safe to log: it has S3's code and request id, not the object or its name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// No response in time.
    #[error("timed out")]
    TimedOut,
    /// The connection could not be opened or was lost.
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
    /// The request could not be built.
    #[error("invalid request")]
    Invalid,
}

impl Bucket {
    /// Configures the bucket from `ARCHIVE_BUCKET`, optionally `S3_ENDPOINT`, and the variables of the store.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        let name = text_variable(BUCKET)?.ok_or(ConfigError::Missing(BUCKET))?;
        let endpoint = url_variable(ENDPOINT)?;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT);
        let mut config = aws_sdk_s3::config::Builder::from(&sdk_config()?)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts.build())
            // The name of the bucket in the path: other endpoints have no domain for each bucket.
            .force_path_style(endpoint.is_some());
        config.set_endpoint_url(endpoint);
        let config: Config = config.build();
        Ok(Bucket { client: Client::from_conf(config), name })
    }

    /// Writes an object, or overwrites it.
    ///
    /// # Errors
    /// It was not written in the SDK's attempts. It may have been, if the last one timed out.
    pub async fn put(&self, path: String, content_type: &str, content: Vec<u8>) -> Result<(), PutError> {
        let put = self.client.put_object().bucket(&self.name).key(path).content_type(content_type);
        // Boxed, because the layout of nested SDK futures exceeds the compiler's limit.
        match Box::pin(put.body(ByteStream::from(content)).send()).await {
            Ok(_) => Ok(()),
            Err(SdkError::TimeoutError(_)) => Err(PutError::TimedOut),
            Err(SdkError::DispatchFailure(failure)) if failure.is_timeout() => Err(PutError::TimedOut),
            Err(SdkError::DispatchFailure(_) | SdkError::ResponseError(_)) => Err(PutError::Unreached),
            Err(error @ SdkError::ServiceError(_)) => Err(PutError::Refused {
                code: error.code().unwrap_or("unknown").to_owned(),
                request_id: error.request_id().unwrap_or("unknown").to_owned(),
            }),
            Err(_) => Err(PutError::Invalid),
        }
    }
}
