//! `GET /integrations/player/{playerUniqueId}/balance`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, App},
    players::{API_KEY, encoded, fault, fault_v4},
};

const V3: &str = "/api/v3.0/integrations/player";
const V4: &str = "/api/v4.0/integrations/customers";

async fn balance(app: &App, path: &str, id: &str) -> Answer {
    app.send(Method::GET, &format!("{path}/{}/balance", encoded(id)), &[API_KEY], "").await
}

fn v3(points: u64) -> Value {
    json!({
        "pointsBalance": points, "pointsValue": 0, "pendingPoints": 0, "pendingPointsValue": 0, "currency": null,
        "pointsName": "Points",
    })
}

fn v4(points: u64) -> Value {
    json!({
        "totalPointsBalance": points, "totalPointsValue": 0, "availablePointsBalance": points,
        "availablePointsValue": 0, "pendingPoints": 0, "pendingPointsValue": 0, "currency": null,
        "pointsName": "Points", "nextExpiringPointsAmount": 0, "nextExpiringPointsValue": 0,
        "nextExpiringPointsDate": null, "totalEarnedPoints": points,
    })
}

#[tokio::test]
async fn a_balance_has_the_form_of_the_version() {
    let app = App::start().await;
    for points in [5, 10] {
        app.did("player/1", "review").await;
        for path in ["/integrations/player", V3] {
            assert_eq!(balance(&app, path, "player/1").await.json(), v3(points), "{path}");
        }
        assert_eq!(balance(&app, V4, "player/1").await.json(), v4(points));
    }
}

#[tokio::test]
async fn a_balance_is_that_of_the_players_customer() {
    let app = App::with_catalog(&json!({"channelMerging": "email", "campaigns": [
        {"id": "VISIT", "event": "visit", "points": 10}]}))
    .await;
    for player in ["web", "app"] {
        app.did_as(player, ("email", "ada@example.com"), "visit").await;
    }
    assert_eq!(balance(&app, V3, "web").await.json(), v3(20));
    assert_eq!(balance(&app, V4, "app").await.json(), v4(20));
}

#[tokio::test]
async fn an_unknown_player_is_not_found_in_the_dialect_of_the_version() {
    let app = App::start().await;
    app.did("player123", "review").await;
    for id in ["unknown", "Player123", " ", &"x".repeat(129)] {
        assert_eq!(fault(&balance(&app, V3, id).await), (404, 404, "Player not found".to_owned()), "{id:?}");
        assert_eq!(fault_v4(&balance(&app, V4, id).await), (404, 7000, "Player not found".to_owned()), "{id:?}");
    }
}

#[tokio::test]
async fn a_player_without_points_has_a_balance_of_zero() {
    let app = App::start().await;
    app.did("player123", "visit").await;
    assert_eq!(balance(&app, V3, "player123").await.json(), v3(0));
    assert_eq!(balance(&app, V4, "player123").await.json(), v4(0));
}
