//! `punchcard export`: copies all records to an archive in a folder, in the layout of the archive on S3.
//!
//! Tables are read in no order, and an archive has a file for each day. So items first go to a temporary database in the
//! folder, with the position of each part of a table in the same transaction; then the days are written one after the
//! other. A later run continues where an interrupted one ended.

mod days;
mod spool;

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{IsTerminal as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clap::{Args, builder::RangedI64ValueParser};
use futures_util::future::try_join_all;
use indicatif::{ProgressBar, ProgressStyle};
use punchcard_archive::ArchiveError;
use punchcard_store::{LedgerReader, RecordKind, StoreError, TablePart};
use serde_json::json;

use crate::{
    budget::Budget,
    failure::Failure,
    operator::{Operator, Target},
    output::{notice, printable, say},
};
use spool::Spool;

/// Number of parts of each table of a stack. An embedded store reads one part fastest.
const PARALLEL: i32 = 4;

/// Copy all records to Parquet files, for analytics
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  punchcard export --data .punchcard --to export\n  punchcard export --stack loyalty --to export \
    --read-units 1000\n\nRequests may go on: the export has each record as it was when its page was read. Run the same command \
    again to continue an interrupted export. docs/analytics.md has queries."
)]
pub struct Options {
    /// Folder of the export: a new or empty one, or that of an interrupted export
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    #[arg(
        long,
        value_name = "N",
        value_parser = RangedI64ValueParser::<i32>::new().range(1..=64),
        help = "Parts of each table that are read at the same time [default: 4 of a stack, 1 with --data]"
    )]
    parallel: Option<i32>,
    #[arg(
        long,
        value_name = "N",
        help = "Most read units a second; 0: no limit [default: 500 of a stack, no limit with --data]"
    )]
    read_units: Option<u32>,
    #[command(flatten)]
    target: Target,
}

/// An export cannot be completed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The temporary database failed, for example because the disk is full.
    #[error("the temporary database failed: {0}")]
    Spool(#[from] rusqlite::Error),
    /// The folder has other files.
    #[error("{} is not empty, and has no interrupted export to continue", .0.display())]
    NotEmpty(PathBuf),
    /// The folder has an interrupted export of another store, or with another number of parts.
    #[error("{} has an interrupted export of {was}, not of {is}; delete the folder to start again", folder.display())]
    Other {
        /// The folder.
        folder: PathBuf,
        /// The store and parts of the interrupted export.
        was: String,
        /// The store and parts of this one.
        is: String,
    },
    /// A file cannot be written.
    #[error("can't write {}: {error}", path.display())]
    Write {
        /// Its path.
        path: PathBuf,
        /// The cause.
        error: std::io::Error,
    },
    /// A Parquet file cannot be written.
    #[error("can't write {}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The cause.
        error: ArchiveError,
    },
    /// A stored position or item of the temporary database cannot be read.
    #[error("the temporary database is damaged; delete the folder to start again")]
    Damaged,
}

/// Runs the command.
///
/// # Errors
/// The store failed, the folder cannot be written, or a record cannot be read.
pub async fn run(options: Options) -> Result<(), Failure> {
    options.target.run(async |operator| export(operator, &options).await).await
}

async fn export(operator: &Operator, options: &Options) -> Result<(), Failure> {
    let started = Instant::now();
    let reader = LedgerReader::new(&operator.store);
    let units = options.read_units.unwrap_or(operator.read_units());
    let parallel = options.parallel.unwrap_or(if operator.file().is_some() { 1 } else { PARALLEL });
    let name = format!("{} in {parallel} parts", operator.name());
    let mut spool = Spool::open(&options.to, &name)?;

    let bar = bar(reader.approximate_count(&RecordKind::ALL).await?, "read");
    let budget = Budget::new(units);
    read(&reader, &mut spool, parallel, &budget, &bar).await?;
    bar.finish_and_clear();

    let bar = self::bar(spool.count()?, "written");
    let written = days::write(&operator.store, &mut spool, &options.to, |records| bar.inc(records)).await?;
    bar.finish_and_clear();
    spool.remove()?;
    report(options, &written, started.elapsed());
    let unreadable = written.unreadable;
    if unreadable == 0 { Ok(()) } else { Err(Failure::UnreadableRecords(unreadable)) }
}

/// Reads what is left of all parts of all tables.
async fn read(
    reader: &LedgerReader,
    spool: &mut Spool,
    parallel: i32,
    budget: &Budget,
    bar: &ProgressBar,
) -> Result<(), ExportError> {
    let spool = tokio::sync::Mutex::new(spool);
    let parts = RecordKind::ALL
        .into_iter()
        .flat_map(|kind| (0..parallel).map(move |index| TablePart { kind, index, of: parallel }));
    let read_part = async |part: TablePart| -> Result<(), ExportError> {
        let mut position = spool.lock().await.position(part)?;
        while let spool::Position::At(start) = position {
            budget.wait().await;
            let page = reader.items(part, start).await?;
            budget.spend(page.read_units);
            position = page.next.map_or(spool::Position::Done, |start| spool::Position::At(Some(start)));
            let unreadable = spool.lock().await.add(part, &page.items, &position)?;
            for id in unreadable {
                notice(format_args!("not exported, because it has no time: {} {}", part.kind, printable(&id)));
            }
            bar.inc(u64::try_from(page.items.len()).unwrap_or(u64::MAX));
        }
        Ok(())
    };
    try_join_all(parts.map(read_part)).await?;
    Ok(())
}

fn report(options: &Options, written: &days::Written, took: Duration) {
    let records: u64 = written.records.values().sum();
    let rate = u128::from(records) * 1000 / took.as_millis().max(1);
    if options.target.json {
        let by_kind: serde_json::Map<_, _> =
            written.records.iter().map(|(kind, records)| (kind.to_string(), json!(records))).collect();
        say!(
            "{}",
            json!({
                "records": by_kind, "files": written.files, "bytes": written.bytes, "catalogs": written.catalogs,
                "unreadable": written.unreadable, "seconds": took.as_secs_f64(),
            })
        );
        return;
    }
    for (kind, records) in &written.records {
        say!("{kind:<14} {records:>12}");
    }
    say!(
        "{records} records and {} catalogs in {} files of {} bytes, in {:.1} s ({rate} records a second): {}",
        written.catalogs,
        written.files,
        written.bytes,
        took.as_secs_f64(),
        options.to.display()
    );
}

fn bar(count: u64, done: &'static str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = if count == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(count) };
    let style = ProgressStyle::with_template(&format!(
        "{{wide_bar}} {{human_pos}} of about {{human_len}} records {done}, {{per_sec}}, {{eta}} left"
    ));
    let bar = style.map_or_else(|_| bar.clone(), |style| bar.clone().with_style(style));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Writes a file under a temporary name first, so that a file that has its name is complete.
fn write_whole(path: &Path, content: &[u8]) -> Result<(), ExportError> {
    let failed = |error| ExportError::Write { path: path.to_owned(), error };
    let temporary = path.with_extension("part");
    private_file(&temporary, true).and_then(|mut file| file.write_all(content)).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}

/// Creates a file and its folder, or opens one that is not to be new. Only the owner can read them: records may be personal data.
fn private_file(path: &Path, is_new: bool) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().write(true).create(true).truncate(is_new).mode(0o600).open(path)
}
