//! Operator access to table `Catalog`, which functions only read, and to the shares of total limits.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::{
    Client as Dynamo,
    types::{AttributeValue, Put, TransactWriteItem, Update},
};
use punchcard_models::{
    access::{Scope, SecretDigest, SigningKey},
    erasure::ErasureKey,
    ids::ClientId,
    timestamp::Timestamp,
};
use tokio::time::Instant;

use crate::{
    Store,
    catalog::{
        API_KEY, CLIENT, CURRENT, CatalogVersion, DIGEST, OPEN, OldRules, PRIVATE, PUBLIC_KEY, QUARANTINE, Snapshot,
        parse_rules, part_item, read_callers, read_old_rules, read_open, read_part, read_rules_json,
    },
    conditional_write::{Transacted, new_item, put_new, transact},
    error::{FailedAttempt, StoreError},
    history::{self, Annotation, AppliedVersion, read_version, read_versions},
    item::{Attributes as _, Item, b, n, s},
    read_items::{MAX_READ_ITEMS, read_items},
    retry::Retries,
    totals::{SHARE, StoredTotal, USED, read_totals},
};

const WRITE: &str = "write the catalog";
const READ_USES: &str = "read total limits";

/// Time limit of one write, including retries.
const WRITE_LIMIT: Duration = Duration::from_secs(10);
/// Time limit of one batch read.
const READ_LIMIT: Duration = Duration::from_secs(30);

/// Operator access to the catalog.
#[derive(Debug, Clone)]
pub struct Admin {
    reads: Dynamo,
    writes: Dynamo,
    table: String,
    members: String,
}

/// The outcome of adding an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddOutcome {
    /// The item was created.
    Created,
    /// The item existed and is unchanged.
    Existed,
}

/// A change of a shard's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareChange {
    /// The share that the item has. `None`: it has the one of the catalog.
    pub seen: Option<u64>,
    /// The new share.
    pub share: u64,
    /// The change is made only if the shard was not used more often than this.
    pub most_used: Option<u64>,
}

/// Applied settings and rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedRules {
    /// The version number, starting at 1.
    pub version: u64,
    /// The canonical JSON.
    pub json: String,
}

/// A catalog change failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AdminError {
    /// Another catalog was applied concurrently.
    #[error("another catalog was applied concurrently")]
    Superseded,
    /// There is no such version of the catalog.
    #[error("there is no version {0} of the catalog")]
    UnknownVersion(u64),
    /// No client or API key has this name.
    #[error("no client or API key has this name")]
    UnknownCaller,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Admin {
    /// Creates operator access to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Admin {
            reads: store.reads.clone(),
            writes: store.writes.clone(),
            table: store.table("Catalog"),
            members: store.table("Members"),
        }
    }

    /// Returns total limits and shards by the names of their items. An item that does not exist is left out.
    ///
    /// # Errors
    /// The store call failed, or an item cannot be read.
    pub async fn totals(&self, names: &[String]) -> Result<BTreeMap<String, StoredTotal>, StoreError> {
        let mut totals = BTreeMap::new();
        for names in names.chunks(MAX_READ_ITEMS) {
            let keys = names.iter().map(|name| Item::from([("memberId".into(), s(name))])).collect();
            let items = read_items(&self.reads, READ_USES, &self.members, keys, Instant::now() + READ_LIMIT).await?;
            let found = read_totals(READ_USES, &items)?;
            totals.extend(found.into_iter().map(|(name, total)| (name.to_owned(), total)));
        }
        Ok(totals)
    }

    /// Returns true if another version than this one is in force. A store whose rules version 0.1.0 applied has none.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn is_superseded(&self, seen: u64) -> Result<bool, StoreError> {
        Ok(match read_callers(&self.reads, &self.table).await?.catalog {
            CatalogVersion::Applied { version } => version != seen,
            CatalogVersion::Unmarked => false,
        })
    }

    /// Changes the share of a shard, given the name of its item. Returns false if a condition of the change fails.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn set_share(&self, name: &str, change: ShareChange) -> Result<bool, StoreError> {
        let outcome = self.transact(|| {
            let mut update = Update::builder()
                .table_name(&self.members)
                .key("memberId", s(name))
                .update_expression("SET #share = :share, #used = if_not_exists(#used, :none)")
                .expression_attribute_names("#share", SHARE)
                .expression_attribute_names("#used", USED)
                .expression_attribute_values(":share", n(change.share))
                .expression_attribute_values(":none", n(0));
            // A repeated attempt finds its own share.
            let mut condition = "(#share = :share OR ".to_owned();
            if let Some(seen) = change.seen {
                condition.push_str("#share = :seen)");
                update = update.expression_attribute_values(":seen", n(seen));
            } else {
                condition.push_str("attribute_not_exists(#share))");
            }
            if let Some(most) = change.most_used {
                condition.push_str(" AND (attribute_not_exists(#used) OR #used <= :most)");
                update = update.expression_attribute_values(":most", n(most));
            }
            let update = update.condition_expression(condition).build();
            let update = update.map_err(|error| StoreError::internal(WRITE, error))?;
            Ok(vec![TransactWriteItem::builder().update(update).build()])
        });
        Ok(matches!(outcome.await?, Transacted::Done))
    }

    /// Returns the whole catalog.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let callers = read_callers(&self.reads, &self.table).await?;
        let (rules, version) = match read_rules_json(&self.reads, &self.table, callers.catalog).await? {
            Some((json, version)) => (parse_rules(&json)?, version),
            None => Default::default(),
        };
        Ok(Snapshot { access: callers.access, rules, version })
    }

    /// Checks that the store responds, by reading a key that need not exist.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let read = self.reads.get_item().table_name(&self.table).key("part", s("ping")).key("id", s("ping"));
        read.send().await.map(|_| ()).map_err(|error| StoreError::read("ping", &error))
    }

    /// Adds an API client, unless one with this id exists.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn add_client(
        &self,
        id: &ClientId,
        secret: SecretDigest,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<AddOutcome, StoreError> {
        let scopes = AttributeValue::Ss(scopes.iter().map(|scope| scope.as_str().to_owned()).collect());
        let item = part_item(OPEN, &format!("{CLIENT}{id}"), now);
        self.add(item, [("secretDigest", b(secret.as_bytes())), ("scopes", scopes)]).await
    }

    /// Adds an API key and the secret key that belongs to it, unless the key exists.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn add_api_key(
        &self,
        name: &str,
        key: SecretDigest,
        secret: SecretDigest,
        now: Timestamp,
    ) -> Result<AddOutcome, StoreError> {
        let item = part_item(OPEN, &format!("{API_KEY}{key}"), now);
        let (key, secret) = (b(key.as_bytes()), b(secret.as_bytes()));
        self.add(item, [("keyDigest", key), ("secretDigest", secret), ("name", s(name))]).await
    }

    /// Adds a signing key. The private and public key are written atomically, so that every token can be verified.
    ///
    /// # Errors
    /// The store call failed, or a key with this id exists.
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
            // An earlier attempt succeeded and its response was lost: key ids are random.
            Transacted::ConditionFailed(_, item) if item.bytes("publicKey") == Some(public) => Ok(()),
            Transacted::ConditionFailed(..) => Err(StoreError::corrupt(WRITE, "a signing key of this id exists")),
        }
    }

    /// Adds the key for address digests, unless one exists.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn add_digest_key(&self, key: &[u8], now: Timestamp) -> Result<AddOutcome, StoreError> {
        self.add(part_item(DIGEST, "current", now), [("key", b(key))]).await
    }

    /// Adds the key that encrypts the quarantine, unless one exists.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn add_quarantine_key(&self, key: &[u8], now: Timestamp) -> Result<AddOutcome, StoreError> {
        self.add(part_item(QUARANTINE, CURRENT, now), [("key", b(key))]).await
    }

    /// Returns the key that encrypts the quarantine, or `None` if nothing was quarantined in files.
    ///
    /// # Errors
    /// The store call failed, or the key is damaged.
    pub async fn quarantine_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let items = read_part(&self.reads, &self.table, QUARANTINE).await?;
        let Some(item) = items.first() else { return Ok(None) };
        let key = item.bytes("key").ok_or(StoreError::corrupt("read the quarantine key", "no key"))?;
        Ok(Some(key.to_vec()))
    }

    /// Returns the key for digests of erased ids, or `None` if nothing was erased.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn erasure_key(&self) -> Result<Option<ErasureKey>, StoreError> {
        Ok(read_callers(&self.reads, &self.table).await?.erasure)
    }

    /// Lists clients and API keys, including revoked ones.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn callers(&self) -> Result<Vec<Caller>, StoreError> {
        let items = read_open(&self.reads, &self.table).await?;
        Ok(items.iter().filter_map(caller).collect())
    }

    /// Revokes a client or an API key by name. A repeated revocation does not change the time.
    ///
    /// # Errors
    /// The store call failed, or no client or API key has this name.
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

    /// Returns the current settings and rules, or `None` if none were applied.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn rules(&self) -> Result<Option<AppliedRules>, StoreError> {
        let callers = read_callers(&self.reads, &self.table).await?;
        let rules = read_rules_json(&self.reads, &self.table, callers.catalog).await?;
        Ok(rules.map(|(json, version)| AppliedRules { version, json }))
    }

    /// Returns the canonical JSON of [`rules`](Self::rules).
    ///
    /// # Errors
    /// The store call failed.
    pub async fn rules_json(&self) -> Result<Option<String>, StoreError> {
        Ok(self.rules().await?.map(|rules| rules.json))
    }

    /// Returns up to `limit` applied versions, newest first.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn versions(&self, limit: usize) -> Result<Vec<AppliedVersion>, StoreError> {
        read_versions(&self.reads, &self.table, limit).await
    }

    /// Returns the canonical JSON of a version.
    ///
    /// # Errors
    /// The store call failed, there is no such version, or it is damaged.
    pub async fn version(&self, version: u64) -> Result<AppliedRules, AdminError> {
        let json = read_version(&self.reads, &self.table, version).await?;
        json.map(|json| AppliedRules { version, json }).ok_or(AdminError::UnknownVersion(version))
    }

    /// Applies settings and rules as the version after `seen`. Writes their chunks and the version marker in one
    /// transaction.
    ///
    /// # Errors
    /// The store call failed, or `seen` is not the current version.
    pub async fn apply_rules(
        &self,
        json: &str,
        seen: u64,
        annotation: &Annotation,
        now: Timestamp,
    ) -> Result<u64, AdminError> {
        self.adopt_rules(now).await?;
        let marker = read_callers(&self.reads, &self.table).await?.catalog;
        let current = match marker {
            CatalogVersion::Applied { version } => version,
            CatalogVersion::Unmarked => 0,
        };
        if current != seen {
            return Err(AdminError::Superseded);
        }
        let version = seen + 1;
        match self.write_version(marker, version, json, annotation, now).await? {
            Transacted::Done => Ok(version),
            Transacted::ConditionFailed(..) => {
                // An earlier attempt whose response was lost, or a catalog applied concurrently.
                let applied = self.rules_json().await?;
                if applied.as_deref() == Some(json) { Ok(version) } else { Err(AdminError::Superseded) }
            }
        }
    }

    /// Moves rules stored by version 0.1.0 into the history, under their version number. Returns the version if there
    /// were any.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn adopt_rules(&self, now: Timestamp) -> Result<Option<u64>, StoreError> {
        let marker = read_callers(&self.reads, &self.table).await?.catalog;
        if marker != CatalogVersion::Unmarked {
            return Ok(None);
        }
        let Some(OldRules { version, json }) = read_old_rules(&self.reads, &self.table).await? else {
            return Ok(None);
        };
        // A failed condition means that another process adopted them, or applied a catalog, at the same time.
        self.write_version(marker, version, &json, &Annotation::default(), now).await?;
        Ok(Some(version))
    }

    /// Writes a version and its marker, on condition that the current marker is still `seen`.
    async fn write_version(
        &self,
        seen: CatalogVersion,
        version: u64,
        json: &str,
        annotation: &Annotation,
        now: Timestamp,
    ) -> Result<Transacted, StoreError> {
        self.transact(|| {
            let mut writes = vec![self.marker(seen, version, now)?];
            for chunk in history::chunks(version, json, annotation, now) {
                writes.push(new_item(WRITE, &self.table, "id", chunk)?);
            }
            Ok(writes)
        })
        .await
    }

    /// Writes the marker of the current version, on condition that it is still `seen`.
    fn marker(&self, seen: CatalogVersion, version: u64, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let mut item = part_item(OPEN, CURRENT, now);
        item.insert("version".into(), n(version));
        let CatalogVersion::Applied { version: seen } = seen else {
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
    ) -> Result<AddOutcome, StoreError> {
        item.extend(attributes.map(|(name, value)| (name.to_owned(), value)));
        let mut retries = Self::retries();
        loop {
            match put_new(&self.writes, WRITE, &self.table, "id", item.clone()).await {
                Ok(None) => return Ok(AddOutcome::Created),
                // An identical item was written by an earlier attempt whose response was lost.
                Ok(Some(exists)) => return Ok(if exists == item { AddOutcome::Created } else { AddOutcome::Existed }),
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    fn retries() -> Retries {
        Retries::until(Instant::now() + WRITE_LIMIT, WRITE)
    }
}

/// A client or API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client's id, or the API key's name.
    pub name: String,
    /// The APIs that a client may call. `None` for an API key.
    pub scopes: Option<Vec<String>>,
    /// Creation time, in RFC 3339.
    pub created_at: String,
    /// Revocation time, in RFC 3339.
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
