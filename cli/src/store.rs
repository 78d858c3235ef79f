//! `punchcard store`: the embedded store alone.

use std::net::SocketAddr;

use clap::Args;

use punchcard_store::Admin;

use crate::{
    demo,
    embedded::{DEMO_FILE, Embedded, FILE, Place, TABLE_PREFIX},
    ending::ctrl_c,
    failure::Failure,
    output::say,
};

/// The embedded DynamoDB alone, tables made, for `sam local` and for tools
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  punchcard store --addr 127.0.0.1:8000 &\n  \
    aws dynamodb list-tables --endpoint-url http://127.0.0.1:8000 --region us-east-1\n  \
    punchcard store --demo --memory --addr 172.17.0.1:8000")]
pub struct Options {
    /// Where to listen. Whoever reaches it may read and write everything
    #[arg(long, default_value = "127.0.0.1:8000")]
    addr: SocketAddr,
    #[command(flatten)]
    place: Place,
    /// Start with the demo catalog and well-known credentials
    #[arg(long)]
    demo: bool,
}

/// Runs until Ctrl-C.
///
/// # Errors
/// It can't start.
pub async fn run(options: Options) -> Result<(), Failure> {
    punchcard_runtime::logs::plain(crate::QUIET)?;
    let database = options.place.open(if options.demo { DEMO_FILE } else { FILE })?;
    let embedded = Embedded::start(database, options.addr).await?;
    // On any address: whoever reaches this may read and write everything, and needs no credentials for it.
    if options.demo {
        demo::set_up(&Admin::new(&embedded.store), punchcard_runtime::now()).await?;
    }
    let asked_to_end = ctrl_c()?;
    say!("DynamoDB   http://{}", embedded.address);
    say!("data       {}", options.place.describe());
    say!("tables     {TABLE_PREFIX}…, any credentials, region us-east-1");
    asked_to_end.await;
    embedded.stop().await;
    Ok(())
}
