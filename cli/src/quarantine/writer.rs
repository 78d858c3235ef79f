//! `serve --quarantine`: writes rejected requests to a directory, beside the requests.

use std::{
    io,
    path::{Path, PathBuf, absolute},
    sync::Arc,
    time::Duration,
};

use clap::{Args, builder::RangedU64ValueParser};
use punchcard_quarantine::{Entry, Folder, FolderLimits};
use punchcard_runtime::Quarantine;
use punchcard_store::Admin;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{failure::Failure, set_up::random, shutdown::GRACE};

/// Maximum number of requests that wait to be written. Further ones are not kept.
const QUEUE: usize = 64;
/// The space that a directory takes. The oldest requests are deleted.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The time between two deletions of expired requests, if no request arrives.
const PRUNE_PERIOD: Duration = Duration::from_hours(1);

/// The options of the quarantine.
#[derive(Debug, Args)]
pub struct QuarantineOptions {
    /// Keep rejected requests in a directory, encrypted with a key of the store. `punchcard quarantine` sends them again
    #[arg(id = "quarantine", long = "quarantine", value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Days until a rejected request is deleted
    #[arg(id = "quarantine-days", long = "quarantine-days", value_name = "N", default_value_t = 14, requires = "quarantine", value_parser = RangedU64ValueParser::<u16>::new().range(1..=365))]
    days: u16,
}

/// A task that writes rejected requests.
#[derive(Debug)]
pub struct QuarantineWriter {
    /// The quarantine that handlers use.
    pub quarantine: Arc<Quarantine>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl QuarantineOptions {
    /// Checks the options before the store is opened. `data` is its directory, if it has one.
    ///
    /// # Errors
    /// The key would be lost with a store in memory, or a copy of one directory would have both the key and the requests.
    pub fn check(&self, data: Option<&Path>) -> Result<(), Failure> {
        let Some(directory) = &self.directory else { return Ok(()) };
        let data = data.ok_or(Failure::QuarantineInMemory)?;
        let (quarantine, store) = (resolved(directory)?, resolved(data)?);
        let is_apart = !quarantine.starts_with(&store) && !store.starts_with(&quarantine);
        if is_apart { Ok(()) } else { Err(Failure::QuarantineBesideKey(directory.clone(), data.to_owned())) }
    }

    /// Opens the directory and starts the task. Creates the key in the store, unless it exists.
    ///
    /// # Errors
    /// The directory cannot be used, or a store call failed.
    pub async fn start(&self, admin: &Admin) -> Result<Option<QuarantineWriter>, Failure> {
        let Some(directory) = &self.directory else { return Ok(None) };
        admin.add_quarantine_key(&random()?, punchcard_runtime::now()).await?;
        let key = admin.quarantine_key().await?.ok_or(Failure::NoQuarantineKey)?;
        let folder = Arc::new(Folder::create(directory, &key)?);
        let limits = FolderLimits { bytes: MAX_BYTES, age: Duration::from_hours(24 * u64::from(self.days)) };
        folder.prune(limits, punchcard_runtime::now())?;
        let (sender, receiver) = mpsc::channel(QUEUE);
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(write_all(folder, limits, receiver, stopped));
        Ok(Some(QuarantineWriter { quarantine: Arc::new(Quarantine::queue(sender)), stop, running }))
    }
}

/// Returns the path without symbolic links, as far as it exists.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let path = absolute(path)?;
    let existing = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    let Some((ancestor, real)) = existing else { return Ok(path) };
    Ok(path.strip_prefix(ancestor).map_or(real.clone(), |rest| real.join(rest)))
}

impl QuarantineWriter {
    /// Writes what is waiting, and ends.
    pub async fn stop(self) {
        self.stop.send(()).ok();
        tokio::time::timeout(GRACE, self.running).await.ok();
    }
}

async fn write_all(
    folder: Arc<Folder>,
    limits: FolderLimits,
    mut queue: mpsc::Receiver<Entry>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut is_stopping = false;
    loop {
        let entry = tokio::select! {
            entry = queue.recv() => match entry {
                Some(entry) => Some(entry),
                None => return,
            },
            _ = &mut stopped, if !is_stopping => {
                is_stopping = true;
                queue.close();
                continue;
            }
            () = tokio::time::sleep(PRUNE_PERIOD) => None,
        };
        let folder = folder.clone();
        if tokio::task::spawn_blocking(move || write(&folder, limits, entry)).await.is_err() {
            tracing::error!("the quarantine failed");
        }
    }
}

/// Writes an entry, if there is one, and deletes what is beyond the limits.
fn write(folder: &Folder, limits: FolderLimits, entry: Option<Entry>) {
    if let Some(Err(error)) = entry.map(|entry| folder.write(&entry)) {
        tracing::warn!(%error, "not quarantined");
    }
    match folder.prune(limits, punchcard_runtime::now()) {
        Ok(0) => {}
        Ok(deleted) => tracing::info!(deleted, "quarantined requests expired"),
        Err(error) => tracing::warn!(%error, "expired requests were not deleted"),
    }
}
