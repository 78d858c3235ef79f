//! Part `digest` of table `Catalog`: the key for digests of e-mail addresses and mobile numbers.

use aws_sdk_dynamodb::Client;
use tokio::sync::OnceCell;

use crate::{
    Store,
    catalog::{DIGEST, read_part},
    error::StoreError,
    item::Attributes as _,
};

const READ: &str = "read the digest key";

/// Reads the digest key on first use: most programmes never merge players. Only the function that computes address
/// digests has permission to read it.
#[derive(Debug)]
pub struct DigestKeyReader {
    client: Client,
    table: String,
    key: OnceCell<Vec<u8>>,
}

impl DigestKeyReader {
    /// Creates a reader. The key is read later.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        DigestKeyReader { client: store.reads.clone(), table: store.table("Catalog"), key: OnceCell::new() }
    }

    /// Returns the key. It is read once, because it never changes: digests made with another key would not match.
    ///
    /// # Errors
    /// The store call failed, or there is no key.
    pub async fn get(&self) -> Result<&[u8], StoreError> {
        self.key.get_or_try_init(|| self.read()).await.map(Vec::as_slice)
    }

    async fn read(&self) -> Result<Vec<u8>, StoreError> {
        let items = read_part(&self.client, &self.table, DIGEST).await?;
        let key = items.first().and_then(|item| item.bytes("key"));
        key.map(<[u8]>::to_vec).ok_or(StoreError::corrupt(READ, "no digest key"))
    }
}
