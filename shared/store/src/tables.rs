//! Table creation and upgrades, for stores that are not deployed by `template.yaml`.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
        GlobalSecondaryIndexUpdate, IndexStatus, KeySchemaElement, KeyType, Projection, ProjectionType,
        ScalarAttributeType, TableDescription,
    },
};
use tokio::time::Instant;

use crate::{
    Store,
    error::{Cause, StoreError},
};

const CREATE: &str = "create a table";
const UPGRADE: &str = "add an index";

/// Time limit for filling a new index.
const INDEX_LIMIT: Duration = Duration::from_mins(10);
const INDEX_PAUSE: Duration = Duration::from_millis(200);

/// A table or index key. All keys are strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableKey {
    /// The partition key's name.
    pub hash: String,
    /// The sort key's name, if there is one.
    pub range: Option<String>,
}

/// A table and its indexes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// The table's name, without the prefix.
    pub name: String,
    /// The table's key.
    pub key: TableKey,
    /// The indexes, which hold keys only.
    pub indexes: Vec<IndexDefinition>,
}

/// A global secondary index that holds keys only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDefinition {
    /// The index's name.
    pub name: String,
    /// The index's key.
    pub key: TableKey,
}

/// Creates and upgrades tables.
#[derive(Debug, Clone)]
pub struct Tables {
    store: Store,
}

impl Tables {
    /// Creates a handle to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Tables { store: store.clone() }
    }

    /// Creates a table, or adds the indexes that an existing one lacks. Returns the names of added indexes.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn create(&self, table: &TableDefinition) -> Result<Vec<String>, StoreError> {
        let invalid = |error| StoreError::internal(CREATE, error);
        let indexes: Result<Vec<_>, _> = table.indexes.iter().map(IndexDefinition::to_create).collect();
        let indexes = indexes.map_err(invalid)?;
        let request = self
            .store
            .reads
            .create_table()
            .table_name(self.store.table(&table.name))
            .billing_mode(BillingMode::PayPerRequest)
            .set_attribute_definitions(Some(attributes(table.keys()).map_err(invalid)?))
            .set_key_schema(Some(table.key.schema().map_err(invalid)?))
            .set_global_secondary_indexes((!indexes.is_empty()).then_some(indexes));
        match request.send().await {
            Ok(_) => Ok(Vec::new()),
            Err(error) => match error.as_service_error() {
                Some(CreateTableError::ResourceInUseException(_)) => self.add_indexes(table).await,
                _ => Err(StoreError::read(CREATE, &error)),
            },
        }
    }

    async fn add_indexes(&self, table: &TableDefinition) -> Result<Vec<String>, StoreError> {
        let mut added = Vec::new();
        for index in &table.indexes {
            if self.index_status(table, index).await?.is_none() {
                self.add_index(table, index).await?;
                added.push(index.name.clone());
            }
        }
        Ok(added)
    }

    /// Adds an index and waits until it is filled.
    async fn add_index(&self, table: &TableDefinition, index: &IndexDefinition) -> Result<(), StoreError> {
        let invalid = |error| StoreError::internal(UPGRADE, error);
        let create = CreateGlobalSecondaryIndexAction::builder()
            .index_name(&index.name)
            .set_key_schema(Some(index.key.schema().map_err(invalid)?))
            .projection(keys_only())
            .build()
            .map_err(invalid)?;
        let update = self
            .store
            .reads
            .update_table()
            .table_name(self.store.table(&table.name))
            .set_attribute_definitions(Some(attributes(table.keys()).map_err(invalid)?))
            .global_secondary_index_updates(GlobalSecondaryIndexUpdate::builder().create(create).build());
        update.send().await.map_err(|error| StoreError::read(UPGRADE, &error))?;
        let deadline = Instant::now() + INDEX_LIMIT;
        while self.index_status(table, index).await? != Some(IndexStatus::Active) {
            if Instant::now() >= deadline {
                return Err(StoreError::unavailable(UPGRADE, Cause::TimedOut));
            }
            tokio::time::sleep(INDEX_PAUSE).await;
        }
        Ok(())
    }

    async fn index_status(
        &self,
        table: &TableDefinition,
        index: &IndexDefinition,
    ) -> Result<Option<IndexStatus>, StoreError> {
        let described = self.store.reads.describe_table().table_name(self.store.table(&table.name)).send().await;
        let described = described.map_err(|error| StoreError::read(UPGRADE, &error))?.table;
        let indexes = described.as_ref().map(TableDescription::global_secondary_indexes).unwrap_or_default();
        let found = indexes.iter().find(|found| found.index_name() == Some(&index.name));
        Ok(found.and_then(|found| found.index_status().cloned()))
    }
}

impl TableDefinition {
    fn keys(&self) -> impl Iterator<Item = &TableKey> {
        std::iter::once(&self.key).chain(self.indexes.iter().map(|index| &index.key))
    }
}

type Invalid = aws_sdk_dynamodb::error::BuildError;

impl IndexDefinition {
    fn to_create(&self) -> Result<GlobalSecondaryIndex, Invalid> {
        let index = GlobalSecondaryIndex::builder().index_name(&self.name).projection(keys_only());
        index.set_key_schema(Some(self.key.schema()?)).build()
    }
}

impl TableKey {
    fn schema(&self) -> Result<Vec<KeySchemaElement>, Invalid> {
        let parts = [(Some(&self.hash), KeyType::Hash), (self.range.as_ref(), KeyType::Range)];
        let parts = parts.into_iter().filter_map(|(name, key_type)| Some((name?, key_type)));
        parts
            .map(|(name, key_type)| KeySchemaElement::builder().attribute_name(name).key_type(key_type).build())
            .collect()
    }
}

/// The definitions of all attributes in keys, each once.
fn attributes<'k>(keys: impl Iterator<Item = &'k TableKey>) -> Result<Vec<AttributeDefinition>, Invalid> {
    let names: std::collections::BTreeSet<_> =
        keys.flat_map(|key| std::iter::once(&key.hash).chain(key.range.as_ref())).collect();
    let define = |name: &String| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
    };
    names.into_iter().map(define).collect()
}

fn keys_only() -> Projection {
    Projection::builder().projection_type(ProjectionType::KeysOnly).build()
}
