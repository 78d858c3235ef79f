//! Table `Catalog`: key `part`, `id`; what an operator decides.
//!
//! | part | id | item |
//! |---|---|---|
//! | `open` | `rules#0000`, … | settings and rules: a chunk of JSON that names its version |
//! | `open` | `client#…`, `apikey#…`, `key#…` | an API client, an API key, a public key |
//! | `private` | key id | a private signing key |
//! | `digest` | `current` | the key of the e-mail and mobile digests |

use std::sync::Arc;

use aws_sdk_dynamodb::Client as Dynamo;
use punchcard_models::{
    access::{Access, ApiKey, Client, Denied, Scope, SecretDigest},
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_rewards::Catalog;

use crate::{
    item::{Attributes as _, Item, s},
    kept::{FRESH, Kept, PATIENCE},
    outage::Outage,
};

const READ: &str = "read the catalog";
pub(crate) const OPEN: &str = "open";
pub(crate) const PRIVATE: &str = "private";
pub(crate) const DIGEST: &str = "digest";
pub(crate) const CLIENT: &str = "client#";
pub(crate) const API_KEY: &str = "apikey#";
pub(crate) const PUBLIC_KEY: &str = "key#";
pub(crate) const RULES: &str = "rules#";

/// The catalog as it was at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Who may call.
    pub access: Access,
    /// Settings and rules.
    pub rules: Catalog,
    /// Counts the applied changes of settings and rules; 0 where none was applied yet.
    pub version: u64,
}

/// Keeps a [`Snapshot`], and reads it again when it is too old.
#[derive(Debug)]
pub struct CatalogReader {
    client: Dynamo,
    table: String,
    kept: Kept<Snapshot>,
}

impl CatalogReader {
    pub(crate) fn new(client: Dynamo, table: String) -> Self {
        CatalogReader { client, table, kept: Kept::default() }
    }

    /// The catalog, at most 60 seconds old; up to 5 minutes where it can't be read again.
    ///
    /// # Errors
    /// It can't be read, and none is kept that could be trusted.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<Snapshot>, Outage> {
        self.kept.get(FRESH, now, read(&self.client, &self.table)).await
    }

    /// Lets a caller in by the current catalog, or by a newer one where this one doesn't know the caller.
    ///
    /// # Errors
    /// The catalog can't be read; or, inside, the caller is denied.
    pub async fn admit<T>(
        &self,
        now: Timestamp,
        check: impl Fn(&Access) -> Result<T, Denied>,
    ) -> Result<Result<(Arc<Snapshot>, T), Denied>, Outage> {
        let snapshot = self.current(now).await?;
        match check(&snapshot.access) {
            Ok(caller) => Ok(Ok((snapshot, caller))),
            Err(denied) if denied.may_be_new() => {
                let snapshot = self.kept.get(PATIENCE, now, read(&self.client, &self.table)).await?;
                Ok(check(&snapshot.access).map(|caller| (snapshot, caller)))
            }
            Err(denied) => Ok(Err(denied)),
        }
    }
}

/// Everything of one part, in the order of the ids, read with strong consistency.
pub(crate) async fn read_part(client: &Dynamo, table: &str, part: &str) -> Result<Vec<Item>, Outage> {
    let mut pages = client
        .query()
        .table_name(table)
        .key_condition_expression("part = :part")
        .expression_attribute_values(":part", s(part))
        .consistent_read(true)
        .into_paginator()
        .items()
        .send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.map_err(|error| Outage::from_sdk(READ, &error))?);
    }
    Ok(items)
}

/// The whole of part `open`.
pub(crate) async fn read(client: &Dynamo, table: &str) -> Result<Snapshot, Outage> {
    let (items, rules) = read_open(client, table).await?;
    let unreadable = |what| Outage::unreadable(READ, what);
    let access = read_access(&items)?;
    let Some(AppliedRules { version, json }) = rules else { return Ok(Snapshot { access, ..Snapshot::default() }) };
    let rules = Catalog::from_json(&json).map_err(|_| unreadable("the rules"))?;
    Ok(Snapshot { access, rules, version })
}

/// Settings and rules as they were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRules {
    /// Counts the applied changes, from 1.
    pub version: u64,
    /// The catalog in canonical JSON.
    pub json: String,
}

/// The items of part `open` with the rules put together, all chunks of one version.
pub(crate) async fn read_open(client: &Dynamo, table: &str) -> Result<(Vec<Item>, Option<AppliedRules>), Outage> {
    /// A reading that falls into an applying sees chunks of two versions; the next one doesn't.
    const READINGS: usize = 3;
    for _ in 0..READINGS {
        let items = read_part(client, table, OPEN).await?;
        match assemble(&items)? {
            Chunks::None => return Ok((items, None)),
            Chunks::Whole(rules) => return Ok((items, Some(rules))),
            Chunks::Mixed => {}
        }
    }
    Err(Outage::unreadable(READ, "rules of mixed versions"))
}

enum Chunks {
    None,
    Whole(AppliedRules),
    Mixed,
}

/// Puts the chunks of the rules together.
fn assemble(items: &[Item]) -> Result<Chunks, Outage> {
    let unreadable = |what| Outage::unreadable(READ, what);
    let is_chunk = |item: &&Item| item.text("id").is_some_and(|id| id.starts_with(RULES));
    let chunks: Vec<&Item> = items.iter().filter(is_chunk).collect();
    let Some(first) = chunks.first() else { return Ok(Chunks::None) };
    let version = first.number("version").ok_or_else(|| unreadable("the version"))?;
    let count: usize = first.number("chunks").ok_or_else(|| unreadable("the number of chunks"))?;
    let whole = chunks.len() >= count && chunks[..count].iter().all(|chunk| chunk.number("version") == Some(version));
    if !whole {
        return Ok(Chunks::Mixed);
    }
    let json: Option<String> = chunks[..count].iter().map(|chunk| chunk.text("json")).collect();
    Ok(Chunks::Whole(AppliedRules { version, json: json.ok_or_else(|| unreadable("a chunk"))? }))
}

fn read_access(items: &[Item]) -> Result<Access, Outage> {
    let unreadable = |what| Outage::unreadable(READ, what);
    let mut access = Access::default();
    for item in items {
        let id = item.text("id").ok_or_else(|| unreadable("an id"))?;
        if let Some(name) = id.strip_prefix(CLIENT) {
            let (id, client) = read_client(name, item).ok_or_else(|| unreadable("a client"))?;
            access.clients.insert(id, client);
        } else if id.starts_with(API_KEY) {
            let (digest, key) = read_api_key(item).ok_or_else(|| unreadable("an API key"))?;
            access.api_keys.insert(digest, key);
        } else if let Some(id) = id.strip_prefix(PUBLIC_KEY) {
            let key = item.bytes("publicKey").and_then(|key| key.try_into().ok());
            access.public_keys.insert(id.to_owned(), key.ok_or_else(|| unreadable("a public key"))?);
        }
    }
    Ok(access)
}

fn read_client(name: &str, item: &Item) -> Option<(ClientId, Client)> {
    let scopes = item.get("scopes")?.as_ss().ok()?;
    let client = Client {
        secret: SecretDigest::stored(item.bytes("secretDigest")?)?,
        // A scope that this version doesn't know allows nothing.
        scopes: scopes.iter().filter_map(|scope| Scope::from_text(scope)).collect(),
        revoked: item.contains_key("revokedAt"),
    };
    Some((ClientId::new(name).ok()?, client))
}

fn read_api_key(item: &Item) -> Option<(SecretDigest, ApiKey)> {
    let key = ApiKey { name: item.text("name")?.to_owned(), revoked: item.contains_key("revokedAt") };
    Some((SecretDigest::stored(item.bytes("keyDigest")?)?, key))
}
