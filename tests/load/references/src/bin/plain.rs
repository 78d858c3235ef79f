//! The way the samples do it: the libraries as they come, every core's thread, a put an event.

use std::env;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use lambda_http::{Body, Error, Request, Response, run, service_fn, tracing};
use punchcard_references::{Batch, client_event};

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
    for event in &batch.client_events {
        client
            .put_item()
            .table_name(table)
            .set_item(Some(client_event(customer, event)))
            .condition_expression("attribute_not_exists(clientEventId)")
            .send()
            .await?;
    }
    let answer = Response::builder().status(200).header("content-type", "application/json");
    Ok(answer.body(Body::from("{}"))?)
}
