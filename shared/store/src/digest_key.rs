//! Part `digest` of table `Catalog`: the key of the e-mail and mobile digests.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use punchcard_models::timestamp::Timestamp;

use crate::{
    catalog::{DIGEST, read_part},
    item::Attributes as _,
    kept::{FRESH, Kept},
    outage::Outage,
};

const READ: &str = "read the digest key";

/// The digest key, which only the function that digests addresses may read.
#[derive(Debug)]
pub struct DigestKey {
    client: Client,
    table: String,
    kept: Kept<Vec<u8>>,
}

impl DigestKey {
    pub(crate) fn new(client: Client, table: String) -> Self {
        DigestKey { client, table, kept: Kept::default() }
    }

    /// The key. It is never changed: the digests would no longer be found.
    ///
    /// # Errors
    /// The store could not be used, or there is no key.
    pub async fn get(&self, now: Timestamp) -> Result<Arc<Vec<u8>>, Outage> {
        self.kept.get(FRESH, now, self.read()).await
    }

    async fn read(&self) -> Result<Vec<u8>, Outage> {
        let items = read_part(&self.client, &self.table, DIGEST).await?;
        let key = items.first().and_then(|item| item.bytes("key"));
        key.map(<[u8]>::to_vec).ok_or(Outage::unreadable(READ, "no digest key"))
    }
}
