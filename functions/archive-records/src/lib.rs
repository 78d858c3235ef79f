//! Streams of the record tables: writes their records to the archive as Parquet.
//!
//! A batch becomes one file for each day on which its records arrived, named by the batch's first sequence number. What
//! can be read is always written, also after a record that cannot be read: Lambda repeats the batch from that record,
//! splits it, and in the end gives the record up, together with what is still in its batch. Nothing but the record is
//! missing then, and repeated rows are the same rows.

mod bucket;

use std::{
    collections::{BTreeMap, HashSet},
    error::Error as StdError,
    sync::{Mutex, PoisonError},
};

use futures_util::future::try_join_all;
use punchcard_archive::{ArchiveError, Row, catalog_path, file_path, write};
use punchcard_runtime::{BatchHandler, metrics};
use punchcard_s3::S3Error;
use punchcard_store::{Change, HistoryReader, RecordKind, SequenceNumber, Store, StoreError, StoredItem, StreamRecord};

use crate::bucket::Bucket;

/// Writes records to the archive.
#[derive(Debug)]
pub struct ArchiveRecords {
    history: HistoryReader,
    bucket: Bucket,
    /// The versions of the catalog that this process has written.
    catalogs: Mutex<HashSet<u64>>,
}

/// A failure that repeats the whole batch.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the history: {0}")]
    Store(StoreError),
    #[error("the bucket: {0}")]
    Put(#[from] S3Error),
    #[error(transparent)]
    File(#[from] ArchiveError),
}

/// A record without a row.
enum NoRow {
    /// It will not have one in the next attempt either.
    Unreadable(StoreError),
    Failed(Failure),
}

impl BatchHandler for ArchiveRecords {
    const FUNCTION: &'static str = "archive-records";

    async fn open(store: &Store) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        let bucket = Bucket::from_env()?;
        Ok(ArchiveRecords { history: HistoryReader::new(store), bucket, catalogs: Mutex::default() })
    }

    async fn process(&self, batch: Vec<StreamRecord>) -> Option<SequenceNumber> {
        let first = batch.first()?.sequence_number.clone();
        match self.archive(&first, batch).await {
            Ok(unreadable) => unreadable,
            Err(failure) => {
                tracing::error!(error = %failure, "archiving failed");
                Some(first)
            }
        }
    }
}

impl ArchiveRecords {
    /// Writes the files of a batch. Returns the first record that cannot be read.
    async fn archive(
        &self,
        first: &SequenceNumber,
        batch: Vec<StreamRecord>,
    ) -> Result<Option<SequenceNumber>, Failure> {
        let mut files: BTreeMap<(RecordKind, String), Vec<Row>> = BTreeMap::new();
        let mut first_unreadable = None;
        for StreamRecord { sequence_number, change } in batch {
            let row = match change {
                Ok(change) => self.row(&change, &sequence_number).await,
                Err(error) => Err(NoRow::Unreadable(error)),
            };
            match row {
                Ok(row) => files.entry((row.kind, row.day.clone())).or_default().push(row),
                Err(NoRow::Failed(failure)) => return Err(failure),
                Err(NoRow::Unreadable(error)) => {
                    let cause = error.cause();
                    tracing::error!(%sequence_number, operation = error.operation(), cause, "unreadable record");
                    first_unreadable.get_or_insert(sequence_number);
                }
            }
        }
        let rows = files.values().map(Vec::len).sum();
        let put = |((kind, day), rows): ((RecordKind, String), Vec<Row>)| async move {
            let content = write(kind, &rows)?;
            let path = file_path(kind, &day, first);
            Ok::<_, Failure>(self.bucket.put(path, "application/vnd.apache.parquet", content).await?)
        };
        try_join_all(files.into_iter().map(put)).await?;
        metrics::archived(rows);
        Ok(first_unreadable)
    }

    async fn row(&self, change: &Change, sequence_number: &SequenceNumber) -> Result<Row, NoRow> {
        match change {
            Change::Removed(item) => Row::removed(item, sequence_number).map_err(NoRow::Unreadable),
            Change::Inserted(item) | Change::Modified(item) => self.stored(item, sequence_number).await,
        }
    }

    async fn stored(&self, item: &StoredItem, sequence_number: &SequenceNumber) -> Result<Row, NoRow> {
        let row = Row::stored(item, Some(sequence_number), &self.history).await.map_err(|error| match error {
            StoreError::Corrupt { .. } => NoRow::Unreadable(error),
            error => NoRow::Failed(Failure::Store(error)),
        })?;
        if let Some(version) = row.catalog_version() {
            self.archive_catalog(version).await.map_err(NoRow::Failed)?;
        }
        Ok(row)
    }

    /// Writes a version of the catalog, once in each process.
    async fn archive_catalog(&self, version: u64) -> Result<(), Failure> {
        if version == 0 || self.catalogs.lock().unwrap_or_else(PoisonError::into_inner).contains(&version) {
            return Ok(());
        }
        if let Some(json) = self.history.json_of(version).await.map_err(Failure::Store)? {
            self.bucket.put(catalog_path(version), "application/json", json.into_bytes()).await?;
        }
        self.catalogs.lock().unwrap_or_else(PoisonError::into_inner).insert(version);
        Ok(())
    }
}
