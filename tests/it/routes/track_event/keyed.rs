//! Requests with an `Idempotency-Key`.

use futures_util::future::join_all;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::{FIRST_EXAMPLE, events, statuses};
use crate::support::{
    app::{Answer, App},
    players::{API_KEY, EVENT, JSON, assert_tracked, fault},
};

#[tokio::test]
async fn a_retry_gets_the_first_answer_byte_for_byte() {
    let app = App::start().await;
    let first = app.track_once("a key", FIRST_EXAMPLE).await;
    assert_tracked(&first);
    assert_eq!(first.header("idempotent-replayed"), None);
    for _ in 0..2 {
        let again = app.track_once("a key", FIRST_EXAMPLE).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    assert_eq!(app.totals("player123").await, (75, 2));
    assert_eq!(app.stored().await, (1, 1));
}

#[tokio::test]
async fn payloads_with_the_same_meaning_are_the_same() {
    let app = App::start().await;
    let first = r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[1,2]},"b":{}}}"#;
    assert_tracked(&app.track_once("a key", first).await);
    for again in [
        r#"{"events":{"b":{},"a":{"l":[1,2],"t":"x","n":100}},"playerUniqueId":"p"}"#,
        r#" {"playerUniqueId" : "p","events":{"a":{"n":1e2,"t":"\u0078","l":[1.0,2]},"b":{}}}"#,
        r#"{"playerUniqueId":"p","events":{" a":{"n":100.00,"t":"x","l":[1,2]},"b ":null}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[1,2]},"b":{}},"unknown":true,"email":"a@b.example"}"#,
    ] {
        let answer = app.track_once("a key", again).await;
        assert_tracked(&answer);
        assert_eq!(answer.header("idempotent-replayed"), Some("true"), "{again}");
    }
    assert_eq!(app.totals("p").await, (0, 2));
}

#[tokio::test]
async fn the_same_key_with_another_payload_is_refused_and_stores_nothing() {
    let app = App::start().await;
    let first = r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[1,2]},"b":{}}}"#;
    assert_tracked(&app.track_once("a key", first).await);
    let before = (app.items("PlayerEvents").await, app.items("Members").await);
    for other in [
        r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[1,2]}}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[1,2]},"B":{}}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":"100","t":"x","l":[1,2]},"b":{}}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":100.0000000000000000001,"t":"x","l":[1,2]},"b":{}}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[2,1]},"b":{}}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x ","l":[1,2]},"b":{}}}"#,
        r#"{"playerUniqueId":"p","events":{"a":{"n":100,"t":"x","l":[1,2],"m":true},"b":{}}}"#,
        r#"{"playerUniqueId":"p","events":{}}"#,
    ] {
        let (status, code, message) = fault(&app.track_once("a key", other).await);
        assert_eq!((status, code), (422, 2002), "{other}");
        assert!(message.contains("Idempotency-Key"), "{message}");
    }
    assert_eq!((app.items("PlayerEvents").await, app.items("Members").await), before);
}

#[tokio::test]
async fn another_players_same_key_is_another_key() {
    let app = App::start().await;
    for player in ["p", "P", " p"] {
        let answer = app.track_once("a key", events(player, &json!({"review": {}}))).await;
        assert_tracked(&answer);
        assert_eq!(answer.header("idempotent-replayed"), None, "{player:?}");
        assert_eq!(app.totals(player).await, (5, 1));
    }
}

#[tokio::test]
async fn a_refused_request_uses_no_key() {
    let app = App::start().await;
    assert_eq!(fault(&app.track_once("a key", r#"{"playerUniqueId":"p"}"#).await).1, 4);
    let answer = app.track_once("a key", events("p", &json!({"review": {}}))).await;
    assert_tracked(&answer);
    assert_eq!(answer.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn a_key_is_printable_ascii_of_any_look() {
    let app = App::start().await;
    let longest = "k".repeat(128);
    let keys = [
        "1",
        "A",
        "a",
        "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        "a b",
        "key#a",
        "~!@#$%^&*()",
        &longest,
    ];
    for key in keys {
        for replayed in [None, Some("true")] {
            let answer = app.track_once(key, events("p", &json!({"review": {}}))).await;
            assert_tracked(&answer);
            assert_eq!(answer.header("idempotent-replayed"), replayed, "{key}");
        }
    }
    assert_eq!(app.items("PlayerEvents").await.len(), keys.len());
}

#[tokio::test]
async fn an_invalid_key_is_refused() {
    let app = App::start().await;
    let client = reqwest::Client::new();
    for key in [&b""[..], &[b'k'; 129], "schlüssel".as_bytes(), b"a\tb", b"\xff"] {
        let mut headers = HeaderMap::new();
        headers.insert("apikey", HeaderValue::from_static(API_KEY.1));
        headers.insert("content-type", HeaderValue::from_static(JSON.1));
        headers.insert("idempotency-key", HeaderValue::from_bytes(key).expect("a header"));
        let request = client.post(format!("{}{EVENT}", app.url)).headers(headers).body(FIRST_EXAMPLE);
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, body: response.text().await.expect("a body") };
        let (status, code, message) = fault(&answer);
        assert_eq!((status, code), (400, 7), "{key:?}");
        assert!(message.contains("Idempotency-Key"), "{message}");
    }
    assert_eq!(app.stored().await, (0, 0));
}

#[tokio::test]
async fn without_a_key_every_request_counts() {
    let app = App::start().await;
    for times in 1..=3 {
        assert_tracked(&app.track(FIRST_EXAMPLE).await);
        assert_eq!(app.totals("player123").await, (75 * times, 2 * times));
    }
    assert_eq!(app.stored().await, (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn thirty_two_parallel_posts_with_one_key_have_one_effect_and_one_answer() {
    let app = App::start().await;
    let answers = join_all((0..32).map(|_| app.track_once("a key", FIRST_EXAMPLE))).await;
    answers.iter().for_each(assert_tracked);
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == Some("true")).count();
    assert_eq!(replayed, 31);
    assert_eq!(app.totals("player123").await, (75, 2));
    assert_eq!(app.stored().await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_payloads_racing_with_one_key_one_wins() {
    let app = App::start().await;
    let body = |n: usize| events("p", &json!({"visit": {"n": n % 2}}));
    let answers = join_all((0..16).map(|n| app.track_once("a key", body(n)))).await;
    assert_eq!(statuses(&answers), [(200, 8), (422, 8)].into());
    assert_eq!(app.totals("p").await, (0, 1));
}
