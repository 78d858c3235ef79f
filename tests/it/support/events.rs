//! Outbound events: their schema, and an event bus.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock, Mutex},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse as _, Response},
    routing::post,
};
use jsonschema::Validator;
use serde_json::{Value, json};
use tokio::net::TcpListener;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../docs/events.schema.json")).expect("JSON");
    jsonschema::draft202012::new(&schema).expect("a schema")
});

/// Checks a detail against the schema.
pub fn check(detail: &Value) {
    let problems: Vec<_> = SCHEMA.iter_errors(detail).map(|problem| problem.to_string()).collect();
    assert!(problems.is_empty(), "{problems:?}: {detail}");
}

/// Returns true if the schema accepts a detail.
pub fn is_valid(detail: &Value) -> bool {
    SCHEMA.is_valid(detail)
}

/// Checks that versions of each member never fall, and returns the details by event id.
pub fn in_order(details: &[Value]) -> BTreeMap<String, Value> {
    let mut versions = BTreeMap::new();
    let mut by_id = BTreeMap::new();
    for detail in details {
        check(detail);
        if let Some(member) = detail["member"].as_str() {
            let version = detail["balance"]["version"].as_u64().expect("a version");
            let before = versions.insert(member.to_owned(), version).unwrap_or(0);
            assert!(before <= version, "{before} before {detail}");
        }
        by_id.insert(detail["eventId"].as_str().expect("an id").to_owned(), detail.clone());
    }
    by_id
}

/// An event bus that is listening: as much of one as the function uses.
pub struct Bus {
    pub endpoint: String,
    state: Arc<Mutex<Contents>>,
}

#[derive(Default)]
struct Contents {
    entries: Vec<Value>,
    /// So many calls fail as a whole.
    broken_calls: usize,
    /// So many entries fail: of each call, every second.
    refused_entries: usize,
    /// The record whose entry always fails.
    refused_id: Option<String>,
}

impl Bus {
    pub const NAME: &'static str = "loyalty";

    pub async fn start() -> Self {
        let state = Arc::<Mutex<Contents>>::default();
        let api = Router::new().route("/", post(put_events)).with_state(state.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, api).await });
        Bus { endpoint, state }
    }

    /// Takes the details of all accepted entries out.
    pub fn take(&self) -> Vec<Value> {
        let entries = std::mem::take(&mut self.state.lock().expect("a lock").entries);
        entries.iter().map(detail).collect()
    }

    pub fn break_calls(&self, count: usize) {
        self.state.lock().expect("a lock").broken_calls = count;
    }

    pub fn refuse_entries(&self, count: usize) {
        self.state.lock().expect("a lock").refused_entries = count;
    }

    /// Refuses the entry of a record from now on.
    pub fn refuse(&self, id: Option<&str>) {
        self.state.lock().expect("a lock").refused_id = id.map(str::to_owned);
    }
}

fn detail(entry: &Value) -> Value {
    assert_eq!(entry["Source"], "punchcard", "{entry}");
    assert_eq!(entry["EventBusName"], Bus::NAME, "{entry}");
    assert!(entry.get("Resources").is_none(), "{entry}");
    let detail: Value = serde_json::from_str(entry["Detail"].as_str().expect("a detail")).expect("JSON");
    check(&detail);
    let seconds = entry["Time"].as_f64().expect("a time");
    let received = chrono::DateTime::parse_from_rfc3339(detail["receivedAt"].as_str().expect("a time"));
    let millis = received.expect("RFC 3339").timestamp_millis();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact")]
    let expected = millis as f64 / 1000.0;
    assert!((seconds - expected).abs() < 0.001, "{entry}");
    detail
}

async fn put_events(State(state): State<Arc<Mutex<Contents>>>, headers: HeaderMap, body: Bytes) -> Response {
    // Of another media type than what `Json` takes.
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(headers["x-amz-target"], "AWSEvents.PutEvents");
    let mut state = state.lock().expect("a lock");
    if state.broken_calls > 0 {
        state.broken_calls -= 1;
        let error = json!({"__type": "InternalException", "message": "canary"});
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response();
    }
    let entries = body["Entries"].as_array().expect("entries");
    assert!((1..=10).contains(&entries.len()), "{body}");
    let (mut results, mut failed) = (Vec::new(), 0);
    for (place, entry) in entries.iter().enumerate() {
        let id = detail(entry)["id"].clone();
        let is_refused = state.refused_id.as_deref() == id.as_str();
        if is_refused || place % 2 == 1 && state.refused_entries > 0 {
            state.refused_entries -= usize::from(!is_refused);
            failed += 1;
            results.push(json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "canary"}));
        } else {
            state.entries.push(entry.clone());
            results.push(json!({"EventId": uuid::Uuid::new_v4()}));
        }
    }
    Json(json!({"FailedEntryCount": failed, "Entries": results})).into_response()
}
