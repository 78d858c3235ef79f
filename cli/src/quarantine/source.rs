//! The quarantine of a command, a directory or a bucket, and the requests in it that a command is about.

use clap::{Args, builder::PossibleValuesParser};
use punchcard_models::timestamp::Timestamp;
use punchcard_quarantine::{Entry, EntryId, EntryName, Folder, FolderError};
use punchcard_store::operator_s3;

use super::{
    Place,
    bucket::{Bucket, BucketError},
};
use crate::{
    failure::Failure,
    operator::{Target, with_spinner},
    registry::HANDLERS,
};

/// Filters of requests
#[derive(Debug, Args)]
pub struct Filter {
    /// Only requests of a function
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(functions()))]
    function: Option<String>,
    /// Only requests since a time, in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Only requests that were answered with a status
    #[arg(long, value_name = "STATUS")]
    status: Option<u16>,
    /// Only requests that have this text, such as a customer's id, in their path, headers or body
    #[arg(long, value_name = "TEXT")]
    containing: Option<String>,
}

/// Requests by their ids, or all that the filters select
#[derive(Debug, Args)]
pub struct Selection {
    /// Ids of requests
    #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
    ids: Vec<EntryId>,
    /// All requests, or those that the filters select
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    pub filter: Filter,
}

/// The functions whose rejected requests are quarantined.
fn functions() -> impl Iterator<Item = &'static str> {
    HANDLERS.iter().filter(|handler| handler.is_quarantined).map(|handler| handler.route.function)
}

fn time(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::from_text(text).ok_or("use a time such as 2026-11-28T07:00:00Z")
}

impl Filter {
    /// Returns true unless the name excludes an entry. [`Filter::selects`] decides.
    fn may_select(&self, name: &EntryName) -> bool {
        self.function.as_ref().is_none_or(|function| *function == name.function)
            && self.status.is_none_or(|status| status == name.status)
            && self.since.is_none_or(|since| name.id.received_at() >= since)
    }

    /// Returns true if entries have to be read to be selected.
    pub fn reads(&self) -> bool {
        self.containing.is_some()
    }

    /// Decides on an entry whose name does not exclude it.
    pub fn selects(&self, entry: &Entry) -> bool {
        let Some(text) = &self.containing else { return true };
        entry.path.contains(text.as_str())
            || entry.body.text().contains(text.as_str())
            || entry.headers.values().any(|value| value.text().contains(text.as_str()))
    }
}

impl Selection {
    /// Returns the names of the entries, oldest first, so that a session is opened before its activities are sent.
    /// The filter may still exclude them.
    ///
    /// # Errors
    /// The quarantine cannot be read, or has none of an id.
    pub async fn names(&self, source: &Source) -> Result<Vec<EntryName>, Failure> {
        if self.all {
            return source.names(&self.filter, usize::MAX).await;
        }
        let mut names = Vec::new();
        for id in &self.ids {
            names.push(source.find(*id).await?);
        }
        names.retain(|name| self.filter.may_select(name));
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }
}

/// A quarantine: the place that entries are read from.
#[derive(Debug)]
pub enum Source {
    /// A directory of `punchcard serve`.
    Folder(Folder),
    /// A bucket of a stack.
    Bucket(Bucket),
}

/// An item that was read.
#[derive(Debug)]
pub enum Found {
    /// An entry.
    Entry(Box<Entry>),
    /// Something that cannot be read as an entry.
    Unreadable(Failure),
}

impl Source {
    /// Opens the directory with the store's key, or the bucket with the operator's credentials.
    ///
    /// # Errors
    /// There is none, or it cannot be opened.
    pub async fn open(place: &Place, target: &Target) -> Result<Self, Failure> {
        if let Some(name) = &place.bucket {
            let connecting = operator_s3(target.connection());
            let (config, endpoint) = with_spinner("resolving credentials", connecting).await?;
            return Ok(Source::Bucket(Bucket::connect(&config, name.clone(), endpoint)));
        }
        let directory = place.quarantine.as_ref().ok_or(Failure::NoQuarantine)?;
        let key = target.open().await?.admin.quarantine_key().await?.ok_or(Failure::NoQuarantineKey)?;
        Ok(Source::Folder(Folder::open(directory, &key)?))
    }

    /// Returns the names of the newest entries that the filter may select, oldest first.
    ///
    /// # Errors
    /// The quarantine cannot be read.
    pub async fn names(&self, filter: &Filter, limit: usize) -> Result<Vec<EntryName>, Failure> {
        match self {
            Source::Folder(folder) => {
                let mut names = folder.names()?;
                names.retain(|name| filter.may_select(name));
                names.drain(..names.len().saturating_sub(limit));
                Ok(names)
            }
            Source::Bucket(bucket) => {
                let listing = bucket.names(filter.since, limit, |name| filter.may_select(name));
                Ok(with_spinner("listing the bucket", listing).await?)
            }
        }
    }

    /// Returns the name of an entry.
    ///
    /// # Errors
    /// The quarantine cannot be read, or has no such entry.
    pub async fn find(&self, id: EntryId) -> Result<EntryName, Failure> {
        let found = match self {
            Source::Folder(folder) => folder.names()?.into_iter().find(|name| name.id == id),
            Source::Bucket(bucket) => bucket.find(id).await?,
        };
        found.ok_or(Failure::NotQuarantined(id))
    }

    /// Reads an entry. `None` if it was deleted since it was listed.
    ///
    /// # Errors
    /// The quarantine cannot be read. An entry that is damaged is no error, so that it does not hide others.
    pub async fn read(&self, name: &EntryName) -> Result<Option<Found>, Failure> {
        let read = match self {
            Source::Folder(folder) => folder.read(name).map_err(Failure::from),
            Source::Bucket(bucket) => bucket.read(name).await.map_err(Failure::from),
        };
        match read {
            Ok(entry) => Ok(entry.map(|entry| Found::Entry(Box::new(entry)))),
            Err(
                failure @ (Failure::Quarantine(FolderError::Unopened(..) | FolderError::Entry(..))
                | Failure::Bucket(BucketError::Entry(..))),
            ) => Ok(Some(Found::Unreadable(failure))),
            Err(failure) => Err(failure),
        }
    }

    /// Deletes an entry.
    ///
    /// # Errors
    /// The entry cannot be deleted.
    pub async fn remove(&self, name: &EntryName) -> Result<(), Failure> {
        match self {
            Source::Folder(folder) => Ok(folder.remove(name)?),
            Source::Bucket(bucket) => Ok(bucket.remove(name).await?),
        }
    }
}
