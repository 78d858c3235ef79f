//! The bucket of a stack's quarantine. S3 encrypts its objects, and deletes them by the bucket's lifecycle.

use std::{collections::VecDeque, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_s3::{Client, error::SdkError};
use punchcard_models::timestamp::Timestamp;
use punchcard_quarantine::{Entry, EntryError, EntryId, EntryName, OBJECTS};
use punchcard_s3::{Limits, S3Error};

const LIMITS: Limits = Limits {
    connect: Duration::from_secs(3),
    attempt: Duration::from_secs(10),
    operation: Duration::from_secs(30),
    attempts: 4,
};

/// A bucket of entries.
#[derive(Debug)]
pub struct Bucket {
    client: Client,
    name: String,
}

/// A bucket cannot be used, or an entry in it. Safe to log: it has S3's code and request id, and nothing of a request.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// A request failed.
    #[error(transparent)]
    S3(#[from] S3Error),
    /// An object has no entry that this version can read.
    #[error("{0} cannot be read: {1}")]
    Entry(EntryId, #[source] EntryError),
}

impl Bucket {
    /// Connects to a bucket. `endpoint` is that of another S3.
    #[must_use]
    pub fn connect(config: &SdkConfig, name: String, endpoint: Option<String>) -> Self {
        Bucket { client: punchcard_s3::connect(config, endpoint, LIMITS), name }
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
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(OBJECTS);
        let mut pages = list.set_start_after(since.map(start_of)).into_paginator().send();
        while let Some(page) = pages.next().await {
            for object in page.map_err(S3Error::from)?.contents() {
                let Some(name) = object.key().and_then(EntryName::of_object).filter(&is_wanted) else { continue };
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
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(format!("{OBJECTS}{id}.")).max_keys(1);
        let listed = Box::pin(list.send()).await.map_err(S3Error::from)?;
        Ok(listed.contents().first().and_then(|object| EntryName::of_object(object.key()?)))
    }

    /// Reads an entry. `None` if there is none of this name, for example since it has expired.
    ///
    /// # Errors
    /// The object cannot be read.
    pub async fn read(&self, name: &EntryName) -> Result<Option<Entry>, BucketError> {
        let get = self.client.get_object().bucket(&self.name).key(name.object());
        let found = match Box::pin(get.send()).await {
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => return Ok(None),
            found => found.map_err(S3Error::from)?,
        };
        let json = found.body.collect().await.map_err(|_| S3Error::Unreached)?.into_bytes();
        Entry::from_json(&json, name).map(Some).map_err(|error| BucketError::Entry(name.id, error))
    }

    /// Deletes an entry, if it exists.
    ///
    /// # Errors
    /// The object cannot be deleted.
    pub async fn remove(&self, name: &EntryName) -> Result<(), BucketError> {
        let delete = self.client.delete_object().bucket(&self.name).key(name.object());
        Box::pin(delete.send()).await.map_err(S3Error::from)?;
        Ok(())
    }
}

/// The text before the names of all entries since a time: the 48 bits of a UUID v7 that hold it.
fn start_of(since: Timestamp) -> String {
    let millis = u64::try_from(since.as_millis()).unwrap_or_default() & 0xffff_ffff_ffff;
    format!("{OBJECTS}{:08x}-{:04x}", millis >> 16, millis & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_objects_sort_after_the_start_of_their_time() {
        let at = |millis| Timestamp::from_millis(millis);
        let name = |millis| EntryName { id: EntryId::new(at(millis)), function: "a".to_owned(), status: 400 }.object();
        for millis in [0, 1, 65_535, 65_536, 1_727_766_000_123] {
            assert!(name(millis) > start_of(at(millis)), "{millis}");
            assert!(millis == 0 || name(millis - 1) < start_of(at(millis)), "{millis}");
        }
    }
}
