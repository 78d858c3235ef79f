//! Command errors and their messages.

use std::{io, net::SocketAddr, path::PathBuf};

use punchcard_archive::FolderError;
use punchcard_http::token::UnusableKey;
use punchcard_quarantine::EntryId;
use punchcard_rewards::yaml::Problem;
use punchcard_runtime::logs::InvalidRustLog;
use punchcard_store::{AdminError, ConnectionError, StoreError};

use crate::{api::SendError, audit::AuditError, backtest::BacktestError, events::InvalidUrl, export::ExportError};

/// The reason why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The demo must not be public, because its credentials are.
    #[error("--demo uses well-known credentials and requires a loopback address, not {0}")]
    DemoInPublic(SocketAddr),
    /// The console shows everything in the store, so only this machine may reach it.
    #[error("the console requires a loopback address, such as 127.0.0.1:0, not {0}")]
    ConsoleInPublic(SocketAddr),
    /// The address cannot be bound.
    #[error("can't listen on {0}: {1}; choose another address with --addr")]
    Listen(SocketAddr, io::Error),
    /// A server did not answer.
    #[error("{0} did not answer: {1}. Start `punchcard serve --demo`, or name its address with --url")]
    NoAnswer(String, SendError),
    /// A server does not know the demo's credentials.
    #[error("{0} refused the demo's credentials with status {1}. It must be `punchcard serve --demo`")]
    NotTheDemo(String, u16),
    /// The data directory cannot be used.
    #[error("can't store data in {0}: {1}; choose another directory with --data, or use --memory")]
    Data(PathBuf, io::Error),
    /// The directory has no store, and the command does not create one.
    #[error("there is no store in {}; `punchcard serve{} --data {}` creates one", .0.display(), .1, .0.display())]
    NoStore(PathBuf, &'static str),
    /// The embedded store cannot be opened.
    #[error("can't open the embedded store: {0}")]
    Embedded(String),
    /// The receiver of events is not valid.
    #[error("--events: {0}")]
    Receiver(#[from] InvalidUrl),
    /// The queue of events cannot be used.
    #[error("can't use the queue of events: {0}")]
    Events(#[from] rusqlite::Error),
    /// A file cannot be read.
    #[error("can't read {0}: {1}")]
    Read(PathBuf, io::Error),
    /// A file cannot be written.
    #[error("can't write {0}: {1}")]
    Write(PathBuf, io::Error),
    /// A catalog file is not valid.
    #[error("{} is not a valid catalog:\n{}", .0.display(), lines(.1))]
    Catalog(PathBuf, Vec<Problem>),
    /// The stored catalog was applied by an incompatible version.
    #[error("this version of punchcard cannot read the current catalog: {0}")]
    AppliedCatalog(String),
    /// A catalog and what is stored beside it do not fit in one transaction.
    #[error("the catalog takes {0} bytes with the shares of its total limits, and at most {1} can be stored")]
    StoredCatalogTooLarge(usize, usize),
    /// The shares of a total limit changed faster than they could be set.
    #[error("the limit usesInTotal of {0} is in heavy use, and its change could not be completed; try again")]
    LimitInUse(String),
    /// The embedded template does not define the tables as expected.
    #[error("template.yaml: {0}")]
    Template(String),
    /// The connection cannot be configured.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A store call failed.
    #[error("store error: {0}")]
    Store(#[from] StoreError),
    /// A store call failed, and the operator can act on the cause.
    #[error("{explanation} ({error})")]
    Explained {
        /// The explanation.
        explanation: String,
        /// The store error.
        #[source]
        error: StoreError,
    },
    /// Another catalog was applied concurrently.
    #[error("another catalog was applied in the meantime; review it and try again")]
    Superseded,
    /// The change was not confirmed.
    #[error("nothing was changed: the change was not confirmed (use --yes to skip the prompt)")]
    NotConfirmed,
    /// An adjustment is not valid.
    #[error("the adjustment is not valid: {0}")]
    Adjustment(String),
    /// It is not known who runs the command, or the name is too long for an issuer.
    #[error("there is no name to record as the issuer; use --issuer")]
    NoIssuer,
    /// Another adjustment has this reference.
    #[error("the reference {0} was used for another adjustment of this correlation id")]
    ReferenceUsed(String),
    /// The catalog refuses negative balances.
    #[error("the balance must not fall below zero, because the catalog says negativeBalances: refused")]
    BelowZero,
    /// A name is not valid.
    #[error("invalid name {0:?}: it {1}")]
    Name(String, String),
    /// A name is already in use.
    #[error("{0} already exists; names cannot be reused, even after revocation")]
    NameTaken(String),
    /// A cursor is not one that a page printed.
    #[error("--next must be the cursor that an earlier page printed")]
    Cursor,
    /// No item has one of the ids.
    #[error("there is no customer with these ids")]
    NoCustomer,
    /// Requests of a customer go on while it is erased.
    #[error(
        "the erasure is not complete, because requests of this customer go on; stop them and run the command again"
    )]
    CustomerInUse,
    /// The files of an embedded store may hold what was deleted.
    #[error(
        "the customer is erased from the store, and {0} may still hold parts of what was deleted: {1}. Stop every other \
         process that uses it and run the same command again"
    )]
    Remains(PathBuf, String),
    /// There is no such record.
    #[error("there is no {0}")]
    NoRecord(String),
    /// The record is a refund, which earns nothing.
    #[error("the record is a refund of {0}, which earned what the refund took back; explain that one")]
    IsRefund(String),
    /// Stored JSON cannot be read.
    #[error("a stored record is unreadable: {0}")]
    StoredJson(serde_json::Error),
    /// An audit found differences.
    #[error("differences found: {0}")]
    Differences(u64),
    /// An audit could not be completed.
    #[error("the audit is not complete: {0}")]
    Audit(rusqlite::Error),
    /// A backtest could not be completed.
    #[error("the backtest is not complete: {0}")]
    Backtest(BacktestError),
    /// An export could not be completed.
    #[error("can't export: {0}")]
    Export(ExportError),
    /// Records could not be exported.
    #[error("records that cannot be read and were not exported: {0}")]
    UnreadableRecords(u64),
    /// An archive cannot be read.
    #[error(transparent)]
    Archive(#[from] FolderError),
    /// The key of a quarantine would be lost.
    #[error(
        "--quarantine needs a store that is kept, because the key that encrypts the requests is in it; use --data instead \
         of --memory"
    )]
    QuarantineInMemory,
    /// The key of a quarantine would be beside what it encrypts.
    #[error(
        "the quarantine {} must be apart from the data in {}, where the key that encrypts it is; choose another directory \
         with --quarantine", .0.display(), .1.display()
    )]
    QuarantineBesideKey(PathBuf, PathBuf),
    /// A quarantine is not named.
    #[error("name the quarantine: --quarantine DIR with --data DIR, or --bucket NAME")]
    NoQuarantine,
    /// A store has no key for a quarantine.
    #[error("the store has no key for a quarantine; `punchcard serve --quarantine DIR` creates it")]
    NoQuarantineKey,
    /// A directory cannot be used as a quarantine, or an entry in it.
    #[error("the quarantine: {0}")]
    Quarantine(#[from] punchcard_quarantine::FolderError),
    /// A bucket cannot be used as a quarantine, or an entry in it.
    #[error("the bucket: {0}")]
    Bucket(#[from] crate::quarantine::bucket::BucketError),
    /// An entry does not exist.
    #[error("there is no request {0} in the quarantine; it may have expired, or have been sent again or discarded")]
    NotQuarantined(EntryId),
    /// Entries cannot be read.
    #[error("requests that cannot be read: {0}")]
    UnreadableEntries(usize),
    /// A request is of a function that does not exist.
    #[error("the quarantine has a request of {0}, which this version of punchcard cannot send")]
    UnknownFunction(String),
    /// There are no credentials for the requests of a function.
    #[error("the requests of {0} need credentials: set {1}, in the environment or in the file of --credentials")]
    NoCredentialsFor(String, &'static str),
    /// The API refused the credentials.
    #[error("the API refused the credentials; what was not sent is kept")]
    ReplayUnauthorized,
    /// The API does not process requests.
    #[error("the API did not process {0} requests in a row; what was not sent is kept, and can be sent later")]
    ReplayUnavailable(usize),
    /// Requests would be refused again.
    #[error("requests that would stay in the quarantine: {0}")]
    WouldStayInQuarantine(usize),
    /// Requests were refused again.
    #[error("requests that stay in the quarantine: {0}")]
    KeptInQuarantine(usize),
    /// There is no such version of the catalog.
    #[error("there is no version {0} of the catalog; `punchcard catalog history` lists the versions")]
    UnknownVersion(u64),
    /// No client or API key has this name.
    #[error("there is no client or API key named {0}; see `punchcard client list`")]
    UnknownCaller(String),
    /// `--for player-events` was combined with another API.
    #[error("player-events cannot be combined with other APIs, because it uses an API key; add two callers")]
    KeyAndClient,
    /// A scope needs another one.
    #[error("--for {0} needs --for {1} too")]
    NeedsApi(&'static str, &'static str),
    /// An API is given twice.
    #[error("--for {0} is given twice")]
    ApiTwice(String),
    /// A signing key could not be generated.
    #[error(transparent)]
    Key(#[from] UnusableKey),
    /// `RUST_LOG` is not valid.
    #[error(transparent)]
    RustLog(#[from] InvalidRustLog),
    /// The system random number generator failed.
    #[error("the system's random number generator failed")]
    NoRandomness,
    /// Standard output could not be written.
    #[error("can't write the output: {0}")]
    Output(io::Error),
    /// Another I/O error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::Store(error) => Failure::Store(error),
            AuditError::Sums(error) => Failure::Audit(error),
        }
    }
}

impl From<BacktestError> for Failure {
    fn from(error: BacktestError) -> Self {
        match error {
            BacktestError::Store(error) => Failure::Store(error),
            BacktestError::Archive(error) => Failure::Archive(error),
            error => Failure::Backtest(error),
        }
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Store(error) => Failure::Store(error),
            error => Failure::Export(error),
        }
    }
}

impl Failure {
    /// Converts an error of a catalog change. `caller` is the client or API key concerned, if any.
    #[must_use]
    pub fn of_admin(error: AdminError, caller: &str) -> Self {
        match error {
            AdminError::Superseded => Failure::Superseded,
            AdminError::UnknownCaller => Failure::UnknownCaller(caller.to_owned()),
            AdminError::UnknownVersion(version) => Failure::UnknownVersion(version),
            AdminError::Store(error) => Failure::Store(error),
        }
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n")
}
