//! The connection: configured once, when a process starts.

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

use punchcard_models::timestamp::Timestamp;

use crate::{
    Activities, ActivityReader, Admin, BalanceReader, CatalogReader, ClientEvents, DigestKey, Outage, PlayerEventLog,
    PlayerReader, SessionOpener, Sessions, SigningKeys, Tables,
    config::{ConfigError, DEFAULT_REGION, Environment},
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
    /// `DYNAMODB_ENDPOINT` or `AWS_ENDPOINT_URL_DYNAMODB` for one that isn't AWS's, whose certificate `SSL_CERT_FILE`
    /// may vouch for.
    ///
    /// # Errors
    /// A variable is missing or invalid.
    pub fn from_env() -> Result<Self, ConfigError> {
        let Environment { table_prefix, region, endpoint, certificates } = Environment::read()?;
        let credentials = SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new());
        Ok(Store::connect(&table_prefix, region, credentials, endpoint, http_client(certificates)))
    }

    /// A store that asks for no real credentials, such as the embedded one.
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
