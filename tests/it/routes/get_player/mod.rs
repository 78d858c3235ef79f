//! `GET /integrations/player/{playerUniqueId}`.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    app::App,
    lambda::Function,
    players::{API_KEY, assert_tracked, encoded, fault, sample},
};

#[tokio::test]
async fn a_player_has_an_id_and_points() {
    let app = App::start().await;
    app.did("player123", "review").await;
    let answer = app.get_player("player123").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json(), json!({"playerUniqueId": "player123", "points": 5}));

    app.did("player123", "review").await;
    let expected = json!({"playerUniqueId": "player123", "points": 10});
    assert_eq!(app.get_player("player123").await.json(), expected);
    let path = "/api/v3.0/integrations/player/player123";
    assert_eq!(app.send(Method::GET, path, &[API_KEY], "").await.json(), expected);
}

#[tokio::test]
async fn a_player_whose_requests_earned_nothing_has_no_points() {
    let app = App::start().await;
    let tracked = [
        ("tracked", json!({"playerUniqueId": "tracked", "events": {"profile_view": {}}})),
        ("no-events", json!({"playerUniqueId": "no-events", "events": {}})),
    ];
    for (player, body) in tracked {
        assert_tracked(&app.track(body.to_string()).await);
        assert_eq!(app.get_player(player).await.json(), json!({"playerUniqueId": player, "points": 0}));
    }
    assert_eq!(app.stored().await, (2, 0), "records alone");
}

#[tokio::test]
async fn a_player_without_requests_is_not_found() {
    let app = App::start().await;
    app.did("player123", "review").await;
    let longer = "x".repeat(129);
    for id in ["unknown", "Player123", "player123 ", "player#player123", " ", "a\0b", &longer] {
        let not_found = (404, 404, "Player not found".to_owned());
        assert_eq!(fault(&app.get_player(id).await), not_found, "{id:?}");
    }
}

#[tokio::test]
async fn an_id_may_have_any_character_percent_encoded() {
    let app = App::start().await;
    let longest = "é".repeat(128);
    let ids = [
        "player 1",
        " padded ",
        "Jörg",
        "日本",
        "🎲",
        "a/b",
        "/",
        "a%2Fb",
        "100%",
        "a+b",
        "?points=1",
        "#1",
        "{id}",
        "a,b;c=d",
        "\"quoted\"",
        "\u{1}",
        &longest,
    ];
    for id in ids {
        assert_tracked(&app.track(json!({"playerUniqueId": id, "events": {"review": {}}}).to_string()).await);
        let answer = app.get_player(id).await;
        assert_eq!(answer.status, 200, "{id:?}: {}", answer.body);
        assert_eq!(answer.json()["playerUniqueId"], json!(id));
        assert_eq!(answer.json()["points"], json!(5), "{id:?}");
    }
}

#[tokio::test]
async fn an_id_that_is_not_utf_8_is_not_found() {
    let app = App::start().await;
    let answer = app.send(Method::GET, "/integrations/player/%FF", &[API_KEY], "").await;
    assert_eq!(fault(&answer), (404, 404, "Player not found".to_owned()));
}

#[tokio::test]
async fn only_get_is_allowed() {
    let app = App::start().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = app.send(method.clone(), "/integrations/player/player123", &[], "").await;
        let (status, code, _) = fault(&answer);
        assert_eq!((status, code, answer.header("allow")), (405, 405, Some("GET")), "{method}");
    }
    let preflight = app.send(Method::OPTIONS, "/integrations/player/player123", &[], "").await;
    assert_eq!((preflight.status.as_u16(), preflight.header("access-control-allow-origin")), (204, Some("*")));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
}

#[tokio::test]
async fn a_store_that_fails_is_not_an_unknown_player() {
    let app = App::start().await;
    app.did("player123", "review").await;
    let members = format!("{}Members", app.prefix);
    app.dynamo().delete_table().table_name(&members).send().await.expect("a table less");
    let answer = app.get_player("player123").await;
    let (status, code, message) = fault(&answer);
    assert_eq!((status, code, answer.header("retry-after")), (503, 5000, Some("1")));
    assert!(!message.contains("Members") && !message.contains("Exception"), "{message}");
}

#[tokio::test]
async fn the_gateway_decodes_an_id_for_the_function() {
    let app = App::start().await;
    app.did("Jörg/1", "review").await;
    let mut function = Function::start("get-player", &app).await;
    let mut event = sample("get-player.happy");
    event["rawPath"] = json!(format!("/integrations/player/{}", encoded("Jörg/1")));
    event["pathParameters"]["playerUniqueId"] = json!("Jörg/1");
    let answer = function.invoke(event).await.expect("an answer");
    let body: serde_json::Value = serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body["playerUniqueId"], json!("Jörg/1"));
    function.end().await;
}
