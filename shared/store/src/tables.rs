//! Table creation, for stores that are not deployed by `template.yaml`.

use aws_sdk_dynamodb::{
    operation::create_table::CreateTableError,
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};

use crate::{Store, error::StoreError};

const CREATE: &str = "create a table";

/// A table's key schema. All keys are strings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableKey {
    /// The partition key's name.
    pub hash: String,
    /// The sort key's name, if the table has one.
    pub range: Option<String>,
}

/// Creates tables.
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

    /// Creates a table, unless one with this name exists.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn create(&self, name: &str, key: &TableKey) -> Result<(), StoreError> {
        let mut request =
            self.store.reads.create_table().table_name(self.store.table(name)).billing_mode(BillingMode::PayPerRequest);
        let parts = [(Some(&key.hash), KeyType::Hash), (key.range.as_ref(), KeyType::Range)];
        for (name, key_type) in parts.into_iter().filter_map(|(name, key_type)| Some((name?, key_type))) {
            let invalid = |error| StoreError::internal(CREATE, error);
            let definition = AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
            let element = KeySchemaElement::builder().attribute_name(name).key_type(key_type);
            request = request
                .attribute_definitions(definition.build().map_err(invalid)?)
                .key_schema(element.build().map_err(invalid)?);
        }
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(CreateTableError::ResourceInUseException(_)) => Ok(()),
                _ => Err(StoreError::read(CREATE, &error)),
            },
        }
    }
}
