//! Table `Catalog`: key `part`, `id`; what an operator decides.
//!
//! | part | id | item |
//! |---|---|---|
//! | `open` | `rules#0000`, … | settings and rules: a chunk of JSON that names its version |
//! | `open` | `client#…`, `apikey#…`, `key#…` | an API client, an API key, a public key |
//! | `private` | key id | a private signing key |
//! | `digest` | `current` | the key of the e-mail and mobile digests |

use std::{collections::HashMap, sync::Arc};

use aws_sdk_dynamodb::{
    Client as Dynamo,
    types::{AttributeValue, Put, TransactWriteItem},
};
use punchcard_models::{
    access::{Access, ApiKey, Client, Denied, Scope, SecretDigest, SigningKey},
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_rewards::Catalog;

use crate::{
    item::{Attributes as _, Item, b, n, s},
    kept::{FRESH, Kept, PATIENCE},
    new_item::{Transacted, new_item, put_new, transact},
    outage::{Cause, Outage},
};

const READ: &str = "read the catalog";
const WRITE: &str = "write the catalog";
pub(crate) const OPEN: &str = "open";
pub(crate) const PRIVATE: &str = "private";
pub(crate) const DIGEST: &str = "digest";
const CLIENT: &str = "client#";
const API_KEY: &str = "apikey#";
const PUBLIC_KEY: &str = "key#";
const RULES: &str = "rules#";

/// A rules chunk's JSON, in bytes: well under the 400 KB that an item may have.
const CHUNK: usize = 300_000;

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

async fn read(client: &Dynamo, table: &str) -> Result<Snapshot, Outage> {
    /// A reading that falls into an applying sees chunks of two versions; the next one doesn't.
    const READINGS: usize = 3;
    for _ in 0..READINGS {
        let items = read_part(client, table, OPEN).await?;
        if let Some(snapshot) = assemble(&items)? {
            return Ok(snapshot);
        }
    }
    Err(Outage::unreadable(READ, "rules of mixed versions"))
}

/// `None` if the chunks are of different versions.
fn assemble(items: &[Item]) -> Result<Option<Snapshot>, Outage> {
    let unreadable = |what| Outage::unreadable(READ, what);
    let mut access = Access::default();
    let mut chunks: Vec<&Item> = Vec::new();
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
        } else if id.starts_with(RULES) {
            chunks.push(item);
        }
    }
    let Some(first) = chunks.first() else {
        return Ok(Some(Snapshot { access, ..Snapshot::default() }));
    };
    let version = first.number("version").ok_or_else(|| unreadable("the version"))?;
    let count: usize = first.number("chunks").ok_or_else(|| unreadable("the number of chunks"))?;
    let whole = chunks.len() >= count && chunks[..count].iter().all(|chunk| chunk.number("version") == Some(version));
    if !whole {
        return Ok(None);
    }
    let json: Option<String> = chunks[..count].iter().map(|chunk| chunk.text("json")).collect();
    let rules = Catalog::from_json(&json.ok_or_else(|| unreadable("a chunk"))?).map_err(|_| unreadable("the rules"))?;
    Ok(Some(Snapshot { access, rules, version }))
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

/// What an operator may do: set the catalog up and change it.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Dynamo,
    table: String,
}

/// Whether something was made, or had been there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// It is made now.
    Made,
    /// It was there, and stays as it is.
    WasThere,
}

impl Admin {
    pub(crate) fn new(client: Dynamo, table: String) -> Self {
        Admin { client, table }
    }

    /// The catalog as it is stored.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn snapshot(&self) -> Result<Snapshot, Outage> {
        read(&self.client, &self.table).await
    }

    /// Adds an API client, if there is none of its id.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn add_client(
        &self,
        id: &ClientId,
        secret: SecretDigest,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<SetUp, Outage> {
        let scopes = AttributeValue::Ss(scopes.iter().map(|scope| scope.as_str().to_owned()).collect());
        let item = part_item(OPEN, &format!("{CLIENT}{id}"), now);
        self.add(item, [("secretDigest", b(secret.as_bytes())), ("scopes", scopes)]).await
    }

    /// Adds an API key, if it isn't there.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn add_api_key(&self, name: &str, key: SecretDigest, now: Timestamp) -> Result<SetUp, Outage> {
        let item = part_item(OPEN, &format!("{API_KEY}{key}"), now);
        self.add(item, [("keyDigest", b(key.as_bytes())), ("name", s(name))]).await
    }

    /// Adds a signing key, both its parts at once: a token's key is never unknown to who verifies it.
    ///
    /// # Errors
    /// The store could not be used, or a key of this id is there.
    pub async fn add_signing_key(&self, key: &SigningKey, public: &[u8], now: Timestamp) -> Result<(), Outage> {
        let mut open = part_item(OPEN, &format!("{PUBLIC_KEY}{}", key.id), now);
        open.insert("publicKey".into(), b(public));
        let mut private = part_item(PRIVATE, &key.id, now);
        private.insert("pkcs8".into(), b(&key.pkcs8));
        let writes = vec![new_item(WRITE, &self.table, "id", open)?, new_item(WRITE, &self.table, "id", private)?];
        match transact(&self.client, WRITE, writes).await? {
            Transacted::Done => Ok(()),
            Transacted::Failed(..) => Err(Outage::unreadable(WRITE, "a signing key of this id, there already")),
            Transacted::Busy => Err(Outage::new(WRITE, Cause::Busy)),
        }
    }

    /// Adds the key of the address digests, if there is none.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn add_digest_key(&self, key: &[u8], now: Timestamp) -> Result<SetUp, Outage> {
        self.add(part_item(DIGEST, "current", now), [("key", b(key))]).await
    }

    /// Puts settings and rules in the place of those of version `seen`, all at once.
    ///
    /// # Errors
    /// The store could not be used; or, inside, another version is there by now.
    pub async fn apply_rules(&self, json: &str, seen: u64, now: Timestamp) -> Result<Result<u64, Superseded>, Outage> {
        let version = seen + 1;
        let chunks = split(json);
        let mut puts = Vec::with_capacity(chunks.len());
        for (index, chunk) in chunks.iter().enumerate() {
            let mut item = part_item(OPEN, &format!("{RULES}{index:04}"), now);
            item.insert("version".into(), n(version));
            item.insert("chunks".into(), n(chunks.len()));
            item.insert("json".into(), s(*chunk));
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            let put = match (index, seen) {
                (0, 0) => put.condition_expression("attribute_not_exists(id)"),
                (0, _) => put
                    .condition_expression("#version = :seen")
                    .expression_attribute_names("#version", "version")
                    .expression_attribute_values(":seen", n(seen)),
                _ => put,
            };
            puts.push(built(put)?);
        }
        match transact(&self.client, WRITE, puts).await? {
            Transacted::Done => Ok(Ok(version)),
            Transacted::Failed(..) => Ok(Err(Superseded)),
            Transacted::Busy => Err(Outage::new(WRITE, Cause::Busy)),
        }
    }

    async fn add<const N: usize>(
        &self,
        mut item: Item,
        attributes: [(&str, AttributeValue); N],
    ) -> Result<SetUp, Outage> {
        item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        let exists = put_new(&self.client, WRITE, &self.table, "id", item).await?;
        Ok(if exists.is_some() { SetUp::WasThere } else { SetUp::Made })
    }
}

/// Somebody else changed it in the meantime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded;

fn part_item(part: &str, id: &str, now: Timestamp) -> Item {
    HashMap::from([("part".into(), s(part)), ("id".into(), s(id)), ("createdAt".into(), s(now))])
}

fn built(put: aws_sdk_dynamodb::types::builders::PutBuilder) -> Result<TransactWriteItem, Outage> {
    let put = put.build().map_err(|_| Outage::unreadable(WRITE, "a put"))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Cuts a text into pieces of at most [`CHUNK`] bytes, between characters.
fn split(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > CHUNK {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(CHUNK));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}
