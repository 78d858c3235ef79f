//! The SDK's configuration, made once when a process starts.

use std::{env, sync::Arc, time::Duration};

use aws_config::{BehaviorVersion, Region, environment::EnvironmentVariableCredentialsProvider};
#[cfg(feature = "operator")]
use aws_sdk_dynamodb::config::ProvideCredentials as _;
use aws_sdk_dynamodb::{
    Client, Config,
    config::{
        self, Credentials, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};

use crate::sdk_metrics::{self, SdkMetrics};

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
    /// `DYNAMODB_ENDPOINT` for one that isn't AWS's, whose certificate `SSL_CERT_FILE` may vouch for.
    #[must_use]
    pub fn from_env() -> Self {
        let prefix = env::var("TABLE_PREFIX").unwrap_or_default();
        let region = env::var("AWS_REGION").unwrap_or_else(|_| "us-east-1".to_owned());
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        Store::connect(&prefix, region, credentials, env::var("DYNAMODB_ENDPOINT").ok())
    }

    /// The store that an operator means: the SDK's ordinary credentials and region, and whatever `endpoint` says.
    #[cfg(feature = "operator")]
    pub async fn of_operator(prefix: &str, endpoint: Option<String>) -> Self {
        let config = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client()).load().await;
        let region = config.region().map_or_else(|| "us-east-1".to_owned(), ToString::to_string);
        // Whoever names an endpoint may have no credentials at all: the embedded store asks for none.
        let unchecked =
            || SharedCredentialsProvider::new(Credentials::new("punchcard", "punchcard", None, None, "any"));
        let credentials = match (config.credentials_provider(), &endpoint) {
            (Some(provider), None) => provider,
            (Some(provider), Some(_)) if provider.provide_credentials().await.is_ok() => provider,
            _ => unchecked(),
        };
        Store::connect(prefix, region, credentials, endpoint)
    }

    /// A store that asks for no real credentials, such as the embedded one.
    #[must_use]
    pub fn local(endpoint: &str, prefix: &str) -> Self {
        let credentials = Credentials::new("punchcard", "punchcard", None, None, "embedded store");
        let credentials = SharedCredentialsProvider::new(credentials);
        Store::connect(prefix, "us-east-1".to_owned(), credentials, Some(endpoint.to_owned()))
    }

    fn connect(prefix: &str, region: String, credentials: SharedCredentialsProvider, endpoint: Option<String>) -> Self {
        let mut config =
            Config::builder().region(Region::new(region)).credentials_provider(credentials).http_client(http_client());
        config.set_endpoint_url(endpoint.filter(|endpoint| !endpoint.is_empty()));
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

fn http_client() -> SharedHttpClient {
    let mut roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    if let Some(more) = env::var_os("SSL_CERT_FILE").and_then(|path| std::fs::read(path).ok()) {
        roots = roots.with_pem_certificate(more);
    }
    let context = TlsContext::builder().with_trust_store(roots).build();
    let builder = aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    match context {
        Ok(context) => builder.tls_context(context).build_https(),
        // Only an unreadable SSL_CERT_FILE gets here.
        Err(_) => builder.build_https(),
    }
}
