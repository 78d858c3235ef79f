//! `punchcard client`: manages API clients and API keys.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{Args, Subcommand, ValueEnum};
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::{ClientId, InvalidId},
};
use punchcard_store::{AddOutcome, Caller};
use serde_json::json;

use crate::{
    failure::Failure,
    operator::{Operator, Target, with_spinner},
    output::say,
    set_up,
};

/// Add, list and revoke API clients and API keys
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a client, or an API key with its secret key. Secrets are shown only once
    #[command(after_help = "Examples:\n  punchcard client add mobile-app --for client-events --stack loyalty\n  \
        punchcard client add support --for activities --for corrections --stack loyalty\n  \
        punchcard client add shop --for player-events --stack loyalty")]
    Add {
        /// Client id or API key name. A client id consists of letters, digits and . _ -
        name: String,
        /// API that the client may call. Can be repeated, except for player-events, which creates an API key
        #[arg(long = "for", value_enum, required = true, num_args = 1)]
        apis: Vec<Api>,
    },
    /// List clients and API keys
    #[command(after_help = "Examples:\n  punchcard client list --stack loyalty --region eu-west-1\n  \
        punchcard client list --data .punchcard --json")]
    List,
    /// Revoke a client or an API key. Takes effect within 60 seconds, also for issued tokens
    #[command(after_help = "Example:\n  punchcard client revoke mobile-app --stack loyalty")]
    Revoke {
        /// Client id or API key name
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Api {
    ClientEvents,
    Activities,
    /// Reversals and adjustments, in addition to activities
    Corrections,
    PlayerEvents,
}

/// Runs the command.
///
/// # Errors
/// The name exists, is unknown or is not valid, or a store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let json = options.target.json;
    match options.command {
        Command::Add { name, apis } => {
            // Validated first, so that an invalid name is reported without a connection.
            let new = NewCaller::new(name, &apis)?;
            let operator = options.target.open().await?;
            add(&operator, &new, json).await.map_err(|failure| operator.explain(failure))
        }
        Command::List => {
            let operator = options.target.open().await?;
            list(&operator, json).await.map_err(|failure| operator.explain(failure))
        }
        Command::Revoke { name } => {
            let operator = options.target.open().await?;
            revoke(&operator, &name, json).await.map_err(|failure| operator.explain(failure))
        }
    }
}

/// A caller to add.
#[derive(Debug)]
struct NewCaller {
    name: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Client(ClientId, Vec<Scope>),
    ApiKey,
}

impl NewCaller {
    fn new(name: String, apis: &[Api]) -> Result<Self, Failure> {
        let id: ClientId = name.parse().map_err(|rule: InvalidId| Failure::Name(name.clone(), rule.to_string()))?;
        if name.chars().any(char::is_control) {
            return Err(Failure::Name(name, "must not have control characters".to_owned()));
        }
        for (index, api) in apis.iter().enumerate() {
            if apis[..index].contains(api) {
                let value = api.to_possible_value();
                return Err(Failure::ApiTwice(value.map(|value| value.get_name().to_owned()).unwrap_or_default()));
            }
        }
        let scopes: Vec<_> = apis.iter().filter_map(|api| scope(*api)).collect();
        if scopes.is_empty() {
            return Ok(NewCaller { name, kind: Kind::ApiKey });
        }
        if scopes.len() < apis.len() {
            return Err(Failure::KeyAndClient);
        }
        if let Some(missing) = scopes.iter().find(|scope| !scopes.contains(&scope.api())) {
            return Err(Failure::NeedsApi(missing.as_str(), missing.api().as_str()));
        }
        // RFC 6749 requires form-encoding of ids in HTTP Basic, but not all clients implement it. Ids that need no
        // encoding work with all of them.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return Err(Failure::Name(
                name,
                "must have A-Z a-z 0-9 . _ - only, which need no encoding in HTTP Basic".to_owned(),
            ));
        }
        Ok(NewCaller { name, kind: Kind::Client(id, scopes) })
    }
}

async fn revoke(operator: &Operator, name: &str, in_json: bool) -> Result<(), Failure> {
    let revoking = operator.admin.revoke(name, punchcard_runtime::now());
    with_spinner("revoking", revoking).await.map_err(|error| Failure::of_admin(error, name))?;
    if in_json {
        say!("{}", json!({"revoked": name}));
    } else {
        say!("Revoked {name}. It takes effect within 60 seconds, also for issued tokens.");
    }
    Ok(())
}

async fn add(operator: &Operator, new: &NewCaller, in_json: bool) -> Result<(), Failure> {
    let name = &new.name;
    let known = with_spinner("reading the clients", operator.admin.callers()).await?;
    if known.iter().any(|caller| caller.name == *name) {
        return Err(Failure::NameTaken(name.clone()));
    }
    let now = punchcard_runtime::now();
    set_up::ensure_keys(&operator.admin, now).await?;
    let secret = BASE64_URL_SAFE_NO_PAD.encode(set_up::random()?);
    let secret_key = BASE64_URL_SAFE_NO_PAD.encode(set_up::random()?);
    let digest = SecretDigest::of(&secret);
    let made = match &new.kind {
        Kind::ApiKey => operator.admin.add_api_key(name, digest, SecretDigest::of(&secret_key), now).await?,
        Kind::Client(id, scopes) => operator.admin.add_client(id, digest, scopes, now).await?,
    };
    if made == AddOutcome::Existed {
        return Err(Failure::NameTaken(name.clone()));
    }
    match (in_json, &new.kind) {
        (true, Kind::ApiKey) => say!("{}", json!({"name": name, "apiKey": secret, "secretKey": secret_key})),
        (true, Kind::Client(..)) => say!("{}", json!({"clientId": name, "secret": secret})),
        (false, Kind::ApiKey) => say!(
            "API key {name}, shown only once:\n  APIKey     {secret}\n  SecretKey  {secret_key}   (for refunds; not for apps)"
        ),
        (false, Kind::Client(..)) => say!("clientId  {name}\nsecret    {secret}   (shown only once)"),
    }
    Ok(())
}

fn scope(api: Api) -> Option<Scope> {
    match api {
        Api::ClientEvents => Some(Scope::ClientEvents),
        Api::Activities => Some(Scope::Activities),
        Api::Corrections => Some(Scope::Corrections),
        Api::PlayerEvents => None,
    }
}

async fn list(operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let callers = with_spinner("reading the clients", operator.admin.callers()).await?;
    let apis = |caller: &Caller| caller.scopes.clone().unwrap_or_else(|| vec!["player-events".to_owned()]);
    if in_json {
        let list = callers.iter().map(|caller| {
            json!({
                "name": caller.name,
                "for": apis(caller),
                "createdAt": caller.created_at,
                "revokedAt": caller.revoked_at,
            })
        });
        say!("{}", list.collect::<serde_json::Value>());
        return Ok(());
    }
    for caller in &callers {
        let revoked = caller.revoked_at.as_ref().map(|at| format!("  revoked {at}")).unwrap_or_default();
        say!("{:24} {:28} added {}{revoked}", caller.name, apis(caller).join(", "), caller.created_at);
    }
    Ok(())
}
