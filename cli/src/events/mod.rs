//! `serve --events`: delivers the event of each new record to a file or a URL, at least once.
//!
//! A background task reads the [`Queue`] on connections of its own, so requests never wait for it. An event leaves the
//! queue when its line is on disk, or the receiver has answered 2xx.

mod file;
mod queue;
mod receiver;

use std::{
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use dynoxide::Database;
use punchcard_models::timestamp::Timestamp;
use punchcard_outbound::{Draft, Drafts, OutboundEvent};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::{
    embedded::TABLE_PREFIX, events::queue::Batch, failure::Failure, in_process::InProcess, output::notice,
    shutdown::GRACE,
};
use file::EventFile;
use queue::Queue;
pub use queue::remove_deleted;
pub use receiver::InvalidUrl;
use receiver::{Receiver, ReceiverUrl};

/// Pause after the queue was empty.
const IDLE: Duration = Duration::from_millis(100);
/// Pause after a failure of the store or the file.
const PAUSE: Duration = Duration::from_secs(1);
/// Time limit of reading balances.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// The destination of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file, to which lines are appended.
    File(PathBuf),
    /// A URL, to which events are posted.
    Url(ReceiverUrl),
}

impl FromStr for Target {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        if text.contains("://") { text.parse().map(Target::Url) } else { Ok(Target::File(text.into())) }
    }
}

/// The open destination.
#[derive(Debug)]
enum Sink {
    File(EventFile),
    Receiver(Receiver),
}

/// A running delivery.
#[derive(Debug)]
pub struct Delivery {
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Delivery {
    /// Keeps new records in the queue from now on, and starts to deliver their events and those of earlier runs.
    ///
    /// # Errors
    /// The database or the file cannot be used.
    pub fn start(target: Target, database: &Database, data: &Path) -> Result<Self, Failure> {
        let sink = match target {
            Target::File(path) => {
                EventFile::open(&path).map(Sink::File).map_err(|error| Failure::Write(path, error))?
            }
            Target::Url(url) => Sink::Receiver(Receiver::new(url)),
        };
        let queue = Queue::open(data)?;
        if let Some(since) = queue.turn_on(database)? {
            notice(format_args!(
                "events are missing: records received from {since} until now, while --events was not given, have none"
            ));
        }
        let waiting = queue.len()?;
        if waiting > 0 {
            notice(format_args!("{waiting} records of earlier runs are in the queue for events"));
        }
        // A connection of its own: requests do not wait for the delivery's reads.
        let reads = Database::new(&data.to_string_lossy()).map_err(|error| Failure::Embedded(error.to_string()))?;
        let drafts = Drafts::new(&InProcess::new(reads).store(TABLE_PREFIX));
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(deliver(queue, sink, drafts, stopped));
        Ok(Delivery { stop, running })
    }

    /// Delivers what is in the queue, for at most [`GRACE`]. The rest stays for the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if timeout(GRACE, self.running).await.is_err() {
            notice(format_args!("not all events were delivered; the rest is delivered after the next start"));
        }
    }
}

/// Stops keeping new records in the queue, if an earlier run did.
///
/// # Errors
/// The database cannot be used.
pub fn turn_off(database: &Database, data: &Path, now: Timestamp) -> Result<(), Failure> {
    // A store that never had a queue is left as it is.
    if queue::is_any_on(database)? && Queue::open(data)?.turn_off(database, &now.to_string())? {
        notice(format_args!("--events is not given any more: records received from now on have no events"));
    }
    Ok(())
}

async fn deliver(mut queue: Queue, mut sink: Sink, drafts: Drafts, stopped: watch::Receiver<bool>) {
    loop {
        // Read before the queue: what is added before the stop is delivered.
        let is_stopped = *stopped.borrow();
        let (returned, batch) = blocking(queue, |queue| queue.next()).await;
        queue = returned;
        match batch {
            Ok(batch) if batch.is_empty() => {
                if is_stopped {
                    return;
                }
                sleep(IDLE).await;
            }
            Ok(batch) => {
                let (batch, unreadable, events) = read(batch, &drafts).await;
                sink = send(sink, events).await;
                let deleted;
                (queue, deleted) = blocking(queue, move |queue| queue.done(&batch, &unreadable)).await;
                if let Err(error) = deleted {
                    tracing::error!(%error, "delivered events stay in the queue and are delivered again");
                    sleep(PAUSE).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "the queue of events cannot be read");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Makes the events of a batch. Returns the ids of records that cannot be read, too.
async fn read(mut batch: Batch, drafts: &Drafts) -> (Batch, Vec<i64>, Vec<OutboundEvent>) {
    let (mut unreadable, mut read) = (Vec::new(), Vec::new());
    for (id, record) in batch.records.drain(..) {
        match record.change.and_then(|change| Draft::of(&change)) {
            Ok(draft) => read.extend(draft),
            Err(error) => {
                tracing::error!(
                    operation = error.operation(),
                    cause = error.cause(),
                    position = id,
                    "a record cannot be read; its event stays in the queue"
                );
                unreadable.push(id);
            }
        }
    }
    loop {
        match drafts.complete(read.clone(), Instant::now() + READ_LIMIT).await {
            Ok(events) => return (batch, unreadable, events),
            Err(error) => tracing::error!(operation = error.operation(), cause = error.cause(), "no balances"),
        }
        sleep(PAUSE).await;
    }
}

/// Sends events until all are delivered.
async fn send(sink: Sink, events: Vec<OutboundEvent>) -> Sink {
    let mut file = match sink {
        _ if events.is_empty() => return sink,
        Sink::Receiver(receiver) => {
            receiver.send(&events).await;
            return Sink::Receiver(receiver);
        }
        Sink::File(file) => file,
    };
    let lines: String = events.iter().map(|event| event.envelope() + "\n").collect();
    loop {
        let line = lines.clone();
        let appended;
        (file, appended) = blocking(file, move |file| file.append(line.as_bytes())).await;
        match appended {
            Ok(()) => return Sink::File(file),
            Err(error) => tracing::error!(%error, "the file of events cannot be written"),
        }
        sleep(PAUSE).await;
    }
}

/// Runs blocking work on a value, and gives it back.
async fn blocking<T: Send + 'static, R: Send + 'static>(
    mut value: T,
    work: impl FnOnce(&mut T) -> R + Send + 'static,
) -> (T, R) {
    let done = tokio::task::spawn_blocking(move || {
        let result = work(&mut value);
        (value, result)
    });
    match done.await {
        Ok(done) => done,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down, which ends this task too.
        Err(_) => std::future::pending().await,
    }
}
