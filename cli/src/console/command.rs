//! `punchcard console`.

use std::net::SocketAddr;

use clap::Args;
use tokio::net::TcpListener;

use super::{Access, Console, Entry, router};
use crate::{
    failure::Failure, limits::Limits, operator::Target, output::say, registry, router as api, server, shutdown,
};

/// Number of concurrent requests: more than a browser sends.
const CONCURRENCY: usize = 64;

/// Serve the console of a store on a loopback address, for one operator's browser
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard console --stack loyalty\n  \
    punchcard console --data .punchcard --demo --write\n\n\
    It prints a link that works once, in one browser, and another one at each SIGUSR1. The store is read with your own credentials.")]
pub struct Options {
    /// Address to listen on. Must be a loopback address. Port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:0")]
    addr: SocketAddr,
    /// Allow changes: to void activities, to adjust balances and to send requests
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    target: Target,
}

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// The address is not a loopback address or cannot be used, or the store cannot be opened.
pub async fn run(options: Options) -> Result<(), Failure> {
    let Options { addr, write, target } = options;
    if !addr.ip().is_loopback() {
        return Err(Failure::ConsoleInPublic(addr));
    }
    let operator = target.open().await?;
    // Read once, so that a stack that does not exist or must not be read is reported here.
    operator.admin.ping().await.map_err(|error| operator.explain(error.into()))?;
    let listener = TcpListener::bind(addr).await.map_err(|error| Failure::Listen(addr, error))?;
    let address = listener.local_addr()?;
    let access = if write { Access::Write } else { Access::Read };
    let limits = Limits::new(CONCURRENCY);
    let name = operator.name();
    let store = operator.store.clone();
    let mut console = Console::new(operator, access, Entry::Link, address, &limits)?;
    if write {
        console = console.with_api(api::router(registry::open_all(&store).await, &limits));
    }
    let links = console.links();
    let link = links.next()?;
    links.print_at_signals()?;
    // Installed before the link is printed, because a signal may follow immediately.
    let signalled = shutdown::signalled()?;
    say!("Console of {name}{}", if write { "" } else { ", read only" });
    say!("{link}");
    say!("The link works once. `kill -USR1 {}` prints another one, and Ctrl-C stops the console.", std::process::id());
    server::serve(listener, router(console), signalled).await?;
    limits.idle().await;
    Ok(())
}
