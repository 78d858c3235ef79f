//! Refused requests: the status, the code and the message, and that nothing is stored.

use punchcard::tables;
use reqwest::{
    Method,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::{FIRST_EXAMPLE, LONGEST, PATHS};
use crate::support::{
    app::{App, header},
    players::{API_KEY, EVENT, JSON, assert_tracked, compressed, fault},
};

#[tokio::test]
async fn one_message_lists_every_fault() {
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
async fn a_number_of_any_length_is_accepted() {
    let app = App::start().await;
    for number in [format!("0.{}", "7".repeat(100_000)), format!("1{}", "0".repeat(200))] {
        let body = format!(r#"{{"playerUniqueId":"p","events":{{"e":{{"k":{number}}}}}}}"#);
        assert_tracked(&app.track(body).await);
    }
}

#[tokio::test]
async fn a_response_stays_short_for_long_names() {
    let app = App::start().await;
    let repeated = r#""0":1,"#.repeat(1000);
    let body = format!(r#"{{"{}":{{{repeated}"1":1}}}}"#, "~".repeat(120_000));
    let answer = app.track(body).await;
    assert_eq!(fault(&answer).1, 3017);
    assert!(answer.body.len() < 150_000, "{}", answer.body.len());
}

/// A body that is refused with a code, and a part of the message.
struct BadBody {
    body: String,
    code: u64,
    message: &'static str,
}

fn bad(code: u64, message: &'static str, body: impl Into<String>) -> BadBody {
    BadBody { body: body.into(), code, message }
}

fn bad_bodies() -> Vec<BadBody> {
    let id = |id: &str| format!(r#"{{"playerUniqueId":{id},"events":{{"review":{{}}}}}}"#);
    let with = |members: &str| format!(r#"{{"playerUniqueId":"p",{members}}}"#);
    let named = |name: &str| with(&format!(r#""events":{{"review":{{}},"{name}":{{}}}}"#));
    let metadata = |metadata: &str| with(&format!(r#""events":{{"review":{{}},"buy":{metadata}}}"#));
    let value = |value: &str| metadata(&format!(r#"{{"ok":1,"key":{value}}}"#));
    let nested = |depth: usize| format!(r#""events":{{}},"x":{}{}"#, "[".repeat(depth), "]".repeat(depth));
    vec![
        // A required member is missing.
        bad(4, "The PlayerUniqueId field is required.", r#"{"events":{"review":{}}}"#),
        bad(4, "The PlayerUniqueId field is required.", "{}"),
        bad(4, "The PlayerUniqueId field is required.", r#"{"playeruniqueid":"p","events":{}}"#),
        bad(4, "The Events field is required.", r#"{"playerUniqueId":"p"}"#),
        // It is null.
        bad(5, "PlayerUniqueId", id("null")),
        bad(5, "Events", with(r#""events":null"#)),
        // It has an invalid value.
        bad(7, "playerUniqueId", id("5")),
        bad(7, "playerUniqueId", id("[\"p\"]")),
        bad(7, "playerUniqueId", id("\"\"")),
        bad(7, "playerUniqueId", id("\"  \"")),
        bad(7, "playerUniqueId", id("\"a\\u0000b\"")),
        bad(7, "playerUniqueId", id(&format!("\"{}\"", "é".repeat(129)))),
        bad(7, "events", with(r#""events":[]"#)),
        bad(7, "events", with(r#""events":"review""#)),
        bad(7, "email", with(r#""events":{},"email":5"#)),
        bad(7, "mobile", with(r#""events":{},"mobile":["+1"]"#)),
        bad(7, "email", with(&format!(r#""events":{{}},"email":"{}""#, "x".repeat(4097)))),
        bad(7, "1 to 128 characters", named("")),
        bad(7, "1 to 128 characters", named(" \\t ")),
        bad(7, "1 to 128 characters", named(&"é".repeat(129))),
        bad(7, "events/buy", metadata("[1]")),
        bad(7, "events/buy", metadata("[{}]")),
        bad(7, "events/buy", metadata("\"x\"")),
        bad(7, "events/buy", metadata("5")),
        bad(7, "events/buy", metadata("true")),
        bad(7, "events/buy/key", value(&format!("\"{}\"", "x".repeat(4097)))),
        bad(7, "events/buy/key/0", value(&format!("[\"{}\"]", "x".repeat(4097)))),
        bad(7, "events/buy/key/0/a", value(&format!("[{{\"a\":\"{}\"}}]", "x".repeat(4097)))),
        bad(7, "4096 bytes", value(&format!("{{\"{}\":1}}", "x".repeat(4097)))),
        bad(7, "object", "[]"),
        bad(7, "object", "null"),
        // It is not JSON.
        bad(3016, "line", ""),
        bad(3016, "line", "{"),
        bad(3016, "line 2 column 13", "{\"playerUniqueId\":\"p\",\n\"events\":{},}"),
        bad(3016, "trailing comma", with(r#""events":{"review":{},}"#)),
        bad(3016, "line", with(r#""events":{"review":{"text":"\ud800"}}"#)),
        bad(3016, "line", with(r#""events":{"review":{"stars":1e999}}"#)),
        bad(3016, "line", with(r#""events":{"review":{"stars":01}}"#)),
        bad(3016, "nesting", with(&nested(16))),
        bad(3016, "line", format!("{FIRST_EXAMPLE}{FIRST_EXAMPLE}")),
        bad(3016, "byte order mark at line 1", format!("\u{feff}{FIRST_EXAMPLE}")),
        // A name or key is there twice.
        bad(3017, "events/review", named("review")),
        bad(3017, "events/review", named("r\\u0065view")),
        bad(3017, "events/ review", named(" review")),
        bad(3017, "more than once", named("review\\u3000")),
        bad(3017, "events/buy/a", metadata(r#"{"a":1,"a":1}"#)),
        bad(3017, "events/buy/a", metadata(r#"{"a":1,"b":2,"\u0061":3}"#)),
        bad(3017, "events", with(r#""events":{},"events":{}"#)),
        bad(3017, "playerUniqueId", with(r#""playerUniqueId":"p","events":{}"#)),
        bad(3017, "ignored/deep/0/a", with(r#""events":{},"ignored":{"deep":[{"a":1,"a":2}]}"#)),
    ]
}

#[tokio::test]
async fn a_body_that_is_wrong_gets_its_code_and_stores_nothing() {
    let app = App::start().await;
    for BadBody { body, code, message: expected } in bad_bodies() {
        let (status, got, message) = fault(&app.track(body.clone()).await);
        assert_eq!((status, got), (400, code), "{body}: {message}");
        assert!(message.contains(expected), "{body}: {message}");
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
async fn a_duplicate_among_fifteen_hundred_names_is_found() {
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
        for name in ["APIKey", "Content-Type", "Content-Encoding", "Lang", "SecretKey", "X-GB-TOKEN", "x-gb-agent"] {
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

/// A request with several faults, and the status and code of the first.
struct Faulty {
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    status: u16,
    code: u64,
}

#[tokio::test]
async fn of_several_faults_the_first_in_the_contracts_order_answers() {
    let app = App::start().await;
    assert_tracked(&app.track_once("used", FIRST_EXAMPLE).await);
    let too_long = "{".repeat(LONGEST + 1);
    let other = FIRST_EXAMPLE.replace("100", "101");
    let text = ("content-type", "text/plain");
    let key = ("idempotency-key", "used");
    let faulty = |headers: &[(&'static str, &'static str)], body: &str, status, code| Faulty {
        headers: headers.to_vec(),
        body: body.to_owned(),
        status,
        code,
    };
    let by_post = [
        faulty(&[text, key], &too_long, 401, 1000),
        faulty(&[API_KEY, text, key], &too_long, 413, 413),
        faulty(&[API_KEY, text, key], "{", 415, 415),
        faulty(&[API_KEY, JSON, key], "{", 400, 3016),
        faulty(&[API_KEY, JSON, key], "{}", 400, 4),
        faulty(&[API_KEY, JSON, key], &other, 422, 2002),
    ];
    let by_another_method = app.send(Method::PUT, EVENT, &[text, key], too_long.as_str()).await;
    assert_eq!(by_another_method.status, 405);
    assert_eq!(fault(&by_another_method).1, 405);
    for Faulty { headers, body, status, code } in by_post {
        let (got, got_code, _) = fault(&app.send(Method::POST, EVENT, &headers, body).await);
        assert_eq!((got, got_code), (status, code));
    }
    assert_eq!(app.stored().await, (1, 1));
    assert_eq!(app.totals("player123").await, (75, 2));
}

#[tokio::test]
async fn a_store_error_is_503_and_invites_a_retry() {
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
    for table in tables::of_template().expect("tables") {
        punchcard_store::Tables::new(&app.store).create(&table).await.expect("a table");
    }
    let again = app.track_once("a key", FIRST_EXAMPLE).await;
    assert_tracked(&again);
    assert_eq!(again.header("idempotent-replayed"), None);
    assert_eq!(app.totals("player123").await, (75, 2));
}
