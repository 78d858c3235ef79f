//! The real `punchcard`: `serve` and `store`, from their first line to their end.

mod connections;
mod events;
mod overload;
mod upgrade;

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
};
use punchcard_store::{Admin, Store};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout, Command},
    task::JoinHandle,
};
use uuid::Uuid;

use crate::support::{binaries::binary, logs};

pub const EVENTS: &str = "/v2/events/clientEvent";
const SESSIONS: &str = "/v2/session/startSession";

/// A running `punchcard`, and what it said until it was ready.
pub struct Running {
    process: Child,
    pub said: String,
    /// The lines of its log.
    errors: JoinHandle<String>,
    stdout: Lines<BufReader<ChildStdout>>,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary("punchcard"));
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Running {
    /// Starts it and waits until it has said the line that begins like this.
    pub async fn start(args: &[&str], last: &str) -> Self {
        Running::spawn(command(args), last).await
    }

    pub async fn spawn(mut command: Command, last: &str) -> Self {
        let mut process = command.spawn().expect("it starts");
        let mut stdout = BufReader::new(process.stdout.take().expect("its output")).lines();
        let errors = tokio::spawn(logs::read(process.stderr.take().expect("its errors")));
        let mut said = String::new();
        loop {
            let line = tokio::time::timeout(Duration::from_secs(30), stdout.next_line()).await;
            let line = line.expect("ready in time").expect("text").unwrap_or_else(|| panic!("it ended: {said}"));
            said.push_str(&line);
            said.push('\n');
            if line.starts_with(last) {
                return Running { process, said, errors, stdout };
            }
        }
    }

    /// Starts `serve` on any port.
    pub async fn serve(args: &[&str]) -> Self {
        let args: Vec<_> = ["serve", "--addr", "127.0.0.1:0"].iter().chain(args).copied().collect();
        Running::start(&args, "Ctrl-C").await
    }

    /// The URL that it printed.
    pub fn url(&self) -> &str {
        self.said.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:")).expect("an address")
    }

    /// The word after this one.
    fn value(&self, name: &str) -> Option<&str> {
        let mut words = self.said.split_whitespace().skip_while(|word| *word != name);
        words.nth(1)
    }

    pub async fn post(&self, path: &str, bearer: &str, body: &Value) -> (StatusCode, Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url()));
        let request = request.header("x-source-customer-id", "customer-1").bearer_auth(bearer).json(body);
        let response = request.send().await.expect("an answer");
        (response.status(), response.json().await.expect("JSON"))
    }

    pub async fn token(&self, client: &str, secret: &str) -> String {
        let (status, body) = self.post(SESSIONS, "", &json!({"clientId": client, "secret": secret})).await;
        assert_eq!(status, 200, "{body}");
        body["sessionToken"].as_str().expect("a token").to_owned()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("it runs")
    }

    /// Ends it as Ctrl-C does.
    pub async fn interrupt(&mut self) -> ExitStatus {
        self.signal("-INT").await
    }

    /// Ends it as nothing can prevent.
    pub async fn kill(&mut self) {
        assert!(!self.signal("-KILL").await.success());
    }

    /// Ends it as Ctrl-C does, and returns its log.
    pub async fn end(mut self) -> String {
        assert!(self.interrupt().await.success());
        self.errors.await.expect("its log")
    }

    /// Sends it a signal, and returns the next line that it says.
    pub async fn line_after(&mut self, signal: &str) -> String {
        self.send(signal).await;
        let line = tokio::time::timeout(Duration::from_secs(30), self.stdout.next_line()).await;
        line.expect("a line in time").expect("text").expect("it goes on")
    }

    async fn send(&self, signal: &str) {
        let id = self.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.expect("kill").success());
    }

    async fn signal(&mut self, signal: &str) -> ExitStatus {
        self.send(signal).await;
        let ended = tokio::time::timeout(Duration::from_secs(30), self.process.wait()).await;
        ended.expect("an end in time").expect("an end")
    }
}

/// Runs it to its end, which has to be a failure, and gives what it said.
async fn failure(args: &[&str]) -> String {
    let output = tokio::time::timeout(Duration::from_secs(30), command(args).output()).await;
    let output = output.expect("an end in time").expect("it starts");
    let said = String::from_utf8(output.stderr).expect("text");
    logs::check(&said);
    assert!(!output.status.success(), "{args:?}: {said}");
    assert!(!said.contains("panicked"), "{args:?}: {said}");
    said
}

/// A client event without metadata.
pub fn event(id: Uuid) -> Value {
    json!({
        "clientEventId": id,
        "clientEventType": "SessionAction",
        "clientEvent": "LogEnrollment",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
    })
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[tokio::test]
async fn the_demo_prints_its_url_and_three_commands_that_work() {
    binary("punchcard");
    let started = Instant::now();
    let mut demo = Running::serve(&["--demo", "--memory"]).await;
    let health = reqwest::get(format!("{}/health", demo.url())).await.expect("an answer");
    println!("ready after {} ms", started.elapsed().as_millis());
    assert_eq!(health.status(), 200);
    assert_eq!(health.json::<Value>().await.expect("JSON"), json!({"status": "ok"}));
    // A new store's secret is none of the demo's.
    assert_eq!(demo.value("secret"), None, "{}", demo.said);

    assert!(demo.said.lines().count() <= 12 && demo.said.lines().all(|line| line.len() <= 100), "{}", demo.said);

    let commands: Vec<_> = demo.said.lines().filter(|line| line.contains(" demo send ")).map(str::trim).collect();
    assert_eq!(commands.len(), 3, "{}", demo.said);
    // An activity, a client event and an order; once more, what has an id of its own is refused, or answered again.
    for expected in [["200 OK", "200 OK", "200 OK"], ["400 Bad Request", "409 Conflict", "200 OK"]] {
        for (command, expected) in commands.iter().zip(expected) {
            let said = pasted(command).await;
            assert!(said.contains(&format!("\n{expected}, after ")), "{command}: {said}");
        }
    }
    assert_eq!(demo.interrupt().await.code(), Some(0));
}

/// Runs a printed command in a shell, with the program on the path.
async fn pasted(command: &str) -> String {
    let folder = binary("punchcard").parent().expect("a folder").to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let run = Command::new("sh").args(["-c", command]).env("PATH", path).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(30), run).await.expect("an end in time").expect("sh");
    let said = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{command}: {said} {}", String::from_utf8_lossy(&output.stderr));
    said
}

#[tokio::test]
async fn a_sample_request_is_that_of_the_console_and_is_printed_with_its_response() {
    let demo = Running::serve(&["--demo", "--memory"]).await;
    for (what, line, sample, answered) in [
        (
            "activity",
            "POST {url}/client/users/session-1/activities/activity-1",
            "send-activity.happy",
            "\"activityId\": \"activity-1\"",
        ),
        ("event", "POST {url}/v2/events/clientEvent", "send-client-event.happy", "\"requestId\""),
        ("order", "POST {url}/integrations/order", "place-order.happy", "\"pointsEarned\": 20"),
    ] {
        let said = pasted(&format!("punchcard demo send {what} --url {}", demo.url())).await;
        assert_eq!(said.lines().next(), Some(line.replace("{url}", demo.url()).as_str()), "{said}");
        let (_, answer) = said.split_once("\n200 OK, after ").expect("a status");
        assert!(answer.contains("\ncontent-type: application/json") && answer.contains(answered), "{said}");
        // The console's form has the same body.
        let page = reqwest::get(format!("{}/console/try?sample={sample}", demo.url())).await.expect("an answer");
        let page = page.text().await.expect("text");
        let (_, rest) = page.split_once("<textarea id=\"body\"").expect("a body");
        let body = rest.split_once('>').and_then(|(_, rest)| rest.split_once("</textarea>")).expect("its end").0;
        let body = body.replace("&#34;", "\"");
        assert!(said.contains(&body), "{body}: {said}");
        for secret in ["demo-secret", "demo-api-key", "Bearer"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
}

#[tokio::test]
async fn a_sample_request_that_cannot_be_sent_says_why() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let said = failure(&["demo", "send", "activity", "--url", &format!("http://{free}")]).await;
    for part in [free.to_string().as_str(), "did not answer", "punchcard serve --demo", "--url"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let plain = Running::serve(&["--memory"]).await;
    for what in ["activity", "event", "order"] {
        let said = failure(&["demo", "send", what, "--url", plain.url()]).await;
        assert!(said.contains("refused the demo's credentials with status 401"), "{said}");
    }
    for (args, part) in [
        (&["demo", "send", "activity", "--url", "127.0.0.1:3000"][..], "http://127.0.0.1:3000"),
        (&["demo", "send", "nothing"], "[possible values: activity, event, order]"),
    ] {
        let said = failure(args).await;
        assert!(said.contains(part), "{said}");
    }
}

#[tokio::test]
async fn the_routes_are_printed_without_a_start() {
    let run = tokio::time::timeout(Duration::from_secs(30), command(&["serve", "--routes"]).output()).await;
    let output = run.expect("an end in time").expect("it starts");
    assert!(output.status.success() && output.stderr.is_empty());
    let said = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<_> = said.lines().collect();
    for route in [format!("POST {SESSIONS}"), format!("POST {EVENTS}"), "GET  /health".to_owned()] {
        assert!(lines.contains(&route.as_str()), "{route}: {said}");
    }
    // Every route of the API, at each of its paths, and what only `serve` has.
    let paths: usize = punchcard_http::route::ROUTES.iter().map(|route| route.paths.len()).sum();
    assert_eq!(lines.len(), paths + 4, "{said}");
}

#[tokio::test]
async fn the_reference_is_served_whole_and_asks_no_other_host() {
    let demo = Running::serve(&["--demo", "--memory"]).await;
    assert!(demo.said.contains(&format!("{}/docs", demo.url())), "{}", demo.said);
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}{path}", demo.url())).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let media_type = answer.headers()["content-type"].to_str().expect("text").to_owned();
        (media_type, answer.headers().clone(), answer.text().await.expect("text"))
    };
    let (media_type, headers, description) = get("/openapi.json").await;
    assert_eq!(media_type, "application/json");
    assert_eq!(headers["access-control-allow-origin"], "*");
    assert_eq!(description, include_str!("../../../openapi.json"));

    let (media_type, headers, page) = get("/docs").await;
    assert!(media_type.starts_with("text/html"), "{media_type}");
    let policy = headers["content-security-policy"].to_str().expect("text");
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
    let parts: Vec<_> = page.split('"').filter(|text| text.starts_with('/')).collect();
    assert_eq!(parts.len(), 3, "{page}");
    for (part, expected) in parts.into_iter().zip(["text/css", "text/javascript", "text/javascript"]) {
        let (media_type, headers, _) = get(part).await;
        assert_eq!(media_type, expected, "{part}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{part}");
    }
}

#[tokio::test]
async fn the_demo_is_refused_in_public() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:3000"] {
        let said = failure(&["serve", "--demo", "--memory", "--addr", address]).await;
        assert!(said.contains("--demo") && said.contains("loopback") && said.contains(address), "{said}");
    }
}

#[tokio::test]
async fn a_new_store_gets_one_client_whose_secret_is_shown_once() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("not/yet/there");
    let mut first = Running::serve(&["--data", text(&data)]).await;
    let client = first.value("clientId").expect("a client").to_owned();
    let secret = first.value("secret").map(|_| first.said.lines().find(|line| line.trim().starts_with("secret ")));
    let secret = secret.flatten().and_then(|line| line.split_whitespace().nth(1)).expect("a secret").to_owned();
    assert!(!first.said.contains("curl") && !first.said.contains("demo"), "{}", first.said);
    first.token(&client, &secret).await;
    let (status, _) = first.post(SESSIONS, "", &json!({"clientId": "demo-client", "secret": "demo-secret"})).await;
    assert_eq!(status, 401, "the demo's credentials are unknown here");
    assert_eq!(first.interrupt().await.code(), Some(0));

    let mut second = Running::serve(&["--data", text(&data)]).await;
    assert!(!second.said.contains(&secret) && second.value("clientId").is_none(), "{}", second.said);
    second.token(&client, &secret).await;
    assert_eq!(second.interrupt().await.code(), Some(0));

    // The demo's data in the same directory stays separate.
    let demo = Running::serve(&["--demo", "--data", text(&data)]).await;
    demo.token("demo-client", "demo-secret").await;
    let (status, _) = demo.post(SESSIONS, "", &json!({"clientId": client, "secret": secret})).await;
    assert_eq!(status, 401);
}

#[tokio::test]
async fn ctrl_c_ends_it_though_a_connection_is_open() {
    let mut demo = Running::serve(&["--demo", "--memory"]).await;
    let client = reqwest::Client::new();
    let health = client.get(format!("{}/health", demo.url())).send().await.expect("an answer");
    assert_eq!(health.status(), 200);
    health.text().await.expect("a body");
    assert_eq!(demo.interrupt().await.code(), Some(0));
    drop(client);
    let mut demo = Running::serve(&["--demo", "--memory"]).await;
    assert_eq!(demo.signal("-TERM").await.code(), Some(0));
}

#[tokio::test]
async fn a_faulty_catalog_is_refused_with_its_line_and_changes_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (catalog, data) = (folder.path().join("catalog.yaml"), folder.path().join("data"));
    let good = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/rewards/demo.yaml");
    let good = fs::read_to_string(good).expect("the example");
    let line = good.lines().position(|line| line.contains("kind: base")).expect("an offer") + 1;
    fs::write(&catalog, good.replacen("kind: base", "kind: basic", 1)).expect("a file");
    let args = ["serve", "--addr", "127.0.0.1:0", "--data", text(&data), "--catalog", text(&catalog)];
    let said = failure(&args).await;
    assert!(said.contains("catalog.yaml") && said.contains(&format!("line {line}")), "line {line}: {said}");
    assert!(!data.exists(), "nothing is made");

    let said = failure(&["serve", "--memory", "--catalog", "/nowhere/catalog.yaml"]).await;
    assert!(said.contains("/nowhere/catalog.yaml"), "{said}");

    fs::write(&catalog, good).expect("a file");
    let served = Running::serve(&["--memory", "--catalog", text(&catalog)]).await;
    let client = served.value("clientId").expect("a client").to_owned();
    assert_eq!(client, "first-client");
}

#[tokio::test]
async fn an_address_in_use_is_reported() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for args in [["serve", "--demo", "--memory", "--addr", &address], ["store", "--memory", "--addr", &address, "--"]] {
        let args: Vec<_> = args.into_iter().filter(|arg| *arg != "--").collect();
        let said = failure(&args).await;
        assert!(said.contains(&address) && said.contains("in use") && said.contains("--addr"), "{said}");
    }
}

#[tokio::test]
async fn the_store_alone_answers_the_sdk_with_its_tables_made() {
    let args = ["store", "--memory", "--addr", "127.0.0.1:0", "--access-key", "any"];
    let mut store = Running::start(&args, "tables").await;
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("any", "any", None, None, "test"))
        .endpoint_url(store.url())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let listed = Client::from_conf(config).list_tables().send().await.expect("tables");
    let mut listed = listed.table_names().to_vec();
    listed.sort();
    let mut expected: Vec<_> = punchcard::tables::of_template()
        .expect("the template")
        .into_iter()
        .map(|table| format!("punchcard-{}", table.name))
        .collect();
    expected.sort();
    assert_eq!(listed, expected);
    assert_eq!(store.interrupt().await.code(), Some(0));
}

#[tokio::test]
async fn the_store_alone_has_the_demo_if_it_is_asked_for() {
    for (demo, items) in [(&["--demo"][..], true), (&[], false)] {
        // The credentials of `Store::local`.
        let args = [&["store", "--memory", "--addr", "127.0.0.1:0", "--access-key", "punchcard"], demo].concat();
        let mut store = Running::start(&args, "tables").await;
        let admin = Admin::new(&Store::local(store.url(), "punchcard-"));
        let callers: Vec<_> = admin.callers().await.expect("callers").into_iter().map(|caller| caller.name).collect();
        assert_eq!(callers.contains(&"demo-client".to_owned()), items, "{callers:?}");
        assert_eq!(admin.rules_json().await.expect("rules").is_some(), items);
        assert_eq!(store.interrupt().await.code(), Some(0));
    }
}

#[tokio::test]
async fn an_unknown_argument_ends_the_start_with_an_error() {
    for (args, says) in [
        (&["serve", "--memory", "--data", "x"][..], "--memory"),
        (&["serve", "--demo", "--catalog", "x"], "--demo"),
        (&["serve", "--addr", "localhost"], "--addr"),
        (&["serve", "--data", "/dev/null/x"], "/dev/null/x"),
        (&["surf"], "surf"),
        (&[], "Usage"),
    ] {
        let said = failure(args).await;
        assert!(said.contains(says), "{args:?}: {said}");
    }
}

#[tokio::test]
async fn no_warning_is_logged_in_normal_operation() {
    let folder = TempDir::new().expect("a folder");
    let body = json!({"clientEvents": [event(Uuid::new_v4())]});
    for status in [200, 409] {
        let mut demo = Running::serve(&["--demo", "--data", text(folder.path())]).await;
        let token = demo.token("demo-client", "demo-secret").await;
        assert_eq!(demo.post(EVENTS, &token, &body).await.0, status);
        assert_eq!(demo.interrupt().await.code(), Some(0));
        assert_eq!(demo.errors.await.expect("its errors"), "", "{status}");
    }
}

#[tokio::test]
async fn the_log_contains_no_request_data_at_any_level() {
    let mut process = command(&["serve", "--addr", "127.0.0.1:0", "--demo", "--memory"]);
    process.env("RUST_LOG", "trace");
    let mut demo = Running::spawn(process, "Ctrl-C").await;
    let token = demo.token("demo-client", "demo-secret").await;
    for (body, status) in [
        (json!({"clientEvents": [event(Uuid::new_v4())], "more": "canary"}), 200),
        (json!({"clientEvents": "canary"}), 400),
    ] {
        assert_eq!(demo.post(EVENTS, &token, &body).await.0, status);
    }
    assert_eq!(demo.post(EVENTS, "canary", &json!({})).await.0, 401);
    assert_eq!(demo.interrupt().await.code(), Some(0));
    // Every line was looked through when it was read.
    let log = demo.errors.await.expect("its errors");
    assert_eq!(log.matches("answered").count(), 4, "{log}");
}
