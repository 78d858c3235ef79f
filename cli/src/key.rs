//! `punchcard key`: the keys that sign tokens.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    failure::Failure,
    operator::{Operator, Target, patiently},
    output::say,
};

/// The keys that tokens are signed with
#[derive(Debug, Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign with a new key from now on; tokens of the old ones stay valid until they expire
    #[command(after_help = "Example:\n  punchcard key rotate --stack loyalty")]
    Rotate,
}

/// Runs the command.
///
/// # Errors
/// The store could not be used.
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
    patiently("adding the key", adding).await?;
    if in_json {
        say!("{}", json!({"keyId": key.id}));
    } else {
        say!("Tokens are signed with {} within 60 seconds; older ones stay valid.", key.id);
    }
    Ok(())
}
