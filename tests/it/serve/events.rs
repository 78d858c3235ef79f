//! `serve --events`: what was acknowledged is delivered, to a file and to a URL.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use uuid::Uuid;

use super::{Running, event, failure, text};
use crate::{
    operator::bare_punchcard,
    support::{
        events::in_order,
        logs,
        players::{API_KEY, EVENT},
    },
};

const LIMIT: Duration = Duration::from_secs(30);

/// Records an order under a key.
async fn order(client: &Client, url: &str, player: &str, key: &str) -> bool {
    let body = json!({"playerUniqueId": player, "events": {"place_order": {"total_amount": 120}}});
    let request = client.post(format!("{url}{EVENT}")).header(API_KEY.0, API_KEY.1).header("idempotency-key", key);
    let Ok(answer) = request.json(&body).send().await else { return false };
    let status = answer.status();
    // The body has to be there too.
    let is_whole = answer.bytes().await.is_ok();
    assert_eq!(status, 200);
    is_whole
}

/// Checks the envelope and returns the detail.
fn opened(envelope: &Value) -> Value {
    let detail = &envelope["detail"];
    assert_eq!(envelope["source"], "punchcard");
    assert_eq!((&envelope["id"], &envelope["time"]), (&detail["eventId"], &detail["receivedAt"]));
    assert!(envelope["detail-type"].is_string() && envelope["version"] == "0", "{envelope}");
    detail.clone()
}

/// The details in a file, whose lines are all whole.
fn read(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("a file");
    assert!(text.is_empty() || text.ends_with('\n'), "an incomplete line");
    text.lines().map(|line| opened(&serde_json::from_str(line).expect("a whole line"))).collect()
}

fn ids(details: &[Value]) -> BTreeSet<String> {
    details.iter().map(|detail| detail["id"].as_str().expect("an id").to_owned()).collect()
}

/// Waits until a condition holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LIMIT, "{what} in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_file_gets_a_line_for_each_record_and_restarts_repeat_and_lose_none() {
    let folder = TempDir::new().expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("events.jsonl"));
    let args = ["--demo", "--data", text(&data), "--events", text(&file)];
    let client = Client::new();
    let mut sent = BTreeSet::new();
    for round in 0..2 {
        let mut serve = Running::serve(&args).await;
        let token = serve.token("demo-client", "demo-secret").await;
        let client_events: Vec<_> = (0..30).map(|_| Uuid::new_v4()).collect();
        let body: Vec<_> = client_events.iter().copied().map(event).collect();
        let (status, _) = serve.post(super::EVENTS, &token, &json!({"clientEvents": body})).await;
        assert_eq!(status, 200);
        sent.extend(client_events.iter().map(Uuid::to_string));
        for number in 0..3 {
            let key = format!("{round}-{number}");
            // A repeated request is no new record.
            for _ in 0..2 {
                assert!(order(&client, serve.url(), "player-1", &key).await);
            }
            sent.insert(format!("key#{key}"));
        }
        // The queue is delivered before the end.
        assert!(serve.interrupt().await.success());
        let details = read(&file);
        assert_eq!(in_order(&details).len(), details.len(), "nothing twice without a crash");
        assert_eq!(ids(&details), sent);
    }
    let details = read(&file);
    let points: Vec<_> = details.iter().filter_map(|detail| detail["balance"]["points"].as_u64()).collect();
    assert_eq!(points.len(), 6);
    assert_eq!(points.last(), Some(&300));

    // A torn line is cut, and its event is not lost: it was not delivered.
    let whole = fs::read_to_string(&file).expect("a file");
    fs::write(&file, format!("{whole}{{\"version\":\"0\",\"id\":\"to")).expect("written");
    let mut serve = Running::serve(&args).await;
    assert!(order(&client, serve.url(), "player-1", "last").await);
    assert!(
        failure(&["serve", "--addr", "127.0.0.1:0", "--demo", "--data", text(&data), "--events", text(&file)])
            .await
            .contains("events.jsonl")
    );
    assert!(serve.interrupt().await.success());
    assert_eq!(read(&file).len(), details.len() + 1);
}

#[tokio::test]
async fn without_the_option_the_queue_stays_and_the_gap_is_told() {
    let folder = TempDir::new().expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("events.jsonl"));
    let client = Client::new();
    let with = ["--demo", "--data", text(&data), "--events", text(&file)];
    // Nobody listens there, so the event stays in the queue.
    let down = ["--demo", "--data", text(&data), "--events", "http://127.0.0.1:9/secret-path"];
    let mut serve = Running::serve(&down).await;
    assert!(order(&client, serve.url(), "player-1", "kept").await);
    assert!(serve.interrupt().await.success());
    let said = serve.errors().await;
    assert!(said.contains("not all events were delivered") && !said.contains("secret-path"), "{said}");

    let mut serve = Running::serve(&["--demo", "--data", text(&data)]).await;
    assert!(order(&client, serve.url(), "player-1", "missed").await);
    assert!(serve.interrupt().await.success());
    assert!(serve.errors().await.contains("records received from now on have no events"));

    let mut serve = Running::serve(&with).await;
    assert!(order(&client, serve.url(), "player-1", "after").await);
    assert!(serve.interrupt().await.success());
    let said = serve.errors().await;
    assert!(said.contains("events are missing: records received from 2"), "{said}");
    assert_eq!(ids(&read(&file)), ["key#after", "key#kept"].map(str::to_owned).into());
    let refused = failure(&["serve", "--memory", "--demo", "--events", "x"]).await;
    assert!(refused.contains("cannot be used with"), "{refused}");
    let refused = failure(&["serve", "--demo", "--events", "https://user:canary@example.com"]).await;
    assert!(refused.contains("an http:// or https:// URL with a host"), "{refused}");
}

#[tokio::test]
async fn an_erased_customer_is_gone_from_the_queue_too() {
    let folder = TempDir::new().expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("events.jsonl"));
    let client = Client::new();
    // Nobody listens there.
    let mut serve = Running::serve(&["--demo", "--data", text(&data), "--events", "http://127.0.0.1:9"]).await;
    assert!(order(&client, serve.url(), "canary-player", "of-canary").await);
    assert!(order(&client, serve.url(), "other-player", "of-other").await);
    assert!(serve.interrupt().await.success());
    let held = || {
        let files = fs::read_dir(&data).expect("a folder").map(|file| fs::read(file.expect("a file").path()));
        files.into_iter().any(|bytes| bytes.expect("a file").windows(13).any(|window| window == b"canary-player"))
    };
    assert!(held());
    let erase = ["customer", "erase", "canary-player", "--demo", "--data", text(&data), "--offline", "--yes"];
    let said = bare_punchcard(&erase).await;
    assert!(said.succeeded, "{}", said.errors);
    assert!(!held());

    let mut serve = Running::serve(&["--demo", "--data", text(&data), "--events", text(&file)]).await;
    assert!(serve.interrupt().await.success());
    assert_eq!(ids(&read(&file)), ["key#of-other".to_owned()].into());
}

/// The events of a receiver, and the number of requests that it still refuses.
#[derive(Default)]
struct Received {
    details: Mutex<Vec<Value>>,
    refusals: AtomicUsize,
}

async fn receive(State(received): State<Arc<Received>>, Json(envelope): Json<Value>) -> StatusCode {
    let refused =
        received.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    if refused {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    received.details.lock().expect("a lock").push(opened(&envelope));
    StatusCode::NO_CONTENT
}

#[tokio::test]
async fn a_url_gets_every_event_in_order_also_after_it_was_down() {
    let folder = TempDir::new().expect("a folder");
    // A port that is free, and where nobody listens yet.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let url = format!("http://{address}/events");
    let args = ["--demo", "--data", text(folder.path()), "--events", url.as_str()];
    let mut serve = Running::serve(&args).await;
    let client = Client::new();
    let slowest = Arc::new(Mutex::new(Duration::ZERO));
    let mut recorded = Vec::new();
    let mut send = async |count: usize| {
        for _ in 0..count {
            let key = Uuid::new_v4().to_string();
            let started = Instant::now();
            let player = format!("player-{}", recorded.len() % 3);
            assert!(order(&client, serve.url(), &player, &key).await);
            let mut slowest = slowest.lock().expect("a lock");
            *slowest = started.elapsed().max(*slowest);
            recorded.push((player, format!("key#{key}")));
        }
    };
    send(20).await;
    let received = Arc::new(Received::default());
    received.refusals.store(5, Ordering::SeqCst);
    let api = Router::new().route("/events", post(receive)).with_state(received.clone());
    let listener = TcpListener::bind(address).await.expect("the port");
    tokio::spawn(async move { axum::serve(listener, api).await });
    send(20).await;
    until("the events", || received.details.lock().expect("a lock").len() >= 40).await;
    let details = received.details.lock().expect("a lock").clone();
    assert_eq!(in_order(&details).len(), 40);
    for player in ["player-0", "player-1", "player-2"] {
        let received = details.iter().filter(|detail| detail["playerId"] == player).map(|detail| &detail["id"]);
        let expected = recorded.iter().filter(|(of, _)| of == player).map(|(_, key)| key);
        assert!(received.eq(expected), "the order of {player}: {details:?}");
    }
    println!("slowest request while the receiver was down: {:?}", slowest.lock().expect("a lock"));
    assert!(serve.interrupt().await.success());
    assert!(serve.errors().await.contains("an event was not received"));
}

#[tokio::test]
async fn every_acknowledged_record_has_an_event_after_each_kill() {
    const ROUNDS: usize = 4;
    const WRITERS: usize = 6;
    let folder = TempDir::new().expect("a folder");
    let (data, file) = (folder.path().join("data"), folder.path().join("events.jsonl"));
    let args = ["--demo", "--data", text(&data), "--events", text(&file)];
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut serve = Running::serve(&args).await;
        let done = Arc::new(AtomicUsize::default());
        let mut writers = JoinSet::new();
        for writer in 0..WRITERS {
            let (url, done) = (serve.url().to_owned(), done.clone());
            writers.spawn(async move {
                let (client, mut keys) = (Client::new(), Vec::new());
                loop {
                    let key = Uuid::new_v4().to_string();
                    if !order(&client, &url, &format!("player-{}", writer % 3), &key).await {
                        return keys;
                    }
                    keys.push(format!("key#{key}"));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // At another moment each time.
        until("requests", || done.load(Ordering::Relaxed) >= 40 + round * 13).await;
        serve.kill().await;
        while let Some(keys) = writers.join_next().await {
            acknowledged.extend(keys.expect("a writer's end"));
        }
    }
    let mut serve = Running::serve(&args).await;
    assert!(serve.interrupt().await.success());
    let details = read(&file);
    let events = in_order(&details);
    let missing: Vec<_> = acknowledged.difference(&ids(&details)).cloned().collect();
    assert!(missing.is_empty(), "{} of {} have no event", missing.len(), acknowledged.len());
    // The balances add up: the last version of each player is that of its records.
    let mut last = BTreeMap::new();
    for detail in &details {
        last.insert(detail["member"].to_string(), detail["balance"]["points"].as_u64().expect("points"));
    }
    assert_eq!(last.values().sum::<u64>(), 50 * u64::try_from(events.len()).expect("a number"));
    println!(
        "{ROUNDS} kills: {} records acknowledged, {} events, {} lines",
        acknowledged.len(),
        events.len(),
        details.len()
    );
}

impl Running {
    /// Its standard error, after its end.
    async fn errors(self) -> String {
        let said = self.errors.await.expect("its log");
        logs::check(&said);
        said
    }
}
