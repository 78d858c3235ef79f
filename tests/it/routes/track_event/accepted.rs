//! Requests that are accepted, and what is stored of them.

use std::collections::{BTreeSet, HashMap};

use reqwest::Method;
use serde_json::{Value, json};

use super::{FIRST_EXAMPLE, LONGEST, PATHS, events};
use crate::support::{
    app::App,
    players::{API_KEY, EVENT, JSON, assert_tracked, compressed, fault, json, text},
};

#[tokio::test]
async fn every_path_behaves_the_same() {
    let app = App::start().await;
    for path in PATHS {
        let send = |method, headers| app.send(method, path, headers, FIRST_EXAMPLE);
        assert_tracked(&send(Method::POST, &[API_KEY, JSON]).await);
        assert_eq!(fault(&send(Method::POST, &[JSON]).await).1, 1000);
        assert_eq!(fault(&send(Method::GET, &[]).await).1, 405);
    }
    assert_eq!(app.totals("player123").await, (505, 14));
}

#[tokio::test]
async fn no_events_make_the_player_and_track_nothing() {
    let app = App::start().await;
    assert_tracked(&app.track(events("player123", &json!({}))).await);
    assert_eq!(app.totals("player123").await, (0, 0));
    assert_eq!(text(&app.items("PlayerEvents").await[0], "events"), "{}");
}

#[tokio::test]
async fn null_and_an_empty_array_are_empty_metadata() {
    for metadata in ["null", "[]"] {
        let app = App::start().await;
        let body = format!(r#"{{"playerUniqueId":"p","events":{{"review":{metadata}}}}}"#);
        assert_tracked(&app.track(body).await);
        assert_eq!(text(&app.items("PlayerEvents").await[0], "events"), r#"{"review":{}}"#);
        assert_eq!(app.totals("p").await, (5, 1));
    }
}

#[tokio::test]
async fn a_player_id_counts_in_the_absence_of_a_unique_id() {
    let app = App::start().await;
    assert_tracked(&app.track(r#"{"playerId":"p","events":{"review":{}}}"#).await);
    assert_tracked(&app.track(r#"{"playerUniqueId":null,"playerId":"p","events":{"review":{}}}"#).await);
    assert_tracked(&app.track(r#"{"playerUniqueId":"p","playerId":"another","events":{"review":{}}}"#).await);
    assert_eq!(app.totals("p").await, (15, 3));
    assert_eq!(app.get_player("another").await.status, 404);
}

#[tokio::test]
async fn a_gzip_body_is_the_same_request() {
    let app = App::start().await;
    let gzip = ("content-encoding", "gzip");
    let key = ("idempotency-key", "a key");
    let headers = [API_KEY, JSON, gzip, key];
    assert_tracked(&app.send(Method::POST, EVENT, &headers, compressed(FIRST_EXAMPLE)).await);
    let replayed = app.track_once("a key", FIRST_EXAMPLE).await;
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(app.totals("player123").await, (75, 2));
}

#[tokio::test]
async fn nested_metadata_is_recorded_and_conditions_test_it_for_presence_only() {
    let campaign =
        |id: &str, condition: Value| json!({"id": id, "event": "order", "points": 1, "conditions": [condition]});
    let app = App::with_catalog(&json!({"campaigns": [
        campaign("PRESENT", json!({"field": "products", "exists": true})),
        campaign("CONTAINS", json!({"field": "products", "contains": 1})),
        campaign("OTHER", json!({"field": "products", "ne": 7})),
        campaign("ABSENT", json!({"field": "products", "exists": false})),
    ]}))
    .await;
    for (index, (products, paid)) in [
        (r#"[{"price":9.5,"sku":"a"}]"#, &["PRESENT"][..]),
        (r#"{"a":{"b":[[]]}}"#, &["PRESENT"]),
        ("[1,null]", &["PRESENT"]),
        ("[[1]]", &["PRESENT"]),
        ("[1]", &["CONTAINS", "PRESENT"]),
        ("1", &["OTHER", "PRESENT"]),
        ("null", &["ABSENT"]),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"playerUniqueId":"p{index}","events":{{"order":{{"products":{products}}}}}}}"#);
        assert_tracked(&app.track(body).await);
        let records = app.items("PlayerEvents").await;
        let record = records.iter().find(|record| text(record, "playerId") == format!("p{index}"));
        let record = record.expect("a record");
        assert_eq!(text(record, "events"), format!(r#"{{"order":{{"products":{products}}}}}"#));
        let earned = json(record, "earned");
        let earned: Vec<_> = earned["order"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
        assert_eq!(earned, paid, "{products}");
    }
}

#[tokio::test]
async fn unknown_members_are_ignored_and_addresses_not_stored() {
    let app = App::start().await;
    let body = r#"{"playerUniqueId":"p","playerAttributes":{"displayName":"Jon Snow","tags":[{}]},
        "email":"jon@example.com","mobile":null,"events":{"review":{}}}"#;
    assert_tracked(&app.track(body).await);
    for table in ["PlayerEvents", "Members"] {
        let items = format!("{:?}", app.items(table).await);
        assert!(!items.contains("Snow") && !items.contains("jon@example.com"), "{items}");
    }
    assert_eq!(app.totals("p").await, (5, 1));
}

#[tokio::test]
async fn a_player_id_is_kept_as_it_was_sent() {
    let app = App::start().await;
    let longest = "é".repeat(128);
    let ids = ["p", "P", " p", "p ", "Jörg", "player#p", "mail#x", &longest];
    for id in ids {
        app.did(id, "review").await;
    }
    for id in ids {
        assert_eq!(app.totals(id).await, (5, 1), "{id:?}");
    }
    let records = app.items("PlayerEvents").await;
    let stored: BTreeSet<_> = records.iter().map(|record| text(record, "playerId")).collect();
    assert_eq!(stored, ids.into());
}

#[tokio::test]
async fn an_event_name_is_trimmed_and_may_have_any_script() {
    let app = App::start().await;
    let longest = "é".repeat(128);
    for (sent, stored) in [
        ("add to cart", "add to cart"),
        ("$purchase", "$purchase"),
        ("$", "$"),
        ("購入する", "購入する"),
        ("заказ", "заказ"),
        ("اشترى", "اشترى"),
        ("🛒", "🛒"),
        ("a/b~c.d[0]#e", "a/b~c.d[0]#e"),
        ("say \"hi\"", "say \"hi\""),
        ("  buy\t\n", "buy"),
        ("\u{3000}bought\u{a0}", "bought"),
        (&longest, &longest),
    ] {
        assert_tracked(&app.track(events(sent, &json!({sent: {"n": 1}}))).await);
        let records = app.items("PlayerEvents").await;
        let record = records.iter().find(|record| text(record, "playerId") == sent).expect("a record");
        assert_eq!(json(record, "events"), json!({stored: {"n": 1}}));
    }
    // Trimmed, it is the name that the campaign knows.
    app.did("trimmed", "\treview ").await;
    assert_eq!(app.totals("trimmed").await, (5, 1));
}

#[tokio::test]
async fn metadata_are_numbers_strings_booleans_and_arrays_of_those() {
    let app = App::start().await;
    let text_up_to_the_limit = format!("\"{}\"", "x".repeat(4096));
    for (index, value) in [
        "0",
        "-1.5",
        "0.1000000000000000055",
        "12345678901234567890123",
        "\"\"",
        "\"men & new_collection\"",
        "\"\\u0000\"",
        "true",
        "false",
        "[]",
        "[\"value1\",\"value2\",\"value3\"]",
        "[1,\"a\",true,1]",
        &text_up_to_the_limit,
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(r#"{{"playerUniqueId":"p{index}","events":{{"buy":{{"key":{value}}}}}}}"#);
        assert_tracked(&app.track(body).await);
        let records = app.items("PlayerEvents").await;
        let record = records.iter().find(|record| text(record, "playerId") == format!("p{index}"));
        assert_eq!(text(record.expect("a record"), "events"), format!(r#"{{"buy":{{"key":{value}}}}}"#));
    }
}

#[tokio::test]
async fn five_hundred_events_in_one_request_all_count() {
    let app = App::start().await;
    let many: HashMap<_, _> = (0..500).map(|n| (format!("event {n}"), json!({"n": n, "tags": ["a", "b"]}))).collect();
    let body = events("player123", &json!(many));
    assert!(body.len() < LONGEST);
    assert_tracked(&app.track(body).await);
    assert_eq!(app.totals("player123").await, (0, 500));
    let stored = json(&app.items("PlayerEvents").await[0], "events");
    assert_eq!(stored.as_object().map(serde_json::Map::len), Some(500));
}

#[tokio::test]
async fn a_body_of_256_kib_is_accepted_and_a_longer_one_refused() {
    let app = App::start().await;
    let mut body = FIRST_EXAMPLE.to_owned();
    body.push_str(&" ".repeat(LONGEST - body.len()));
    assert_tracked(&app.track(body.clone()).await);
    body.push(' ');
    let (status, code, message) = fault(&app.track(body).await);
    assert_eq!((status, code), (413, 413));
    assert!(message.contains("256 KiB"), "{message}");
    assert_eq!(app.totals("player123").await, (75, 2));
}

#[tokio::test]
async fn events_larger_than_an_item_of_the_store_are_refused_with_a_reason() {
    let app = App::start().await;
    // Five bytes as it is sent, 25 in the canonical form that is stored: 400,000 bytes, and 410,000.
    let body = |count: usize| {
        let numbers = vec!["1e23"; count].join(",");
        format!(r#"{{"playerUniqueId":"player123","events":{{"measure":{{"values":[{numbers}]}}}}}}"#)
    };
    assert_tracked(&app.track(body(16_000)).await);
    for count in [16_400, 52_000] {
        assert!(body(count).len() < LONGEST);
        let (status, code, message) = fault(&app.track(body(count)).await);
        assert_eq!((status, code), (413, 413), "{count}");
        assert!(message.contains("more than one write can hold"), "{message}");
    }
    assert_eq!(app.totals("player123").await, (0, 1));
    assert_eq!(app.stored().await, (1, 0));
}

#[tokio::test]
async fn every_json_content_type_is_accepted() {
    let app = App::start().await;
    for content_type in ["application/json; charset=utf-8", "Application/JSON", "application/json;v=1"] {
        let headers = [API_KEY, ("Content-Type", content_type)];
        assert_tracked(&app.send(Method::POST, EVENT, &headers, FIRST_EXAMPLE).await);
    }
}

#[tokio::test]
async fn the_name_of_the_api_key_header_is_case_insensitive() {
    let app = App::start().await;
    for name in ["APIKey", "apikey", "ApiKey"] {
        let headers = [(name, "demo-api-key"), JSON];
        assert_tracked(&app.send(Method::POST, EVENT, &headers, FIRST_EXAMPLE).await);
    }
}
