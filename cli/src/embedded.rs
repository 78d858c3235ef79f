//! The embedded store: DynamoDB on SQLite, in this process, behind the same SDK calls as AWS's.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use clap::Args;
use dynoxide::Database;
use punchcard_store::{Store, Tables};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

use crate::{failure::Failure, tables};

/// What a stack of this name would be called; the tables' names begin with it, as they do on AWS.
pub const TABLE_PREFIX: &str = "punchcard-";

/// The database of a store that is served in earnest.
pub const FILE: &str = "store.db";
/// The demo's: its well-known credentials never get into one that is served in earnest.
pub const DEMO_FILE: &str = "demo.db";
/// A loopback address with any port that is free.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Where the data stays.
#[derive(Debug, Args)]
pub struct Place {
    /// The directory that keeps the data
    #[arg(long, value_name = "DIR", default_value = ".punchcard")]
    data: PathBuf,
    /// Keep the data in memory only, and forget it at the end
    #[arg(long, conflicts_with = "data")]
    memory: bool,
}

impl Place {
    /// Opens the database `name` of this place.
    ///
    /// # Errors
    /// The directory can't be made, or the database not be opened.
    pub fn open(&self, name: &str) -> Result<Database, Failure> {
        if self.memory {
            return Database::memory().map_err(|error| Failure::Embedded(error.to_string()));
        }
        open(&self.data, name)
    }

    /// Where the data is, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.memory { "memory, forgotten at the end".to_owned() } else { self.data.display().to_string() }
    }
}

/// Opens the database `name` of a directory, which is made if it isn't there.
///
/// # Errors
/// The directory can't be made, or the database not be opened.
pub fn open(directory: &Path, name: &str) -> Result<Database, Failure> {
    std::fs::create_dir_all(directory).map_err(|error| Failure::Data(directory.to_owned(), error))?;
    let file = directory.join(name);
    Database::new(&file.to_string_lossy()).map_err(|error| Failure::Embedded(error.to_string()))
}

/// A loopback address that nobody guesses: the store asks for no credentials and answers web pages too. Where only
/// 127.0.0.1 is loopback, that one.
#[must_use]
pub fn hidden_address() -> SocketAddr {
    let [.., a, b, c] = *Uuid::new_v4().as_bytes();
    let hidden = SocketAddr::from(([127, a, b, c.clamp(2, 254)], 0));
    std::net::TcpListener::bind(hidden).map_or(ANY_PORT, |_| hidden)
}

/// A running embedded store, with the tables made.
pub struct Embedded {
    /// Where it answers.
    pub address: SocketAddr,
    /// As the functions use it.
    pub store: Store,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), String>>,
}

impl Embedded {
    /// Starts it.
    ///
    /// # Errors
    /// The address can't be had, or the tables not be made.
    pub async fn start(database: Database, address: SocketAddr) -> Result<Self, Failure> {
        let listener = TcpListener::bind(address).await.map_err(|error| Failure::Listen(address, error))?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, async {
            // A dropped sender is a reason to stop as well.
            stopped.await.ok();
        }));
        let mut reached = address;
        if address.ip().is_unspecified() {
            reached.set_ip([127, 0, 0, 1].into());
        }
        let store = Store::local(&format!("http://{reached}"), TABLE_PREFIX);
        let tables = Tables::new(&store);
        for (name, key) in tables::of_template()? {
            tables.create(&name, &key).await?;
        }
        Ok(Embedded { address, store, stop, running })
    }

    /// Stops it, after the requests under way.
    pub async fn stop(self) {
        let Embedded { store, stop, running, .. } = self;
        // The SDK's idle connections end with the client.
        drop(store);
        stop.send(()).ok();
        tokio::time::timeout(crate::ending::PATIENCE, running).await.ok();
    }
}
