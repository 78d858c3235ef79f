//! `POST /client/users/{correlation_id}/adhoc-reward`.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{
    activities::{Programme, error},
    app::Answer,
    players::text,
};

fn adjustment(reference: &str, amount: i64) -> Value {
    json!({
        "channel": "WEB", "businessUnit": "XYZ", "issuerId": "jane", "rewardAmount": amount,
        "externalReferenceId": reference, "note": "Late delivery",
    })
}

async fn adjust(programme: &Programme, correlation_id: &str, body: &Value) -> Answer {
    programme.post(&format!("/client/users/{correlation_id}/adhoc-reward"), &[], &body.to_string()).await
}

async fn balances(programme: &Programme, correlation_id: &str) -> Value {
    programme.get(&format!("/client/users/{correlation_id}/balances")).await.json()["balances"].clone()
}

#[tokio::test]
async fn an_adjustment_adds_points_or_takes_them_away_and_says_who_and_why() {
    let programme = Programme::start().await;
    programme.tie("A-1", "c-1").await;
    let added = adjust(&programme, "c-1", &adjustment("t-1", 50)).await;
    assert_eq!((added.status.as_u16(), &added.json()["message"]), (200, &json!("The balance is adjusted")));
    assert_eq!(balances(&programme, "c-1").await, json!({"XYZ": {"loyalty": 50}}));
    assert_eq!(adjust(&programme, "c-1", &adjustment("t-2", -80)).await.status, 200);
    assert_eq!(balances(&programme, "c-1").await, json!({"XYZ": {"loyalty": -30}}));
    let mut status = adjustment("t-3", 5);
    status["pointsType"] = json!("status");
    status["businessUnit"] = json!("OLD");
    assert_eq!(adjust(&programme, "c-1", &status).await.status, 200);
    assert_eq!(balances(&programme, "c-1").await, json!({"OLD": {"status": 5}, "XYZ": {"loyalty": -30}}));

    let records = programme.app.items("Activities").await;
    let first = records.iter().find(|record| text(record, "reference") == "t-1").expect("a record");
    let of = ["memberId", "kind", "issuerId", "note", "businessUnit"].map(|name| text(first, name));
    assert_eq!(of, ["acct#A-1", "adjustment", "jane", "Late delivery", "XYZ"]);
    // It is no activity.
    let id = added.json()["transactionId"].as_str().expect("an id").to_owned();
    assert_eq!(programme.get(&format!("/client/users/c-1/activities/{id}")).await.status, 404);
    assert_eq!(programme.get("/client/users/c-1/activities").await.json(), json!({"activities": []}));
}

#[tokio::test]
async fn the_same_reference_is_one_adjustment() {
    let programme = Programme::start().await;
    let first = adjust(&programme, "c-1", &adjustment("t-1", 50)).await;
    let again = adjust(&programme, "c-1", &adjustment("t-1", 50)).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = adjust(&programme, "c-1", &adjustment("t-1", 51)).await;
    let message = "ExternalReferenceID was used for another correction";
    assert_eq!(error(&other), (409, "CONFLICT".to_owned(), message.to_owned()));
    assert_eq!(balances(&programme, "c-1").await, json!({"XYZ": {"loyalty": 50}}));
    // A reference is one of its correlation id.
    assert_eq!(adjust(&programme, "c-2", &adjustment("t-1", 5)).await.header("idempotent-replayed"), None);
}

#[tokio::test]
async fn an_invalid_adjustment_is_refused() {
    let programme = Programme::start().await;
    for (name, value, message) in [
        ("channel", Value::Null, "Channel not found"),
        ("businessUnit", json!("NEW"), "Provided business unit is not valid"),
        ("issuerId", json!(""), "issuerId must have 1 to 128 characters, not only blanks, and no NUL"),
        ("rewardAmount", json!(0), "rewardAmount must be a whole number other than 0, at most 1000000000 points"),
        ("externalReferenceId", Value::Null, "externalReferenceId must not be null"),
    ] {
        let mut body = adjustment("t-1", 5);
        body[name] = value;
        let answer = adjust(&programme, "c-1", &body).await;
        assert_eq!(error(&answer), (400, "INVALID_REQUEST".to_owned(), message.to_owned()), "{name}");
    }
    assert!(programme.app.items("Activities").await.is_empty());
}

#[tokio::test]
async fn a_catalog_may_refuse_negative_balances() {
    let programme = Programme::with(r#"{"businessUnits": {"XYZ": "enabled"}, "negativeBalances": "refused"}"#).await;
    let refused = (409, "CONFLICT".to_owned(), "The balance must not fall below zero".to_owned());
    assert_eq!(error(&adjust(&programme, "c-1", &adjustment("t-1", -1)).await), refused);
    let path = "/client/users/c-1/adhoc-reward";
    let dry_run = async |amount| {
        let body = adjustment("t-9", amount).to_string();
        programme.post(path, &[("prefer", "dry-run")], &body).await
    };
    assert_eq!(error(&dry_run(-1).await), refused);
    assert_eq!(dry_run(1).await.status, 200);
    assert_eq!(programme.balances("c-1").await, json!({}));
    assert_eq!(adjust(&programme, "c-1", &adjustment("t-2", 10)).await.status, 200);
    assert_eq!(error(&adjust(&programme, "c-1", &adjustment("t-3", -11)).await), refused);
    assert_eq!(adjust(&programme, "c-1", &adjustment("t-4", -10)).await.status, 200);
    assert_eq!(balances(&programme, "c-1").await, json!({"XYZ": {"loyalty": 0}}));
    assert_eq!(programme.app.items("Activities").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_adjustments_all_count_and_repeated_ones_once() {
    let programme = Programme::start().await;
    let bodies: Vec<_> =
        (0..32).map(|n| adjustment(&format!("t-{}", n % 16), if n % 2 == 0 { 7 } else { -3 })).collect();
    let answers = join_all(bodies.iter().map(|body| adjust(&programme, "c-1", body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed").is_some()).count();
    assert_eq!(replayed, 16);
    assert_eq!(balances(&programme, "c-1").await, json!({"XYZ": {"loyalty": 8 * 7 - 8 * 3}}));
}
