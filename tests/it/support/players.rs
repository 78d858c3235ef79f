//! Player events: requests, lookups, and apps with catalogs of their own.

use std::{collections::HashMap, fmt::Display, io::Write as _, path::Path};

use aws_sdk_dynamodb::types::AttributeValue;
use flate2::{Compression, write::GzEncoder};
use punchcard::set_up;
use punchcard_rewards::yaml;
use punchcard_store::Admin;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{Answer, App};

pub const EVENT: &str = "/integrations/event";
pub const API_KEY: (&str, &str) = ("apikey", "demo-api-key");
pub const JSON: (&str, &str) = ("content-type", "application/json");

/// A campaign that pays for an event with any metadata, without limits.
pub fn campaign(id: &str, event: &str, points: u64) -> Value {
    limited(id, event, points, &json!({}))
}

/// The same, within limits.
pub fn limited(id: &str, event: &str, points: u64, limits: &Value) -> Value {
    json!({"id": id, "event": event, "points": points, "limits": limits})
}

impl App {
    /// Starts one whose catalog is not the demo's.
    pub async fn with_catalog(catalog: &Value) -> Self {
        let mut app = App::start().await;
        app.apply(catalog).await;
        app
    }

    /// Applies another catalog. JSON is YAML too.
    pub async fn apply(&mut self, catalog: &Value) {
        let catalog = yaml::read(&catalog.to_string()).unwrap_or_else(|problems| panic!("{problems:?}"));
        set_up::apply(&Admin::new(&self.store), &catalog, punchcard_runtime::now()).await.expect("a catalog to apply");
        self.restart().await;
    }

    /// Posts events as they are.
    pub async fn track(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.send(Method::POST, EVENT, &[API_KEY, JSON], body).await
    }

    /// Posts events under an Idempotency-Key.
    pub async fn track_once(&self, key: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(Method::POST, EVENT, &[API_KEY, JSON, ("idempotency-key", key)], body).await
    }

    /// Posts events as a client does that wants them recorded: what is answered 503 is sent again as it stands. Many at
    /// once may be more than a slow machine answers within a request's deadline.
    pub async fn track_until_recorded(&self, key: impl Display, body: &str) -> Answer {
        let key = key.to_string();
        for _ in 0..20 {
            let answer = self.track_once(&key, body).await;
            if answer.status != 503 {
                return answer;
            }
        }
        panic!("{key} is not recorded");
    }

    /// Tracks an event without metadata, which has to succeed.
    pub async fn did(&self, player: &str, event: &str) {
        assert_tracked(&self.track(json!({"playerUniqueId": player, "events": {event: {}}}).to_string()).await);
    }

    /// The same, of a player with an address: `("email", "a@b.example")`.
    pub async fn did_as(&self, player: &str, (kind, address): (&str, &str), event: &str) {
        let body = json!({"playerUniqueId": player, kind: address, "events": {event: {}}});
        assert_tracked(&self.track(body.to_string()).await);
    }

    /// Looks a player up.
    pub async fn get_player(&self, id: &str) -> Answer {
        self.send(Method::GET, &format!("/integrations/player/{}", encoded(id)), &[API_KEY], "").await
    }

    /// A player's points, and the recorded events of its customer.
    pub async fn totals(&self, player: &str) -> (u64, u64) {
        let answer = self.get_player(player).await;
        assert_eq!(answer.status, 200, "{player}: {}", answer.body);
        let customer =
            |item: &HashMap<String, AttributeValue>| item.get("customer").and_then(|key| key.as_s().ok()).cloned();
        let key = format!("player#{player}");
        let members = self.items("Members").await;
        let member = members.iter().find(|member| text(member, "memberId") == key);
        let key = member.and_then(customer).unwrap_or(key);
        let records = self.items("PlayerEvents").await.into_iter().filter(|record| {
            let own = || format!("player#{}", text(record, "playerId"));
            record.contains_key("events") && customer(record).unwrap_or_else(own) == key
        });
        let events = records.map(|record| json(&record, "events").as_object().expect("events").len());
        (answer.json()["points"].as_u64().expect("points"), events.sum::<usize>() as u64)
    }

    /// The stored earnings of each recorded request, in no order.
    pub async fn earned(&self) -> Vec<Value> {
        self.items("PlayerEvents").await.iter().map(|record| json(record, "earned")).collect()
    }

    /// The stored earnings of one recorded request.
    pub async fn player_record(&self, player: &str, record_id: &str) -> Value {
        let get = self.dynamo().get_item().table_name(format!("{}PlayerEvents", self.prefix));
        let get = get.key("playerId", AttributeValue::S(player.to_owned()));
        let found = get.key("recordId", AttributeValue::S(record_id.to_owned())).send().await.expect("read");
        json(&found.item.expect("a record"), "earned")
    }

    /// The numbers of records and of members.
    pub async fn stored(&self) -> (usize, usize) {
        (self.items("PlayerEvents").await.len(), self.items("Members").await.len())
    }
}

/// A body compressed with gzip.
pub fn compressed(body: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body.as_bytes()).expect("written to memory");
    encoder.finish().expect("written to memory")
}

/// A sample event of `events/`.
pub fn sample(name: &str) -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Every byte that could mean something in a path, percent-encoded.
pub fn encoded(id: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    id.bytes().map(byte).collect()
}

/// A stored attribute that is text.
pub fn text<'i>(item: &'i HashMap<String, AttributeValue>, name: &str) -> &'i str {
    item.get(name).and_then(|value| value.as_s().ok()).unwrap_or_else(|| panic!("no text {name} in {item:?}"))
}

/// A stored attribute that is JSON text.
pub fn json(item: &HashMap<String, AttributeValue>, name: &str) -> Value {
    serde_json::from_str(text(item, name)).expect("JSON")
}

/// Exactly 200 and `{}`: the published clients misread anything else.
#[track_caller]
pub fn assert_tracked(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

/// An error's status and code and message; it has these two members and no other.
#[track_caller]
pub fn fault(answer: &Answer) -> (u16, u64, String) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.body);
    assert!(answer.header("x-amzn-requestid").is_some(), "no request id");
    let body = answer.json();
    let members = body.as_object().unwrap_or_else(|| panic!("no object: {body}"));
    assert_eq!(members.len(), 2, "{body}");
    let (code, message) = (members["code"].as_u64(), members["message"].as_str());
    let (code, message) = (code.expect("a number"), message.expect("a string"));
    assert!(!message.is_empty());
    (answer.status.as_u16(), code, message.to_owned())
}

/// The same of an error of version 4, which has five members.
#[track_caller]
pub fn fault_v4(answer: &Answer) -> (u16, u64, String) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.body);
    let body = answer.json();
    let members = body.as_object().unwrap_or_else(|| panic!("no object: {body}"));
    let names: Vec<_> = members.keys().map(String::as_str).collect();
    assert_eq!(names, ["code", "documentationUrl", "message", "requestId", "type"]);
    assert_eq!(members["requestId"].as_str(), answer.header("x-amzn-requestid"));
    let code = members["code"].as_u64().expect("a number");
    let category = match code / 1000 {
        1 => "Authentication Error",
        3 => "Payload Error",
        5 => "Server Error",
        7 => "Customer Error",
        9 => "Transaction Error",
        _ => "Request Error",
    };
    assert_eq!(members["type"], category);
    (answer.status.as_u16(), code, members["message"].as_str().expect("a string").to_owned())
}
