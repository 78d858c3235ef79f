//! The embedded store's streams, as Lambda would deliver them.

use aws_sdk_dynamodb::types::{StreamSpecification, StreamViewType};
use punchcard_store::RecordKind;
use serde_json::{Value, json};

use crate::support::{app::App, lambda::Function};

/// Turns the record tables' streams on.
pub async fn turn_on(app: &App) {
    for kind in RecordKind::ALL {
        let stream =
            StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
        let update = app.dynamo().update_table().table_name(format!("{}{}", app.prefix, kind.table()));
        update.stream_specification(stream.build().expect("a stream")).send().await.expect("a stream");
    }
}

/// The records of a table's stream.
pub async fn records(app: &App, kind: RecordKind) -> Vec<Value> {
    let call = async |operation: &str, body: Value| -> Value {
        let target = format!("DynamoDBStreams_20120810.{operation}");
        let request = app.client.post(&app.endpoint).header("x-amz-target", target);
        let request = request.header("content-type", "application/x-amz-json-1.0").body(body.to_string());
        let response = request.send().await.expect("an answer").text().await.expect("a body");
        serde_json::from_str(&response).unwrap_or_else(|_| panic!("{operation}: {response}"))
    };
    let table = format!("{}{}", app.prefix, kind.table());
    let streams = call("ListStreams", json!({"TableName": table})).await;
    let arn = streams["Streams"][0]["StreamArn"].as_str().unwrap_or_else(|| panic!("{streams}"));
    let stream = call("DescribeStream", json!({"StreamArn": arn})).await;
    let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
    let iterator = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = call("GetShardIterator", iterator).await["ShardIterator"].clone();
    let mut records = Vec::new();
    loop {
        let page = call("GetRecords", json!({"ShardIterator": iterator})).await;
        let found = page["Records"].as_array().unwrap_or_else(|| panic!("{page}"));
        if found.is_empty() {
            return records;
        }
        records.extend(found.iter().cloned().map(|mut record| {
            record["eventSourceARN"] = json!(arn);
            record
        }));
        iterator = page["NextShardIterator"].clone();
    }
}

/// Delivers a batch to a function. Returns the sequence number of the failed record.
pub async fn deliver(function: &mut Function, records: &[Value]) -> Option<String> {
    let answer = function.invoke(json!({"Records": records})).await.expect("an answer");
    let failures = answer["batchItemFailures"].as_array().expect("a list");
    assert!(failures.len() <= 1, "{answer}");
    failures.first().map(|failure| failure["itemIdentifier"].as_str().expect("a number").to_owned())
}

/// The sequence number of a record.
pub fn number(record: &Value) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().expect("a number").to_owned()
}
