//! `POST /integrations/events/reward-preview`.

use punchcard_models::ids::number_of;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, App},
    players::{API_KEY, JSON, campaign, fault_v4, limited},
};

const PATH: &str = "/api/v4.0/integrations/events/reward-preview";

async fn preview(app: &App, customer: &str, events: &Value) -> Answer {
    let body = json!({"customerId": customer, "events": events});
    app.send(Method::POST, PATH, &[API_KEY, JSON], body.to_string()).await
}

/// The campaigns of the first event: name, reason, points.
fn campaigns(answer: &Answer) -> Vec<(String, String, u64)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let campaigns = answer.json()["events"][0]["campaigns"].as_array().expect("campaigns").clone();
    let read = |it: &Value| (text(&it["campaignName"]), text(&it["reason"]), it["points"].as_u64().expect("points"));
    campaigns.iter().map(read).collect()
}

#[tokio::test]
async fn a_preview_says_what_each_event_would_earn_and_writes_nothing() {
    let app = App::start().await;
    app.did("player123", "visit").await;
    let stored = app.stored().await;
    let events = json!({"place_order": {"total_amount": 99, "category": ["electronics"]}, "visit": null});
    let answer = preview(&app, "player123", &events).await;
    let campaign = |name: &str, eligible: bool, reason: &str, offer: u64| {
        json!({
            "campaignId": number_of(name), "campaignName": name, "campaignEndDate": null, "eligible": eligible,
            "reason": reason, "rewardType": "Points", "rewardPoints": offer, "couponType": null, "couponValue": null,
            "points": if eligible { offer } else { 0 }, "timesAchieved": u8::from(eligible), "progress": null,
        })
    };
    let event = |name: &str, points: u64, campaigns: &[Value]| {
        json!({
            "eventName": name, "valid": true, "invalidReason": null, "totalPoints": points, "campaigns": campaigns,
        })
    };
    let order =
        [campaign("BIG_ORDER", false, "NoMatchingConditions", 50), campaign("ELECTRONICS", true, "Rewarded", 20)];
    let expected = json!({
        "customerId": "player123",
        "totalPoints": 20,
        "events": [event("place_order", 20, &order), event("visit", 0, &[])],
    });
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected));
    assert_eq!(app.stored().await, stored);
    assert_eq!(app.totals("player123").await, (0, 1));
}

#[tokio::test]
async fn a_campaign_that_the_customer_can_no_longer_win_is_left_out() {
    let total = json!({"usesInTotal": 1});
    let mut past = campaign("PAST", "visit", 1);
    past["window"] = json!({"until": "2024-01-01T00:00:00Z"});
    let mut ending = campaign("ENDING", "visit", 2);
    ending["window"] = json!({"until": "2999-01-01T00:00:00Z"});
    let app = App::with_catalog(&json!({"campaigns": [
        past, ending,
        limited("ONCE", "visit", 4, &json!({"usesPerMember": 1})),
        limited("POINTS", "visit", 8, &json!({"pointsPerMember": 12})),
        limited("TOTAL", "visit", 16, &total),
    ]}))
    .await;
    app.did("a", "other").await;
    let names = |rows: &[(&str, u64)]| -> Vec<_> {
        rows.iter().map(|(name, points)| ((*name).to_owned(), "Rewarded".to_owned(), *points)).collect()
    };
    let all = preview(&app, "a", &json!({"visit": {}})).await;
    assert_eq!(campaigns(&all), names(&[("ENDING", 2), ("ONCE", 4), ("POINTS", 8), ("TOTAL", 16)]));
    assert_eq!(all.json()["totalPoints"], 30);
    assert_eq!(all.json()["events"][0]["campaigns"][0]["campaignEndDate"], "2999-01-01T00:00:00.000Z");
    app.did("a", "visit").await;
    let rest = preview(&app, "a", &json!({"visit": {}})).await;
    assert_eq!(campaigns(&rest), names(&[("ENDING", 2), ("POINTS", 4)]));
    // The total limit is used up for everybody, the others for one customer.
    app.did("b", "other").await;
    let other = preview(&app, "b", &json!({"visit": {}})).await;
    assert_eq!(campaigns(&other), names(&[("ENDING", 2), ("ONCE", 4), ("POINTS", 8)]));
}

#[tokio::test]
async fn a_preview_agrees_with_the_events_that_follow() {
    let app = App::start().await;
    app.did("p", "other").await;
    let events = json!({"place_order": {"total_amount": 120, "category": "electronics"}, "review": {}});
    for _ in 0..5 {
        let before = app.totals("p").await.0;
        let promised = preview(&app, "p", &events).await.json()["totalPoints"].as_u64().expect("points");
        app.track(json!({"playerUniqueId": "p", "events": events}).to_string()).await;
        assert_eq!(app.totals("p").await.0, before + promised);
    }
}

#[tokio::test]
async fn an_alias_is_previewed_as_its_customer_without_an_address() {
    let app = App::with_catalog(&json!({"channelMerging": "email", "campaigns": [
        limited("ONCE", "visit", 7, &json!({"usesPerMember": 1}))]}))
    .await;
    app.did_as("web", ("email", "ada@example.com"), "other").await;
    app.did_as("app", ("email", "ada@example.com"), "other").await;
    assert_eq!(preview(&app, "app", &json!({"visit": {}})).await.json()["totalPoints"], 7);
    app.did_as("web", ("email", "ada@example.com"), "visit").await;
    assert_eq!(preview(&app, "app", &json!({"visit": {}})).await.json()["totalPoints"], 0);
}

#[tokio::test]
async fn an_unknown_customer_is_not_found_and_not_created() {
    let app = App::start().await;
    let answer = preview(&app, "nobody", &json!({"review": {}})).await;
    assert_eq!(fault_v4(&answer), (404, 7000, "Customer not found".to_owned()));
    assert_eq!(app.stored().await, (0, 0));
    // An invalid request is reported before an unknown customer.
    let (status, code, message) = fault_v4(&preview(&app, "nobody", &json!({"review": 5})).await);
    assert_eq!((status, code, message.as_str()), (422, 3003, "events/review must be an object."));
}

#[tokio::test]
async fn while_rewards_are_disabled_nothing_would_be_earned() {
    let app = App::with_catalog(&json!({"rewards": "disabled", "campaigns": [campaign("VISIT", "visit", 1)]})).await;
    app.did("p", "other").await;
    let answer = preview(&app, "p", &json!({"visit": {}})).await;
    assert_eq!((answer.json()["totalPoints"].as_u64(), campaigns(&answer)), (Some(0), Vec::new()));
}
