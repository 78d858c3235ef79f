//! Batch reads.

use std::collections::HashMap;

use aws_sdk_dynamodb::{Client, types::KeysAndAttributes};
use tokio::time::Instant;

use crate::{error::StoreError, item::Item, retry::Retries};

/// Maximum number of items in one batch read.
pub(crate) const MAX_READ_ITEMS: usize = 100;

/// Reads up to [`MAX_READ_ITEMS`] items with distinct keys, and returns those that exist in any order.
///
/// Reads are strongly consistent but not atomic: one item may be from before a transaction and another from after it.
pub(crate) async fn read_items(
    client: &Client,
    operation: &'static str,
    table: &str,
    keys: Vec<Item>,
    deadline: Instant,
) -> Result<Vec<Item>, StoreError> {
    let wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
    let wanted = wanted.map_err(|error| StoreError::internal(operation, error))?;
    let mut pending = HashMap::from([(table.to_owned(), wanted)]);
    let mut found = Vec::new();
    let mut retries = Retries::until(deadline, operation);
    loop {
        let answer = client.batch_get_item().set_request_items(Some(pending)).send().await;
        let answer = answer.map_err(|error| StoreError::read(operation, &error))?;
        found.extend(answer.responses.unwrap_or_default().into_values().flatten());
        // Keys that were throttled or exceeded the response limit of 16 MB.
        pending = answer.unprocessed_keys.unwrap_or_default();
        if pending.is_empty() {
            return Ok(found);
        }
        retries.pause().await?;
    }
}
