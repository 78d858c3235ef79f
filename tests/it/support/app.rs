//! The whole API as `punchcard serve --demo` runs it, in this process: real HTTP in front, the embedded store behind.
//!
//! `DYNAMODB_ENDPOINT` puts another DynamoDB behind it.

use std::{env, net::SocketAddr, path::Path, sync::LazyLock};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::AttributeValue,
};
use dynoxide::Database;
use punchcard::{demo, embedded, limits::Limits, registry, router, store::Server, tables};
use punchcard_models::access::SigningKey;
use punchcard_store::{Admin, SigningKeyReader, Store, Tables};
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::support::{description, logs};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A running API with the demo catalog and credentials, and nothing else.
pub struct App {
    pub url: String,
    pub store: Store,
    pub endpoint: String,
    pub prefix: String,
    pub client: reqwest::Client,
    // Dropped last, which stops it.
    server: Option<Server>,
}

/// A customer's session with client events: a token and what goes with it.
pub struct Session<'a> {
    app: &'a App,
    pub customer: &'a str,
    pub bearer: String,
}

impl<'a> Session<'a> {
    /// Posts a body as it is, with more headers than usual, or others.
    pub async fn post_raw(&self, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let usual = [
            ("content-type", "application/json"),
            ("authorization", &self.bearer),
            ("x-source-customer-id", self.customer),
        ];
        let headers: Vec<_> = usual.iter().chain(headers).copied().collect();
        self.app.send(Method::POST, "/v2/events/clientEvent", &headers, body).await
    }

    /// Posts events.
    pub async fn post(&self, events: &[Value]) -> Answer {
        self.post_raw(&[], json!({"clientEvents": events}).to_string()).await
    }

    /// The same session at another process.
    pub fn at<'b>(&self, app: &'b App) -> Session<'b>
    where
        'a: 'b,
    {
        Session { app, customer: self.customer, bearer: self.bearer.clone() }
    }
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }
}

/// More requests at once than a test sends.
const NO_LIMIT: usize = 10_000;

/// Starts functions on a store, and says where they answer.
async fn listen(store: &Store, concurrency: usize) -> String {
    let listener = TcpListener::bind(ANY_PORT).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let api = router::router(registry::open_all(store).await, &Limits::new(concurrency));
    tokio::spawn(async move { axum::serve(listener, api).await });
    url
}

/// A header of a request.
pub fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header's value");
    (HeaderName::from_bytes(name.as_bytes()).expect("a header's name"), value)
}

impl App {
    /// Starts one of its own for a test.
    pub async fn start() -> Self {
        let (server, endpoint, prefix) = if let Ok(endpoint) = env::var("DYNAMODB_ENDPOINT") {
            (None, endpoint, format!("test-{}-", Uuid::new_v4()))
        } else {
            let database = Database::memory().expect("a database in memory");
            let server = Server::start(database, ANY_PORT, None).await.expect("an embedded store");
            let endpoint = format!("http://{}", server.address);
            (Some(server), endpoint, punchcard::embedded::TABLE_PREFIX.to_owned())
        };
        let store = Store::local(&endpoint, &prefix);
        for table in tables::of_template().expect("tables in the template") {
            Tables::new(&store).create(&table).await.expect("a table");
        }
        demo::set_up(&Admin::new(&store), punchcard_runtime::now()).await.expect("the demo");
        Self::on(endpoint, prefix, server).await
    }

    /// Starts one on the data of `punchcard serve --demo` in a directory.
    pub async fn start_in(data: &Path) -> Self {
        let database = embedded::open(data, embedded::DEMO_FILE).expect("a database");
        let server = Server::start(database, ANY_PORT, None).await.expect("an embedded store");
        let admin = Admin::new(&server.store);
        if admin.rules().await.expect("a catalog").is_none() {
            demo::set_up(&admin, punchcard_runtime::now()).await.expect("the demo");
        }
        Self::on(format!("http://{}", server.address), embedded::TABLE_PREFIX.to_owned(), Some(server)).await
    }

    /// Ends the store, so that another process can use its data.
    pub async fn stop(self) {
        if let Some(server) = self.server {
            server.stop().await;
        }
    }

    /// Another process of the same system, which reaches the store at `endpoint`. It lives no longer than the first.
    pub async fn through(&self, endpoint: &str) -> Self {
        Self::on(endpoint.to_owned(), self.prefix.clone(), None).await
    }

    async fn on(endpoint: String, prefix: String, server: Option<Server>) -> Self {
        logs::watch();
        let store = Store::local(&endpoint, &prefix);
        // Read now, and not while requests wait for their answers.
        LazyLock::force(&description::OPERATIONS);
        App { url: listen(&store, NO_LIMIT).await, store, endpoint, prefix, client: reqwest::Client::new(), server }
    }

    /// Goes on with functions that start anew: those that run would notice a change of the catalog after a minute.
    pub async fn restart(&mut self) {
        self.restart_with_limit(NO_LIMIT).await;
    }

    /// The same, for no more than so many requests at once.
    pub async fn restart_with_limit(&mut self, concurrency: usize) {
        self.url = listen(&self.store, concurrency).await;
    }

    /// Sends a request. Of two headers of one name, the later one counts.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let (name, value) = header(name, value);
            map.insert(name, value);
        }
        self.send_raw(method, path, map, body).await
    }

    /// Sends a request as it is, with repeated headers. Every response must be as `openapi.json`
    /// describes it.
    pub async fn send_raw(&self, method: Method, path: &str, headers: HeaderMap, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let request = self.client.request(method.clone(), format!("{}{path}", self.url));
        let response = request.headers(headers.clone()).body(body.clone()).send().await.expect("an answer");
        let (status, answered) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers: answered, body: response.text().await.expect("a body") };
        description::check(&method, path, &headers, &body, &answer);
        answer
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers: Vec<_> = [("content-type", "application/json")].iter().chain(headers).copied().collect();
        self.send(Method::POST, path, &headers, body.to_string()).await
    }

    /// A token for client events of a customer, from the demo client.
    pub async fn session_token(&self, customer: &str) -> String {
        let credentials = json!({"clientId": "demo-client", "secret": "demo-secret"});
        let answer = self.post("/v2/session/startSession", &[("x-source-customer-id", customer)], &credentials).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["sessionToken"].as_str().expect("a token").to_owned()
    }

    /// A session of a customer.
    pub async fn session<'a>(&'a self, customer: &'a str) -> Session<'a> {
        Session { app: self, customer, bearer: format!("Bearer {}", self.session_token(customer).await) }
    }

    /// The key that the tokens are signed with, for making others.
    pub async fn signing_key(&self) -> SigningKey {
        let now = punchcard_runtime::now();
        SigningKeyReader::new(&self.store).newest(now).await.expect("a key").as_ref().clone()
    }

    /// Revokes a client or an API key, by its name, as an operator does.
    pub async fn revoke(&self, name: &str) {
        Admin::new(&self.store).revoke(name, punchcard_runtime::now()).await.expect("a known caller");
    }

    /// Sets an attribute of an item, as damage to the store would.
    pub async fn set<const N: usize>(&self, table: &str, key: [(&str, &str); N], name: &str, value: AttributeValue) {
        let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into();
        let update = self.dynamo().update_item().table_name(format!("{}{table}", self.prefix)).set_key(Some(key));
        let update = update.update_expression("SET #name = :value").condition_expression("attribute_exists(#name)");
        let update = update.expression_attribute_names("#name", name).expression_attribute_values(":value", value);
        update.send().await.expect("an item that has the attribute");
    }

    /// Removes an item, as damage to the store would.
    pub async fn remove<const N: usize>(&self, table: &str, key: [(&str, &str); N]) {
        let key = key.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.to_owned()))).into();
        let delete = self.dynamo().delete_item().table_name(format!("{}{table}", self.prefix)).set_key(Some(key));
        delete.send().await.expect("an item less");
    }

    /// Every item of a table, for looking at what was stored. Tests may scan; the product never does.
    pub async fn items(&self, table: &str) -> Vec<std::collections::HashMap<String, AttributeValue>> {
        let items = self.dynamo().scan().table_name(format!("{}{table}", self.prefix)).consistent_read(true);
        items.into_paginator().items().send().collect::<Result<_, _>>().await.expect("items")
    }

    /// The store, directly.
    pub fn dynamo(&self) -> Client {
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&self.endpoint)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Client::from_conf(config)
    }
}
