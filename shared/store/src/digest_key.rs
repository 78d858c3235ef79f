//! Part `digest` of table `Catalog`: the key of the e-mail and mobile digests.

use aws_sdk_dynamodb::Client;
use tokio::sync::OnceCell;

use crate::{
    catalog::{DIGEST, read_part},
    item::Attributes as _,
    outage::Outage,
};

const READ: &str = "read the digest key";

/// The digest key, which only the function that digests addresses may read.
#[derive(Debug)]
pub struct DigestKey {
    client: Client,
    table: String,
    key: OnceCell<Vec<u8>>,
}

impl DigestKey {
    pub(crate) fn new(client: Client, table: String) -> Self {
        DigestKey { client, table, key: OnceCell::new() }
    }

    /// The key. It is read once and never changes: the digests would no longer be found.
    ///
    /// # Errors
    /// The store could not be used, or there is no key.
    pub async fn get(&self) -> Result<&[u8], Outage> {
        self.key.get_or_try_init(|| self.read()).await.map(Vec::as_slice)
    }

    async fn read(&self) -> Result<Vec<u8>, Outage> {
        let items = read_part(&self.client, &self.table, DIGEST).await?;
        let key = items.first().and_then(|item| item.bytes("key"));
        key.map(<[u8]>::to_vec).ok_or(Outage::unreadable(READ, "no digest key"))
    }
}
