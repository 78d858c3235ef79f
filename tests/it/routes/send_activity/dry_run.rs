//! `Prefer: dry-run`.

use reqwest::Method;
use serde_json::{Value, json};

use super::without;
use crate::support::{
    activities::{Programme, activities_path, activity, activity_path, assert_error, assert_invalid, points, with},
    app::Answer,
    chance::{Chance, cases},
};

const DRY: (&str, &str) = ("prefer", "dry-run");

impl Programme {
    async fn dry_run(&self, path: &str, body: &Value) -> Answer {
        self.post(path, &[DRY], &body.to_string()).await
    }
}

fn is_dry(answer: &Answer) -> bool {
    answer.header("preference-applied") == Some("dry-run")
}

#[tokio::test]
async fn a_dry_run_is_answered_like_the_request_and_writes_nothing() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    let before = programme.stored().await;
    let survey = activity("SURVEY_RESPONSE");
    let path = activity_path("c-1", "a-1");
    let dry = programme.dry_run(&path, &survey).await;
    assert!(is_dry(&dry));
    let expected = json!({"activityId": "a-1", "type": "SURVEY_RESPONSE", "earned": {
        "XYZ": points(10, 5, 5), "ABC": points(3, 0, 0)}});
    assert_eq!((dry.status.as_u16(), dry.json()), (200, expected.clone()));
    assert_eq!(programme.stored().await, before);
    assert_eq!(programme.balances("c-1").await, json!({}));

    let real = programme.send("c-1", "a-1", &survey).await;
    assert!(!is_dry(&real));
    assert_eq!(real.json(), expected);
    // A used id is refused as it is for real.
    let again = programme.dry_run(&path, &survey).await;
    assert_error(&again, 400, "INVALID_REQUEST", "ActivityID already exists");
}

#[tokio::test]
async fn a_dry_run_counts_the_limits_that_the_member_and_all_members_used() {
    let catalog = r#"{"businessUnits": {"U": "enabled"}, "offers": [
        {"id": "TWICE", "unit": "U", "kind": "base", "reward": {"flat": 1}, "limits": {"usesPerMember": 2}},
        {"id": "THREE", "unit": "U", "kind": "bonus", "reward": {"flat": 10}, "limits": {"usesInTotal": 3}},
        {"id": "UP_TO_25", "unit": "U", "kind": "bonus", "reward": {"flat": 10}, "pointsType": "status",
         "limits": {"pointsPerMember": 25}}]}"#;
    let programme = Programme::with(catalog).await;
    let mut seen = Vec::new();
    for (number, correlation_id) in ["c-1", "c-1", "c-2", "c-1", "c-2"].into_iter().enumerate() {
        let dry = programme.dry_run(&activities_path(correlation_id), &activity("APP_CHECKIN")).await;
        let real = programme.send(correlation_id, &format!("a-{number}"), &activity("APP_CHECKIN")).await;
        assert_eq!(dry.json()["earned"], real.json()["earned"], "{number}");
        seen.push(real.json()["earned"]["U"].to_string());
    }
    seen.dedup();
    assert!(seen.len() > 2, "limits were reached: {seen:?}");
}

#[tokio::test]
async fn a_dry_run_with_a_key_replays_and_refuses_like_the_request() {
    let programme = Programme::start().await;
    let (path, body) = (activities_path("c-1"), activity("APP_CHECKIN"));
    let headers = [DRY, ("idempotency-key", "k-1")];
    let first = programme.post(&path, &headers, &body.to_string()).await;
    assert!(first.status == 200 && is_dry(&first) && first.header("idempotent-replayed").is_none());
    assert_eq!(programme.stored().await, [0, 0, 0]);
    let real = programme.send_keyed("c-1", "k-1", &body).await;
    assert_eq!(real.header("idempotent-replayed"), None, "a dry run uses no key");
    assert_eq!(real.json(), first.json());
    let replay = programme.post(&path, &headers, &body.to_string()).await;
    assert!(is_dry(&replay) && replay.header("idempotent-replayed") == Some("true"));
    assert_eq!(replay.json(), real.json());
    let other = programme.post(&path, &headers, &with(body, "note", "other").to_string()).await;
    assert_eq!(other.status, 422, "{}", other.body);
}

#[tokio::test]
async fn a_dry_run_is_authenticated_and_validated() {
    let programme = Programme::start().await;
    let path = activity_path("c-1", "a-1");
    let invalid = without(activity("APP_CHECKIN"), "when");
    assert_invalid(&programme.dry_run(&path, &invalid).await, "When not found");
    let headers = [DRY, ("content-type", "application/json")];
    let answer = programme.app.send(Method::POST, &path, &headers, activity("APP_CHECKIN").to_string()).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn the_preference_is_read_as_rfc_7240_writes_it() {
    let programme = Programme::start().await;
    let path = activities_path("c-1");
    for prefer in ["dry-run", "Dry-Run", "respond-async, dry-run", "wait=10,dry-run", "dry-run; for=me", "dry-run=1"] {
        let answer = programme.post(&path, &[("prefer", prefer)], &activity("APP_CHECKIN").to_string()).await;
        assert!(answer.status == 200 && is_dry(&answer), "{prefer}");
    }
    assert_eq!(programme.stored().await, [0, 0, 0]);
    for prefer in ["", "respond-async", "dry-runs", "wait=dry-run", "x;dry-run"] {
        let answer = programme.post(&path, &[("prefer", prefer)], &activity("APP_CHECKIN").to_string()).await;
        assert!(answer.status == 200 && !is_dry(&answer), "{prefer}");
    }
    assert_eq!(programme.stored().await[0], 5);
}

#[tokio::test]
async fn an_anonymous_dry_run_earns_nothing() {
    let programme = Programme::start().await;
    assert_eq!(programme.open("anonymous", "c-1").await.status, 200);
    let dry = programme.dry_run(&activities_path("c-1"), &activity("APP_CHECKIN")).await;
    assert_eq!((dry.status.as_u16(), dry.json()["earned"].take()), (200, json!({})));
}

/// Sends `CASES` generated requests, each as a dry run and at once for real.
#[tokio::test]
async fn a_dry_run_and_the_request_that_follows_at_once_agree() {
    let mut programme = Programme::start().await;
    programme.apply(include_str!("../../../faults/src/catalog.yaml")).await;
    for number in 0..6 {
        programme.tie(&format!("account-{number}"), &format!("c-{number}")).await;
    }
    let mut chance = Chance::new(7);
    let mut paid = 0;
    for case in 0..cases() {
        // A new member now and then, so that member limits keep being unused at first.
        let member = if chance.below(4) == 0 { format!("new-{}", case / 7) } else { format!("c-{}", chance.below(8)) };
        let mut body = activity(chance.of(&["SURVEY_RESPONSE", "APP_DOWNLOAD", "APP_CHECKIN"]));
        body["channel"] = json!(chance.of(&["APP", "STORE"]));
        body["businessUnit"] = json!(chance.of(&["", "A", "B"]));
        let id = format!("a-{}", if chance.below(9) == 0 { case / 2 } else { case });
        let path = activity_path(&member, &id);
        let dry = programme.dry_run(&path, &body).await;
        let real = programme.post(&path, &[], &body.to_string()).await;
        assert_eq!((dry.status, &dry.body), (real.status, &real.body), "{case}: {path} {body}");
        paid += usize::from(real.body.contains("total"));
    }
    assert!(paid > cases() / 4, "{paid} of {} paid", cases());
    programme.assert_books_balance().await;
}

#[tokio::test]
async fn a_dry_run_that_cannot_read_is_an_ordinary_503() {
    let programme = Programme::start().await;
    let table = format!("{}Members", programme.app.prefix);
    programme.app.dynamo().delete_table().table_name(&table).send().await.expect("a table less");
    let answer = programme.dry_run(&activities_path("c-1"), &activity("APP_CHECKIN")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("1")), "{}", answer.body);
}
