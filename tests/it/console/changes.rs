//! Changes in the console: only with `--write`, and only after the result was shown.

use reqwest::{Method, StatusCode};

use super::{Console, Page};
use crate::support::activities::{Programme, activity};

const FORM: [(&str, &str); 3] =
    [("content-type", "application/x-www-form-urlencoded"), ("origin", "null"), ("sec-fetch-site", "same-origin")];

/// The value of a hidden field.
fn hidden<'p>(page: &'p Page, name: &str) -> &'p str {
    let (_, rest) = page.text.split_once(&format!("name=\"{name}\" value=\"")).expect("a field");
    rest.split_once('"').expect("its end").0
}

impl Console {
    async fn balance(&self, correlation: &str) -> String {
        let page = self.get(&format!("/console/member?correlation={correlation}")).await;
        let (_, rest) = page.text.split_once("XYZ loyalty</dt><dd").expect("a balance");
        rest.split_once('>').expect("text").1.split_once('<').expect("its end").0.to_owned()
    }
}

#[tokio::test]
async fn a_console_without_write_changes_nothing() {
    let console = Console::serve(&[]).await;
    for path in ["/console/void?correlation=c&activity=a", "/console/adjust"] {
        assert_eq!(console.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let adjustment = [("correlation", "c"), ("unit", "XYZ"), ("points", "5"), ("note", "n"), ("reference", "r")];
    let void = [("correlation", "c"), ("activity", "a"), ("reference", "r")];
    for (path, fields) in [
        ("/console/adjust", &adjustment[..]),
        ("/console/void", &void[..]),
        ("/console/try", &[("sample", "track-event.happy"), ("path", "/integrations/event")][..]),
    ] {
        let page = console.post(path, fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}");
        assert!(page.text.contains("read only"), "{}", page.text);
    }
    assert!(console.get("/console/try").await.text.contains("read only"));

    let console = Console::serve(&["--write"]).await;
    assert_eq!(console.get("/console/adjust").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_adjustment_is_shown_first_and_takes_effect_once() {
    let console = Console::demo().await;
    console.act("correlation-1", "activity-1", "SURVEY_RESPONSE").await;
    assert_eq!(console.balance("correlation-1").await, "15");
    let fields = [("correlation", "correlation-1"), ("unit", "XYZ"), ("points", "-20"), ("note", "paid <b>twice</b>")];
    let shown = console.post("/console/adjust", &fields).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.text);
    assert!(shown.text.contains("−5") && shown.text.contains("paid &#60;b&#62;twice"), "{}", shown.text);
    assert_eq!(console.balance("correlation-1").await, "15", "only shown");

    let reference = hidden(&shown, "reference").to_owned();
    let confirmed = [&fields[..], &[("reference", reference.as_str())]].concat();
    for _ in 0..2 {
        let done = console.post("/console/adjust", &confirmed).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
        let record = console.get(done.header("location")).await;
        assert!(record.text.contains("−20") && record.text.contains("paid &#60;b&#62;twice"), "{}", record.text);
    }
    assert_eq!(console.balance("correlation-1").await, "−5", "once");

    for (name, value) in [("points", "0"), ("points", "x"), ("unit", "NONE"), ("correlation", "a b"), ("note", "")] {
        let faulty: Vec<_> =
            fields.iter().map(|(key, own)| if *key == name { (*key, value) } else { (*key, *own) }).collect();
        let page = console.post("/console/adjust", &faulty).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{name} {value}");
        assert!(page.text.contains("role=\"alert\""), "{}", page.text);
    }
    assert_eq!(console.balance("correlation-1").await, "−5");
}

#[tokio::test]
async fn an_accounts_balance_is_adjusted_from_one_of_its_activities() {
    let console = Console::demo().await;
    console.enrol("A-1", "correlation-1").await;
    console.enrol("A-1", "correlation-2").await;
    for (correlation, id) in [("correlation-1", "activity-1"), ("correlation-2", "activity-2")] {
        console.act(correlation, id, "SURVEY_RESPONSE").await;
    }
    let account = console.get("/console/member?account=A-1").await;
    assert!(account.text.contains("To adjust the balance, choose an activity"), "{}", account.text);
    for (correlation, id) in [("correlation-1", "activity-1"), ("correlation-2", "activity-2")] {
        let form = format!("/console/adjust?correlation={correlation}");
        assert!(account.text.contains(&format!("href=\"{form}\"")), "{form}: {}", account.text);
        let record = console.get(&format!("/console/record?activity={id}")).await;
        assert!(record.text.contains(&format!("href=\"{form}\"")), "{form}: {}", record.text);
        let form = console.get(&form).await;
        assert!(form.text.contains(&format!("name=\"correlation\" value=\"{correlation}\"")), "{}", form.text);
    }
    let fields = [("correlation", "correlation-2"), ("unit", "XYZ"), ("points", "7"), ("note", "late")];
    let shown = console.post("/console/adjust", &fields).await;
    let confirmed = [&fields[..], &[("reference", hidden(&shown, "reference"))]].concat();
    let done = console.post("/console/adjust", &confirmed).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    let account = console.get("/console/member?account=A-1").await;
    assert!(account.text.contains("Adjustment") && account.text.contains("+7"), "{}", account.text);
    // A record that names no correlation id of an account's session has no link of its own.
    assert_eq!(account.text.matches("/console/adjust?").count(), 2, "{}", account.text);
}

#[tokio::test]
async fn a_read_only_console_offers_no_adjustment() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    let console = Console::of_stack(&programme.app, &[]).await;
    for path in ["/console/member?correlation=c-1", "/console/record?activity=a-1"] {
        let page = console.get(path).await;
        assert!(page.status == StatusCode::OK && !page.text.contains("/console/adjust"), "{path}: {}", page.text);
    }
}

#[tokio::test]
async fn an_activity_is_voided_once_after_its_effect_was_shown() {
    let console = Console::demo().await;
    console.act("correlation-1", "activity-1", "SURVEY_RESPONSE").await;
    let path = "/console/void?correlation=correlation-1&activity=activity-1";
    let shown = console.get(path).await;
    assert!(shown.text.contains("XYZ loyalty") && shown.text.contains("−15"), "{}", shown.text);
    assert_eq!(console.balance("correlation-1").await, "15", "only shown");
    let fields = ["correlation", "activity", "reference"].map(|name| (name, hidden(&shown, name)));
    let done = console.post("/console/void", &fields).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.text);
    assert!(console.get(done.header("location")).await.text.contains("Reversal of activity-1"));
    assert_eq!(console.balance("correlation-1").await, "0");

    let again = console.get(path).await;
    assert!(
        again.text.contains("already reversed") && !again.text.contains("<button class=\"danger\""),
        "{}",
        again.text
    );
    let again = console
        .post("/console/void", &[("correlation", "correlation-1"), ("activity", "activity-1"), ("reference", "other")]);
    assert_eq!(again.await.status, StatusCode::BAD_REQUEST);
    let other = "/console/void?correlation=correlation-2&activity=activity-1";
    assert_eq!(console.get(other).await.status, StatusCode::NOT_FOUND, "of another member");
}

#[tokio::test]
async fn a_sample_request_is_sent_and_its_record_explained() {
    let console = Console::demo().await;
    let headers = "content-type: application/json\nidempotency-key: key-1";
    let body = r#"{"playerUniqueId":"player-1","events":{"review":{}}}"#;
    let fields =
        [("sample", "track-event.happy"), ("path", "/integrations/event"), ("headers", headers), ("body", body)];
    let dry = console.post("/console/try", &[&fields[..], &[("dry-run", "1")]].concat()).await;
    assert!(dry.text.contains("preference-applied") && !dry.text.contains("What was recorded"), "{}", dry.text);
    assert_eq!(console.get("/console/member?player=player-1").await.status, StatusCode::NOT_FOUND);

    let sent = console.post("/console/try", &fields).await;
    for shown in ["What was recorded", "key#key-1", "REVIEW", "+5", "curl -i", "Prefer"] {
        assert_eq!(sent.text.contains(shown), shown != "Prefer", "{shown}: {}", sent.text);
    }
    let refused = [fields[0], fields[1], fields[2], ("body", "{")];
    let page = console.post("/console/try", &refused).await;
    assert!(page.status == StatusCode::OK && page.text.contains(">400<"), "{}", page.text);
    for path in ["http://attacker.example/", "integrations/event", "/a b"] {
        let page = console.post("/console/try", &[fields[0], ("path", path), fields[2], fields[3]]).await;
        assert!(!page.text.contains("What was recorded"), "{path}: {}", page.text);
    }

    let live = console.get("/console/live.json").await;
    let live: serde_json::Value = serde_json::from_str(&live.text).expect("JSON");
    assert!(live["totals"]["requests"].as_u64() >= Some(2), "{live}");
    assert_eq!(live["totals"]["accepted"], 1, "{live}");
    assert_eq!(live["points"][0][0], "players", "{live}");
    let text = live.to_string();
    assert!(!text.contains("player-1") && !text.contains("key-1") && !text.contains("demo-"), "{text}");
}

#[tokio::test]
async fn a_draft_is_checked_and_tried_and_never_applied() {
    let console = Console::demo().await;
    console.act("correlation-1", "activity-1", "SURVEY_RESPONSE").await;
    let draft = "businessUnits: {XYZ: enabled}\noffers:\n  - {id: NEW, unit: XYZ, kind: base, reward: {flat: 7}}\n";
    let checked = console.post("/console/catalog/check", &[("draft", draft)]).await;
    for shown in ["Valid.", "+ NEW", "- XYZ_BASE", "The most points"] {
        assert!(checked.text.contains(shown), "{shown}: {}", checked.text);
    }
    let faulty = console.post("/console/catalog/check", &[("draft", "rewards: <script>\nx: 1")]).await;
    assert!(faulty.text.contains("line 1") && faulty.text.contains("line 2"), "{}", faulty.text);
    assert!(!faulty.text.contains("<script>\n"), "{}", faulty.text);
    let typed = [("draft", draft), ("what", "activity"), ("name", "SURVEY_RESPONSE"), ("channel", "APP")];
    let tried = console.post("/console/catalog/dry-run", &typed).await;
    assert!(tried.text.contains("<strong>7 points</strong>"), "{}", tried.text);
    let stored = [("draft", draft), ("what", "record"), ("record", "activity-1")];
    let tried = console.post("/console/catalog/dry-run", &stored).await;
    assert!(
        tried.text.contains("<strong>7 points</strong>") && tried.text.contains("the record earned 18"),
        "{}",
        tried.text
    );
    for faulty in [("name", ""), ("at", "yesterday"), ("data", "{"), ("what", "record")] {
        let page = console.post("/console/catalog/dry-run", &[("draft", draft), faulty]).await;
        assert!(page.status == StatusCode::OK && page.text.contains("verdict bad"), "{faulty:?}: {}", page.text);
    }
    let part = console.get("/console/catalog/draft").await;
    let csrf = part.csrf().to_owned();
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("draft", draft).finish();
    let headers = [&FORM[..], &[("x-csrf-token", csrf.as_str()), ("x-part", "1")]].concat();
    let part = console.send(Method::POST, "/console/catalog/check", &headers, &body).await;
    assert!(part.text.contains("Valid.") && !part.text.contains("<html"), "{}", part.text);
    assert!(!console.get("/console/catalog").await.text.contains("NEW"));
}
