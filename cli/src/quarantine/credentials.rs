//! Credentials of the requests that are sent again: the quarantine has none.

use std::{env, fmt, fs, path::Path, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lambda_http::http::{HeaderMap, HeaderValue, Request, header};
use punchcard_http::{
    Dialect,
    route::{REFUND_ORDER, ROUTES},
};
use punchcard_quarantine::Entry;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::{Answer, Api, SendError};
use crate::{demo, failure::Failure};

const CLIENT_ID: &str = "PUNCHCARD_CLIENT_ID";
const CLIENT_SECRET: &str = "PUNCHCARD_CLIENT_SECRET";
const API_KEY: &str = "PUNCHCARD_API_KEY";
const SECRET_KEY: &str = "PUNCHCARD_SECRET_KEY";

const CUSTOMER: &str = "x-source-customer-id";

/// The time that a token is used. Session tokens are valid for 15 minutes.
const TOKEN_AGE: Duration = Duration::from_mins(10);

/// The credentials of a client and of a shop.
pub struct Credentials {
    client: Option<(String, String)>,
    api_key: Option<String>,
    secret_key: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Reads the credentials from a file with lines such as `PUNCHCARD_API_KEY=…`, from the environment, or for the demo
    /// its own, in this order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(file: Option<&Path>, is_demo: bool) -> Result<Self, Failure> {
        let text = match file {
            Some(file) => fs::read_to_string(file).map_err(|error| Failure::Read(file.to_owned(), error))?,
            None => String::new(),
        };
        let value = |name: &str, of_demo: &str| {
            let in_file = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            let found = in_file.map(|value| value.trim().to_owned()).or_else(|| env::var(name).ok());
            found.filter(|value| !value.is_empty()).or_else(|| is_demo.then(|| of_demo.to_owned()))
        };
        let client = value(CLIENT_ID, demo::CLIENT).zip(value(CLIENT_SECRET, demo::SECRET));
        let (api_key, secret_key) = (value(API_KEY, demo::API_KEY), value(SECRET_KEY, demo::SECRET_KEY));
        Ok(Credentials { client, api_key, secret_key })
    }

    /// Checks that there are credentials for the requests of a function.
    ///
    /// # Errors
    /// There are none, or the function is not known.
    pub fn check(&self, function: &str) -> Result<(), Failure> {
        let missing = |variables| Failure::NoCredentialsFor(function.to_owned(), variables);
        match Kind::of(function)? {
            Kind::Session | Kind::Access => {
                self.client.as_ref().map(drop).ok_or_else(|| missing("PUNCHCARD_CLIENT_ID and PUNCHCARD_CLIENT_SECRET"))
            }
            Kind::ApiKey => self.api_key.as_ref().map(drop).ok_or_else(|| missing("PUNCHCARD_API_KEY")),
            Kind::SecretKey => {
                let both = self.api_key.as_ref().and(self.secret_key.as_ref());
                both.map(drop).ok_or_else(|| missing("PUNCHCARD_API_KEY and PUNCHCARD_SECRET_KEY"))
            }
        }
    }
}

/// What a request is authenticated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A session token, which is of one customer.
    Session,
    /// An access token.
    Access,
    ApiKey,
    /// The API key and its secret.
    SecretKey,
}

/// Returns the dialect of a function's requests, or `None` if there is no such function.
pub fn dialect(function: &str) -> Option<Dialect> {
    let route = ROUTES.iter().find(|route| route.function == function)?;
    route.paths.first().map(|path| path.dialect)
}

impl Kind {
    fn of(function: &str) -> Result<Self, Failure> {
        match dialect(function) {
            Some(Dialect::ClientEvents) => Ok(Kind::Session),
            Some(Dialect::Activities) => Ok(Kind::Access),
            Some(Dialect::PlayerEvents | Dialect::PlayerEventsV4) if function == REFUND_ORDER.function => {
                Ok(Kind::SecretKey)
            }
            Some(Dialect::PlayerEvents | Dialect::PlayerEventsV4) => Ok(Kind::ApiKey),
            Some(Dialect::OAuth) | None => Err(Failure::UnknownFunction(function.to_owned())),
        }
    }
}

/// There is no token for a request.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// The endpoint that issues tokens refused.
    #[error("no token was issued")]
    Refused(Answer),
    /// The endpoint that issues tokens did not answer.
    #[error("no token was issued: {0}")]
    Unanswered(#[from] SendError),
    /// The credentials cannot be sent.
    #[error("no token was issued: the request cannot be built")]
    Invalid,
}

/// Authenticates requests, with a token that is issued when one is needed.
#[derive(Debug)]
pub struct Authenticator<'a> {
    api: &'a Api,
    credentials: &'a Credentials,
    access: Option<Issued>,
    /// The last customer's.
    session: Option<(Vec<u8>, Issued)>,
}

#[derive(Debug, Clone)]
struct Issued {
    bearer: HeaderValue,
    at: Instant,
}

impl<'a> Authenticator<'a> {
    /// Creates an authenticator without tokens.
    #[must_use]
    pub fn new(api: &'a Api, credentials: &'a Credentials) -> Self {
        Authenticator { api, credentials, access: None, session: None }
    }

    /// Adds the credentials that an entry's request needs.
    ///
    /// # Errors
    /// No token was issued.
    pub async fn authenticate(&mut self, entry: &Entry, headers: &mut HeaderMap) -> Result<(), NoToken> {
        let kind = Kind::of(&entry.function).map_err(|_| NoToken::Invalid)?;
        match kind {
            Kind::Session => {
                let bearer = self.session_token(entry).await?;
                headers.insert(header::AUTHORIZATION, bearer);
            }
            Kind::Access => {
                let bearer = self.access_token().await?;
                headers.insert(header::AUTHORIZATION, bearer);
            }
            Kind::ApiKey => {
                headers.insert("apikey", secret(self.credentials.api_key.as_deref())?);
            }
            Kind::SecretKey => {
                headers.insert("apikey", secret(self.credentials.api_key.as_deref())?);
                headers.insert("secretkey", secret(self.credentials.secret_key.as_deref())?);
            }
        }
        Ok(())
    }

    async fn session_token(&mut self, entry: &Entry) -> Result<HeaderValue, NoToken> {
        let customer = entry.headers.get(CUSTOMER).map(|customer| customer.bytes().to_vec()).unwrap_or_default();
        if let Some((of, issued)) = &self.session
            && *of == customer
            && issued.at.elapsed() < TOKEN_AGE
        {
            return Ok(issued.bearer.clone());
        }
        let (id, client_secret) = self.credentials.client.as_ref().ok_or(NoToken::Invalid)?;
        let request = Request::post("/v2/session/startSession")
            .header(CUSTOMER, HeaderValue::from_bytes(&customer).map_err(|_| NoToken::Invalid)?)
            .header(header::CONTENT_TYPE, "application/json")
            .body(json!({"clientId": id, "secret": client_secret}).to_string().into_bytes());
        let issued = self.issue(request.map_err(|_| NoToken::Invalid)?, "sessionToken").await?;
        let bearer = issued.bearer.clone();
        self.session = Some((customer, issued));
        Ok(bearer)
    }

    async fn access_token(&mut self) -> Result<HeaderValue, NoToken> {
        if let Some(issued) = &self.access
            && issued.at.elapsed() < TOKEN_AGE
        {
            return Ok(issued.bearer.clone());
        }
        let (id, client_secret) = self.credentials.client.as_ref().ok_or(NoToken::Invalid)?;
        // RFC 6749, 2.3.1: both are form-encoded before they are joined.
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = BASE64_STANDARD.encode(format!("{}:{}", encoded(id), encoded(client_secret)));
        let request = Request::post("/oauth2/token")
            .header(header::AUTHORIZATION, secret(Some(&format!("Basic {basic}")))?)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(b"grant_type=client_credentials".to_vec());
        let issued = self.issue(request.map_err(|_| NoToken::Invalid)?, "access_token").await?;
        self.access = Some(issued.clone());
        Ok(issued.bearer)
    }

    async fn issue(&self, request: Request<Vec<u8>>, member: &str) -> Result<Issued, NoToken> {
        let answer = self.api.send(request).await?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        match body[member].as_str() {
            Some(token) if answer.status == 200 => {
                Ok(Issued { bearer: secret(Some(&format!("Bearer {token}")))?, at: Instant::now() })
            }
            _ => Err(NoToken::Refused(answer)),
        }
    }
}

/// Creates the value of a header that is not to be shown.
fn secret(value: Option<&str>) -> Result<HeaderValue, NoToken> {
    let mut value = HeaderValue::from_str(value.ok_or(NoToken::Invalid)?).map_err(|_| NoToken::Invalid)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn credentials_are_read_from_a_file_and_what_is_missing_is_named() {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        write!(file, "# of the shop\nPUNCHCARD_API_KEY = no\nPUNCHCARD_API_KEY=key-1\nPUNCHCARD_CLIENT_ID=c\n")
            .expect("written");
        let read = Credentials::read(Some(file.path()), false).expect("credentials");
        assert_eq!(read.api_key.as_deref(), Some("key-1"));
        read.check("track-event").expect("an API key");
        for (function, variables) in [
            ("send-activity", "PUNCHCARD_CLIENT_ID and PUNCHCARD_CLIENT_SECRET"),
            ("refund-order", "PUNCHCARD_API_KEY and PUNCHCARD_SECRET_KEY"),
        ] {
            let error = read.check(function).expect_err("an error").to_string();
            assert!(error.contains(function) && error.contains(variables), "{error}");
        }
        assert!(matches!(read.check("issue-token"), Err(Failure::UnknownFunction(_))));
        let demo = Credentials::read(None, true).expect("credentials");
        for function in ["send-client-event", "send-activity", "track-event", "refund-order"] {
            demo.check(function).expect("the demo's");
        }
    }
}
