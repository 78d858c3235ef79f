//! `punchcard catalog history`, `show --version`, `diff` and `rollback`.

use aws_sdk_dynamodb::types::AttributeValue;
use axum::{Router, routing::post};
use punchcard_store::{Admin, Annotation, HistoryReader};
use serde_json::{Value, json};

use super::{Said, bare, file, punchcard, run};
use crate::support::app::App;

const ONE: &str = "sections: [One]\n";
const TWO: &str = "sections: [One, Two]\ncampaigns:\n  - {id: VISIT, event: visit, points: 1.0}\n";

async fn apply(app: &App, catalog: &str, options: &[&str]) -> Said {
    let catalog = file(catalog);
    let path = catalog.path().to_str().expect("a path");
    punchcard(app, &[&["catalog", "apply", path, "--yes"], options].concat()).await
}

fn ok(said: Said) -> String {
    assert!(said.succeeded, "{}", said.errors);
    said.output
}

#[tokio::test]
async fn every_applied_version_is_listed_and_shown_as_it_was() {
    let app = App::start().await;
    let demo = ok(punchcard(&app, &["catalog", "show"]).await);
    ok(apply(&app, ONE, &["--note", " first steps "]).await);
    ok(apply(&app, TWO, &[]).await);
    // No change is no version.
    ok(apply(&app, TWO, &["--note", "again"]).await);

    let history = punchcard(&app, &["catalog", "history", "--json"]).await.json();
    let versions: Vec<_> =
        history.as_array().expect("a list").iter().map(|one| (&one["version"], &one["note"])).collect();
    let expected = [(json!(3), Value::Null), (json!(2), json!("first steps")), (json!(1), Value::Null)];
    assert!(versions.iter().zip(&expected).all(|(found, (version, note))| found == &(version, note)), "{history}");
    assert_eq!(versions.len(), 3);
    let newest = punchcard(&app, &["catalog", "history", "--json", "--limit", "1"]).await.json();
    assert_eq!(newest.as_array().map(Vec::len), Some(1));
    let text = ok(punchcard(&app, &["catalog", "history"]).await);
    assert!(text.lines().nth(1).is_some_and(|line| line.contains(" 2 ") && line.ends_with("first steps")), "{text}");

    assert_eq!(ok(punchcard(&app, &["catalog", "show", "--version", "1"]).await), demo);
    let one: Value =
        serde_json::from_str(&ok(punchcard(&app, &["catalog", "show", "--version", "2"]).await)).expect("JSON");
    assert_eq!(one, json!({"sections": ["One"]}));
    let current = ok(punchcard(&app, &["catalog", "show"]).await);
    assert_eq!(ok(punchcard(&app, &["catalog", "show", "--version", "3"]).await), current);
}

#[tokio::test]
async fn two_versions_are_compared_in_either_direction() {
    let app = App::start().await;
    ok(apply(&app, ONE, &[]).await);
    ok(apply(&app, TWO, &[]).await);
    let text = ok(punchcard(&app, &["catalog", "diff", "2", "3"]).await);
    assert!(text.contains("Two") && text.contains("VISIT"), "{text}");
    let forwards = punchcard(&app, &["catalog", "diff", "2", "3", "--json"]).await.json();
    let backwards = punchcard(&app, &["catalog", "diff", "3", "2", "--json"]).await.json();
    assert_eq!((&forwards["from"], &forwards["to"]), (&json!(2), &json!(3)));
    assert_ne!(forwards["changes"], backwards["changes"]);
    assert_eq!(ok(punchcard(&app, &["catalog", "diff", "2", "2"]).await), "No changes.\n");
}

#[tokio::test]
async fn a_rollback_is_a_new_version_with_the_old_content() {
    let app = App::start().await;
    ok(apply(&app, ONE, &[]).await);
    ok(apply(&app, TWO, &[]).await);
    let refused = punchcard(&app, &["catalog", "rollback", "2"]).await;
    assert!(!refused.succeeded && refused.output.contains("Two"), "confirmation needs a terminal");
    let text = ok(punchcard(&app, &["catalog", "rollback", "2", "--yes"]).await);
    assert!(text.contains("Applied version 4"), "{text}");
    let [old, new] = ["2", "4"].map(|version| ["catalog", "show", "--version", version]);
    assert_eq!(ok(punchcard(&app, &new).await), ok(punchcard(&app, &old).await));
    let history = punchcard(&app, &["catalog", "history", "--json"]).await.json();
    assert_eq!(history[0]["note"], "rollback to version 2");
    let current = ok(punchcard(&app, &["catalog", "rollback", "4", "--yes"]).await);
    assert!(current.contains("No changes. The current version is 4."), "{current}");
}

#[tokio::test]
async fn unknown_versions_and_unusable_notes_are_refused() {
    let app = App::start().await;
    for arguments in [
        &["catalog", "show", "--version", "9"][..],
        &["catalog", "diff", "1", "9"],
        &["catalog", "diff", "9", "1"],
        &["catalog", "rollback", "9", "--yes"],
        &["catalog", "show", "--version", "0"],
    ] {
        let said = punchcard(&app, arguments).await;
        assert!(!said.succeeded && said.errors.contains("there is no version"), "{arguments:?}: {}", said.errors);
        assert!(said.errors.contains("punchcard catalog history"), "{}", said.errors);
    }
    for note in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let said = apply(&app, ONE, &["--note", note]).await;
        assert!(!said.succeeded && said.errors.contains("1 to 500 characters"), "{note}: {}", said.errors);
    }
    assert!(apply(&app, ONE, &["--note", &"é".repeat(500)]).await.succeeded);
}

#[tokio::test]
async fn applying_the_rules_of_version_0_1_0_again_keeps_them_in_the_history() {
    let app = App::start().await;
    // As that version stored them: one chunk beside the callers, and no marker.
    app.remove("Catalog", [("part", "open"), ("id", "current")]).await;
    let n = |number: u64| AttributeValue::N(number.to_string());
    let s = |text: &str| AttributeValue::S(text.to_owned());
    let put = app.dynamo().put_item().table_name(format!("{}Catalog", app.prefix));
    let put = put.item("part", s("open")).item("id", s("rules#0000")).item("json", s(r#"{"sections":["One"]}"#));
    let put = put.item("version", n(7)).item("chunks", n(1)).item("createdAt", s("2026-01-01T00:00:00.000Z"));
    put.send().await.expect("stored");
    let said = apply(&app, ONE, &[]).await;
    assert!(said.errors.contains("moved version 7"), "{}", said.errors);
    assert!(ok(said).contains("No changes. The current version is 7."));
    let history = punchcard(&app, &["catalog", "history", "--json", "--limit", "1"]).await.json();
    assert_eq!(history[0]["version"], 7);
}

/// Answers every call as STS answers `GetCallerIdentity`.
async fn identities() -> String {
    let answer = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                  <Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>AIDA</UserId><Account>123456789012</Account>\
                  </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let app = Router::new().route("/", post(move || async move { ([("content-type", "text/xml")], answer) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

#[tokio::test]
async fn the_history_names_the_credentials_that_applied_a_version() {
    let app = App::start().await;
    let sts = identities().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = format!("http://{}", silent.local_addr().expect("an address"));
    for (endpoint, catalog, by) in
        [(&sts, ONE, json!("arn:aws:iam::123456789012:user/ada")), (&silent, TWO, Value::Null)]
    {
        let catalog = file(catalog);
        let mut command = bare();
        command.args(["catalog", "apply", catalog.path().to_str().expect("a path"), "--yes"]);
        command.args(["--stack", app.prefix.trim_end_matches('-'), "--endpoint-url", &app.endpoint]);
        command.env("AWS_ENDPOINT_URL_STS", endpoint).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        ok(run(command).await);
        let history = punchcard(&app, &["catalog", "history", "--json"]).await.json();
        assert_eq!(history[0]["appliedBy"], by);
    }
}

#[tokio::test]
async fn a_damaged_version_is_an_error_and_no_other_catalog() {
    let app = App::start().await;
    let admin = Admin::new(&app.store);
    let section = |number: usize| format!("\"{number:0>120}\"");
    let large = (0..9_000).map(section).collect::<Vec<_>>().join(",");
    let now = punchcard_runtime::now();
    for json in [format!("{{\"sections\":[{large}]}}"), "{}".to_owned()] {
        let seen = admin.snapshot().await.expect("a catalog").version;
        admin.apply_rules(&json, seen, &Annotation::default(), now).await.expect("applied");
    }
    assert_eq!(admin.version(2).await.expect("version 2").json.len(), large.len() + "{\"sections\":[]}".len());
    let history = || HistoryReader::new(&app.store);
    assert_eq!(history().of(2).await.expect("read").expect("version 2").sections().len(), 9_000);
    assert!(history().of(7).await.expect("read").is_none());
    assert!(history().of(0).await.expect("read").is_some_and(|catalog| catalog.rules().count() == 0));

    app.remove("Catalog", [("part", "history"), ("id", "0000000002#0001")]).await;
    assert!(history().of(2).await.is_err(), "a chunk is missing");
    let json = AttributeValue::S("{\"sections\":[\"Other\"]}".to_owned());
    app.set("Catalog", [("part", "history"), ("id", "0000000003#0000")], "json", json).await;
    assert!(history().of(3).await.is_err(), "the JSON is not the one that was applied");
    let said = punchcard(&app, &["catalog", "show", "--version", "3"]).await;
    assert!(!said.succeeded && said.errors.contains("unreadable"), "{}", said.errors);
}
