//! The bucket of the archive.

use std::time::Duration;

use aws_sdk_s3::{Client, primitives::ByteStream};
use punchcard_s3::{Limits, S3Error};
use punchcard_store::{ConfigError, sdk_config, text_variable, url_variable};

const BUCKET: &str = "ARCHIVE_BUCKET";
const ENDPOINT: &str = "S3_ENDPOINT";

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(2),
    attempt: Duration::from_secs(10),
    // Below the limit of a batch, so that the reason is logged.
    operation: Duration::from_secs(40),
    attempts: 8,
};

/// A bucket to write to.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// Configures the bucket from `ARCHIVE_BUCKET`, optionally `S3_ENDPOINT`, and the variables of the store.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        let name = text_variable(BUCKET)?.ok_or(ConfigError::Missing(BUCKET))?;
        let client = punchcard_s3::connect(&sdk_config()?, url_variable(ENDPOINT)?, LIMITS);
        Ok(Bucket { client, name })
    }

    /// Writes an object, or overwrites it.
    ///
    /// # Errors
    /// It was not written in the SDK's attempts. It may have been, if the last one timed out.
    pub async fn put(&self, path: String, content_type: &str, content: Vec<u8>) -> Result<(), S3Error> {
        let put = self.client.put_object().bucket(&self.name).key(path).content_type(content_type);
        // Boxed, because the layout of nested SDK futures exceeds the compiler's limit.
        Box::pin(put.body(ByteStream::from(content)).send()).await?;
        Ok(())
    }
}
