//! `punchcard audit`.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use punchcard::audit::{self, Difference, Report, Scope};
use reqwest::Method;
use serde_json::{Value, json};

use super::punchcard;
use crate::support::{
    activities::{Programme, activity},
    app::App,
    chance::Chance,
    players::{API_KEY, EVENT, JSON},
};

pub(super) const RULES: &str = include_str!("../../faults/src/catalog.yaml");

/// Sends a mixture of requests, with repeated ids, merged players, limits that are reached, and corrections.
pub(super) async fn send(programme: &Programme, seed: u64, requests: usize) {
    let mut chance = Chance::new(seed);
    for number in 0..requests {
        let correlation_id = format!("c-{}", chance.below(6));
        match chance.below(10) {
            8 => {
                let path = format!("/client/users/{correlation_id}/void");
                let original = format!("{seed}-{}", chance.below(number + 1));
                programme.post(&path, &[], &json!({"originalTransactionId": original}).to_string()).await;
            }
            9 => {
                let amount = [-9, 4][chance.below(2)];
                let path = format!("/client/users/{correlation_id}/adhoc-reward");
                programme.post(&path, &[], &adjustment(&format!("{seed}-{number}"), "A", amount).to_string()).await;
            }
            0 => {
                programme.open(chance.of(&["account-1", "account-2", "anonymous"]), &correlation_id).await;
            }
            1..=4 => {
                let mut body = activity(chance.of(&["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"]));
                body["channel"] = json!(chance.of(&["APP", "STORE"]));
                body["businessUnit"] = json!(chance.of(&["", "A", "B"]));
                let id = format!("{seed}-{}", if chance.below(5) == 0 { number / 2 } else { number });
                programme.send(&correlation_id, &id, &body).await;
            }
            _ => {
                let mut events = json!({});
                for _ in 0..chance.below(4) {
                    let event = chance.of(&["place_order", "review", "sign_up", "visit"]);
                    events[event] = json!({"total": chance.below(200), "note": "é"});
                }
                let (player, email) = (format!("p-{}", chance.below(9)), format!("{}@b.example", chance.below(4)));
                let body = json!({"playerUniqueId": player, "email": email, "events": events});
                let key = format!("{seed}-{}", chance.below(requests));
                let headers = [API_KEY, JSON, ("idempotency-key", key.as_str())];
                programme.app.send(Method::POST, EVENT, &headers, body.to_string()).await;
            }
        }
    }
}

fn adjustment(reference: &str, unit: &str, amount: i64) -> Value {
    json!({
        "channel": "WEB", "businessUnit": unit, "issuerId": "jane", "rewardAmount": amount,
        "externalReferenceId": reference,
    })
}

fn merging(by: &str) -> String {
    RULES.replace("channelMerging: none", &format!("channelMerging: {by}"))
}

async fn audited(app: &App) -> (Report, Vec<Difference>) {
    let mut differences = Vec::new();
    let report = audit::audit(&app.store, Scope::Store, |_| {}, |difference| differences.push(difference))
        .await
        .expect("an audit");
    assert_eq!(usize::try_from(report.differences).expect("few"), differences.len());
    (report, differences)
}

#[tokio::test]
async fn a_store_that_was_used_under_several_catalogs_has_no_differences() {
    let mut programme = Programme::with(&merging("none")).await;
    send(&programme, 1, 150).await;
    programme.apply(&merging("email")).await;
    send(&programme, 2, 150).await;
    programme.apply(&merging("none").replace("flat: 10", "flat: 11")).await;
    send(&programme, 3, 150).await;
    let (report, differences) = audited(&programme.app).await;
    assert_eq!(differences, []);
    assert_eq!(report.unversioned, 0);
    assert!(report.records > 200 && report.members > 8 && report.totals > 4, "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_go_on_are_no_differences() {
    let programme = Programme::with(&merging("email")).await;
    send(&programme, 1, 100).await;
    let done = AtomicBool::new(false);
    let audits = async {
        let mut audits = 0;
        while !done.load(Ordering::Relaxed) || audits == 0 {
            assert_eq!(audited(&programme.app).await.1, []);
            audits += 1;
        }
        audits
    };
    let writers = async {
        join_all((2..6).map(|seed| send(&programme, seed, 80))).await;
        done.store(true, Ordering::Relaxed);
    };
    let (audits, ()) = tokio::join!(audits, writers);
    assert!(audits > 0);
    assert_eq!(audited(&programme.app).await.1, []);
}

fn n(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

/// A programme with two surveys of one member, a check-in with a total limit, and an order.
async fn recorded() -> Programme {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("SURVEY_RESPONSE")).await;
    programme.send("c-1", "a-2", &activity("SURVEY_RESPONSE")).await;
    programme.send("c-1", "a-3", &activity("APP_CHECKIN")).await;
    let order = json!({"playerUniqueId": "p-1", "events": {"place_order": {"total_amount": 120}, "review": {}}});
    programme.app.track_once("k-1", order.to_string()).await;
    assert_eq!(audited(&programme.app).await.1, []);
    programme
}

const XYZ: &str = "pts#XYZ#loyalty";

fn member(member: &str, name: &str, stored: i64, derived: i64) -> Difference {
    Difference::Member { member: member.to_owned(), name: name.to_owned(), stored, derived }
}

fn total(stored: i64, derived: i64) -> Difference {
    Difference::Total { total: "cap#ABC_LAUNCH".to_owned(), stored, derived }
}

#[tokio::test]
async fn a_tampered_award_is_found_with_its_record() {
    let app = recorded().await.app;
    let more = json!({"XYZ": {"loyalty": {"base": 10, "bonus": 50, "targeted": 0, "total": 60}}}).to_string();
    app.set("Activities", [("activityId", "a-1")], "earned", s(&more)).await;
    assert!(matches!(&audited(&app).await.1[..], [Difference::Award { record, .. }] if record == "activity a-1"));
}

#[tokio::test]
async fn a_tampered_activity_is_found_with_its_record() {
    let app = recorded().await.app;
    app.set("Activities", [("activityId", "a-3")], "when", s("2030-01-01T00:00:00.000Z")).await;
    let found = audited(&app).await.1;
    // Without the launch offer: its points and its use are missing too.
    assert!(matches!(&found[0], Difference::Award { record, .. } if record == "activity a-3"), "{found:?}");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[tokio::test]
async fn tampered_player_events_are_found_with_their_record() {
    let (app, key) = (recorded().await.app, [("playerId", "p-1"), ("recordId", "key#k-1")]);
    app.set("PlayerEvents", key, "events", s(r#"{"review":{}}"#)).await;
    let found = audited(&app).await.1;
    let of_record = |record: &str| record == "player request p-1 key#k-1";
    assert!(matches!(&found[0], Difference::Award { record, .. } if of_record(record)), "{found:?}");
    app.set("PlayerEvents", key, "events", s("no JSON")).await;
    let unreadable = Difference::Unreadable { record: "player request p-1 key#k-1".to_owned() };
    assert!(audited(&app).await.1.contains(&unreadable));
}

#[tokio::test]
async fn a_record_whose_counters_cannot_be_read_is_no_old_record() {
    for (name, value) in [("counters", s("none")), ("catalogVersion", s("1"))] {
        let programme = recorded().await;
        // The third survey, for which the limit of two uses was read.
        programme.send("c-1", "a-4", &activity("SURVEY_RESPONSE")).await;
        programme.app.set("Activities", [("activityId", "a-4")], name, value).await;
        let (report, found) = audited(&programme.app).await;
        assert_eq!(report.unversioned, 0, "{name}");
        assert_eq!(found[0], Difference::Unreadable { record: "activity a-4".to_owned() }, "{name}");
    }
}

#[tokio::test]
async fn a_tampered_balance_is_found_with_its_member() {
    let app = recorded().await.app;
    app.set("Members", [("memberId", "corr#c-1")], XYZ, n(1000)).await;
    assert_eq!(audited(&app).await.1, [member("corr#c-1", XYZ, 1000, 40)]);
}

#[tokio::test]
async fn a_tampered_counter_is_found_with_its_member() {
    let app = recorded().await.app;
    app.set("Members", [("memberId", "corr#c-1")], "use#XYZ_SURVEY", n(1)).await;
    assert_eq!(audited(&app).await.1, [member("corr#c-1", "use#XYZ_SURVEY", 1, 2)]);
}

#[tokio::test]
async fn a_tampered_or_missing_total_is_found() {
    let app = recorded().await.app;
    app.set("Members", [("memberId", "cap#ABC_LAUNCH")], "used", n(7)).await;
    assert_eq!(audited(&app).await.1, [total(7, 1)]);
    app.remove("Members", [("memberId", "cap#ABC_LAUNCH")]).await;
    assert_eq!(audited(&app).await.1, [total(0, 1)]);
}

/// The recorded programme, with the check-in reversed and points taken away. Returns the id of the reversal.
async fn corrected() -> (App, String) {
    let programme = recorded().await;
    let reversal = json!({"originalTransactionId": "a-3"}).to_string();
    let adjustment = adjustment("t-1", "XYZ", -3).to_string();
    let reversed = programme.post("/client/users/c-1/void", &[], &reversal).await.json();
    assert_eq!(programme.post("/client/users/c-1/adhoc-reward", &[], &adjustment).await.status, 200);
    assert_eq!(audited(&programme.app).await.1, []);
    (programme.app, reversed["transactionId"].as_str().expect("an id").to_owned())
}

fn not_mutual(reversal: &str) -> Difference {
    Difference::Reversal { record: "activity a-3".to_owned(), reversal: reversal.to_owned() }
}

#[tokio::test]
async fn a_missing_reversal_is_found_with_what_it_took() {
    let (app, id) = corrected().await;
    app.remove("Activities", [("activityId", id.as_str())]).await;
    let found = audited(&app).await.1;
    assert!(found.contains(&not_mutual(&id)), "{found:?}");
    assert!(found.contains(&member("corr#c-1", "out#pts#XYZ#loyalty", 13, 3)), "{found:?}");
    assert!(found.iter().any(|it| matches!(it, Difference::Total { .. })), "{found:?}");
}

#[tokio::test]
async fn a_reversal_that_its_activity_does_not_name_is_found() {
    let (app, id) = corrected().await;
    app.set("Activities", [("activityId", "a-3")], "reversedBy", s("another")).await;
    let found = audited(&app).await.1;
    assert!(found.contains(&not_mutual(&id)) && found.contains(&not_mutual("another")), "{found:?}");
}

#[tokio::test]
async fn an_unreadable_activity_does_not_stop_the_audit_at_its_reversal() {
    let (app, id) = corrected().await;
    app.set("Activities", [("activityId", "a-3")], "when", n(1)).await;
    let found = audited(&app).await.1;
    let unreadable = Difference::Unreadable { record: "activity a-3".to_owned() };
    assert!(found.contains(&unreadable) && found.contains(&not_mutual(&id)), "{found:?}");
}

#[tokio::test]
async fn a_reversal_that_took_something_else_is_found() {
    let (app, id) = corrected().await;
    let taken = AttributeValue::M([(XYZ.to_owned(), n(5))].into());
    app.set("Activities", [("activityId", id.as_str())], "taken", taken).await;
    let found = audited(&app).await.1;
    let record = format!("reversal {id}");
    assert!(found.iter().any(|it| matches!(it, Difference::Award { record: it, .. } if *it == record)), "{found:?}");
}

#[tokio::test]
async fn a_tampered_correction_is_found_with_its_member() {
    let (app, _) = corrected().await;
    let mut items = app.items("Activities").await.into_iter();
    let adjusted = items.find(|item| item.contains_key("issuerId")).expect("an adjustment");
    let id = adjusted["activityId"].as_s().expect("an id");
    app.set("Activities", [("activityId", id.as_str())], "amount", AttributeValue::N("-4".to_owned())).await;
    assert_eq!(audited(&app).await.1, [member("corr#c-1", "out#pts#XYZ#loyalty", 13, 14)]);
    app.set("Members", [("memberId", "corr#c-1")], XYZ, AttributeValue::N("-500".to_owned())).await;
    assert!(audited(&app).await.1.contains(&member("corr#c-1", XYZ, 13 - 500, 40)));
}

#[tokio::test]
async fn a_missing_record_is_found_with_its_member() {
    let app = recorded().await.app;
    app.remove("Activities", [("activityId", "a-1")]).await;
    let expected = [
        member("corr#c-1", "pts#ABC#loyalty", 16, 13),
        member("corr#c-1", XYZ, 40, 25),
        member("corr#c-1", "use#XYZ_SURVEY", 2, 1),
    ];
    assert_eq!(audited(&app).await.1, expected);
}

#[tokio::test]
async fn a_missing_member_is_found() {
    let app = recorded().await.app;
    app.remove("Members", [("memberId", "player#p-1")]).await;
    let expected = [member("player#p-1", "points", 0, 55), member("player#p-1", "use#REVIEW", 0, 1)];
    assert_eq!(audited(&app).await.1, expected);
}

#[tokio::test]
async fn a_tampered_or_missing_catalog_is_found_once() {
    let mut programme = recorded().await;
    programme.apply("sections: [Other]").await;
    let app = programme.app;
    let chunk = |version: u64| format!("{version:010}#0000");
    app.set("Catalog", [("part", "history"), ("id", &chunk(1))], "json", s("{\"sections\":[\"X\"]}")).await;
    assert_eq!(audited(&app).await.1, [Difference::DamagedVersion { version: 1 }]);
    app.remove("Catalog", [("part", "history"), ("id", &chunk(1))]).await;
    assert_eq!(audited(&app).await.1, [Difference::MissingVersion { version: 1 }]);
}

#[tokio::test]
async fn the_command_reports_in_words_and_in_json() {
    let app = recorded().await.app;
    let said = punchcard(&app, &["audit"]).await;
    assert!(said.succeeded, "{}", said.errors);
    assert!(said.output.starts_with("4 records, 2 members and 1 total limits in "), "{}", said.output);
    assert!(said.output.trim_end().ends_with(": 0 differences"), "{}", said.output);

    app.set("Members", [("memberId", "corr#c-1")], "pts#XYZ#loyalty", n(41)).await;
    let said = punchcard(&app, &["audit"]).await;
    assert!(!said.succeeded && said.errors.contains("differences found: 1"), "{}", said.errors);
    let sentence = "pts#XYZ#loyalty of corr#c-1 is 41, and its records add up to 40";
    assert_eq!(said.output.lines().next(), Some(sentence));
    let said = punchcard(&app, &["audit", "--json"]).await;
    assert!(!said.succeeded);
    let lines: Vec<Value> = said.output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let difference = json!({
        "difference": "member", "member": "corr#c-1", "name": "pts#XYZ#loyalty", "stored": 41, "derived": 40});
    assert_eq!(lines[0], difference);
    assert_eq!((&lines[1]["records"], &lines[1]["differences"]), (&json!(4), &json!(1)));
}

#[tokio::test]
async fn a_merged_player_of_version_0_1_0_counts_for_its_customer() {
    let app = App::with_catalog(
        &serde_json::from_str(r#"{"channelMerging":"email","campaigns":[{"id":"VISIT","event":"visit","points":3}]}"#)
            .expect("JSON"),
    )
    .await;
    for player in ["p-1", "p-2", "p-2"] {
        app.did_as(player, ("email", "a@b.example"), "visit").await;
    }
    for item in app.items("PlayerEvents").await {
        let update = app.dynamo().update_item().table_name(format!("{}PlayerEvents", app.prefix));
        let update = update.key("playerId", item["playerId"].clone()).key("recordId", item["recordId"].clone());
        let update = update.update_expression("REMOVE catalogVersion, customer").send();
        update.await.expect("a record as version 0.1.0 stored it");
    }
    let (report, differences) = audited(&app).await;
    assert_eq!((report.records, report.unversioned, differences), (3, 3, vec![]));
    app.set("Members", [("memberId", "player#p-1")], "points", n(10)).await;
    assert_eq!(audited(&app).await.1, [member("player#p-1", "points", 10, 9)]);
}

#[tokio::test]
async fn records_without_a_version_are_counted_apart_and_their_balances_audited() {
    let programme = recorded().await;
    let update = programme.app.dynamo().update_item().table_name(format!("{}Activities", programme.app.prefix));
    let update = update.key("activityId", s("a-1")).update_expression("REMOVE catalogVersion, #counters");
    update.expression_attribute_names("#counters", "counters").send().await.expect("an old record");
    let (report, differences) = audited(&programme.app).await;
    assert_eq!((report.unversioned, differences), (1, vec![]));
    let answer = programme.get("/client/users/c-1/activities/a-1/explanation").await;
    assert_eq!(answer.json(), json!({"activityId": "a-1", "catalogVersion": null, "offers": []}));
    programme.app.set("Members", [("memberId", "corr#c-1")], "pts#XYZ#loyalty", n(41)).await;
    assert_eq!(audited(&programme.app).await.1.len(), 1);
}
