//! Tables: used, encrypted, recoverable, and retained when the stack is deleted.

use std::collections::{BTreeMap, BTreeSet};

use punchcard::tables;
use saphyr::Yaml;

use super::{
    STACK, choices, environment::variables, find, members, policies::statements, referred, resources, tagged, template,
    template_functions, text,
};

/// Types of resources that hold nothing that can't be made again. Log groups hold logs, which end with their retention.
const WITHOUT_DATA: [&str; 9] = [
    "AWS::Athena::NamedQuery",
    "AWS::Athena::WorkGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::Logs::LogGroup",
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
];

/// The name of each partition key, by the name of the table without the stack's, or `Table/index/Name`.
pub fn partition_keys() -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    for table in tables::of_template().expect("tables") {
        for index in table.indexes {
            keys.insert(format!("{}/index/{}", table.name, index.name), index.key.hash);
        }
        keys.insert(table.name, table.key.hash);
    }
    keys
}

/// `DeletionPolicy` is for a deleted stack or resource, `UpdateReplacePolicy` for a change that replaces the resource,
/// such as another key or name: CloudFormation deletes the old one by default in both cases
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatereplacepolicy.html>).
#[test]
fn every_resource_with_data_outlives_the_stack_and_every_replacement() {
    let template = template();
    let mut kept = 0;
    for (name, resource) in members(&template, &["Resources"]) {
        let resource_type = text(resource, &["Type"]);
        if WITHOUT_DATA.contains(&resource_type.as_str()) {
            continue;
        }
        for policy in ["DeletionPolicy", "UpdateReplacePolicy"] {
            let set = tagged(resource, &[policy]).and_then(Yaml::as_str);
            assert_eq!(set, Some("Retain"), "{policy} of {name}, a {resource_type}");
        }
        kept += 1;
    }
    // The buckets of the archive and the quarantine, which keep their policies, and the queues of both functions on
    // streams.
    assert_eq!(kept, tables::of_template().expect("tables").len() + 6, "another resource holds data");
}

#[test]
fn every_table_is_encrypted_recoverable_protected_and_paid_by_request() {
    for (name, table) in resources(&template(), "AWS::DynamoDB::Table") {
        let properties = find(&table, &["Properties"]).expect("properties");
        let is_set = |node: &Yaml, path: &[&str]| find(node, path).and_then(Yaml::as_bool) == Some(true);
        assert_eq!(text(properties, &["BillingMode"]), "PAY_PER_REQUEST", "{name}");
        assert!(
            is_set(properties, &["PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled"]),
            "{name} can't be restored"
        );
        let encryption = tagged(properties, &["SSESpecification"]).and_then(choices).expect("an !If");
        assert_eq!(encryption.len(), 2, "{name}");
        assert!(encryption.iter().all(|choice| is_set(choice, &["SSEEnabled"])), "{name} is not encrypted");
        assert_eq!(referred(&encryption[0]["KMSMasterKeyId"]), Some("KmsKeyArn"), "{name}");
        let protection = tagged(properties, &["DeletionProtectionEnabled"]).and_then(referred);
        assert_eq!(protection, Some("DeletionProtection"), "{name}");
    }
    assert_eq!(text(&template(), &["Parameters", "DeletionProtection", "Default"]), "true");
}

#[test]
fn the_tables_are_those_that_functions_use_under_the_names_that_they_use() {
    let template = template();
    let tables = resources(&template, "AWS::DynamoDB::Table");
    let names: BTreeSet<_> = tables.keys().cloned().collect();
    for (name, table) in &tables {
        assert_eq!(text(table, &["Properties", "TableName"]), format!("{STACK}{name}"));
    }
    let embedded = tables::of_template().expect("tables").into_iter();
    assert_eq!(embedded.map(|table| table.name).collect::<BTreeSet<_>>(), names, "those of the embedded store");
    let mut allowed = BTreeSet::new();
    for (binary, function) in template_functions() {
        assert_eq!(variables(&template, &function)["TABLE_PREFIX"], STACK, "{binary}");
        allowed.extend(statements(&binary).into_iter().flat_map(|statement| statement.tables));
    }
    assert_eq!(allowed, partition_keys().into_keys().collect(), "those that functions may use");
}
