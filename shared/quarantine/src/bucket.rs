//! Entries as objects of an S3 bucket. S3 encrypts them, and deletes them by the bucket's lifecycle.

use std::{collections::VecDeque, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{
    Client,
    config::{
        retry::RetryConfig,
        timeout::{TimeoutConfig, TimeoutConfigBuilder},
    },
    error::{ProvideErrorMetadata, SdkError},
    operation::RequestId,
    primitives::ByteStream,
};
use punchcard_models::timestamp::Timestamp;

use crate::{Entry, EntryError, EntryId, EntryName};

/// The start of the names of objects, and the end.
const PREFIX: &str = "requests/";
const SUFFIX: &str = ".json";

/// Time limits of a function, which answers only afterwards.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(700);
const ATTEMPTS: u32 = 2;
/// Time limits of an operator's command.
const OPERATOR_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const OPERATOR_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
const OPERATOR_TIMEOUT: Duration = Duration::from_secs(30);
const OPERATOR_ATTEMPTS: u32 = 4;

/// A bucket of entries.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// A bucket cannot be used, or an entry in it. Safe to log: it has S3's code and request id, and nothing of a request.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
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
    /// The request could not be built, or its response not be read.
    #[error("invalid request or response")]
    Invalid,
    /// An object has no entry that this version can read.
    #[error("{0} cannot be read: {1}")]
    Entry(EntryId, #[source] EntryError),
    /// An entry cannot be serialised.
    #[error("the entry cannot be serialised: {0}")]
    Json(#[from] serde_json::Error),
}

impl Bucket {
    /// Connects a function, with short time limits. `endpoint` is that of another S3, for tests.
    #[must_use]
    pub fn of_function(config: &SdkConfig, name: String, endpoint: Option<String>) -> Self {
        let timeouts =
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
        Self::connect(config, name, endpoint, timeouts, ATTEMPTS)
    }

    /// Connects an operator's command. `endpoint` is that of another S3.
    #[must_use]
    pub fn of_operator(config: &SdkConfig, name: String, endpoint: Option<String>) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(OPERATOR_CONNECT_TIMEOUT)
            .operation_attempt_timeout(OPERATOR_ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATOR_TIMEOUT);
        Self::connect(config, name, endpoint, timeouts, OPERATOR_ATTEMPTS)
    }

    fn connect(
        config: &SdkConfig,
        name: String,
        endpoint: Option<String>,
        timeouts: TimeoutConfigBuilder,
        attempts: u32,
    ) -> Self {
        let mut config = aws_sdk_s3::config::Builder::from(config)
            .retry_config(RetryConfig::standard().with_max_attempts(attempts))
            .timeout_config(timeouts.build())
            // The name of the bucket in the path: other endpoints have no domain for each bucket.
            .force_path_style(endpoint.is_some());
        if endpoint.is_some() {
            config.set_endpoint_url(endpoint);
        }
        Bucket { client: Client::from_conf(config.build()), name }
    }

    /// Writes an entry.
    ///
    /// # Errors
    /// It was not written. It may have been, if the error is a timeout.
    pub async fn write(&self, entry: &Entry) -> Result<(), BucketError> {
        let put = self.client.put_object().bucket(&self.name).key(object(&entry.name()));
        let put = put.content_type("application/json").body(ByteStream::from(entry.to_json()?.into_bytes()));
        // Boxed, because the layout of nested SDK futures exceeds the compiler's limit.
        Box::pin(put.send()).await.map_err(|error| failed(&error))?;
        Ok(())
    }

    /// Returns the names of the entries since a time, oldest first: of those that `is_wanted` selects, the newest
    /// `limit`.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn names(
        &self,
        since: Option<Timestamp>,
        limit: usize,
        is_wanted: impl Fn(&EntryName) -> bool,
    ) -> Result<Vec<EntryName>, BucketError> {
        // S3 lists in ascending order only, so the last names have to be found by listing all.
        let mut newest = VecDeque::new();
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(PREFIX);
        let mut pages = list.set_start_after(since.map(start_of)).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(|error| failed(&error))?.contents() {
                let Some(name) = object.key().and_then(name_of).filter(&is_wanted) else { continue };
                newest.push_back(name);
                if newest.len() > limit {
                    newest.pop_front();
                }
            }
        }
        Ok(newest.into())
    }

    /// Returns the name of the entry with this id.
    ///
    /// # Errors
    /// The bucket cannot be read.
    pub async fn find(&self, id: EntryId) -> Result<Option<EntryName>, BucketError> {
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(format!("{PREFIX}{id}.")).max_keys(1);
        let listed = Box::pin(list.send()).await.map_err(|error| failed(&error))?;
        Ok(listed.contents().first().and_then(|object| name_of(object.key()?)))
    }

    /// Reads an entry. `None` if there is none of this name, for example since it has expired.
    ///
    /// # Errors
    /// The object cannot be read.
    pub async fn read(&self, name: &EntryName) -> Result<Option<Entry>, BucketError> {
        let get = self.client.get_object().bucket(&self.name).key(object(name));
        let found = match Box::pin(get.send()).await {
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(None),
            found => found.map_err(|error| failed(&error))?,
        };
        let json = found.body.collect().await.map_err(|_| BucketError::Unreached)?.into_bytes();
        Entry::from_json(&json, name).map(Some).map_err(|error| BucketError::Entry(name.id, error))
    }

    /// Deletes an entry, if it exists.
    ///
    /// # Errors
    /// The object cannot be deleted.
    pub async fn remove(&self, name: &EntryName) -> Result<(), BucketError> {
        let delete = self.client.delete_object().bucket(&self.name).key(object(name));
        Box::pin(delete.send()).await.map_err(|error| failed(&error))?;
        Ok(())
    }
}

fn object(name: &EntryName) -> String {
    format!("{PREFIX}{name}{SUFFIX}")
}

fn name_of(object: &str) -> Option<EntryName> {
    object.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}

/// The text before the names of all entries since a time: the 48 bits of a UUID v7 that hold it.
fn start_of(since: Timestamp) -> String {
    let millis = u64::try_from(since.as_millis()).unwrap_or_default() & 0xffff_ffff_ffff;
    format!("{PREFIX}{:08x}-{:04x}", millis >> 16, millis & 0xffff)
}

fn failed<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> BucketError
where
    SdkError<E, R>: RequestId,
{
    match error {
        SdkError::TimeoutError(_) => BucketError::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => BucketError::TimedOut,
        SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => BucketError::Unreached,
        SdkError::ServiceError(refused) => BucketError::Refused {
            code: refused.err().code().unwrap_or("unknown").to_owned(),
            request_id: error.request_id().unwrap_or("unknown").to_owned(),
        },
        _ => BucketError::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_sort_after_the_start_of_their_time() {
        let at = |millis| Timestamp::from_millis(millis);
        let name = |millis| object(&EntryName { id: EntryId::new(at(millis)), function: "a".to_owned(), status: 400 });
        for millis in [0, 1, 65_535, 65_536, 1_727_766_000_123] {
            assert!(name(millis) > start_of(at(millis)), "{millis}");
            assert!(millis == 0 || name(millis - 1) < start_of(at(millis)), "{millis}");
        }
        assert_eq!(name_of(&name(7)).map(|name| name.id.received_at()), Some(at(7)));
        for other in ["requests/", "requests/x.json", "other/x", &name(7)[1..]] {
            assert_eq!(name_of(other), None, "{other}");
        }
    }
}
