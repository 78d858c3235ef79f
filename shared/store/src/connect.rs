//! The connection: configured once, when a process starts.

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

use punchcard_models::timestamp::Timestamp;

use crate::{
    Activities, ActivityReader, Admin, BalanceReader, CatalogReader, ClientEvents, DigestKey, Outage, PlayerEventLog,
    PlayerReader, SessionOpener, Sessions, SigningKeys, Tables,
    measure::{self, Measure},
};

/// The roots that AWS endpoints chain to. The system's would cost each cold start megabytes of parsing.
const AMAZON_ROOTS: &[u8] = include_bytes!("roots.pem");

/// The longest that one call may take, its retries included: below the functions' own timeout.
const CALL: Duration = Duration::from_secs(5);
/// The longest that one try may take.
const TRY: Duration = Duration::from_secs(2);
/// The longest that opening a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
const TRIES: u32 = 4;
/// The longest that one reading at the start may take: Lambda ends a start after 10 seconds, and there may be two.
const START: Duration = Duration::from_secs(3);

/// A DynamoDB with the system's tables.
#[derive(Debug, Clone)]
pub struct Store {
    client: Client,
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

    /// A store that the SDK reaches as `config` says; what this system asks of any store, retries and timeouts among
    /// it, is added.
    #[must_use]
    pub fn through(config: config::Builder, prefix: &str) -> Self {
        measure::describe();
        let config = config
            .behavior_version(BehaviorVersion::v2026_01_12())
            .interceptor(Measure)
            // Tried again by the SDK: whole calls. By us: members of a batch, and conflicts.
            .retry_config(
                RetryConfig::standard().with_max_attempts(TRIES).with_initial_backoff(Duration::from_millis(50)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_attempt_timeout(TRY)
                    .operation_timeout(CALL)
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build());
        Store { client: Client::from_conf(config.build()), prefix: prefix.into() }
    }

    /// The client events.
    #[must_use]
    pub fn client_events(&self) -> ClientEvents {
        ClientEvents::new(self.client.clone(), self.table("ClientEvents"))
    }

    /// The activities, to record one.
    #[must_use]
    pub fn activities(&self) -> Activities {
        Activities::new(self.client.clone(), self.table("Activities"), self.table("Members"))
    }

    /// The activities, to look one up.
    #[must_use]
    pub fn activity_reader(&self) -> ActivityReader {
        ActivityReader::new(self.client.clone(), self.table("Activities"))
    }

    /// The members' balances.
    #[must_use]
    pub fn balances(&self) -> BalanceReader {
        BalanceReader::new(self.client.clone(), self.table("Members"))
    }

    /// The player events, to record some.
    #[must_use]
    pub fn player_event_log(&self) -> PlayerEventLog {
        PlayerEventLog::new(self.client.clone(), self.table("PlayerEvents"), self.table("Members"))
    }

    /// The players, to look one up.
    #[must_use]
    pub fn players(&self) -> PlayerReader {
        PlayerReader::new(self.client.clone(), self.table("Members"))
    }

    /// The key of the address digests. Read when it is first needed: most programmes merge nobody.
    #[must_use]
    pub fn digest_key(&self) -> DigestKey {
        DigestKey::new(self.client.clone(), self.table("Catalog"))
    }

    /// The sessions, to look one up.
    #[must_use]
    pub fn sessions(&self) -> Sessions {
        Sessions::new(self.client.clone(), self.table("Sessions"))
    }

    /// The sessions, to open one.
    #[must_use]
    pub fn session_opener(&self) -> SessionOpener {
        SessionOpener::new(self.client.clone(), self.table("Sessions"), self.table("Members"))
    }

    /// The catalog, as every function reads it. It is read now, which also opens the connection; if that fails, the
    /// first request tries again.
    pub async fn catalog(&self, now: Timestamp) -> CatalogReader {
        let reader = CatalogReader::new(self.client.clone(), self.table("Catalog"));
        warm_up(reader.current(now)).await;
        reader
    }

    /// The private keys, which only functions that issue tokens may read. Read now, like the catalog.
    pub async fn signing_keys(&self, now: Timestamp) -> SigningKeys {
        let keys = SigningKeys::new(self.client.clone(), self.table("Catalog"));
        warm_up(keys.newest(now)).await;
        keys
    }

    /// What an operator may do, and no function.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(self.client.clone(), self.table("Catalog"))
    }

    /// The tables themselves, where no template makes them.
    #[must_use]
    pub fn tables(&self) -> Tables {
        Tables::new(self.client.clone(), self.prefix.to_string())
    }

    fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// Reads what the first request would read, for as long as a function's start may take.
async fn warm_up<T>(read: impl Future<Output = Result<T, Outage>>) {
    match tokio::time::timeout(START, read).await {
        Ok(Ok(_)) => {}
        Ok(Err(outage)) => tracing::warn!(%outage, "not read at the start; the first request tries again"),
        Err(_) => tracing::warn!("not read in time for the start; the first request tries again"),
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
