//! Part `private` of table `Catalog`: the private keys that sign tokens.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use punchcard_models::{access::SigningKey, timestamp::Timestamp};

use crate::{
    Store,
    cache::{Cache, FRESH_FOR},
    catalog::{PRIVATE, read_part},
    error::StoreError,
    item::{Attributes as _, Item},
};

const READ: &str = "read the signing keys";

/// Reads private signing keys. Only functions that issue tokens have permission.
#[derive(Debug)]
pub struct SigningKeyReader {
    client: Client,
    table: String,
    cache: Cache<SigningKey>,
}

impl SigningKeyReader {
    /// Creates a reader with an empty cache.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        SigningKeyReader { client: store.reads.clone(), table: store.table("Catalog"), cache: Cache::default() }
    }

    /// Returns the newest key. It is cached for a minute.
    ///
    /// # Errors
    /// The store call failed, or there is no key.
    pub async fn newest(&self, now: Timestamp) -> Result<Arc<SigningKey>, StoreError> {
        let read = || {
            let (client, table) = (self.client.clone(), self.table.clone());
            async move { read_newest(&client, &table).await }
        };
        self.cache.get(FRESH_FOR, now, read).await
    }
}

async fn read_newest(client: &Client, table: &str) -> Result<SigningKey, StoreError> {
    let items = read_part(client, table, PRIVATE).await?;
    let newest = items.iter().max_by_key(|item| item.text("createdAt"));
    newest.and_then(signing_key).ok_or(StoreError::corrupt(READ, "no signing key"))
}

fn signing_key(item: &Item) -> Option<SigningKey> {
    Some(SigningKey { id: item.text("id")?.to_owned(), pkcs8: item.bytes("pkcs8")?.to_vec() })
}
