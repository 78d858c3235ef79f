//! The store that operator commands use.

use std::{
    io::IsTerminal as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use indicatif::ProgressBar;
use punchcard_store::{Admin, Connection, OperatorStore, Store};

use crate::{budget::READ_UNITS, embedded, failure::Failure, in_process::InProcess, output};

/// Options for the store and the output format
#[derive(Debug, Args)]
pub struct Target {
    /// Stack name, which prefixes table names as in NAME-Catalog
    #[arg(long, value_name = "NAME", default_value = "punchcard", global = true)]
    stack: String,
    #[arg(
        long,
        value_name = "NAME",
        global = true,
        help = "Profile of the AWS configuration files [default: $AWS_PROFILE]"
    )]
    profile: Option<String>,
    #[arg(long, value_name = "REGION", global = true, help = "AWS region [default: $AWS_REGION, or the profile's]")]
    region: Option<String>,
    #[arg(
        long,
        value_name = "URL",
        alias = "endpoint",
        global = true,
        help = "DynamoDB endpoint outside AWS, or with --bucket that of S3 [default: $DYNAMODB_ENDPOINT, $AWS_ENDPOINT_URL_DYNAMODB, or the profile's]"
    )]
    endpoint_url: Option<String>,
    /// Data directory of `punchcard serve`, instead of a stack
    #[arg(long, value_name = "DIR", conflicts_with_all = ["stack", "profile", "region", "endpoint_url"], global = true)]
    data: Option<PathBuf>,
    /// The data of `punchcard serve --demo` in that directory
    #[arg(long, requires = "data", global = true)]
    demo: bool,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

/// Operator access to an open store.
pub struct Operator {
    /// The operations on the catalog.
    pub admin: Admin,
    /// The store, for reads.
    pub store: Store,
    backend: Backend,
}

enum Backend {
    Stack(OperatorStore),
    /// The database file of an embedded store. `None`: in memory.
    Data(Option<PathBuf>),
}

impl Target {
    /// Opens the store, runs a command on it, and explains its failure.
    ///
    /// # Errors
    /// The store cannot be opened, or the command failed.
    pub async fn run(&self, command: impl AsyncFnOnce(&Operator) -> Result<(), Failure>) -> Result<(), Failure> {
        let operator = self.open().await?;
        command(&operator).await.map_err(|failure| operator.explain(failure))
    }

    /// Opens the store. Never creates one, so that a mistyped directory is an error.
    ///
    /// # Errors
    /// There is no store in the directory or it cannot be opened, or the connection cannot be configured.
    pub async fn open(&self) -> Result<Operator, Failure> {
        if let Some(directory) = &self.data {
            let file = if self.demo { embedded::DEMO_FILE } else { embedded::FILE };
            if !directory.join(file).is_file() {
                return Err(Failure::NoStore(directory.clone(), if self.demo { " --demo" } else { "" }));
            }
            let store = embedded::store(InProcess::new(embedded::open(directory, file)?)).await?;
            return Ok(Operator::of_embedded(store, Some(directory.join(file))));
        }
        let prefix = format!("{}-", self.stack);
        let stack = with_spinner("resolving credentials", Store::of_operator(&prefix, self.connection())).await?;
        Ok(Operator { admin: Admin::new(&stack.store), store: stack.store.clone(), backend: Backend::Stack(stack) })
    }

    /// Returns the connection options.
    #[must_use]
    pub fn connection(&self) -> Connection {
        Connection {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
        }
    }

    /// Returns true for the data of `punchcard serve --demo`.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.demo
    }
}

impl Operator {
    /// Creates operator access to an open embedded store. `file` is its database, unless it is in memory.
    #[must_use]
    pub fn of_embedded(store: Store, file: Option<PathBuf>) -> Self {
        Operator { admin: Admin::new(&store), store, backend: Backend::Data(file) }
    }

    /// Returns the one who runs the command: the ARN of the AWS credentials, or the local user. `None` if unknown.
    pub async fn identity(&self) -> Option<String> {
        match &self.backend {
            Backend::Stack(stack) => stack.identity().await,
            Backend::Data(_) => std::env::var("USER").ok().filter(|user| !user.is_empty()),
        }
    }

    /// Returns the name of the store, for people.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.backend {
            Backend::Stack(stack) => stack.to_string(),
            Backend::Data(Some(file)) => file.display().to_string(),
            Backend::Data(None) => "a store in memory".to_owned(),
        }
    }

    /// Returns the database file, if the store is an embedded one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.backend {
            Backend::Stack(_) => None,
            Backend::Data(file) => file.as_deref(),
        }
    }

    /// Returns the read units a second that a command takes at most, unless the operator says otherwise. 0: no limit.
    #[must_use]
    pub fn read_units(&self) -> u32 {
        match &self.backend {
            Backend::Stack(_) => READ_UNITS,
            Backend::Data(_) => 0,
        }
    }

    /// Adds an explanation to a store error if its cause is the endpoint, the credentials, the region or the stack.
    #[must_use]
    pub fn explain(&self, failure: Failure) -> Failure {
        match (&self.backend, failure) {
            (Backend::Stack(stack), Failure::Store(error)) => match stack.explain(&error) {
                Some(explanation) => Failure::Explained { explanation, error },
                None => Failure::Store(error),
            },
            (_, failure) => failure,
        }
    }
}

/// Waits for `work`, and shows a spinner on a terminal after one second.
pub async fn with_spinner<T>(message: &'static str, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(Duration::from_secs(1)), if std::io::stderr().is_terminal() => {}
    }
    let spinner = ProgressBar::new_spinner().with_message(message);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// Asks for confirmation at the terminal. Without a terminal, only `--yes` confirms.
///
/// # Errors
/// The answer cannot be read.
pub fn confirmed(question: &str) -> std::io::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    output::write(format_args!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
