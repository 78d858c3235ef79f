//! The functions as Lambda runs them: the real binaries, invoked with the events of `events/`.

mod archive;
mod capacity;
mod counted;
mod permitted;
mod publish;
mod quarantine;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use punchcard_http::{Dialect, Route, route::ROUTES};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    activities::activities_token,
    app::{Answer, App},
    lambda::Function,
};

/// The cases of each function, in the order in which they have to be sent, and what each is answered.
const CASES: [(&str, &[(&str, u16)]); 18] = [
    ("start-session", &[("happy", 200), ("invalid", 400), ("unauthorised", 401)]),
    (
        "send-client-event",
        &[("happy", 200), ("duplicate", 409), ("partial", 207), ("invalid", 400), ("unauthorised", 401)],
    ),
    ("issue-token", &[("happy", 200), ("invalid", 400), ("unauthorised", 401)]),
    ("open-session", &[("happy", 200), ("duplicate", 200), ("conflict", 409), ("invalid", 400), ("unauthorised", 401)]),
    (
        "send-activity",
        &[
            ("happy", 200),
            ("duplicate", 400),
            ("without-id", 200),
            ("dry-run", 200),
            ("invalid", 400),
            ("unauthorised", 401),
        ],
    ),
    ("get-activity", &[("happy", 200), ("not-found", 404), ("invalid", 400), ("unauthorised", 401)]),
    ("explain-activity", &[("happy", 200), ("not-found", 404), ("invalid", 400), ("unauthorised", 401)]),
    ("list-activities", &[("happy", 200), ("invalid", 400), ("unauthorised", 401)]),
    ("get-balances", &[("happy", 200), ("invalid", 400), ("unauthorised", 401)]),
    (
        "void-activity",
        &[
            ("dry-run", 200),
            ("happy", 200),
            ("duplicate", 200),
            ("invalid", 400),
            ("not-found", 404),
            ("unauthorised", 401),
        ],
    ),
    (
        "adjust-balance",
        &[
            ("dry-run", 200),
            ("happy", 200),
            ("duplicate", 200),
            ("conflict", 409),
            ("invalid", 400),
            ("unauthorised", 401),
        ],
    ),
    (
        "track-event",
        &[
            ("happy", 200),
            ("duplicate", 200),
            ("version-4", 200),
            ("dry-run", 200),
            ("invalid", 400),
            ("unauthorised", 401),
        ],
    ),
    ("preview-rewards", &[("happy", 200), ("not-found", 404), ("invalid", 422), ("unauthorised", 401)]),
    ("save-player", &[("happy", 200), ("version-4", 200), ("invalid", 400), ("unauthorised", 401)]),
    (
        "place-order",
        &[
            ("happy", 200),
            ("duplicate", 200),
            ("version-4", 200),
            ("conflict", 422),
            ("dry-run", 200),
            ("invalid", 400),
            ("unauthorised", 401),
        ],
    ),
    (
        "refund-order",
        &[
            ("dry-run", 200),
            ("happy", 200),
            ("duplicate", 200),
            ("conflict", 422),
            ("invalid", 400),
            ("not-found", 404),
            ("unauthorised", 401),
        ],
    ),
    ("get-player", &[("happy", 200), ("invalid", 404), ("unauthorised", 401)]),
    ("get-player-balance", &[("happy", 200), ("version-4", 200), ("invalid", 404), ("unauthorised", 401)]),
];

/// A case of `events/`, and its event.
struct Case {
    name: String,
    status: u16,
    event: String,
}

/// The events of each function, in the order of [`CASES`].
fn events() -> BTreeMap<String, Vec<Case>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let read = |function: &str, (case, status): &(&str, u16)| {
        let name = format!("{function}.{case}");
        let event = fs::read_to_string(folder.join(format!("{name}.json")));
        Case { event: event.unwrap_or_else(|error| panic!("{name}: {error}")), name, status: *status }
    };
    let cases = |(function, cases): &(&str, &[(&str, u16)])| {
        ((*function).to_owned(), cases.iter().map(|case| read(function, case)).collect())
    };
    CASES.iter().map(cases).collect()
}

/// The case that is accepted.
fn happy(cases: &[Case]) -> &Case {
    let is_happy = |case: &&Case| case.name.split('.').nth(1) == Some("happy");
    cases.iter().find(is_happy).expect("a case")
}

/// Stores the items that the events build on.
async fn prepare(app: &App) {
    let bearer = format!("Bearer {}", activities_token(app).await);
    let bearer = [("authorization", bearer.as_str())];
    let session = json!({"correlationId": "session-1", "channel": "APP"});
    let answer = app.post("/client/users/A-1001/sessions", &bearer, &session).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    record_activity(app).await;
    let review = json!({"playerUniqueId": "player123", "events": {"review": {}}});
    let answer = app.post("/integrations/event", &[("apikey", "demo-api-key")], &review).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    record_order(app).await;
}

/// The order that is refunded.
async fn record_order(app: &App) {
    let order = json!({
        "playerUniqueId": "player123", "orderId": "O-900", "orderDate": "2024-10-01T07:00:00Z",
        "totalPaid": "90.50", "totalPrice": "100", "category": ["electronics"],
    });
    let answer = app.post("/integrations/order", &[("apikey", "demo-api-key")], &order).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn record_activity(app: &App) {
    let bearer = format!("Bearer {}", activities_token(app).await);
    let activity = json!({"action": "APP_CHECKIN", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    let path = "/client/users/session-1/activities/activity-1";
    let answer = app.post(path, &[("authorization", bearer.as_str())], &activity).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// The event with a token of this app's where it says that there has to be one.
async fn filled(event: &str, app: &App) -> Value {
    let event: Value = serde_json::from_str(event).expect("JSON");
    if !event["headers"]["authorization"].as_str().is_some_and(|header| header.contains("${TOKEN}")) {
        return event;
    }
    let token = match event["headers"]["x-source-customer-id"].as_str() {
        Some(customer) => app.session_token(customer).await,
        None => activities_token(app).await,
    };
    serde_json::from_str(&event.to_string().replace("${TOKEN}", &token)).expect("JSON")
}

/// The same request over HTTP.
async fn over_http(event: &Value, app: &App) -> Answer {
    let headers = event["headers"].as_object().expect("headers").iter();
    let headers: Vec<_> = headers
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length"))
        .map(|(name, value)| (name.as_str(), value.as_str().expect("a value")))
        .collect();
    let method = event["requestContext"]["http"]["method"].as_str().expect("a method");
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let body = event["body"].as_str().unwrap_or_default();
    let body = match event["isBase64Encoded"].as_bool() {
        Some(true) => BASE64_STANDARD.decode(body).expect("base64"),
        _ => body.as_bytes().to_owned(),
    };
    let path = event["rawPath"].as_str().expect("a path");
    let path = match event["rawQueryString"].as_str() {
        None | Some("") => path.to_owned(),
        Some(query) => format!("{path}?{query}"),
    };
    app.send(method, &path, &headers, body).await
}

/// A body without what is another in every answer.
fn comparable(body: &str) -> Value {
    let mut body: Value = serde_json::from_str(body).expect("JSON");
    for name in ["requestId", "sessionToken", "access_token", "loyaltyId"] {
        if let Some(value) = body.get_mut(name) {
            assert!(value.as_str().is_some_and(|value| !value.is_empty()), "{name}");
            *value = json!("another each time");
        }
    }
    body
}

/// The headers that an endpoint sets, without what is another in every answer or the server's own.
fn comparable_headers<'h>(headers: impl IntoIterator<Item = (&'h str, &'h str)>) -> BTreeMap<String, String> {
    let mut headers: BTreeMap<_, _> =
        headers.into_iter().map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    headers.retain(|name, _| !matches!(name.as_str(), "date" | "content-length"));
    let id = headers.insert("x-amzn-requestid".to_owned(), "another each time".to_owned());
    assert!(id.is_some_and(|id| Uuid::try_parse(&id).is_ok()));
    headers
}

#[tokio::test]
async fn every_function_has_its_events() {
    let functions: BTreeSet<_> = ROUTES.iter().map(|endpoint| endpoint.function.to_owned()).collect();
    assert_eq!(events().into_keys().collect::<BTreeSet<_>>(), functions);
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../events")).expect("the folder of events");
    let files = files.map(|entry| entry.expect("an entry").path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let known: usize = CASES.iter().map(|(_, cases)| cases.len()).sum();
    assert_eq!(files.count(), known, "every file is a case");
    for (function, cases) in events() {
        for case in ["happy", "invalid", "unauthorised"] {
            assert!(cases.iter().any(|known| known.name.ends_with(case)), "{function} has no {case}");
        }
    }
}

#[tokio::test]
async fn a_function_answers_as_the_server_does() {
    for (name, cases) in events() {
        let (app, served) = (App::start().await, App::start().await);
        prepare(&app).await;
        prepare(&served).await;
        let mut function = Function::start(&name, &app).await;
        for Case { name, status, event } in cases {
            let answer = function.invoke(filled(&event, &app).await).await.expect("an answer");
            assert_eq!(answer["statusCode"], status, "{name}: {answer}");
            assert_eq!(answer["isBase64Encoded"], false, "{name}");
            let expected = over_http(&filled(&event, &served).await, &served).await;
            assert_eq!(expected.status, status, "{name}: {}", expected.body);
            let body = answer["body"].as_str().expect("a body");
            assert_eq!(comparable(body), comparable(&expected.body), "{name}");
            let headers = answer["headers"].as_object().expect("headers").iter();
            let headers = headers.map(|(name, value)| (name.as_str(), value.as_str().expect("a value")));
            let http = expected.headers.iter();
            let http = http.map(|(name, value)| (name.as_str(), value.to_str().expect("a value")));
            assert_eq!(comparable_headers(headers), comparable_headers(http), "{name}");
        }
        println!("{name:20} had at most {:?} KB", function.peak_memory());
        function.end().await;
    }
}

#[tokio::test]
async fn a_function_reads_a_body_in_base64() {
    let app = App::start().await;
    let mut function = Function::start("send-client-event", &app).await;
    let happy = &events()["send-client-event"][0];
    let mut event = filled(&happy.event, &app).await;
    let body = event["body"].as_str().expect("a body").to_owned();
    event["isBase64Encoded"] = json!(true);
    for (bytes, status, says) in [
        (body.clone().into_bytes(), 200, "requestId"),
        (body.into_bytes(), 409, "DUPLICATE_ID"),
        (b"{\"clientEvents\":\n\"\xff\"}".to_vec(), 400, "invalid UTF-8 at line 2 column 2"),
        (vec![b' '; 256 * 1024 + 1], 413, "PayloadTooLargeException"),
    ] {
        event["body"] = json!(BASE64_STANDARD.encode(bytes));
        let answer = function.invoke(event.clone()).await.expect("an answer");
        assert_eq!(answer["statusCode"], status, "{answer}");
        assert!(answer["body"].as_str().is_some_and(|body| body.contains(says)), "{answer}");
    }
    assert_eq!(app.items("ClientEvents").await.len(), 1);
    function.end().await;
}

/// "API Gateway decodes URL-encoded request parameters before passing them to your backend integration"
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html>), in `rawPath`
/// too, which therefore need not be a valid path of a URL.
#[tokio::test]
async fn a_function_reads_ids_in_paths_that_the_gateway_has_decoded() {
    let app = App::start().await;
    let mut function = Function::start("get-player", &app).await;
    let ids =
        ["a b", "zoë", "a#b", "a?b=c", "a%b", "a%20b", "a/b", "../b", "a\\b", "a|b", "[", "{}", "a\u{1}b", "\u{1f600}"];
    for id in ids {
        app.did(id, "review").await;
        let mut event: Value = serde_json::from_str(&events()["get-player"][0].event).expect("JSON");
        event["rawPath"] = json!(format!("/integrations/player/{id}"));
        event["requestContext"]["http"]["path"] = event["rawPath"].clone();
        event["pathParameters"]["playerUniqueId"] = json!(id);
        let answer = function.invoke(event).await.expect("an answer");
        assert_eq!(answer["statusCode"], 200, "{id:?}: {answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
        assert_eq!(body["playerUniqueId"], id);
        assert_eq!(app.get_player(id).await.json(), body, "serve, with the id percent-encoded");
    }
    function.end().await;
}

#[tokio::test]
async fn a_function_answers_without_a_body_and_by_another_method() {
    let (app, events) = (App::start().await, events());
    for &route in &ROUTES {
        let Route { function: name, method: method_allowed, .. } = route;
        let name = *name;
        let mut function = Function::start(name, &app).await;
        let mut event = filled(&events[name][0].event, &app).await;
        if *method_allowed == Method::POST {
            event.as_object_mut().expect("an event").remove("body");
            let answer = function.invoke(event.clone()).await.expect("an answer");
            assert_eq!(answer["statusCode"], 400, "{name}: {answer}");
        }
        for (method, status) in [("DELETE", 405), ("OPTIONS", 204)]
            .into_iter()
            .filter(|_| route.answers_other_methods(route.paths[0].template))
        {
            event["requestContext"]["http"]["method"] = json!(method);
            let answer = function.invoke(event.clone()).await.expect("an answer");
            assert_eq!(answer["statusCode"], status, "{name}: {answer}");
            // A path that another function answers too allows that one's method as well.
            let allowed = answer["headers"]["allow"].as_str().unwrap_or_default();
            assert!(allowed.contains(method_allowed.as_str()), "{name}: {answer}");
        }
        function.end().await;
    }
}

#[tokio::test]
async fn a_function_survives_invalid_events() {
    let app = App::start().await;
    prepare(&app).await;
    for (name, cases) in events() {
        let mut function = Function::start(&name, &app).await;
        for nonsense in [json!({}), json!({"Records": []}), json!("text"), json!(null), json!({"version": "2.0"})] {
            let answer = function.invoke(nonsense.clone()).await;
            assert!(answer.is_err(), "{name}: {nonsense}: {answer:?}");
        }
        let answer = function.invoke(filled(&cases[0].event, &app).await).await.expect("an answer");
        assert_eq!(answer["statusCode"], cases[0].status, "{name}: {answer}");
        function.end().await;
    }
}

#[tokio::test]
async fn a_function_starts_and_answers_without_the_store() {
    let app = App::start().await;
    let lost = app.through("http://127.0.0.1:1").await;
    let events = events();
    for Route { function: name, paths, .. } in ROUTES {
        let name = *name;
        let mut function = Function::start(name, &lost).await;
        let answer = function.invoke(filled(&events[name][0].event, &app).await).await.expect("an answer");
        let status = if paths[0].dialect == Dialect::ClientEvents { 500 } else { 503 };
        assert_eq!(answer["statusCode"], status, "{name}: {answer}");
        let log = function.end().await;
        assert!(log.contains("\"level\":\"ERROR\""), "{name}: {log}");
    }
}

#[tokio::test]
async fn a_log_has_a_line_of_every_request_which_names_it() {
    let app = App::start().await;
    prepare(&app).await;
    for (name, cases) in events() {
        let mut function = Function::start(&name, &app).await;
        let mut ids = Vec::new();
        for case in &cases {
            let answer = function.invoke(filled(&case.event, &app).await).await.expect("an answer");
            ids.push(answer["headers"]["x-amzn-requestid"].as_str().expect("an id").to_owned());
        }
        let log = function.end().await;
        let (_, lines) = metrics_and_lines(&log);
        for line in &lines {
            let timestamp = line["timestamp"].as_str().unwrap_or_default();
            assert!(chrono::DateTime::parse_from_rfc3339(timestamp).is_ok(), "{name}: {line}");
            let level = line["level"].as_str().unwrap_or_default();
            assert!(["ERROR", "WARN", "INFO"].contains(&level), "{name}: {line}");
        }
        let answered: Vec<_> = lines.iter().filter(|line| line["message"] == "answered").collect();
        assert_eq!(answered.len(), cases.len(), "{name}: {log}");
        for ((line, case), id) in answered.iter().zip(&cases).zip(&ids) {
            assert_eq!(line["status"], case.status, "{}", case.name);
            assert_eq!(line["span"]["request_id"], id.as_str(), "{}: {line}", case.name);
            assert_eq!(line["span"]["function"], name, "{line}");
        }
    }
}

/// A function's output, split into metrics and log lines.
fn metrics_and_lines(log: &str) -> (Vec<Value>, Vec<Value>) {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    log.lines().map(read).partition(|line: &Value| line.get("_aws").is_some())
}
