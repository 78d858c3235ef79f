//! `serve` and `store` over bare sockets: what they listen on, what they keep, and what the gateway would refuse.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::Duration,
};

use punchcard::{limits::Limits, local};
use punchcard_store::Admin;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use uuid::Uuid;

use crate::{
    serve::{Running, event},
    support::{
        app::App,
        proxy::{Fault, Proxy},
    },
};

/// Sends bytes and reads everything until the connection is closed.
pub async fn exchange(address: &str, sent: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(sent.as_bytes()).await.expect("a request");
    let mut received = Vec::new();
    // A connection that is reset has said all it had to say.
    timeout(Duration::from_secs(30), stream.read_to_end(&mut received)).await.expect("an end in time").ok();
    String::from_utf8_lossy(&received).into_owned()
}

pub fn address(running: &Running) -> &str {
    running.url().strip_prefix("http://").expect("an address")
}

/// The inodes of a process's sockets.
pub fn sockets(process: u32) -> BTreeSet<String> {
    let files = fs::read_dir(format!("/proc/{process}/fd")).expect("its files");
    let links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())).collect()
}

/// The ports that a process listens on.
fn listening(process: u32) -> Vec<u16> {
    let sockets = sockets(process);
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default());
    let lines = tables.iter().flat_map(|table| table.lines().skip(1));
    lines
        .filter_map(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            let port = u16::from_str_radix(fields[1].rsplit(':').next()?, 16).ok()?;
            // State 0A is LISTEN.
            (fields[3] == "0A" && sockets.contains(fields[9])).then_some(port)
        })
        .collect()
}

#[tokio::test]
async fn serve_listens_on_its_own_port_only() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    let port: u16 = address(&serve).rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    serve.token("demo-client", "demo-secret").await;
    assert_eq!(listening(serve.id()), [port]);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).permissions().mode() & 0o777
}

#[tokio::test]
async fn the_data_is_readable_by_its_owner_only_and_loose_permissions_are_tightened() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    let text = data.to_str().expect("a path in UTF-8");
    let files = ["store.db", "store.db-wal", "store.db-shm"];
    for round in 0..2 {
        let mut serve = Running::serve(&["--data", text]).await;
        assert_eq!(mode(&data), 0o700, "round {round}");
        for file in files {
            assert_eq!(mode(&data.join(file)), 0o600, "{file} in round {round}");
        }
        // Killed, it leaves all of them.
        serve.kill().await;
        fs::set_permissions(&data, Permissions::from_mode(0o755)).expect("a mode");
        for file in files {
            fs::set_permissions(data.join(file), Permissions::from_mode(0o644)).expect("a mode");
        }
    }
    // A directory with other things in it keeps its mode.
    fs::write(data.join("notes.txt"), "").expect("a file");
    let _serve = Running::serve(&["--data", text]).await;
    assert_eq!(mode(&data), 0o755);
    assert_eq!(mode(&data.join("store.db")), 0o600);
}

#[tokio::test]
async fn serve_refuses_the_requests_that_the_gateway_refuses() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    let address = address(&serve);
    for (head, status) in [
        ("GET /health HTTP/1.1\r\nhost: x", "200"),
        ("GET /health HTTP/1.1", "400"),
        ("GET /health HTTP/1.1\r\nhost:", "400"),
        ("GET /health HTTP/1.1\r\nhost: x\r\nhost: x", "400"),
        ("GET /health#top HTTP/1.1\r\nhost: x", "400"),
        ("GET /health?a=1#top HTTP/1.1\r\nhost: x", "400"),
        ("GET http://x/health#top HTTP/1.1\r\nhost: x", "400"),
        ("GET http://x#top HTTP/1.1\r\nhost: x", "400"),
        ("POST /client/users/c/activities/order#1 HTTP/1.1\r\nhost: x\r\ncontent-length: 0", "400"),
        ("GET /health HTTP/1.0\r\nhost: x", "505"),
    ] {
        let answer = exchange(address, &format!("{head}\r\nconnection: close\r\n\r\n")).await;
        let (answered, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{head}: {answer}"));
        assert_eq!(answered.split(' ').nth(1), Some(status), "{head}: {answer}");
        assert!(answered.contains("x-content-type-options: nosniff"), "{head}: {answer}");
        assert!(serde_json::from_str::<Value>(body).is_ok(), "{head}: {answer}");
    }
    // The fragment of one request is not held against the one before it on the same connection.
    let first = "POST /integrations/event HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let second = "GET /health#top HTTP/1.1\r\nhost: x\r\n\r\n";
    let answers = exchange(address, &format!("{first}{second}")).await;
    let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["401", "400"], "{answers}");
}

#[tokio::test]
async fn request_lines_in_a_body_affect_no_request() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    // Valid JSON with a line that looks like a request line.
    let body = "{\"a\":\n\"POST /integrations/event#x HTTP/1.1\"\n}\nPOST /integrations/event#x HTTP/1.1\r\n\r\n";
    let victim = "POST /integrations/event HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}";
    let last = "GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    for (target, status) in [("/integrations/event", "401"), ("/v2/events/clientEvent", "401"), ("/nowhere", "404")] {
        let head = format!("POST {target} HTTP/1.1\r\nhost: x\r\n");
        for request in [
            format!("{head}content-length: {}\r\n\r\n{body}", body.len()),
            format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len()),
        ] {
            let answers = exchange(address(&serve), &format!("{request}{victim}{last}")).await;
            let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, [status, "401", "200"], "{request}: {answers}");
        }
    }
}

#[tokio::test]
async fn a_request_with_ambiguous_framing_is_refused_and_its_connection_closed() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    for framing in [
        "content-length: 2\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 2",
        "content-length: 2\r\ncontent-length: 2",
        "content-length: 2\r\ncontent-length: 3",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
    ] {
        let request =
            format!("POST /integrations/event HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
        let answers = exchange(address(&serve), &format!("{request}GET /health HTTP/1.1\r\nhost: x\r\n\r\n")).await;
        assert!(answers.starts_with("HTTP/1.1 400") && answers.contains("connection: close"), "{framing}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{framing}: {answers}");
    }
}

#[tokio::test]
async fn http_2_is_not_spoken() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    // The preface, and an empty SETTINGS frame.
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u{4}\0\0\0\0\0";
    let answer = exchange(address(&serve), preface).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
}

#[tokio::test]
async fn serves_own_routes_answer_as_the_api_does() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let send = async |method: Method, path: &str, accept: &str| {
        let request = client.request(method, format!("{}{path}", serve.url())).header(header::ACCEPT, accept);
        request.send().await.expect("an answer")
    };
    for path in ["/", "/health", "/openapi.json", "/docs", "/docs/start.js", "/docs/assets/swagger-ui.css"] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS, Method::DELETE] {
            let answer = send(method.clone(), path, "*/*").await;
            let (status, headers) = (answer.status(), answer.headers().clone());
            for (name, value) in [
                ("access-control-allow-origin", "*"),
                ("cache-control", "no-cache, no-store, must-revalidate"),
                ("strict-transport-security", "max-age=31536000"),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "sameorigin"),
            ] {
                assert_eq!(
                    headers.get(name).and_then(|value| value.to_str().ok()),
                    Some(value),
                    "{method} {path} {name}"
                );
            }
            assert!(headers.contains_key("x-amzn-requestid"), "{method} {path}");
            assert_eq!(headers.get_all("content-type").iter().count(), usize::from(status != 204), "{method} {path}");
            let expected = match method {
                Method::GET | Method::HEAD => 200,
                Method::OPTIONS => 204,
                _ => 405,
            };
            assert_eq!(status, expected, "{method} {path}");
            if status == 405 || status == 204 {
                assert_eq!(headers["allow"], "GET, HEAD, OPTIONS", "{method} {path}");
                assert_eq!(headers.get_all("allow").iter().count(), 1, "{method} {path}");
            }
            if status == 405 {
                assert_eq!(answer.json::<Value>().await.expect("JSON"), json!({"message": "Method Not Allowed"}));
            }
        }
    }
    let browser = send(Method::GET, "/", "text/html,application/xhtml+xml,*/*;q=0.8").await;
    assert_eq!(
        (browser.status(), &browser.headers()["location"]),
        (StatusCode::SEE_OTHER, &"/docs".parse().expect("it"))
    );
    let index: Value = send(Method::GET, "/", "*/*").await.json().await.expect("JSON");
    for path in index.as_object().expect("an object").values() {
        assert_eq!(send(Method::GET, path.as_str().expect("a path"), "*/*").await.status(), 200, "{path}");
    }
    assert_eq!(
        send(Method::GET, "/nowhere", "*/*").await.json::<Value>().await.expect("JSON"),
        json!({"message": "Not Found"})
    );
}

#[tokio::test]
async fn health_is_one_read_a_second_within_the_limit() {
    let app = App::start().await;
    let proxy = Proxy::start(&app.endpoint).await;
    let limits = Limits::new(1);
    let router = local::router(Admin::new(&app.through(&proxy.url).await.store), &limits);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/health", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let get = async || reqwest::get(&url).await.expect("an answer").status().as_u16();

    let reads = proxy.calls().len();
    let statuses = futures_util::future::join_all((0..50).map(|_| get())).await;
    assert_eq!(statuses, [200; 50]);
    assert_eq!((proxy.count("GetItem"), proxy.calls().len()), (1, reads + 1), "{:?}", proxy.calls());

    // At the limit of requests, a cached result is still returned, and the store is not read.
    let permit = limits.request().expect("a free place");
    assert_eq!(get().await, 200);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(get().await, 429);
    drop(permit);
    proxy.set_down(true);
    assert_eq!(get().await, 503);
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_cancel_its_request() {
    let store = App::start().await;
    let proxy = Proxy::start(&store.endpoint).await;
    let mut app = store.through(&proxy.url).await;
    app.restart_with_limit(1).await;
    let session = app.session("customer-1").await;
    let events = [event(Uuid::new_v4())];
    let body = json!({"clientEvents": events}).to_string();
    let request = format!(
        "POST /v2/events/clientEvent HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: {}\r\n\
         x-source-customer-id: customer-1\r\ncontent-length: {}\r\n\r\n{body}",
        session.bearer,
        body.len()
    );
    // Never answered, so that the SDK tries again after a while: long after the client is gone.
    proxy.fail_next("PutItem", Fault::NoAnswer);
    let mut stream =
        TcpStream::connect(app.url.strip_prefix("http://").expect("an address")).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("a request");
    while proxy.count("PutItem") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(session.post(&events).await.status, 429, "the cancelled request is still in progress");
    let recorded = async {
        while proxy.count("PutItem") < 2 || session.post(&events).await.status == 429 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(8), recorded).await.expect("a second try");
    assert_eq!(session.post(&events).await.status, 409, "it was recorded");
}

#[tokio::test]
async fn the_store_refuses_web_pages_and_unknown_access_keys() {
    let mut store = Running::start(&["store", "--memory", "--addr", "127.0.0.1:0"], "tables").await;
    let key = store.said.split("AWS_ACCESS_KEY_ID=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let key = key.expect("a key").to_owned();
    assert!(key.len() >= 40, "{}", store.said);
    let client = reqwest::Client::new();
    let list = async |authorization: Option<String>, origin: Option<&str>| {
        let mut request = client.post(store.url()).header("x-amz-target", "DynamoDB_20120810.ListTables").body("{}");
        request = request.header("content-type", "application/x-amz-json-1.0");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"))
    };
    let signed = |key: &str| {
        let credential = format!("Credential={key}/20260101/us-east-1/dynamodb/aws4_request");
        Some(format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=00"))
    };
    let (status, tables) = list(signed(&key), None).await;
    assert_eq!(
        (status, tables["TableNames"].as_array().map(|tables| !tables.is_empty())),
        (200, Some(true)),
        "{tables}"
    );
    for (sent, origin, status, code) in [
        (None, None, 400, "UnrecognizedClientException"),
        (signed(""), None, 400, "UnrecognizedClientException"),
        (signed(&key[1..]), None, 400, "UnrecognizedClientException"),
        (signed("punchcard"), None, 400, "UnrecognizedClientException"),
        (Some(format!("Bearer {key}")), None, 400, "UnrecognizedClientException"),
        (signed(&key), Some("http://localhost"), 403, "AccessDeniedException"),
        (signed(&key), Some("null"), 403, "AccessDeniedException"),
    ] {
        let (answered, body) = list(sent.clone(), origin).await;
        let error = body["__type"].as_str().expect("a type").rsplit('#').next();
        assert_eq!((answered, error), (status, Some(code)), "{sent:?} {origin:?}: {body}");
        assert!(body.get("TableNames").is_none());
    }
    assert_eq!(store.interrupt().await.code(), Some(0));
}
