//! Copies records and catalogs of an archive to a store of their own, for the readers of a store.

use std::time::Duration;

use aws_sdk_dynamodb::{
    Client,
    types::{PutRequest, WriteRequest},
};
use punchcard_models::timestamp::Timestamp;
use tokio::time::Instant;

use crate::{
    Store,
    error::{Cause, StoreError},
    history::{Annotation, chunks},
    item::Item,
    records::{RecordKind, StoredItem},
};

const WRITE: &str = "write a record of an archive";
/// Maximum number of items in one call.
const MAX_ITEMS: usize = 25;
/// Time limit of writing what one call was given.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// Writes without conditions, so the store must have no other writers.
#[derive(Debug)]
pub struct Importer {
    client: Client,
    store: Store,
}

impl Importer {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Importer { client: store.reads.clone(), store: store.clone() }
    }

    /// Puts records of one table.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn put(&self, kind: RecordKind, items: Vec<StoredItem>) -> Result<(), StoreError> {
        self.put_all(kind.table(), items.into_iter().map(StoredItem::into_item).collect()).await
    }

    /// Puts an applied catalog.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn put_catalog(&self, version: u64, json: &str, now: Timestamp) -> Result<(), StoreError> {
        self.put_all("Catalog", chunks(version, json, &Annotation::default(), now)).await
    }

    async fn put_all(&self, table: &str, items: Vec<Item>) -> Result<(), StoreError> {
        let table = self.store.table(table);
        let deadline = Instant::now() + WRITE_LIMIT;
        for items in items.chunks(MAX_ITEMS) {
            let invalid = |error| StoreError::internal(WRITE, error);
            let put = |item: &Item| {
                let put = PutRequest::builder().set_item(Some(item.clone())).build();
                Ok(WriteRequest::builder().put_request(put.map_err(invalid)?).build())
            };
            let mut left = items.iter().map(put).collect::<Result<Vec<_>, StoreError>>()?;
            while !left.is_empty() {
                if Instant::now() >= deadline {
                    return Err(StoreError::Unavailable { operation: WRITE, cause: Cause::TimedOut });
                }
                let sent = self.client.batch_write_item().request_items(&table, left).send().await;
                let sent = sent.map_err(|error| StoreError::read(WRITE, &error))?;
                left = sent.unprocessed_items.and_then(|mut tables| tables.remove(&table)).unwrap_or_default();
            }
        }
        Ok(())
    }
}
