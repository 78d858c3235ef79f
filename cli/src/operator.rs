//! Which store an operator's command is for.

use std::{io::IsTerminal as _, path::PathBuf, time::Duration};

use clap::Args;
use indicatif::ProgressBar;
use punchcard_store::{Admin, Store};

use crate::{embedded, failure::Failure, in_process::InProcess};

/// Which store, and how to tell what is there
#[derive(Debug, Args)]
pub struct Target {
    /// The stack: its tables are named NAME-Catalog and so on
    #[arg(long, value_name = "NAME", default_value = "punchcard", global = true)]
    stack: String,
    /// Another DynamoDB than that of AWS
    #[arg(long, value_name = "URL", env = "DYNAMODB_ENDPOINT", global = true)]
    endpoint: Option<String>,
    /// The data of `punchcard serve`, instead of a stack
    #[arg(long, value_name = "DIR", conflicts_with_all = ["stack", "endpoint"], global = true)]
    data: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
}

/// The operator's access to a store, open as long as it is kept.
pub struct Operator {
    /// What may be done.
    pub admin: Admin,
}

impl Target {
    /// Opens the store.
    ///
    /// # Errors
    /// The data can't be opened.
    pub async fn open(&self) -> Result<Operator, Failure> {
        if let Some(directory) = &self.data {
            let store = embedded::store(InProcess::new(embedded::open(directory, embedded::FILE)?)).await?;
            return Ok(Operator { admin: Admin::new(&store) });
        }
        let store = Store::of_operator(&format!("{}-", self.stack), self.endpoint.clone()).await;
        Ok(Operator { admin: Admin::new(&store) })
    }
}

/// Waits for `work`, with a sign of life on a terminal where it takes longer than a second.
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
