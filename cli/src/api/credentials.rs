//! The credentials of requests, and the tokens that they are exchanged for.

use std::{fmt, time::Duration};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Answer, Api, SendError};
use crate::demo;

const CUSTOMER: HeaderName = HeaderName::from_static("x-source-customer-id");
const API_KEY: HeaderName = HeaderName::from_static("apikey");
const SECRET_KEY: HeaderName = HeaderName::from_static("secretkey");

/// The time that a token is used. Session tokens are valid for 15 minutes.
const TOKEN_AGE: Duration = Duration::from_mins(10);

/// The kind of credential that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// A session token for the customer in `x-source-customer-id`.
    Session,
    /// An access token of a client.
    Client,
    /// An API key.
    ApiKey,
    /// An API key and its secret key.
    SecretKey,
}

/// The secrets of a client and of a shop. Empty ones are absent.
#[derive(Default)]
pub struct Secrets {
    /// The client's id.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// The API key.
    pub api_key: String,
    /// The secret key.
    pub secret_key: String,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

impl Secrets {
    /// Returns those of the demo, which are public.
    #[must_use]
    pub fn of_demo() -> Self {
        let [client_id, client_secret, api_key, secret_key] =
            [demo::CLIENT, demo::SECRET, demo::API_KEY, demo::SECRET_KEY].map(str::to_owned);
        Secrets { client_id, client_secret, api_key, secret_key }
    }

    /// Returns true if there are the secrets that a credential needs.
    #[must_use]
    pub fn suffice(&self, credential: Credential) -> bool {
        let needed = match credential {
            Credential::Session | Credential::Client => [&self.client_id, &self.client_secret],
            Credential::ApiKey => [&self.api_key; 2],
            Credential::SecretKey => [&self.api_key, &self.secret_key],
        };
        needed.into_iter().all(|secret| !secret.is_empty())
    }
}

/// A request has no credential.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The endpoint that issues tokens refused.
    #[error("no token was issued: status {}", .0.status.as_u16())]
    Refused(Answer),
    /// The endpoint that issues tokens did not answer, or the secrets cannot be sent.
    #[error("no token was issued: {0}")]
    Unanswered(#[from] SendError),
}

/// Authenticates requests, with a token that is issued when one is needed.
#[derive(Debug)]
pub struct Authenticator<'a> {
    api: &'a Api,
    secrets: &'a Secrets,
    access: Option<Issued>,
    /// The token of the last customer.
    session: Option<(HeaderValue, Issued)>,
}

#[derive(Debug, Clone)]
struct Issued {
    bearer: HeaderValue,
    at: Instant,
}

impl Issued {
    fn is_fresh(&self) -> bool {
        self.at.elapsed() < TOKEN_AGE
    }
}

impl<'a> Authenticator<'a> {
    /// Creates an authenticator without tokens.
    #[must_use]
    pub fn new(api: &'a Api, secrets: &'a Secrets) -> Self {
        Authenticator { api, secrets, access: None, session: None }
    }

    /// Adds a credential to the headers of a request.
    ///
    /// # Errors
    /// No token was issued, or a secret cannot be sent.
    pub async fn authenticate(&mut self, credential: Credential, headers: &mut HeaderMap) -> Result<(), NoToken> {
        match credential {
            Credential::Session => {
                let customer = headers.get(CUSTOMER).cloned().unwrap_or(HeaderValue::from_static(""));
                let bearer = self.session_token(customer).await?;
                headers.insert(header::AUTHORIZATION, bearer);
            }
            Credential::Client => {
                let bearer = self.access_token().await?;
                headers.insert(header::AUTHORIZATION, bearer);
            }
            Credential::ApiKey => {
                headers.insert(API_KEY, secret(&self.secrets.api_key)?);
            }
            Credential::SecretKey => {
                headers.insert(API_KEY, secret(&self.secrets.api_key)?);
                headers.insert(SECRET_KEY, secret(&self.secrets.secret_key)?);
            }
        }
        Ok(())
    }

    async fn session_token(&mut self, customer: HeaderValue) -> Result<HeaderValue, NoToken> {
        if let Some((of, issued)) = &self.session
            && *of == customer
            && issued.is_fresh()
        {
            return Ok(issued.bearer.clone());
        }
        let Secrets { client_id, client_secret, .. } = self.secrets;
        let mut request =
            Request::new(json!({"clientId": client_id, "secret": client_secret}).to_string().into_bytes());
        request.headers_mut().insert(CUSTOMER, customer.clone());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let issued = self.issue("/v2/session/startSession", request, "sessionToken").await?;
        let bearer = issued.bearer.clone();
        self.session = Some((customer, issued));
        Ok(bearer)
    }

    async fn access_token(&mut self) -> Result<HeaderValue, NoToken> {
        if let Some(issued) = self.access.as_ref().filter(|issued| issued.is_fresh()) {
            return Ok(issued.bearer.clone());
        }
        // RFC 6749, 2.3.1: both are form-encoded before they are joined.
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let Secrets { client_id, client_secret, .. } = self.secrets;
        let basic = BASE64_STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(client_secret)));
        let mut request = Request::new(b"grant_type=client_credentials".to_vec());
        request.headers_mut().insert(header::AUTHORIZATION, secret(&format!("Basic {basic}"))?);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, form);
        let issued = self.issue("/oauth2/token", request, "access_token").await?;
        let bearer = issued.bearer.clone();
        self.access = Some(issued);
        Ok(bearer)
    }

    /// Sends a request for a token, which is a member of the response.
    async fn issue(&self, path: &'static str, mut request: Request<Vec<u8>>, member: &str) -> Result<Issued, NoToken> {
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(path);
        let answer = self.api.send(request).await?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match body[member].as_str() {
            Some(token) if answer.status == StatusCode::OK => {
                Ok(Issued { bearer: secret(&format!("Bearer {token}"))?, at: Instant::now() })
            }
            _ => Err(NoToken::Refused(answer)),
        }
    }
}

/// Creates the value of a header that is not to be shown.
fn secret(value: &str) -> Result<HeaderValue, SendError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| SendError::Invalid("credential"))?;
    value.set_sensitive(true);
    Ok(value)
}
