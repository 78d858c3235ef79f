//! The backtest: replays the stored records against a draft of the catalog, and compares the points paid with the points
//! with the draft.
//!
//! Records are read once into a temporary database on disk, which orders them by their arrival over all members. Then they
//! are replayed one after the other. The memory grows with the members and their counters, not with the records.
//!
//! # Two scenarios
//! The replay keeps all counters twice: as they were (recorded), and as they would be with the draft. Each record is
//! evaluated with its own catalog on the recorded counters, and with the draft on the draft's. For each rule:
//!
//! - If both evaluations agree, the draft pays what was really paid. The stored award is derived again for that, from the
//!   counters that the record itself has.
//! - If they don't, the draft pays what its evaluation says; see `settle`.
//!
//! The first rule keeps requests that overlapped from looking like differences: they may have been written in another order
//! than they arrived, and processes remember for a while that a total limit was exhausted. Recorded counters advance by what
//! was really paid, so with the same catalog both scenarios stay equal, record by record, and the difference is exactly zero.
//! Only the draft makes a difference.
//!
//! A total limit has one counter here, whatever the number of its shards: shards matter only for writing.

mod command;
mod counters;
mod figures;
mod finished;
mod part;
mod replay;
mod report;
mod settle;
mod source;
mod spool;
mod table;

use punchcard_archive::FolderError;
use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::Catalog;
use punchcard_store::StoreError;

pub(crate) use command::time;
pub use command::{Options, run};
pub use figures::{Figures, Largest, NotCompared, Sum};
pub use finished::{Finished, Subject};
pub(crate) use report::policy;
pub use source::Source;

use replay::Replay;
use spool::Spool;

/// The period for which the draft is in force. Records that arrived earlier only count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Its start. `None`: the first record.
    pub since: Option<Timestamp>,
    /// Its end, which is not part of it. `None`: after the last record.
    pub until: Option<Timestamp>,
}

/// A step of a backtest, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many more records were read.
    Read(u64),
    /// All records were read, so many.
    Total(u64),
    /// So many more records were replayed.
    Replayed(u64),
}

/// A backtest cannot be completed.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] FolderError),
    /// The temporary database failed, for example because the disk is full.
    #[error("the temporary database failed: {0}")]
    Spool(#[from] rusqlite::Error),
    /// The temporary database does not have what was written.
    #[error("the temporary database is damaged")]
    Damaged,
    /// The report cannot be built.
    #[error("the report cannot be built")]
    Report,
}

/// Replays the records of a source against a draft.
///
/// # Errors
/// The source or the temporary database failed.
pub async fn backtest(
    source: &Source,
    draft: &Catalog,
    window: Window,
    progress: impl Fn(Step),
) -> Result<Figures, BacktestError> {
    let mut spool = Spool::new()?;
    let without_time = source.read(&mut spool, |records| progress(Step::Read(records))).await?;
    progress(Step::Total(spool.index()?));
    let mut replay = Replay::new(draft, window);
    replay.leave_out_without_time(without_time);
    let mut after = None;
    loop {
        let (items, last) = spool.after(after)?;
        if items.is_empty() {
            return Ok(replay.figures());
        }
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        for item in items {
            replay.add(&item, source, &spool).await?;
        }
        progress(Step::Replayed(count));
        after = last;
        // The catalogs are in memory, so nothing else lets a caller cancel the replay.
        tokio::task::yield_now().await;
    }
}
