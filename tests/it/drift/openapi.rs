//! `openapi.json`: that it describes what is served, and no more. Every example of it is sent.

use std::collections::{BTreeMap, BTreeSet};

use punchcard_http::route::ROUTES;
use punchcard_models::client_event::{Channel, EventName, EventType, MAX_BATCH};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    activities::activities_token,
    app::{Answer, App},
    description::{DOCUMENT, Described, OPERATIONS, Operation, Parameter, content, members, resolved},
};

/// The examples as they are sent, one after the other from an empty store, each with the status of its answer.
const STORIES: &[&[(&str, &str, u16)]] = &[
    &[("start-session", "Demo", 200), ("start-session", "NoSecret", 400)],
    &[
        ("send-client-event", "LogEnrollment", 200),
        ("send-client-event", "LogEnrollment", 409),
        ("send-client-event", "ActivatingAnOffer", 409),
        ("send-client-event", "SomeNew", 207),
        ("send-client-event", "FaultyEvent", 400),
    ],
    &[("send-client-event", "ActivatingAnOffer", 200)],
    &[("send-client-event", "AnImpression", 200)],
    &[
        ("issue-token", "Demo", 200),
        ("issue-token", "NoGrantType", 400),
        ("issue-token", "AnotherGrantType", 400),
        ("issue-token", "AnotherScope", 200),
    ],
    &[
        ("open-session", "Session", 200),
        ("open-session", "Session", 200),
        ("open-session", "OtherAccount", 409),
        ("open-session", "UnknownLoyaltyId", 404),
        ("open-session", "Anonymous", 200),
    ],
    &[
        ("get-activity", "CheckIn", 404),
        ("explain-activity", "", 404),
        ("send-activity", "CheckIn", 200),
        ("send-activity", "CheckIn", 400),
        ("get-activity", "CheckIn", 200),
        ("explain-activity", "", 200),
        ("list-activities", "", 200),
        ("get-balances", "", 200),
    ],
    &[
        ("send-activity", "CheckIn", 200),
        ("void-activity", "Unknown", 404),
        ("void-activity", "Reversal", 200),
        ("void-activity", "Reversal", 200),
        ("void-activity", "Another", 400),
        ("send-activity-without-id", "Keyed", 200),
        ("void-activity", "OtherActivity", 409),
        ("adjust-balance", "Goodwill", 200),
        ("adjust-balance", "Goodwill", 200),
        ("adjust-balance", "OtherAmount", 409),
        ("adjust-balance", "NoPoints", 400),
    ],
    &[("send-activity", "Survey", 200), ("get-activity", "Survey", 200)],
    &[
        ("send-activity", "NoChannel", 400),
        ("send-activity", "UnknownAction", 400),
        ("send-activity", "NoOffset", 400),
        ("send-activity", "UnknownBusinessUnit", 400),
        ("send-activity", "DisabledBusinessUnit", 400),
        ("send-activity", "UnknownLoyaltyId", 400),
    ],
    &[
        ("send-activity-without-id", "Keyed", 200),
        ("send-activity-without-id", "Keyed", 200),
        ("send-activity-without-id", "OtherPayload", 422),
    ],
    &[("get-player", "", 404), ("track-event", "PlaceOrderAndReview", 200), ("get-player", "", 200)],
    &[("get-player-v3", "", 404), ("track-event", "PlaceOrderAndReview", 200), ("get-player-v3", "", 200)],
    &[
        ("track-event", "Reserve", 200),
        ("track-event", "ReserveMerged", 200),
        ("track-event", "Keyed", 200),
        ("track-event", "Keyed", 200),
        ("track-event", "OtherPayload", 422),
        ("track-event", "NoPlayer", 400),
        ("track-event", "NullPlayer", 400),
        ("track-event", "NestedMetadata", 200),
        ("track-event", "PlayerId", 200),
        ("track-event", "NoMetadata", 400),
    ],
    &[
        ("get-player-balance", "", 404),
        ("get-player-balance-v3", "", 404),
        ("get-player-balance-v4", "Balance", 404),
        ("track-event", "PlaceOrderAndReview", 200),
        ("get-player-balance", "", 200),
        ("get-player-balance-v3", "", 200),
        ("get-player-balance-v4", "", 200),
    ],
    &[
        ("track-event-v4", "Review", 200),
        ("track-event-v4", "NoCustomer", 400),
        ("track-event-v4", "NullCustomer", 422),
        ("track-event-v4-1", "Review", 200),
        ("track-event-v4-1", "NullCustomer", 422),
        ("preview-rewards", "Preview", 200),
        ("preview-rewards", "UnknownCustomer", 404),
        ("preview-rewards", "NullEvents", 422),
    ],
    &[("save-player", "Player", 200), ("save-player", "NoPlayerId", 400), ("save-player-v3", "Player", 200)],
    &[("save-player-v2", "Player", 200), ("save-player-v2-node", "Player", 200)],
    &[("save-player-v2-dotnet", "Player", 200), ("save-player-v1-android", "Player", 200)],
    &[("save-player-v1", "Player", 200), ("save-player-v4", "Customer", 200), ("save-player-v4", "NullCustomer", 422)],
    &[("save-player-v4-1", "Customer", 200), ("save-player-v4-1", "NullCustomer", 422)],
    &[
        ("place-order", "Order", 200),
        ("place-order", "Order", 200),
        ("place-order", "OtherOrder", 422),
        ("place-order", "NoTotal", 400),
        ("place-order-v3", "Order", 200),
        ("place-order-v3", "OtherOrder", 422),
        ("place-order-v3-ruby", "Order", 200),
        ("place-order-v3-ruby", "OtherOrder", 422),
        ("place-order-v2", "Order", 200),
        ("place-order-v2", "OtherOrder", 422),
    ],
    &[
        ("place-order-v4", "Order", 200),
        ("place-order-v4", "OtherOrder", 422),
        ("place-order-v4", "NegativeTotal", 422),
    ],
    &[
        ("place-order-v4", "Order", 200),
        ("refund-order", "UnknownOrder", 404),
        ("refund-order", "Part", 200),
        ("refund-order", "Part", 200),
        ("refund-order", "OtherAmount", 422),
        ("refund-order", "Rest", 200),
        ("refund-order", "NoOrder", 400),
        ("refund-order", "NothingRefunded", 422),
    ],
    &[("track-event-v1", "Keyed", 200), ("track-event-v1", "OtherPayload", 422)],
    &[("track-event-v1-android", "Keyed", 200), ("track-event-v1-android", "OtherPayload", 422)],
    &[("track-event-v3", "Keyed", 200), ("track-event-v3", "OtherPayload", 422)],
    &[("track-event-v2", "Keyed", 200), ("track-event-v2", "OtherPayload", 422)],
    &[("track-event-v2-node", "Keyed", 200), ("track-event-v2-node", "OtherPayload", 422)],
    &[("track-event-v2-dotnet", "Keyed", 200), ("track-event-v2-dotnet", "OtherPayload", 422)],
];

/// Answers that no request alone brings about: one cut off, one too many, a fault of ours.
fn is_of_circumstance(operation: &Operation, status: u16) -> bool {
    matches!(status, 408 | 429) || (status == 500 && operation.answers.contains_key(&503))
}

fn operation(id: &str) -> &'static Operation {
    OPERATIONS.iter().find(|operation| operation.id == id).expect(id)
}

/// A request, before it is sent.
#[derive(Clone)]
struct Sent {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Sent {
    /// An example of an operation: of its body, and of each parameter the one of that name.
    async fn example(operation: &Operation, name: &str, app: &App) -> Self {
        let mut sent = Sent {
            method: operation.method.clone(),
            path: operation.path.to_owned(),
            headers: credentials(operation, app).await,
            body: Vec::new(),
        };
        for Parameter { name: parameter, is_header, described, .. } in &operation.parameters {
            let value = described["examples"][name]["value"].as_str().or(described["example"].as_str());
            let Some(value) = value else { continue };
            if *is_header {
                sent.headers.push(((*parameter).to_owned(), value.to_owned()));
            } else {
                sent.path = sent.path.replace(&format!("{{{parameter}}}"), value);
            }
        }
        if ["Keyed", "OtherPayload"].contains(&name) {
            // Not the parameter's own example: documentation tools would send it with every request.
            let key = DOCUMENT["components"]["schemas"]["IdempotencyKey"]["examples"][0].as_str().expect("a key");
            sent.headers.push(("idempotency-key".to_owned(), key.to_owned()));
        }
        if let Some((media_type, body)) = content(resolved(&operation.described["requestBody"])) {
            sent.headers.push(("content-type".to_owned(), media_type.to_owned()));
            let value = &body["examples"][name]["value"];
            let pairs =
                || value.as_object().into_iter().flatten().filter_map(|(key, text)| Some((key, text.as_str()?)));
            sent.body = match media_type {
                "application/json" => value.to_string(),
                _ => form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs()).finish(),
            }
            .into_bytes();
        }
        sent
    }

    /// The same request, so spoiled that it is answered with this status.
    fn spoiled(mut self, status: u16) -> Option<Self> {
        match status {
            400 if self.method == Method::GET => self.path = self.path.replace("correlation-1", "correlation%201"),
            400 => self.body = b"{".to_vec(),
            401 => {
                self.headers.retain(|(name, _)| !["authorization", "apikey"].contains(&name.as_str()));
                self.body = Vec::from(String::from_utf8_lossy(&self.body).replace("demo-secret", "another"));
            }
            405 => self.method = Method::PUT,
            413 => self.body = vec![b' '; punchcard_http::MAX_BODY_BYTES + 1],
            415 => self.headers.push(("content-type".to_owned(), "text/plain".to_owned())),
            // Of the store.
            500 | 503 => {}
            _ => return None,
        }
        Some(self)
    }

    async fn to(self, app: &App) -> Answer {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        app.send(self.method, &self.path, &headers, self.body).await
    }
}

async fn credentials(operation: &Operation, app: &App) -> Vec<(String, String)> {
    let scheme = members(&operation.described["security"][0]).next().map(|(scheme, _)| scheme);
    let header = |name: &str, value: String| vec![(name.to_owned(), value)];
    match scheme {
        Some("sessionToken") => header("authorization", app.session("customer-1").await.bearer),
        Some("clientCredentials") => header("authorization", format!("Bearer {}", activities_token(app).await)),
        Some("apiKey") => {
            let mut headers = header("apikey", "demo-api-key".to_owned());
            if operation.described["security"][0].get("secretKey").is_some() {
                headers.extend(header("secretkey", "demo-secret-key".to_owned()));
            }
            headers
        }
        // In the body.
        Some("basic") | None => Vec::new(),
        Some(scheme) => panic!("{scheme} is new"),
    }
}

/// A body without what is another in every answer.
fn comparable(body: &Value) -> Value {
    let mut body = body.clone();
    for name in ["requestId", "sessionToken", "access_token", "loyaltyId"] {
        if let Some(value) = body.get_mut(name) {
            *value = json!("another each time");
        }
    }
    body
}

/// The described examples of an answer, by name; one alone has none.
fn answer_examples(answer: &'static Value) -> BTreeMap<&'static str, Value> {
    let (_, body) = content(answer).expect("a body");
    let named = members(&body["examples"]).map(|(name, example)| (name, comparable(&example["value"])));
    named.chain(body.get("example").map(|example| ("", comparable(example)))).collect()
}

#[tokio::test]
async fn every_example_is_answered_with_the_example_of_its_answer() {
    for story in STORIES {
        let app = App::start().await;
        for (id, name, status) in *story {
            let operation = operation(id);
            let answer = Sent::example(operation, name, &app).await.to(&app).await;
            assert_eq!(answer.status, *status, "{id}, {name}: {}", answer.body);
            let examples = answer_examples(operation.answers[status].answer);
            let expected =
                examples.get(name).or(examples.get("")).unwrap_or_else(|| panic!("{id}: no answer to {name}"));
            assert_eq!(comparable(&answer.json()), *expected, "{id}, {name}");
        }
    }
    let tested: BTreeSet<_> = STORIES.iter().copied().flatten().map(|(id, name, _)| (*id, *name)).collect();
    let examples = OPERATIONS.iter().flat_map(|it| it.body_examples().map(|(name, _)| (it.id, name)));
    // Of the paths that take the same body, one is tested with every example.
    let body = |id: &str| &operation(id).described["requestBody"];
    let is_tested = |(id, name): &(&str, &str)| {
        tested.iter().any(|(tested, example)| example == name && (tested == id || body(tested) == body(id)))
    };
    let untested: Vec<_> = examples.filter(|example| !is_tested(example)).collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[tokio::test]
async fn every_described_answer_is_given() {
    let app = App::start().await;
    let lost = app.through("http://127.0.0.1:1").await;
    let tested: BTreeSet<_> = STORIES.iter().copied().flatten().map(|(id, _, status)| (*id, *status)).collect();
    for operation in OPERATIONS.iter() {
        let (_, name, _) = STORIES.iter().copied().flatten().find(|(id, ..)| *id == operation.id).expect(operation.id);
        let request = Sent::example(operation, name, &app).await;
        for (&status, Described { answer: described, .. }) in &operation.answers {
            if tested.contains(&(operation.id, status)) || is_of_circumstance(operation, status) {
                continue;
            }
            let spoiled = request.clone().spoiled(status);
            let spoiled = spoiled.unwrap_or_else(|| panic!("{} is never answered {status}", operation.id));
            let answer = spoiled.to(if status >= 500 { &lost } else { &app }).await;
            assert_eq!(answer.status, status, "{}: {}", operation.id, answer.body);
            let examples = answer_examples(described);
            let given = comparable(&answer.json());
            assert!(examples.values().any(|example| *example == given), "{} {status}: {given}", operation.id);
        }
    }
}

#[tokio::test]
async fn the_routes_and_their_functions_are_described_and_no_others() {
    let mut described: BTreeMap<_, _> = OPERATIONS.iter().map(|it| ((it.method.to_string(), it.path), it.id)).collect();
    assert_eq!(described.values().collect::<BTreeSet<_>>().len(), OPERATIONS.len(), "an id is one operation's");
    for route in ROUTES {
        for path in route.paths.iter().map(|path| path.template) {
            let id = described.remove(&(route.method.to_string(), path)).expect(path);
            let name = route.function;
            let variant = id.strip_prefix(name).unwrap_or_else(|| panic!("{id} is {name}"));
            assert!(variant.is_empty() || variant.starts_with('-'), "{id} is {name}");
        }
    }
    assert!(described.is_empty(), "{described:?}");
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_names_of_client_events_are_described() {
    let schemas = &DOCUMENT["components"]["schemas"];
    for event_type in EventType::ALL {
        let names = EventName::ALL.iter().filter(|name| name.event_type() == *event_type);
        let names: Vec<_> = names.map(|name| name.as_str()).collect();
        let described = &schemas[event_type.as_str()]["properties"];
        assert_eq!(described["clientEventType"]["const"], event_type.as_str());
        assert_eq!(described["clientEvent"]["enum"], json!(names));
    }
    let channels: Vec<_> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
    assert_eq!(schemas["Channel"]["enum"], json!(channels));
    assert_eq!(schemas["ClientEvents"]["properties"]["clientEvents"]["maxItems"], MAX_BATCH);
}
