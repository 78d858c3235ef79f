//! The command line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use punchcard::{
    DEFAULT_LOG_FILTER, adjust, audit, backtest, catalog, client, console, customer, demo, explain, export,
    failure::Failure, history, key, output, quarantine, serve, store,
};

/// Loyalty event intake: records each event exactly once and credits its points in the same write
#[derive(Debug, Parser)]
#[command(name = "punchcard", version = env!("PUNCHCARD_VERSION"), arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Options),
    Store(store::Options),
    Console(console::Options),
    Demo(demo::Options),
    Catalog(catalog::Options),
    Client(client::Options),
    Key(key::Options),
    History(history::Options),
    Explain(explain::Options),
    Adjust(adjust::Options),
    Audit(audit::Options),
    Backtest(backtest::Options),
    Export(export::Options),
    Customer(customer::Options),
    Quarantine(quarantine::Options),
    /// Print a completion script for a shell
    #[command(
        after_help = "Examples:\n  punchcard completions bash > ~/.local/share/bash-completion/completions/punchcard\n  \
        punchcard completions zsh > \"${fpath[1]}/_punchcard\"\n  \
        punchcard completions fish > ~/.config/fish/completions/punchcard.fish"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = run(Cli::parse().command).await;
    match result.and_then(|()| output::finish().map_err(Failure::Output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error may be closed; the exit status still reports the failure.
            writeln!(io::stderr(), "punchcard: {failure}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    // The server and the store configure their own logs, and a completion script needs none.
    if !matches!(command, Command::Serve(_) | Command::Store(_) | Command::Completions { .. }) {
        punchcard_runtime::logs::plain(DEFAULT_LOG_FILTER)?;
    }
    match command {
        Command::Serve(options) => serve::run(options).await,
        Command::Store(options) => store::run(options).await,
        Command::Console(options) => console::run(options).await,
        Command::Demo(options) => demo::run(options).await,
        Command::Catalog(options) => catalog::run(options).await,
        Command::Client(options) => client::run(options).await,
        Command::Key(options) => key::run(options).await,
        Command::History(options) => history::run(options).await,
        Command::Explain(options) => explain::run(options).await,
        Command::Adjust(options) => adjust::run(options).await,
        Command::Audit(options) => audit::run(options).await,
        Command::Backtest(options) => backtest::run(options).await,
        Command::Export(options) => export::run(options).await,
        Command::Customer(options) => customer::run(options).await,
        Command::Quarantine(options) => quarantine::run(options).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "punchcard", &mut script);
            output::write(format_args!("{}", String::from_utf8_lossy(&script)));
            Ok(())
        }
    }
}
