//! The store that an operator's command works on.

use std::{io::IsTerminal as _, path::PathBuf, time::Duration};

use clap::Args;
use indicatif::ProgressBar;
use punchcard_store::{Admin, Connection, OperatorStore, Store};

use crate::{embedded, failure::Failure, in_process::InProcess};

/// The store of an operator's command, and the output format
#[derive(Debug, Args)]
pub struct Target {
    /// Stack name: the prefix of its table names, as in NAME-Catalog
    #[arg(long, value_name = "NAME", default_value = "punchcard", global = true)]
    stack: String,
    /// Profile of the AWS configuration files [default: $AWS_PROFILE]
    #[arg(long, value_name = "NAME", global = true)]
    profile: Option<String>,
    /// AWS region [default: $AWS_REGION, or the profile's]
    #[arg(long, value_name = "REGION", global = true)]
    region: Option<String>,
    /// URL of a DynamoDB that is not AWS's [default: $DYNAMODB_ENDPOINT, $AWS_ENDPOINT_URL_DYNAMODB, or the profile's]
    #[arg(long, value_name = "URL", alias = "endpoint", global = true)]
    endpoint_url: Option<String>,
    /// Data directory of `punchcard serve`, instead of a stack
    #[arg(long, value_name = "DIR", conflicts_with_all = ["stack", "profile", "region", "endpoint_url"], global = true)]
    data: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

/// The operator's access to a store, open as long as it is kept.
pub struct Operator {
    /// The operations.
    pub admin: Admin,
    place: Place,
}

enum Place {
    Stack(OperatorStore),
    Data,
}

impl Target {
    /// Opens the store. Never makes one: a mistyped directory is an error.
    ///
    /// # Errors
    /// There is no store in the directory or it cannot be opened, or the connection cannot be configured.
    pub async fn open(&self) -> Result<Operator, Failure> {
        if let Some(directory) = &self.data {
            if !directory.join(embedded::FILE).is_file() {
                return Err(Failure::NoStore(directory.clone()));
            }
            let store = embedded::store(InProcess::new(embedded::open(directory, embedded::FILE)?)).await?;
            return Ok(Operator { admin: Admin::new(&store), place: Place::Data });
        }
        let connection = Connection {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
        };
        let prefix = format!("{}-", self.stack);
        let stack = patiently("resolving credentials", Store::of_operator(&prefix, connection)).await?;
        Ok(Operator { admin: Admin::new(&stack.store), place: Place::Stack(stack) })
    }
}

impl Operator {
    /// Replaces a store error by its cause in the SDK's terms: the endpoint, the credentials, the region or the stack.
    #[must_use]
    pub fn explain(&self, failure: Failure) -> Failure {
        match (&self.place, failure) {
            (Place::Stack(stack), Failure::Store(error)) => match stack.explain(&error) {
                Some(explanation) => Failure::Explained { explanation, error },
                None => Failure::Store(error),
            },
            (_, failure) => failure,
        }
    }
}

/// Waits for `work`, with a spinner on a terminal where it takes longer than a second.
pub async fn patiently<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(Duration::from_secs(1)), if std::io::stderr().is_terminal() => {}
    }
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let done = work.await;
    spinner.finish_and_clear();
    done
}
