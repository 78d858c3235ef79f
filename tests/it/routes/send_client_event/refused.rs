//! Refused requests: the response, and that nothing is stored.

use std::time::Duration;

use lambda_http::Request;
use punchcard_http::{Call, Dialect, Error};
use punchcard_models::{
    access::{Denied, Scope, SecretDigest},
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_runtime::{Admission, Failure};
use punchcard_store::{Admin, CallerReader};
use reqwest::{
    Method,
    header::{HeaderMap, HeaderValue},
};
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    ID, activation, assert_accepted, assert_error, assert_nothing_stored, enrollment, enrollments, with, without,
};
use crate::support::{
    app::{Answer, App, header},
    proxy::Proxy,
};

const OTHER_ID: &str = "22222222-1565-4565-bf99-3f94ee505d12";

/// A body that is refused, and the places that the answer names.
struct Bad {
    case: String,
    body: Vec<u8>,
    pointers: Vec<String>,
}

fn bad(case: &str, body: impl Into<Vec<u8>>, pointers: &[&str]) -> Bad {
    Bad {
        case: case.to_owned(),
        body: body.into(),
        pointers: pointers.iter().map(|pointer| (*pointer).to_owned()).collect(),
    }
}

/// One event that is refused at one place in it.
fn bad_event(case: &str, event: &Value, place: &str) -> Bad {
    let body = json!({"clientEvents": [event]}).to_string();
    bad(case, body, &[&format!("/clientEvents/0{place}")])
}

/// Bodies that are no JSON.
fn malformed() -> Vec<Bad> {
    let good = json!({"clientEvents": [activation(ID)]}).to_string();
    let with_text = |text: &str| good.replace("\"CiQ3MGU5\"", text).into_bytes();
    let mut cases = vec![
        bad("an empty body", "", &[""]),
        bad("blanks only", " \n", &[""]),
        bad("half a body", &good[..good.len() / 2], &[""]),
        bad("two bodies", good.repeat(2), &[""]),
        bad("text", "clientEvents", &[""]),
        bad("a form", "clientEvents=%5B%5D", &[""]),
        bad("a comma after the last member", good.replace("}]}", "},]}"), &[""]),
        bad("single quotes", good.replace('"', "'"), &[""]),
        bad("a comment", format!("// events\n{good}"), &[""]),
        bad("a byte order mark", format!("\u{feff}{good}"), &[""]),
        bad("a lone high surrogate", with_text(r#""\ud800""#), &[""]),
        bad("a lone low surrogate", with_text(r#""\udc00""#), &[""]),
        bad("a surrogate pair in the wrong order", with_text(r#""\udc00\ud800""#), &[""]),
        bad("a raw tab in a string", with_text("\"\t\""), &[""]),
        bad("an unknown escape", with_text(r#""\x41""#), &[""]),
        bad("a number beyond a double", good.replace(":3", ":1e999"), &[""]),
        bad("a number with a leading zero", good.replace(":3", ":03"), &[""]),
        bad("a number with a plus", good.replace(":3", ":+3"), &[""]),
        bad("NaN", good.replace(":3", ":NaN"), &[""]),
        bad("True", good.replace(":3", ":True"), &[""]),
        bad("nesting of 17", format!("{}{}", "[".repeat(17), "]".repeat(17)), &[""]),
        bad("nesting of 100 000", "[".repeat(100_000), &[""]),
    ];
    let mut latin_1 = good.clone().into_bytes();
    latin_1.extend(b"\"\xe9\"");
    cases.push(bad("Latin-1", latin_1, &[""]));
    let utf_16 = good.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    cases.push(bad("UTF-16", utf_16, &[""]));
    cases
}

/// Bodies of another shape.
fn misshapen() -> Vec<Bad> {
    let list = |events: &Value| json!({"clientEvents": events}).to_string();
    let ad = activation(ID);
    let ad_with = |path: &str, value: Value| with(ad.clone(), path, value);
    let text = json!({"clientEvents": [activation(ID)]}).to_string();
    vec![
        bad("null", "null", &[""]),
        bad("a number", "7", &[""]),
        bad("a list", "[]", &[""]),
        bad("no events member", "{}", &["/clientEvents"]),
        bad(
            "an events member of another case",
            json!({"ClientEvents": [enrollment(ID)]}).to_string(),
            &["/clientEvents"],
        ),
        bad("null for events", list(&Value::Null), &["/clientEvents"]),
        bad("one event without a list", list(&enrollment(ID)), &["/clientEvents"]),
        bad("a string for events", list(&json!("x")), &["/clientEvents"]),
        bad("no events", list(&json!([])), &["/clientEvents"]),
        bad("101 events", list(&json!(enrollments(101))), &["/clientEvents"]),
        bad("an event that is null", list(&json!([null])), &["/clientEvents/0"]),
        bad("an event that is a list", list(&json!([[]])), &["/clientEvents/0"]),
        bad(
            "one bad event among good ones",
            list(&json!([enrollment(ID), 7, enrollment(OTHER_ID)])),
            &["/clientEvents/1"],
        ),
        bad("one id twice", list(&json!([enrollment(ID), activation(ID)])), &["/clientEvents/1/clientEventId"]),
        bad(
            "one id twice in other cases",
            list(&json!([enrollment(ID), enrollment(OTHER_ID), enrollment(ID.to_uppercase())])),
            &["/clientEvents/2/clientEventId"],
        ),
        bad("a repeated key at the root", text.replace("}]}", "}],\"clientEvents\":7}"), &["/clientEvents"]),
        bad(
            "a repeated key in an event",
            text.replace("\"clientEvent\":", "\"clientEvent\":\"ActivateOffer\",\"clientEvent\":"),
            &["/clientEvents/0/clientEvent"],
        ),
        bad(
            "a repeated key in metadata, spelled with an escape",
            text.replace("\"channel\":", "\"ch\\u0061nnel\":\"OLB\",\"channel\":"),
            &["/clientEvents/0/clientEventMetadata/channel"],
        ),
        bad(
            "a repeated key in an ignored member",
            text.replacen('{', "{\"ignored\":[{\"a/b\":1,\"a/b\":1}],", 1),
            &["/ignored/0/a~1b"],
        ),
        bad_event("an ad event without metadata", &without(ad.clone(), "clientEventMetadata"), "/clientEventMetadata"),
        bad(
            "an ad event with empty metadata",
            list(&json!([ad_with("clientEventMetadata", json!({}))])),
            &[
                "/clientEvents/0/clientEventMetadata/serveToken",
                "/clientEvents/0/clientEventMetadata/section",
                "/clientEvents/0/clientEventMetadata/channel",
            ],
        ),
        bad(
            "everything at once",
            list(
                &json!([{}, {"clientEventId": "1", "clientEventType": 2, "clientEvent": [], "clientEventTimestamp": {},
                "clientEventMetadata": "x"}]),
            ),
            &[
                "/clientEvents/0/clientEventId",
                "/clientEvents/0/clientEventType",
                "/clientEvents/0/clientEvent",
                "/clientEvents/0/clientEventTimestamp",
                "/clientEvents/1/clientEventId",
                "/clientEvents/1/clientEventType",
                "/clientEvents/1/clientEvent",
                "/clientEvents/1/clientEventTimestamp",
                "/clientEvents/1/clientEventMetadata",
            ],
        ),
    ]
}

/// Events with a member at fault.
fn faulty() -> Vec<Bad> {
    let in_25_hours = (chrono::Utc::now() + chrono::TimeDelta::hours(25)).to_rfc3339();
    let ad = activation(ID);
    let ad_with = |path: &str, value: Value| with(ad.clone(), path, value);
    let mut cases = Vec::new();
    for name in ["clientEventId", "clientEventType", "clientEvent", "clientEventTimestamp"] {
        let place = format!("/{name}");
        cases.push(bad_event(&format!("no {name}"), &without(enrollment(ID), name), &place));
        for value in [Value::Null, json!(7), json!(true), json!(""), json!([]), json!({}), json!("\0"), json!(" ")] {
            cases.push(bad_event(&format!("{name} {value}"), &with(enrollment(ID), name, value), &place));
        }
    }
    for name in ["serveToken", "section", "channel"] {
        let path = format!("clientEventMetadata/{name}");
        cases.push(bad_event(&format!("no {name}"), &without(ad.clone(), &path), &format!("/{path}")));
        cases.push(bad_event(&format!("null {name}"), &ad_with(&path, Value::Null), &format!("/{path}")));
    }
    let (no_hyphens, braces, urn) = (ID.replace('-', ""), format!("{{{ID}}}"), format!("urn:uuid:{ID}"));
    let members = [
        ("clientEventId", json!([no_hyphens, braces, urn, format!("{ID}0"), format!(" {ID}"), ID.replace('d', "g")])),
        ("clientEventType", json!(["adInteraction", "AdClick", "AdInteraction "])),
        ("clientEvent", json!(["activateOffer", "Nothing", "LogEnrollment"])),
        ("clientEventTimestamp", json!(["yesterday", "2024-10-01", "2024-10-01T07:00:00", "2024-10-01 07:00:00Z"])),
        ("clientEventTimestamp", json!(["2024-02-30T07:00:00Z", "2024-10-01T24:00:01Z", "2024-10-01T07:00:00+25:00"])),
        ("clientEventTimestamp", json!([1_727_766_000, "1727766000", "Tue, 01 Oct 2024 07:00:00 GMT"])),
        ("clientEventTimestamp", json!([in_25_hours, "9999-12-31T23:59:59Z", "+12024-10-01T07:00:00Z"])),
        ("clientEventMetadata", json!([null, "x", []])),
        ("clientEventMetadata/serveToken", json!([7, [], "t".repeat(4097), "é".repeat(2049)])),
        ("clientEventMetadata/section", json!(["dashboard", "Lounge", "", 5.5, true, [], "-5", "5".repeat(129), "５"])),
        ("clientEventMetadata/channel", json!(["TV", "olb", "", 1, ["OLB"]])),
        ("clientEventMetadata/imageSlots", json!(["logo", {}, vec!["logo"; 33]])),
        ("clientEventMetadata/categoryId", json!(["", " ", 7, "c".repeat(129), "a\0"])),
        ("clientEventMetadata/curationId", json!(["", {}, "é".repeat(129)])),
        ("clientEventMetadata/displayPosition", json!([-1, 1.5, "1", true, 1e300])),
    ];
    for (path, values) in &members {
        for value in values.as_array().expect("values") {
            let case = format!("{path} {}", value.to_string().chars().take(40).collect::<String>());
            cases.push(bad_event(&case, &ad_with(path, value.clone()), &format!("/{path}")));
        }
    }
    for (slots, place) in [(json!(["logo", 7]), "/1"), (json!([null]), "/0"), (json!(["x".repeat(4097)]), "/0")] {
        let faulty = ad_with("clientEventMetadata/imageSlots", slots);
        cases.push(bad_event("a faulty image slot", &faulty, &format!("/clientEventMetadata/imageSlots{place}")));
    }
    // A number that has more digits than an id has characters.
    let digits = json!({"clientEvents": [ad]}).to_string().replace("\"Dashboard\"", &"5".repeat(129));
    cases.push(bad("a section number of 129 digits", digits, &["/clientEvents/0/clientEventMetadata/section"]));
    // Optional members are checked if they are present.
    let faulty = with(enrollment(ID), "clientEventMetadata", json!({"channel": "TV"}));
    cases.push(bad_event("bad metadata that is not required", &faulty, "/clientEventMetadata/channel"));
    cases
}

#[tokio::test]
async fn every_kind_of_bad_body_is_refused_with_its_place_and_stores_nothing() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let kinds = [
        ("HttpMessageNotReadable", malformed()),
        ("ValidationException", misshapen()),
        ("ValidationException", faulty()),
    ];
    let mut count = 0;
    for (error_type, cases) in kinds {
        for Bad { case, body, pointers } in cases {
            let answer = session.post_raw(&[], body).await;
            assert_eq!(assert_error(&answer, 400, error_type, &case), pointers, "{case}: {}", answer.body);
            if error_type == "HttpMessageNotReadable" {
                let message = answer.json()["validationErrors"][0]["message"].to_string();
                assert!(message.contains(" at line ") && message.contains(" column "), "{case}: {message}");
            }
            assert_nothing_stored(&app, &case).await;
            count += 1;
        }
    }
    println!("{count} kinds of bad bodies were refused");
    assert!(count >= 100, "{count} kinds");
    // The events that they were derived from are valid.
    assert_accepted(&session.post(&[activation(ID), enrollment(OTHER_ID)]).await, "good events");
}

#[tokio::test]
async fn a_request_without_a_customer_is_refused_and_stores_nothing() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let body = json!({"clientEvents": [enrollment(ID)]}).to_string();
    let usual = [("authorization", session.bearer.as_str()), ("content-type", "application/json")];
    let absent = app.send(Method::POST, "/v2/events/clientEvent", &usual, body.clone()).await;
    let mut answers = vec![("absent", absent)];
    for blank in ["", " ", "\t"] {
        answers.push(("blank", session.post_raw(&[("x-source-customer-id", blank)], body.clone()).await));
    }
    for (case, answer) in answers {
        assert_eq!(assert_error(&answer, 400, "ValidationException", case), [""]);
        assert!(answer.body.contains("x-source-customer-id"), "{case}: {}", answer.body);
    }
    // Faults of a header and of the body are reported together.
    let both = session.post_raw(&[("x-source-customer-id", "")], "{}").await;
    assert_eq!(assert_error(&both, 400, "ValidationException", "both"), ["", "/clientEvents"]);
    assert_nothing_stored(&app, "no customer").await;
}

#[tokio::test]
async fn of_several_faults_the_first_in_the_contracts_order_answers() {
    const ORDER: [u16; 7] = [404, 405, 401, 413, 415, 400, 409];
    let app = App::start().await;
    let session = app.session("customer-1").await;
    assert_accepted(&session.post(&[enrollment(OTHER_ID)]).await, "the first time");
    for faults in (1..1u32 << ORDER.len()).rev() {
        let wrong =
            |status: u16| ORDER.iter().position(|known| *known == status).is_some_and(|bit| faults >> bit & 1 == 1);
        // The body of a request to an unknown path is not read: sending a long one may end without a response.
        if wrong(404) && wrong(413) {
            continue;
        }
        let expected = ORDER.into_iter().find(|status| wrong(*status)).expect("a fault");
        let path = if wrong(404) { "/v2/events/clientEvents" } else { "/v2/events/clientEvent" };
        let method = if wrong(405) { Method::PUT } else { Method::POST };
        let bearer = if wrong(401) { "Bearer no-token" } else { session.bearer.as_str() };
        let content_type = if wrong(415) { "text/plain" } else { "application/json" };
        let id = if wrong(409) { OTHER_ID } else { ID };
        let event = if wrong(400) { with(enrollment(id), "clientEvent", "Nothing") } else { enrollment(id) };
        let padding = if wrong(413) { " ".repeat(256 * 1024) } else { String::new() };
        let body = json!({"clientEvents": [event]}).to_string() + &padding;
        let headers =
            [("authorization", bearer), ("content-type", content_type), ("x-source-customer-id", session.customer)];
        let answer = app.send(method, path, &headers, body).await;
        assert_eq!(answer.status, expected, "{faults:07b}: {}", answer.body);
        assert_eq!(app.items("ClientEvents").await.len(), 1, "{faults:07b}");
    }
    assert_accepted(&session.post(&[enrollment(ID)]).await, "nothing wrong");
}

#[tokio::test]
async fn the_response_to_another_method_names_the_allowed_one() {
    let app = App::start().await;
    for path in ["/v2/events/clientEvent", "/v2/session/startSession"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = app.send(method.clone(), path, &[], "").await;
            assert_error(&answer, 405, "HttpRequestMethodNotSupported", &format!("{method} {path}"));
            assert_eq!(answer.header("allow"), Some("POST"), "{method} {path}");
        }
        assert_eq!(app.send(Method::HEAD, path, &[], "").await.status, 405, "{path}");
    }
    for path in ["/", "/v2/events", "/v2/events/clientEvent/", "/v2/events/clientevent", "/health"] {
        let answer = app.send(Method::POST, path, &[], "").await;
        assert_eq!((answer.status.as_u16(), answer.json()), (404, json!({"message": "Not Found"})), "{path}");
    }
}

#[tokio::test]
async fn a_token_is_valid_for_its_own_customer_only() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    let body = json!({"clientEvents": [enrollment(ID)]}).to_string();
    for other in ["customer-2", "Customer-1", "customer-1,customer-2", "no-user-available"] {
        let answer = session.post_raw(&[("x-source-customer-id", other)], body.clone()).await;
        assert_error(&answer, 401, "SessionValidationException", other);
    }
    assert_nothing_stored(&app, "another customer").await;
    let anonymous = app.session("no-user-available").await;
    assert_accepted(&anonymous.post_raw(&[], body).await, "an ordinary value");
}

/// Checks a client's secret as if it came so many milliseconds after `start`.
async fn admitted_at(
    admission: &Admission,
    start: Timestamp,
    millis: i64,
    id: &str,
    secret: &str,
) -> Result<(), Denied> {
    let call = Call {
        request: &Request::default(),
        dialect: Dialect::ClientEvents,
        now: later(start, millis),
        deadline: Instant::now() + Duration::from_secs(8),
        request_id: Uuid::new_v4(),
    };
    match admission.client(&call, &client(id), secret, Scope::ClientEvents).await {
        Ok(_) => Ok(()),
        Err(Failure::Refused(Error::Unauthorized(denied))) => Err(denied),
        Err(failure) => panic!("{failure}"),
    }
}

fn client(id: &str) -> ClientId {
    id.parse::<ClientId>().expect("an id")
}

fn later(now: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millis(now.as_millis() + millis)
}

#[tokio::test]
async fn a_revoked_client_is_refused_after_sixty_seconds_at_the_latest() {
    let app = App::start().await;
    let now = punchcard_runtime::now();
    let admission = Admission::open(&app.store).await;
    app.revoke("demo-client").await;
    let allowed_at = async |millis| admitted_at(&admission, now, millis, "demo-client", "demo-secret").await;
    assert_eq!(allowed_at(59_999).await, Ok(()));
    assert_eq!(allowed_at(60_000).await, Err(Denied::Revoked));
}

#[tokio::test]
async fn a_new_client_is_admitted_at_once_and_an_unknown_one_causes_a_read_every_five_seconds_at_most() {
    let app = App::start().await;
    let proxy = Proxy::start(&app.endpoint).await;
    let through = app.through(&proxy.url).await;
    let admission = Admission::open(&through.store).await;
    let now = punchcard_runtime::now();
    let admitted_at = async |id: &str, millis| admitted_at(&admission, now, millis, id, "s3cret").await;
    let before = proxy.count("Query");
    for millis in [5_000, 5_001, 7_500, 9_999] {
        assert_eq!(admitted_at("new", millis).await, Err(Denied::UnknownCaller));
    }
    assert_eq!(proxy.count("Query"), before + 1);

    let admin = Admin::new(&app.store);
    admin.add_client(&client("new"), SecretDigest::of("s3cret"), &Scope::ALL, now).await.expect("a new client");
    // The pause counts from the end of the last read.
    assert_eq!(admitted_at("new", 11_000).await, Ok(()));
    assert_eq!(admitted_at("new", 30_000).await, Ok(()));
    assert_eq!(proxy.count("Query"), before + 2);

    // Nor does the time of a response reveal which clients exist: a wrong secret causes a read of the store too.
    for millis in [35_000, 35_001, 39_999] {
        assert_eq!(admitted_at("demo-client", millis).await, Err(Denied::WrongSecret));
    }
    assert_eq!(proxy.count("Query"), before + 3);
}

#[tokio::test]
async fn an_old_catalog_serves_for_five_minutes_while_it_cannot_be_read_and_no_longer() {
    let app = App::start().await;
    let proxy = Proxy::start(&app.endpoint).await;
    let through = app.through(&proxy.url).await;
    let now = punchcard_runtime::now();
    let catalog = CallerReader::new(&through.store);
    catalog.current(now).await.expect("callers");
    proxy.set_down(true);
    for millis in [60_000, 299_999] {
        assert!(catalog.current(later(now, millis)).await.is_ok(), "{millis}");
    }
    assert!(catalog.current(later(now, 300_000)).await.is_err());
    proxy.set_down(false);
    assert!(catalog.current(later(now, 300_001)).await.is_ok());
}

#[tokio::test]
async fn a_header_that_is_not_utf_8_is_named_and_nothing_is_stored() {
    let app = App::start().await;
    let session = app.session("customer-1").await;
    for (name, status) in [("x-source-customer-id", 400), ("x-mock-data", 400), ("authorization", 401)] {
        let usual = [
            ("content-type", "application/json"),
            ("authorization", &session.bearer),
            ("x-source-customer-id", "customer-1"),
        ];
        let mut headers: HeaderMap = usual.iter().map(|(name, value)| header(name, value)).collect();
        headers.insert(name, HeaderValue::from_bytes(b"true\xff").expect("a value"));
        let body = json!({"clientEvents": [enrollment(ID)]}).to_string();
        let answer = app.send_raw(Method::POST, "/v2/events/clientEvent", headers, body).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.body);
        assert!(answer.body.contains("not valid UTF-8"), "{name}: {}", answer.body);
        assert_nothing_stored(&app, name).await;
    }
}

#[tokio::test]
async fn every_kind_of_answer_carries_the_security_headers_and_a_request_id() {
    const HEADERS: [(&str, &str); 10] = [
        ("referrer-policy", "no-referrer"),
        ("x-xss-protection", "1;mode=block"),
        ("access-control-allow-origin", "*"),
        ("expect-ct", "max-age=86400"),
        ("strict-transport-security", "max-age=31536000"),
        ("feature-policy", "vibrate 'none'; geolocation 'none'"),
        ("x-frame-options", "sameorigin"),
        (
            "content-security-policy",
            "connect-src 'none';object-src https://*.cloudfront.net;script-src https://*.cloudfront.net",
        ),
        ("cache-control", "no-cache, no-store, must-revalidate"),
        ("x-content-type-options", "nosniff"),
    ];
    let app = App::start().await;
    let out_of_reach = app.through("http://127.0.0.1:1").await;
    let session = app.session("customer-1").await;
    let path = "/v2/events/clientEvent";
    let event = json!({"clientEvents": [enrollment(ID)]}).to_string();
    let answers: Vec<(u16, Answer)> = vec![
        (200, session.post_raw(&[("x-mock-data", "true")], event.clone()).await),
        (200, session.post_raw(&[], event.clone()).await),
        (207, session.post(&[enrollment(ID), enrollment(OTHER_ID)]).await),
        (409, session.post_raw(&[], event.clone()).await),
        (400, session.post_raw(&[], "{").await),
        (400, session.post_raw(&[], "{}").await),
        (401, session.post_raw(&[("authorization", "")], event.clone()).await),
        (404, app.send(Method::POST, "/v2/events", &[], "").await),
        (405, app.send(Method::GET, path, &[], "").await),
        (413, session.post_raw(&[], " ".repeat(256 * 1024 + 1)).await),
        (415, session.post_raw(&[("content-type", "text/plain")], event.clone()).await),
        (500, session.at(&out_of_reach).post_raw(&[], event).await),
        (204, app.send(Method::OPTIONS, path, &[("access-control-request-method", "POST")], "").await),
    ];
    for (status, answer) in answers {
        assert_eq!(answer.status, status, "{}", answer.body);
        for (name, value) in HEADERS {
            assert_eq!(answer.header(name), Some(value), "{status}: {name}");
        }
        assert!(answer.header("permissions-policy").is_some(), "{status}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{status}");
        let id = answer.header("x-amzn-requestid").unwrap_or_else(|| panic!("{status} without a request id"));
        assert!(Uuid::try_parse(id).is_ok(), "{status}: {id}");
        if status != 204 {
            assert_eq!(answer.header("content-type"), Some("application/json"), "{status}");
        }
    }
}
