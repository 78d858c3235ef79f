//! The metrics that the binaries write, held against the alarms and the dashboard of `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{events, filled, happy, metrics_and_lines, prepare};
use crate::{
    drift::{
        lambda_drops,
        metrics::{Of, alarms, charted},
        namespace,
    },
    support::{
        app::App,
        bucket::Bucket,
        lambda::Function,
        proxy::{Fault, Proxy},
    },
};

#[tokio::test]
async fn a_function_writes_what_it_counted_in_cloudwatchs_embedded_format() {
    let app = App::start().await;
    prepare(&app).await;
    for (name, counted) in [
        ("send-client-event", &[("Accepted", 2), ("Duplicate", 2), ("Invalid", 1), ("Unauthorised", 1)][..]),
        ("send-activity", &[("Accepted", 2), ("Duplicate", 1), ("Points", 38), ("Invalid", 1), ("Unauthorised", 1)]),
        ("track-event", &[("Accepted", 3), ("Duplicate", 1), ("Points", 80), ("Invalid", 1), ("Unauthorised", 1)]),
        (
            "place-order",
            &[("Accepted", 2), ("Duplicate", 1), ("Points", 40), ("Conflict", 1), ("Invalid", 1), ("Unauthorised", 1)],
        ),
        ("refund-order", &[("Corrected", 1), ("Duplicate", 1), ("Conflict", 1), ("Invalid", 1), ("Unauthorised", 1)]),
    ] {
        let mut function = Function::start(name, &app).await;
        for case in &events()[name] {
            function.invoke(filled(&case.event, &app).await).await.expect("an answer");
        }
        let log = function.end().await;
        let (metrics, _) = metrics_and_lines(&log);
        let sum = |metric: &str| metrics.iter().filter_map(|line| line[metric].as_u64()).sum::<u64>();
        for (metric, expected) in counted.iter().chain(&[("ColdStart", 1)]) {
            assert_eq!(sum(metric), *expected, "{name}: {metric}: {log}");
        }
        for line in &metrics {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert_eq!(directive["Namespace"], "Punchcard/test", "{line}");
            assert_eq!(directive["Dimensions"], json!([["Function"]]), "{line}");
            assert_eq!(line["Function"], name, "{line}");
        }
        let latency =
            metrics.iter().filter_map(|line| line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().cloned());
        let latency = latency.flatten().find(|metric| metric["Name"] == "StoreLatency").expect("the store's latency");
        assert_eq!(latency["Unit"], "Milliseconds", "{log}");
    }
}

/// The names of the metrics of a line.
fn names(line: &Value) -> BTreeSet<String> {
    let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().expect("metrics").iter();
    metrics.map(|metric| metric["Name"].as_str().expect("a name").to_owned()).collect()
}

/// Every metric that a function writes: for its sample events, and where the store fails in the ways that are counted.
async fn written(name: &str) -> BTreeSet<String> {
    let app = App::start().await;
    prepare(&app).await;
    let proxy = Proxy::start(&app.endpoint).await;
    let bucket = Bucket::start().await;
    // One rejected request is not kept.
    bucket.refuse(1, StatusCode::FORBIDDEN, "AccessDenied");
    let variables = [("QUARANTINE_BUCKET", Bucket::NAME), ("S3_ENDPOINT", &*bucket.endpoint)];
    let mut function = Function::start_with(name, &app.through(&proxy.url).await, &variables).await;
    let faults = [
        ("TransactWriteItems", Fault::Conflict),
        ("GetItem", Fault::Refused("ValidationException")),
        ("PutItem", Fault::Refused("ProvisionedThroughputExceededException")),
    ];
    for (operation, fault) in faults {
        proxy.fail_next(operation, fault);
    }
    // Each try gets as far as the next fault.
    for _ in faults {
        function.invoke(filled(&events()[name][0].event, &app).await).await.expect("an answer");
    }
    for case in &events()[name] {
        function.invoke(filled(&case.event, &app).await).await.expect("an answer");
    }
    // For the quarantine: what some functions' samples are rejected for is not worth keeping.
    let mut malformed = filled(&happy(&events()[name]).event, &app).await;
    malformed["isBase64Encoded"] = json!(false);
    malformed["body"] = json!("{");
    for _ in 0..2 {
        function.invoke(malformed.clone()).await.expect("an answer");
    }
    let log = function.end().await;
    let (metrics, lines) = metrics_and_lines(&log);
    for line in &metrics {
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Function"]]), "{line}");
        assert_eq!(line["Function"], name, "{line}");
        assert!(!lambda_drops(name, line), "Lambda drops metrics at the template's level of logs: {line}");
    }
    let answered = lines.iter().find(|line| line["message"] == "answered").expect("a line of a request");
    assert!(!lambda_drops(name, answered), "Lambda drops the line of each request: {answered}");
    metrics.iter().flat_map(names).collect()
}

#[tokio::test]
async fn the_written_metrics_are_those_of_the_dashboard_and_the_alarms() {
    let mut counted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in events().into_keys() {
        for metric in written(&name).await {
            counted.entry(metric).or_default().insert(name.clone());
        }
    }
    let own = namespace();
    let charted = charted().into_iter().filter(|metric| metric.namespace == own);
    let charted: BTreeSet<_> = charted.map(|metric| metric.name).collect();
    assert_eq!(charted, counted.keys().cloned().collect(), "the dashboard and what functions write");
    for (name, metrics) in alarms() {
        let mut watched: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for metric in metrics.into_iter().filter(|metric| metric.namespace == own) {
            let Of::Value(function) = &metric.dimensions["Function"] else { panic!("{metric:?} is of no function") };
            watched.entry(metric.name.clone()).or_default().insert(function.clone());
        }
        for (metric, functions) in watched {
            assert_eq!(Some(&functions), counted.get(&metric), "{name}: the functions that write {metric}");
        }
    }
}

#[tokio::test]
async fn conflicts_retries_and_failed_requests_are_counted() {
    // The sample of player events has two events, and both count.
    for (name, accepted) in [("send-activity", 1), ("track-event", 2)] {
        let app = App::start().await;
        prepare(&app).await;
        let proxy = Proxy::start(&app.endpoint).await;
        let mut function = Function::start(name, &app.through(&proxy.url).await).await;
        let mut event = filled(&events()[name][0].event, &app).await;
        event["headers"]["idempotency-key"] = json!("key-1");
        if name == "send-activity" {
            event["rawPath"] = json!("/client/users/session-1/activities");
            event["pathParameters"] = json!({"correlation_id": "session-1"});
        }
        let mut other = event.clone();
        other["body"] = match name {
            "send-activity" => json!({"action": "APP_DOWNLOAD", "channel": "APP", "when": "2024-10-01T07:00:00Z"}),
            _ => json!({"playerUniqueId": "player123", "events": {"visit": {}}}),
        }
        .to_string()
        .into();
        let mut new = event.clone();
        new["headers"]["idempotency-key"] = json!("key-2");

        for _ in 0..5 {
            proxy.fail_next("TransactWriteItems", Fault::Conflict);
        }
        let mut statuses = Vec::new();
        for (event, is_refused) in [(event, false), (other, false), (new, true)] {
            if is_refused {
                proxy.fail_next("TransactWriteItems", Fault::Refused("ValidationException"));
            }
            statuses.push(function.invoke(event).await.expect("an answer")["statusCode"].clone());
        }
        assert!(proxy.all_faults_happened(), "{name}");
        assert_eq!(statuses, [json!(200), json!(422), json!(500)], "{name}");
        let log = function.end().await;
        let (metrics, _) = metrics_and_lines(&log);
        let sum = |metric: &str| metrics.iter().filter_map(|line| line[metric].as_u64()).sum::<u64>();
        for (metric, expected) in
            [("StoreConflicts", 5), ("StoreRetries", 5), ("Accepted", accepted), ("Conflict", 1), ("Failed", 1)]
        {
            assert_eq!(sum(metric), expected, "{name}: {metric}: {log}");
        }
    }
}
