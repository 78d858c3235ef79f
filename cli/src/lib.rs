//! `punchcard`: the whole API in one process on an embedded store, and the operator's tool.
//!
//! A library too, so that the tests run what `punchcard serve` runs.

pub mod catalog;
pub mod client;
mod connection;
pub mod demo;
mod difference;
pub mod docs;
pub mod embedded;
pub mod failure;
mod health;
pub mod in_process;
pub mod key;
pub mod limits;
pub mod local;
pub mod operator;
pub mod output;
pub mod registry;
pub mod router;
pub mod serve;
mod server;
pub mod set_up;
pub mod shutdown;
pub mod store;
pub mod tables;

/// What the commands log if `RUST_LOG` says nothing: what is wrong. To the embedded store each failed condition is a
/// warning; here it is an answer.
pub const QUIET: &str = "warn,dynoxide=error";
