//! Uploads that are signed without S3's client.

use std::{
    error::Error as StdError,
    time::{Duration, SystemTime},
};

use aws_config::SdkConfig;
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector as _, SharedHttpConnector},
    identity::Identity,
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::{
    body::SdkBody,
    byte_stream::{AggregatedBytes, ByteStream},
};
use memchr::memmem;

use crate::S3Error;

/// Time limit of an attempt. A function answers only after the last.
const ATTEMPT_TIMEOUT: Duration = Duration::from_millis(700);
const ATTEMPTS: u32 = 2;

/// Maximum length of S3's error code and request id in a log line, in bytes.
const MAX_CODE_BYTES: usize = 64;

/// A bucket that small objects are written to.
#[derive(Debug)]
pub struct Upload {
    connector: SharedHttpConnector,
    credentials: SharedCredentialsProvider,
    region: String,
    /// The bucket's URL, without a slash at its end.
    url: String,
}

impl Upload {
    /// Configures an upload to the bucket in the configuration's region. `endpoint` is that of another S3, for tests.
    ///
    /// # Errors
    /// The configuration has no region or credentials.
    pub fn new(
        config: &SdkConfig,
        connector: SharedHttpConnector,
        bucket: &str,
        endpoint: Option<&str>,
    ) -> Result<Self, S3Error> {
        let region = config.region().ok_or(S3Error::NoCredentials)?.to_string();
        let credentials = config.credentials_provider().ok_or(S3Error::NoCredentials)?;
        let url = match endpoint {
            // Other endpoints have no domain for each bucket.
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{region}.{}", domain(&region)),
        };
        Ok(Upload { connector, credentials, region, url })
    }

    /// Writes an object, or overwrites it. All characters of its name may be in a URL.
    ///
    /// # Errors
    /// It was not written. It may have been, after [`S3Error::TimedOut`] and [`S3Error::Unreached`].
    pub async fn put(&self, name: &str, content_type: &str, content: &str) -> Result<(), S3Error> {
        let url = format!("{}/{name}", self.url);
        let mut attempt = 1;
        loop {
            let put = tokio::time::timeout(ATTEMPT_TIMEOUT, self.attempt(&url, content_type, content)).await;
            match put.unwrap_or(Err(Failed::for_good(S3Error::TimedOut))) {
                Ok(()) => return Ok(()),
                Err(Failed { is_temporary: true, .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(Failed { error, .. }) => return Err(error),
            }
        }
    }

    async fn attempt(&self, url: &str, content_type: &str, content: &str) -> Result<(), Failed> {
        let credentials = self.credentials.provide_credentials().await;
        let identity = credentials.map_err(|_| Failed::for_good(S3Error::NoCredentials))?.into();
        let headers = [("content-type", content_type)];
        let signed = signed(&identity, &self.region, SystemTime::now(), url, &headers, content);
        let signed = signed.map_err(|_| Failed::for_good(S3Error::Invalid))?;
        let response = self.connector.call(signed).await.map_err(|error| Failed::without_response(&error))?;
        if response.status().is_success() { Ok(()) } else { Err(Failed::refused(response).await) }
    }
}

/// A failed attempt.
struct Failed {
    error: S3Error,
    /// True if a second attempt may succeed at once.
    is_temporary: bool,
}

impl Failed {
    fn for_good(error: S3Error) -> Self {
        Failed { error, is_temporary: false }
    }

    fn without_response(error: &ConnectorError) -> Self {
        if error.is_timeout() {
            Failed::for_good(S3Error::TimedOut)
        } else {
            Failed { error: S3Error::Unreached, is_temporary: true }
        }
    }

    async fn refused(response: HttpResponse) -> Self {
        let status = response.status().as_u16();
        let request_id = printable(response.headers().get("x-amz-request-id").unwrap_or_default().as_bytes());
        let document = ByteStream::new(response.into_body()).collect().await.map(AggregatedBytes::into_bytes);
        let code = printable(code(&document.unwrap_or_default()).unwrap_or_default());
        Failed { error: S3Error::Refused { code, request_id }, is_temporary: status >= 500 || status == 429 }
    }
}

/// Returns the domain of AWS in a region.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}

/// Builds a `PUT` with a signature over its headers and body. The path of `url` is percent-encoded.
fn signed(
    identity: &Identity,
    region: &str,
    now: SystemTime,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Result<HttpRequest, Box<dyn StdError + Send + Sync>> {
    // S3 signs paths as they are sent, and wants the checksum of the body as a header.
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params =
        SigningParams::builder().identity(identity).region(region).name("s3").time(now).settings(settings).build()?;
    let signable = SignableRequest::new("PUT", url, headers.iter().copied(), SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &params.into())?.into_parts();

    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("PUT")?;
    request.set_uri(url)?;
    for (name, value) in headers.iter().copied().chain(instructions.headers()) {
        request.headers_mut().try_insert(name.to_owned(), value.to_owned())?;
    }
    Ok(request)
}

/// Returns the content of `<Code>`. The other members of the document may quote the request.
fn code(document: &[u8]) -> Option<&[u8]> {
    let (start, end) = (b"<Code>", b"</Code>");
    let rest = document.get(memmem::find(document, start)? + start.len()..)?;
    rest.get(..memmem::find(rest, end)?)
}

/// Returns text of a response in a form that fits in a log line.
fn printable(text: &[u8]) -> String {
    let is_plain = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let text: String = text.iter().filter(is_plain).take(MAX_CODE_BYTES).copied().map(char::from).collect();
    if text.is_empty() { "unknown".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;

    use super::*;

    /// The example `PUT Object` of AWS's documentation, "Authenticating Requests: Using the Authorization Header".
    #[test]
    fn a_request_is_signed_as_in_the_documentation_of_s3() {
        let identity =
            Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, None, "test");
        let headers = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(380_376);
        let url = "https://examplebucket.s3.amazonaws.com/test%24file.text";
        let request = signed(&identity.into(), "us-east-1", now, url, &headers, "Welcome to Amazon S3.");
        let request = request.expect("a request");
        assert_eq!((request.method(), request.uri()), ("PUT", url));
        assert_eq!(
            request.headers().get("x-amz-content-sha256"),
            Some("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        );
        assert_eq!(
            request.headers().get("authorization"),
            Some(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                 SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, \
                 Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
            )
        );
    }

    #[test]
    fn only_the_code_of_a_refusal_is_logged() {
        let document = b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>canary</Message></Error>";
        assert_eq!(printable(code(document).expect("a code")), "SlowDown");
        for document in ["", "<Code>", "</Code><Code>", "<html>canary</html>"] {
            assert_eq!(code(document.as_bytes()), None, "{document}");
        }
        assert_eq!(printable(b"a\nb \xff<c>"), "abc");
        assert_eq!(printable(b"\n"), "unknown");
        assert_eq!(printable(&[b'a'; 1000]).len(), MAX_CODE_BYTES);
    }

    #[test]
    fn china_has_a_domain_of_its_own() {
        assert_eq!(domain("cn-north-1"), "amazonaws.com.cn");
        assert_eq!(domain("us-gov-west-1"), "amazonaws.com");
    }
}
