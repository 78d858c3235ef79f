//! Part `private` of table `Catalog`: the keys that tokens are signed with.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use punchcard_models::{access::SigningKey, timestamp::Timestamp};

use crate::{
    catalog::{PRIVATE, read_part},
    item::{Attributes as _, Item},
    kept::{FRESH, Kept},
    outage::Outage,
};

const READ: &str = "read the signing keys";

/// The private keys.
#[derive(Debug)]
pub struct SigningKeys {
    client: Client,
    table: String,
    kept: Kept<SigningKey>,
}

impl SigningKeys {
    pub(crate) fn new(client: Client, table: String) -> Self {
        SigningKeys { client, table, kept: Kept::default() }
    }

    /// The newest key, as known at most a minute ago.
    ///
    /// # Errors
    /// The store could not be used, or there is no key.
    pub async fn newest(&self, now: Timestamp) -> Result<Arc<SigningKey>, Outage> {
        self.kept.get(FRESH, now, self.read()).await
    }

    async fn read(&self) -> Result<SigningKey, Outage> {
        let items = read_part(&self.client, &self.table, PRIVATE).await?;
        let newest = items.iter().max_by_key(|item| item.text("createdAt"));
        newest.and_then(signing_key).ok_or(Outage::unreadable(READ, "no signing key"))
    }
}

fn signing_key(item: &Item) -> Option<SigningKey> {
    Some(SigningKey { id: item.text("id")?.to_owned(), pkcs8: item.bytes("pkcs8")?.to_vec() })
}
