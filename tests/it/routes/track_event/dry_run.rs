//! `Prefer: dry-run`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, App},
    chance::{Chance, cases},
    players::{API_KEY, EVENT, JSON, assert_tracked, limited},
};

const DRY: (&str, &str) = ("prefer", "dry-run");

async fn dry_run(app: &App, headers: &[(&str, &str)], body: &Value) -> Answer {
    let headers: Vec<_> = [API_KEY, JSON, DRY].iter().chain(headers).copied().collect();
    let answer = app.send(Method::POST, EVENT, &headers, body.to_string()).await;
    let applied = answer.header("preference-applied");
    assert_eq!(applied, (answer.status == 200).then_some("dry-run"), "{}", answer.body);
    answer
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_earned_and_writes_nothing() {
    let app = App::start().await;
    let order = json!({"playerUniqueId": "p-1", "events": {
        "place_order": {"total_amount": 120, "category": ["electronics"]}, "review": {}, "unknown": {}}});
    let dry = dry_run(&app, &[], &order).await;
    let earned = json!({"place_order": {"BIG_ORDER": 50, "ELECTRONICS": 20}, "review": {"REVIEW": 5}});
    assert_eq!((dry.status.as_u16(), dry.json()), (200, json!({"earned": earned})));
    assert_eq!(app.stored().await, (0, 0));
    assert_eq!(app.get_player("p-1").await.status, 404);

    assert_tracked(&app.track(order.to_string()).await);
    assert_eq!(app.earned().await, [earned]);
    assert_eq!(dry_run(&app, &[], &json!({"playerUniqueId": "p-2", "events": {}})).await.json(), json!({"earned": {}}));
}

#[tokio::test]
async fn a_dry_run_with_a_key_replays_and_refuses_like_the_request() {
    let app = App::start().await;
    let (body, key) = (json!({"playerUniqueId": "p-1", "events": {"review": {}}}), ("idempotency-key", "k-1"));
    assert_eq!(dry_run(&app, &[key], &body).await.json(), json!({"earned": {"review": {"REVIEW": 5}}}));
    assert_tracked(&app.track_once("k-1", body.to_string()).await);
    let replay = dry_run(&app, &[key], &body).await;
    assert_eq!((replay.header("idempotent-replayed"), replay.body.as_str()), (Some("true"), "{}"));
    let other = dry_run(&app, &[key], &json!({"playerUniqueId": "p-1", "events": {}})).await;
    assert_eq!(other.status, 422, "{}", other.body);
    let invalid = dry_run(&app, &[], &json!({"events": {}})).await;
    assert_eq!(invalid.status, 400, "{}", invalid.body);
}

#[tokio::test]
async fn a_dry_run_reads_the_limits_of_the_customer_that_an_address_names() {
    let catalog = json!({"channelMerging": "email", "campaigns": [
        limited("ONCE", "visit", 7, &json!({"usesPerMember": 1})),
        limited("FEW", "visit", 1, &json!({"usesInTotal": 2})),
    ]});
    let app = App::with_catalog(&catalog).await;
    let visit = |player: &str, email: &str| json!({"playerUniqueId": player, "email": email, "events": {"visit": {}}});
    let expected = |campaigns: Value| json!({"earned": campaigns});
    let both = json!({"visit": {"ONCE": 7, "FEW": 1}});
    assert_eq!(dry_run(&app, &[], &visit("p-1", "a@b.example")).await.json(), expected(both.clone()));
    assert_tracked(&app.track(visit("p-1", "a@b.example").to_string()).await);
    // Another player with the address is the same customer; without it, a new one.
    let merged = dry_run(&app, &[], &visit("p-2", "A@B.example")).await.json();
    assert_eq!(merged, expected(json!({"visit": {"FEW": 1}})));
    assert_eq!(dry_run(&app, &[], &visit("p-3", "c@b.example")).await.json(), expected(both));
    assert_tracked(&app.track(visit("p-2", "a@b.example").to_string()).await);
    assert_eq!(dry_run(&app, &[], &visit("p-2", "a@b.example")).await.json(), expected(json!({})));
    // A player that is an alias is followed after merging ends.
    let mut app = app;
    let mut unmerged = catalog;
    unmerged["channelMerging"] = json!("none");
    app.apply(&unmerged).await;
    let alone = json!({"playerUniqueId": "p-2", "events": {"visit": {}}});
    assert_eq!(dry_run(&app, &[], &alone).await.json(), expected(json!({})));
}

/// Sends `CASES` generated requests, each as a dry run and at once for real.
#[tokio::test]
async fn a_dry_run_and_the_request_that_follows_at_once_agree() {
    let mut app = App::start().await;
    let catalog = punchcard_rewards::yaml::read(include_str!("../../../faults/src/catalog.yaml")).expect("a catalog");
    let mut catalog: Value = serde_json::from_str(catalog.to_json()).expect("JSON");
    catalog["channelMerging"] = json!("email");
    app.apply(&catalog).await;
    let mut chance = Chance::new(11);
    let (mut paid, mut replayed) = (0, 0);
    for case in 0..cases() {
        let player = if chance.below(3) == 0 { format!("new-{}", case / 5) } else { format!("p-{}", chance.below(9)) };
        let mut events = json!({});
        for _ in 0..chance.below(4) {
            let event = chance.of(&["place_order", "review", "sign_up", "visit"]);
            events[event] = json!({"total": chance.below(200)});
        }
        let email = format!("{}@b.example", chance.below(30));
        let body = json!({"playerUniqueId": player, "email": email, "events": events});
        let key = format!("k-{}", if chance.below(9) == 0 { case / 2 } else { case });
        let dry = dry_run(&app, &[("idempotency-key", &key)], &body).await;
        let real = app.track_once(&key, body.to_string()).await;
        assert_eq!(dry.status, real.status, "{case}: {body}");
        assert_eq!(dry.header("idempotent-replayed"), real.header("idempotent-replayed"), "{case}: {body}");
        if real.status != 200 || real.header("idempotent-replayed").is_some() {
            assert_eq!(dry.body, real.body, "{case}: {body}");
            replayed += 1;
            continue;
        }
        let record = app.player_record(&player, &format!("key#{key}")).await;
        assert_eq!(dry.json()["earned"], record, "{case}: {body}");
        paid += usize::from(record != json!({}));
    }
    assert!(paid > cases() / 10 && replayed > 0, "{paid} of {} paid, {replayed} replayed", cases());
}
