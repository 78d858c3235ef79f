//! Processes that live long: what they learn of a catalog and of keys that changed after they started.
//!
//! Requests carry their time of arrival, so that minutes pass at once.

use futures_util::future::join_all;
use lambda_http::{Body, Request, RequestExt as _};
use punchcard::registry::HANDLERS;
use punchcard_http::token::{self, Claims};
use punchcard_models::{access::Scope, timestamp::Timestamp};
use punchcard_rewards::{Catalog, yaml};
use punchcard_runtime::{Arrived, Service, now};
use punchcard_store::{Admin, HistoryReader, Store};
use serde_json::{Value, json};

use crate::support::{app::App, proxy::Proxy};

/// A request that arrives so many seconds after `start`.
fn request(start: Timestamp, seconds: i64, headers: &[(&str, &str)], body: &Value) -> Request {
    let mut request = lambda_http::http::Request::builder().method("POST").header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::Text(body.to_string())).expect("a request");
    request.extensions_mut().insert(Arrived(Timestamp::from_millis(start.as_millis() + seconds * 1000)));
    request.with_path_parameters(std::collections::HashMap::from([
        ("correlation_id".to_owned(), "c-1".to_owned()),
        ("activity_id".to_owned(), format!("a-{seconds}")),
    ]))
}

/// Opens a function as a process does when it starts.
async fn open(function: &str, store: &Store) -> Service {
    let handler = HANDLERS.iter().find(|handler| handler.route.function == function);
    handler.expect("a registered function").open(store).await
}

fn activity() -> Value {
    json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"})
}

/// Makes a key, and signs a token of the demo client with it.
async fn rotate(store: &Store, start: Timestamp) -> String {
    let (key, public) = token::generate().expect("a key");
    Admin::new(store).add_signing_key(&key, &public, now()).await.expect("added");
    let claims = Claims::new(Scope::Activities, "demo-client", None, start, std::time::Duration::from_hours(1));
    format!("Bearer {}", token::sign(&claims, &key).expect("a token"))
}

fn reads_of(proxy: &Proxy, part: &str) -> usize {
    let calls = proxy.calls();
    let reads = calls.iter().filter(|(operation, parameters)| {
        operation == "Query" && parameters["ExpressionAttributeValues"][":part"]["S"] == part
    });
    reads.count()
}

async fn apply(store: &Store, yaml: &str) {
    let source = yaml::read(yaml).expect("a catalog");
    punchcard::set_up::apply(&Admin::new(store), &source, now()).await.expect("applied");
}

#[tokio::test]
async fn a_token_of_a_key_that_was_made_meanwhile_is_accepted() {
    let (app, start) = (App::start().await, now());
    let service = open("send-activity", &app.store).await;
    let token = rotate(&app.store, start).await;
    let send = async |seconds| {
        service.respond(request(start, seconds, &[("authorization", &token)], &activity())).await.status()
    };
    // Within five seconds of the last read an unknown key is not looked for again.
    assert_eq!(send(1).await, 401);
    assert_eq!(send(6).await, 200);
}

#[tokio::test]
async fn a_new_signing_key_is_used_after_a_minute() {
    let (app, start) = (App::start().await, now());
    let service = open("start-session", &app.store).await;
    let key_at = async |seconds| {
        let credentials = json!({"clientId": "demo-client", "secret": "demo-secret"});
        let response = service.respond(request(start, seconds, &[("x-source-customer-id", "c")], &credentials)).await;
        assert_eq!(response.status(), 200);
        let body: Value = serde_json::from_slice(response.body()).expect("JSON");
        let token = body["sessionToken"].as_str().expect("a token").to_owned();
        let header = token.split('.').next().expect("a header");
        let header = base64::Engine::decode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, header).expect("base64");
        serde_json::from_slice::<Value>(&header).expect("JSON")["kid"].as_str().expect("a key id").to_owned()
    };
    let first = key_at(0).await;
    rotate(&app.store, start).await;
    assert_eq!(key_at(55).await, first);
    assert_ne!(key_at(65).await, first);
}

#[tokio::test]
async fn the_rules_are_read_again_only_when_another_catalog_was_applied() {
    let (app, start) = (App::start().await, now());
    let proxy = Proxy::start(&app.endpoint).await;
    let through = app.through(&proxy.url).await;
    let service = open("send-activity", &through.store).await;
    let token = rotate(&app.store, start).await;
    let (callers, rules) = (reads_of(&proxy, "open"), reads_of(&proxy, "history"));
    let earned_at = async |seconds| {
        let response = service.respond(request(start, seconds, &[("authorization", &token)], &activity())).await;
        assert_eq!(response.status(), 200);
        serde_json::from_slice::<Value>(response.body()).expect("JSON")["earned"].clone()
    };
    for minute in 1..=3 {
        assert_ne!(earned_at(minute * 61).await, json!({}));
    }
    assert_eq!((reads_of(&proxy, "open"), reads_of(&proxy, "history")), (callers + 3, rules));

    apply(&app.store, "rewards: disabled").await;
    assert_eq!(earned_at(4 * 61).await, json!({}));
    assert_eq!((reads_of(&proxy, "open"), reads_of(&proxy, "history")), (callers + 4, rules + 1));
}

/// Puts rules as version 0.1.0 stored them, in as many chunks as there are versions.
async fn put_old_rules(app: &App, json: &str, versions: &[u64]) {
    let (first, second) = json.split_at(json.len() / 2);
    let parts = if versions.len() == 1 { vec![json] } else { vec![first, second] };
    for (index, (part, version)) in parts.iter().zip(versions).enumerate() {
        let s = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let n = |number: u64| aws_sdk_dynamodb::types::AttributeValue::N(number.to_string());
        let put = app.dynamo().put_item().table_name(format!("{}Catalog", app.prefix));
        let put = put.item("part", s("open")).item("id", s(&format!("rules#{index:04}")));
        let put = put.item("json", s(part)).item("version", n(*version)).item("chunks", n(parts.len() as u64));
        put.item("createdAt", s("2026-01-01T00:00:00.000Z")).send().await.expect("stored");
    }
    let marker = app.dynamo().delete_item().table_name(format!("{}Catalog", app.prefix));
    let key = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    marker.key("part", key("open")).key("id", key("current")).send().await.expect("deleted");
}

#[tokio::test]
async fn a_catalog_of_version_0_1_0_is_read_until_another_is_applied() {
    let (app, start) = (App::start().await, now());
    put_old_rules(&app, r#"{"rewards":"disabled","sections":["Old"]}"#, &[7, 7]).await;
    let admin = Admin::new(&app.store);
    let snapshot = admin.snapshot().await.expect("a catalog");
    assert_eq!((snapshot.version, snapshot.rules.rewards_enabled()), (7, false));

    let token = rotate(&app.store, start).await;
    let service = open("send-activity", &app.store).await;
    let response = service.respond(request(start, 0, &[("authorization", &token)], &activity())).await;
    assert_eq!(serde_json::from_slice::<Value>(response.body()).expect("JSON")["earned"], json!({}));

    apply(&app.store, yaml::DEMO).await;
    let snapshot = admin.snapshot().await.expect("a catalog");
    assert_eq!((snapshot.version, snapshot.rules.rewards_enabled()), (8, true));
    // The record of the old version names it, so the version is kept.
    let versions: Vec<_> = admin.versions(9).await.expect("versions").iter().map(|one| one.version).collect();
    assert_eq!(versions[..2], [8, 7]);
    assert_eq!(admin.version(7).await.expect("version 7").json, r#"{"rewards":"disabled","sections":["Old"]}"#);
    let response = service.respond(request(start, 61, &[("authorization", &token)], &activity())).await;
    assert_ne!(serde_json::from_slice::<Value>(response.body()).expect("JSON")["earned"], json!({}));
}

#[tokio::test]
async fn rules_of_version_0_1_0_are_adopted_once() {
    let app = App::start().await;
    put_old_rules(&app, r#"{"rewards":"disabled","sections":["Old"]}"#, &[7, 7]).await;
    let history = HistoryReader::new(&app.store);
    let disabled = |catalog: &Catalog| !catalog.rewards_enabled();
    // Readable under its number before and after.
    assert!(history.of(7).await.expect("read").is_some_and(|catalog| disabled(&catalog)));
    let admin = Admin::new(&app.store);
    let adopted = join_all((0..8).map(|_| admin.adopt_rules(now()))).await;
    assert!(adopted.iter().all(Result::is_ok), "{adopted:?}");
    assert_eq!(admin.adopt_rules(now()).await, Ok(None));
    let snapshot = admin.snapshot().await.expect("a catalog");
    assert_eq!((snapshot.version, disabled(&snapshot.rules)), (7, true));
    let read = HistoryReader::new(&app.store).of(7).await.expect("read");
    assert!(read.is_some_and(|catalog| disabled(&catalog)));
}

#[tokio::test]
async fn chunks_of_two_versions_are_no_catalog() {
    let app = App::start().await;
    put_old_rules(&app, r#"{"rewards":"disabled"}"#, &[7, 8]).await;
    let error = Admin::new(&app.store).snapshot().await.expect_err("mixed versions");
    assert!(error.to_string().contains("mixed versions"), "{error}");
}
