//! A store of version 0.1.0, upgraded in place. `store-of-0.1.0.db.gz` was made by that version's `serve` with the demo
//! catalog: account A-1001 with three surveys, a visitor's check-in, two requests of a player, and a client event.

use std::{fs, io::Read as _, path::Path};

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use super::{Running, command};
use crate::support::logs;

const STORE: &[u8] = include_bytes!("store-of-0.1.0.db.gz");
/// Credentials of that store, and of no other.
const SECRET: &str = "4kpsgekleC1PDSb4sy3kKA1n0RTirod6s8kobOCRXg0";
const API_KEY: &str = "TA4Y_HuODxE6epjHfElMeoHe3iovXDxYw_yh8QDJs18";

/// Writes the store to a directory.
fn unpack(directory: &Path) {
    let mut store = Vec::new();
    GzDecoder::new(STORE).read_to_end(&mut store).expect("a store");
    fs::write(directory.join("store.db"), store).expect("written");
}

/// The output and the log of an operator's command.
async fn operator(data: &Path, arguments: &[&str]) -> (String, String) {
    let data = data.to_str().expect("a path");
    let output = command(&[arguments, &["--data", data]].concat()).output().await.expect("it runs");
    let errors = String::from_utf8(output.stderr).expect("text");
    logs::check(&errors);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    (String::from_utf8(output.stdout).expect("text"), errors)
}

/// Sends a request of the activities' API.
async fn activities(server: &Running, method: &str, path: &str, token: &str, body: &Value) -> Value {
    let method = method.parse().expect("a method");
    let request = reqwest::Client::new().request(method, format!("{}/client/users/{path}", server.url()));
    let request = request.bearer_auth(token).header("content-type", "application/json");
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn a_store_of_version_0_1_0_is_upgraded_by_serve_and_keeps_working() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    unpack(data);
    let mut server = Running::serve(&["--data", data.to_str().expect("a path")]).await;

    let form = format!("grant_type=client_credentials&client_id=first-client&client_secret={SECRET}");
    let request = reqwest::Client::new().post(format!("{}/oauth2/token", server.url()));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
    let token: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    let token = token["access_token"].as_str().expect("a token");

    // Earlier records are there, and count.
    let none = Value::Null;
    let listed = activities(&server, "GET", "session-1/activities", token, &none).await;
    let ids: Vec<_> =
        listed["activities"].as_array().expect("activities").iter().map(|one| &one["activityId"]).collect();
    assert_eq!(ids, ["survey-3", "survey-2", "survey-1"]);
    let explained = activities(&server, "GET", "session-1/activities/survey-1/explanation", token, &none).await;
    assert_eq!(explained, json!({"activityId": "survey-1", "catalogVersion": null, "offers": []}));
    let survey = json!({"action": "SURVEY_RESPONSE", "channel": "APP", "when": "2024-10-01T07:00:00Z"});
    let recorded = activities(&server, "POST", "session-1/activities/survey-4", token, &survey).await;
    assert_eq!(recorded["earned"]["XYZ"]["loyalty"]["total"], 10, "both limits were used up before");
    let explained = activities(&server, "GET", "session-1/activities/survey-4/explanation", token, &none).await;
    assert_eq!(explained["catalogVersion"], 1);
    assert_eq!(explained["offers"][3]["reason"], "LIMIT_REACHED");
    let review = json!({"playerUniqueId": "player123", "events": {"review": {}}});
    let request = reqwest::Client::new().post(format!("{}/integrations/event", server.url()));
    let answer = request.header("apikey", API_KEY).json(&review).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);

    assert!(server.interrupt().await.success());
    let log = server.errors.await.expect("its errors");
    for step in ["added index byMember to table Activities", "moved catalog version 1 into the history"] {
        assert!(log.contains(&format!("upgraded the store: {step}")), "{log}");
    }
    // Six old records, whose balances are audited, and two new ones.
    let (audit, errors) = operator(data, &["audit", "--json"]).await;
    assert!(!errors.contains("upgraded"), "the store was upgraded once: {errors}");
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    let [records, unversioned, differences] = ["records", "unversioned", "differences"].map(|name| &audit[name]);
    assert_eq!((records, unversioned, differences), (&json!(8), &json!(6), &json!(0)));
    let (history, _) = operator(data, &["catalog", "history", "--json"]).await;
    let history: Value = serde_json::from_str(&history).expect("JSON");
    assert_eq!(history.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_store_of_version_0_1_0_is_upgraded_by_the_first_command_that_opens_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    unpack(data);
    let (history, errors) = operator(data, &["history", "--account", "A-1001", "--json"]).await;
    assert!(errors.contains("upgraded the store: added index byMember"), "{errors}");
    let history: Value = serde_json::from_str(&history).expect("JSON");
    assert_eq!(history["records"].as_array().map(Vec::len), Some(3));
    let (said, _) = operator(data, &["explain", "activity", "survey-1"]).await;
    assert!(said.contains("recorded by version 0.1.0") && said.contains(r#""total":20"#), "{said}");
    let (before, _) = operator(data, &["catalog", "show", "--version", "1"]).await;
    let (now, _) = operator(data, &["catalog", "show"]).await;
    assert_eq!(before, now);
}

#[tokio::test]
async fn a_customer_of_version_0_1_0_is_erased_with_the_amounts_that_its_records_claim() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path();
    unpack(data);
    let erase = ["customer", "erase", "A-1001", "player123", "customer-1", "--offline", "--yes", "--json"];
    let (erased, errors) = operator(data, &erase).await;
    let erased: Value = serde_json::from_str(&erased).expect("JSON");
    let deleted = json!({"ClientEvents": 1, "Activities": 3, "PlayerEvents": 2, "Sessions": 1, "Members": 3});
    assert_eq!(erased["erasure"]["deleted"], deleted, "{errors}");
    for file in fs::read_dir(data).expect("a directory") {
        let bytes = fs::read(file.expect("a file").path()).expect("a file");
        for text in ["player123", "customer-1", "survey-1"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text}");
        }
    }
    let (audit, _) = operator(data, &["audit", "--json"]).await;
    let audit: Value = serde_json::from_str(&audit).expect("JSON");
    let [records, erased, differences] = ["records", "erased", "differences"].map(|name| &audit[name]);
    assert_eq!((records, erased, differences), (&json!(6), &json!(5), &json!(0)));
}
