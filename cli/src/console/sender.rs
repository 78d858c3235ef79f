//! Sends a request to the API of the same process, like a client: with a token or a key.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, Response, StatusCode, header},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use lambda_http::Service as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    problem::Problem,
    samples::{Credential, Sent},
};

/// Maximum size of a response that is shown, in bytes: that of the largest one of the API.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;

/// The secrets of the sender. They are used for one request and not stored.
pub struct Secrets {
    /// The client's id.
    pub client: String,
    /// The client's secret.
    pub secret: String,
    /// The API key.
    pub api_key: String,
    /// The secret key.
    pub secret_key: String,
}

/// A response.
pub struct Received {
    /// The status.
    pub status: StatusCode,
    /// The headers that say something about the request.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// The duration, without the request for a token.
    pub took: Duration,
}

/// Sends a request with a credential.
///
/// # Errors
/// The request cannot be sent, or no token is issued for it.
pub async fn send(api: &Router, sent: &Sent, credential: Credential, secrets: &Secrets) -> Result<Received, Problem> {
    let mut headers = sent.headers.clone();
    let bearer = |token| ("authorization".to_owned(), format!("Bearer {token}"));
    match credential {
        Credential::Client => headers.push(bearer(client_token(api, secrets).await?)),
        Credential::Session => {
            let customer = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("x-source-customer-id"));
            let customer = customer.map(|(_, value)| value.clone()).unwrap_or_default();
            headers.push(bearer(session_token(api, secrets, &customer).await?));
        }
        Credential::ApiKey => headers.push(("apikey".to_owned(), secrets.api_key.clone())),
        Credential::SecretKey => headers.extend([
            ("apikey".to_owned(), secrets.api_key.clone()),
            ("secretkey".to_owned(), secrets.secret_key.clone()),
        ]),
    }
    let started = Instant::now();
    let response = call(api, &sent.method, &sent.path, &headers, sent.body.clone()).await?;
    let took = started.elapsed();
    let shown = ["content-type", "idempotent-replayed", "preference-applied", "retry-after", "x-request-id"];
    let shown = shown
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), response.headers().get(name)?.to_str().ok()?.to_owned())));
    Ok(Received { status: response.status(), headers: shown.collect(), body: text(response).await?, took })
}

async fn client_token(api: &Router, secrets: &Secrets) -> Result<String, Problem> {
    let basic = BASE64_STANDARD.encode(format!("{}:{}", secrets.client, secrets.secret));
    let headers = [
        ("authorization".to_owned(), format!("Basic {basic}")),
        ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    ];
    let body = "grant_type=client_credentials".to_owned();
    token(call(api, "POST", "/oauth2/token", &headers, body).await?, "access_token").await
}

async fn session_token(api: &Router, secrets: &Secrets, customer: &str) -> Result<String, Problem> {
    let headers = [
        ("x-source-customer-id".to_owned(), customer.to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let body = json!({"clientId": secrets.client, "secret": secrets.secret}).to_string();
    token(call(api, "POST", "/v2/session/startSession", &headers, body).await?, "sessionToken").await
}

async fn token(response: Response<Body>, member: &str) -> Result<String, Problem> {
    let status = response.status();
    let body: Value = serde_json::from_str(&text(response).await?).unwrap_or_default();
    let refused =
        || Problem::Invalid(format!("No token was issued: status {}. Check the id and the secret.", status.as_u16()));
    body.get(member).and_then(Value::as_str).map(str::to_owned).ok_or_else(refused)
}

async fn call(
    api: &Router,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: String,
) -> Result<Response<Body>, Problem> {
    let method: Method = method.parse().map_err(|_| Problem::Invalid("The method is not valid.".to_owned()))?;
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let invalid = |error| Problem::Invalid(format!("The request cannot be sent: {error}."));
    let request = request.body(Body::from(body)).map_err(invalid)?;
    let mut api = api.clone();
    match api.call(request).await {
        Ok(response) => Ok(response),
        Err(never) => match never {},
    }
}

async fn text(response: Response<Body>) -> Result<String, Problem> {
    let body = to_bytes(response.into_body(), MAX_RESPONSE_BYTES).await;
    let body = body.map_err(|_| Problem::Failed("The response is too large to be shown.".to_owned()))?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}
