//! `punchcard serve`: the whole API in one process, on the embedded store.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use axum::{Json, Router, routing::get};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use lambda_http::http::StatusCode;
use punchcard_models::{
    access::{Scope, SecretDigest},
    ids::ClientId,
    timestamp::Timestamp,
};
use punchcard_rewards::yaml::Source;
use punchcard_store::{Admin, SetUp, Store};
use ring::rand::SecureRandom as _;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    catalog, demo,
    embedded::{Embedded, Place},
    failure::Failure,
    router::{self, Function},
};

/// How long the requests under way may take to end.
pub const PATIENCE: Duration = Duration::from_secs(5);

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
}

/// Runs until Ctrl-C.
///
/// # Errors
/// It can't start, or not go on.
pub async fn run(options: Options) -> Result<(), Failure> {
    punchcard_http::logs::plain("warn");
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
    // The demo's data have a file of their own: its credentials never get into a store that is served in earnest.
    let database = options.place.open(if options.demo { "demo.db" } else { "store.db" })?;
    let embedded = Embedded::start(database, SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let new_secret = set_up(&embedded.store.admin(), &options, rules).await?;

    let functions = router::functions(&embedded.store).await;
    announce(address, &options, &functions, new_secret.as_deref());
    let app = router::router(functions).merge(health(&embedded.store));
    // Awaited apart from the server: whoever keeps a connection open does not keep the process.
    let serving = axum::serve(listener, app).with_graceful_shutdown(async {
        ctrl_c().await.ok();
    });
    tokio::select! {
        served = serving => served?,
        () = async { ctrl_c().await.ok(); tokio::time::sleep(PATIENCE).await } => {}
    }
    embedded.stop().await;
    Ok(())
}

/// Makes what the store lacks. The secret of the first client, if that is made now.
async fn set_up(admin: &Admin, options: &Options, rules: Option<Source>) -> Result<Option<String>, Failure> {
    let now = punchcard_http::now();
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
    let client = ClientId::new(FIRST_CLIENT).map_err(|rule| Failure::Embedded(rule.to_owned()))?;
    let made = admin.add_client(&client, SecretDigest::of(&secret), &Scope::ALL, now).await?;
    Ok((made == SetUp::Made).then_some(secret))
}

/// Makes a signing key and the key of the address digests, where there are none.
///
/// # Errors
/// The store could not be used.
pub async fn ensure_keys(admin: &Admin, now: Timestamp) -> Result<(), Failure> {
    if admin.snapshot().await?.access.public_keys.is_empty() {
        let (key, public) = punchcard_http::token::generate()?;
        admin.add_signing_key(&key, &public, now).await?;
    }
    admin.add_digest_key(&random()?, now).await?;
    Ok(())
}

/// Applies a catalog, unless it is the one that is there.
///
/// # Errors
/// The store could not be used, or somebody else applied another at the same moment.
pub async fn apply(admin: &Admin, source: &Source, now: Timestamp) -> Result<(), Failure> {
    let seen = admin.snapshot().await?;
    if seen.version > 0 && seen.rules == *source.catalog() {
        return Ok(());
    }
    admin.apply_rules(source.to_json(), seen.version, now).await?.map_err(|_| Failure::Superseded)?;
    Ok(())
}

/// 256 random bits.
fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0u8; 32];
    ring::rand::SystemRandom::new().fill(&mut bytes).map_err(|_| Failure::Embedded("no randomness".to_owned()))?;
    Ok(bytes)
}

fn announce(address: SocketAddr, options: &Options, functions: &[Function], new_secret: Option<&str>) {
    println!("Punchcard  http://{address}");
    println!("data       {}", options.place.describe());
    println!("routes");
    for Function { endpoint, .. } in functions {
        for path in endpoint.paths {
            println!("  {:4} {path}", endpoint.method.as_str());
        }
    }
    println!("  GET  /health");
    if let Some(secret) = new_secret {
        println!("\nThe store is new. Its first client; the secret is shown this once:");
        println!("  clientId  {FIRST_CLIENT}\n  secret    {secret}");
    }
    if options.demo {
        println!("\n{}", demo::commands(address));
    }
    println!("Ctrl-C ends it.");
}

/// Whether the store answers.
fn health(store: &Store) -> Router {
    let admin = store.admin();
    Router::new().route(
        "/health",
        get(move || async move {
            match admin.snapshot().await {
                Ok(_) => (StatusCode::OK, Json(json!({"status": "ok"}))),
                Err(_) => (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"status": "the store does not answer"}))),
            }
        }),
    )
}

/// Waits for Ctrl-C, or for being told to end.
///
/// # Errors
/// The system has no signals.
pub async fn ctrl_c() -> Result<(), Failure> {
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminated.recv() => {}
    }
    Ok(())
}
