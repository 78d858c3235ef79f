//! `POST /v2/session/startSession`.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    routes::send_client_event::assert_error,
    support::app::{Answer, App},
};

const PATH: &str = "/v2/session/startSession";

fn credentials() -> Value {
    json!({"clientId": "demo-client", "secret": "demo-secret"})
}

async fn start(app: &App, headers: &[(&str, &str)], body: &str) -> Answer {
    let usual = [("content-type", "application/json"), ("x-source-customer-id", "customer-1")];
    let headers: Vec<_> = usual.iter().chain(headers).copied().collect();
    app.send(Method::POST, PATH, &headers, body).await
}

fn part(token: &str, index: usize) -> Value {
    let part = token.split('.').nth(index).expect("three parts");
    let part = BASE64_URL_SAFE_NO_PAD.decode(part).expect("base64url");
    serde_json::from_slice(&part).expect("JSON")
}

#[tokio::test]
async fn a_token_is_for_one_customer_and_fifteen_minutes() {
    let app = App::start().await;
    for customer in ["customer-1", "no-user-available", "Ünïque"] {
        let before = chrono::Utc::now().timestamp();
        let answer = start(&app, &[("x-source-customer-id", customer)], &credentials().to_string()).await;
        let after = chrono::Utc::now().timestamp();
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body = answer.json();
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{body}");
        let token = body["sessionToken"].as_str().expect("a token");
        let (header, claims) = (part(token, 0), part(token, 1));
        assert_eq!(header["alg"], "EdDSA");
        assert_eq!(header["kid"], app.signing_key().await.id);
        assert_eq!((&claims["cid"], &claims["sub"]), (&json!(customer), &json!("demo-client")));
        assert_eq!(claims["aud"], "client-events");
        let issued = claims["iat"].as_i64().expect("a time");
        assert!((before..=after).contains(&issued), "{claims}");
        assert_eq!(claims["exp"].as_i64(), Some(issued + 15 * 60), "{claims}");
    }
}

#[tokio::test]
async fn two_tokens_are_never_the_same() {
    let app = App::start().await;
    assert_ne!(app.session_token("customer-1").await, app.session_token("customer-1").await);
}

#[tokio::test]
async fn an_incomplete_or_invalid_request_is_refused_with_the_places_of_its_faults() {
    let app = App::start().await;
    let (id, secret) = ("/clientId", "/secret");
    let cases: [(&str, &str, &[&str]); 17] = [
        ("HttpMessageNotReadable", "", &[""]),
        ("HttpMessageNotReadable", "clientId=demo-client&secret=demo-secret", &[""]),
        ("HttpMessageNotReadable", r#"{"clientId":"demo-client","secret":"demo-secret",}"#, &[""]),
        ("ValidationException", "[]", &[""]),
        ("ValidationException", "null", &[""]),
        ("ValidationException", "{}", &[id, secret]),
        ("ValidationException", r#"{"clientId":"demo-client"}"#, &[secret]),
        ("ValidationException", r#"{"secret":"demo-secret"}"#, &[id]),
        ("ValidationException", r#"{"clientId":null,"secret":null}"#, &[id, secret]),
        ("ValidationException", r#"{"clientId":7,"secret":["demo-secret"]}"#, &[id, secret]),
        ("ValidationException", r#"{"clientId":"","secret":"demo-secret"}"#, &[id]),
        ("ValidationException", r#"{"clientId":" ","secret":"demo-secret"}"#, &[id]),
        ("ValidationException", r#"{"clientId":"a\u0000","secret":"demo-secret"}"#, &[id]),
        ("ValidationException", r#"{"clientid":"demo-client","Secret":"demo-secret"}"#, &[id, secret]),
        ("ValidationException", r#"{"clientId":"demo-client","secret":"demo-secret","secret":"x"}"#, &[secret]),
        ("ValidationException", r#"{"clientId":"demo-client","secret":"demo-secret","x":{"y":1,"y":1}}"#, &["/x/y"]),
        ("ValidationException", r#"{"clientId":{},"secret":"demo-secret","x":{"y":1,"y":1}}"#, &["/x/y", id]),
    ];
    for (error_type, body, pointers) in cases {
        let answer = start(&app, &[], body).await;
        assert_eq!(assert_error(&answer, 400, error_type, body), pointers, "{body}: {}", answer.body);
    }
    let long = [("x".repeat(129), "s".to_owned(), id), ("x".to_owned(), "s".repeat(4097), secret)];
    for (client, key, pointer) in long {
        let answer = start(&app, &[], &json!({"clientId": client, "secret": key}).to_string()).await;
        assert_eq!(assert_error(&answer, 400, "ValidationException", pointer), [pointer]);
    }
    for customer in ["", " ", &"c".repeat(129)] {
        let answer = start(&app, &[("x-source-customer-id", customer)], &credentials().to_string()).await;
        assert_eq!(assert_error(&answer, 400, "ValidationException", customer), [""]);
        assert!(answer.body.contains("x-source-customer-id"), "{}", answer.body);
    }
    let headers = [("content-type", "application/json")];
    let answer = app.send(Method::POST, PATH, &headers, credentials().to_string()).await;
    assert_eq!(assert_error(&answer, 400, "ValidationException", "no customer"), [""]);
}

#[tokio::test]
async fn of_several_faults_the_first_in_the_contracts_order_answers() {
    let app = App::start().await;
    let wrong = json!({"clientId": "demo-client", "secret": "wrong"}).to_string();
    let good = credentials().to_string();
    let padding = " ".repeat(256 * 1024);
    let no_customer = [("x-source-customer-id", "")];
    let text = [("content-type", "text/plain")];
    assert_eq!(app.send(Method::PUT, PATH, &text, "{").await.status, 405);
    // Invalid credentials are reported before other faults of the body.
    assert_eq!(start(&app, &no_customer, &wrong).await.status, 401);
    assert_eq!(start(&app, &[], &wrong.replacen('{', r#"{"x":1,"x":1,"#, 1)).await.status, 401);
    assert_eq!(start(&app, &text, &(good.clone() + &padding)).await.status, 413);
    assert_eq!(start(&app, &[], &("{".to_owned() + &padding)).await.status, 413);
    assert_eq!(start(&app, &text, "{").await.status, 415);
    assert_eq!(start(&app, &text, &good).await.status, 415);
    assert_eq!(start(&app, &no_customer, &good).await.status, 400);
}
