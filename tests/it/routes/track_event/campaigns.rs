//! Points by the campaigns of the catalog, and the limits of campaigns.

use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{events, statuses, times_paid};
use crate::support::{
    app::App,
    players::{assert_tracked, campaign, fault, json, limited},
};

#[tokio::test]
async fn the_demo_pays_what_its_table_says() {
    let app = App::start().await;
    for (index, (event, metadata, points)) in [
        ("place_order", r#"{"total_amount":100}"#, 50),
        ("place_order", r#"{"total_amount":"100"}"#, 50),
        ("place_order", r#"{"total_amount":1e2}"#, 50),
        ("place_order", r#"{"total_amount":"1e2"}"#, 50),
        ("place_order", r#"{"total_amount":"100.00"}"#, 50),
        ("place_order", r#"{"total_amount":100.0000000000000000001}"#, 50),
        ("place_order", r#"{"total_amount":99.99}"#, 0),
        ("place_order", r#"{"total_amount":"99.99"}"#, 0),
        ("place_order", r#"{"total_amount":99.99999999999999999999}"#, 0),
        ("place_order", r#"{"total_amount":-100}"#, 0),
        ("place_order", r#"{"total_amount":"a lot"}"#, 0),
        ("place_order", r#"{"total_amount":" 100"}"#, 0),
        ("place_order", r#"{"total_amount":true}"#, 0),
        ("place_order", r#"{"total_amount":[100]}"#, 0),
        ("place_order", r#"{"total":100}"#, 0),
        ("place_order", r#"{"category":["electronics","cosmetics"]}"#, 20),
        ("place_order", r#"{"category":"electronics"}"#, 20),
        ("place_order", r#"{"category":"home & electronics"}"#, 20),
        ("place_order", r#"{"category":["home & electronics"]}"#, 0),
        ("place_order", r#"{"category":"Electronics"}"#, 0),
        ("place_order", r#"{"category":[]}"#, 0),
        ("place_order", r#"{"total_amount":250,"category":["electronics"]}"#, 70),
        ("place_order", "{}", 0),
        ("place_order", "null", 0),
        ("Place_order", r#"{"total_amount":250}"#, 0),
        ("buy", r#"{"total_amount":250,"category":"electronics"}"#, 0),
        ("review", "{}", 5),
    ]
    .into_iter()
    .enumerate()
    {
        let player = format!("p{index}");
        let body = format!(r#"{{"playerUniqueId":"{player}","events":{{"{event}":{metadata}}}}}"#);
        assert_tracked(&app.track(body).await);
        assert_eq!(app.totals(&player).await, (points, 1), "{event} {metadata}");
    }
}

#[tokio::test]
async fn a_review_pays_a_player_three_times() {
    let app = App::start().await;
    for points in [5, 10, 15, 15, 15] {
        app.did("player123", "review").await;
        assert_eq!(app.totals("player123").await.0, points);
    }
    app.did("player456", "review").await;
    assert_eq!(app.totals("player456").await, (5, 1));
    assert_eq!(app.totals("player123").await, (15, 5));
}

#[tokio::test]
async fn the_record_says_what_each_event_earned() {
    let app = App::start().await;
    let body = events(
        "p",
        &json!({"place_order": {"total_amount": 100, "category": "electronics"}, "review": {}, "visit": {}}),
    );
    assert_tracked(&app.track(body).await);
    let record = &app.items("PlayerEvents").await[0];
    let earned = json!({"place_order": {"BIG_ORDER": 50, "ELECTRONICS": 20}, "review": {"REVIEW": 5}});
    assert_eq!(json(record, "earned"), earned);
    assert!(!record.contains_key("unused"));
}

#[tokio::test]
async fn a_campaign_counts_within_its_window() {
    let window = |id: &str, window: Value| json!({"id": id, "event": "visit", "points": 1, "window": window});
    let app = App::with_catalog(&json!({"campaigns": [
        window("PAST", json!({"until": "2024-01-01T00:00:00Z"})),
        window("FUTURE", json!({"from": "2999-01-01T00:00:00Z"})),
        window("NOW", json!({"from": "2024-01-01T00:00:00Z", "until": "2999-01-01T00:00:00Z"})),
    ]}))
    .await;
    app.did("p", "visit").await;
    assert_eq!(app.earned().await, [json!({"visit": {"NOW": 1}})]);
}

#[tokio::test]
async fn a_points_limit_pays_what_is_left_of_it() {
    let app =
        App::with_catalog(&json!({"campaigns": [limited("CAPPED", "visit", 5, &json!({"pointsPerMember": 12}))]}))
            .await;
    for points in [5, 10, 12, 12] {
        app.did("p", "visit").await;
        assert_eq!(app.totals("p").await.0, points);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn limits_hold_exactly_under_parallel_requests() {
    let app = App::with_catalog(&json!({"campaigns": [
        campaign("EVERY", "visit", 1),
        limited("PLAYER", "visit", 10, &json!({"usesPerMember": 3})),
        limited("POINTS", "visit", 100, &json!({"pointsPerMember": 250})),
        limited("TOTAL", "visit", 1000, &json!({"usesInTotal": 17})),
    ]}))
    .await;
    let players = ["a", "b", "c", "d"];
    // 120 requests, thirty of each player.
    let posts = players.map(|player| events(player, &json!({"visit": {}})));
    let answers = join_all((0..120).map(|n| app.track_until_recorded(n, &posts[n % 4]))).await;
    assert_eq!(statuses(&answers), [(200, 120)].into());
    let mut points = 0;
    for player in players {
        let (of_player, sent) = app.totals(player).await;
        assert_eq!((of_player % 1000, sent), (30 + 30 + 250, 30), "{player}");
        points += of_player;
    }
    assert_eq!(points, 4 * 310 + 17_000);
    let times = times_paid(&app.earned().await);
    assert_eq!(times["PLAYER"], 12);
    assert_eq!(times["POINTS"], 12);
    assert_eq!(times["TOTAL"], 17);
    assert_eq!(times["EVERY"], 120);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_limits_than_an_expression_can_name_hold_exactly_too() {
    let campaigns: Vec<_> =
        (0..45).map(|n| limited(&format!("VISIT_{n}"), "visit", 1, &json!({"usesPerMember": 3}))).collect();
    let app = App::with_catalog(&json!({"campaigns": campaigns})).await;
    let visit = events("p", &json!({"visit": {}}));
    let answers = join_all((0..24).map(|n| app.track_until_recorded(n, &visit))).await;
    assert_eq!(statuses(&answers), [(200, 24)].into());
    assert_eq!(app.totals("p").await, (45 * 3, 24));
    let times = times_paid(&app.earned().await);
    assert_eq!(times.len(), 45);
    assert!(times.values().all(|&times| times == 3), "{times:?}");
}

#[tokio::test]
async fn more_total_limits_than_one_write_takes_are_refused_with_a_reason() {
    let campaigns = |event: &str, count: usize| -> Vec<_> {
        let limit = json!({"usesInTotal": 1000});
        let campaign = |n| {
            let mut campaign = limited(&format!("{event}_{n}"), event, 1, &limit);
            // `check` refuses campaigns that could never be paid together.
            campaign["conditions"] = json!([{"field": "tag", "exists": true}]);
            campaign
        };
        (0..count).map(campaign).collect()
    };
    let campaigns = [campaigns("some", 97), campaigns("too_many", 98)].concat();
    let app = App::with_catalog(&json!({"campaigns": campaigns})).await;
    assert_tracked(&app.track(events("p", &json!({"some": {"tag": 1}}))).await);
    assert_eq!(app.totals("p").await, (97, 1));
    let before = app.stored().await;
    for body in [json!({"too_many": {"tag": 1}}), json!({"some": {"tag": 1}, "too_many": {"tag": 1}})] {
        let (status, code, message) = fault(&app.track(events("p", &body)).await);
        assert_eq!((status, code), (413, 413));
        assert!(message.contains("more than one write can hold"), "{message}");
    }
    assert_eq!(app.stored().await, before);
    assert_eq!(app.totals("p").await, (97, 1));
}

#[tokio::test]
async fn events_that_are_tracked_while_the_programme_is_disabled_are_tracked_but_not_used() {
    let rewards = |state: &str| json!({"rewards": state, "campaigns": [campaign("REVIEW", "review", 5)]});
    let mut app = App::with_catalog(&rewards("disabled")).await;
    let review = events("player123", &json!({"review": {"stars": 5}}));
    assert_tracked(&app.track_once("a key", review.clone()).await);
    let record = app.items("PlayerEvents").await.remove(0);
    assert_eq!(record.get("unused"), Some(&AttributeValue::Bool(true)));
    assert_eq!(json(&record, "events"), json!({"review": {"stars": 5}}));
    assert_eq!(json(&record, "earned"), json!({}));
    assert_eq!(app.totals("player123").await, (0, 1));

    // Neither then nor after it is enabled: what comes anew is paid, what was there isn't, not even sent again.
    app.apply(&rewards("enabled")).await;
    let replayed = app.track_once("a key", review).await;
    assert_tracked(&replayed);
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    assert_eq!(app.totals("player123").await, (0, 1));
    assert_eq!(app.items("PlayerEvents").await, [record]);
    app.did("player123", "review").await;
    assert_eq!(app.totals("player123").await, (5, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_parallel_requests_without_a_key_each_count_once() {
    let app = App::with_catalog(&json!({"campaigns": [campaign("VISIT", "visit", 7)]})).await;
    let answers = join_all((0..64).map(|_| app.track(events("p", &json!({"visit": {}}))))).await;
    answers.iter().for_each(assert_tracked);
    assert_eq!(app.totals("p").await, (64 * 7, 64));
    assert_eq!(app.stored().await, (64, 1));
}
