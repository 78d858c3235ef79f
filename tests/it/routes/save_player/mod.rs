//! `POST /integrations/player`.

use futures_util::future::join_all;
use punchcard_models::ids::number_of;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{Answer, App},
    players::{API_KEY, JSON, fault, fault_v4, text},
};

const V3: [&str; 7] = [
    "/integrations/player",
    "/api/v3.0/integrations/player",
    "/api/v2.0/integrations/player",
    "/api/v2.0/Integrations/Player",
    "/v2.0/Integrations/Player",
    "/api/v1.0/Integrations/InitializePlayer",
    "/api/v1.0/integrations/InitializePlayer",
];
const V4: [&str; 2] = ["/api/v4.0/integrations/customers", "/api/v4.1/integrations/customers"];

async fn save(app: &App, path: &str, body: &Value) -> Answer {
    app.send(Method::POST, path, &[API_KEY, JSON], body.to_string()).await
}

#[track_caller]
fn assert_saved(answer: &Answer, player: &str) {
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"gameballId": number_of(player)})));
}

/// Players are merged by their e-mail address; a visit pays 10 points.
fn merging() -> Value {
    json!({"channelMerging": "email", "campaigns": [{"id": "VISIT", "event": "visit", "points": 10}]})
}

#[tokio::test]
async fn a_player_is_created_once_and_has_the_same_number_at_every_path() {
    let app = App::start().await;
    assert_eq!(app.get_player("player123").await.status, 404);
    for path in V3 {
        assert_saved(&save(&app, path, &json!({"playerUniqueId": "player123"})).await, "player123");
    }
    for path in V4 {
        assert_saved(&save(&app, path, &json!({"customerId": "player123"})).await, "player123");
    }
    assert_eq!(app.totals("player123").await, (0, 0));
    assert_eq!(app.stored().await, (0, 1));
    // The events that follow are the same player's.
    app.did("player123", "review").await;
    assert_saved(&save(&app, V3[0], &json!({"playerUniqueId": "player123"})).await, "player123");
    assert_eq!(app.totals("player123").await, (5, 1));
}

#[tokio::test]
async fn attributes_are_accepted_and_not_stored() {
    let app = App::start().await;
    let attributes = json!({"displayName": "Jon Snow", "email": "jon@example.com", "custom": {"a": [null, {"b": 1}]}});
    let body = json!({"playerUniqueId": "p", "playerAttributes": attributes, "levelOrder": 1, "referrerCode": null,
        "email": "jon@example.com", "mobile": "+4915112345678", "deviceToken": "token"});
    assert_saved(&save(&app, V3[0], &body).await, "p");
    let items = app.items("Members").await;
    let mut names: Vec<_> = items[0].keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!((items.len(), names), (1, vec!["createdAt", "memberId"]));
}

#[tokio::test]
async fn an_invalid_player_is_refused_in_the_dialect_of_the_version() {
    let app = App::start().await;
    for (body, v3, v4) in [
        ("{}", (400, 4), (400, 3000)),
        (r#"{"ID":null}"#, (400, 5), (422, 3001)),
        (r#"{"ID":""}"#, (400, 7), (422, 3003)),
        (r#"{"ID":5}"#, (400, 7), (422, 3003)),
        (r#"{"ID":"p","mobile":5}"#, (400, 7), (422, 3003)),
        (r#"{"ID":"p","ID":"p"}"#, (400, 3017), (400, 3016)),
        (r#"{"ID":"p",}"#, (400, 3016), (400, 3016)),
        ("[]", (400, 7), (422, 3003)),
    ] {
        let send = async |path, id| app.send(Method::POST, path, &[API_KEY, JSON], body.replace("ID", id)).await;
        let (status, code, _) = fault(&send(V3[0], "playerUniqueId").await);
        assert_eq!((status, code), v3, "{body}");
        let (status, code, _) = fault_v4(&send(V4[0], "customerId").await);
        assert_eq!((status, code), v4, "{body}");
    }
    assert_eq!(app.stored().await, (0, 0));
}

#[tokio::test]
async fn players_with_one_address_are_one_customer() {
    let app = App::with_catalog(&merging()).await;
    for (player, email) in [("web", "ada@example.com"), ("app", "Ada@Example.com"), ("web", "second@example.com")] {
        assert_saved(&save(&app, V3[0], &json!({"playerUniqueId": player, "email": email})).await, player);
    }
    // An address that names another customer changes nothing.
    assert_saved(&save(&app, V4[0], &json!({"customerId": "bob", "email": "bob@example.com"})).await, "bob");
    assert_saved(&save(&app, V4[0], &json!({"customerId": "bob", "email": "ada@example.com"})).await, "bob");
    app.did_as("web", ("email", "ada@example.com"), "visit").await;
    app.did_as("new", ("email", "second@example.com"), "visit").await;
    app.did_as("bob", ("email", "ada@example.com"), "visit").await;
    for player in ["web", "app", "new"] {
        assert_eq!(app.totals(player).await, (20, 2), "{player}");
    }
    assert_eq!(app.totals("bob").await, (10, 1));
    // The players web, app, new and bob, and three addresses, as digests.
    let items = app.items("Members").await;
    assert_eq!(items.len(), 7);
    assert!(!format!("{items:?}").contains("example.com"));
}

#[tokio::test]
async fn the_address_that_players_are_merged_by_is_required() {
    let app = App::with_catalog(&merging()).await;
    let (status, code, message) = fault(&save(&app, V3[0], &json!({"playerUniqueId": "p"})).await);
    assert_eq!((status, code, message.as_str()), (400, 4, "The Email field is required."));
    let (status, code, message) = fault_v4(&save(&app, V4[0], &json!({"customerId": "p", "email": " "})).await);
    assert_eq!((status, code, message.as_str()), (422, 3003, "email must not be blank."));
    assert_eq!(app.stored().await, (0, 0));
}

#[tokio::test]
async fn a_dry_run_creates_nothing() {
    let app = App::start().await;
    let headers = [API_KEY, JSON, ("prefer", "dry-run")];
    let answer = app.send(Method::POST, V3[0], &headers, r#"{"playerUniqueId":"p"}"#).await;
    assert_saved(&answer, "p");
    assert_eq!(answer.header("preference-applied"), Some("dry-run"));
    assert_eq!(app.stored().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_requests_create_each_player_and_address_once() {
    let app = App::with_catalog(&merging()).await;
    let bodies: Vec<_> = (0..32)
        .map(|n| json!({"playerUniqueId": format!("p-{}", n % 4), "email": format!("{}@example.com", n % 2)}))
        .collect();
    let answers = join_all(bodies.iter().map(|body| save(&app, V3[0], body))).await;
    for (answer, body) in answers.iter().zip(&bodies) {
        assert_saved(answer, body["playerUniqueId"].as_str().expect("an id"));
    }
    let items = app.items("Members").await;
    let customers = items.iter().filter(|item| !item.contains_key("customer"));
    assert_eq!((items.len(), customers.count()), (6, 2), "{items:?}");
    for item in items.iter().filter(|item| item.contains_key("customer")) {
        let named = |other: &&_| text(other, "memberId") == text(item, "customer");
        assert!(items.iter().find(named).is_some_and(|customer| !customer.contains_key("customer")), "{item:?}");
    }
}
