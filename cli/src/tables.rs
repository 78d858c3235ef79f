//! Table definitions, read from `template.yaml` so that local and deployed tables cannot diverge.

use punchcard_store::{IndexDefinition, TableDefinition, TableKey};
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::failure::Failure;

const TEMPLATE: &str = include_str!("../../template.yaml");

/// The prefix of table names in the template, which CloudFormation replaces by the stack name.
const STACK: &str = "${AWS::StackName}-";

/// Returns the tables.
///
/// # Errors
/// The template does not have the expected structure.
pub fn of_template() -> Result<Vec<TableDefinition>, Failure> {
    let documents = Yaml::load_from_str(TEMPLATE).map_err(|error| Failure::Template(error.to_string()))?;
    let resources = documents.first().and_then(|template| template.as_mapping_get("Resources"));
    let resources =
        resources.and_then(Yaml::as_mapping).ok_or_else(|| Failure::Template("there are no resources".to_owned()))?;
    resources
        .iter()
        .filter(|(_, resource)| text(resource, "Type") == Some("AWS::DynamoDB::Table"))
        .map(|(name, table)| {
            table
                .as_mapping_get("Properties")
                .and_then(table_of)
                .ok_or_else(|| Failure::Template(format!("table {name:?} does not have the expected structure")))
        })
        .collect()
}

fn table_of(properties: &Yaml) -> Option<TableDefinition> {
    let name = match properties.as_mapping_get("TableName")? {
        Yaml::Tagged(_, name) => name.as_str()?.strip_prefix(STACK)?,
        _ => return None,
    };
    let indexes = match properties.as_mapping_get("GlobalSecondaryIndexes") {
        None => Vec::new(),
        Some(indexes) => indexes.as_sequence()?.iter().map(index_of).collect::<Option<_>>()?,
    };
    Some(TableDefinition { name: name.to_owned(), key: key_of(properties)?, indexes })
}

fn index_of(index: &Yaml) -> Option<IndexDefinition> {
    let projection = index.as_mapping_get("Projection")?;
    (text(projection, "ProjectionType")? == "KEYS_ONLY")
        .then_some(IndexDefinition { name: text(index, "IndexName")?.to_owned(), key: key_of(index)? })
}

fn key_of(properties: &Yaml) -> Option<TableKey> {
    let key = properties.as_mapping_get("KeySchema")?.as_sequence()?;
    let of_type = |key_type| {
        key.iter().find(|part| text(part, "KeyType") == Some(key_type)).and_then(|part| text(part, "AttributeName"))
    };
    Some(TableKey { hash: of_type("HASH")?.to_owned(), range: of_type("RANGE").map(str::to_owned) })
}

fn text<'y>(node: &'y Yaml, member: &str) -> Option<&'y str> {
    node.as_mapping_get(member).and_then(Yaml::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_the_tables_their_keys_and_indexes() {
        let tables = of_template().expect("tables");
        let find = |name: &str| tables.iter().find(|table| table.name == name).expect("a table");
        let key = |hash: &str, range: &str| TableKey { hash: hash.to_owned(), range: Some(range.to_owned()) };
        assert_eq!(find("Catalog").key, key("part", "id"));
        assert_eq!(find("ClientEvents").key, key("customerId", "clientEventId"));
        assert_eq!(find("ClientEvents").indexes, []);
        let by_member = IndexDefinition { name: "byMember".to_owned(), key: key("memberId", "receivedAt") };
        assert_eq!(find("Activities").indexes, [by_member]);
    }
}
