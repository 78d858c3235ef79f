//! What an operator may do with table `Catalog`, and no function.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client as Dynamo,
    types::{AttributeValue, Put, TransactWriteItem},
};
use punchcard_models::{
    access::{Scope, SecretDigest, SigningKey},
    ids::ClientId,
    timestamp::Timestamp,
};

pub use crate::catalog::AppliedRules;
use crate::{
    catalog::{API_KEY, CLIENT, DIGEST, OPEN, PRIVATE, PUBLIC_KEY, RULES, Snapshot, read, read_open, read_part},
    item::{Attributes as _, Item, b, n, s},
    new_item::{Transacted, new_item, put_new, transact},
    outage::{Cause, Outage},
};

const WRITE: &str = "write the catalog";

/// A rules chunk's JSON, in bytes: well under the 400 KB that an item may have.
const CHUNK: usize = 300_000;

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

    /// The clients and API keys, revoked ones too.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn callers(&self) -> Result<Vec<Caller>, Outage> {
        let items = read_part(&self.client, &self.table, OPEN).await?;
        Ok(items.iter().filter_map(caller).collect())
    }

    /// Revokes a client or an API key, by its name. What was revoked before stays so.
    ///
    /// # Errors
    /// The store could not be used; or, inside, nobody has this name.
    pub async fn revoke(&self, name: &str, now: Timestamp) -> Result<Result<(), UnknownCaller>, Outage> {
        let items = read_part(&self.client, &self.table, OPEN).await?;
        let found = items.iter().filter(|item| caller(item).is_some_and(|caller| caller.name == name));
        let ids: Vec<_> = found.filter_map(|item| item.get("id").cloned()).collect();
        for id in &ids {
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("part", s(OPEN))
                .key("id", id.clone())
                .update_expression("SET revokedAt = if_not_exists(revokedAt, :now)")
                .condition_expression("attribute_exists(id)")
                .expression_attribute_values(":now", s(now));
            update.send().await.map_err(|error| Outage::from_sdk(WRITE, &error))?;
        }
        Ok(if ids.is_empty() { Err(UnknownCaller) } else { Ok(()) })
    }

    /// Settings and rules as they were applied; none, if none were. Chunks of two versions are never mixed.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn rules(&self) -> Result<Option<AppliedRules>, Outage> {
        read_open(&self.client, &self.table).await.map(|(_, rules)| rules)
    }

    /// The canonical JSON of [`Admin::rules`].
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn rules_json(&self) -> Result<Option<String>, Outage> {
        Ok(self.rules().await?.map(|rules| rules.json))
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

/// Nobody has this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownCaller;

/// A client or API key, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client's id, or the API key's name.
    pub name: String,
    /// The APIs that it may call; none, if it is an API key.
    pub scopes: Option<Vec<String>>,
    /// When it was added.
    pub created_at: String,
    /// When it was revoked.
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
