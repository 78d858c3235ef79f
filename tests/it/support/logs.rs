//! Secrets, tokens, bodies, ids of customers and addresses must not be logged. Every log line of every test is checked,
//! at the finest level: this process's as it is written, the real binaries' as it is read.

use std::{
    io::{self, Write as _},
    process,
    sync::Once,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use punchcard::set_up;
use punchcard_http::route::ROUTES;
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::ClientId,
};
use punchcard_rewards::yaml;
use punchcard_runtime::logs::limit_dependencies;
use punchcard_store::Admin;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tracing_subscriber::{layer::SubscriberExt as _, util::SubscriberInitExt as _};
use uuid::Uuid;

use crate::support::{
    app::App,
    lambda::Function,
    players::sample,
    proxy::{Fault, Proxy},
};

/// Parts of what the tests send and store, and of what the store answers.
const MARKS: [&str; 14] = [
    "canary",
    // The first characters of every token.
    "eyJ0eXAi",
    "demo-secret",
    "demo-api-key",
    "wrong-secret",
    "customer-1",
    "player123",
    "A-1001",
    "12395199-1565-4565-bf99-3f94ee505d12",
    "CiQ3MGU5",
    "SURVEY_RESPONSE",
    "ada@example.com",
    "yesterday",
    "punchcard-secret",
];

/// Ends the whole run where a log holds what it may not.
pub fn check(log: &str) {
    if let Some(mark) = MARKS.iter().find(|mark| log.contains(**mark)) {
        // Neither a panic, which the code under test would answer, nor `eprintln!`, which the test harness may keep.
        writeln!(io::stderr(), "\n{mark} is in a log: {log}").ok();
        process::abort();
    }
}

/// From now on, looks through what this process logs.
pub fn watch() {
    struct Watch;

    impl io::Write for Watch {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            check(&String::from_utf8_lossy(line));
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_writer(|| Watch))
            .with(limit_dependencies())
            .init();
    });
}

/// Reads a process's log to its end, looking through each line.
pub async fn read(log: impl AsyncRead + Unpin) -> String {
    let (mut lines, mut read) = (BufReader::new(log).lines(), String::new());
    while let Some(line) = lines.next_line().await.expect("text") {
        check(&line);
        read.push_str(&line);
        read.push('\n');
    }
    read
}

/// Something that can be recognised wherever it turns up.
fn canary(kind: &str) -> String {
    format!("canary-{kind}-{}", Uuid::new_v4().simple())
}

/// A client and an API key whose secrets are canaries, and a token of the client for each API.
struct Marked {
    secret: String,
    api_key: String,
    secret_key: String,
    customer: String,
    session_token: String,
    access_token: String,
}

impl Marked {
    async fn add(app: &mut App) -> Self {
        let (secret, customer) = (canary("secret"), canary("customer"));
        let (api_key, secret_key) = (canary("api-key"), canary("secret-key"));
        let (admin, now) = (Admin::new(&app.store), punchcard_runtime::now());
        let client = "marked".parse::<ClientId>().expect("an id");
        admin.add_client(&client, SecretDigest::of(&secret), &Scope::ALL, now).await.expect("a client");
        let digests = [&api_key, &secret_key].map(|key| SecretDigest::of(key));
        admin.add_api_key("marked-shop", digests[0], digests[1], now).await.expect("an API key");
        app.restart().await;
        let credentials = json!({"clientId": "marked", "secret": secret});
        let session = app.post("/v2/session/startSession", &[("x-source-customer-id", &customer)], &credentials).await;
        let form = format!("grant_type=client_credentials&client_id=marked&client_secret={secret}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let access = app.send(Method::POST, "/oauth2/token", &headers, form).await;
        let token = |answer: &Value, name: &str| answer[name].as_str().expect("a token").to_owned();
        let session_token = token(&session.json(), "sessionToken");
        let access_token = token(&access.json(), "access_token");
        Marked { secret, api_key, secret_key, customer, session_token, access_token }
    }

    /// A function's event with a canary wherever a client may put what it likes.
    fn event(&self, function: &str) -> Value {
        let mut event = sample(&format!("{function}.happy"));
        let anything = || canary("anything");
        let body = match function {
            "start-session" => json!({"clientId": "marked", "secret": self.secret, anything(): anything()}),
            "send-client-event" => json!({"clientEvents": [{
                "clientEventId": Uuid::new_v4(),
                "clientEventType": "AdInteraction",
                "clientEvent": "ActivateOffer",
                "clientEventTimestamp": "2024-10-01T07:00:00Z",
                "clientEventMetadata": {
                    "serveToken": anything(), "section": 5, "channel": "OLB", "imageSlots": [anything()],
                    "categoryId": anything(), "curationId": anything(), anything(): anything(),
                },
                anything(): anything(),
            }]}),
            "open-session" => json!({"correlationId": anything(), "channel": anything(), anything(): anything()}),
            "send-activity" => json!({
                "action": "APP_CHECKIN", "channel": anything(), "when": "2024-10-01T07:00:00Z", "note": anything(),
                "extendedData": [{"name": anything(), "value": anything()}], anything(): anything(),
            }),
            "void-activity" => json!({
                "originalTransactionId": anything(), "externalReferenceId": anything(), "channel": anything(),
            }),
            "adjust-balance" => json!({
                "channel": anything(), "businessUnit": "XYZ", "issuerId": anything(), "rewardAmount": 5,
                "externalReferenceId": anything(), "note": anything(), anything(): anything(),
            }),
            "track-event" => json!({
                "playerUniqueId": anything(), "mobile": anything(), "email": format!("{}@example.com", anything()),
                "events": {anything(): {anything(): [anything(), 7]}}, anything(): anything(),
            }),
            "preview-rewards" => json!({"customerId": anything(), "events": {anything(): {anything(): anything()}}}),
            "save-player" => json!({
                "playerUniqueId": anything(), "mobile": anything(), "email": format!("{}@example.com", anything()),
                "playerAttributes": {anything(): anything()}, anything(): anything(),
            }),
            "place-order" => json!({
                "playerUniqueId": anything(), "mobile": anything(), "email": format!("{}@example.com", anything()),
                "orderId": anything(), "orderDate": "2024-10-01T07:00:00Z", "totalPaid": 90, "totalPrice": "100",
                "lineItems": [{"productId": anything()}], anything(): anything(),
            }),
            "refund-order" => json!({
                "customerId": anything(), "refundTransactionId": anything(), "reverseTransactionId": anything(),
                "transactionTime": "2024-10-01T07:00:00Z", "email": format!("{}@example.com", anything()),
                "merchant": {"name": anything()}, anything(): anything(),
            }),
            _ => Value::Null,
        };
        if function == "issue-token" {
            event["body"] = json!(format!("grant_type=client_credentials&{}={}", anything(), anything()));
            event["isBase64Encoded"] = json!(false);
        } else if !body.is_null() {
            event["body"] = json!(body.to_string());
        }
        let authorization = match function {
            "start-session" | "track-event" | "preview-rewards" | "save-player" | "place-order" | "refund-order"
            | "get-player" | "get-player-balance" => anything(),
            "issue-token" => format!("Basic {}", BASE64_STANDARD.encode(format!("marked:{}", self.secret))),
            "send-client-event" => format!("Bearer {}", self.session_token),
            _ => format!("Bearer {}", self.access_token),
        };
        for (name, value) in [
            ("authorization", authorization),
            ("apikey", self.api_key.clone()),
            ("secretkey", self.secret_key.clone()),
            ("x-source-customer-id", self.customer.clone()),
            ("idempotency-key", anything()),
            ("cookie", format!("session={}", anything())),
            ("user-agent", anything()),
            ("referer", format!("https://{}.example/", anything())),
        ] {
            event["headers"][name] = json!(value);
        }
        let mut path = event["rawPath"].as_str().expect("a path").to_owned();
        if let Some(parameters) = event["pathParameters"].as_object_mut() {
            for value in parameters.values_mut() {
                let marked = anything();
                path = path.replace(value.as_str().expect("text"), &marked);
                *value = json!(marked);
            }
        }
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(format!("{}={}", anything(), anything()));
        event["cookies"] = json!([format!("token={}", anything())]);
        event
    }
}

/// An event in many ways that a function has to refuse, or may not have to.
fn spoilt(event: &Value) -> Vec<Value> {
    let with = |pointer: &str, value: Value| {
        let mut event = event.clone();
        let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
        event.pointer_mut(parent).expect("a parent")[name] = value;
        event
    };
    let mut spoilt = Vec::new();
    for name in
        ["authorization", "apikey", "content-type", "x-source-customer-id", "idempotency-key", "x-identifier-type"]
    {
        for value in
            [canary("header"), format!("Bearer {}", canary("token")), format!("é {}", canary("header").repeat(9))]
        {
            spoilt.push(with(&format!("/headers/{name}"), json!(value)));
        }
    }
    for name in event["pathParameters"].as_object().into_iter().flat_map(|parameters| parameters.keys()) {
        spoilt.push(with(&format!("/pathParameters/{name}"), json!(format!("{} é", canary("path")))));
    }
    for method in ["DELETE", "CANARY"] {
        spoilt.push(with("/requestContext/http/method", json!(method)));
    }
    let Some(body) = event["body"].as_str() else { return spoilt };
    for text in [
        body[..body.len() - 1].to_owned(),
        body.replace("canary", "\\canary"),
        canary("body") + &" ".repeat(256 * 1024),
    ] {
        spoilt.push(with("/body", json!(text)));
    }
    let Ok(Value::Object(members)) = serde_json::from_str(body) else { return spoilt };
    for name in members.keys() {
        for wrong in [
            json!(canary("wrong")),
            json!({canary("key"): canary("wrong")}),
            json!([canary("wrong")]),
            json!([{"clientEventId": canary("id")}]),
        ] {
            let mut members = members.clone();
            members.insert(name.clone(), wrong);
            spoilt.push(with("/body", json!(Value::Object(members).to_string())));
        }
    }
    spoilt
}

#[tokio::test]
async fn no_log_contains_request_data_whether_the_request_succeeds_or_fails() {
    let mut app = App::start().await;
    let catalog = yaml::DEMO.replace("channelMerging: none", "channelMerging: email");
    let catalog = yaml::read(&catalog).expect("a catalog");
    set_up::apply(&Admin::new(&app.store), &catalog, punchcard_runtime::now()).await.expect("applied");
    let marked = Marked::add(&mut app).await;
    let mut canaries = 0;
    for route in ROUTES {
        let name = route.function;
        let proxy = Proxy::start(&app.endpoint).await;
        let mut running = Function::start(name, &app.through(&proxy.url).await).await;
        let event = marked.event(name);
        let mut events = vec![event.clone(), event.clone()];
        events.extend(spoilt(&event));
        canaries += events.iter().map(|event| event.to_string().matches("canary").count()).sum::<usize>();
        let first = running.invoke(event.clone()).await.expect("an answer");
        for event in &events {
            running.invoke(event.clone()).await.expect("an answer");
        }
        for operation in ["GetItem", "PutItem", "TransactWriteItems", "Query", "BatchGetItem"] {
            proxy.fail_next(operation, Fault::Refused("ValidationException"));
        }
        running.invoke(marked.event(name)).await.expect("an answer");
        proxy.set_down(true);
        running.invoke(marked.event(name)).await.expect("an answer");
        proxy.set_down(false);
        // Payloads that are not an event.
        let mut none = event.clone();
        none["headers"]["x-odd"] = json!("canary\n");
        for none in [none, json!({"body": canary("body")}), json!(canary("event")), json!([canary("event")])] {
            running.invoke(none).await.expect_err("no event");
        }
        let log = running.end().await;
        let reads_one = ["get", "explain", "preview", "void", "refund"].iter().any(|verb| name.starts_with(verb));
        let expected = if reads_one { [200, 404] } else { [200, 200] };
        assert!(expected.contains(&first["statusCode"].as_u64().unwrap_or_default()), "{name}: {first}");
        let answered = log.lines().filter(|line| line.contains("\"answered\"")).count();
        assert_eq!(answered, events.len() + 3, "{name}: {log}");
        let credential = event["headers"]["authorization"].as_str().and_then(|value| value.split(' ').nth(1));
        assert!(credential.is_none_or(|credential| !log.contains(credential)), "{name}: {log}");
    }
    println!("{canaries} canaries");
}
