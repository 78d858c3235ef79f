//! Making the tables where no template does: in the embedded store.

use aws_sdk_dynamodb::{
    Client,
    operation::create_table::CreateTableError,
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};

use crate::outage::Outage;

const MAKE: &str = "make a table";

/// A table's key. Every part of every key is a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableKey {
    /// The partition key's name.
    pub hash: String,
    /// The sort key's name, if there is one.
    pub range: Option<String>,
}

/// The tables themselves.
#[derive(Debug, Clone)]
pub struct Tables {
    client: Client,
    prefix: String,
}

impl Tables {
    pub(crate) fn new(client: Client, prefix: String) -> Self {
        Tables { client, prefix }
    }

    /// Makes a table, if there is none of its name.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn make(&self, name: &str, key: &TableKey) -> Result<(), Outage> {
        let mut request = self
            .client
            .create_table()
            .table_name(format!("{}{name}", self.prefix))
            .billing_mode(BillingMode::PayPerRequest);
        let parts = [(Some(&key.hash), KeyType::Hash), (key.range.as_ref(), KeyType::Range)];
        for (name, key_type) in parts.into_iter().filter_map(|(name, key_type)| Some((name?, key_type))) {
            let invalid = |_| Outage::unreadable(MAKE, "a key");
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
                _ => Err(Outage::from_sdk(MAKE, &error)),
            },
        }
    }
}
