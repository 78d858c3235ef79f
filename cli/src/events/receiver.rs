//! Events sent to a URL, one in a request.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, HttpConnectorSettings},
    orchestrator::HttpRequest,
};
use aws_smithy_types::body::SdkBody;
use futures_util::{StreamExt as _, stream};
use lambda_http::http::Uri;
use punchcard_outbound::{OutboundEvent, pauses};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit of a request, with its answer.
const TIMEOUT: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Maximum number of concurrent requests, each for another member.
const CONCURRENCY: usize = 8;

/// The URL of a receiver. It may contain a secret, so it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ReceiverUrl(Uri);

/// A text that is no URL of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use a file, or an http:// or https:// URL with a host")]
pub struct InvalidUrl;

impl FromStr for ReceiverUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        let url: Uri = text.parse().map_err(|_| InvalidUrl)?;
        let has_host = url.host().is_some_and(|host| !host.is_empty());
        let is_http = matches!(url.scheme_str(), Some("http" | "https"));
        // The HTTP client sends no credentials of a URL.
        let has_credentials = url.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_host && is_http && !has_credentials { Ok(ReceiverUrl(url)) } else { Err(InvalidUrl) }
    }
}

impl fmt::Debug for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiverUrl")
    }
}

/// A receiver of events.
#[derive(Debug)]
pub struct Receiver {
    connector: Connector,
    url: ReceiverUrl,
}

/// The reason why an event was not received. Safe to log: it has nothing of the URL, which may contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum SendError {
    #[error("no answer in time")]
    TimedOut,
    #[error("the connection failed")]
    Unreached,
    #[error("status {0}")]
    Status(u16),
    #[error("the request cannot be built")]
    Invalid,
}

impl Receiver {
    /// Creates a client of a URL. Certificates are verified with the system's authorities.
    #[must_use]
    pub fn new(url: ReceiverUrl) -> Self {
        let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(TIMEOUT).build();
        let connector =
            Connector::builder().connector_settings(settings).tls_provider(Provider::Rustls(CryptoMode::Ring)).build();
        Receiver { connector, url }
    }

    /// Sends events until all are received: those of a member one after the other, in order.
    pub async fn send(&self, events: &[OutboundEvent]) {
        let mut members = BTreeMap::<&str, Vec<&OutboundEvent>>::new();
        for event in events {
            members.entry(&event.order_key).or_default().push(event);
        }
        let send = async |events: Vec<&OutboundEvent>| {
            for event in events {
                self.send_one(event).await;
            }
        };
        stream::iter(members.into_values()).for_each_concurrent(CONCURRENCY, send).await;
    }

    async fn send_one(&self, event: &OutboundEvent) {
        let body = event.envelope();
        let mut pauses = pauses(FIRST_PAUSE, LONGEST_PAUSE);
        while let Err(error) = self.post(&body).await {
            tracing::warn!(%error, "an event was not received; it is sent again");
            tokio::time::sleep(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
        }
    }

    async fn post(&self, body: &str) -> Result<(), SendError> {
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST").map_err(|_| SendError::Invalid)?;
        request.set_uri(self.url.0.clone()).map_err(|_| SendError::Invalid)?;
        request.headers_mut().insert("content-type", "application/json");
        request.headers_mut().insert("content-length", body.len().to_string());
        let answer = tokio::time::timeout(TIMEOUT, self.connector.call(request)).await;
        match answer {
            Err(_) => Err(SendError::TimedOut),
            Ok(Err(error)) if error.is_timeout() => Err(SendError::TimedOut),
            Ok(Err(_)) => Err(SendError::Unreached),
            Ok(Ok(answer)) if answer.status().is_success() => Ok(()),
            Ok(Ok(answer)) => Err(SendError::Status(answer.status().as_u16())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_has_a_host_and_no_credentials() {
        for url in ["http://127.0.0.1:9/events?token=secret", "https://example.com", "https://[::1]:8443/"] {
            let url: ReceiverUrl = url.parse().expect("a URL");
            assert_eq!(format!("{url:?}"), "ReceiverUrl");
        }
        for url in ["http://", "http:///events", "ftp://example.com", "https://user:secret@example.com", "http://a b"] {
            assert_eq!(url.parse::<ReceiverUrl>(), Err(InvalidUrl), "{url}");
        }
    }
}
