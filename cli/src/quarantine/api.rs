//! The API that requests are sent to again: at a URL, or in this process.

use std::{fmt, str::FromStr, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use axum::{Router, body::to_bytes};
use lambda_http::{
    Service as _,
    http::{Request, Uri},
};
use punchcard_store::Store;

use crate::{limits::Limits, registry, router};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a request. Longer than API Gateway's.
const TIMEOUT: Duration = Duration::from_secs(35);
/// Requests are sent one after the other.
const CONCURRENCY: usize = 1;
/// Maximum size of a response: API Gateway's.
const MAX_RESPONSE_BYTES: usize = 10 * 1024 * 1024;

/// Where an API is: an absolute URL without a path of its own parameters.
#[derive(Debug, Clone)]
pub struct ApiUrl(String);

/// Not the URL of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidApiUrl {
    /// Not a URL.
    #[error("use a URL such as https://loyalty.example.com")]
    NotAUrl,
    /// Credentials would be sent in plain text.
    #[error("use https://; http:// is possible on this machine only, because credentials are sent")]
    NotEncrypted,
}

impl FromStr for ApiUrl {
    type Err = InvalidApiUrl;

    fn from_str(text: &str) -> Result<Self, InvalidApiUrl> {
        let url: Uri = text.parse().map_err(|_| InvalidApiUrl::NotAUrl)?;
        let (Some(scheme), Some(host), None) = (url.scheme_str(), url.host(), url.query()) else {
            return Err(InvalidApiUrl::NotAUrl);
        };
        match scheme {
            "https" => {}
            "http" if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => {}
            "http" => return Err(InvalidApiUrl::NotEncrypted),
            _ => return Err(InvalidApiUrl::NotAUrl),
        }
        Ok(ApiUrl(text.trim_end_matches('/').to_owned()))
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// There is no response. Has nothing of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No response in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection failed.
    #[error("the connection failed")]
    Unreached,
    /// The request cannot be built.
    #[error("the request cannot be built")]
    Invalid,
}

/// An API.
pub enum Api {
    /// At a URL.
    At(ApiUrl, Connector),
    /// The router of `serve`, on a store of this machine. It has no quarantine.
    InProcess(Router),
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Api::At(..) => "At",
            Api::InProcess(_) => "InProcess",
        })
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

    /// Opens the API on a store.
    pub async fn on(store: &Store) -> Self {
        Api::InProcess(router::router(registry::open_all(store).await, &Limits::new(CONCURRENCY)))
    }

    /// Sends a request, whose URI is a path.
    ///
    /// # Errors
    /// There is no response.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Answer, SendError> {
        let answering = async {
            match self {
                Api::At(url, connector) => send_to(url, connector, request).await,
                Api::InProcess(router) => send_in_process(router.clone(), request).await,
            }
        };
        tokio::time::timeout(TIMEOUT, answering).await.unwrap_or(Err(SendError::TimedOut))
    }
}

async fn send_in_process(mut router: Router, request: Request<Vec<u8>>) -> Result<Answer, SendError> {
    let Ok(response) = router.call(request.map(axum::body::Body::from)).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), MAX_RESPONSE_BYTES).await.map_err(|_| SendError::Unreached)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

async fn send_to(url: &ApiUrl, connector: &Connector, request: Request<Vec<u8>>) -> Result<Answer, SendError> {
    let (mut parts, body) = request.into_parts();
    parts.uri = format!("{}{}", url.0, parts.uri).parse().map_err(|_| SendError::Invalid)?;
    parts.headers.insert("content-length", body.len().into());
    let request = HttpRequest::try_from(Request::from_parts(parts, SdkBody::from(body)));
    let response = match connector.call(request.map_err(|_| SendError::Invalid)?).await {
        Ok(response) => response,
        Err(error) if error.is_timeout() => return Err(SendError::TimedOut),
        Err(_) => return Err(SendError::Unreached),
    };
    let status = response.status().as_u16();
    let body = ByteStream::new(response.into_body()).collect().await.map_err(|_| SendError::Unreached)?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body.into_bytes()).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_sent_in_plain_text() {
        for url in ["https://a.example", "https://a.example/stage/", "http://127.0.0.1:3000", "http://localhost:3000/"]
        {
            assert!(!url.parse::<ApiUrl>().expect(url).0.ends_with('/'));
        }
        assert_eq!("http://a.example".parse::<ApiUrl>().err(), Some(InvalidApiUrl::NotEncrypted));
        for other in ["", "a.example", "/path", "ftp://a.example", "https://a.example?x=1"] {
            assert_eq!(other.parse::<ApiUrl>().err(), Some(InvalidApiUrl::NotAUrl), "{other}");
        }
    }
}
