//! `punchcard serve`: the whole API in one process, on the embedded store.

use std::{net::SocketAddr, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::{Args, builder::RangedU64ValueParser};
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::InvalidId,
};
use punchcard_rewards::yaml::Source;
use punchcard_runtime::Service;
use punchcard_store::{Admin, SetUp};
use tokio::net::TcpListener;

use crate::{
    catalog, demo,
    embedded::{self, DEMO_FILE, FILE, Place},
    failure::Failure,
    in_process::InProcess,
    limits::Limits,
    local,
    output::say,
    registry, router, server,
    set_up::{apply, ensure_keys, random},
    shutdown,
};

/// The client that a new store gets.
const FIRST_CLIENT: &str = "first-client";

/// The whole API in one process, on the embedded store
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  punchcard serve --demo\n  punchcard serve --data /var/lib/punchcard --catalog catalog.yaml\n  \
    punchcard serve --demo --memory --addr 127.0.0.1:0"
)]
pub struct Options {
    /// Where to listen; port 0 takes any that is free
    #[arg(long, default_value = "127.0.0.1:3000")]
    addr: SocketAddr,
    #[command(flatten)]
    place: Place,
    /// A catalog to apply at the start
    #[arg(long, value_name = "FILE", conflicts_with = "demo")]
    catalog: Option<PathBuf>,
    /// Start with the demo catalog and well-known credentials; on a loopback address only
    #[arg(long)]
    demo: bool,
    /// How many requests are worked on at once; more are refused with 429
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    concurrency: usize,
}

/// Runs until Ctrl-C.
///
/// # Errors
/// It can't start, or not go on.
pub async fn run(options: Options) -> Result<(), Failure> {
    punchcard_runtime::logs::plain(crate::QUIET)?;
    if options.demo && !options.addr.ip().is_loopback() {
        return Err(Failure::DemoInPublic(options.addr));
    }
    // Read before anything is made: a faulty catalog changes nothing.
    let rules = match &options.catalog {
        Some(file) => Some(catalog::read(file)?),
        None => None,
    };
    let listener = TcpListener::bind(options.addr).await.map_err(|error| Failure::Listen(options.addr, error))?;
    let address = listener.local_addr()?;
    let database = options.place.open(if options.demo { DEMO_FILE } else { FILE })?;
    let store = embedded::store(InProcess::new(database)).await?;
    let admin = Admin::new(&store);
    let new_secret = set_up(&admin, &options, rules).await?;

    let services = registry::open_all(&store).await;
    // Before it says that it is ready: a reader of that may signal at once.
    let signalled = shutdown::signalled()?;
    announce(address, &options, &services, new_secret.as_deref());
    let limits = Limits::new(options.concurrency);
    let app = router::router(services, &limits).merge(local::router(admin, &limits));
    server::serve(listener, app, signalled).await?;
    // Requests whose clients hung up.
    limits.idle().await;
    Ok(())
}

/// Makes what the store lacks. The secret of the first client, if that is made now.
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
    Ok((made == SetUp::Made).then_some(secret))
}

fn announce(address: SocketAddr, options: &Options, services: &[Service], new_secret: Option<&str>) {
    say!("Punchcard  http://{address}");
    say!("reference  http://{address}/docs, of /openapi.json");
    say!("data       {}", options.place.describe());
    say!("routes");
    for route in services.iter().map(Service::route) {
        for path in route.paths {
            say!("  {:4} {path}", route.method.as_str());
        }
    }
    say!("  GET  /health");
    if let Some(secret) = new_secret {
        say!("\nThe store is new. Its first client; the secret is shown this once:");
        say!("  clientId  {FIRST_CLIENT}\n  secret    {secret}");
    }
    if options.demo {
        say!("\n{}", demo::commands(address));
    }
    say!("Ctrl-C ends it.");
}
