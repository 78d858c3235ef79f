//! Sends requests to the API like a client, with a token or a key: to the API of the same process, or to a server.

use std::{fmt, str::FromStr, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, Uri, header},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use http_body_util::{BodyExt as _, Limited};
use lambda_http::Service as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    demo,
    samples::{Credential, Sent},
};

/// Maximum size of a response that is shown, in bytes: that of the largest one of the API.
const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a request to a server, with its response.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The API that requests are sent to.
pub enum Api {
    /// That of this process.
    InProcess(Router),
    /// That of a server.
    At(Server),
}

/// The address of a server: `http://` or `https://` with a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

/// A text that is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an http:// or https:// URL without a query, such as http://127.0.0.1:3000")]
pub struct InvalidServerUrl;

impl FromStr for ServerUrl {
    type Err = InvalidServerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidServerUrl> {
        let url: Uri = text.parse().map_err(|_| InvalidServerUrl)?;
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        let is_plain = url.query().is_none() && url.authority().is_some_and(|host| !host.as_str().contains('@'));
        if has_host && is_http && is_plain {
            Ok(ServerUrl(text.trim_end_matches('/').to_owned()))
        } else {
            Err(InvalidServerUrl)
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A server.
pub struct Server {
    connector: Connector,
    url: ServerUrl,
}

impl Server {
    /// Creates a client of a server.
    #[must_use]
    pub fn new(url: ServerUrl) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(TIMEOUT).build();
        let connector =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Server { connector, url }
    }
}

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

impl Secrets {
    /// Returns those of the demo, which are public.
    #[must_use]
    pub fn of_demo() -> Self {
        let [client, secret, api_key, secret_key] =
            [demo::CLIENT, demo::SECRET, demo::API_KEY, demo::SECRET_KEY].map(str::to_owned);
        Secrets { client, secret, api_key, secret_key }
    }
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

/// The reason why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The request cannot be built.
    #[error("The request cannot be sent: {0}.")]
    Invalid(String),
    /// No token was issued for it.
    #[error("No token was issued: status {0}. Check the id and the secret.")]
    NoToken(u16),
    /// The response is larger than any of the API.
    #[error("The response is too large to be shown.")]
    TooLarge,
    /// Nothing listens at the address, or the connection broke.
    #[error("The connection failed.")]
    Unreached,
    /// The server did not answer in time.
    #[error("There was no answer in time.")]
    TimedOut,
}

/// Sends a request with a credential.
///
/// # Errors
/// The request cannot be sent, or no token is issued for it.
pub async fn send(api: &Api, sent: &Sent, credential: Credential, secrets: &Secrets) -> Result<Received, SendError> {
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
    let answer = api.call(&sent.method, &sent.path, &headers, &sent.body).await?;
    let took = started.elapsed();
    let shown = ["content-type", "idempotent-replayed", "preference-applied", "retry-after", "x-request-id"];
    let shown = shown
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), answer.headers.get(name)?.to_str().ok()?.to_owned())));
    Ok(Received { status: answer.status, headers: shown.collect(), body: answer.body, took })
}

async fn client_token(api: &Api, secrets: &Secrets) -> Result<String, SendError> {
    let basic = BASE64_STANDARD.encode(format!("{}:{}", secrets.client, secrets.secret));
    let headers = [
        ("authorization".to_owned(), format!("Basic {basic}")),
        ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
    ];
    let answer = api.call("POST", "/oauth2/token", &headers, "grant_type=client_credentials").await?;
    answer.token("access_token")
}

async fn session_token(api: &Api, secrets: &Secrets, customer: &str) -> Result<String, SendError> {
    let headers = [
        ("x-source-customer-id".to_owned(), customer.to_owned()),
        ("content-type".to_owned(), "application/json".to_owned()),
    ];
    let body = json!({"clientId": secrets.client, "secret": secrets.secret}).to_string();
    api.call("POST", "/v2/session/startSession", &headers, &body).await?.token("sessionToken")
}

/// The parts of a response.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn token(&self, member: &str) -> Result<String, SendError> {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let token = body.get(member).and_then(Value::as_str).filter(|_| self.status.is_success());
        token.map(str::to_owned).ok_or(SendError::NoToken(self.status.as_u16()))
    }
}

impl Api {
    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<Answer, SendError> {
        match self {
            Api::InProcess(router) => call(router, method, path, headers, body).await,
            Api::At(server) => {
                let called = tokio::time::timeout(TIMEOUT, server.call(method, path, headers, body)).await;
                called.unwrap_or(Err(SendError::TimedOut))
            }
        }
    }
}

async fn call(
    router: &Router,
    method: &str,
    path: &str,
    headers: &[(String, String)],
    body: &str,
) -> Result<Answer, SendError> {
    let method: Method = method.parse().map_err(|_| SendError::Invalid("the method is not valid".to_owned()))?;
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, "localhost");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let invalid = |error: axum::http::Error| SendError::Invalid(error.to_string());
    let request = request.body(Body::from(body.to_owned())).map_err(invalid)?;
    let mut router = router.clone();
    let (parts, body) = match router.call(request).await {
        Ok(response) => response.into_parts(),
        Err(never) => match never {},
    };
    let body = to_bytes(body, MAX_RESPONSE_BYTES).await.map_err(|_| SendError::TooLarge)?;
    Ok(Answer { status: parts.status, headers: parts.headers, body: String::from_utf8_lossy(&body).into_owned() })
}

impl Server {
    async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(String, String)],
        body: &str,
    ) -> Result<Answer, SendError> {
        let invalid = |what: &str| SendError::Invalid(format!("the {what} is not valid"));
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method(method).map_err(|_| invalid("method"))?;
        request.set_uri(format!("{}{path}", self.url)).map_err(|_| invalid("address"))?;
        for (name, value) in headers {
            let added = request.headers_mut().try_insert(name.clone(), value.clone());
            added.map_err(|_| invalid("header"))?;
        }
        let length = request.headers_mut().try_insert("content-length", body.len().to_string());
        length.map_err(|_| invalid("length"))?;
        let answer = self.connector.call(request).await;
        let answer =
            answer.map_err(|error| if error.is_timeout() { SendError::TimedOut } else { SendError::Unreached })?;
        let answer = answer.try_into_http1x().map_err(|_| SendError::Unreached)?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() { SendError::TooLarge } else { SendError::Unreached }
        })?;
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_a_host_and_no_credentials() {
        for (text, url) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://example.com/prod/", "https://example.com/prod"),
            ("http://[::1]:3000/", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse::<ServerUrl>().map(|url| url.to_string()).as_deref(), Ok(url));
        }
        for text in ["127.0.0.1:3000", "http://", "ftp://a", "http://a:b@c", "http://a/?b", "http://a b", ""] {
            assert_eq!(text.parse::<ServerUrl>(), Err(InvalidServerUrl), "{text}");
        }
    }
}
