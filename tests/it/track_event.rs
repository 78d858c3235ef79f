//! `POST /integrations/event`.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use punchcard::tables;
use punchcard_models::access::SecretDigest;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};
use serde_json::{Value, json};

use crate::{
    app::{Answer, App, header},
    players::{API_KEY, EVENT, JSON, assert_tracked, campaign, compressed, fault, json, limited, text},
};

/// 256 KiB, the longest body.
const LONGEST: usize = 262_144;

const PATHS: [&str; 5] = [
    EVENT,
    "/api/v3.0/integrations/event",
    "/api/v2.0/integrations/event",
    "/api/v2.0/Integrations/Event",
    "/v2.0/Integrations/Event",
];

/// The first example: `place_order` with two metadata keys, review with none.
const FIRST_EXAMPLE: &str = r#"{
    "playerUniqueId": "player123",
    "events": {
        "place_order": {"total_amount": "100", "category": ["electronics", "cosmetics"]},
        "review": {}
    }
}"#;

fn events(player: &str, events: &Value) -> String {
    json!({"playerUniqueId": player, "events": events}).to_string()
}

/// How many answers have each status.
fn statuses(answers: &[Answer]) -> HashMap<u16, usize> {
    let mut count = HashMap::new();
    for answer in answers {
        *count.entry(answer.status.as_u16()).or_default() += 1;
    }
    count
}

/// How often each campaign paid, by the records.
fn times_paid(earned: &[Value]) -> HashMap<String, u64> {
    let mut times = HashMap::new();
    let events = earned.iter().filter_map(Value::as_object).flat_map(|record| record.values());
    for campaign in events.filter_map(Value::as_object).flat_map(|event| event.keys()) {
        *times.entry(campaign.clone()).or_default() += 1;
    }
    times
}

mod examples {
    use super::*;

    #[tokio::test]
    async fn place_order_and_review() {
        let app = App::start().await;
        assert_tracked(&app.track(FIRST_EXAMPLE).await);
        let records = app.items("PlayerEvents").await;
        assert_eq!(records.len(), 1);
        assert_eq!(text(&records[0], "playerId"), "player123");
        assert_eq!(
            text(&records[0], "events"),
            r#"{"place_order":{"category":["electronics","cosmetics"],"total_amount":"100"},"review":{}}"#
        );
        assert_eq!(text(&records[0], "response"), "{}");
        assert_eq!(app.totals("player123").await, (75, 2));
    }

    #[tokio::test]
    async fn reserving_two_rooms() {
        let app = App::start().await;
        // 1 for a standard room, 2 for a deluxe one.
        let body = r#"{"playerUniqueId":"player123","events":{"reserve":{"rooms":[1,2]}}}"#;
        assert_tracked(&app.track(body).await);
        let records = app.items("PlayerEvents").await;
        assert_eq!(text(&records[0], "events"), r#"{"reserve":{"rooms":[1,2]}}"#);
        assert_eq!(text(&records[0], "earned"), "{}");
        assert_eq!(app.totals("player123").await, (0, 1));
    }

    #[tokio::test]
    async fn reserving_two_rooms_with_channel_merging() {
        for (merging, other) in [("email", "mobile"), ("mobile", "email")] {
            let campaign = json!({"id": "DELUXE", "event": "reserve", "points": 10,
                "conditions": [{"field": "rooms", "contains": 2}]});
            let app = App::with_catalog(&json!({"channelMerging": merging, "campaigns": [campaign]})).await;
            let address = HashMap::from([("email", "player123@example.com"), ("mobile", "+1234567")]);
            let body = |player: &str, other_address: &str| {
                json!({"playerUniqueId": player, merging: address[merging], other: other_address,
                    "events": {"reserve": {"rooms": [1, 2]}}})
            };
            assert_tracked(&app.track(body("player123", address[other]).to_string()).await);
            assert_tracked(&app.track(body("player456", "another one").to_string()).await);
            // Of the same address: one customer with one balance.
            assert_eq!(app.totals("player123").await, (20, 2), "{merging}");
            assert_eq!(app.totals("player456").await, (20, 2), "{merging}");
        }
    }
}

mod requests {
    use super::*;

    #[tokio::test]
    async fn all_paths_are_one() {
        let app = App::start().await;
        for path in PATHS {
            let send = |method, headers| app.send(method, path, headers, FIRST_EXAMPLE);
            assert_tracked(&send(Method::POST, &[API_KEY, JSON]).await);
            assert_eq!(fault(&send(Method::POST, &[JSON]).await).1, 1000);
            assert_eq!(fault(&send(Method::GET, &[]).await).1, 405);
        }
        assert_eq!(app.totals("player123").await, (365, 10));
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
        let many: HashMap<_, _> =
            (0..500).map(|n| (format!("event {n}"), json!({"n": n, "tags": ["a", "b"]}))).collect();
        let body = events("player123", &json!(many));
        assert!(body.len() < LONGEST);
        assert_tracked(&app.track(body).await);
        assert_eq!(app.totals("player123").await, (0, 500));
        let stored = json(&app.items("PlayerEvents").await[0], "events");
        assert_eq!(stored.as_object().map(serde_json::Map::len), Some(500));
    }

    #[tokio::test]
    async fn a_body_is_as_long_as_it_may_be() {
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
    async fn what_is_more_than_the_store_holds_is_refused_with_a_reason() {
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
            assert!(message.contains("more than can be stored"), "{message}");
        }
        assert_eq!(app.totals("player123").await, (0, 1));
        assert_eq!(app.stored().await, (1, 1));
    }

    #[tokio::test]
    async fn any_json_content_type_will_do() {
        let app = App::start().await;
        for content_type in ["application/json; charset=utf-8", "Application/JSON", "application/json;v=1"] {
            let headers = [API_KEY, ("Content-Type", content_type)];
            assert_tracked(&app.send(Method::POST, EVENT, &headers, FIRST_EXAMPLE).await);
        }
    }

    #[tokio::test]
    async fn the_api_keys_header_has_a_name_without_case() {
        let app = App::start().await;
        for name in ["APIKey", "apikey", "ApiKey"] {
            let headers = [(name, "demo-api-key"), JSON];
            assert_tracked(&app.send(Method::POST, EVENT, &headers, FIRST_EXAMPLE).await);
        }
    }
}

mod refusals {
    use super::*;

    #[tokio::test]
    async fn one_message_tells_everything_that_is_wrong() {
        let app = App::start().await;
        let answer = app.track(r#"{"mobile":5,"events":{"e":[1],"f":"x"}}"#).await;
        let (status, code, message) = fault(&answer);
        assert_eq!((status, code), (400, 4));
        assert!(message.starts_with("The PlayerUniqueId field is required. "), "{message}");
        for place in ["mobile must be a string.", "events/e must be an object.", "events/f must be an object."] {
            assert!(message.contains(place), "{place}: {message}");
        }
    }

    #[tokio::test]
    async fn a_number_of_any_length_is_data() {
        let app = App::start().await;
        for number in [format!("0.{}", "7".repeat(100_000)), format!("1{}", "0".repeat(200))] {
            let body = format!(r#"{{"playerUniqueId":"p","events":{{"e":{{"k":{number}}}}}}}"#);
            assert_tracked(&app.track(body).await);
        }
    }

    #[tokio::test]
    async fn an_answer_is_short_whatever_was_sent() {
        let app = App::start().await;
        let repeated = r#""0":1,"#.repeat(1000);
        let body = format!(r#"{{"{}":{{{repeated}"1":1}}}}"#, "~".repeat(120_000));
        let answer = app.track(body).await;
        assert_eq!(fault(&answer).1, 3017);
        assert!(answer.body.len() < 150_000, "{}", answer.body.len());
    }

    /// Bodies that are refused: with which code, and with what in the message.
    fn bodies() -> Vec<(String, u64, &'static str)> {
        let id = |id: &str| format!(r#"{{"playerUniqueId":{id},"events":{{"review":{{}}}}}}"#);
        let with = |members: &str| format!(r#"{{"playerUniqueId":"p",{members}}}"#);
        let named = |name: &str| with(&format!(r#""events":{{"review":{{}},"{name}":{{}}}}"#));
        let metadata = |metadata: &str| with(&format!(r#""events":{{"review":{{}},"buy":{metadata}}}"#));
        let value = |value: &str| metadata(&format!(r#"{{"ok":1,"key":{value}}}"#));
        let nested = |depth: usize| format!(r#""events":{{}},"x":{}{}"#, "[".repeat(depth), "]".repeat(depth));
        vec![
            // A required member is missing.
            (r#"{"events":{"review":{}}}"#.into(), 4, "The PlayerUniqueId field is required."),
            ("{}".into(), 4, "The PlayerUniqueId field is required."),
            (r#"{"playeruniqueid":"p","events":{}}"#.into(), 4, "The PlayerUniqueId field is required."),
            (r#"{"playerUniqueId":"p"}"#.into(), 4, "The Events field is required."),
            // It is null.
            (id("null"), 5, "PlayerUniqueId"),
            (with(r#""events":null"#), 5, "Events"),
            // It has an invalid value.
            (id("5"), 7, "playerUniqueId"),
            (id("[\"p\"]"), 7, "playerUniqueId"),
            (id("\"\""), 7, "playerUniqueId"),
            (id("\"  \""), 7, "playerUniqueId"),
            (id("\"a\\u0000b\""), 7, "playerUniqueId"),
            (id(&format!("\"{}\"", "é".repeat(129))), 7, "playerUniqueId"),
            (with(r#""events":[]"#), 7, "events"),
            (with(r#""events":"review""#), 7, "events"),
            (with(r#""events":{},"email":5"#), 7, "email"),
            (with(r#""events":{},"mobile":["+1"]"#), 7, "mobile"),
            (with(&format!(r#""events":{{}},"email":"{}""#, "x".repeat(4097))), 7, "email"),
            (named(""), 7, "1 to 128 characters"),
            (named(" \\t "), 7, "1 to 128 characters"),
            (named(&"é".repeat(129)), 7, "1 to 128 characters"),
            (metadata("[1]"), 7, "events/buy"),
            (metadata("[{}]"), 7, "events/buy"),
            (metadata("\"x\""), 7, "events/buy"),
            (metadata("5"), 7, "events/buy"),
            (metadata("true"), 7, "events/buy"),
            (value(&format!("\"{}\"", "x".repeat(4097))), 7, "events/buy/key"),
            (value(&format!("[\"{}\"]", "x".repeat(4097))), 7, "events/buy/key/0"),
            (value(&format!("[{{\"a\":\"{}\"}}]", "x".repeat(4097))), 7, "events/buy/key/0/a"),
            (value(&format!("{{\"{}\":1}}", "x".repeat(4097))), 7, "4096 bytes"),
            ("[]".into(), 7, "object"),
            ("null".into(), 7, "object"),
            // It is not JSON.
            (String::new(), 3016, "line"),
            ("{".into(), 3016, "line"),
            ("{\"playerUniqueId\":\"p\",\n\"events\":{},}".into(), 3016, "line 2 column 13"),
            (with(r#""events":{"review":{},}"#), 3016, "trailing comma"),
            (with(r#""events":{"review":{"text":"\ud800"}}"#), 3016, "line"),
            (with(r#""events":{"review":{"stars":1e999}}"#), 3016, "line"),
            (with(r#""events":{"review":{"stars":01}}"#), 3016, "line"),
            (with(&nested(16)), 3016, "nesting"),
            (format!("{FIRST_EXAMPLE}{FIRST_EXAMPLE}"), 3016, "line"),
            (format!("\u{feff}{FIRST_EXAMPLE}"), 3016, "byte order mark at line 1"),
            // A name or key is there twice.
            (named("review"), 3017, "events/review"),
            (named("r\\u0065view"), 3017, "events/review"),
            (named(" review"), 3017, "events/ review"),
            (named("review\\u3000"), 3017, "more than once"),
            (metadata(r#"{"a":1,"a":1}"#), 3017, "events/buy/a"),
            (metadata(r#"{"a":1,"b":2,"\u0061":3}"#), 3017, "events/buy/a"),
            (with(r#""events":{},"events":{}"#), 3017, "events"),
            (with(r#""playerUniqueId":"p","events":{}"#), 3017, "playerUniqueId"),
            (with(r#""events":{},"ignored":{"deep":[{"a":1,"a":2}]}"#), 3017, "ignored/deep/0/a"),
        ]
    }

    #[tokio::test]
    async fn a_body_that_is_wrong_gets_its_code_and_stores_nothing() {
        let app = App::start().await;
        for (body, code, words) in bodies() {
            let (status, got, message) = fault(&app.track(body.clone()).await);
            assert_eq!((status, got), (400, code), "{body}: {message}");
            assert!(message.contains(words), "{body}: {message}");
        }
        let (status, code, message) = fault(&app.track(b"{\"playerUniqueId\":\"\xff\"}".as_slice()).await);
        assert_eq!((status, code), (400, 3016));
        assert!(message.contains("UTF-8"), "{message}");
        assert_eq!(app.stored().await, (0, 0));
        // The deepest that is read.
        let deepest = format!(r#"{{"playerUniqueId":"p","events":{{}},"x":{}{}}}"#, "[".repeat(15), "]".repeat(15));
        assert_tracked(&app.track(deepest).await);
    }

    #[tokio::test]
    async fn among_fifteen_hundred_names_one_is_there_twice() {
        let app = App::start().await;
        let names: Vec<_> = (0..1500).map(|n| format!("\"e{n}\":{{}}")).collect();
        for again in ["e7", "e1499 "] {
            let body = format!(r#"{{"playerUniqueId":"p","events":{{{},"{again}":{{}}}}}}"#, names.join(","));
            assert_eq!(fault(&app.track(body).await).1, 3017, "{again}");
        }
        assert_eq!(app.stored().await, (0, 0));
    }

    #[tokio::test]
    async fn other_methods_are_refused_with_allow() {
        let app = App::start().await;
        for path in PATHS {
            for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
                let answer = app.send(method.clone(), path, &[API_KEY, JSON], FIRST_EXAMPLE).await;
                let (status, code, _) = fault(&answer);
                assert_eq!((status, code, answer.header("allow")), (405, 405, Some("POST")), "{method} {path}");
            }
            let preflight = app.send(Method::OPTIONS, path, &[("origin", "https://shop.example")], "").await;
            assert_eq!(preflight.status, 204);
            assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
            let allowed = preflight.header("access-control-allow-headers").expect("headers");
            // Those that published clients send.
            for name in ["APIKey", "Content-Type", "Content-Encoding", "Lang", "SecretKey", "X-GB-TOKEN", "x-gb-agent"]
            {
                assert!(allowed.split(", ").any(|allowed| allowed == name), "{name} is not in {allowed}");
            }
            assert_eq!(preflight.header("access-control-allow-credentials"), None);
        }
        assert_eq!(app.stored().await, (0, 0));
    }

    #[tokio::test]
    async fn only_json_is_read() {
        let app = App::start().await;
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
            let headers = [API_KEY, ("content-type", content_type)];
            let (status, code, _) = fault(&app.send(Method::POST, EVENT, &headers, FIRST_EXAMPLE).await);
            assert_eq!((status, code), (415, 415), "{content_type:?}");
        }
        let (status, code, _) = fault(&app.send(Method::POST, EVENT, &[API_KEY], FIRST_EXAMPLE).await);
        assert_eq!((status, code), (415, 415));
        assert_eq!(app.stored().await, (0, 0));
    }

    #[tokio::test]
    async fn an_encoding_that_is_not_supported_is_named() {
        let app = App::start().await;
        for encoding in ["br", "deflate", "zstd", "gzip, gzip"] {
            let headers = [API_KEY, JSON, ("content-encoding", encoding)];
            let answer = app.send(Method::POST, EVENT, &headers, compressed(FIRST_EXAMPLE)).await;
            let (status, code, message) = fault(&answer);
            assert_eq!((status, code, answer.header("accept-encoding")), (415, 415, Some("gzip")), "{encoding}");
            assert_eq!(message, "The Content-Encoding must be gzip, or absent");
        }
        let gzip = [API_KEY, JSON, ("content-encoding", "gzip")];
        for (body, status, code, words) in [
            (FIRST_EXAMPLE.into(), 400, 3016, "the body is not valid gzip"),
            (compressed("{"), 400, 3016, "line 1"),
            (compressed(&" ".repeat(LONGEST + 1)), 413, 413, "256 KiB"),
        ] {
            let answer = app.send(Method::POST, EVENT, &gzip, body).await;
            let (got_status, got_code, message) = fault(&answer);
            assert_eq!((got_status, got_code, answer.header("accept-encoding")), (status, code, None), "{message}");
            assert!(message.contains(words), "{message}");
        }
        assert_eq!(app.stored().await, (0, 0));
    }

    #[tokio::test]
    async fn a_header_that_is_not_utf_8_is_named() {
        let app = App::start().await;
        for (name, status, code, expected) in [
            ("idempotency-key", 400, 7, "The header Idempotency-Key is not valid UTF-8."),
            ("apikey", 401, 1000, "The credentials are not valid UTF-8"),
        ] {
            let mut headers: HeaderMap = [API_KEY, JSON].iter().map(|(name, value)| header(name, value)).collect();
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_bytes(b"k\xe9y").expect("a value"));
            let answer = app.send_raw(Method::POST, EVENT, headers, FIRST_EXAMPLE).await;
            assert_eq!(fault(&answer), (status, code, expected.to_owned()));
        }
        assert_eq!(app.stored().await, (0, 0));
    }

    #[tokio::test]
    async fn of_several_faults_the_first_in_the_contracts_order_answers() {
        let app = App::start().await;
        assert_tracked(&app.track_once("used", FIRST_EXAMPLE).await);
        let too_long = "{".repeat(LONGEST + 1);
        let other = FIRST_EXAMPLE.replace("100", "101");
        let text = ("content-type", "text/plain");
        let key = ("idempotency-key", "used");
        for (method, headers, body, status, code) in [
            (Method::PUT, &[text, key][..], &*too_long, 405, 405),
            (Method::POST, &[text, key], &too_long, 401, 1000),
            (Method::POST, &[API_KEY, text, key], &too_long, 413, 413),
            (Method::POST, &[API_KEY, text, key], "{", 415, 415),
            (Method::POST, &[API_KEY, JSON, key], "{", 400, 3016),
            (Method::POST, &[API_KEY, JSON, key], "{}", 400, 4),
            (Method::POST, &[API_KEY, JSON, key], &other, 422, 2002),
        ] {
            let (got, got_code, _) = fault(&app.send(method, EVENT, headers, body).await);
            assert_eq!((got, got_code), (status, code));
        }
        assert_eq!(app.stored().await, (1, 1));
        assert_eq!(app.totals("player123").await, (75, 2));
    }

    #[tokio::test]
    async fn a_store_that_fails_is_told_apart_from_a_fault_of_the_request() {
        let app = App::start().await;
        let table = format!("{}PlayerEvents", app.prefix);
        app.dynamo().delete_table().table_name(&table).send().await.expect("a table less");
        let answer = app.track_once("a key", FIRST_EXAMPLE).await;
        let (status, code, message) = fault(&answer);
        assert_eq!((status, code, answer.header("retry-after")), (503, 5000, Some("1")));
        for internal in ["PlayerEvents", "Exception", "DynamoDB", "dynamodb", "panic"] {
            assert!(!message.contains(internal), "{message}");
        }
        assert!(app.items("Members").await.is_empty());
        // A request that is answered 5xx may be sent again as it stands.
        for (name, key) in tables::of_template().expect("tables") {
            punchcard_store::Tables::new(&app.store).create(&name, &key).await.expect("a table");
        }
        let again = app.track_once("a key", FIRST_EXAMPLE).await;
        assert_tracked(&again);
        assert_eq!(again.header("idempotent-replayed"), None);
        assert_eq!(app.totals("player123").await, (75, 2));
    }
}

mod campaigns {
    use super::*;

    #[tokio::test]
    async fn the_demo_pays_what_its_table_says() {
        let app = App::start().await;
        for (index, (event, metadata, points)) in [
            ("place_order", r#"{"total_amount":100}"#, 50),
            ("place_order", r#"{"total_amount":"100"}"#, 50),
            ("place_order", r#"{"total_amount":1e2}"#, 50),
            ("place_order", r#"{"total_amount":"1e2"}"#, 50),
            ("place_order", r#"{"total_amount":"100.00"}"#, 50),
            ("place_order", r#"{"total_amount":100.0000000000000000001}"#, 50),
            ("place_order", r#"{"total_amount":99.99}"#, 0),
            ("place_order", r#"{"total_amount":"99.99"}"#, 0),
            ("place_order", r#"{"total_amount":99.99999999999999999999}"#, 0),
            ("place_order", r#"{"total_amount":-100}"#, 0),
            ("place_order", r#"{"total_amount":"a lot"}"#, 0),
            ("place_order", r#"{"total_amount":" 100"}"#, 0),
            ("place_order", r#"{"total_amount":true}"#, 0),
            ("place_order", r#"{"total_amount":[100]}"#, 0),
            ("place_order", r#"{"total":100}"#, 0),
            ("place_order", r#"{"category":["electronics","cosmetics"]}"#, 20),
            ("place_order", r#"{"category":"electronics"}"#, 20),
            ("place_order", r#"{"category":"home & electronics"}"#, 20),
            ("place_order", r#"{"category":["home & electronics"]}"#, 0),
            ("place_order", r#"{"category":"Electronics"}"#, 0),
            ("place_order", r#"{"category":[]}"#, 0),
            ("place_order", r#"{"total_amount":250,"category":["electronics"]}"#, 70),
            ("place_order", "{}", 0),
            ("place_order", "null", 0),
            ("Place_order", r#"{"total_amount":250}"#, 0),
            ("buy", r#"{"total_amount":250,"category":"electronics"}"#, 0),
            ("review", "{}", 5),
        ]
        .into_iter()
        .enumerate()
        {
            let player = format!("p{index}");
            let body = format!(r#"{{"playerUniqueId":"{player}","events":{{"{event}":{metadata}}}}}"#);
            assert_tracked(&app.track(body).await);
            assert_eq!(app.totals(&player).await, (points, 1), "{event} {metadata}");
        }
    }

    #[tokio::test]
    async fn a_review_pays_a_player_three_times() {
        let app = App::start().await;
        for points in [5, 10, 15, 15, 15] {
            app.did("player123", "review").await;
            assert_eq!(app.totals("player123").await.0, points);
        }
        app.did("player456", "review").await;
        assert_eq!(app.totals("player456").await, (5, 1));
        assert_eq!(app.totals("player123").await, (15, 5));
    }

    #[tokio::test]
    async fn the_record_says_what_each_event_earned() {
        let app = App::start().await;
        let body = events(
            "p",
            &json!({"place_order": {"total_amount": 100, "category": "electronics"}, "review": {}, "visit": {}}),
        );
        assert_tracked(&app.track(body).await);
        let record = &app.items("PlayerEvents").await[0];
        let earned = json!({"place_order": {"BIG_ORDER": 50, "ELECTRONICS": 20}, "review": {"REVIEW": 5}});
        assert_eq!(json(record, "earned"), earned);
        assert!(!record.contains_key("unused"));
    }

    #[tokio::test]
    async fn a_campaign_counts_within_its_window() {
        let window = |id: &str, window: Value| json!({"id": id, "event": "visit", "points": 1, "window": window});
        let app = App::with_catalog(&json!({"campaigns": [
            window("PAST", json!({"until": "2024-01-01T00:00:00Z"})),
            window("FUTURE", json!({"from": "2999-01-01T00:00:00Z"})),
            window("NOW", json!({"from": "2024-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"})),
        ]}))
        .await;
        app.did("p", "visit").await;
        assert_eq!(app.earned().await, [json!({"visit": {"NOW": 1}})]);
    }

    #[tokio::test]
    async fn a_points_limit_pays_what_is_left_of_it() {
        let app =
            App::with_catalog(&json!({"campaigns": [limited("CAPPED", "visit", 5, &json!({"pointsPerMember": 12}))]}))
                .await;
        for points in [5, 10, 12, 12] {
            app.did("p", "visit").await;
            assert_eq!(app.totals("p").await.0, points);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn limits_hold_exactly_under_parallel_requests() {
        let app = App::with_catalog(&json!({"campaigns": [
            campaign("EVERY", "visit", 1),
            limited("PLAYER", "visit", 10, &json!({"usesPerMember": 3})),
            limited("POINTS", "visit", 100, &json!({"pointsPerMember": 250})),
            limited("TOTAL", "visit", 1000, &json!({"usesInTotal": 17})),
        ]}))
        .await;
        let players = ["a", "b", "c", "d"];
        // 120 requests, thirty of each player.
        let posts = players.map(|player| events(player, &json!({"visit": {}})));
        let answers = join_all((0..120).map(|n| app.track_until_recorded(n, &posts[n % 4]))).await;
        assert_eq!(statuses(&answers), [(200, 120)].into());
        let mut points = 0;
        for player in players {
            let (of_player, sent) = app.totals(player).await;
            assert_eq!((of_player % 1000, sent), (30 + 30 + 250, 30), "{player}");
            points += of_player;
        }
        assert_eq!(points, 4 * 310 + 17_000);
        let times = times_paid(&app.earned().await);
        assert_eq!(times["PLAYER"], 12);
        assert_eq!(times["POINTS"], 12);
        assert_eq!(times["TOTAL"], 17);
        assert_eq!(times["EVERY"], 120);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn more_limits_than_an_expression_can_name_hold_exactly_too() {
        let campaigns: Vec<_> =
            (0..45).map(|n| limited(&format!("VISIT_{n}"), "visit", 1, &json!({"usesPerMember": 3}))).collect();
        let app = App::with_catalog(&json!({"campaigns": campaigns})).await;
        let visit = events("p", &json!({"visit": {}}));
        let answers = join_all((0..24).map(|n| app.track_until_recorded(n, &visit))).await;
        assert_eq!(statuses(&answers), [(200, 24)].into());
        assert_eq!(app.totals("p").await, (45 * 3, 24));
        let times = times_paid(&app.earned().await);
        assert_eq!(times.len(), 45);
        assert!(times.values().all(|&times| times == 3), "{times:?}");
    }

    #[tokio::test]
    async fn more_total_limits_than_one_write_takes_are_refused_with_a_reason() {
        let campaigns = |event: &str, count: usize| -> Vec<_> {
            let limit = json!({"usesInTotal": 1000});
            let campaign = |n| {
                let mut campaign = limited(&format!("{event}_{n}"), event, 1, &limit);
                // `check` refuses campaigns that could never be paid together.
                campaign["conditions"] = json!([{"field": "tag", "exists": true}]);
                campaign
            };
            (0..count).map(campaign).collect()
        };
        let campaigns = [campaigns("some", 97), campaigns("too_many", 99)].concat();
        let app = App::with_catalog(&json!({"campaigns": campaigns})).await;
        assert_eq!(app.track(events("p", &json!({"some": {"tag": 1}}))).await.status, 200);
        assert_eq!(app.totals("p").await, (97, 1));
        let before = app.stored().await;
        for body in [json!({"too_many": {"tag": 1}}), json!({"some": {"tag": 1}, "too_many": {"tag": 1}})] {
            let (status, code, message) = fault(&app.track(events("p", &body)).await);
            assert_eq!((status, code), (413, 413));
            assert!(message.contains("more than can be stored"), "{message}");
        }
        assert_eq!(app.stored().await, before);
        assert_eq!(app.totals("p").await, (97, 1));
    }

    #[tokio::test]
    async fn events_that_are_tracked_while_the_programme_is_disabled_are_tracked_but_not_used() {
        let rewards = |state: &str| json!({"rewards": state, "campaigns": [campaign("REVIEW", "review", 5)]});
        let mut app = App::with_catalog(&rewards("disabled")).await;
        let review = events("player123", &json!({"review": {"stars": 5}}));
        assert_tracked(&app.track_once("a key", review.clone()).await);
        let record = app.items("PlayerEvents").await.remove(0);
        assert_eq!(record.get("unused"), Some(&AttributeValue::Bool(true)));
        assert_eq!(json(&record, "events"), json!({"review": {"stars": 5}}));
        assert_eq!(json(&record, "earned"), json!({}));
        assert_eq!(app.totals("player123").await, (0, 1));

        // Neither then nor after it is enabled: what comes anew is paid, what was there isn't, not even sent again.
        app.apply(&rewards("enabled")).await;
        let replayed = app.track_once("a key", review).await;
        assert_tracked(&replayed);
        assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
        assert_eq!(app.totals("player123").await, (0, 1));
        assert_eq!(app.items("PlayerEvents").await, [record]);
        app.did("player123", "review").await;
        assert_eq!(app.totals("player123").await, (5, 2));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn sixty_four_parallel_requests_without_a_key_each_count_once() {
        let app = App::with_catalog(&json!({"campaigns": [campaign("VISIT", "visit", 7)]})).await;
        let answers = join_all((0..64).map(|_| app.track(events("p", &json!({"visit": {}}))))).await;
        answers.iter().for_each(assert_tracked);
        assert_eq!(app.totals("p").await, (64 * 7, 64));
        assert_eq!(app.stored().await, (64, 1));
    }
}

mod idempotency {
    use super::*;

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
    async fn the_same_payload_is_one_that_means_the_same() {
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
    async fn what_is_no_key_is_refused() {
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
}

mod merging {
    use super::*;

    /// Players are merged by `by`; a visit pays 10 points, for a customer's first five.
    fn catalog(by: &str) -> Value {
        json!({"channelMerging": by, "campaigns": [limited("VISIT", "visit", 10, &json!({"usesPerMember": 5}))]})
    }

    const ADA: (&str, &str) = ("email", "ada@example.com");
    const BOB: (&str, &str) = ("email", "bob@example.com");

    #[tokio::test]
    async fn the_address_is_required() {
        for (by, other, field) in [("email", "mobile", "Email"), ("mobile", "email", "Mobile")] {
            let app = App::with_catalog(&catalog(by)).await;
            let required = format!("The {field} field is required.");
            for (addresses, code, words) in [
                (json!({}), 4, &*required),
                (json!({other: "+1234567"}), 4, &required),
                (json!({by: null}), 5, field),
                (json!({by: ""}), 7, by),
                (json!({by: " \t"}), 7, by),
                (json!({by: 5}), 7, by),
                (json!({by: "x".repeat(4097)}), 7, by),
                (json!({by: "an address", other: 5}), 7, other),
            ] {
                let mut body = json!({"playerUniqueId": "p", "events": {"visit": {}}});
                body.as_object_mut().expect("an object").extend(addresses.as_object().expect("an object").clone());
                let (status, got, message) = fault(&app.track(body.to_string()).await);
                assert_eq!((status, got), (400, code), "{body}");
                assert!(message.contains(words), "{body}: {message}");
            }
            assert_eq!(app.stored().await, (0, 0));
        }
    }

    #[tokio::test]
    async fn players_who_share_an_address_are_one_customer_whichever_id_is_used() {
        for (by, address) in [("email", "ada@example.com"), ("mobile", "+49 170 1234567")] {
            let app = App::with_catalog(&catalog(by)).await;
            for (index, player) in ["web", "app", "shop", "app", "web"].into_iter().enumerate() {
                app.did_as(player, (by, address), "visit").await;
                let visits = index as u64 + 1;
                assert_eq!(app.totals(player).await, (10 * visits, visits), "{by} {player}");
            }
            for player in ["web", "app", "shop"] {
                assert_eq!(app.totals(player).await, (50, 5), "{by} {player}");
            }
            // The limit is the customer's, not each id's.
            app.did_as("tablet", (by, address), "visit").await;
            assert_eq!(app.totals("tablet").await, (50, 6), "{by}");
            // Somebody else is another customer.
            app.did_as("bob", (by, "another"), "visit").await;
            assert_eq!(app.totals("bob").await, (10, 1), "{by}");
        }
    }

    #[tokio::test]
    async fn e_mail_compares_without_case_and_mobile_as_it_is() {
        let app = App::with_catalog(&catalog("email")).await;
        for (player, email) in [("a", "Ada@Example.com"), ("b", "ada@example.COM"), ("c", "ADA@EXAMPLE.COM")] {
            app.did_as(player, ("email", email), "visit").await;
        }
        app.did_as("d", ("email", "ÄDA@example.com"), "visit").await;
        app.did_as("e", ("email", "äda@example.com"), "visit").await;
        assert_eq!(app.totals("a").await, (30, 3));
        assert_eq!(app.totals("d").await, (20, 2));

        let app = App::with_catalog(&catalog("mobile")).await;
        for (player, mobile) in [("a", "x1"), ("b", "X1")] {
            app.did_as(player, ("mobile", mobile), "visit").await;
        }
        assert_eq!(app.totals("a").await, (10, 1));
    }

    #[tokio::test]
    async fn a_player_belongs_to_its_first_customer_for_good() {
        let app = App::with_catalog(&catalog("email")).await;
        app.did_as("ada", ADA, "visit").await;
        app.did_as("ada's phone", ADA, "visit").await;
        app.did_as("bob", BOB, "visit").await;
        // With another customer's address, the player stays Ada's, and the address stays Bob's.
        app.did_as("ada's phone", BOB, "visit").await;
        app.did_as("ada", BOB, "visit").await;
        assert_eq!(app.totals("ada").await, (40, 4));
        assert_eq!(app.totals("ada's phone").await, (40, 4));
        assert_eq!(app.totals("bob").await, (10, 1));
        app.did_as("bob's phone", BOB, "visit").await;
        assert_eq!(app.totals("bob's phone").await, (20, 2));
        app.did_as("ada's tablet", ADA, "visit").await;
        assert_eq!(app.totals("ada's tablet").await, (50, 5));
    }

    #[tokio::test]
    async fn a_new_address_is_added_to_the_players_customer() {
        let app = App::with_catalog(&catalog("email")).await;
        app.did_as("ada", ADA, "visit").await;
        app.did_as("ada", ("email", "ada@work.example"), "visit").await;
        app.did_as("ada at work", ("email", "ada@work.example"), "visit").await;
        app.did_as("ada at home", ADA, "visit").await;
        // Also by a player that is one of the customer's further names.
        app.did_as("ada at work", ("email", "ada@new.example"), "visit").await;
        app.did_as("ada's new one", ("email", "ada@new.example"), "other").await;
        for player in ["ada", "ada at work", "ada at home", "ada's new one"] {
            assert_eq!(app.totals(player).await, (50, 6), "{player}");
        }
    }

    #[tokio::test]
    async fn balances_never_move() {
        let mut app = App::with_catalog(&catalog("none")).await;
        for player in ["ada", "ada's phone"] {
            app.did_as(player, ADA, "visit").await;
        }
        assert_eq!(app.totals("ada").await, (10, 1));
        app.apply(&catalog("email")).await;
        // The first to come with the address has it; the other was a customer before, and stays one.
        for player in ["ada's phone", "ada"] {
            app.did_as(player, ADA, "visit").await;
            assert_eq!(app.totals(player).await, (20, 2), "{player}");
        }
        app.did_as("ada's tablet", ADA, "visit").await;
        assert_eq!(app.totals("ada's tablet").await, (30, 3));
        assert_eq!(app.totals("ada's phone").await, (30, 3));
        assert_eq!(app.totals("ada").await, (20, 2));
    }

    #[tokio::test]
    async fn a_merged_id_still_books_on_its_customer_when_merging_is_turned_off() {
        let mut app = App::with_catalog(&catalog("email")).await;
        app.did_as("ada", ADA, "visit").await;
        app.did_as("ada's phone", ADA, "visit").await;
        app.apply(&catalog("none")).await;
        app.did("ada's phone", "visit").await;
        app.did_as("ada's phone", BOB, "visit").await;
        app.did("ada", "visit").await;
        assert_eq!(app.totals("ada").await, (50, 5));
        assert_eq!(app.totals("ada's phone").await, (50, 5));
        // Nobody is merged any more, and no address noted.
        app.did_as("ada's tablet", ADA, "visit").await;
        assert_eq!(app.totals("ada's tablet").await, (10, 1));
        app.apply(&catalog("email")).await;
        app.did_as("bob", BOB, "visit").await;
        assert_eq!(app.totals("bob").await, (10, 1));
    }

    #[tokio::test]
    async fn each_id_keeps_its_own_keys_and_the_address_is_part_of_the_payload() {
        let app = App::with_catalog(&catalog("email")).await;
        let body = |player: &str, email: &str| {
            json!({"playerUniqueId": player, "email": email, "events": {"visit": {}}}).to_string()
        };
        for (player, email, status, replayed) in [
            ("ada", "ada@example.com", 200, None),
            ("ada", "ADA@example.com", 200, Some("true")),
            ("ada", "ada@work.example", 422, None),
            ("ada's phone", "ada@example.com", 200, None),
            ("ada's phone", "ada@example.com", 200, Some("true")),
        ] {
            let answer = app.track_once("a key", body(player, email)).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("idempotent-replayed")),
                (status, replayed),
                "{player} {email}"
            );
        }
        assert_eq!(app.totals("ada").await, (20, 2));
        // What was refused has added no address.
        app.did_as("work", ("email", "ada@work.example"), "visit").await;
        assert_eq!(app.totals("work").await, (10, 1));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn first_requests_racing_for_one_e_mail_make_one_customer() {
        let app = App::with_catalog(&catalog("email")).await;
        for (round, racers) in [2, 2, 2, 2, 16].into_iter().enumerate() {
            let email = format!("racer{round}@example.com");
            let players: Vec<_> = (0..racers).map(|n| format!("racer {round} {n}")).collect();
            join_all(players.iter().map(|player| app.did_as(player, ("email", &email), "visit"))).await;
            for player in &players {
                let points = 10 * racers.min(5);
                assert_eq!(app.totals(player).await, (points, racers), "{player}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_player_racing_under_two_e_mails_belongs_to_one_customer() {
        let app = App::with_catalog(&catalog("email")).await;
        for round in 0..4 {
            let player = format!("racer {round}");
            let (one, two) = (format!("one{round}@example.com"), format!("two{round}@example.com"));
            let emails = [&one, &two, &one, &two];
            join_all(emails.map(|email| app.did_as(&player, ("email", email), "visit"))).await;
            assert_eq!(app.totals(&player).await, (40, 4), "{player}");
            // Both addresses were new, so both are now that customer's.
            for (name, email) in [("by one", &one), ("by two", &two)] {
                app.did_as(&format!("{name} {round}"), ("email", email), "other").await;
            }
            assert_eq!(app.totals(&format!("by one {round}")).await, (40, 6));
            assert_eq!(app.totals(&format!("by two {round}")).await, (40, 6));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_player_racing_between_two_customers_belongs_to_one() {
        let app = App::with_catalog(&catalog("email")).await;
        app.did_as("ada", ADA, "visit").await;
        app.did_as("bob", BOB, "visit").await;
        join_all([ADA, BOB, ADA, BOB].map(|address| app.did_as("racer", address, "visit"))).await;
        let (racer, ada, bob) = (app.totals("racer").await, app.totals("ada").await, app.totals("bob").await);
        assert_eq!(racer, (50, 5));
        let mut both = [ada, bob];
        both.sort_unstable();
        assert_eq!(both, [(10, 1), (50, 5)]);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_player_racing_between_a_customer_and_a_new_address_belongs_to_one() {
        let app = App::with_catalog(&catalog("email")).await;
        for round in 0..12 {
            let (first, racer, second) =
                (format!("first {round}"), format!("racer {round}"), format!("second {round}"));
            let (known, new) = (format!("known{round}@example.com"), format!("new{round}@example.com"));
            app.did_as(&first, ("email", &known), "visit").await;
            join_all([&known, &new, &new, &known].map(|email| app.did_as(&racer, ("email", email), "visit"))).await;
            app.did_as(&second, ("email", &new), "other").await;
            // Either the first one's customer, with all that both sent, or one of its own; the new address is its own.
            match app.totals(&first).await {
                (50, 6) => {}
                of_first => {
                    assert_eq!(of_first, (10, 1), "{round}");
                    assert_eq!(app.totals(&racer).await, (40, 5), "{round}");
                }
            }
            assert_eq!(app.totals(&second).await, app.totals(&racer).await, "{round}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_key_racing_with_one_new_address_has_one_effect() {
        let app = App::with_catalog(&catalog("email")).await;
        let body = json!({"playerUniqueId": "ada", "email": ADA.1, "events": {"visit": {}}}).to_string();
        let answers = join_all((0..16).map(|_| app.track_once("a key", body.clone()))).await;
        answers.iter().for_each(assert_tracked);
        assert_eq!(answers.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count(), 1);
        assert_eq!(app.totals("ada").await, (10, 1));
    }

    #[tokio::test]
    async fn addresses_are_stored_only_as_keyed_digests() {
        /// All bytes that an attribute holds, texts and numbers as they are written.
        fn contents(value: &AttributeValue) -> Vec<u8> {
            match value {
                AttributeValue::S(text) | AttributeValue::N(text) => text.clone().into_bytes(),
                AttributeValue::B(bytes) => bytes.as_ref().to_vec(),
                other => format!("{other:?}").into_bytes(),
            }
        }
        let secrets = ["Ada.Lovelace@Example.com", "ada.lovelace@example.com", "+49 170 1234567", "+491701234567"];
        for (by, pointer) in [("email", "mail#"), ("mobile", "mob#"), ("none", "")] {
            let app = App::with_catalog(&catalog(by)).await;
            for player in ["ada", "ada's phone"] {
                let body = json!({"playerUniqueId": player, "email": secrets[0], "mobile": secrets[2], "events": {"visit": {}}});
                assert_tracked(&app.track_once("a key", body.to_string()).await);
            }
            let mut looked_at = 0;
            for (table, _) in tables::of_template().expect("tables") {
                for (name, value) in app.items(&table).await.iter().flatten() {
                    let (stored, as_text) = (contents(value), String::from_utf8_lossy(&contents(value)).to_lowercase());
                    for secret in secrets {
                        let digest = SecretDigest::of(secret);
                        assert!(!as_text.contains(&secret.to_lowercase()), "{by}: {table} has {secret} in {name}");
                        assert!(
                            !as_text.contains(&digest.to_string()),
                            "{by}: {table} has {secret} digested in {name}"
                        );
                        let raw = stored.windows(32).any(|bytes| bytes == digest.as_bytes());
                        assert!(!raw, "{by}: {table} has {secret} digested in {name}");
                    }
                    looked_at += 1;
                }
            }
            assert!(looked_at > 20);
            let members = app.items("Members").await;
            let digests: Vec<_> =
                members.iter().map(|member| text(member, "memberId")).filter(|id| !id.starts_with("player#")).collect();
            let expected = usize::from(by != "none");
            assert_eq!(digests.len(), expected, "{by}");
            assert!(digests.iter().all(|id| id.starts_with(pointer) && id.len() == pointer.len() + 64), "{digests:?}");
        }
    }

    #[tokio::test]
    async fn two_stores_have_two_digests_of_one_address() {
        let mut digests = BTreeSet::new();
        for _ in 0..2 {
            let app = App::with_catalog(&catalog("email")).await;
            app.did_as("ada", ADA, "visit").await;
            let members = app.items("Members").await;
            let address = members.iter().map(|member| text(member, "memberId")).find(|id| id.starts_with("mail#"));
            digests.insert(address.expect("an address").to_owned());
        }
        assert_eq!(digests.len(), 2, "{digests:?}");
    }

    #[tokio::test]
    async fn no_events_merge_a_player_all_the_same() {
        let app = App::with_catalog(&catalog("email")).await;
        for player in ["ada", "ada's phone"] {
            let body = json!({"playerUniqueId": player, "email": ADA.1, "events": {}});
            assert_tracked(&app.track(body.to_string()).await);
        }
        app.did_as("ada's phone", BOB, "visit").await;
        assert_eq!(app.totals("ada").await, (10, 1));
    }
}
