//! Table `Catalog` as an operator writes it; functions only read it.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    Client as Dynamo,
    types::{AttributeValue, Put, TransactWriteItem},
};
use punchcard_models::{
    access::{Scope, SecretDigest, SigningKey},
    ids::ClientId,
    timestamp::Timestamp,
};
use tokio::time::Instant;

use crate::{
    Store,
    catalog::{
        API_KEY, CLIENT, CURRENT, CatalogVersion, DIGEST, HISTORY, OPEN, PRIVATE, PUBLIC_KEY, Snapshot, chunk_id,
        parse_rules, read_callers, read_open, read_rules_json,
    },
    conditional_write::{Transacted, new_item, put_new, transact},
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, b, n, s},
    retry::Retries,
};

const WRITE: &str = "write the catalog";

/// The longest that one write may take, its retries included.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// The JSON of one chunk, in bytes: well below the 400 KB of an item.
const MAX_CHUNK_BYTES: usize = 300_000;

/// The operator's access to the catalog.
#[derive(Debug, Clone)]
pub struct Admin {
    reads: Dynamo,
    writes: Dynamo,
    table: String,
}

/// Whether something was created or existed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// It was created.
    Made,
    /// It existed and is unchanged.
    WasThere,
}

/// Settings and rules as they were applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRules {
    /// Counts the applied catalogs, from 1.
    pub version: u64,
    /// The canonical JSON.
    pub json: String,
}

/// A change of the catalog that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// Another catalog was applied in the meantime.
    #[error("another catalog was applied in the meantime")]
    Superseded,
    /// No client or API key has this name.
    #[error("no client or API key has this name")]
    UnknownCaller,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Admin {
    /// The operator's access to this store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Admin { reads: store.reads.clone(), writes: store.writes.clone(), table: store.table("Catalog") }
    }

    /// The whole catalog.
    ///
    /// # Errors
    /// Of the store.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let callers = read_callers(&self.reads, &self.table).await?;
        let (rules, version) = match read_rules_json(&self.reads, &self.table, callers.catalog).await? {
            Some((json, version)) => (parse_rules(&json)?, version),
            None => Default::default(),
        };
        Ok(Snapshot { access: callers.access, rules, version })
    }

    /// Reads one small item, which need not exist, to see whether the store answers.
    ///
    /// # Errors
    /// Of the store.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let read = self.reads.get_item().table_name(&self.table).key("part", s("ping")).key("id", s("ping"));
        read.send().await.map(|_| ()).map_err(|error| StoreError::read("ping", &error))
    }

    /// Adds an API client, unless one of its id exists.
    ///
    /// # Errors
    /// Of the store.
    pub async fn add_client(
        &self,
        id: &ClientId,
        secret: SecretDigest,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<SetUp, StoreError> {
        let scopes = AttributeValue::Ss(scopes.iter().map(|scope| scope.as_str().to_owned()).collect());
        let item = part_item(OPEN, &format!("{CLIENT}{id}"), now);
        self.add(item, [("secretDigest", b(secret.as_bytes())), ("scopes", scopes)]).await
    }

    /// Adds an API key, unless it exists.
    ///
    /// # Errors
    /// Of the store.
    pub async fn add_api_key(&self, name: &str, key: SecretDigest, now: Timestamp) -> Result<SetUp, StoreError> {
        let item = part_item(OPEN, &format!("{API_KEY}{key}"), now);
        self.add(item, [("keyDigest", b(key.as_bytes())), ("name", s(name))]).await
    }

    /// Adds a signing key: both parts at once, so that no token's key is unknown to those who verify it.
    ///
    /// # Errors
    /// Of the store, or a key of this id exists.
    pub async fn add_signing_key(&self, key: &SigningKey, public: &[u8], now: Timestamp) -> Result<(), StoreError> {
        let writes = || {
            let mut open = part_item(OPEN, &format!("{PUBLIC_KEY}{}", key.id), now);
            open.insert("publicKey".into(), b(public));
            let mut private = part_item(PRIVATE, &key.id, now);
            private.insert("pkcs8".into(), b(&key.pkcs8));
            Ok(vec![new_item(WRITE, &self.table, "id", open)?, new_item(WRITE, &self.table, "id", private)?])
        };
        match self.transact(writes).await? {
            Transacted::Done => Ok(()),
            // A first attempt whose answer was lost: ids of keys are random.
            Transacted::ConditionFailed(_, item) if item.bytes("publicKey") == Some(public) => Ok(()),
            Transacted::ConditionFailed(..) => Err(StoreError::corrupt(WRITE, "a signing key of this id exists")),
        }
    }

    /// Adds the key of the address digests, unless there is one.
    ///
    /// # Errors
    /// Of the store.
    pub async fn add_digest_key(&self, key: &[u8], now: Timestamp) -> Result<SetUp, StoreError> {
        self.add(part_item(DIGEST, "current", now), [("key", b(key))]).await
    }

    /// The clients and API keys, with the revoked ones.
    ///
    /// # Errors
    /// Of the store.
    pub async fn callers(&self) -> Result<Vec<Caller>, StoreError> {
        let items = read_open(&self.reads, &self.table).await?;
        Ok(items.iter().filter_map(caller).collect())
    }

    /// Revokes a client or an API key by its name. An earlier revocation keeps its time.
    ///
    /// # Errors
    /// Of the store, or nothing has this name.
    pub async fn revoke(&self, name: &str, now: Timestamp) -> Result<(), AdminError> {
        let items = read_open(&self.reads, &self.table).await?;
        let found = items.iter().filter(|item| caller(item).is_some_and(|caller| caller.name == name));
        let ids: Vec<_> = found.filter_map(|item| item.get("id").cloned()).collect();
        for id in &ids {
            let mut retries = Self::retries();
            loop {
                let update = self
                    .writes
                    .update_item()
                    .table_name(&self.table)
                    .key("part", s(OPEN))
                    .key("id", id.clone())
                    .update_expression("SET revokedAt = if_not_exists(revokedAt, :now)")
                    .condition_expression("attribute_exists(id)")
                    .expression_attribute_values(":now", s(now));
                match update.send().await {
                    Ok(_) => break,
                    Err(error) => retries.after(FailedAttempt::new(WRITE, &error)).await?,
                }
            }
        }
        if ids.is_empty() { Err(AdminError::UnknownCaller) } else { Ok(()) }
    }

    /// The settings and rules in force. None, if none were applied.
    ///
    /// # Errors
    /// Of the store.
    pub async fn rules(&self) -> Result<Option<AppliedRules>, StoreError> {
        let callers = read_callers(&self.reads, &self.table).await?;
        let rules = read_rules_json(&self.reads, &self.table, callers.catalog).await?;
        Ok(rules.map(|(json, version)| AppliedRules { version, json }))
    }

    /// The canonical JSON of [`rules`](Self::rules).
    ///
    /// # Errors
    /// Of the store.
    pub async fn rules_json(&self) -> Result<Option<String>, StoreError> {
        Ok(self.rules().await?.map(|rules| rules.json))
    }

    /// Applies settings and rules as the version after `seen`: new chunks in the history and the marker that names them,
    /// all at once.
    ///
    /// # Errors
    /// Of the store, or `seen` is no longer the version in force.
    pub async fn apply_rules(&self, json: &str, seen: u64, now: Timestamp) -> Result<u64, AdminError> {
        let marker = read_callers(&self.reads, &self.table).await?.catalog;
        let in_force = match marker {
            CatalogVersion::Applied { version, .. } => version,
            CatalogVersion::Unmarked => {
                read_rules_json(&self.reads, &self.table, marker).await?.map_or(0, |(_, version)| version)
            }
        };
        if in_force != seen {
            return Err(AdminError::Superseded);
        }
        let version = seen + 1;
        let chunks = split(json);
        let writes = || {
            let mut writes = vec![self.marker(marker, version, chunks.len(), now)?];
            for (index, chunk) in chunks.iter().enumerate() {
                let mut item = part_item(HISTORY, &chunk_id(version, index), now);
                item.insert("json".into(), s(*chunk));
                writes.push(new_item(WRITE, &self.table, "id", item)?);
            }
            Ok(writes)
        };
        match self.transact(writes).await? {
            Transacted::Done => Ok(version),
            Transacted::ConditionFailed(..) => {
                // A first attempt whose answer was lost, or another operator's catalog.
                let applied = self.rules_json().await?;
                if applied.as_deref() == Some(json) { Ok(version) } else { Err(AdminError::Superseded) }
            }
        }
    }

    /// The item that names the version in force, if that is still `seen`.
    fn marker(
        &self,
        seen: CatalogVersion,
        version: u64,
        chunks: usize,
        now: Timestamp,
    ) -> Result<TransactWriteItem, StoreError> {
        let mut item = part_item(OPEN, CURRENT, now);
        item.insert("version".into(), n(version));
        item.insert("chunks".into(), n(chunks));
        let CatalogVersion::Applied { version: seen, .. } = seen else {
            return new_item(WRITE, &self.table, "id", item);
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("#version = :seen")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":seen", n(seen));
        let put = put.build().map_err(|error| StoreError::internal(WRITE, error))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    async fn transact(
        &self,
        writes: impl Fn() -> Result<Vec<TransactWriteItem>, StoreError>,
    ) -> Result<Transacted, StoreError> {
        let mut retries = Self::retries();
        loop {
            match transact(&self.writes, WRITE, writes()?).await {
                Ok(outcome) => return Ok(outcome),
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    async fn add<const N: usize>(
        &self,
        mut item: Item,
        attributes: [(&str, AttributeValue); N],
    ) -> Result<SetUp, StoreError> {
        item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        let mut retries = Self::retries();
        loop {
            match put_new(&self.writes, WRITE, &self.table, "id", item.clone()).await {
                Ok(None) => return Ok(SetUp::Made),
                // A first attempt whose answer was lost wrote this very item.
                Ok(Some(exists)) => return Ok(if exists == item { SetUp::Made } else { SetUp::WasThere }),
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    fn retries() -> Retries {
        Retries::until(Instant::now() + WRITE_LIMIT, WRITE)
    }
}

/// A client or API key, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client's id, or the API key's name.
    pub name: String,
    /// The APIs that a client may call; none for an API key.
    pub scopes: Option<Vec<String>>,
    /// The time of its creation.
    pub created_at: String,
    /// The time of its revocation.
    pub revoked_at: Option<String>,
}

fn caller(item: &Item) -> Option<Caller> {
    let id = item.text("id")?;
    let (name, scopes) = match id.strip_prefix(CLIENT) {
        Some(name) => (name, Some(item.get("scopes")?.as_ss().ok()?.clone())),
        None => (id.starts_with(API_KEY).then(|| item.text("name"))??, None),
    };
    Some(Caller {
        name: name.to_owned(),
        scopes,
        created_at: item.text("createdAt")?.to_owned(),
        revoked_at: item.text("revokedAt").map(str::to_owned),
    })
}

fn part_item(part: &str, id: &str, now: Timestamp) -> Item {
    HashMap::from([("part".into(), s(part)), ("id".into(), s(id)), ("createdAt".into(), s(now))])
}

/// Cuts a text into pieces of at most [`MAX_CHUNK_BYTES`], between characters.
fn split(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > MAX_CHUNK_BYTES {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(MAX_CHUNK_BYTES));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}
