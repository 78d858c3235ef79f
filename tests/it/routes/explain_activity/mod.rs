//! `GET /client/users/{correlation_id}/activities/{activity_id}/explanation`. The reasons and their details are tested
//! beside the evaluation.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::activities::{
    Programme, activity, activity_path, assert_error, assert_headers, assert_invalid, with,
};

fn path(correlation_id: &str, activity_id: &str) -> String {
    format!("{}/explanation", activity_path(correlation_id, activity_id))
}

/// The rows of the table of offers: id, paid, due, reason.
async fn rows(programme: &Programme, correlation_id: &str, activity_id: &str) -> Vec<Value> {
    let answer = programme.get(&path(correlation_id, activity_id)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let body = answer.json();
    let offers = body["offers"].as_array().expect("offers").iter();
    offers.map(|offer| json!([offer["offer"], offer["paid"], offer["due"], offer["reason"]])).collect()
}

#[tokio::test]
async fn every_offer_of_the_demo_says_what_it_paid_and_why() {
    let programme = Programme::start().await;
    programme.tie("A-1001", "c-1").await;
    for (id, survey, vip) in [
        ("a-1", json!(["XYZ_SURVEY", 5, 5, "PAID"]), json!(["XYZ_VIP", 5, 5, "PAID"])),
        ("a-2", json!(["XYZ_SURVEY", 5, 5, "PAID"]), json!(["XYZ_VIP", 3, 5, "PAID_IN_PART"])),
        ("a-3", json!(["XYZ_SURVEY", 0, 5, "LIMIT_REACHED"]), json!(["XYZ_VIP", 0, 5, "LIMIT_REACHED"])),
    ] {
        programme.send("c-1", id, &activity("SURVEY_RESPONSE")).await;
        let expected = [
            json!(["ABC_BASE", 3, 3, "PAID"]),
            json!(["OLD_BASE", 0, 0, "UNIT_DISABLED"]),
            json!(["XYZ_BASE", 10, 10, "PAID"]),
            survey,
            vip,
        ];
        assert_eq!(rows(&programme, "c-1", id).await, expected, "{id}");
    }
    let answer = programme.get(&path("c-1", "a-3")).await;
    assert_headers(&answer);
    let body = answer.json();
    assert_eq!((&body["activityId"], &body["catalogVersion"]), (&json!("a-3"), &json!(1)));
    assert_eq!(body["offers"][3]["detail"], json!({"which": "usesPerMember", "limit": 2, "used": 2}));

    let late = with(activity("APP_CHECKIN"), "when", "2025-06-01T00:00:00Z");
    programme.send("c-1", "late", &late).await;
    let launch = programme.get(&path("c-1", "late")).await.json()["offers"][1].take();
    let window = json!({"from": "2024-01-01T00:00:00.000Z", "until": "2025-01-01T00:00:00.000Z"});
    assert_eq!((&launch["reason"], &launch["change"]), (&json!("AFTER_WINDOW"), &json!([{"time": window}])));
    assert_eq!(launch["within"], json!({"usesInTotal": 100}));
}

#[tokio::test]
async fn an_explanation_is_that_of_the_catalog_that_evaluated_the_activity() {
    let offer =
        |points: u64| format!(r#"{{"id": "ONE", "unit": "U", "kind": "base", "reward": {{"flat": {points}}}}}"#);
    let catalog = |rewards: &str, offers: &str| {
        format!(r#"{{"rewards": "{rewards}", "businessUnits": {{"U": "enabled"}}, "offers": [{offers}]}}"#)
    };
    let mut programme = Programme::with(&catalog("enabled", &offer(1))).await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    programme.apply(&catalog("enabled", &offer(20))).await;
    programme.send("c-1", "a-2", &activity("APP_CHECKIN")).await;
    programme.apply(&catalog("disabled", &offer(20))).await;
    programme.send("c-1", "a-3", &activity("APP_CHECKIN")).await;
    programme.apply(&catalog("enabled", "")).await;
    programme.send("c-1", "a-4", &activity("APP_CHECKIN")).await;
    for (id, version, expected) in [
        ("a-1", 2, vec![json!(["ONE", 1, 1, "PAID"])]),
        ("a-2", 3, vec![json!(["ONE", 20, 20, "PAID"])]),
        ("a-3", 4, vec![json!(["ONE", 0, 0, "REWARDS_DISABLED"])]),
        ("a-4", 5, vec![]),
    ] {
        assert_eq!(rows(&programme, "c-1", id).await, expected, "{id}");
        assert_eq!(programme.get(&path("c-1", id)).await.json()["catalogVersion"], version, "{id}");
    }
}

#[tokio::test]
async fn an_anonymous_activity_has_no_offers() {
    let programme = Programme::start().await;
    programme.open("anonymous", "c-1").await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    assert_eq!(rows(&programme, "c-1", "a-1").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_activity_is_explained_under_its_own_correlation_id_only() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    for (correlation_id, activity_id) in [("c-2", "a-1"), ("c-1", "a-2")] {
        let answer = programme.get(&path(correlation_id, activity_id)).await;
        assert_error(&answer, 404, "NOT_FOUND", "Activity not found");
    }
    assert_invalid(&programme.get(&path("c-1", "a%201")).await, "activity_id must be 1 to 128 of A-Z a-z 0-9 . _ : -");
    let answer = programme.app.send(Method::GET, &path("c-1", "a-1"), &[], "").await;
    assert_error(&answer, 401, "UNAUTHORIZED", "The credentials are missing or not valid");
    let answer = programme.call(Method::POST, &path("c-1", "a-1"), &[], "").await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("GET")));
}

#[tokio::test]
async fn a_missing_version_of_the_catalog_is_an_internal_error_and_no_guess() {
    let programme = Programme::start().await;
    programme.send("c-1", "a-1", &activity("APP_CHECKIN")).await;
    programme.app.remove("Catalog", [("part", "history"), ("id", "0000000001#0000")]).await;
    let mut programme = programme;
    programme.app.restart().await;
    let answer = programme.get(&path("c-1", "a-1")).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (500, None), "{}", answer.body);
}
