//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use punchcard::{catalog, client, key, serve, store};

/// Loyalty event intake: records every event exactly once, and pays what it earned in the same write.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Options),
    Store(store::Options),
    Catalog(catalog::Options),
    Client(client::Options),
    Key(key::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Serve(options) => serve::run(options).await,
        Command::Store(options) => store::run(options).await,
        Command::Catalog(options) => catalog::run(options).await,
        Command::Client(options) => client::run(options).await,
        Command::Key(options) => key::run(options).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("punchcard: {failure}");
            ExitCode::FAILURE
        }
    }
}
