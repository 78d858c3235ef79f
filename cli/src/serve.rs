//! `punchcard serve`: runs the whole API in one process on the embedded store.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{Args, builder::RangedU64ValueParser};
use punchcard_http::route::ROUTES;
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::InvalidId,
};
use punchcard_rewards::yaml::Source;
use punchcard_store::{AddOutcome, Admin};
use tokio::net::TcpListener;

use crate::{
    catalog,
    console::{self, Access, Console, Entry},
    demo,
    embedded::{self, DEMO_FILE, DataLocation, FILE},
    events::{self, Delivery, Target},
    failure::Failure,
    in_process::InProcess,
    limits::Limits,
    local,
    operator::Operator,
    output::say,
    quarantine::writer::QuarantineOptions,
    registry, router, server,
    set_up::{apply, ensure_keys, random},
    shutdown,
};

/// The client that is created in a new store.
const FIRST_CLIENT: &str = "first-client";
/// Maximum length of the program's name in a command, so that the command fits 100 columns.
const MAX_PROGRAM_CHARS: usize = 40;

/// Run the whole API in one process on the embedded store
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  punchcard serve --demo\n  punchcard serve --routes\n  punchcard serve --data /var/lib/punchcard --catalog catalog.yaml\n  \
    punchcard serve --demo --events events.jsonl\n  punchcard serve --demo --quarantine quarantine\n  \
    punchcard serve --demo --memory --addr 127.0.0.1:0"
)]
pub struct Options {
    /// Address to listen on. Port 0 selects a free port
    #[arg(long, default_value = "127.0.0.1:3000")]
    addr: SocketAddr,
    #[command(flatten)]
    location: DataLocation,
    /// Catalog to apply on startup
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    catalog: Option<PathBuf>,
    /// Use the demo catalog and well-known credentials. Requires a loopback address
    #[arg(long)]
    demo: bool,
    /// Deliver an event for each new record: a file to append to, or an http:// or https:// URL to post to
    #[arg(long, value_name = "FILE|URL", conflicts_with = "memory")]
    events: Option<String>,
    /// Allow changes in the console. The demo's allows them anyway
    #[arg(long)]
    write: bool,
    #[command(flatten)]
    quarantine: QuarantineOptions,
    /// Maximum number of concurrent requests. Further requests get status 429
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    concurrency: usize,
    /// Print the routes, and start nothing
    #[arg(long)]
    routes: bool,
}

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// The server cannot start.
pub async fn run(options: Options) -> Result<(), Failure> {
    if options.routes {
        print_routes();
        return Ok(());
    }
    punchcard_runtime::logs::plain(crate::DEFAULT_LOG_FILTER)?;
    if options.demo && !options.addr.ip().is_loopback() {
        return Err(Failure::DemoInPublic(options.addr));
    }
    options.quarantine.check(options.location.directory())?;
    // Read first, so that an invalid catalog leaves the store unchanged.
    let rules = match &options.catalog {
        Some(file) => Some(catalog::read(file)?),
        None => None,
    };
    // Not parsed by clap, which would print the value: a URL may contain a secret.
    let events = options.events.as_deref().map(str::parse::<Target>).transpose()?;
    let listener = TcpListener::bind(options.addr).await.map_err(|error| Failure::Listen(options.addr, error))?;
    let address = listener.local_addr()?;
    let file = if options.demo { DEMO_FILE } else { FILE };
    let database = options.location.open(file)?;
    let store = embedded::store(InProcess::new(database.clone())).await?;
    // Before the first record of this run.
    let delivery = match (options.location.file(file), events) {
        (Some(file), Some(target)) => Some(Delivery::start(target, &database, &file)?),
        (Some(file), None) => {
            events::turn_off(&database, &file, punchcard_runtime::now())?;
            None
        }
        (None, _) => None,
    };
    let admin = Admin::new(&store);
    let new_secret = set_up(&admin, &options, rules).await?;

    let writer = options.quarantine.start(&admin).await?;
    let services = match &writer {
        Some(writer) => registry::open_all_with(&store, &writer.quarantine).await,
        None => registry::open_all(&store).await,
    };
    // Installed before readiness is announced, because a signal may follow immediately.
    let signalled = shutdown::signalled()?;
    let limits = Limits::new(options.concurrency);
    let operator = Operator::of_embedded(store, options.location.file(file));
    let console = options.console(operator, address, &limits)?;
    let link = match console.as_ref().map(Console::links) {
        Some(links) => {
            let link = links.next()?;
            links.print_at_signals()?;
            Some(link)
        }
        None => None,
    };
    announce(address, &options, new_secret.as_deref(), link.as_deref());
    let traffic = Arc::default();
    let api = router::watched(services, &limits, &traffic);
    let mut app = api.clone().merge(local::router(admin, &limits));
    if let Some(console) = console {
        app = app.merge(console::router(console.with_traffic(traffic).with_api(api)));
    }
    server::serve(listener, app, signalled).await?;
    // Requests continue after their clients disconnect.
    limits.idle().await;
    if let Some(delivery) = delivery {
        delivery.stop().await;
    }
    if let Some(writer) = writer {
        writer.stop().await;
    }
    Ok(())
}

impl Options {
    /// Creates the console, unless other machines can reach the address.
    fn console(&self, operator: Operator, address: SocketAddr, limits: &Limits) -> Result<Option<Console>, Failure> {
        if !address.ip().is_loopback() {
            return Ok(None);
        }
        let access = if self.write || self.demo { Access::Write } else { Access::Read };
        let entry = if self.demo { Entry::Anyone } else { Entry::Link };
        Console::new(operator, access, entry, address, limits).map(Some)
    }
}

/// Initialises the store. Returns the secret of the first client if it is created now.
async fn set_up(admin: &Admin, options: &Options, rules: Option<Source>) -> Result<Option<String>, Failure> {
    let now = punchcard_runtime::now();
    if options.demo {
        demo::set_up(admin, now).await?;
        return Ok(None);
    }
    if let Some(rules) = rules {
        apply(admin, &rules, now).await?;
    }
    ensure_keys(admin, now).await?;
    if !admin.snapshot().await?.access.clients.is_empty() {
        return Ok(None);
    }
    let secret = BASE64_URL_SAFE_NO_PAD.encode(random()?);
    let client = FIRST_CLIENT.parse().map_err(|invalid: InvalidId| Failure::Embedded(invalid.to_string()))?;
    let made = admin.add_client(&client, SecretDigest::of(&secret), &Scope::ALL, now).await?;
    Ok((made == AddOutcome::Created).then_some(secret))
}

/// Prints the methods and the paths that `serve` answers.
fn print_routes() {
    for route in ROUTES {
        for path in route.paths.iter().map(|path| path.template) {
            say!("{:4} {path}", route.method.as_str());
        }
    }
    for path in ["/health", "/docs", "/openapi.json", "/console"] {
        say!("GET  {path}");
    }
}

fn announce(address: SocketAddr, options: &Options, new_secret: Option<&str>, console: Option<&str>) {
    say!("Punchcard  http://{address}");
    match console {
        Some(link) if options.demo => say!("console    {link}"),
        Some(link) => say!("console    {link} (works once; `kill -USR1 {}` prints another one)", std::process::id()),
        None => say!("console    only on a loopback address; `punchcard console` serves it for this data"),
    }
    say!("reference  http://{address}/docs (OpenAPI: /openapi.json)");
    say!("data       {}", options.location.describe());
    if let Some(directory) = &options.quarantine.directory {
        say!("quarantine {}", directory.display());
    }
    if let Some(secret) = new_secret {
        say!("\nCreated the first client of the new store. The secret is shown only once:");
        say!("  clientId  {FIRST_CLIENT}\n  secret    {secret}");
    }
    if options.demo {
        say!("\nSend a sample request of each API, from another terminal:");
        for what in demo::WHATS {
            say!("  {}", sample_command(&program(), what.name(), &format!("http://{address}")));
        }
        say!("");
    }
    say!("Ctrl-C stops the server.");
}

/// Returns the command that sends a sample request.
fn sample_command(program: &str, what: &str, url: &str) -> String {
    let url = if url == demo::DEFAULT_URL { String::new() } else { format!(" --url {url}") };
    format!("{program} demo send {what}{url}")
}

/// Returns the name by which this program was started, so that commands can be pasted. `punchcard` if the name is long or
/// would need quotes.
fn program() -> String {
    let name = std::env::args().next().unwrap_or_default();
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-".contains(char);
    if (1..=MAX_PROGRAM_CHARS).contains(&name.len()) && name.chars().all(is_plain) {
        name
    } else {
        "punchcard".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_command_names_the_server_unless_it_is_the_default_and_fits_100_columns() {
        assert_eq!(sample_command("punchcard", "order", demo::DEFAULT_URL), "punchcard demo send order");
        let (program, url) = ("x".repeat(MAX_PROGRAM_CHARS), "http://255.255.255.255:65535");
        let command = sample_command(&program, "activity", url);
        assert!(command.ends_with(" demo send activity --url http://255.255.255.255:65535"), "{command}");
        assert!("  ".len() + command.len() <= 100, "{command}");
    }
}
