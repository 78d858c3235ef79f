//! The way the samples do it: the libraries as they come, a thread a core, a put an event.

use std::{collections::HashMap, env};

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::{Client, types::AttributeValue};
use lambda_http::{Body, Error, Request, Response, run, service_fn, tracing};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    client_events: Vec<ClientEvent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientEvent {
    client_event_id: String,
    client_event_type: String,
    client_event: String,
    client_event_timestamp: String,
    client_event_metadata: HashMap<String, String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    let table = format!("{}ClientEvents", env::var("TABLE_PREFIX")?);
    run(service_fn(|request: Request| put(&client, &table, request))).await
}

async fn put(client: &Client, table: &str, request: Request) -> Result<Response<Body>, Error> {
    let customer = request.headers().get("x-source-customer-id").ok_or("no customer")?.to_str()?;
    let batch: Batch = serde_json::from_slice(request.body())?;
    for event in batch.client_events {
        let metadata = event.client_event_metadata.into_iter();
        client
            .put_item()
            .table_name(table)
            .item("customerId", AttributeValue::S(customer.to_owned()))
            .item("clientEventId", AttributeValue::S(event.client_event_id))
            .item("type", AttributeValue::S(event.client_event_type))
            .item("event", AttributeValue::S(event.client_event))
            .item("timestamp", AttributeValue::S(event.client_event_timestamp))
            .item(
                "metadata",
                AttributeValue::M(metadata.map(|(name, value)| (name, AttributeValue::S(value))).collect()),
            )
            .condition_expression("attribute_not_exists(clientEventId)")
            .send()
            .await?;
    }
    let answer = Response::builder().status(200).header("content-type", "application/json");
    Ok(answer.body(Body::from("{}"))?)
}
