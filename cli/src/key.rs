//! `punchcard key`: what tokens are signed with.

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    failure::Failure,
    operator::{Target, patiently},
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

/// Does it.
///
/// # Errors
/// The store could not be used.
pub async fn run(options: Options) -> Result<(), Failure> {
    let operator = options.target.open().await?;
    match options.command {
        Command::Rotate => {
            let (key, public) = punchcard_http::token::generate()?;
            let added = operator.admin.add_signing_key(&key, &public, punchcard_runtime::now());
            patiently("adding a key", added).await?;
            if options.target.json {
                println!("{}", json!({"keyId": key.id}));
            } else {
                println!("Tokens are signed with {} within 60 seconds; older ones stay valid.", key.id);
            }
            Ok(())
        }
    }
}
