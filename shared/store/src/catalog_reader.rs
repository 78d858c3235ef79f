//! Cached catalog reads for functions: callers for a minute, rules until the version changes.

use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Catalog;
use tokio::sync::Mutex;

use crate::{
    Store,
    cache::{Cache, FRESH_FOR, REFRESH_PAUSE},
    catalog::{Callers, CatalogVersion, parse_rules, read_callers, read_rules_json},
    error::StoreError,
};

/// Reads callers, keys and the current catalog version.
#[derive(Debug)]
pub struct CallerReader {
    client: Client,
    table: String,
    cache: Cache<Callers>,
}

impl CallerReader {
    /// Creates a reader with an empty cache.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        CallerReader { client: store.reads.clone(), table: store.table("Catalog"), cache: Cache::default() }
    }

    /// Returns the callers, at most 60 seconds old, or up to 5 minutes if they cannot be refreshed.
    ///
    /// # Errors
    /// They cannot be read, and the cached ones are too old.
    pub async fn current(&self, now: Timestamp) -> Result<Arc<Callers>, StoreError> {
        self.cache.get(FRESH_FOR, now, || self.read()).await
    }

    /// Returns the callers, at most 5 seconds old. Used if a caller is not in the cache.
    ///
    /// # Errors
    /// See [`current`](Self::current).
    pub async fn newer(&self, now: Timestamp) -> Result<Arc<Callers>, StoreError> {
        self.cache.get(REFRESH_PAUSE, now, || self.read()).await
    }

    fn read(&self) -> impl Future<Output = Result<Callers, StoreError>> + use<> {
        let (client, table) = (self.client.clone(), self.table.clone());
        async move { read_callers(&client, &table).await }
    }
}

/// A version of the catalog.
#[derive(Debug, Default)]
pub struct AppliedCatalog {
    /// The version number, or 0 if no catalog was applied.
    pub version: u64,
    /// Settings and rules.
    pub rules: Catalog,
}

/// Reads settings and rules.
#[derive(Debug)]
pub struct RulesReader {
    client: Client,
    table: String,
    cache: Mutex<Option<(CatalogVersion, Arc<AppliedCatalog>)>>,
}

impl RulesReader {
    /// Creates a reader with an empty cache.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        RulesReader { client: store.reads.clone(), table: store.table("Catalog"), cache: Mutex::default() }
    }

    /// Returns the settings and rules of a version. Applied versions are immutable, so each is read once.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn of(&self, version: CatalogVersion) -> Result<Arc<AppliedCatalog>, StoreError> {
        // Locked during the read: waiting requests need the same version, and the read has a timeout.
        let mut cache = self.cache.lock().await;
        if let Some((cached, rules)) = &*cache
            && *cached == version
        {
            return Ok(rules.clone());
        }
        let rules = match read_rules_json(&self.client, &self.table, version).await? {
            Some((json, version)) => AppliedCatalog { version, rules: parse_rules(&json)? },
            None => AppliedCatalog::default(),
        };
        let rules = Arc::new(rules);
        *cache = Some((version, rules.clone()));
        Ok(rules)
    }
}
