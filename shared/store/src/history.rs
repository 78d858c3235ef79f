//! Part `history` of table `Catalog`: every applied catalog, in chunks that are never rewritten.
//!
//! The first chunk of a version also holds its number of chunks, the digest of the whole JSON, a note, and the name of
//! the one who applied it. Chunks written before these attributes existed hold none of them.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lru::LruCache;
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Catalog;
use sha2::{Digest as _, Sha256};

use crate::{
    Store,
    catalog::{HISTORY, parse_rules, part_item, query, read_old_rules},
    error::StoreError,
    item::{Attributes as _, Item, b, n, s},
};

const READ: &str = "read the catalog history";

/// Maximum size of a chunk's JSON in bytes, well below DynamoDB's item limit of 400 KB.
const MAX_CHUNK_BYTES: usize = 300_000;
/// Number of versions that a [`HistoryReader`] keeps.
const CACHED_VERSIONS: NonZeroUsize = NonZeroUsize::new(8).expect("not zero");
/// Suffix of the id of a version's first chunk.
const FIRST: &str = "#0000";

/// The circumstances of an applied catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotation {
    /// The operator's note.
    pub note: Option<String>,
    /// The one who applied it: the ARN of AWS credentials, or a local user.
    pub applied_by: Option<String>,
}

/// An applied catalog in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedVersion {
    /// The version number, starting at 1.
    pub version: u64,
    /// The time at which it was applied, in RFC 3339.
    pub applied_at: String,
    /// The note and the one who applied it.
    pub annotation: Annotation,
}

/// Returns the id of a chunk. Zero-padded, so that ids sort by version and chunk.
pub(crate) fn chunk_id(version: u64, chunk: usize) -> String {
    format!("{version:010}#{chunk:04}")
}

/// Builds the chunks of a version.
pub(crate) fn chunks(version: u64, json: &str, annotation: &Annotation, now: Timestamp) -> Vec<Item> {
    let pieces = split(json);
    let count = pieces.len();
    let item = |(index, piece): (usize, &str)| {
        let mut item = part_item(HISTORY, &chunk_id(version, index), now);
        item.insert("json".into(), s(piece));
        item
    };
    let mut items: Vec<_> = pieces.into_iter().enumerate().map(item).collect();
    if let Some(first) = items.first_mut() {
        first.insert("chunks".into(), n(count));
        first.insert("digest".into(), digest(json));
        first.extend(annotation.note.as_ref().map(|note| ("note".to_owned(), s(note))));
        first.extend(annotation.applied_by.as_ref().map(|by| ("appliedBy".to_owned(), s(by))));
    }
    items
}

fn digest(json: &str) -> AttributeValue {
    b(&Sha256::digest(json))
}

/// Splits text at character boundaries into chunks of at most [`MAX_CHUNK_BYTES`].
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

/// Reads the JSON of a version, or returns `None` if there is no such version.
pub(crate) async fn read_version(client: &Client, table: &str, version: u64) -> Result<Option<String>, StoreError> {
    let ids = format!("{version:010}#");
    let items = query(client, table, HISTORY, Some(("begins_with(id, :id)", &ids))).await?;
    let Some(first) = items.first() else {
        let old = read_old_rules(client, table).await?;
        return Ok(old.filter(|old| old.version == version).map(|old| old.json));
    };
    let corrupt = || StoreError::corrupt(READ, "the chunks of a catalog");
    let json: String = items.iter().map(|chunk| chunk.text("json")).collect::<Option<_>>().ok_or_else(corrupt)?;
    let in_order = items.iter().enumerate().all(|(index, item)| item.text("id") == Some(&chunk_id(version, index)));
    let complete = first.number("chunks").is_none_or(|chunks: usize| chunks == items.len());
    let unchanged = first.get("digest").is_none_or(|stored| *stored == digest(&json));
    if in_order && complete && unchanged { Ok(Some(json)) } else { Err(corrupt()) }
}

/// Lists up to `limit` versions, newest first.
pub(crate) async fn read_versions(
    client: &Client,
    table: &str,
    limit: usize,
) -> Result<Vec<AppliedVersion>, StoreError> {
    let query = client
        .query()
        .table_name(table)
        .key_condition_expression("part = :part")
        .expression_attribute_values(":part", s(HISTORY))
        // The JSON is not returned, although it is read.
        .projection_expression("id, createdAt, note, appliedBy")
        .scan_index_forward(false)
        .consistent_read(true);
    let mut pages = query.into_paginator().items().send();
    let mut versions = Vec::new();
    while versions.len() < limit
        && let Some(item) = pages.next().await
    {
        let item = item.map_err(|error| StoreError::read(READ, &error))?;
        let corrupt = || StoreError::corrupt(READ, "a chunk of a catalog");
        let id = item.text("id").ok_or_else(corrupt)?;
        let Some(version) = id.strip_suffix(FIRST) else { continue };
        let text = |name: &str| item.text(name).map(str::to_owned);
        versions.push(AppliedVersion {
            version: version.parse().map_err(|_| corrupt())?,
            applied_at: text("createdAt").ok_or_else(corrupt)?,
            annotation: Annotation { note: text("note"), applied_by: text("appliedBy") },
        });
    }
    Ok(versions)
}

/// Reads any applied catalog, for derivations of awards.
#[derive(Debug)]
pub struct HistoryReader {
    client: Client,
    table: String,
    cache: Mutex<LruCache<u64, Arc<Catalog>>>,
}

impl HistoryReader {
    /// Creates a reader with an empty cache.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let cache = Mutex::new(LruCache::new(CACHED_VERSIONS));
        HistoryReader { client: store.reads.clone(), table: store.table("Catalog"), cache }
    }

    /// Returns a version of the catalog, or `None` if there is no such version. Version 0 is the empty catalog of a
    /// store to which none was applied.
    ///
    /// # Errors
    /// The store call failed, or the version is damaged.
    pub async fn of(&self, version: u64) -> Result<Option<Arc<Catalog>>, StoreError> {
        if version == 0 {
            return Ok(Some(Arc::default()));
        }
        if let Some(cached) = self.cache().get(&version) {
            return Ok(Some(cached.clone()));
        }
        let Some(json) = read_version(&self.client, &self.table, version).await? else { return Ok(None) };
        let catalog = Arc::new(parse_rules(&json)?);
        self.cache().put(version, catalog.clone());
        Ok(Some(catalog))
    }

    /// Returns the JSON of a version as it is stored, or `None` if there is no such version.
    ///
    /// # Errors
    /// The store call failed, or the version is damaged.
    pub async fn json_of(&self, version: u64) -> Result<Option<String>, StoreError> {
        read_version(&self.client, &self.table, version).await
    }

    /// Returns the versions of all applied catalogs, oldest first.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn versions(&self) -> Result<Vec<u64>, StoreError> {
        let versions = read_versions(&self.client, &self.table, usize::MAX).await?;
        Ok(versions.into_iter().rev().map(|applied| applied.version).collect())
    }

    fn cache(&self) -> MutexGuard<'_, LruCache<u64, Arc<Catalog>>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
