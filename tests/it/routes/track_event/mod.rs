//! `POST /integrations/event`.

mod accepted;
mod campaigns;
mod dry_run;
mod keyed;
mod merging;
mod refused;

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{
    app::{Answer, App},
    players::{EVENT, assert_tracked, text},
};

/// 256 KiB, the longest body.
const LONGEST: usize = 262_144;

const PATHS: [&str; 7] = [
    EVENT,
    "/api/v3.0/integrations/event",
    "/api/v2.0/integrations/event",
    "/api/v2.0/Integrations/Event",
    "/v2.0/Integrations/Event",
    "/api/v1.0/Integrations/Action",
    "/api/v1.0/integrations/Action",
];

/// The first example: `place_order` with two metadata keys, review with none.
const FIRST_EXAMPLE: &str = r#"{
    "playerUniqueId": "player123",
    "events": {
        "place_order": {"total_amount": "100", "category": ["electronics", "cosmetics"]},
        "review": {}
    }
}"#;

fn events(player: &str, events: &Value) -> String {
    json!({"playerUniqueId": player, "events": events}).to_string()
}

/// The number of responses by status.
fn statuses(answers: &[Answer]) -> HashMap<u16, usize> {
    let mut count = HashMap::new();
    for answer in answers {
        *count.entry(answer.status.as_u16()).or_default() += 1;
    }
    count
}

/// The number of payments by each campaign, by the records.
fn times_paid(earned: &[Value]) -> HashMap<String, u64> {
    let mut times = HashMap::new();
    let events = earned.iter().filter_map(Value::as_object).flat_map(|record| record.values());
    for campaign in events.filter_map(Value::as_object).flat_map(|event| event.keys()) {
        *times.entry(campaign.clone()).or_default() += 1;
    }
    times
}

#[tokio::test]
async fn place_order_and_review() {
    let app = App::start().await;
    assert_tracked(&app.track(FIRST_EXAMPLE).await);
    let records = app.items("PlayerEvents").await;
    assert_eq!(records.len(), 1);
    assert_eq!(text(&records[0], "playerId"), "player123");
    assert_eq!(
        text(&records[0], "events"),
        r#"{"place_order":{"category":["electronics","cosmetics"],"total_amount":"100"},"review":{}}"#
    );
    assert_eq!(text(&records[0], "response"), "{}");
    assert_eq!(app.totals("player123").await, (75, 2));
}

#[tokio::test]
async fn reserving_two_rooms() {
    let app = App::start().await;
    // 1 for a standard room, 2 for a deluxe one.
    let body = r#"{"playerUniqueId":"player123","events":{"reserve":{"rooms":[1,2]}}}"#;
    assert_tracked(&app.track(body).await);
    let records = app.items("PlayerEvents").await;
    assert_eq!(text(&records[0], "events"), r#"{"reserve":{"rooms":[1,2]}}"#);
    assert_eq!(text(&records[0], "earned"), "{}");
    assert_eq!(app.totals("player123").await, (0, 1));
}

#[tokio::test]
async fn reserving_two_rooms_with_channel_merging() {
    for (merging, other) in [("email", "mobile"), ("mobile", "email")] {
        let campaign = json!({"id": "DELUXE", "event": "reserve", "points": 10,
            "conditions": [{"field": "rooms", "contains": 2}]});
        let app = App::with_catalog(&json!({"channelMerging": merging, "campaigns": [campaign]})).await;
        let address = HashMap::from([("email", "player123@example.com"), ("mobile", "+1234567")]);
        let body = |player: &str, other_address: &str| {
            json!({"playerUniqueId": player, merging: address[merging], other: other_address,
                "events": {"reserve": {"rooms": [1, 2]}}})
        };
        assert_tracked(&app.track(body("player123", address[other]).to_string()).await);
        assert_tracked(&app.track(body("player456", "another one").to_string()).await);
        // Of the same address: one customer with one balance.
        assert_eq!(app.totals("player123").await, (20, 2), "{merging}");
        assert_eq!(app.totals("player456").await, (20, 2), "{merging}");
    }
}
