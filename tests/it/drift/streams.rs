//! Functions on streams: every record table, no record lost or in the way, permissions for what they use.

use std::collections::BTreeSet;

use punchcard_outbound::{EventKind, SCHEMA_VERSION, SOURCE};
use saphyr::Yaml;
use serde_json::{Value, json};

use super::{
    argument, find, is_on_streams, list, members, number, referred, resources, tagged, template, template_functions,
    text, texts,
};
use crate::support::events;

/// Retention of messages about records that Lambda gave up: SQS's maximum.
const QUEUE_SECONDS: i64 = 14 * 24 * 60 * 60;

/// The record tables, whose streams there are.
const RECORDS: [&str; 3] = ["Activities", "ClientEvents", "PlayerEvents"];

fn attribute<'t>(node: &'t Yaml, name: &str) -> Option<&'t str> {
    argument(node, "GetAtt").and_then(Yaml::as_str)?.strip_suffix(name)
}

#[test]
fn a_function_on_streams_reads_every_record_table_and_leaves_no_record_unaccounted_for() {
    let template = template();
    let queues = resources(&template, "AWS::SQS::Queue");
    for (binary, function) in template_functions().into_iter().filter(|(_, function)| is_on_streams(function)) {
        let mut read = BTreeSet::new();
        for (name, event) in members(&function, &["Properties", "Events"]) {
            let properties = find(event, &["Properties"]).expect("properties");
            let table = tagged(properties, &["Stream"]).and_then(|stream| attribute(stream, ".StreamArn"));
            read.insert(table.expect("a table").to_owned());
            // From the first record after the stream was turned on, which may be before the function is there.
            assert_eq!(text(properties, &["StartingPosition"]), "TRIM_HORIZON", "{binary}: {name}");
            let types = texts(find(properties, &["FunctionResponseTypes"]).expect("types"));
            assert_eq!(types, ["ReportBatchItemFailures"], "{binary}: {name}");
            let bisects = find(properties, &["BisectBatchOnFunctionError"]).and_then(Yaml::as_bool);
            assert_eq!(bisects, Some(true), "{binary}: {name}");
            // Without a number, an unreadable record holds up its shard for a day.
            assert!((1..=100).contains(&number(properties, &["MaximumRetryAttempts"])), "{binary}: {name}");
            let failures = find(properties, &["DestinationConfig", "OnFailure"]).expect("a destination");
            assert_eq!(text(failures, &["Type"]), "SQS");
            let queue = tagged(failures, &["Destination"]).and_then(|queue| attribute(queue, ".Arn")).expect("a queue");
            assert_eq!(number(&queues[queue], &["Properties", "MessageRetentionPeriod"]), QUEUE_SECONDS);
        }
        assert_eq!(read, RECORDS.map(str::to_owned).into(), "{binary}");
    }
}

/// A removed record is known by its last image only, and a changed one by its new image.
#[test]
fn the_streams_of_the_record_tables_have_both_images() {
    for (name, table) in resources(&template(), "AWS::DynamoDB::Table") {
        let stream = tagged(&table, &["Properties", "StreamSpecification"]);
        assert_eq!(stream.is_some(), RECORDS.contains(&name.as_str()), "{name}");
        let Some(choices) = stream.map(|stream| argument(stream, "If").and_then(Yaml::as_sequence).expect("an !If"))
        else {
            continue;
        };
        assert_eq!(choices[0].as_str(), Some("HasStreams"));
        assert_eq!(text(&choices[1], &["StreamViewType"]), "NEW_AND_OLD_IMAGES", "{name}");
        assert_eq!(referred(&choices[2]), Some("AWS::NoValue"));
    }
}

#[test]
fn the_archive_writes_records_and_nothing_else() {
    let function = &template_functions()["archive-records"];
    let policies = list(function, &["Properties", "Policies"]).iter();
    let statements = policies.flat_map(|policy| list(policy, &["Statement"]));
    let of_buckets: Vec<_> = statements
        .filter(|statement| {
            let actions = find(statement, &["Action"]).map(texts).unwrap_or_default();
            actions.iter().any(|action| action.starts_with("s3:"))
        })
        .collect();
    let [statement] = of_buckets[..] else { panic!("{of_buckets:?}") };
    assert_eq!(texts(find(statement, &["Action"]).expect("actions")), ["s3:PutObject"]);
    let resource = tagged(statement, &["Resource"]).and_then(|resource| argument(resource, "Sub"));
    assert_eq!(resource.and_then(Yaml::as_str), Some("${ArchiveBucket.Arn}/records/*"));
}

#[test]
fn events_go_to_one_bus_and_are_no_others() {
    let function = &template_functions()["publish-records"];
    let policies = list(function, &["Properties", "Policies"]).iter();
    let statements = policies.flat_map(|policy| list(policy, &["Statement"]));
    let of_buses: Vec<_> = statements
        .filter(|statement| {
            let actions = find(statement, &["Action"]).map(texts).unwrap_or_default();
            actions.iter().any(|action| action.starts_with("events:"))
        })
        .collect();
    let [statement] = of_buses[..] else { panic!("{of_buses:?}") };
    assert_eq!(texts(find(statement, &["Action"]).expect("actions")), ["events:PutEvents"]);
    let resource = tagged(statement, &["Resource"]).and_then(|resource| argument(resource, "Sub"));
    assert!(resource.and_then(Yaml::as_str).is_some_and(|arn| arn.ends_with(":event-bus/${EventBusName}")));
    assert_eq!(text(statement, &["Condition", "StringEquals", "events:source"]), SOURCE);
}

#[test]
fn the_document_has_an_example_of_each_kind_of_event() {
    let document = include_str!("../../../docs/events.md");
    let mut found = BTreeSet::new();
    for line in document.lines().filter(|line| line.starts_with("{\"schemaVersion\"")) {
        let detail: Value = serde_json::from_str(line).expect("JSON");
        events::check(&detail);
        assert_eq!(detail["schemaVersion"], SCHEMA_VERSION);
        found.insert(detail["kind"].as_str().expect("a kind").to_owned());
    }
    assert_eq!(found, EventKind::ALL.map(|kind| kind.as_str().to_owned()).into());
    for kind in EventKind::ALL {
        let row = format!("| `{}` | `{}` |", kind.as_str(), kind.detail_type());
        assert!(document.contains(&row), "{row}");
    }
}

/// A schema that accepts everything would check nothing.
#[test]
fn the_schema_refuses_what_events_must_not_have() {
    let good = json!({
        "schemaVersion": 1, "kind": "activity", "eventId": "f5a4a1f2-07a3-5cf0-b6b1-3c2f2f3b9d12", "id": "a-1",
        "receivedAt": "2026-11-28T09:30:00.000Z", "member": "acct#A-1", "earned": {},
        "balance": {"version": 1, "balances": {"ABC": {"loyalty": 1}}},
    });
    assert!(events::is_valid(&good));
    for (name, value) in [
        ("note", json!("text")),
        ("schemaVersion", json!(2)),
        ("kind", json!("order")),
        ("eventId", json!("1")),
        ("member", json!("mail#1")),
        ("taken", json!({})),
        ("balance", json!({"version": 1})),
        ("balance", json!({"version": -1, "balances": {}})),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(!events::is_valid(&bad), "{bad}");
    }
}
