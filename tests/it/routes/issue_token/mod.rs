//! `POST /oauth2/token`.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::ClientId,
};
use punchcard_store::Admin;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    activities::assert_headers,
    app::{Answer, App},
    players::compressed,
};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const IN_FORM: &str = "grant_type=client_credentials&client_id=demo-client&client_secret=demo-secret";

fn basic(credentials: impl AsRef<[u8]>) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(credentials))
}

async fn ask(app: &App, authorization: Option<&str>, form: &str) -> Answer {
    let headers: Vec<_> = [FORM].into_iter().chain(authorization.map(|value| ("authorization", value))).collect();
    app.send(Method::POST, "/oauth2/token", &headers, form).await
}

async fn add_client(app: &mut App, id: &str, secret: &str, scopes: &[Scope]) {
    let id = id.parse::<ClientId>().expect("an id");
    let admin = Admin::new(&app.store);
    admin.add_client(&id, SecretDigest::of(secret), scopes, punchcard_runtime::now()).await.expect("added");
    app.restart().await;
}

#[track_caller]
fn assert_oauth_error(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    let body = answer.json();
    assert_eq!(body["error"], code, "{body}");
    let members: Vec<_> = body.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["error", "error_description"]);
    assert_headers(answer);
}

#[tokio::test]
async fn a_client_proves_itself_by_http_basic_or_in_the_form() {
    let mut app = App::start().await;
    // RFC 6749, 2.3.1: form-encoded before they are joined.
    add_client(&mut app, "café: ä", "a+b&c%d e", &Scope::ALL).await;
    let demo = basic("demo-client:demo-secret");
    let odd = basic("caf%C3%A9%3A+%C3%A4:a%2Bb%26c%25d+e");
    for (authorization, form) in [
        (None, IN_FORM),
        (None, "client_secret=a%2Bb%26c%25d+e&client_id=caf%C3%A9%3A+%C3%A4&grant_type=client_credentials"),
        (Some(demo.as_str()), "grant_type=client_credentials"),
        (Some(&demo.replace("Basic", "basic")), "grant_type=client_credentials"),
        (Some(&odd), "grant_type=client_credentials"),
        // Its id may be in the form too, and what is empty or unknown is not there.
        (Some(&demo), "grant_type=client_credentials&client_id=demo-client"),
        (Some(&demo), "grant_type=client_credentials&client_id=&client_secret=&scope=&colour=blue"),
        (Some(&demo), "grant_type=client_credentials&scope=activities"),
        // Scopes that are unknown, or not of this API, are not granted (RFC 6749, 3.3).
        (Some(&demo), "grant_type=client_credentials&scope=read+write"),
        (Some(&demo), "grant_type=client_credentials&scope=activities+client-events+openid"),
        (Some(&demo), "grant_type=client_credentials&scope=client-events"),
        (Some(&demo), "grant_type=client_credentials&scope=%22%5C%0A"),
    ] {
        let answer = ask(&app, authorization, form).await;
        assert_eq!(answer.status, 200, "{authorization:?} {form}: {}", answer.body);
        assert_headers(&answer);
        let mut body = answer.json();
        let token = body["access_token"].take();
        let granted = json!({"access_token": null, "token_type": "Bearer", "expires_in": 3600, "scope": "activities"});
        assert_eq!(body, granted);

        let bearer = format!("Bearer {}", token.as_str().expect("a token"));
        let balances = app.send(Method::GET, "/client/users/c-1/balances", &[("authorization", &bearer)], "").await;
        assert_eq!(balances.status, 200, "{}", balances.body);
    }
}

#[tokio::test]
async fn the_form_may_name_its_charset() {
    let app = App::start().await;
    let headers = [("content-type", "Application/X-WWW-Form-URLEncoded; charset=UTF-8")];
    let answer = app.send(Method::POST, "/oauth2/token", &headers, IN_FORM).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[tokio::test]
async fn a_form_may_be_compressed() {
    let app = App::start().await;
    let headers = [FORM, ("content-encoding", "gzip")];
    let answer = app.send(Method::POST, "/oauth2/token", &headers, compressed(IN_FORM)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let headers = [FORM, ("content-encoding", "br")];
    let answer = app.send(Method::POST, "/oauth2/token", &headers, IN_FORM).await;
    assert_eq!((answer.status.as_u16(), answer.header("accept-encoding")), (415, Some("gzip")));
}

#[tokio::test]
async fn a_token_is_valid_for_an_hour_and_no_two_are_the_same() {
    let app = App::start().await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let token = ask(&app, None, IN_FORM).await.json()["access_token"].as_str().expect("a token").to_owned();
        let claims = token.split('.').nth(1).expect("three parts");
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        let [issued, expires] = ["iat", "exp"].map(|name| claims[name].as_i64().expect("a number"));
        assert_eq!(expires - issued, 3600);
        let now = punchcard_runtime::now().as_millis() / 1000;
        assert!((now - 60..=now).contains(&issued), "{issued} is not now, {now}");
        tokens.push(token);
    }
    assert_ne!(tokens[0], tokens[1]);
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_its_reason() {
    let app = App::start().await;
    let demo = basic("demo-client:demo-secret");
    for (form, error, words) in [
        ("", "invalid_request", "grant_type"),
        ("\u{feff}grant_type=client_credentials", "invalid_request", "byte order mark"),
        ("grant_type=", "invalid_request", "grant_type"),
        ("scope=activities", "invalid_request", "grant_type"),
        ("grant_type=password", "unsupported_grant_type", "client_credentials"),
        ("grant_type=Client_Credentials", "unsupported_grant_type", "client_credentials"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request", "grant_type"),
        ("grant_type=client_credentials&scope=activities&scope=activities", "invalid_request", "scope"),
        ("grant_type=client_credentials&colour=blue&colour=red", "invalid_request", "colour"),
        (IN_FORM, "invalid_request", "not both"),
    ] {
        let answer = ask(&app, Some(&demo), form).await;
        assert_oauth_error(&answer, 400, error);
        let description = answer.json()["error_description"].to_string();
        assert!(description.contains(words), "{form}: {description}");
    }
}

#[tokio::test]
async fn of_several_faults_the_first_of_method_credentials_size_and_type_answers() {
    let app = App::start().await;
    let wrong = basic("demo-client:wrong");
    let right = basic("demo-client:demo-secret");
    let text = ("content-type", "text/plain");
    let large = "x".repeat(256 * 1024 + 1);
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = app.send(method, "/oauth2/token", &[text, ("authorization", &wrong)], large.clone()).await;
        assert_oauth_error(&answer, 405, "invalid_request");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
    let post = async |authorization, content_type, body: &str| {
        app.send(Method::POST, "/oauth2/token", &[content_type, ("authorization", authorization)], body).await
    };
    assert_oauth_error(&post(&wrong, text, &large).await, 401, "invalid_client");
    assert_oauth_error(&post(&right, text, &large).await, 413, "invalid_request");
    assert_oauth_error(&post(&right, text, "grant_type=password").await, 415, "invalid_request");
    assert_oauth_error(&post(&right, ("content-type", "application/json"), "{}").await, 415, "invalid_request");
    assert_oauth_error(&post(&right, FORM, "grant_type=password").await, 400, "unsupported_grant_type");
}
