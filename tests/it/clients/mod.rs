//! The vendors' published clients, each with the requests that its source sends: the client works when its base URL is
//! changed and nothing else.
//!
//! The rows have every header that a client sets itself or its HTTP library adds, except `Host`, `Connection` and
//! `Content-Length`. The table in `docs/api.md` is made from those of Gameball.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use reqwest::Method;
use serde_json::Value;

use crate::support::{
    app::{Answer, App},
    players::{API_KEY, JSON},
};

mod cardlytics;
mod gameball;
mod oauth;

/// A request of a published client, and what must come back.
struct ClientCall {
    /// The client and its version.
    client: &'static str,
    /// The client's function.
    call: &'static str,
    method: Method,
    path: &'static str,
    /// `{session}` stands for a session token of customer-1.
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
    response: Response,
    effect: Effect,
}

/// The expected body of a response.
enum Response {
    /// This text.
    Text(&'static str),
    /// This value, in JSON.
    Json(&'static str),
    /// An object with these members: text, or any value if `None`.
    Members(&'static [(&'static str, Option<&'static str>)]),
}

/// The expected effect of a call.
enum Effect {
    None,
    /// The player has these points, from so many events.
    Player {
        id: &'static str,
        points: u64,
        events: u64,
    },
    /// So many client events are stored.
    ClientEvents(usize),
    /// The session token of the response is accepted.
    SessionToken,
    /// The access token of the response is accepted.
    AccessToken,
}

/// A player that has a review, which the demo pays 5 points for.
const KNOWN_PLAYER: &str = "known-player";

/// An order of another player, which the demo pays 50 points for.
const KNOWN_ORDER: &str = r#"{"customerId":"known-buyer","orderId":"known-order","orderDate":"2024-01-01T12:00:00Z","totalPaid":90.5,"total_amount":120}"#;

impl ClientCall {
    fn name(&self) -> String {
        format!("{}, {}", self.client, self.call)
    }

    async fn check(&self) {
        let name = &self.name();
        let app = App::start().await;
        app.did(KNOWN_PLAYER, "review").await;
        let order = app.send(Method::POST, "/api/v4.0/integrations/orders", &[API_KEY, JSON], KNOWN_ORDER).await;
        assert_eq!(order.status, 200, "{}", order.body);
        let session = app.session_token("customer-1").await;
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (*name, value.replace("{session}", &session))).collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = app.send(self.method.clone(), self.path, &headers, self.body).await;
        assert_eq!(answer.status, self.status, "{name}: {}", answer.body);
        self.response.check(name, &answer);
        self.effect.check(name, &app, &answer).await;
    }
}

impl Response {
    fn check(&self, name: &str, answer: &Answer) {
        assert_eq!(answer.header("content-type"), Some("application/json"), "{name}");
        match self {
            Response::Text(text) => assert_eq!(answer.body, *text, "{name}"),
            Response::Json(json) => {
                let expected: Value = serde_json::from_str(json).expect("JSON");
                assert_eq!(answer.json(), expected, "{name}");
            }
            Response::Members(expected) => {
                let body = answer.json();
                let members = body.as_object().unwrap_or_else(|| panic!("{name}: {body}"));
                let mut names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
                names.sort_unstable();
                assert_eq!(members.keys().collect::<Vec<_>>(), names, "{name}");
                for (member, value) in *expected {
                    let json = body[*member].to_string();
                    assert!(value.is_none_or(|value| json == value), "{name}: {member} is {json}");
                }
            }
        }
    }
}

impl Effect {
    async fn check(&self, name: &str, app: &App, answer: &Answer) {
        let token = |member: &str| answer.json()[member].as_str().map(|token| format!("Bearer {token}"));
        match self {
            Effect::None => {}
            Effect::Player { id, points, events } => {
                assert_eq!(app.totals(id).await, (*points, *events), "{name}");
            }
            Effect::ClientEvents(count) => {
                assert_eq!(app.items("ClientEvents").await.len(), *count, "{name}");
            }
            Effect::SessionToken => {
                let bearer = token("sessionToken").expect("a token");
                let headers = [JSON, ("authorization", &bearer), ("x-source-customer-id", "customer-1")];
                let answer = app.send(Method::POST, "/v2/events/clientEvent", &headers, "{}").await;
                assert_eq!(answer.status, 400, "{name}: {}", answer.body);
            }
            Effect::AccessToken => {
                let bearer = token("access_token").expect("a token");
                let path = "/client/users/c-1/balances";
                let answer = app.send(Method::GET, path, &[("authorization", &bearer)], "").await;
                assert_eq!(answer.status, 200, "{name}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn each_published_client_gets_what_it_expects() {
    let calls = [gameball::CALLS, cardlytics::CALLS, oauth::CALLS];
    for call in calls.into_iter().flatten() {
        call.check().await;
    }
}

/// The table of Gameball's clients, with a row for each call.
fn table() -> String {
    let mut table = "| client | call | request | answer |\n|---|---|---|---|\n".to_owned();
    for ClientCall { client, call, method, path, status, response, .. } in gameball::CALLS {
        let answer = match response {
            Response::Text(text) => format!(" `{text}`"),
            Response::Json(json) => {
                let body: Value = serde_json::from_str(json).expect("JSON");
                names(body.as_object().into_iter().flatten().map(|(name, _)| name.as_str()))
            }
            Response::Members(members) => names(members.iter().map(|(name, _)| *name)),
        };
        writeln!(table, "| {client} | {call} | `{method} {path}` | {status}{answer} |").expect("text");
    }
    table
}

fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    format!(" `{}`", names.collect::<Vec<_>>().join("`, `"))
}

/// With `UPDATE_DOCS=1` in the environment the table is written instead.
#[test]
fn the_table_of_clients_is_that_of_the_tested_calls() {
    const BEGIN: &str = "<!-- The rows of tests/it/clients/gameball.rs. `UPDATE_DOCS=1 cargo test the_table_of_clients` writes them. -->\n";
    const END: &str = "<!-- end of the rows -->\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.md");
    let page = fs::read_to_string(file).expect("the page");
    let (before, rest) = page.split_once(BEGIN).expect("a table");
    let (written, after) = rest.split_once(END).expect("the end of the table");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(file, [before, BEGIN, &table(), END, after].concat()).expect("written");
    } else {
        assert_eq!(written, table(), "docs/api.md is out of date");
    }
}

#[test]
fn no_call_is_tested_twice_under_one_name() {
    let calls = [gameball::CALLS, cardlytics::CALLS, oauth::CALLS];
    let names: Vec<_> = calls.into_iter().flatten().map(ClientCall::name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

/// The clients decide by status and body, so a refusal must have the members that they read.
#[tokio::test]
async fn the_clients_of_gameball_read_code_and_message_of_every_refusal() {
    let app = App::start().await;
    let wrong_key = ("apikey", "another-key");
    for (headers, body, status, code) in [
        (&[JSON, wrong_key][..], "{}", 401, 1000),
        (&[JSON][..], "{}", 401, 1000),
        (&[API_KEY], "{}", 415, 415),
        (&[JSON, API_KEY], "{", 400, 3016),
        (&[JSON, API_KEY], "{}", 400, 4),
    ] {
        let answer = app.send(Method::POST, "/api/v3.0/integrations/event", headers, body).await;
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), &body["code"]), (status, &Value::from(code)), "{body}");
        assert!(body["message"].is_string(), "{body}");
    }
}
