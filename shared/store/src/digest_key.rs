//! Part `digest` of table `Catalog`: the key for digests of e-mail addresses and mobile numbers.

use aws_sdk_dynamodb::Client;
use punchcard_models::{address::AddressDigest, settings::ChannelMerging};
use tokio::sync::OnceCell;

use crate::{
    Store,
    catalog::{DIGEST, read_part},
    error::StoreError,
    item::Attributes as _,
};

const READ: &str = "read the digest key";

/// Reads the digest key on first use: most programmes never merge players. Only the functions that compute
/// digests of addresses have permission to read it.
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

    /// Computes the digest of the address by which a player is merged, if it has one.
    ///
    /// # Errors
    /// The store call failed, or there is no key.
    pub async fn digest(
        &self,
        merging: ChannelMerging,
        address: Option<&str>,
    ) -> Result<Option<AddressDigest>, StoreError> {
        let Some(address) = address else { return Ok(None) };
        Ok(AddressDigest::of(self.get().await?, merging, address))
    }

    /// Returns the key. It is read once, because it never changes: digests made with another key would not match.
    async fn get(&self) -> Result<&[u8], StoreError> {
        self.key.get_or_try_init(|| self.read()).await.map(Vec::as_slice)
    }

    async fn read(&self) -> Result<Vec<u8>, StoreError> {
        let items = read_part(&self.client, &self.table, DIGEST).await?;
        let key = items.first().and_then(|item| item.bytes("key"));
        key.map(<[u8]>::to_vec).ok_or(StoreError::corrupt(READ, "no digest key"))
    }
}
