//! More than there is room for, and clients that are slow: nobody is kept waiting by them.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use uuid::Uuid;

use crate::{
    app::{Answer, App},
    proxy::{Fault, Proxy},
    serve::{Running, event},
};

/// Every route, with how its dialect says that there is no room.
const ROUTES: [(Method, &str, &str, &str); 9] = [
    (Method::POST, "/v2/session/startSession", "/type", "TooManyRequestsException"),
    (Method::POST, "/v2/events/clientEvent", "/type", "TooManyRequestsException"),
    (Method::POST, "/oauth2/token", "/error", "temporarily_unavailable"),
    (Method::POST, "/client/users/a/sessions", "/errorCode", "TOO_MANY_REQUESTS"),
    (Method::POST, "/client/users/c/activities", "/errorCode", "TOO_MANY_REQUESTS"),
    (Method::GET, "/client/users/c/activities/a", "/errorCode", "TOO_MANY_REQUESTS"),
    (Method::GET, "/client/users/c/balances", "/errorCode", "TOO_MANY_REQUESTS"),
    (Method::POST, "/integrations/event", "/code", "429"),
    (Method::GET, "/integrations/player/p", "/code", "429"),
];

async fn send(app: &App, method: Method, path: &str) -> Answer {
    app.send(method, path, &[("content-type", "application/json")], "{}").await
}

#[tokio::test]
async fn what_there_is_no_room_for_is_refused_at_once_in_its_dialect_and_the_rest_goes_on() {
    let store = App::start().await;
    let proxy = Proxy::start(&store.endpoint).await;
    let mut app = store.through(&proxy.url).await;
    app.restart_with_room(1).await;
    let session = app.session("customer-1").await;
    let (first, second) = ([event(Uuid::new_v4())], [event(Uuid::new_v4())]);

    // The store takes its time with the first: until then nothing else has room.
    proxy.fail_next("PutItem", Fault::NoAnswer);
    let slow = session.post(&first);
    let meanwhile = async {
        while proxy.count("PutItem") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let refused = session.post(&second).await;
        assert_eq!(refused.status, 429, "{}", refused.body);
        for (method, path, pointer, expected) in ROUTES {
            let answer = send(&app, method, path).await;
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("1")), "{path}");
            let told = answer.json().pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(
                told.as_str().map_or_else(|| told.to_string(), str::to_owned),
                expected,
                "{path}: {}",
                answer.body
            );
        }
        // What needs no work is answered as ever.
        assert_eq!(send(&app, Method::OPTIONS, "/integrations/event").await.status, 204);
        assert_eq!(send(&app, Method::DELETE, "/integrations/event").await.status, 405);
        assert_eq!(proxy.count("PutItem"), 1, "nothing of it reached the store");
    };
    let (answer, ()) = tokio::join!(slow, meanwhile);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(session.post(&second).await.status, 200, "refused, so it was not recorded");
}

/// Connects and sends no more than this.
async fn send_only(address: &str, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(text.as_bytes()).await.expect("it is taken");
    stream
}

#[tokio::test]
async fn slow_clients_and_endless_bodies_hold_nobody_up() {
    const SLOW: usize = 300;
    let serve = Running::serve(&["--demo", "--memory", "--concurrency", "1"]).await;
    let address = serve.url().strip_prefix("http://").expect("an address");
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..SLOW {
        heads.push(send_only(address, "POST /integrations/event HTTP/1.1\r\nhost: x\r\n").await);
        let begun = "POST /integrations/event HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
        bodies.push(send_only(address, begun).await);
    }
    // All have the one room between them, and none takes it.
    let token = serve.token("demo-client", "demo-secret").await;
    let recorded =
        serve.post("/v2/events/clientEvent", &token, &json!({"clientEvents": [event(Uuid::new_v4())]})).await;
    assert_eq!(recorded.0, 200, "{}", recorded.1);

    // A body without end is refused before its end.
    let mut endless =
        send_only(address, "POST /integrations/event HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let mut sent = 0;
    while sent < 64 * 1024 * 1024 && endless.write_all(chunk.as_bytes()).await.is_ok() {
        sent += chunk.len();
    }
    assert!(sent < 64 * 1024 * 1024, "it is taken as long as it is sent");

    // Who doesn't even finish a head is not waited for.
    for mut stream in heads {
        let mut answer = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        end.expect("an end in time").ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    drop(bodies);
}
