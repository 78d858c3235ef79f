//! SDK clients, configured once per process.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider};
use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        self, Credentials, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Connector,
    tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::SharedHttpConnector;

use crate::{
    config::{ConfigError, DEFAULT_REGION, Environment},
    sdk_metrics::{self, SdkMetrics},
};

/// The root certificates of AWS endpoints. Parsing the system's root store would slow down every cold start.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// Time limit of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// Time limit of one read, including retries.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for opening a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const READ_ATTEMPTS: u32 = 4;
const FIRST_READ_PAUSE: Duration = Duration::from_millis(50);

/// A connection to DynamoDB and the prefix of the table names.
#[derive(Debug, Clone)]
pub struct Store {
    /// The client for reads, with SDK retries.
    pub(crate) reads: Client,
    /// The client for writes, without SDK retries: [`Retries`](crate::retry::Retries) must see each attempt's outcome.
    pub(crate) writes: Client,
    prefix: Arc<str>,
}

impl Store {
    /// Configures a store from environment variables: `TABLE_PREFIX`, `AWS_REGION`, AWS credentials, optionally
    /// `DYNAMODB_ENDPOINT` or `AWS_ENDPOINT_URL_DYNAMODB` for another endpoint, and `SSL_CERT_FILE` for its certificate
    /// authority.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        let Environment { table_prefix, region, endpoint, certificates } = Environment::read()?;
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        Ok(Store::connect(&table_prefix, region, credentials, endpoint, http_client(certificates)))
    }

    /// Configures a store that accepts any credentials, such as the embedded store.
    #[must_use]
    pub fn local(endpoint: &str, prefix: &str) -> Self {
        let credentials = Credentials::new("punchcard", "punchcard", None, None, "embedded store");
        let credentials = SharedCredentialsProvider::new(credentials);
        Store::connect(prefix, DEFAULT_REGION.to_owned(), credentials, Some(endpoint.to_owned()), http_client(None))
    }

    fn connect(
        prefix: &str,
        region: String,
        credentials: SharedCredentialsProvider,
        endpoint: Option<String>,
        http_client: SharedHttpClient,
    ) -> Self {
        let mut config =
            Config::builder().region(Region::new(region)).credentials_provider(credentials).http_client(http_client);
        config.set_endpoint_url(endpoint);
        Store::through(config, prefix)
    }

    /// Creates a store from an SDK configuration, and adds retries, timeouts and metrics.
    #[must_use]
    pub fn through(config: config::Builder, prefix: &str) -> Self {
        sdk_metrics::describe();
        let timeouts =
            || TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(ATTEMPT_TIMEOUT);
        let config = config
            .behavior_version(BehaviorVersion::v2026_01_12())
            .interceptor(SdkMetrics)
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build());
        let retries = RetryConfig::standard().with_max_attempts(READ_ATTEMPTS).with_initial_backoff(FIRST_READ_PAUSE);
        let reads =
            config.clone().retry_config(retries).timeout_config(timeouts().operation_timeout(READ_TIMEOUT).build());
        let writes = config.retry_config(RetryConfig::disabled()).timeout_config(timeouts().build());
        Store {
            reads: Client::from_conf(reads.build()),
            writes: Client::from_conf(writes.build()),
            prefix: prefix.into(),
        }
    }

    /// Returns a table's full name.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// Returns the AWS configuration of the environment, for clients of services other than DynamoDB.
///
/// # Errors
/// A variable is missing or invalid.
pub fn sdk_config() -> Result<SdkConfig, ConfigError> {
    let Environment { region, certificates, .. } = Environment::read()?;
    let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(http_client(certificates));
    Ok(config.build())
}

/// Returns an HTTP connector of the environment, for requests to AWS without an SDK client.
///
/// # Errors
/// A variable is invalid.
pub fn http_connector() -> Result<SharedHttpConnector, ConfigError> {
    let Environment { certificates, .. } = Environment::read()?;
    let builder = Connector::builder().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    Ok(SharedHttpConnector::new(builder.tls_context(tls_context(certificates)).build()))
}

/// Creates an HTTP client that trusts Amazon's certificate authorities and those in `certificates`.
pub(crate) fn http_client(certificates: Option<Vec<u8>>) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    builder.tls_context(tls_context(certificates)).build_https()
}

fn tls_context(certificates: Option<Vec<u8>>) -> TlsContext {
    let mut roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    if let Some(certificates) = certificates {
        roots = roots.with_pem_certificate(certificates);
    }
    // Building the context cannot fail in this version, and certificates are validated when they are read.
    TlsContext::builder().with_trust_store(roots).build().unwrap_or_default()
}
