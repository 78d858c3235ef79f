//! `POST /client/users/{correlation_id}/activities` with an `Idempotency-Key`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    activities::{Programme, activities_path, activity, activity_path, assert_error, assert_invalid, points, with},
    app::Answer,
};

fn survey() -> Value {
    with(activity("SURVEY_RESPONSE"), "businessUnit", "XYZ")
}

#[track_caller]
fn assert_replayed(answer: &Answer, first: &Answer) {
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &first.body));
    assert_eq!(answer.header("idempotent-replayed"), Some("true"));
}

#[tokio::test]
async fn the_same_key_with_the_same_payload_gets_the_first_answer_byte_for_byte() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    let first = programme.send_keyed("c-1", "key", &survey()).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!(first.json()["earned"], json!({"XYZ": points(10, 5, 5)}));
    // Also when it would earn less by now.
    for bonus in [5, 0] {
        assert_eq!(programme.earned("c-1", &survey()).await["XYZ"]["loyalty"]["bonus"], bonus);
    }
    let stored = programme.stored().await;
    for _ in 0..3 {
        assert_replayed(&programme.send_keyed("c-1", "key", &survey()).await, &first);
    }
    assert_eq!(programme.stored().await, stored);
    programme.assert_books_balance().await;

    let id = first.json()["activityId"].as_str().expect("an id").to_owned();
    assert_eq!(programme.get(&activity_path("c-1", &id)).await.json()["earned"], first.json()["earned"]);
}

/// A payload, each of whose spellings is the same.
const SPELLED: [&str; 5] = [
    r#"{"action":"SURVEY_RESPONSE","channel":"APP","when":"2024-10-01T07:00:00Z",
        "extendedData":[{"name":"n","value":1.5},{"name":"é","value":null}]}"#,
    // In another order, with other white space.
    r#"{ "extendedData" : [ {"value":1.5,"name":"n"}, {"value":null,"name":"é"} ],
        "when":"2024-10-01T07:00:00Z", "channel":"APP", "action":"SURVEY_RESPONSE" }"#,
    // Numbers, characters and the moment otherwise.
    r#"{"action":"SURVEY\u005FRESPONSE","channel":"APP","when":"2024-10-01T09:00:00.0009+02:00",
        "extendedData":[{"name":"n","value":150e-2},{"name":"\u00e9","value":null}]}"#,
    // With members that are as good as absent.
    r#"{"action":"SURVEY_RESPONSE","channel":"APP","when":"2024-10-01T07:00:00Z","note":null,"businessUnit":" ",
        "loyaltyId":null,"colour":{"unknown":true},"extendedData":[{"name":"n","value":1.50},{"name":"é"}]}"#,
    r#"{"action":"SURVEY_RESPONSE","channel":"APP","when":"2024-10-01T07:00Z","businessUnit":null,
        "extendedData":[{"name":"n","value":0.15e1},{"name":"é","value":null,"colour":"blue"}]}"#,
];

#[tokio::test]
async fn the_same_payload_is_the_same_however_it_is_spelled() {
    let programme = Programme::start().await;
    let path = activities_path("c-1");
    let first = programme.post(&path, &[("idempotency-key", "key")], SPELLED[0]).await;
    assert_eq!(first.status, 200, "{}", first.body);
    for body in SPELLED {
        assert_replayed(&programme.post(&path, &[("Idempotency-Key", "key")], body).await, &first);
    }
    assert_eq!(programme.stored().await, [1, 1, 0]);
}

#[tokio::test]
async fn the_same_key_with_another_payload_is_refused_and_nothing_is_stored() {
    let programme = Programme::start().await;
    let path = activities_path("c-1");
    let key = [("idempotency-key", "key")];
    let first = programme.post(&path, &key, SPELLED[0]).await;
    let items = programme.app.items("Activities").await;
    for (from, to) in [
        ("SURVEY_RESPONSE", "APP_CHECKIN"),
        (r#""APP""#, r#""app""#),
        ("07:00:00Z", "07:00:00.001Z"),
        ("07:00:00Z", "07:00:00+01:00"),
        (r#""channel""#, r#""businessUnit":"XYZ","channel""#),
        (r#""channel""#, r#""note":"","channel""#),
        ("1.5", "1.6"),
        ("1.5", r#""1.5""#),
        ("null", "0"),
        ("é", "e\u{301}"),
        (
            r#"{"name":"n","value":1.5},{"name":"é","value":null}"#,
            r#"{"name":"é","value":null},{"name":"n","value":1.5}"#,
        ),
        (r#",{"name":"é","value":null}"#, ""),
    ] {
        let body = SPELLED[0].replacen(from, to, 1);
        assert_ne!(body, SPELLED[0]);
        let answer = programme.post(&path, &key, &body).await;
        let message = "The Idempotency-Key was used with another payload";
        assert_error(&answer, 422, "IDEMPOTENCY_KEY_REUSED", message);
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
    // An invalid payload is reported first.
    assert_invalid(&programme.post(&path, &key, "{}").await, "Channel not found");
    assert_eq!(programme.app.items("Activities").await, items);
    programme.assert_books_balance().await;
    assert_replayed(&programme.post(&path, &key, SPELLED[0]).await, &first);
}

#[tokio::test]
async fn the_same_key_of_another_correlation_id_is_another_key() {
    let programme = Programme::start().await;
    // Also where both are one account's.
    programme.tie("A-1", "c-1").await;
    programme.tie("A-1", "c-2").await;
    let guid = "0a1b2c3d-4e5f-4071-8293-a4b5c6d7e8f9";
    let mut ids = Vec::new();
    for (correlation_id, body) in
        [("c-1", survey()), ("c-2", survey()), (guid, survey()), ("c-3", activity("APP_CHECKIN"))]
    {
        let answer = programme.send_keyed(correlation_id, "key", &body).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (200, None), "{}", answer.body);
        ids.push(answer.json()["activityId"].clone());
    }
    let different: std::collections::BTreeSet<_> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(different.len(), 4, "{ids:?}");
    // A correlation id that is a GUID is the same in capitals.
    let again = programme.send_keyed(&guid.to_uppercase(), "key", &survey()).await;
    assert_eq!(
        (again.json()["activityId"].clone(), again.header("idempotent-replayed")),
        (ids[2].clone(), Some("true"))
    );
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn other_keys_are_other_activities() {
    let programme = Programme::start().await;
    let longest = "k".repeat(128);
    for key in ["key", "Key", "\"key\"", "a b~!", &longest] {
        let answer = programme.send_keyed("c-1", key, &survey()).await;
        assert_eq!((answer.status.as_u16(), answer.header("idempotent-replayed")), (200, None), "{key}");
    }
    // None at all is none to remember.
    for _ in 0..2 {
        programme.earned("c-1", &survey()).await;
    }
    assert_eq!(programme.stored().await, [7, 1, 0]);
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn an_invalid_key_is_refused() {
    let programme = Programme::start().await;
    for key in ["", "a\tb", "ключ", "\u{80}", &"k".repeat(129)] {
        let answer = programme.send_keyed("c-1", key, &survey()).await;
        assert_invalid(&answer, "The Idempotency-Key must have 1 to 128 printable ASCII characters");
    }
    assert_eq!(programme.stored().await, [0, 0, 0]);
}

#[tokio::test]
async fn a_key_is_ignored_where_the_path_has_an_id() {
    let programme = Programme::start().await;
    for (id, key) in [("a-1", "key"), ("a-2", "key"), ("a-3", ""), ("a-4", "ключ")] {
        let path = activity_path("c-1", id);
        let answer = programme.post(&path, &[("idempotency-key", key)], &survey().to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["activityId"]), (200, &json!(id)));
        let again = programme.post(&path, &[("idempotency-key", key)], &survey().to_string()).await;
        assert_invalid(&again, "ActivityID already exists");
    }
    assert_eq!(programme.stored().await, [4, 1, 0]);
    // Nor does such an activity take the key from one that has no id.
    assert_eq!(programme.send_keyed("c-1", "key", &survey()).await.header("idempotent-replayed"), None);
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_retry_counts_for_the_first_account_after_another_session_was_opened() {
    let programme = Programme::start().await;
    let first = programme.send_keyed("c-1", "key", &survey()).await;
    programme.tie("A-1", "c-1").await;
    assert_replayed(&programme.send_keyed("c-1", "key", &survey()).await, &first);
    assert_eq!(programme.balances("c-1").await, json!({}));
    programme.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_two_parallel_posts_with_one_key_have_one_effect_and_get_one_answer() {
    let programme = &Programme::start().await;
    let answers = join_all((0..32).map(async |_| programme.send_keyed("c-1", "key", &survey()).await)).await;
    for answer in &answers {
        assert_eq!((answer.status.as_u16(), &answer.body), (200, &answers[0].body));
    }
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
    assert_eq!(replayed, 31);
    assert_eq!(programme.stored().await, [1, 1, 0]);
    assert_eq!(programme.balances("c-1").await, json!({"XYZ": {"loyalty": 15}}));
    programme.assert_books_balance().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_parallel_posts_with_one_key_and_two_payloads_one_payload_wins() {
    let programme = &Programme::start().await;
    let bodies = [survey(), with(survey(), "note", "another")];
    let answers = join_all((0..32).map(async |number| programme.send_keyed("c-1", "key", &bodies[number % 2]).await));
    let answers = answers.await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(200), count(422)), (16, 16));
    assert_eq!(programme.stored().await, [1, 1, 0]);
    programme.assert_books_balance().await;
}
