//! Overload and slow clients: excess requests are refused, and other clients are served.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    process::Command,
};
use uuid::Uuid;

use crate::{
    serve::{
        Running,
        connections::{address, sockets},
        event,
    },
    support::{
        app::{Answer, App},
        binaries::binary,
        proxy::{Fault, Proxy},
    },
};

/// Every route, with the overload error of its dialect.
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
async fn a_request_over_the_limit_is_refused_at_once_in_its_dialect_and_the_others_complete() {
    let store = App::start().await;
    let proxy = Proxy::start(&store.endpoint).await;
    let mut app = store.through(&proxy.url).await;
    app.restart_with_limit(1).await;
    let session = app.session("customer-1").await;
    let (first, second) = ([event(Uuid::new_v4())], [event(Uuid::new_v4())]);

    // The store does not respond to the first request, which takes the only place until then.
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
            let code = answer.json().pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(
                code.as_str().map_or_else(|| code.to_string(), str::to_owned),
                expected,
                "{path}: {}",
                answer.body
            );
        }
        // Responses that need no handler are given as usual.
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
async fn slow_clients_and_endless_bodies_do_not_delay_other_clients() {
    const SLOW: usize = 300;
    let serve = Running::serve(&["--demo", "--memory", "--concurrency", "1"]).await;
    let address = address(&serve);
    let (mut heads, mut bodies) = (Vec::new(), Vec::new());
    for _ in 0..SLOW {
        heads.push(send_only(address, "POST /integrations/event HTTP/1.1\r\nhost: x\r\n").await);
        let begun = "POST /integrations/event HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
        bodies.push(send_only(address, begun).await);
    }
    // Incomplete requests do not take the only place.
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

    // A head that is not completed in time is not waited for.
    for mut stream in heads {
        let mut answer = Vec::new();
        let end = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
        end.expect("an end in time").ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    // A body that stays away gets an answer all the same.
    let mut answer = String::new();
    let late = bodies[0].read_to_string(&mut answer);
    tokio::time::timeout(Duration::from_secs(40), late).await.expect("an end in time").expect("text");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains("\r\nconnection: close\r\n") && answer.ends_with(r#"{"message":"Request Timeout"}"#),
        "{answer}"
    );
}

/// The resident memory of a process in bytes.
fn resident(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    1024 * line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number")
}

/// The bytes that the process listening on an address has received and not yet read.
fn unread(address: &str) -> u64 {
    let port: u16 = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let port = format!(":{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").expect("the connections");
    let lines = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // State 01 is ESTABLISHED.
    let own = lines.filter(|fields| fields[1].ends_with(&port) && fields[3] == "01");
    own.filter_map(|fields| u64::from_str_radix(fields[4].rsplit(':').next()?, 16).ok()).sum()
}

#[tokio::test]
async fn incomplete_bodies_share_a_memory_budget() {
    const BUDGET: usize = 64 * 1024 * 1024;
    const BODY: usize = 250_000;
    let serve = Running::serve(&["--demo", "--memory"]).await;
    let token = serve.token("demo-client", "demo-secret").await;
    let before = resident(serve.id());
    // The last byte of each body is missing. Together they are a third over the budget.
    let head = format!("POST /integrations/event HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY}\r\n\r\n");
    let request = format!("{head}{}", "x".repeat(BODY - 1));
    let mut clients = Vec::new();
    for _ in 0..BUDGET * 4 / 3 / BODY {
        clients.push(send_only(address(&serve), &request).await);
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while unread(address(&serve)) > 0 {
        assert!(Instant::now() < deadline, "the bodies are not read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let used = resident(serve.id()).saturating_sub(before);
    assert!(used > BUDGET / 2 && used < 2 * BUDGET, "{} MiB", used / 1024 / 1024);
    // Small requests are still served.
    let sent = json!({"clientEvents": [event(Uuid::new_v4())]});
    assert_eq!(serve.post("/v2/events/clientEvent", &token, &sent).await.0, 200);
    // Clients over the budget receive their response when they have sent the body.
    let (mut accepted, mut refused) = (0, 0);
    for client in &mut clients {
        client.write_all(b"x").await.expect("it is taken");
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.expect("an answer");
        match &answer {
            b"HTTP/1.1 401" => accepted += 1,
            b"HTTP/1.1 429" => refused += 1,
            _ => panic!("{}", String::from_utf8_lossy(&answer)),
        }
    }
    // A part of each body is not counted.
    let most = BUDGET / (BODY - 8 * 1024);
    assert!((BUDGET / BODY..=most).contains(&accepted), "{accepted} accepted, {refused} refused");
}

/// The most connections that `serve` has.
const CONNECTIONS: usize = 4096;

#[tokio::test]
async fn hostile_connections_over_the_limit_do_not_lock_out_other_clients() {
    rlimit::increase_nofile_limit(3 * CONNECTIONS as u64).expect("a limit");
    let serve = Running::serve(&["--demo", "--memory"]).await;
    let address = address(&serve);
    let token = serve.token("demo-client", "demo-secret").await;
    let polite = async || {
        let started = Instant::now();
        let sent = json!({"clientEvents": [event(Uuid::new_v4())]});
        // Each on a connection of its own.
        let (status, body) = serve.post("/v2/events/clientEvent", &token, &sent).await;
        assert_eq!(status, 200, "{body}");
        started.elapsed()
    };
    let half_body = format!("{}{}", HALF_BODY, "x".repeat(8_000));
    let mut hostile = Vec::new();
    let mut longest = Duration::ZERO;
    for number in 0..CONNECTIONS + 500 {
        let sent = match number % 5 {
            0 => "",
            1 => "PRI * HTTP/2.0\r\n\r\n",
            2 => "POST /integrations/event HTTP/1.1\r\nhost: x\r\n",
            3 => UNREAD,
            _ => &half_body,
        };
        // A small buffer, so that unread responses stay with the server.
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a size");
        let mut stream = socket.connect(address.parse().expect("an address")).await.expect("a connection");
        // The server may have closed it already, in favour of a newer one.
        stream.write_all(sent.as_bytes()).await.ok();
        hostile.push(stream);
        if number % 500 == 0 {
            longest = longest.max(polite().await);
        }
    }
    for _ in 0..10 {
        longest = longest.max(polite().await);
    }
    println!("{} hostile connections, the longest polite request {} ms", hostile.len(), longest.as_millis());
    assert!(longest < Duration::from_secs(3), "{longest:?}");
    // The listener and what the runtime has of its own, beside the connections.
    let open = sockets(serve.id()).len();
    assert!(open <= CONNECTIONS + 8, "{open} connections");
}

#[tokio::test]
async fn too_few_file_descriptors_for_the_connections_do_not_lock_out_other_clients() {
    let mut shell = Command::new("sh");
    shell
        .arg("-c")
        .arg(r#"ulimit -n 128; exec "$0" serve --demo --memory --addr 127.0.0.1:0"#)
        .arg(binary("punchcard"));
    shell.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let serve = Running::spawn(shell, "Ctrl-C").await;
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(TcpStream::connect(address(&serve)).await.expect("a connection"));
    }
    let token = tokio::time::timeout(Duration::from_secs(3), serve.token("demo-client", "demo-secret"));
    token.await.expect("served at once");
    assert!(sockets(serve.id()).len() <= 64 + 8);
}

/// A request with a large response, which hostile clients do not read.
const UNREAD: &str = "GET /docs/assets/swagger-ui-bundle.js HTTP/1.1\r\nhost: x\r\n\r\n";

/// A request whose body doesn't come.
const HALF_BODY: &str = "POST /integrations/event HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n";

#[tokio::test]
async fn a_client_that_never_reads_is_cut_off() {
    let serve = Running::serve(&["--demo", "--memory"]).await;
    let mut stream = TcpStream::connect(address(&serve)).await.expect("a connection");
    stream.write_all(UNREAD.repeat(20).as_bytes()).await.expect("requests");
    let started = Instant::now();
    let gone = async {
        // Fails as soon as the server has closed its side and said so.
        while stream.write_all(b"\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(50), gone).await.expect("cut off in time");
    assert!(started.elapsed() > Duration::from_secs(20), "not at once: {:?}", started.elapsed());
}
