//! The `punchcard` command: `serve` runs the whole API in one process on an embedded store, and other commands manage
//! the catalog, clients and keys of a store.
//!
//! It is also a library, so that tests run the same router and store as `punchcard serve`:
//!
//! ```no_run
//! use punchcard::{embedded, in_process::InProcess, limits::Limits, registry, router};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let database = embedded::open(std::path::Path::new(".punchcard"), embedded::FILE)?;
//! let store = embedded::store(InProcess::new(database)).await?;
//! let app = router::router(registry::open_all(&store).await, &Limits::new(256));
//! # drop(app);
//! # Ok(())
//! # }
//! ```

pub mod adjust;
mod api;
pub mod audit;
pub mod backtest;
mod budget;
pub mod catalog;
pub mod client;
mod connection;
pub mod console;
mod correct;
pub mod customer;
pub mod demo;
mod difference;
pub mod docs;
pub mod embedded;
mod events;
pub mod explain;
pub mod export;
pub mod failure;
mod framing;
mod health;
pub mod history;
pub mod in_process;
pub mod key;
pub mod limits;
pub mod local;
mod numbers;
pub mod operator;
pub mod output;
pub mod quarantine;
pub mod registry;
pub mod router;
mod samples;
mod sender;
pub mod serve;
mod server;
pub mod set_up;
mod shares;
pub mod shutdown;
pub mod store;
pub mod tables;
pub mod traffic;

/// The default of `RUST_LOG` for commands: warnings and errors. The embedded database logs each failed condition as a
/// warning, although it is a normal outcome, so only its errors are logged.
pub const DEFAULT_LOG_FILTER: &str = "warn,dynoxide=error";
