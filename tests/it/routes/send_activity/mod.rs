//! `POST /client/users/{correlation_id}/activities[/{activity_id}]`: responses, refusals and earnings. Requests with
//! an Idempotency-Key are in `keyed`, concurrent ones in `parallel`, dry runs in `dry_run`.

mod dry_run;
mod keyed;
mod many_limits;
mod parallel;
mod periods;
mod shards;

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::yaml;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    activities::{
        Programme, activities_path, activity, activity_path, assert_error, assert_headers, assert_invalid, points, with,
    },
    app::Answer,
};

const PATH: &str = "/client/users/c-1/activities/a-1";
const ID_RULE: &str = "must be 1 to 128 of A-Z a-z 0-9 . _ : -";
const HOUR: i64 = 60 * 60 * 1000;

fn in_unit(unit: &str, action: &str) -> Value {
    with(activity(action), "businessUnit", unit)
}

fn without(mut body: Value, name: &str) -> Value {
    body.as_object_mut().expect("an object").remove(name);
    body
}

// Responses

#[tokio::test]
async fn an_activity_is_answered_with_its_id_type_and_what_it_earned() {
    let programme = Programme::start().await;
    let answer = programme.send("c-1", "a-1", &activity("SURVEY_RESPONSE")).await;
    assert_eq!(answer.status, 200);
    assert_headers(&answer);
    let earned = json!({"ABC": points(3, 0, 0), "XYZ": points(10, 5, 0)});
    assert_eq!(answer.json(), json!({"activityId": "a-1", "type": "SURVEY_RESPONSE", "earned": earned}));
    assert_eq!(answer.header("idempotent-replayed"), None);
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn an_activity_without_an_id_gets_a_guid() {
    let programme = Programme::start().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let answer = programme.post(&activities_path("c-1"), &[], &activity("APP_CHECKIN").to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let id = answer.json()["activityId"].as_str().expect("an id").to_owned();
        let guid = Uuid::parse_str(&id).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(id, guid.hyphenated().to_string());
        assert_eq!(programme.get(&activity_path("c-1", &id)).await.status, 200);
        ids.push(id);
    }
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn ids_have_1_to_128_characters_of_a_few_kinds() {
    let programme = Programme::start().await;
    let body = activity("APP_CHECKIN");
    let (longest, too_long) = ("x".repeat(128), "x".repeat(129));
    for id in ["7", "Az09._:-", &longest] {
        let answer = programme.send(id, id, &body).await;
        assert_eq!(answer.status, 200, "{id}: {}", answer.body);
        assert_eq!(answer.json()["activityId"], id);
    }
    let stored = programme.stored().await;
    for id in ["a%20b", "a%2Fb", "caf%C3%A9", "a+b", "%00", "a~b", &too_long] {
        let answer = programme.send("c-1", id, &body).await;
        assert_invalid(&answer, &format!("activity_id {ID_RULE}"));
        for path in [activity_path(id, "a-1"), activities_path(id)] {
            assert_invalid(&programme.post(&path, &[], &body.to_string()).await, &format!("correlation_id {ID_RULE}"));
        }
    }
    assert_eq!(programme.stored().await, stored);
}

#[tokio::test]
async fn an_id_that_is_a_guid_has_no_case_and_another_has() {
    let programme = Programme::start().await;
    let (lower, upper) = ("0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9", "0A1B2C3D-4E5F-4071-8293-A4B5C6D7E8F9");
    let body = activity("APP_CHECKIN");
    assert_eq!(programme.send(upper, upper, &body).await.json()["activityId"], lower);
    assert_invalid(&programme.send(lower, lower, &body).await, "ActivityID already exists");
    assert_eq!(programme.balances(upper).await, programme.balances(lower).await);
    assert_eq!(programme.balances(lower).await, json!({"ABC": {"loyalty": 10}, "XYZ": {"loyalty": 10}}));

    for id in ["order-A", "order-a"] {
        assert_eq!(programme.send(id, id, &body).await.json()["activityId"], id);
    }
}

// Refusals

#[tokio::test]
async fn the_error_table_of_the_seed() {
    let programme = Programme::start().await;
    let own = programme.tie("A-1", "c-1").await;
    let of_another = programme.tie("A-2", "c-2").await;
    let valid = with(in_unit("XYZ", "APP_CHECKIN"), "loyaltyId", own.as_str());
    assert_eq!(programme.send("c-1", "taken", &valid).await.status, 200);
    let stored = programme.stored().await;

    for (status_code, error_message, error_code, id, body) in [
        (400, "Provided business unit is not valid", "INVALID_REQUEST", "a-1", in_unit("NONE", "APP_CHECKIN")),
        (400, "Provided businessUnit is disabled", "INVALID_REQUEST", "a-1", in_unit("OLD", "APP_CHECKIN")),
        (
            400,
            "LoyaltyId specified is not associated with this Account",
            "INVALID_REQUEST",
            "a-1",
            with(valid.clone(), "loyaltyId", of_another.as_str()),
        ),
        (400, "ActivityID already exists", "INVALID_REQUEST", "taken", valid.clone()),
        (400, "Channel not found", "INVALID_REQUEST", "a-1", without(valid.clone(), "channel")),
        (400, "Action not found", "INVALID_REQUEST", "a-1", without(valid.clone(), "action")),
        (400, "When not found", "INVALID_REQUEST", "a-1", without(valid.clone(), "when")),
    ] {
        assert_error(&programme.send("c-1", id, &body).await, status_code, error_code, error_message);
    }
    assert_eq!(programme.stored().await, stored);
}

#[tokio::test]
async fn each_attribute_has_its_rule() {
    let programme = Programme::start().await;
    let own = programme.tie("A-1", "c-1").await;
    let ahead = |millis| Timestamp::from_millis(punchcard_runtime::now().as_millis() + millis).to_string();
    let channel = "Channel not found";
    let action = "Action not found";
    let when = "When not found";
    let unit = "Provided business unit is not valid";
    let loyalty_id = "LoyaltyId specified is not associated with this Account";
    for (attribute, accepted, refused, message) in [
        (
            "channel",
            vec![json!("APP"), json!("Kiosk 7 \u{1f3ea}"), json!("ä".repeat(64))],
            vec![json!(null), json!(""), json!(" \t\u{a0}"), json!("ä".repeat(65)), json!(7), json!(["APP"])],
            channel,
        ),
        (
            "action",
            vec![json!("SURVEY_RESPONSE"), json!("APP_DOWNLOAD"), json!("APP_CHECKIN")],
            vec![json!(null), json!(""), json!("app_checkin"), json!(" APP_CHECKIN"), json!("STORE_VISIT"), json!(1)],
            action,
        ),
        (
            "when",
            vec![json!("2024-10-01T09:00:00.123456+02:00"), json!("1999-12-31T23:59Z"), json!(ahead(23 * HOUR))],
            vec![
                json!(null),
                json!(""),
                json!("2024-10-01"),
                json!("2024-10-01T07:00:00"),
                json!("2024-02-30T07:00:00Z"),
                json!(1_727_766_000_000_u64),
                json!(ahead(25 * HOUR)),
            ],
            when,
        ),
        (
            "businessUnit",
            vec![json!(null), json!(""), json!("  "), json!("XYZ"), json!("ABC")],
            vec![json!("xyz"), json!("XYZ "), json!(7), json!({})],
            unit,
        ),
        (
            "loyaltyId",
            vec![json!(null), json!(own)],
            vec![json!(""), json!("A-1"), json!(own.to_uppercase() + "x"), json!(7)],
            loyalty_id,
        ),
    ] {
        for (number, value) in accepted.into_iter().enumerate() {
            let body = with(activity("APP_CHECKIN"), attribute, value);
            let answer = programme.send("c-1", &format!("{attribute}-{number}"), &body).await;
            assert_eq!(answer.status, 200, "{body}: {}", answer.body);
        }
        let stored = programme.stored().await;
        for value in refused {
            let body = with(activity("APP_CHECKIN"), attribute, value);
            assert_invalid(&programme.send("c-1", "refused", &body).await, message);
        }
        assert_eq!(programme.stored().await, stored);
    }
    // Without a session there is no loyalty id that could be the account's.
    assert_invalid(&programme.send("c-2", "a-1", &with(activity("APP_CHECKIN"), "loyaltyId", own)).await, loyalty_id);
}

#[tokio::test]
async fn a_note_has_at_most_4_kib() {
    let programme = Programme::start().await;
    let noted = |note: Value| with(activity("APP_CHECKIN"), "note", note);
    for (id, note) in [("a-1", json!("")), ("a-2", json!(null)), ("a-3", json!("é\u{0}".repeat(1365) + "x"))] {
        assert_eq!(programme.send("c-1", id, &noted(note)).await.status, 200, "{id}");
    }
    let stored = programme.stored().await;
    let long = noted(json!("é".repeat(2048) + "x"));
    assert_invalid(&programme.send("c-1", "a-4", &long).await, "note must be at most 4096 bytes of UTF-8");
    assert_invalid(&programme.send("c-1", "a-4", &noted(json!(7))).await, "note must be a string");
    assert_eq!(programme.stored().await, stored);
}

#[tokio::test]
async fn extended_data_has_at_most_20_entries_of_5120_bytes_in_all() {
    let programme = Programme::start().await;
    let entry = |name: String, value: Value| json!({"name": name, "value": value});
    let entries = |count: usize| (0..count).map(|number| entry(format!("n{number}"), json!(number))).collect();
    // One byte of a name, and an even number of a value's.
    let bytes =
        |count: usize| vec![entry("n".into(), json!("x".repeat((count - 1) % 2) + &"é".repeat((count - 1) / 2)))];
    let scalars = [json!(null), json!(true), json!(-1.5e300), json!(""), json!("\u{0}")];
    let scalars = scalars.into_iter().enumerate().map(|(number, value)| entry(format!("n{number}"), value)).collect();
    let accepted: [Vec<Value>; 6] = [
        vec![],
        entries(20),
        bytes(5120),
        scalars,
        vec![json!({"name": "no value"})],
        vec![entry(String::new(), json!(1))],
    ];
    for (number, data) in accepted.into_iter().enumerate() {
        let body = with(activity("APP_CHECKIN"), "extendedData", data);
        let answer = programme.send("c-1", &format!("a-{number}"), &body).await;
        assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    }
    let stored = programme.stored().await;
    let twice = vec![entry("n".into(), json!(1)), entry("n".into(), json!(2))];
    for (data, message) in [
        (json!(entries(21)), "extendedData must have at most 20 items"),
        (json!(bytes(5121)), "extendedData must have at most 5120 bytes of names and values in all"),
        (json!(twice), "extendedData must not have a name more than once"),
        (json!([entry("n".into(), json!({}))]), "extendedData/0/value must be a number, a string, a boolean or null"),
        (json!([entry("n".into(), json!([1]))]), "extendedData/0/value must be a number, a string, a boolean or null"),
        (json!([{"value": 1}]), "extendedData/0/name is required"),
        (json!([{"name": 1, "value": 1}]), "extendedData/0/name must be a string"),
        (json!(["n"]), "extendedData/0 must be an object"),
        (json!({"name": "n", "value": 1}), "extendedData must be an array"),
    ] {
        let body = with(activity("APP_CHECKIN"), "extendedData", data);
        assert_invalid(&programme.send("c-1", "refused", &body).await, message);
    }
    assert_eq!(programme.stored().await, stored);
}

#[tokio::test]
async fn of_several_faults_of_the_body_the_first_of_the_list_answers() {
    let programme = Programme::start().await;
    assert_eq!(programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await.status, 200);
    let stored = programme.stored().await;
    let mut body = json!({
        "extendedData": "wrong", "note": 7, "loyaltyId": "L-0", "businessUnit": "NONE", "when": "now", "action": "NONE",
        "channel": " ",
    });
    for (message, attribute, mended) in [
        ("Channel not found", "channel", json!("APP")),
        ("Action not found", "action", json!("APP_CHECKIN")),
        ("When not found", "when", json!("2024-10-01T07:00:00Z")),
        ("Provided business unit is not valid", "businessUnit", json!("OLD")),
        ("Provided businessUnit is disabled", "businessUnit", json!("XYZ")),
        ("LoyaltyId specified is not associated with this Account", "loyaltyId", json!(null)),
        ("note must be a string", "note", json!("now it is one")),
        ("extendedData must be an array", "extendedData", json!([])),
    ] {
        assert_invalid(&programme.send("c-1", "a-1", &body).await, message);
        body[attribute] = mended;
    }
    assert_invalid(&programme.send("c-1", "a-1", &body).await, "ActivityID already exists");
    assert_eq!(programme.stored().await, stored);
    assert_eq!(programme.send("c-1", "a-2", &body).await.status, 200);
}

#[tokio::test]
async fn an_id_is_used_once_in_the_whole_system() {
    let programme = Programme::start().await;
    programme.tie("A-1", "c-2").await;
    let first = programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    assert_eq!(first.status, 200);
    let stored = programme.stored().await;
    for correlation_id in ["c-1", "c-2", "c-3"] {
        for body in [activity("APP_CHECKIN"), activity("APP_DOWNLOAD")] {
            assert_invalid(&programme.send(correlation_id, "a-1", &body).await, "ActivityID already exists");
        }
    }
    assert_eq!(programme.stored().await, stored);
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn the_body_is_strict_json() {
    let programme = Programme::start().await;
    let valid = activity("APP_CHECKIN").to_string();
    let plus = |member: &str| valid.replacen('{', &format!("{{{member},"), 1);
    for (body, message, column) in [
        (String::new(), "EOF while parsing a value", 0),
        (valid.replacen('}', ",}", 1), "trailing comma", 73),
        (format!("{valid}x"), "trailing characters", 73),
        (plus(r#""x":1e999"#), "number out of range", 10),
        (plus(r#""x":"\ud800""#), "unexpected end of hex escape", 13),
        (plus(&format!(r#""x":{}{}"#, "[".repeat(16), "]".repeat(16))), "nesting deeper than 16", 22),
    ] {
        let answer = programme.post(PATH, &[], &body).await;
        assert_error(&answer, 400, "MALFORMED_JSON", &format!("{message} at line 1 column {column}"));
    }
    let not_utf8 = [valid.as_bytes(), b"\xff"].concat();
    let answer = programme.call(Method::POST, PATH, &[("content-type", "application/json")], not_utf8).await;
    assert_error(&answer, 400, "MALFORMED_JSON", "invalid UTF-8 at line 1 column 73");

    let twice = "appears more than once";
    assert_invalid(&programme.post(PATH, &[], &plus(r#""action":"APP_CHECKIN""#)).await, &format!("action {twice}"));
    assert_invalid(
        &programme.post(PATH, &[], &plus(r#""x":{"y":[{"z":1,"z":1}]}"#)).await,
        &format!("x/y/0/z {twice}"),
    );
    for body in ["[]", "null", "7"] {
        let answer = programme.post(PATH, &[], body).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["errorCode"]), (400, &json!("INVALID_REQUEST")), "{body}");
    }
    assert_eq!(programme.stored().await, [0, 0, 0]);

    let deep = plus(&format!(r#""x":{}{}"#, "[".repeat(15), "]".repeat(15)));
    assert_eq!(programme.post(PATH, &[], &deep).await.status, 200);
}

#[tokio::test]
async fn of_several_faults_the_first_of_path_method_token_size_type_and_body_answers() {
    let programme = Programme::start().await;
    let bearer = programme.bearer();
    let text_plain = ("content-type", "text/plain");
    let json_type = ("content-type", "Application/JSON ; charset=utf-8");
    let large = "x".repeat(256 * 1024 + 1);
    let send = async |method: &Method, path: &str, bearer: &str, content_type, body: &str| {
        programme.app.send(method.clone(), path, &[("authorization", bearer), content_type], body).await
    };
    let unknown = send(&Method::PUT, "/client/users/c-1/activity", "Bearer no", text_plain, &large).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.json()["message"].is_string(), "{}", unknown.body);

    let bad_ids = "/client/users/c%20d/activities/a%20b";
    for (path, allow, methods) in [
        ("/client/users/c%20d/activities", "GET, POST", vec![Method::PUT, Method::PATCH, Method::DELETE]),
        (bad_ids, "GET, POST", vec![Method::PUT, Method::PATCH, Method::DELETE]),
    ] {
        for method in methods {
            let answer = send(&method, path, "Bearer no", text_plain, &large).await;
            assert_error(&answer, 405, "METHOD_NOT_ALLOWED", "The method is not allowed here");
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
        let post = &Method::POST;
        let answer = send(post, path, "Bearer no", text_plain, &large).await;
        assert_error(&answer, 401, "UNAUTHORIZED", "The credentials are missing or not valid");
        let answer = send(post, path, &bearer, text_plain, &large).await;
        assert_error(&answer, 413, "PAYLOAD_TOO_LARGE", "The body must be at most 256 KiB");
        let answer = send(post, path, &bearer, text_plain, "{").await;
        assert_error(&answer, 415, "UNSUPPORTED_MEDIA_TYPE", "The Content-Type is not supported here");
        assert_eq!(send(post, path, &bearer, json_type, "{").await.status, 400);
    }
    assert_eq!(programme.stored().await, [0, 0, 0]);

    // The largest that there is.
    let body = activity("APP_CHECKIN").to_string();
    let padding = " ".repeat(256 * 1024 - body.len());
    assert_eq!(send(&Method::POST, PATH, &bearer, json_type, &(body + &padding)).await.status, 200);
}

#[tokio::test]
async fn a_browser_may_ask_first_and_gets_no_credentials() {
    let programme = Programme::start().await;
    let headers = [("origin", "https://example.com"), ("access-control-request-method", "POST")];
    for path in [PATH, "/client/users/c-1/activities", "/client/users/A-1/sessions", "/client/users/c-1/balances"] {
        let answer = programme.app.send(Method::OPTIONS, path, &headers, "").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        let allowed = answer.header("access-control-allow-headers").expect("headers").to_lowercase();
        for name in ["authorization", "content-type", "idempotency-key", "x-identifier-type"] {
            assert!(allowed.contains(name), "{name}: {allowed}");
        }
    }
}

// Earnings

#[tokio::test]
async fn every_offer_of_the_demo_catalog_pays_as_its_row_says() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "vip").await;
    programme.tie("A-1002", "member").await;
    let at = |when: &str, body: Value| with(body, "when", when);
    let app = |body: Value| with(body, "channel", "APP");
    for (row, correlation_id, body, earned) in [
        ("XYZ_BASE: any action", "c-1", in_unit("XYZ", "APP_CHECKIN"), json!({"XYZ": points(10, 0, 0)})),
        ("XYZ_SURVEY: a survey", "c-2", in_unit("XYZ", "SURVEY_RESPONSE"), json!({"XYZ": points(10, 5, 0)})),
        ("XYZ_DOWNLOAD: in the app", "c-3", app(in_unit("XYZ", "APP_DOWNLOAD")), json!({"XYZ": points(10, 10, 0)})),
        ("XYZ_DOWNLOAD: not in a store", "c-4", in_unit("XYZ", "APP_DOWNLOAD"), json!({"XYZ": points(10, 0, 0)})),
        ("XYZ_DOWNLOAD: a download", "c-5", app(in_unit("XYZ", "APP_CHECKIN")), json!({"XYZ": points(10, 0, 0)})),
        ("XYZ_VIP: 55 % of 10, down", "vip", in_unit("XYZ", "APP_CHECKIN"), json!({"XYZ": points(10, 0, 5)})),
        ("XYZ_VIP: not another account", "member", in_unit("XYZ", "APP_CHECKIN"), json!({"XYZ": points(10, 0, 0)})),
        ("ABC_BASE: any action", "c-6", in_unit("ABC", "APP_DOWNLOAD"), json!({"ABC": points(3, 0, 0)})),
        ("ABC_LAUNCH: a check-in", "c-7", in_unit("ABC", "APP_CHECKIN"), json!({"ABC": points(3, 7, 0)})),
        (
            "ABC_LAUNCH: not before",
            "c-8",
            at("2023-12-31T23:59:59.999Z", in_unit("ABC", "APP_CHECKIN")),
            json!({"ABC": points(3, 0, 0)}),
        ),
        (
            "ABC_LAUNCH: from the first moment",
            "c-9",
            at("2024-01-01T00:00:00Z", in_unit("ABC", "APP_CHECKIN")),
            json!({"ABC": points(3, 7, 0)}),
        ),
        (
            "ABC_LAUNCH: to the last, wherever it is",
            "c-10",
            at("2025-01-01T00:59:59.999+01:00", in_unit("ABC", "APP_CHECKIN")),
            json!({"ABC": points(3, 7, 0)}),
        ),
        (
            "ABC_LAUNCH: no longer",
            "c-11",
            at("2025-01-01T00:00:00Z", in_unit("ABC", "APP_CHECKIN")),
            json!({"ABC": points(3, 0, 0)}),
        ),
        (
            "no unit: every enabled one's, and OLD_BASE never",
            "vip",
            app(activity("APP_DOWNLOAD")),
            json!({"ABC": points(3, 0, 0), "XYZ": points(10, 10, 3)}),
        ),
        (
            "a blank unit is none",
            "c-12",
            in_unit(" ", "APP_CHECKIN"),
            json!({"ABC": points(3, 7, 0), "XYZ": points(10, 0, 0)}),
        ),
    ] {
        assert_eq!(programme.earned(correlation_id, &body).await, earned, "{row}");
    }
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_points_limit_awards_what_is_left_of_it_and_then_nothing() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    programme.tie("A-1001", "c-2").await;
    // The limit is the account's, whichever of its sessions an activity comes with.
    for (correlation_id, targeted) in [("c-1", 5), ("c-2", 3), ("c-1", 0), ("c-2", 0)] {
        let earned = programme.earned(correlation_id, &in_unit("XYZ", "APP_CHECKIN")).await;
        assert_eq!(earned, json!({"XYZ": points(10, 0, targeted)}));
    }
    assert_eq!(programme.balances("c-1").await, json!({"XYZ": {"loyalty": 48}}));
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_limit_of_uses_is_each_members_own() {
    let programme = Programme::start().await;
    for correlation_id in ["c-1", "c-2"] {
        for bonus in [5, 5, 0, 0] {
            let earned = programme.earned(correlation_id, &in_unit("XYZ", "SURVEY_RESPONSE")).await;
            assert_eq!(earned, json!({"XYZ": points(10, bonus, 0)}));
        }
    }
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn offers_look_at_extended_data_the_loyalty_id_and_types_of_points() {
    let mut programme = Programme::start().await;
    let loyalty_id = programme.tie("A-7", "c-1").await;
    let catalog = r"
        actions: [STORE_VISIT]
        businessUnits: {U: enabled}
        offers:
          - {id: BASE, unit: U, kind: base, reward: {flat: 3}, actions: [STORE_VISIT]}
          - {id: TIER, unit: U, kind: bonus, reward: {multiplier: 1.5}, conditions: [{field: tier, in: [gold]}]}
          - {id: STATUS, unit: U, kind: bonus, reward: {flat: 2}, pointsType: status}
          - {id: OWN, unit: U, kind: targeted, reward: {percentage: 100}, loyaltyIds: [LOYALTY_ID]}
    ";
    programme.apply(&catalog.replace("LOYALTY_ID", &loyalty_id)).await;
    let status = json!({"base": 0, "bonus": 2, "targeted": 0, "total": 2});
    let loyalty = |bonus: u64, targeted: u64| points(3, bonus, targeted)["loyalty"].take();
    let gold = with(activity("STORE_VISIT"), "extendedData", json!([{"name": "tier", "value": "gold"}]));
    for (correlation_id, body, earned) in [
        ("c-1", activity("STORE_VISIT"), json!({"U": {"loyalty": loyalty(0, 3), "status": status}})),
        ("c-1", gold.clone(), json!({"U": {"loyalty": loyalty(1, 3), "status": status}})),
        ("c-2", gold, json!({"U": {"loyalty": loyalty(1, 0), "status": status}})),
        ("c-2", activity("APP_CHECKIN"), json!({"U": {"status": status}})),
    ] {
        assert_eq!(programme.earned(correlation_id, &body).await, earned, "{body}");
    }
    assert_eq!(programme.balances("c-1").await, json!({"U": {"loyalty": 13, "status": 4}}));
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_default_channel_stands_in_for_a_missing_one_only() {
    let catalog = yaml::DEMO.replace("# defaultChannel: APP", "defaultChannel: APP");
    let programme = Programme::with(&catalog).await;
    let download = in_unit("XYZ", "APP_DOWNLOAD");
    let answer = programme.send("c-1", "a-1", &without(download.clone(), "channel")).await;
    // Offers take it for what it stands for.
    assert_eq!(answer.json()["earned"], json!({"XYZ": points(10, 10, 0)}));
    assert_eq!(programme.get(&activity_path("c-1", "a-1")).await.json()["channel"], "APP");
    for channel in [json!(null), json!(""), json!("  ")] {
        let body = with(download.clone(), "channel", channel);
        assert_invalid(&programme.send("c-1", "a-2", &body).await, "Channel not found");
    }
    assert_eq!(programme.send("c-1", "a-2", &download).await.json()["earned"], json!({"XYZ": points(10, 0, 0)}));
    let session = programme.post("/client/users/A-1/sessions", &[], r#"{"correlationId":"c-2"}"#).await;
    assert_eq!(session.status, 200, "{}", session.body);
}

#[tokio::test]
async fn what_was_recorded_while_rewards_are_disabled_earns_nothing_then_or_later() {
    let disabled = yaml::DEMO.replace("rewards: enabled", "rewards: disabled");
    let mut programme = Programme::with(&disabled).await;
    let body = activity("SURVEY_RESPONSE");
    let nothing = json!({"activityId": "a-1", "type": "SURVEY_RESPONSE", "earned": {}});
    assert_eq!(programme.send("c-1", "a-1", &body).await.json(), nothing);
    let keyed = programme.send_keyed("c-1", "key", &body).await;
    assert_eq!(keyed.json()["earned"], json!({}));
    // A record of its own: no member comes of it.
    assert_eq!(programme.stored().await, [2, 0, 0]);

    programme.apply(yaml::DEMO).await;
    assert_invalid(&programme.send("c-1", "a-1", &body).await, "ActivityID already exists");
    assert_eq!(programme.send_keyed("c-1", "key", &body).await.body, keyed.body);
    assert_eq!(programme.get(&activity_path("c-1", "a-1")).await.json()["earned"], json!({}));
    assert_eq!(programme.balances("c-1").await, json!({}));
    // It has used nothing of a limit either.
    for bonus in [5, 5, 0] {
        assert_eq!(
            programme.earned("c-1", &in_unit("XYZ", "SURVEY_RESPONSE")).await,
            json!({"XYZ": points(10, bonus, 0)})
        );
    }
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn an_activity_that_earns_nothing_is_a_record_alone() {
    let catalog = "
        businessUnits: {U: enabled, V: disabled}
        offers:
          - {id: NEVER, unit: U, kind: base, reward: {flat: 1}, actions: [APP_DOWNLOAD]}
          - {id: OFF, unit: V, kind: base, reward: {flat: 1}}
    ";
    let programme = Programme::with(catalog).await;
    assert_eq!(programme.earned("c-1", &activity("APP_CHECKIN")).await, json!({}));
    assert_eq!(programme.stored().await, [1, 0, 0]);
    assert_eq!(programme.earned("c-1", &activity("APP_DOWNLOAD")).await, json!({"U": points(1, 0, 0)}));
    assert_eq!(programme.stored().await, [2, 1, 0]);
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_503_and_the_request_may_be_sent_again() {
    let mut programme = Programme::start().await;
    let url = programme.app.url.clone();
    let prefix = programme.app.prefix.clone();
    let store = std::mem::replace(
        &mut programme.app.store,
        punchcard_store::Store::local(&programme.app.endpoint, "no-such-table-"),
    );
    programme.app.restart().await;
    let broken = |answer: Answer| {
        assert_eq!(answer.status, 503, "{}", answer.body);
        let message = "The service is unavailable; the request can be sent again as it is";
        assert_error(&answer, 503, "SERVICE_UNAVAILABLE", message);
        assert_eq!(answer.header("retry-after"), Some("1"));
    };
    broken(programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await);
    broken(programme.open("A-1", "c-1").await);
    broken(programme.get("/client/users/c-1/balances").await);
    broken(programme.get(PATH).await);

    (programme.app.store, programme.app.url, programme.app.prefix) = (store, url, prefix);
    assert_eq!(programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await.status, 200);
}
