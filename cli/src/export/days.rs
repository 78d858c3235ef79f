//! The files of an export: one for each table and day, and the catalogs.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufWriter, Write as _},
    path::Path,
};

use punchcard_archive::{FileWriter, Row, catalog_path, day_of, day_path};
use punchcard_store::{HistoryReader, RecordKind, Store, StoreError, StoredItem};

use super::{ExportError, private_file, spool::Spool, write_whole};
use crate::output::{notice, printable};

/// Rows in memory at a time, which is also the size of a group of rows in a file.
const GROUP: usize = 20_000;
/// The name of the files.
const FILE: &str = "export.parquet";

/// Counts of an export.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub records: BTreeMap<RecordKind, u64>,
    pub files: u64,
    pub bytes: u64,
    pub catalogs: u64,
    /// Records whose content cannot be read. They are left out.
    pub unreadable: u64,
}

/// Writes the files that an interrupted export has not written, and the catalogs.
///
/// # Errors
/// A file cannot be written, or the store failed.
pub(super) async fn write(
    store: &Store,
    spool: &mut Spool,
    folder: &Path,
    progress: impl Fn(u64),
) -> Result<Written, ExportError> {
    let history = HistoryReader::new(store);
    let mut written = Written::default();
    for version in history.versions().await? {
        if let Some(json) = history.json_of(version).await? {
            write_whole(&folder.join(catalog_path(version)), json.as_bytes())?;
            written.catalogs += 1;
        }
    }
    for kind in RecordKind::ALL {
        written.records.insert(kind, 0);
        let mut days = spool.days(kind)?;
        if days.is_empty() {
            // A file without rows, because engines refuse to query a table that has no file.
            days.push((day_of(punchcard_runtime::now()), false));
        }
        for (day, is_written) in days {
            let path = folder.join(day_path(kind, &day)).join(FILE);
            // A complete file is only counted, so that the report is that of the whole export.
            write_day(&history, spool, (kind, &day), &path, is_written, &mut written, &progress).await?;
            spool.set_written(kind, &day)?;
            let size = fs::metadata(&path).map_err(|error| ExportError::Write { path: path.clone(), error })?.len();
            written.bytes += size;
            written.files += 1;
        }
    }
    Ok(written)
}

async fn write_day(
    history: &HistoryReader,
    spool: &Spool,
    (kind, day): (RecordKind, &str),
    path: &Path,
    is_written: bool,
    written: &mut Written,
    progress: impl Fn(u64),
) -> Result<(), ExportError> {
    let failed = |error| ExportError::Write { path: path.to_owned(), error };
    let broken = |error| ExportError::File { path: path.to_owned(), error };
    let temporary = path.with_extension("part");
    let mut file = None;
    if !is_written {
        let to = BufWriter::new(private_file(&temporary, true).map_err(failed)?);
        file = Some(FileWriter::new(kind, to).map_err(broken)?);
    }
    let mut after: Option<StoredItem> = None;
    loop {
        let items = spool.items(kind, day, after.as_ref(), GROUP)?;
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let mut rows = Vec::with_capacity(items.len());
        for item in &items {
            match Row::stored(item, None, history).await {
                Ok(row) => rows.push(row),
                Err(StoreError::Corrupt { what, .. }) => {
                    let id = item.id().unwrap_or_default();
                    notice(format_args!("not exported, because {what} cannot be read: {kind} {}", printable(id)));
                    written.unreadable += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        *written.records.entry(kind).or_default() += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        if let Some(file) = file.as_mut().filter(|_| !rows.is_empty()) {
            file.write(&rows).map_err(broken)?;
        }
        progress(count);
        let Some(last) = items.into_iter().next_back() else { break };
        after = Some(last);
    }
    let Some(file) = file else { return Ok(()) };
    let mut to = file.finish().map_err(broken)?;
    to.flush().map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}
