//! A client of the API, in this process or at a URL: for sample requests, and for requests that are sent again.

mod credentials;

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
    BoxError, Router,
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use lambda_http::Service as _;

pub use credentials::{Authenticator, Credential, NoToken, Secrets};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a request, with its response. Longer than API Gateway's.
const TIMEOUT: Duration = Duration::from_secs(35);
/// Maximum size of a response: API Gateway's.
const MAX_RESPONSE_BYTES: usize = 10 * 1024 * 1024;

/// The URL that an API's paths are appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiUrl(String);

/// A text that is not the URL of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiUrl {
    /// Not a URL with a host and without a query.
    #[error("use a URL such as https://loyalty.example.com or http://127.0.0.1:3000")]
    NotAUrl,
    /// Credentials would be sent in plain text.
    #[error("use https://; http:// is possible on this machine only, because credentials are sent")]
    NotEncrypted,
    /// The HTTP client does not send credentials of a URL.
    #[error("use a URL without credentials")]
    HasCredentials,
}

impl FromStr for ApiUrl {
    type Err = InvalidApiUrl;

    fn from_str(text: &str) -> Result<Self, InvalidApiUrl> {
        let url: Uri = text.parse().map_err(|_| InvalidApiUrl::NotAUrl)?;
        let (Some(scheme), Some(authority), None) = (url.scheme_str(), url.authority(), url.query()) else {
            return Err(InvalidApiUrl::NotAUrl);
        };
        if authority.as_str().contains('@') {
            return Err(InvalidApiUrl::HasCredentials);
        }
        match (scheme, authority.host()) {
            (_, "") => Err(InvalidApiUrl::NotAUrl),
            ("https", _) | ("http", "localhost" | "127.0.0.1" | "[::1]") => {
                Ok(ApiUrl(text.trim_end_matches('/').to_owned()))
            }
            ("http", _) => Err(InvalidApiUrl::NotEncrypted),
            _ => Err(InvalidApiUrl::NotAUrl),
        }
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

/// A request has no response. Has nothing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No response in time.
    #[error("there was no answer in time")]
    TimedOut,
    /// The connection could not be opened, or was lost.
    #[error("the connection failed")]
    Unreached,
    /// The response is larger than any of the API.
    #[error("the response is too large")]
    TooLarge,
    /// The request cannot be built. Carries the name of the part that is not valid.
    #[error("the {0} is not valid")]
    Invalid(&'static str),
}

/// An API.
pub enum Api {
    /// The router of `serve`, in this process.
    InProcess(Router),
    /// At a URL.
    At(ApiUrl, Connector),
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Api::InProcess(_) => f.write_str("InProcess"),
            Api::At(url, _) => f.debug_tuple("At").field(url).finish(),
        }
    }
}

impl Api {
    /// Creates a client of a URL. Certificates are verified with the system's authorities.
    #[must_use]
    pub fn at(url: ApiUrl) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(TIMEOUT).build();
        let connector =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Api::At(url, connector)
    }

    /// Sends a request, whose URI is a path.
    ///
    /// # Errors
    /// There is no response.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, SendError> {
        let answering = async {
            match self {
                Api::InProcess(router) => send_in_process(router.clone(), request).await,
                Api::At(url, connector) => send_to(url, connector, request).await,
            }
        };
        tokio::time::timeout(TIMEOUT, answering).await.unwrap_or(Err(SendError::TimedOut))
    }
}

async fn send_in_process(mut router: Router, mut request: Request<Vec<u8>>) -> Result<Answer, SendError> {
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    let Ok(response) = router.call(request.map(Body::from)).await;
    let (parts, body) = response.into_parts();
    Ok(Answer { status: parts.status, headers: parts.headers, body: text(body).await? })
}

async fn send_to(url: &ApiUrl, connector: &Connector, request: Request<Vec<u8>>) -> Result<Answer, SendError> {
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("{url}{}", parts.uri).parse().map_err(|_| SendError::Invalid("path"))?;
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let request = HttpRequest::try_from(Request::from_parts(parts, SdkBody::from(body)));
    let response = match connector.call(request.map_err(|_| SendError::Invalid("request"))?).await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(SendError::TimedOut),
        Err(_) => return Err(SendError::Unreached),
    };
    let (parts, body) = response.try_into_http1x().map_err(|_| SendError::Unreached)?.into_parts();
    Ok(Answer { status: parts.status, headers: parts.headers, body: text(body).await? })
}

/// Reads a body up to the limit.
async fn text<B>(body: B) -> Result<String, SendError>
where
    B: HttpBody,
    B::Error: Into<BoxError>,
{
    let body = Limited::new(body, MAX_RESPONSE_BYTES).collect().await;
    let failed =
        |error: BoxError| if error.is::<LengthLimitError>() { SendError::TooLarge } else { SendError::Unreached };
    let body = body.map_err(failed)?;
    Ok(String::from_utf8_lossy(&body.to_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_sent_in_plain_text() {
        for (text, url) in [
            ("https://a.example", "https://a.example"),
            ("https://a.example/stage/", "https://a.example/stage"),
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("http://[::1]:3000/", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse::<ApiUrl>().map(|url| url.to_string()).as_deref(), Ok(url));
        }
        assert_eq!("http://a.example".parse::<ApiUrl>(), Err(InvalidApiUrl::NotEncrypted));
        assert_eq!("https://a:b@c.example".parse::<ApiUrl>(), Err(InvalidApiUrl::HasCredentials));
        for other in ["", "a.example", "/path", "ftp://a.example", "http://", "https://a.example?x=1", "https://a b"] {
            assert_eq!(other.parse::<ApiUrl>(), Err(InvalidApiUrl::NotAUrl), "{other}");
        }
    }
}
