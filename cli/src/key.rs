//! `punchcard key`: manages the keys that sign tokens.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    failure::Failure,
    operator::{Operator, Target, with_spinner},
    output::say,
};

/// Manage the keys that sign tokens
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign new tokens with a new key. Issued tokens stay valid until they expire
    #[command(after_help = "Example:\n  punchcard key rotate --stack loyalty")]
    Rotate,
}

/// Runs the command.
///
/// # Errors
/// A store call failed.
pub async fn run(options: Options) -> Result<(), Failure> {
    let operator = options.target.open().await?;
    let done = match options.command {
        Command::Rotate => rotate(&operator, options.target.json).await,
    };
    done.map_err(|failure| operator.explain(failure))
}

async fn rotate(operator: &Operator, in_json: bool) -> Result<(), Failure> {
    let (key, public) = punchcard_http::token::generate()?;
    let adding = operator.admin.add_signing_key(&key, &public, punchcard_runtime::now());
    with_spinner("adding the key", adding).await?;
    if in_json {
        say!("{}", json!({"keyId": key.id}));
    } else {
        say!("Added key {}. New tokens are signed with it within 60 seconds; issued tokens stay valid.", key.id);
    }
    Ok(())
}
