//! Part `digest` of table `Catalog`: the key of the e-mail and mobile digests.

use aws_sdk_dynamodb::Client;
use tokio::sync::OnceCell;

use crate::{
    Store,
    catalog::{DIGEST, read_part},
    error::StoreError,
    item::Attributes as _,
};

const READ: &str = "read the digest key";

/// Reads the digest key, which only the function that digests addresses may do. It is read when it is first needed: most
/// programmes merge no players.
#[derive(Debug)]
pub struct DigestKeyReader {
    client: Client,
    table: String,
    key: OnceCell<Vec<u8>>,
}

impl DigestKeyReader {
    /// A reader that has not read the key yet.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        DigestKeyReader { client: store.reads.clone(), table: store.table("Catalog"), key: OnceCell::new() }
    }

    /// The key. It is read once and never changes: a digest made with another key would not be found.
    ///
    /// # Errors
    /// Of the store, or there is no key.
    pub async fn get(&self) -> Result<&[u8], StoreError> {
        self.key.get_or_try_init(|| self.read()).await.map(Vec::as_slice)
    }

    async fn read(&self) -> Result<Vec<u8>, StoreError> {
        let items = read_part(&self.client, &self.table, DIGEST).await?;
        let key = items.first().and_then(|item| item.bytes("key"));
        key.map(<[u8]>::to_vec).ok_or(StoreError::corrupt(READ, "no digest key"))
    }
}
