//! Operator connections: credentials, region and endpoint are resolved like in the AWS CLI.

use std::{error::Error, fmt, time::Duration};

use aws_config::{
    BehaviorVersion, ConfigLoader, Region, SdkConfig, profile::ProfileFileCredentialsProvider,
    provider_config::ProviderConfig,
};
use aws_sdk_dynamodb::config::{
    self, Credentials, ProvideCredentials as _, SharedCredentialsProvider, SharedHttpClient,
};

use crate::{
    Cause, Store, StoreError,
    client::http_client,
    config::{ConfigError, DEFAULT_REGION, certificates, endpoint, s3_endpoint, url},
};

/// Connection options. Absent options are read from the environment and the AWS configuration files.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    /// The profile.
    pub profile: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The endpoint URL.
    pub endpoint_url: Option<String>,
}

/// A connection cannot be configured. Messages use the terms of the AWS CLI.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// A variable or option is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No region is configured.
    #[error("you must specify a region: use --region, AWS_REGION, or the `region` of your profile")]
    NoRegion,
    /// No credentials were found.
    #[error(
        "unable to locate credentials: use --profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure` \
         ({0})"
    )]
    NoCredentials(String),
    /// The profile does not exist or provides no credentials.
    #[error("profile {profile:?} could not be found or provides no credentials: {cause}")]
    Profile {
        /// The profile's name.
        profile: String,
        /// The SDK's reason.
        cause: String,
    },
}

/// Time limit for asking AWS who the operator is.
const IDENTITY_LIMIT: Duration = Duration::from_secs(3);

/// A store, with the settings that error messages mention.
#[derive(Debug)]
pub struct OperatorStore {
    /// The store.
    pub store: Store,
    prefix: String,
    region: String,
    endpoint: Option<String>,
    /// Absent for a store outside AWS, which knows no identities, unless an endpoint of STS is configured.
    identities: Option<aws_sdk_sts::Client>,
}

/// The AWS configuration of an operator.
struct Resolved {
    sdk: SdkConfig,
    region: String,
    endpoint: Option<String>,
}

impl Store {
    /// Connects to the stack whose table names start with `prefix`. Resolves credentials immediately, so that missing
    /// credentials are reported as such and not as a failed store call.
    ///
    /// # Errors
    /// No region or credentials were found, or a setting is not valid.
    pub async fn of_operator(prefix: &str, connection: Connection) -> Result<OperatorStore, ConnectionError> {
        let Resolved { sdk, region, endpoint } = resolve(connection, endpoint).await?;
        let mut config = config::Builder::from(&sdk);
        if let Some(endpoint) = &endpoint {
            config = config.endpoint_url(endpoint);
        }
        let knows_identities = endpoint.is_none() || std::env::var_os("AWS_ENDPOINT_URL_STS").is_some();
        let identities = knows_identities.then(|| aws_sdk_sts::Client::new(&sdk));
        let (store, prefix) = (Store::through(config, prefix), prefix.to_owned());
        Ok(OperatorStore { store, prefix, region, endpoint, identities })
    }
}

/// Resolves the AWS configuration of an operator for S3, and the endpoint of another S3, if one is configured.
///
/// # Errors
/// No region or credentials were found, or a setting is not valid.
pub async fn operator_s3(connection: Connection) -> Result<(SdkConfig, Option<String>), ConnectionError> {
    let Resolved { sdk, endpoint, .. } = resolve(connection, s3_endpoint).await?;
    Ok((sdk, endpoint))
}

/// Resolves credentials, region and endpoint. `service_endpoint` reads the variables of the service's endpoint.
async fn resolve(
    connection: Connection,
    service_endpoint: fn() -> Result<Option<String>, ConfigError>,
) -> Result<Resolved, ConnectionError> {
    let named = match connection.endpoint_url.filter(|value| !value.is_empty()) {
        Some(value) => Some(url("--endpoint-url", value)?),
        None => service_endpoint()?,
    };
    let http_client = http_client(certificates()?);
    let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http_client.clone());
    let loader = with_options(loader, connection.profile.as_deref(), connection.region, &http_client).await;
    let sdk = loader.load().await;
    // The SDK reads `AWS_ENDPOINT_URL` and the profile's `endpoint_url`.
    let endpoint = named.or_else(|| sdk.endpoint_url().map(str::to_owned));

    let region = match (sdk.region(), &endpoint) {
        (Some(region), _) => region.to_string(),
        (None, Some(_)) => DEFAULT_REGION.to_owned(),
        (None, None) => return Err(ConnectionError::NoRegion),
    };
    let credentials = match sdk.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(|error| chain(&error)),
        None => Err("no credentials provider".to_owned()),
    };
    let credentials = match (credentials, connection.profile, &endpoint) {
        (Ok(credentials), ..) => credentials,
        (Err(cause), Some(profile), _) => return Err(ConnectionError::Profile { profile, cause }),
        // A local store requires a signature, but accepts any.
        (Err(_), None, Some(_)) => Credentials::new("punchcard", "punchcard", None, None, "any"),
        (Err(cause), None, None) => return Err(ConnectionError::NoCredentials(cause)),
    };
    let sdk = sdk
        .into_builder()
        .region(Region::new(region.clone()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build();
    Ok(Resolved { sdk, region, endpoint })
}

async fn with_options(
    loader: ConfigLoader,
    profile: Option<&str>,
    region: Option<String>,
    http_client: &SharedHttpClient,
) -> ConfigLoader {
    let region = region.map(Region::new);
    let loader = match region.clone() {
        Some(region) => loader.region(region),
        None => loader,
    };
    match profile {
        // A profile option takes precedence over credentials in the environment, as in the AWS CLI.
        Some(profile) => {
            // Profiles that use SSO or assume a role call AWS.
            let provider = ProviderConfig::without_region()
                .with_behavior_version(Some(BehaviorVersion::v2026_01_12()))
                .with_http_client(http_client.clone());
            let provider = match region {
                Some(region) => provider.with_region(Some(region)),
                None => provider.load_default_region().await,
            };
            let provider = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(profile);
            loader.profile_name(profile).credentials_provider(provider.build())
        }
        None => loader,
    }
}

/// `stack loyalty in eu-west-1`
impl fmt::Display for OperatorStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stack = self.prefix.strip_suffix('-').unwrap_or(&self.prefix);
        let place = self.endpoint.as_ref().unwrap_or(&self.region);
        write!(f, "stack {stack} in {place}")
    }
}

impl OperatorStore {
    /// Returns the ARN of the operator's credentials, or `None` if AWS does not tell in time.
    pub async fn identity(&self) -> Option<String> {
        let asked = self.identities.as_ref()?.get_caller_identity().send();
        tokio::time::timeout(IDENTITY_LIMIT, asked).await.ok()?.ok()?.arn
    }

    /// Explains a failed store call, if the operator can act on its cause.
    #[must_use]
    pub fn explain(&self, error: &StoreError) -> Option<String> {
        let endpoint = match &self.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => format!("DynamoDB in {}", self.region),
        };
        let (StoreError::Unavailable { cause, .. } | StoreError::OutcomeUnknown { cause, .. }) = error else {
            return None;
        };
        match cause {
            Cause::Unreached(why) => Some(format!("could not connect to {endpoint}: {why}")),
            Cause::TimedOut => Some(format!("could not connect to {endpoint}, or it did not respond in time")),
            Cause::Refused { code, .. } => {
                // Some services prefix the code with a namespace.
                let code = code.rsplit('#').next().unwrap_or(code);
                refusal(code, &endpoint, &self.prefix)
            }
            Cause::Busy => None,
        }
    }
}

fn refusal(code: &str, endpoint: &str, prefix: &str) -> Option<String> {
    let why = match code {
        "UnrecognizedClientException" | "InvalidClientTokenId" => {
            "the access key or session token is not valid".to_owned()
        }
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "IncompleteSignature" => {
            "the signature is wrong: check the secret access key and this machine's clock".to_owned()
        }
        "ExpiredTokenException" | "ExpiredToken" => "the session token has expired: log in again".to_owned(),
        "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => "no credentials were sent".to_owned(),
        "AccessDeniedException" | "AccessDenied" => {
            return Some(format!(
                "{endpoint} denied access ({code}): the credentials are valid, but their policies do not allow this on \
                 table {prefix}Catalog"
            ));
        }
        "ResourceNotFoundException" => {
            return Some(format!(
                "there is no table {prefix}Catalog at {endpoint}: check --stack, --region and --profile"
            ));
        }
        _ => return None,
    };
    Some(format!("{endpoint} refused the credentials ({code}): {why}"))
}

/// Formats an error with its sources, without repetitions.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explanations_distinguish_credentials_policies_and_tables() {
        for (code, part) in [
            ("UnrecognizedClientException", "refused the credentials (UnrecognizedClientException): the access key"),
            ("InvalidSignatureException", "refused the credentials (InvalidSignatureException): the signature"),
            ("ExpiredTokenException", "refused the credentials (ExpiredTokenException): the session token has expired"),
            ("AccessDeniedException", "denied access (AccessDeniedException)"),
            ("ResourceNotFoundException", "no table p-Catalog at DynamoDB in eu-west-1"),
        ] {
            let said = refusal(code, "DynamoDB in eu-west-1", "p-").expect("an explanation");
            assert!(said.contains(part), "{code}: {said}");
        }
        assert_eq!(refusal("InternalServerError", "DynamoDB", "p-"), None);
    }

    #[test]
    fn an_error_is_written_with_its_sources_each_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] Inner);
        #[derive(Debug, thiserror::Error)]
        #[error("inner")]
        struct Inner;
        #[derive(Debug, thiserror::Error)]
        #[error("all: {0}")]
        struct All(#[source] Outer);
        assert_eq!(chain(&Outer(Inner)), "outer: inner");
        assert_eq!(chain(&All(Outer(Inner))), "all: outer: inner");
    }
}
