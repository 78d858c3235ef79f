//! The archive: a closed bucket, tables with the columns of the files, and the queries that the documents show.

use std::{collections::BTreeMap, fs, path::Path};

use punchcard_archive::{ColumnType, columns};
use punchcard_store::RecordKind;
use saphyr::Yaml;

use super::{argument, find, list, members, referred, resources, tagged, template, text, untagged};

#[test]
fn athenas_tables_have_the_columns_of_the_files() {
    let template = template();
    let tables = resources(&template, "AWS::Glue::Table");
    assert_eq!(tables.len(), RecordKind::ALL.len());
    for kind in RecordKind::ALL {
        let is_of_kind = |table: &&Yaml| text(table, &["Properties", "TableInput", "Name"]) == kind.to_string();
        let table = tables.values().find(is_of_kind).unwrap_or_else(|| panic!("no table of {kind}"));
        let input = find(table, &["Properties", "TableInput"]).expect("a table");
        let defined: Vec<_> = list(input, &["StorageDescriptor", "Columns"])
            .iter()
            .map(|column| (text(column, &["Name"]), text(column, &["Type"])))
            .collect();
        let written: Vec<_> = columns(kind)
            .iter()
            .map(|column| (column.name.to_owned(), column.column_type.in_athena().to_owned()))
            .collect();
        assert_eq!(defined, written, "{kind}");
        let folder = format!("s3://${{ArchiveBucket}}/records/{kind}/");
        assert_eq!(text(input, &["StorageDescriptor", "Location"]), folder);
        // `${!day}` is `${day}` after CloudFormation.
        let parameter = |name| text(input, &["Parameters", name]);
        assert_eq!(parameter("storage.location.template"), format!("{folder}day=${{!day}}"));
        assert_eq!(parameter("projection.enabled"), "true");
        assert_eq!(parameter("projection.day.format"), "yyyy-MM-dd");
        assert!(parameter("projection.day.range").ends_with(",NOW"));
        assert_eq!(text(&list(input, &["PartitionKeys"])[0], &["Name"]), "day");
    }
}

#[test]
fn every_query_is_a_file_of_the_documents() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/queries");
    let files: BTreeMap<_, _> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        // DuckDB's are in a folder of their own, and `tests/analytics.sh` compares their answers.
        .filter(|path| path.is_file())
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            (name, fs::read_to_string(path).expect("a query"))
        })
        .collect();
    let queries = resources(&template(), "AWS::Athena::NamedQuery").into_values();
    let queries: BTreeMap<_, _> = queries
        .map(|query| {
            let query = find(&query, &["Properties"]).expect("properties").clone();
            assert_eq!(tagged(&query, &["Database"]).and_then(referred), Some("ArchiveDatabase"));
            assert_eq!(tagged(&query, &["WorkGroup"]).and_then(referred), Some("ArchiveWorkgroup"));
            (text(&query, &["Name"]), text(&query, &["QueryString"]))
        })
        .collect();
    assert_eq!(queries, files);
}

/// Each row of the document's table is a column with its type, and the tables that have it.
#[test]
fn the_document_names_the_columns_of_the_files() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/analytics.md");
    let document = fs::read_to_string(document).expect("a document");
    let lines = document.lines().skip_while(|line| *line != "| column | type | in | meaning |").skip(2);
    let rows: Vec<Vec<_>> = lines
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').splitn(4, '|').map(str::trim).collect())
        .collect();
    for kind in RecordKind::ALL {
        let kind_name = kind.to_string().replace('_', " ");
        let named: BTreeMap<_, _> = rows
            .iter()
            .filter(|row| row[2] == "all" || row[2].split(", ").any(|name| name == kind_name))
            .map(|row| (row[0].trim_matches('`'), row[1]))
            .collect();
        let written: BTreeMap<_, _> = columns(kind)
            .iter()
            .map(|column| {
                let column_type = match column.column_type {
                    ColumnType::Text => "text",
                    ColumnType::Integer => "integer",
                    ColumnType::Boolean => "boolean",
                    ColumnType::Timestamp => "time",
                };
                (column.name, column_type)
            })
            .collect();
        assert_eq!(named, written, "{kind}");
    }
}

#[test]
fn the_bucket_is_closed_encrypted_and_forgets_what_it_is_told_to() {
    let buckets = resources(&template(), "AWS::S3::Bucket");
    let bucket = find(&buckets["ArchiveBucket"], &["Properties"]).expect("properties");
    for (name, blocked) in members(bucket, &["PublicAccessBlockConfiguration"]) {
        assert_eq!(untagged(blocked).as_bool(), Some(true), "{name}");
    }
    assert_eq!(members(bucket, &["PublicAccessBlockConfiguration"]).len(), 4);
    assert_eq!(list(bucket, &["BucketEncryption", "ServerSideEncryptionConfiguration"]).len(), 1);
    let rules = list(bucket, &["LifecycleConfiguration", "Rules"]);
    let expiry = rules.iter().find_map(|rule| argument(rule, "If").and_then(Yaml::as_sequence)).expect("an !If");
    assert_eq!(expiry[0].as_str(), Some("HasArchiveExpiry"));
    assert_eq!(tagged(&expiry[1], &["ExpirationInDays"]).and_then(referred), Some("ArchiveDays"));
}
