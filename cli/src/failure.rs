//! Errors of the commands, as they are printed.

use std::{io, net::SocketAddr, path::PathBuf};

use punchcard_http::token::UnusableKey;
use punchcard_rewards::yaml::Problem;
use punchcard_runtime::logs::InvalidRustLog;
use punchcard_store::{AdminError, ConnectionError, StoreError};

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The demo's credentials are public, so the demo must not be.
    #[error("--demo has well-known credentials and answers on a loopback address only, not on {0}")]
    DemoInPublic(SocketAddr),
    /// The address cannot be bound.
    #[error("can't listen on {0}: {1}; choose another address with --addr")]
    Listen(SocketAddr, io::Error),
    /// The directory cannot be made.
    #[error("can't keep data in {0}: {1}; choose another directory with --data, or --memory")]
    Data(PathBuf, io::Error),
    /// The directory has no store, and the command makes none.
    #[error("there is no store in {}; `punchcard serve --data {}` makes one", .0.display(), .0.display())]
    NoStore(PathBuf),
    /// The embedded store does not start.
    #[error("the embedded store does not start: {0}")]
    Embedded(String),
    /// A file cannot be read.
    #[error("can't read {0}: {1}")]
    Read(PathBuf, io::Error),
    /// A catalog is invalid.
    #[error("{} is not a valid catalog:\n{}", .0.display(), lines(.1))]
    Catalog(PathBuf, Vec<Problem>),
    /// The applied catalog cannot be read by this version.
    #[error("the applied catalog cannot be read by this version of punchcard: {0}")]
    AppliedCatalog(String),
    /// The template does not define the tables as expected.
    #[error("template.yaml: {0}")]
    Template(String),
    /// The connection cannot be configured.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A store call failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// A store call failed for a reason that an operator can act on.
    #[error("{explanation} ({error})")]
    Explained {
        /// The reason.
        explanation: String,
        /// The error itself.
        #[source]
        error: StoreError,
    },
    /// Another catalog was applied at the same moment.
    #[error("another catalog was applied at the same moment; look at it and try again")]
    Superseded,
    /// The change was not confirmed.
    #[error("nothing is applied; confirm at the prompt, or use --yes where there is none")]
    NotAgreed,
    /// A name is invalid.
    #[error("invalid name {0:?}: it {1}")]
    Name(String, String),
    /// A name is taken.
    #[error("{0} is there already; names are not used again, revoked ones neither")]
    NameTaken(String),
    /// No caller has this name.
    #[error("there is no client and no API key {0}; `punchcard client list` lists them")]
    UnknownCaller(String),
    /// An API key is for player events only.
    #[error("player events have API keys, which call nothing else: add two callers")]
    KeyAndClient,
    /// An API is named twice.
    #[error("--for {0} is given twice")]
    ApiTwice(String),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] UnusableKey),
    /// `RUST_LOG` is invalid.
    #[error(transparent)]
    RustLog(#[from] InvalidRustLog),
    /// The system's random number generator failed.
    #[error("the system's random number generator failed")]
    NoRandomness,
    /// Standard output failed.
    #[error("can't write the output: {0}")]
    Output(io::Error),
    /// Any other error of the operating system.
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
