//! `punchcard quarantine`: lists the requests that were rejected, shows them, sends them again, and discards them.

pub mod bucket;
mod credentials;
mod discard;
mod list;
mod outcome;
mod replay;
mod show;
mod source;
pub mod writer;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::{failure::Failure, operator::Target};

/// List, show, send again and discard the requests that were rejected
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    punchcard quarantine list --data .punchcard --quarantine quarantine\n  \
    punchcard quarantine show 019a…c3 --bucket loyalty-quarantinebucket-1abc\n  \
    punchcard quarantine replay --all --bucket loyalty-quarantinebucket-1abc --url https://….amazonaws.com")]
pub struct Options {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    target: Target,
}

/// The quarantine
#[derive(Debug, Args)]
struct Place {
    /// Directory of `punchcard serve --quarantine`. Its key is in the store, so it needs --data too
    #[arg(long, value_name = "DIR", global = true, conflicts_with = "bucket", requires = "data")]
    quarantine: Option<PathBuf>,
    /// Bucket of a stack: its output `QuarantineBucketName`
    #[arg(long, value_name = "NAME", global = true, conflicts_with_all = ["stack", "data"])]
    bucket: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Options),
    Show(show::Options),
    Replay(replay::Options),
    Discard(discard::Options),
}

/// Runs the command.
///
/// # Errors
/// The quarantine cannot be read, or requests stay in it after they were sent again.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Options { command, place, target } = options;
    let source = source::Source::open(&place, &target).await?;
    match command {
        Command::List(options) => list::run(options, &source, target.json).await,
        Command::Show(options) => show::run(&options, &source, target.json).await,
        Command::Replay(options) => replay::run(options, &source, &target).await,
        Command::Discard(options) => discard::run(&options, &source, target.json).await,
    }
}
