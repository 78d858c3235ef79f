//! `POST /v2/events/clientEvent`: what is taken in, and as what it is stored.

mod once;
mod outages;
mod refused;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::app::{Answer, App};

const ID: &str = "12395199-1565-4565-bf99-3f94ee505d12";

/// The sample requests of the vendor's page, as they stand there: with trailing commas. With each, the line and column
/// of the first thing that JSON has no place for.
const SAMPLES: [(&str, &str); 3] = [
    (
        r#"{
    "clientEvents": [
        {
            "clientEventId": "12395199-1565-4565-bf99-3f94ee505d12",
            "clientEventType": "SessionAction",
            "clientEvent": "LogEnrollment",
            "clientEventTimestamp": "2024-10-01T07:00:00Z",
         }
    ]
}"#,
        "line 8 column 10",
    ),
    (
        r#"{
    "clientEvents": [
        {
            "clientEventId": "12395199-1565-4565-bf99-3f94ee505d12",
            "clientEventType": "AdInteraction",
            "clientEvent": "ActivateOffer",
            "clientEventTimestamp": "2024-10-01T07:00:00Z",
            "clientEventMetadata": {
                "serveToken": "CiQ3MGU5ZjQzMy0xMjQxLTRlZTctOTZlZi02ZWM4MDQwZjg3MzgQqoTjo6syGgoxMDAwMDYyNzQwIgVFbWFpbA==",
                "section": "Dashboard",
                "channel": "OLB",
            }
        }
    ]
}"#,
        "line 12 column 13",
    ),
    (
        r#"{
    "clientEvents": [
        {
            "clientEventId": "12395199-1565-4565-bf99-3f94ee505d12",
            "clientEventType": "AdImpression",
            "clientEvent": "AdViewableImpression",
            "clientEventTimestamp": "2024-10-01T07:00:00Z",
            "clientEventMetadata": {
                "serveToken": "CiQ3MGU5ZjQzMy0xMjQxLTRlZTctOTZlZi02ZWM4MDQwZjg3MzgQqoTjo6syGgoxMDAwMDYyNzQwIgVFbWFpbA==",
                "section": "Dashboard",
                "channel": "OLB",
            }
        }
    ]
}"#,
        "line 12 column 13",
    ),
];

/// Every type with its events: the seed's, and those that the vendor also has.
const EVENTS: [(&str, &[&str]); 4] = [
    ("AdImpression", &["AdViewableImpression"]),
    (
        "AdInteraction",
        &[
            "DisplayElementExpanded",
            "DisplayElementCollapsed",
            "UrlLinkClicked",
            "ActivateOffer",
            "ParkOffer",
            "UrlLinkContinue",
            "UnParkOffer",
            "ExpiredOffersLinkClicked",
        ],
    ),
    ("CustomerProfileAction", &["RewardSummaryLinkClicked", "LearnMoreLinkClicked", "FaqLinkClicked"]),
    ("SessionAction", &["LogEnrollment", "UnParkAllOffers"]),
];

const SECTIONS: [&str; 17] = [
    "Email",
    "SMS",
    "MMS",
    "Transaction",
    "Summary",
    "Dashboard",
    "Landing",
    "OnboardingPage",
    "LatestOffers",
    "ExpiringSoon",
    "RewardSummaryListView",
    "FeaturedOffers",
    "Rewards",
    "WidgetAccountOverview",
    "WidgetDebit",
    "WidgetCredit",
    "Map",
];

const CHANNELS: [&str; 7] = ["Email", "SMS", "MMS", "OLB", "MobileWeb", "MobileApp", "MobileWallet"];

/// An event that needs no metadata.
fn enrollment(id: impl Into<String>) -> Value {
    json!({
        "clientEventId": id.into(),
        "clientEventType": "SessionAction",
        "clientEvent": "LogEnrollment",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
    })
}

/// An event with every member that an ad event may have.
fn activation(id: impl Into<String>) -> Value {
    json!({
        "clientEventId": id.into(),
        "clientEventType": "AdInteraction",
        "clientEvent": "ActivateOffer",
        "clientEventTimestamp": "2024-10-01T07:00:00Z",
        "clientEventMetadata": {
            "serveToken": "CiQ3MGU5",
            "section": "Dashboard",
            "channel": "OLB",
            "imageSlots": ["logo", "smallRectangle"],
            "categoryId": "travel",
            "curationId": "summer",
            "displayPosition": 3,
        },
    })
}

/// The event with another value at the end of a path.
fn with(mut event: Value, path: &str, value: impl Into<Value>) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = if parent.is_empty() { String::new() } else { format!("/{parent}") };
    event.pointer_mut(&parent).expect("a parent")[name] = value.into();
    event
}

/// The event without what is at the end of a path.
fn without(mut event: Value, path: &str) -> Value {
    let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = if parent.is_empty() { String::new() } else { format!("/{parent}") };
    let parent = event.pointer_mut(&parent).and_then(Value::as_object_mut).expect("a parent");
    assert!(parent.remove(name).is_some(), "{path} was not there");
    event
}

fn enrollments(count: usize) -> Vec<Value> {
    (0..count).map(|_| enrollment(Uuid::new_v4())).collect()
}

/// Asserts a 200 with nothing but a request id.
fn assert_accepted(answer: &Answer, case: &str) {
    assert_eq!(answer.status, 200, "{case}: {}", answer.body);
    let body = answer.json();
    let id = body["requestId"].as_str().unwrap_or_else(|| panic!("{case}: no requestId in {body}"));
    assert!(Uuid::try_parse(id).is_ok(), "{case}: {id}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{case}: {body}");
}

/// Asserts an answer that rejects these ids for this reason, and no others.
fn assert_rejected(answer: &Answer, status: u16, rejected: &[(&str, &str)], case: &str) {
    assert_eq!(answer.status, status, "{case}: {}", answer.body);
    let body = answer.json();
    assert!(body["requestId"].as_str().is_some_and(|id| Uuid::try_parse(id).is_ok()), "{case}: {body}");
    let expected: Vec<_> = rejected.iter().map(|(id, reason)| json!({"clientEventId": id, "reason": reason})).collect();
    assert_eq!(body["rejected"], json!(expected), "{case}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{case}: {body}");
}

/// Asserts an error in this API's dialect, whole, and gives its faults' pointers.
pub fn assert_error(answer: &Answer, status: u16, error_type: &str, case: &str) -> Vec<String> {
    assert_eq!(answer.status, status, "{case}: {}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"), "{case}");
    let body = answer.json();
    let members: BTreeSet<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["requestId", "status", "title", "type", "validationErrors"].into(), "{case}");
    assert_eq!(body["type"], error_type, "{case}: {body}");
    assert_eq!(body["status"], status, "{case}: {body}");
    assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{case}: {body}");
    assert!(body["requestId"].as_str().is_some_and(|id| Uuid::try_parse(id).is_ok()), "{case}: {body}");
    let faults = body["validationErrors"].as_array().expect("a list of faults");
    assert_eq!(faults.is_empty(), status != 400, "{case}: {body}");
    faults
        .iter()
        .map(|fault| {
            assert_eq!(fault.as_object().map(serde_json::Map::len), Some(2), "{case}: {fault}");
            assert!(fault["message"].as_str().is_some_and(|message| !message.is_empty()), "{case}: {fault}");
            fault["pointer"].as_str().unwrap_or_else(|| panic!("{case}: no pointer in {fault}")).to_owned()
        })
        .collect()
}

async fn assert_nothing_stored(app: &App, case: &str) {
    assert_eq!(app.items("ClientEvents").await, [], "{case}");
}

#[tokio::test]
async fn the_vendors_samples_are_recorded_once_and_refused_with_their_trailing_commas() {
    let app = App::start().await;
    for (index, (sample, place)) in SAMPLES.into_iter().enumerate() {
        let customer = format!("customer-{index}");
        let session = app.session(&customer).await;
        let refused = session.post_raw(&[], sample).await;
        assert_eq!(assert_error(&refused, 400, "HttpMessageNotReadable", sample), [""]);
        assert!(refused.body.contains(&format!("trailing comma at {place}")), "{}", refused.body);
        assert_eq!(app.items("ClientEvents").await.len(), index, "{sample}");

        let json = sample.replace("Z\",\n         }", "Z\"\n         }").replace("\"OLB\",", "\"OLB\"");
        assert_accepted(&session.post_raw(&[], json.clone()).await, sample);
        assert_rejected(&session.post_raw(&[], json).await, 409, &[(ID, "DUPLICATE_ID")], sample);
    }
    assert_eq!(app.items("ClientEvents").await.len(), SAMPLES.len());
}

#[tokio::test]
async fn every_event_belongs_to_its_type_and_to_no_other() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let mut recorded = BTreeSet::new();
    for (own_type, names) in EVENTS {
        for name in names {
            for (event_type, _) in EVENTS {
                let id = Uuid::new_v4();
                let event = with(with(activation(id), "clientEventType", event_type), "clientEvent", *name);
                let answer = session.post(&[event]).await;
                let case = format!("{name} of type {event_type}");
                if event_type == own_type {
                    assert_accepted(&answer, &case);
                    recorded.insert((id.to_string(), own_type.to_owned(), (*name).to_owned()));
                } else {
                    let pointers = assert_error(&answer, 400, "ValidationException", &case);
                    assert_eq!(pointers, ["/clientEvents/0/clientEvent"], "{case}");
                }
            }
        }
    }
    let text = |value: &AttributeValue| value.as_s().expect("a string").clone();
    let items = app.items("ClientEvents").await.into_iter();
    let stored: BTreeSet<_> =
        items.map(|item| (text(&item["clientEventId"]), text(&item["type"]), text(&item["event"]))).collect();
    assert_eq!(stored, recorded);
}

#[tokio::test]
async fn an_event_is_stored_as_it_was_sent_and_nothing_else_is() {
    let app = App::start().await;
    let session = app.session("Customer/Ä no-user-available").await;
    let event = with(activation(ID.to_uppercase()), "color", json!({"serveToken": "x"}));
    let event = with(with(event, "clientEventMetadata/size", 7), "clientEventMetadata/section", 5);
    let event = with(event, "clientEventTimestamp", "2024-10-01T09:00:00.123999+02:00");
    let body = json!({"clientEvents": [event], "clientEventId": "unknown here"}).to_string();
    assert_accepted(&session.post_raw(&[], body).await, "with unknown members");

    let items = app.items("ClientEvents").await;
    let [item] = items.as_slice() else { panic!("{items:?}") };
    let names: BTreeSet<_> = item.keys().map(String::as_str).collect();
    let expected =
        ["clientEventId", "customerId", "event", "metadata", "receivedAt", "timestamp", "type", "writeId"].into();
    assert_eq!(names, expected);
    for (name, value) in [
        ("customerId", session.customer),
        ("clientEventId", ID),
        ("type", "AdInteraction"),
        ("event", "ActivateOffer"),
        ("timestamp", "2024-10-01T07:00:00.123Z"),
    ] {
        assert_eq!(item[name].as_s().map(String::as_str), Ok(value), "{name}");
    }
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let metadata = [
        ("serveToken", s("CiQ3MGU5")),
        ("section", s("5")),
        ("channel", s("OLB")),
        ("imageSlots", AttributeValue::L(vec![s("logo"), s("smallRectangle")])),
        ("categoryId", s("travel")),
        ("curationId", s("summer")),
        ("displayPosition", AttributeValue::N("3".to_owned())),
    ];
    let metadata = metadata.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    assert_eq!(item["metadata"].as_m(), Ok(&metadata));
}

#[tokio::test]
async fn what_the_contract_allows_is_accepted() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let ad = || activation(Uuid::new_v4());
    let metadata = |name: &str, value: Value| with(ad(), &format!("clientEventMetadata/{name}"), value);
    let at = |text: &str| with(ad(), "clientEventTimestamp", text);
    let in_an_hour = chrono::Utc::now() + chrono::TimeDelta::hours(1);
    let in_a_day = chrono::Utc::now() + chrono::TimeDelta::hours(24);
    let section = |value: Value| (format!("section {value}"), metadata("section", value));

    let mut cases: Vec<(String, Value)> = vec![
        ("no metadata with a session action".into(), enrollment(Uuid::new_v4())),
        ("null metadata".into(), with(enrollment(Uuid::new_v4()), "clientEventMetadata", Value::Null)),
        ("empty metadata".into(), with(enrollment(Uuid::new_v4()), "clientEventMetadata", json!({}))),
        ("some metadata".into(), with(enrollment(Uuid::new_v4()), "clientEventMetadata", json!({"channel": "OLB"}))),
        ("unknown metadata".into(), with(enrollment(Uuid::new_v4()), "clientEventMetadata", json!({"a": {"b": []}}))),
        (
            "only what an ad event needs".into(),
            with(ad(), "clientEventMetadata", json!({"serveToken": "t", "section": "Map", "channel": "SMS"})),
        ),
        ("no image slots".into(), metadata("imageSlots", json!([]))),
        ("32 image slots".into(), metadata("imageSlots", json!(vec!["logo"; 32]))),
        ("an image slot of 4 KiB".into(), metadata("imageSlots", json!(["x".repeat(4096)]))),
        ("an empty image slot".into(), metadata("imageSlots", json!([""]))),
        ("position 0".into(), metadata("displayPosition", json!(0))),
        ("position 2.0".into(), metadata("displayPosition", json!(2.0))),
        ("the last position".into(), metadata("displayPosition", json!(i64::MAX))),
        ("a serve token of 4 KiB".into(), metadata("serveToken", json!("t".repeat(4096)))),
        ("a serve token of 4 KiB in two-byte characters".into(), metadata("serveToken", json!("é".repeat(2048)))),
        ("NUL in a serve token".into(), metadata("serveToken", json!("a\0b"))),
        ("a category of 128 characters".into(), metadata("categoryId", json!("é".repeat(128)))),
        ("a curation of 128 characters".into(), metadata("curationId", json!("c".repeat(128)))),
        ("lower-case t and z".into(), at("2024-10-01t07:00:00z")),
        ("nanoseconds".into(), at("2024-10-01T07:00:00.123456789Z")),
        ("an offset".into(), at("2024-10-01T07:00:00-11:30")),
        ("an offset without colon".into(), at("2024-10-01T07:00:00+0200")),
        ("an offset of hours".into(), at("2024-10-01T07:00:00+02")),
        ("long ago".into(), at("0001-01-01T00:00:00Z")),
        ("an hour ahead".into(), at(&in_an_hour.to_rfc3339())),
        ("all but a day ahead".into(), at(&in_a_day.to_rfc3339())),
        section(json!(5)),
        section(json!("5")),
        section(json!(0)),
        section(json!("VIPLounge")),
    ];
    cases.extend(SECTIONS.map(|name| section(json!(name))));
    cases.extend(CHANNELS.map(|name| (format!("channel {name}"), metadata("channel", json!(name)))));
    for name in ["imageSlots", "categoryId", "curationId", "displayPosition"] {
        cases.push((format!("null {name}"), metadata(name, Value::Null)));
        cases.push((format!("no {name}"), without(ad(), &format!("clientEventMetadata/{name}"))));
    }
    for (case, event) in &cases {
        assert_accepted(&session.post(std::slice::from_ref(event)).await, case);
    }
    assert_eq!(app.items("ClientEvents").await.len(), cases.len());
}

#[tokio::test]
async fn a_batch_of_one_to_a_hundred_events_is_one_answer() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let mut stored = 0;
    for count in [1, 2, 25, 26, 100] {
        let events = enrollments(count);
        assert_accepted(&session.post(&events).await, &format!("{count} events"));
        stored += count;
        assert_eq!(app.items("ClientEvents").await.len(), stored, "{count} events");

        let ids: Vec<_> = events.iter().map(|event| event["clientEventId"].as_str().expect("an id")).collect();
        let rejected: Vec<_> = ids.iter().map(|id| (*id, "DUPLICATE_ID")).collect();
        assert_rejected(&session.post(&events).await, 409, &rejected, &format!("{count} events again"));
        assert_eq!(app.items("ClientEvents").await.len(), stored, "{count} events again");
    }
}

#[tokio::test]
async fn a_body_may_be_as_long_and_as_deep_as_the_limits_say() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let body = |event: &Value| json!({"clientEvents": [event]}).to_string();

    let mut longest = body(&enrollment(Uuid::new_v4()));
    longest.push_str(&" ".repeat(256 * 1024 - longest.len()));
    assert_accepted(&session.post_raw(&[], longest.clone()).await, "256 KiB");
    longest.push(' ');
    assert_error(&session.post_raw(&[], longest).await, 413, "PayloadTooLargeException", "256 KiB and a byte");

    // The root, the list and the event are three levels.
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels - 3), "]".repeat(levels - 3));
        let inner = serde_json::from_str::<Value>(&inner).expect("JSON");
        body(&with(enrollment(Uuid::new_v4()), "ignored", inner))
    };
    assert_accepted(&session.post_raw(&[], nested(16)).await, "16 levels");
    let refused = session.post_raw(&[], nested(17)).await;
    assert_eq!(assert_error(&refused, 400, "HttpMessageNotReadable", "17 levels"), [""]);
    assert_eq!(app.items("ClientEvents").await.len(), 2);
}

#[tokio::test]
async fn the_content_type_is_json_parameters_allowed() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let body = || json!({"clientEvents": [enrollment(Uuid::new_v4())]}).to_string();
    for refused in ["", "text/plain", "application/jsonx", "application/x-www-form-urlencoded", "json", "*/*"] {
        let answer = session.post_raw(&[("content-type", refused)], body()).await;
        assert_error(&answer, 415, "HttpMediaTypeNotSupported", refused);
    }
    let headers = [("authorization", session.bearer.as_str()), ("x-source-customer-id", session.customer)];
    let answer = app.send(Method::POST, "/v2/events/clientEvent", &headers, body()).await;
    assert_error(&answer, 415, "HttpMediaTypeNotSupported", "none");
    assert_nothing_stored(&app, "another content type").await;

    for allowed in ["application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;v=1"]
    {
        assert_accepted(&session.post_raw(&[("content-type", allowed)], body()).await, allowed);
    }
}

#[tokio::test]
async fn a_mock_request_is_checked_as_ever_and_stores_nothing() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let event = json!({"clientEvents": [enrollment(ID)]}).to_string();
    for mock in ["true", "TRUE"] {
        let answer = session.post_raw(&[("x-mock-data", mock)], event.clone()).await;
        assert_accepted(&answer, "a mock event");
    }
    let answer = session.post_raw(&[("x-mock-data", "true")], "{}").await;
    assert_error(&answer, 400, "ValidationException", "an invalid mock event");
    let answer = session.post_raw(&[("x-mock-data", "true"), ("authorization", "Bearer x")], event.clone()).await;
    assert_error(&answer, 401, "SessionValidationException", "a mock event without a token");
    assert_nothing_stored(&app, "mock events").await;

    assert_accepted(&session.post_raw(&[("x-mock-data", "false")], event.clone()).await, "no mock event");
    assert_accepted(&session.post_raw(&[("x-mock-data", "true")], event).await, "a mock of a stored event");
    assert_eq!(app.items("ClientEvents").await.len(), 1);
}

#[tokio::test]
async fn an_answer_is_named_by_the_requests_own_id_if_that_is_a_uuid() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let own = "380052B4-3A64-4952-B640-BA696EB9F44B";
    for body in [json!({"clientEvents": [enrollment(ID)]}), json!({"clientEvents": [enrollment(ID)]}), json!({})] {
        let answer = session.post_raw(&[("x-cdlx-request-id", own)], body.to_string()).await;
        assert_eq!(answer.json()["requestId"], own.to_lowercase(), "{}", answer.body);
        assert_eq!(answer.header("x-amzn-requestid"), Some(own.to_lowercase().as_str()));
    }
    let mut seen = BTreeSet::new();
    for other in ["", "17", "380052b43a644952b640ba696eb9f44b", "{380052b4-3a64-4952-b640-ba696eb9f44b}"] {
        let answer = session.post_raw(&[("x-cdlx-request-id", other)], "{}").await;
        let id = answer.json()["requestId"].as_str().expect("an id").to_owned();
        assert!(Uuid::try_parse(&id).is_ok() && id != other, "{other}: {id}");
        assert_eq!(answer.header("x-amzn-requestid"), Some(id.as_str()));
        assert!(seen.insert(id), "an id twice");
    }
}

#[tokio::test]
async fn a_browser_may_ask_before_it_sends() {
    let app = App::start().await;
    let asks = [
        ("origin", "https://bank.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type, x-source-customer-id, x-mock-data"),
    ];
    let answer = app.send(Method::OPTIONS, "/v2/events/clientEvent", &asks, "").await;
    assert!(answer.status.is_success(), "{}", answer.status);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert!(answer.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    let allowed = answer.header("access-control-allow-headers").expect("headers").to_lowercase();
    for header in ["authorization", "content-type", "x-source-customer-id", "x-mock-data", "x-cdlx-request-id"] {
        assert!(allowed.split(", ").any(|name| name == header), "{header}: {allowed}");
    }
}
