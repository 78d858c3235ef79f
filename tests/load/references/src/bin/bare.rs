//! The SDK, tuned as the product has it, and the one write that a request comes to: `WRITE` is `put` (a client event),
//! `transaction` (a record and a member), or `session` (the same, after a session is read). Nothing is checked.

use std::{borrow::Cow, collections::HashMap, env, time::Duration};

use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, SharedHttpClient, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
    primitives::Blob,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use chrono::{SecondsFormat, Utc};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// As much of an event as is needed.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    headers: Headers<'a>,
    #[serde(borrow)]
    body: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Headers<'a> {
    #[serde(borrow)]
    x_source_customer_id: Option<Cow<'a, str>>,
}

/// As much of a body as is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    #[serde(borrow)]
    client_events: Vec<ClientEvent<'a>>,
}

#[derive(Deserialize)]
struct ClientEvent<'a> {
    #[serde(borrow, rename = "clientEventId")]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "clientEventType")]
    event_type: Cow<'a, str>,
    #[serde(borrow, rename = "clientEvent")]
    name: Cow<'a, str>,
    #[serde(borrow, rename = "clientEventTimestamp")]
    timestamp: Cow<'a, str>,
    #[serde(borrow, rename = "clientEventMetadata")]
    metadata: Metadata<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow)]
    serve_token: Cow<'a, str>,
    #[serde(borrow)]
    section: Cow<'a, str>,
    #[serde(borrow)]
    channel: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    body: &'static str,
}

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (client, prefix, write) = (&client()?, &env::var("TABLE_PREFIX")?, &env::var("WRITE")?);
        let handle = |event: LambdaEvent<Box<RawValue>>| async move {
            let event: Event = serde_json::from_str(event.payload.get())?;
            match write.as_str() {
                "put" => put(client, prefix, &event).await?,
                "transaction" => transact(client, prefix, &event).await?,
                _ => {
                    let session = client.get_item().table_name(format!("{prefix}Sessions"));
                    session.key("correlationId", s("session-1")).consistent_read(true).send().await?;
                    transact(client, prefix, &event).await?;
                }
            }
            Ok::<_, Error>(Answer { status_code: 200, body: "{}" })
        };
        lambda_runtime::run(service_fn(handle)).await
    })
}

async fn put(client: &Client, prefix: &str, event: &Event<'_>) -> Result<(), Error> {
    let batch: Batch = serde_json::from_str(&event.body)?;
    let customer = event.headers.x_source_customer_id.as_deref().unwrap_or_default();
    for event in &batch.client_events {
        let put = client
            .put_item()
            .table_name(format!("{prefix}ClientEvents"))
            .set_item(Some(client_event(customer, event)))
            .condition_expression("attribute_not_exists(#key)")
            .expression_attribute_names("#key", "clientEventId")
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        put.send().await?;
    }
    Ok(())
}

async fn transact(client: &Client, prefix: &str, event: &Event<'_>) -> Result<(), Error> {
    let id = Uuid::new_v4();
    let record = item([
        ("activityId", s(&id)),
        ("memberId", s("acct#A-1001")),
        ("sent", s(&*event.body)),
        ("earned", s(r#"{"XYZ":{"loyalty":{"base":10,"bonus":10,"targeted":0,"total":20}}}"#)),
        ("receivedAt", s(&now())),
        ("writeId", AttributeValue::B(Blob::new(id.into_bytes()))),
    ]);
    let record = Put::builder()
        .table_name(format!("{prefix}Activities"))
        .set_item(Some(record))
        .condition_expression("attribute_not_exists(#key)")
        .expression_attribute_names("#key", "activityId")
        .return_values_on_condition_check_failure(OnFailure::AllOld)
        .build()?;
    let n = |number: &str| AttributeValue::N(number.to_owned());
    let member = Update::builder()
        .table_name(format!("{prefix}Members"))
        .key("memberId", s("bare"))
        .update_expression("ADD #version :1, #a0 :a0, #s0 :s0")
        .condition_expression("(attribute_not_exists(#s0) OR #s0 <= :m0)")
        .expression_attribute_names("#version", "version")
        .expression_attribute_names("#a0", "pts#XYZ#loyalty")
        .expression_attribute_names("#s0", "uses#XYZ_BONUS")
        .expression_attribute_values(":1", n("1"))
        .expression_attribute_values(":a0", n("20"))
        .expression_attribute_values(":s0", n("1"))
        .expression_attribute_values(":m0", n("999999999"))
        .return_values_on_condition_check_failure(OnFailure::AllOld)
        .build()?;
    client
        .transact_write_items()
        .transact_items(TransactWriteItem::builder().put(record).build())
        .transact_items(TransactWriteItem::builder().update(member).build())
        .send()
        .await?;
    Ok(())
}

/// A client event as the product stores it.
fn client_event(customer: &str, event: &ClientEvent<'_>) -> HashMap<String, AttributeValue> {
    let metadata = [
        ("serveToken", s(&event.metadata.serve_token)),
        ("section", s(&event.metadata.section)),
        ("channel", s(&event.metadata.channel)),
    ];
    item([
        ("customerId", s(customer)),
        ("clientEventId", s(&event.id)),
        ("type", s(&event.event_type)),
        ("event", s(&event.name)),
        ("timestamp", s(&event.timestamp)),
        ("metadata", AttributeValue::M(item(metadata))),
        ("receivedAt", s(&now())),
        ("writeId", AttributeValue::B(Blob::new(Uuid::new_v4().into_bytes()))),
    ])
}

/// Attributes, by name.
fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> HashMap<String, AttributeValue> {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A string.
fn s(text: &(impl ToString + ?Sized)) -> AttributeValue {
    AttributeValue::S(text.to_string())
}

/// The time, as it is stored.
fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Configured like the product's, `shared/store/src/connect.rs`.
fn client() -> Result<Client, Error> {
    let credentials =
        Credentials::new(env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?, None, None, "environment");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(env::var("AWS_REGION")?))
        .credentials_provider(credentials)
        .http_client(http_client()?)
        .retry_config(RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(50)))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(1))
                .operation_attempt_timeout(Duration::from_secs(2))
                .operation_timeout(Duration::from_secs(5))
                .build(),
        )
        .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
        .endpoint_url(env::var("DYNAMODB_ENDPOINT")?);
    Ok(Client::from_conf(config.build()))
}

fn http_client() -> Result<SharedHttpClient, Error> {
    let mut roots = TrustStore::empty()
        .with_pem_certificate(include_bytes!("../../../../../shared/store/src/roots.pem").as_slice());
    if let Some(more) = env::var_os("SSL_CERT_FILE") {
        roots = roots.with_pem_certificate(std::fs::read(more)?);
    }
    let context = TlsContext::builder().with_trust_store(roots).build()?;
    let builder = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    Ok(builder.tls_context(context).build_https())
}
