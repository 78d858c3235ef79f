//! Why a command could not do what it was asked to.

use std::{io, net::SocketAddr, path::PathBuf};

use punchcard_http::token::UnusableKey;
use punchcard_models::ids::InvalidId;
use punchcard_rewards::yaml::Problem;
use punchcard_store::{AdminError, StoreError};

/// Why a command failed, told to the person who gave it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The demo's credentials are public, so the demo must not be.
    #[error("--demo has well-known credentials and answers on a loopback address only, not on {0}")]
    DemoInPublic(SocketAddr),
    /// The address can't be had.
    #[error("can't listen on {0}: {1}; choose another address with --addr")]
    Listen(SocketAddr, io::Error),
    /// The directory can't be made.
    #[error("can't keep data in {0}: {1}; choose another directory with --data, or --memory")]
    Data(PathBuf, io::Error),
    /// The embedded store doesn't start.
    #[error("the embedded store does not start: {0}")]
    Embedded(String),
    /// A file can't be read.
    #[error("can't read {0}: {1}")]
    Read(PathBuf, io::Error),
    /// A catalog isn't one.
    #[error("{} is no catalog:\n{}", .0.display(), lines(.1))]
    Catalog(PathBuf, Vec<Problem>),
    /// The template isn't what the tables are made from.
    #[error("template.yaml: {0}")]
    Template(String),
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// Somebody else applied a catalog at the same moment.
    #[error("the catalog was changed by somebody else at the same moment; look at it and try again")]
    Superseded,
    /// Nobody said yes.
    #[error("nothing is applied; say yes at the prompt, or --yes where there is none")]
    NotAgreed,
    /// A name isn't one.
    #[error("{0:?} is no name: it {1}")]
    Name(String, InvalidId),
    /// A name has somebody already.
    #[error("{0} is there already; names are not used again, revoked ones neither")]
    NameTaken(String),
    /// Nobody has a name.
    #[error("there is no client and no API key {0}; `punchcard client list` lists them")]
    UnknownCaller(String),
    /// An API key calls player events only.
    #[error("player events have API keys, which call nothing else: add two callers")]
    KeyAndClient,
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] UnusableKey),
    /// Anything else of the operating system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Failure {
    /// A failed change of the catalog, which was about a caller of this name if it was about one.
    #[must_use]
    pub fn of_admin(error: AdminError, caller: &str) -> Self {
        match error {
            AdminError::Superseded => Failure::Superseded,
            AdminError::UnknownCaller => Failure::UnknownCaller(caller.to_owned()),
            AdminError::Store(error) => Failure::Store(error),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}
