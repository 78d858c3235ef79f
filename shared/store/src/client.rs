//! The SDK's configuration, made once when a process starts.

use std::{sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider};
use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        self, Credentials, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};

use crate::{
    config::{ConfigError, DEFAULT_REGION, Environment},
    sdk_metrics::{self, SdkMetrics},
};

/// The roots that AWS endpoints chain to. The system's would cost each cold start megabytes of parsing.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// The longest that one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest that one read may take, its retries included.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest that opening a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const READ_ATTEMPTS: u32 = 4;
const FIRST_READ_PAUSE: Duration = Duration::from_millis(50);

/// A DynamoDB with the system's tables.
#[derive(Debug, Clone)]
pub struct Store {
    /// The SDK retries reads.
    pub(crate) reads: Client,
    /// One attempt a call: [`Retries`](crate::retry::Retries) repeats writes, and has to see each attempt's outcome.
    pub(crate) writes: Client,
    prefix: Arc<str>,
}

impl Store {
    /// The store that the environment names: `TABLE_PREFIX`, `AWS_REGION` and the usual credentials variables;
    /// `DYNAMODB_ENDPOINT` or `AWS_ENDPOINT_URL_DYNAMODB` for one that is not AWS's, and `SSL_CERT_FILE` for its
    /// certificate authority.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        let Environment { table_prefix, region, endpoint, certificates } = Environment::read()?;
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        Ok(Store::connect(&table_prefix, region, credentials, endpoint, http_client(certificates)))
    }

    /// A store that accepts any credentials, such as the embedded one.
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

    /// A store that the SDK reaches as `config` says. Retries, timeouts and metrics are added.
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

    /// A table's full name.
    pub(crate) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// An HTTP client that trusts Amazon's certificate authorities, and those of `certificates`.
pub(crate) fn http_client(certificates: Option<Vec<u8>>) -> SharedHttpClient {
    let mut roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    if let Some(certificates) = certificates {
        roots = roots.with_pem_certificate(certificates);
    }
    let context = TlsContext::builder().with_trust_store(roots).build();
    let builder = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    match context {
        Ok(context) => builder.tls_context(context).build_https(),
        // The builder of this version never fails; certificates were checked when they were read.
        Err(_) => builder.build_https(),
    }
}
