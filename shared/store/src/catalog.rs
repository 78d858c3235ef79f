//! Table `Catalog`, key `part`, `id`: all data that operators manage.
//!
//! | part | id | item |
//! |---|---|---|
//! | `open` | `client#…`, `apikey#…`, `key#…` | an API client, an API key, a public key |
//! | `open` | `current` | the current catalog version |
//! | `open` | `erasure` | the key for digests of erased ids |
//! | `history` | `VERSION#CHUNK` | an immutable chunk of an applied catalog's JSON |
//! | `private` | key id | a private signing key |
//! | `digest` | `current` | the key for digests of e-mail addresses and mobile numbers |
//! | `quarantine` | `current` | the key that encrypts the quarantine of `punchcard serve` |
//! | `erasures` | time, `#`, UUID | an erasure: who, when, and how many items |
//!
//! Callers and keys are small and read often. Rules can be large and are read only when the version changes. Stores
//! created by version 0.1.0 hold their rules as `rules#CHUNK` in part `open` until a catalog is applied.

use aws_sdk_dynamodb::Client as Dynamo;
use punchcard_models::{
    access::{Access, ApiKey, Client, Scope, SecretDigest},
    erasure::ErasureKey,
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_rewards::Catalog;

use crate::{
    error::StoreError,
    history,
    item::{Attributes as _, Item, s},
};

pub(crate) const OPEN: &str = "open";
pub(crate) const HISTORY: &str = "history";
pub(crate) const PRIVATE: &str = "private";
pub(crate) const DIGEST: &str = "digest";
pub(crate) const QUARANTINE: &str = "quarantine";
pub(crate) const ERASURES: &str = "erasures";
pub(crate) const CURRENT: &str = "current";
pub(crate) const ERASURE: &str = "erasure";
pub(crate) const CLIENT: &str = "client#";
pub(crate) const API_KEY: &str = "apikey#";
pub(crate) const PUBLIC_KEY: &str = "key#";
/// Id prefix of rules stored by version 0.1.0. Also the upper bound of the ids read with the callers.
const OLD_RULES: &str = "rules#";

const READ: &str = "read the catalog";

/// The version of the current catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatalogVersion {
    /// No catalog was applied, or only one in the format of version 0.1.0.
    #[default]
    Unmarked,
    /// A catalog in part `history`.
    Applied {
        /// The version number, starting at 1.
        version: u64,
    },
}

/// The clients and keys that may call the API, and the current catalog version.
#[derive(Debug, Default)]
pub struct Callers {
    /// Clients, API keys and public keys.
    pub access: Access,
    /// The current catalog version.
    pub catalog: CatalogVersion,
    /// The key for digests of erased ids. `None` if nothing was erased.
    pub erasure: Option<ErasureKey>,
}

/// The whole catalog.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Clients, API keys and public keys.
    pub access: Access,
    /// Settings and rules.
    pub rules: Catalog,
    /// The version number, or 0 if no catalog was applied.
    pub version: u64,
}

/// Reads the items of a part, optionally only those whose ids meet a condition, with strong consistency.
pub(crate) async fn query(
    client: &Dynamo,
    table: &str,
    part: &str,
    ids: Option<(&str, &str)>,
) -> Result<Vec<Item>, StoreError> {
    let mut query =
        client.query().table_name(table).expression_attribute_values(":part", s(part)).consistent_read(true);
    query = match ids {
        None => query.key_condition_expression("part = :part"),
        Some((condition, id)) => query
            .key_condition_expression(format!("part = :part AND {condition}"))
            .expression_attribute_values(":id", s(id)),
    };
    let mut pages = query.into_paginator().items().send();
    let mut items = Vec::new();
    while let Some(item) = pages.next().await {
        items.push(item.map_err(|error| StoreError::read(READ, &error))?);
    }
    Ok(items)
}

/// Reads a whole part, ordered by id.
pub(crate) async fn read_part(client: &Dynamo, table: &str, part: &str) -> Result<Vec<Item>, StoreError> {
    query(client, table, part, None).await
}

/// Reads the items of part `open`, except rules stored by version 0.1.0.
pub(crate) async fn read_open(client: &Dynamo, table: &str) -> Result<Vec<Item>, StoreError> {
    query(client, table, OPEN, Some(("id < :id", OLD_RULES))).await
}

pub(crate) async fn read_callers(client: &Dynamo, table: &str) -> Result<Callers, StoreError> {
    let mut callers = Callers::default();
    let access = &mut callers.access;
    for item in read_open(client, table).await? {
        let corrupt = |what| StoreError::corrupt(READ, what);
        let id = item.text("id").ok_or_else(|| corrupt("an id"))?;
        if let Some(name) = id.strip_prefix(CLIENT) {
            let (id, client) = read_client(name, &item).ok_or_else(|| corrupt("a client"))?;
            access.clients.insert(id, client);
        } else if id.starts_with(API_KEY) {
            let (digest, key) = read_api_key(&item).ok_or_else(|| corrupt("an API key"))?;
            access.api_keys.insert(digest, key);
        } else if let Some(id) = id.strip_prefix(PUBLIC_KEY) {
            let key = item.bytes("publicKey").and_then(|key| key.try_into().ok());
            access.public_keys.insert(id.to_owned(), key.ok_or_else(|| corrupt("a public key"))?);
        } else if id == CURRENT {
            callers.catalog = read_version(&item).ok_or_else(|| corrupt("the catalog's version"))?;
        } else if id == ERASURE {
            let key = item.bytes("key").and_then(ErasureKey::stored);
            callers.erasure = Some(key.ok_or_else(|| corrupt("the key of erased ids"))?);
        }
    }
    Ok(callers)
}

fn read_version(item: &Item) -> Option<CatalogVersion> {
    Some(CatalogVersion::Applied { version: item.number("version")? })
}

/// Returns the current catalog's JSON and version, or `None` if no catalog was applied.
pub(crate) async fn read_rules_json(
    client: &Dynamo,
    table: &str,
    version: CatalogVersion,
) -> Result<Option<(String, u64)>, StoreError> {
    let CatalogVersion::Applied { version, .. } = version else {
        return Ok(read_old_rules(client, table).await?.map(|old| (old.json, old.version)));
    };
    let json = history::read_version(client, table, version).await?;
    json.map(|json| Some((json, version))).ok_or(StoreError::corrupt(READ, "the current catalog"))
}

/// Rules stored by version 0.1.0.
pub(crate) struct OldRules {
    pub version: u64,
    pub json: String,
}

/// Reads rules stored by version 0.1.0. It overwrote the chunks in one transaction, so a read of several pages can
/// return chunks of two versions. Such a read is repeated.
pub(crate) async fn read_old_rules(client: &Dynamo, table: &str) -> Result<Option<OldRules>, StoreError> {
    const READS: usize = 3;
    for _ in 0..READS {
        let items = query(client, table, OPEN, Some(("begins_with(id, :id)", OLD_RULES))).await?;
        let Some(first) = items.first() else { return Ok(None) };
        let corrupt = || StoreError::corrupt(READ, "the rules");
        let version: u64 = first.number("version").ok_or_else(corrupt)?;
        let count: usize = first.number("chunks").ok_or_else(corrupt)?;
        let chunks = items.get(..count).unwrap_or_default();
        if count > 0 && chunks.len() == count && chunks.iter().all(|chunk| chunk.number("version") == Some(version)) {
            let json = chunks.iter().map(|chunk| chunk.text("json")).collect::<Option<_>>();
            return Ok(Some(OldRules { version, json: json.ok_or_else(corrupt)? }));
        }
    }
    Err(StoreError::corrupt(READ, "rules of mixed versions"))
}

/// Builds an item of a part.
pub(crate) fn part_item(part: &str, id: &str, now: Timestamp) -> Item {
    Item::from([("part".into(), s(part)), ("id".into(), s(id)), ("createdAt".into(), s(now))])
}

pub(crate) fn parse_rules(json: &str) -> Result<Catalog, StoreError> {
    Catalog::from_json(json).map_err(|_| StoreError::corrupt(READ, "the rules"))
}

fn read_client(name: &str, item: &Item) -> Option<(ClientId, Client)> {
    let scopes = item.get("scopes")?.as_ss().ok()?;
    let client = Client {
        secret: SecretDigest::stored(item.bytes("secretDigest")?)?,
        // Unknown scopes grant nothing.
        scopes: scopes.iter().filter_map(|scope| Scope::from_text(scope)).collect(),
        revoked: item.contains_key("revokedAt"),
    };
    Some((name.parse().ok()?, client))
}

fn read_api_key(item: &Item) -> Option<(SecretDigest, ApiKey)> {
    let secret = match item.bytes("secretDigest") {
        Some(digest) => Some(SecretDigest::stored(digest)?),
        None => None,
    };
    let key = ApiKey { name: item.text("name")?.to_owned(), secret, revoked: item.contains_key("revokedAt") };
    Some((SecretDigest::stored(item.bytes("keyDigest")?)?, key))
}
