//! The quarantine of the functions: the real binaries, a bucket, and `punchcard quarantine` on it.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use axum::http::StatusCode;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{events, filled, happy, metrics_and_lines, prepare};
use crate::{
    drift::quarantine::is_quarantined,
    operator::{Said, bare, run},
    support::{
        app::App,
        bucket::Bucket,
        customers,
        lambda::Function,
        players::{campaign, compressed, sample},
    },
};

const VISIT: &str = r#"{"playerUniqueId":"canary-1","events":{"visit":{}}}"#;
const FAULTY: &str = r#"{"playerUniqueId":"canary-1","events":7}"#;

/// Starts a function that quarantines.
async fn start(name: &str, app: &App, bucket: &Bucket) -> Function {
    let variables = [("QUARANTINE_BUCKET", Bucket::NAME), ("S3_ENDPOINT", &bucket.endpoint)];
    Function::start_with(name, app, &variables).await
}

/// The only entry in a bucket.
fn only(bucket: &Bucket) -> Value {
    let objects = bucket.take();
    assert_eq!(objects.len(), 1, "{:?}", objects.keys());
    let (name, content) = objects.into_iter().next().expect("an object");
    let entry: Value = serde_json::from_slice(&content).expect("JSON");
    let expected = format!(
        "requests/{}.{}.{}.json",
        entry["id"].as_str().expect("an id"),
        entry["function"].as_str().expect("a function"),
        entry["status"]
    );
    assert_eq!(name, expected);
    entry
}

#[tokio::test]
async fn a_rejected_request_is_kept_without_credentials_and_the_tables_stay_as_they_are() {
    let app = App::start().await;
    prepare(&app).await;
    let bucket = Bucket::start().await;
    for (name, cases) in events().into_iter().filter(|(name, _)| is_quarantined(name)) {
        let mut function = start(&name, &app, &bucket).await;
        let mut event = filled(&happy(&cases).event, &app).await;
        let before = customers::dump(&app).await;
        let credentials: Vec<_> = ["authorization", "apikey", "secretkey"]
            .iter()
            .filter_map(|header| event["headers"][header].as_str().map(str::to_owned))
            .collect();
        assert!(!credentials.is_empty(), "{name}");
        event["headers"]["cookie"] = json!("session=secret-cookie");
        event["headers"]["x-gb-token"] = json!("secret-token");
        event["headers"]["x-other"] = json!("secret-other");
        event["rawQueryString"] = json!("apikey=secret-query");
        event["cookies"] = json!(["session=secret-cookie"]);
        event["body"] = json!("{\"unfinished\": ");
        event["isBase64Encoded"] = json!(false);
        let answer = function.invoke(event.clone()).await.expect("an answer");
        assert_eq!(answer["statusCode"], 400, "{name}: {answer}");
        let entry = only(&bucket);
        for secret in credentials.iter().map(String::as_str).chain(["secret-"]) {
            assert!(!entry.to_string().contains(secret), "{name}: {entry}");
        }
        assert_eq!(entry["version"], 1);
        assert_eq!(entry["function"], name);
        assert_eq!(entry["method"], "POST");
        assert_eq!(entry["path"], event["rawPath"], "{name}");
        assert_eq!(entry["body"], "{\"unfinished\": ", "{name}");
        assert_eq!(entry["headers"]["content-type"], "application/json", "{name}");
        assert_eq!(entry["headers"]["x-source-customer-id"], event["headers"]["x-source-customer-id"], "{name}");
        assert_eq!(entry["response"], answer["body"], "{name}");
        assert_eq!(entry["requestId"], answer["headers"]["x-amzn-requestid"], "{name}");

        event["headers"]["content-type"] = json!("text/plain");
        assert_eq!(function.invoke(event.clone()).await.expect("an answer")["statusCode"], 415, "{name}");
        assert_eq!(only(&bucket)["status"], 415, "{name}");

        // Of a dry run nothing is lost, and what is sent again is in the quarantine already.
        let dry_run = if name == "send-client-event" { ("x-mock-data", "true") } else { ("prefer", "dry-run") };
        for (header, value) in [dry_run, ("x-punchcard-replay", "0")] {
            let mut event = event.clone();
            event["headers"][header] = json!(value);
            assert_eq!(function.invoke(event).await.expect("an answer")["statusCode"], 415, "{name}");
            assert_eq!(bucket.take().len(), 0, "{name}: {header}");
        }

        // Without credentials nothing is quarantined, whatever else is wrong.
        for header in ["authorization", "apikey", "secretkey"] {
            event["headers"].as_object_mut().expect("headers").remove(header);
        }
        for header in ["idempotency-key", "x-identifier-type", "x-source-customer-id"] {
            event["headers"][header] = json!("é".repeat(200));
        }
        event["pathParameters"] = json!({"correlation_id": "a b", "activity_id": "a b"});
        assert_eq!(function.invoke(event.clone()).await.expect("an answer")["statusCode"], 401, "{name}");
        event["requestContext"]["http"]["method"] = json!("DELETE");
        assert_eq!(function.invoke(event).await.expect("an answer")["statusCode"], 405, "{name}");
        assert_eq!(bucket.take().len(), 0, "{name}");

        assert_eq!(customers::dump(&app).await, before, "{name}");
        function.end().await;
    }
}

#[tokio::test]
async fn a_request_with_credentials_outside_of_their_headers_is_not_kept() {
    let app = App::start().await;
    let bucket = Bucket::start().await;
    let mut function = start("track-event", &app, &bucket).await;
    let gzip = |body: &str| (BASE64_STANDARD.encode(compressed(body)), "gzip");
    let plain = |body: &str| (BASE64_STANDARD.encode(body), "identity");
    let bodies = [
        // The request that issues a token, at the wrong path.
        plain(r#"{"clientId":"demo-client","secret":"demo-secret"}"#),
        plain("grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret"),
        gzip(r#"{"clientId":"demo-client","secret":"demo-secret"}"#),
        // The key that is in the header too.
        gzip(r#"{"playerUniqueId":"demo-api-key","events":7}"#),
        // It cannot be decompressed, so it may have credentials.
        (BASE64_STANDARD.encode("no gzip"), "gzip"),
        (BASE64_STANDARD.encode("unknown"), "br"),
    ];
    let count = bodies.len() as u64;
    for (body, encoding) in bodies {
        let mut event = sample("track-event.happy");
        event["headers"]["content-encoding"] = json!(encoding);
        event["isBase64Encoded"] = json!(true);
        event["body"] = json!(body);
        let status = function.invoke(event).await.expect("an answer")["statusCode"].clone();
        assert!(status == 400 || status == 415, "{status}");
        assert_eq!(bucket.take().len(), 0, "{encoding}");
    }
    let log = function.end().await;
    assert_eq!(log.matches("there are credentials in it").count(), 4, "{log}");
    let (metrics, _) = metrics_and_lines(&log);
    assert_eq!(metrics.iter().filter_map(|line| line["NotQuarantined"].as_u64()).sum::<u64>(), count);
}

#[tokio::test]
async fn what_is_accepted_or_was_recorded_before_is_not_kept() {
    let app = App::start().await;
    prepare(&app).await;
    let bucket = Bucket::start().await;
    let mut kept = BTreeSet::new();
    for (name, cases) in events() {
        let mut function = start(&name, &app, &bucket).await;
        for case in cases {
            function.invoke(filled(&case.event, &app).await).await.expect("an answer");
            if !bucket.take().is_empty() {
                kept.insert(case.name);
            }
        }
        function.end().await;
    }
    // `void-activity.invalid` is of an activity that is reversed, which sending it again cannot change.
    let expected = [
        "adjust-balance.invalid",
        "open-session.invalid",
        "place-order.conflict",
        "place-order.invalid",
        "refund-order.conflict",
        "refund-order.invalid",
        "save-player.invalid",
        "send-activity.invalid",
        "send-client-event.invalid",
        "track-event.invalid",
    ];
    assert_eq!(kept, expected.map(str::to_owned).into());
}

#[tokio::test]
async fn a_bucket_that_fails_or_hangs_changes_no_answer() {
    let app = App::start().await;
    let bucket = Bucket::start().await;
    let invalid = sample("track-event.invalid");
    let mut plain = Function::start("track-event", &app).await;
    let expected = plain.invoke(invalid.clone()).await.expect("an answer");
    plain.end().await;

    let mut function = start("track-event", &app, &bucket).await;
    bucket.refuse(10, StatusCode::FORBIDDEN, "AccessDenied");
    let answer = function.invoke(invalid.clone()).await.expect("an answer");
    assert_eq!((&answer["statusCode"], &answer["body"]), (&expected["statusCode"], &expected["body"]));
    let log = function.end().await;
    assert!(log.contains("not quarantined") && log.contains("refused: AccessDenied"), "{log}");
    let (metrics, _) = metrics_and_lines(&log);
    let count = |name: &str| metrics.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    assert_eq!((count("NotQuarantined"), count("Quarantined")), (1, 0), "{log}");

    // It accepts connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", silent.local_addr().expect("an address"));
    let variables = [("QUARANTINE_BUCKET", Bucket::NAME), ("S3_ENDPOINT", &*endpoint)];
    let mut function = Function::start_with("track-event", &app, &variables).await;
    let started = Instant::now();
    let answer = function.invoke(invalid).await.expect("an answer");
    let lasted = started.elapsed();
    assert_eq!((&answer["statusCode"], &answer["body"]), (&expected["statusCode"], &expected["body"]));
    // The limit is a second. The rest is for a machine that is busy with other tests.
    assert!(lasted < Duration::from_secs(4), "{lasted:?}");
    assert!(function.end().await.contains("timed out"));
}

#[tokio::test]
async fn a_process_keeps_so_many_requests_a_minute_and_counts_the_others() {
    let app = App::start().await;
    let bucket = Bucket::start().await;
    let mut function = start("track-event", &app, &bucket).await;
    let event = filled(&sample("track-event.invalid").to_string(), &app).await;
    // More than two minutes' worth, since the minute may change in between.
    for _ in 0..125 {
        assert_eq!(function.invoke(event.clone()).await.expect("an answer")["statusCode"], 400);
    }
    let (metrics, _) = metrics_and_lines(&function.end().await);
    let count = |name: &str| metrics.iter().filter_map(|line| line[name].as_u64()).sum::<u64>();
    let kept = bucket.take().len() as u64;
    assert!((60..=120).contains(&kept), "{kept}");
    assert_eq!((count("Quarantined"), count("NotQuarantined")), (kept, 125 - kept));
}

/// `punchcard quarantine` with the operator's credentials.
async fn quarantine(bucket: &Bucket, arguments: &[&str]) -> Said {
    let mut command = bare();
    command.arg("quarantine").args(arguments).args(["--bucket", Bucket::NAME]);
    command
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL_S3", &bucket.endpoint)
        .env("PUNCHCARD_API_KEY", "demo-api-key")
        .env("PUNCHCARD_SECRET_KEY", "demo-secret-key")
        .env("PUNCHCARD_CLIENT_ID", "demo-client")
        .env("PUNCHCARD_CLIENT_SECRET", "demo-secret");
    run(command).await
}

#[tokio::test]
async fn what_a_bucket_keeps_is_listed_and_sent_again_once_the_catalog_is_corrected() {
    let rules = |merging: &str| json!({"channelMerging": merging, "campaigns": [campaign("VISIT", "visit", 10)]});
    // Every request needs a mobile number, by mistake.
    let mut app = App::with_catalog(&rules("mobile")).await;
    let bucket = Bucket::start().await;
    let mut function = start("track-event", &app, &bucket).await;
    let event = async |function: &mut Function, body: &str| {
        let mut event = sample("track-event.happy");
        event["body"] = json!(body);
        event["headers"].as_object_mut().expect("headers").remove("idempotency-key");
        function.invoke(event).await.expect("an answer")["statusCode"].clone()
    };
    assert_eq!(event(&mut function, VISIT).await, 400);
    assert_eq!(event(&mut function, FAULTY).await, 400);
    let mut gzip = sample("track-event.happy");
    gzip["body"] = json!(BASE64_STANDARD.encode(compressed(VISIT)));
    gzip["isBase64Encoded"] = json!(true);
    gzip["headers"]["content-encoding"] = json!("gzip");
    gzip["headers"]["idempotency-key"] = json!("key-7");
    assert_eq!(function.invoke(gzip).await.expect("an answer")["statusCode"], 400);
    function.end().await;

    let listed = quarantine(&bucket, &["list", "--json"]).await.json();
    let requests = listed["requests"].as_array().expect("requests");
    assert_eq!(requests.len(), 3, "{listed}");
    let times: Vec<_> = requests.iter().map(|request| request["receivedAt"].as_str().expect("a time")).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    let one = quarantine(&bucket, &["list", "--limit", "1", "--json"]).await.json();
    assert_eq!((&one["requests"][0], &one["hasMore"]), (&requests[0], &json!(true)));
    for filter in [["--function", "send-activity"], ["--status", "422"], ["--since", "2999-01-01T00:00:00Z"]] {
        let none = quarantine(&bucket, &[&["list", "--json"], &filter[..]].concat()).await.json();
        assert_eq!(none["requests"], json!([]), "{filter:?}");
    }
    let since = quarantine(&bucket, &["list", "--json", "--since", times[2]]).await.json();
    assert_eq!(since["requests"].as_array().map(Vec::len), Some(3), "{since}");
    let id = requests[0]["id"].as_str().expect("an id");
    let shown = quarantine(&bucket, &["show", id]).await;
    assert!(shown.output.contains(VISIT) && shown.output.contains("idempotency-key: key-7"), "{}", shown.output);

    let containing = async |text: &str| {
        let said = quarantine(&bucket, &["list", "--json", "--limit", "1", "--containing", text]).await.json();
        (said["requests"].as_array().map(Vec::len), said["hasMore"].clone())
    };
    assert_eq!(containing("canary-1").await, (Some(1), json!(true)));
    assert_eq!(containing("key-7").await, (Some(1), json!(false)));
    assert_eq!(containing("/integrations/event").await, (Some(1), json!(true)));
    assert_eq!(containing("canary-2").await, (Some(0), json!(false)));

    app.apply(&rules("none")).await;
    let before = bucket.objects();
    let (records, _) = app.stored().await;
    let tried = quarantine(&bucket, &["replay", "--all", "--url", &app.url, "--dry-run", "--json"]).await;
    assert!(!tried.succeeded && tried.errors.contains("would stay in the quarantine: 1"), "{}", tried.errors);
    let said: Value = serde_json::from_str(&tried.output).expect("JSON");
    assert_eq!((&said["accepted"], &said["kept"], &said["dryRun"]), (&json!(2), &json!(1), &json!(true)), "{said}");
    assert_eq!((bucket.objects(), app.stored().await.0), (before.clone(), records));
    let replay = async || quarantine(&bucket, &["replay", "--all", "--url", &app.url, "--json"]).await;
    let replayed = replay().await;
    assert!(!replayed.succeeded && replayed.errors.contains("stay in the quarantine: 1"), "{}", replayed.errors);
    let said: Value = serde_json::from_str(&replayed.output).expect("JSON");
    assert_eq!((&said["accepted"], &said["kept"]), (&json!(2), &json!(1)), "{said}");
    let refused = &said["requests"][1];
    assert_eq!((&refused["outcome"], &refused["status"]), (&json!("refused"), &json!(400)), "{said}");
    assert_eq!(bucket.objects().len(), 1);
    assert_eq!(app.stored().await.0, records + 2);

    // As after a crash between the answer and the removal.
    for (name, content) in before {
        bucket.put(&name, content);
    }
    let again: Value = serde_json::from_str(&replay().await.output).expect("JSON");
    assert_eq!((&again["accepted"], &again["kept"]), (&json!(2), &json!(1)), "{again}");
    assert_eq!(app.stored().await.0, records + 2, "recorded once");
}

/// An entry with the request of an event.
fn put_entry(bucket: &Bucket, number: usize, function: &str, event: &Value) {
    let id = format!("019a4c1e-8a0e-7c55-b3a7-{number:012}");
    let mut headers = event["headers"].clone();
    for credential in ["authorization", "apikey", "secretkey"] {
        headers.as_object_mut().expect("headers").remove(credential);
    }
    let entry = json!({
        "version": 1, "receivedAt": "", "id": id, "requestId": id, "function": function, "method": "POST",
        "path": event["rawPath"], "headers": headers, "body": event["body"], "status": 400, "response": "{}",
    });
    bucket.put(&format!("requests/{id}.{function}.400.json"), entry.to_string().into());
}

#[tokio::test]
async fn a_dry_run_of_each_function_writes_nothing_and_then_each_request_is_recorded() {
    let app = App::start().await;
    prepare(&app).await;
    let bucket = Bucket::start().await;
    let quarantined = events().into_iter().filter(|(name, _)| is_quarantined(name));
    let mut number = 0;
    for (name, cases) in quarantined {
        put_entry(&bucket, number, &name, &filled(&happy(&cases).event, &app).await);
        number += 1;
    }
    let before = (customers::dump(&app).await, bucket.objects());
    let tried = quarantine(&bucket, &["replay", "--all", "--url", &app.url, "--dry-run", "--json"]).await.json();
    assert_eq!(
        (&tried["accepted"], &tried["notTried"], &tried["kept"]),
        (&json!(number - 1), &json!(1), &json!(0)),
        "{tried}"
    );
    let untried = tried["requests"].as_array().and_then(|all| all.iter().find(|one| one["outcome"] == "notTried"));
    assert_eq!(untried.expect("one")["function"], "open-session");
    assert_eq!((customers::dump(&app).await, bucket.objects()), before);

    let sent = quarantine(&bucket, &["replay", "--all", "--url", &app.url, "--json"]).await.json();
    assert_eq!((&sent["accepted"], &sent["kept"]), (&json!(number), &json!(0)), "{sent}");
    assert_ne!(customers::dump(&app).await, before.0);
    assert_eq!(bucket.objects().len(), 0);
}

#[tokio::test]
async fn requests_are_discarded_by_what_they_contain() {
    let bucket = Bucket::start().await;
    for (number, body) in ["{\"playerUniqueId\":\"jane\"}", "{\"playerUniqueId\":\"joe\"}"].iter().enumerate() {
        put_entry(&bucket, number, "track-event", &json!({"rawPath": "/a", "headers": {}, "body": body}));
    }
    let discard = async |options: &[&str]| quarantine(&bucket, &[&["discard", "--all"], options].concat()).await;
    let asked = discard(&["--containing", "jane"]).await;
    assert!(!asked.succeeded && asked.errors.contains("was not confirmed"), "{}", asked.errors);
    assert_eq!(bucket.objects().len(), 2);
    let one = discard(&["--containing", "jane", "--yes"]).await;
    assert!(one.succeeded && one.output.contains("1 requests deleted"), "{} {}", one.output, one.errors);
    assert!(bucket.objects().keys().all(|name| name.contains("000000000001")), "{:?}", bucket.objects().keys());

    // An unreadable object may be the customer's too.
    bucket.put("requests/019a4c1e-8a0e-7c55-b3a7-51a2c6e0d9f4.track-event.400.json", "damaged".into());
    let unknown = discard(&["--containing", "jane", "--yes"]).await;
    assert!(!unknown.succeeded && unknown.errors.contains("requests that cannot be read: 1"), "{}", unknown.errors);
    assert_eq!(bucket.objects().len(), 2);
    let all = discard(&["--yes", "--json"]).await.json();
    assert_eq!(all["discarded"].as_array().map(Vec::len), Some(2), "{all}");
    assert_eq!(bucket.objects().len(), 0);
}

#[tokio::test]
async fn a_bucket_that_cannot_be_read_says_why() {
    let bucket = Bucket::start().await;
    let id = "019a4c1e-8a0e-7c55-b3a7-51a2c6e0d9f4";
    let none = quarantine(&bucket, &["show", id]).await;
    assert!(!none.succeeded && none.errors.contains(&format!("there is no request {id}")), "{}", none.errors);
    bucket.put(&format!("requests/{id}.track-event.400.json"), "{\"version\":2}".into());
    let later = quarantine(&bucket, &["list"]).await;
    assert!(!later.succeeded && later.errors.contains("requests that cannot be read: 1"), "{}", later.errors);
    assert!(later.output.contains("it has version 2"), "{}", later.output);
    let replayed = quarantine(&bucket, &["replay", "--all", "--url", "http://127.0.0.1:1"]).await;
    assert!(!replayed.succeeded && replayed.output.contains("unreadable, kept"), "{}", replayed.output);
    assert_eq!(bucket.objects().len(), 1);
    let plain = quarantine(&bucket, &["replay", "--all", "--url", "http://api.example"]).await;
    assert!(!plain.succeeded && plain.errors.contains("credentials are sent"), "{}", plain.errors);
    let neither = run({
        let mut command = bare();
        command.args(["quarantine", "list"]);
        command
    })
    .await;
    assert!(!neither.succeeded && neither.errors.contains("name the quarantine"), "{}", neither.errors);
}
