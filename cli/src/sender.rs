//! Sends sample requests with a credential, for `demo send` and the console.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use tokio::time::Instant;

use crate::{
    api::{Api, Authenticator, Credential, NoToken, Secrets, SendError},
    samples::Sent,
};

/// The headers of a response that are shown.
const SHOWN: [&str; 5] = ["content-type", "idempotent-replayed", "preference-applied", "retry-after", "x-request-id"];

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
pub async fn send(api: &Api, sent: &Sent, credential: Credential, secrets: &Secrets) -> Result<Received, NoToken> {
    let mut request = request(sent)?;
    Authenticator::new(api, secrets).authenticate(credential, request.headers_mut()).await?;
    let started = Instant::now();
    let answer = api.send(request).await?;
    let took = started.elapsed();
    let shown = |name: &str| Some((name.to_owned(), answer.headers.get(name)?.to_str().ok()?.to_owned()));
    let headers = SHOWN.into_iter().filter_map(shown).collect();
    Ok(Received { status: answer.status, headers, body: answer.body, took })
}

fn request(sent: &Sent) -> Result<Request<Vec<u8>>, SendError> {
    let mut request = Request::new(sent.body.clone().into_bytes());
    *request.method_mut() = Method::from_bytes(sent.method.as_bytes()).map_err(|_| SendError::Invalid("method"))?;
    *request.uri_mut() = sent.path.parse().map_err(|_| SendError::Invalid("path"))?;
    for (name, value) in &sent.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| SendError::Invalid("name of a header"))?;
        let value = HeaderValue::from_str(value).map_err(|_| SendError::Invalid("value of a header"))?;
        request.headers_mut().append(name, value);
    }
    Ok(request)
}
