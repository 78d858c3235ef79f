//! `punchcard client`: who may call.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{Args, Subcommand, ValueEnum};
use punchcard_models::access::{Scope, SecretDigest};
use punchcard_store::{Caller, SetUp};
use serde_json::json;

use crate::{
    failure::Failure,
    operator::{Operator, Target, patiently},
    set_up,
};

/// Who may call: clients with a secret, and API keys
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a client, or an API key; its secret is shown this once
    #[command(after_help = "Examples:\n  punchcard client add mobile-app --for client-events --stack loyalty\n  \
        punchcard client add shop --for player-events --stack loyalty")]
    Add {
        /// The client's id, or the API key's name
        name: String,
        /// What it may call; given again, for more than one. Player events have API keys, which call nothing else
        #[arg(long = "for", value_enum, required = true, num_args = 1)]
        apis: Vec<Api>,
    },
    /// List clients and API keys
    List,
    /// Revoke a client or an API key: refused within 60 seconds, its unexpired tokens too
    #[command(after_help = "Example:\n  punchcard client revoke mobile-app --stack loyalty")]
    Revoke {
        /// The client's id, or the API key's name
        name: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Api {
    ClientEvents,
    Activities,
    PlayerEvents,
}

/// Does it.
///
/// # Errors
/// The name is taken, unknown or no id, or the store could not be used.
pub async fn run(options: Options) -> Result<(), Failure> {
    let operator = options.target.open().await?;
    let json = options.target.json;
    match options.command {
        Command::Add { name, apis } => add(&operator, &name, &apis, json).await,
        Command::List => list(&operator, json).await,
        Command::Revoke { name } => {
            let revoked = operator.admin.revoke(&name, punchcard_runtime::now());
            patiently("revoking", revoked).await.map_err(|error| Failure::of_admin(error, &name))?;
            if json {
                println!("{}", json!({"revoked": name}));
            } else {
                println!("{name} is revoked: refused within 60 seconds, its unexpired tokens too.");
            }
            Ok(())
        }
    }
}

async fn add(operator: &Operator, name: &str, apis: &[Api], in_json: bool) -> Result<(), Failure> {
    let id = name.parse().map_err(|invalid| Failure::Name(name.to_owned(), invalid))?;
    let scopes: Vec<_> = apis.iter().filter_map(|api| scope(*api)).collect();
    let key_only = scopes.is_empty();
    if !key_only && scopes.len() < apis.len() {
        return Err(Failure::KeyAndClient);
    }
    let known = patiently("reading the clients", operator.admin.callers()).await?;
    if known.iter().any(|caller| caller.name == name) {
        return Err(Failure::NameTaken(name.to_owned()));
    }
    let now = punchcard_runtime::now();
    set_up::ensure_keys(&operator.admin, now).await?;
    let secret = BASE64_URL_SAFE_NO_PAD.encode(set_up::random()?);
    let digest = SecretDigest::of(&secret);
    let made = if key_only {
        operator.admin.add_api_key(name, digest, now).await?
    } else {
        operator.admin.add_client(&id, digest, &scopes, now).await?
    };
    if made == SetUp::WasThere {
        return Err(Failure::NameTaken(name.to_owned()));
    }
    match (in_json, key_only) {
        (true, true) => println!("{}", json!({"name": name, "apiKey": secret})),
        (true, false) => println!("{}", json!({"clientId": name, "secret": secret})),
        (false, true) => println!("API key of {name}, shown this once:\n  {secret}"),
        (false, false) => println!("clientId  {name}\nsecret    {secret}   (shown this once)"),
    }
    Ok(())
}

fn scope(api: Api) -> Option<Scope> {
    match api {
        Api::ClientEvents => Some(Scope::ClientEvents),
        Api::Activities => Some(Scope::Activities),
        Api::PlayerEvents => None,
    }
}

async fn list(operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let callers = patiently("reading the clients", operator.admin.callers()).await?;
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
        println!("{}", list.collect::<serde_json::Value>());
        return Ok(());
    }
    for caller in &callers {
        let revoked = caller.revoked_at.as_ref().map(|at| format!("  revoked {at}")).unwrap_or_default();
        println!("{:24} {:28} added {}{revoked}", caller.name, apis(caller).join(", "), caller.created_at);
    }
    Ok(())
}
