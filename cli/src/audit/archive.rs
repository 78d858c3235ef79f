//! A temporary store with the records and catalogs of an archive.

use std::path::Path;

use dynoxide::Database;
use punchcard_archive::{Folder, FolderError};
use punchcard_store::{Importer, RecordKind, Store, StoreError, StoredItem};
use tempfile::TempDir;

use crate::{embedded, failure::Failure, in_process::InProcess};

/// Number of records that are copied at a time.
const COPIED: usize = 1000;

/// A store that is deleted when it is dropped.
pub(super) struct Copy {
    pub store: Store,
    pub records: u64,
    _directory: TempDir,
}

/// Why a copy failed while the archive was read.
enum Stopped {
    Folder(FolderError),
    Store(StoreError),
}

impl From<FolderError> for Stopped {
    fn from(error: FolderError) -> Self {
        Stopped::Folder(error)
    }
}

/// Copies an archive.
///
/// # Errors
/// The archive cannot be read, or the disk is full.
pub(super) async fn copy(archive: &Path) -> Result<Copy, Failure> {
    let folder = Folder::open(archive).map_err(Failure::Archive)?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join(embedded::FILE);
    let database = Database::new(&file.to_string_lossy()).map_err(|error| Failure::Embedded(error.to_string()))?;
    let store = embedded::store(InProcess::new(database)).await?;
    let importer = Importer::new(&store);
    for (version, json) in folder.catalogs_json().map_err(Failure::Archive)? {
        importer.put_catalog(version, &json, punchcard_runtime::now()).await?;
    }
    // The archive is read on a thread of its own. The channel bounds what is in memory.
    let (sender, mut read) = tokio::sync::mpsc::channel::<(RecordKind, Vec<StoredItem>)>(2);
    let reading = tokio::task::spawn_blocking(move || {
        for kind in [RecordKind::Activities, RecordKind::PlayerEvents] {
            let mut page = Vec::with_capacity(COPIED);
            folder.read(kind, |item| {
                page.push(item);
                if page.len() < COPIED {
                    return Ok(());
                }
                send(&sender, kind, &mut page)
            })?;
            send(&sender, kind, &mut page)?;
        }
        Ok::<_, Stopped>(())
    });
    let mut records = 0;
    while let Some((kind, page)) = read.recv().await {
        records += u64::try_from(page.len()).unwrap_or(u64::MAX);
        importer.put(kind, page).await?;
    }
    match reading.await {
        Ok(Ok(())) => Ok(Copy { store, records, _directory: directory }),
        Ok(Err(Stopped::Folder(error))) => Err(Failure::Archive(error)),
        Ok(Err(Stopped::Store(error))) => Err(error.into()),
        Err(error) => Err(Failure::Io(error.into())),
    }
}

fn send(
    to: &tokio::sync::mpsc::Sender<(RecordKind, Vec<StoredItem>)>,
    kind: RecordKind,
    page: &mut Vec<StoredItem>,
) -> Result<(), Stopped> {
    // Closed only if the copy has failed, which is what is reported.
    let closed =
        |_| Stopped::Store(StoreError::Internal { operation: "copy an archive", what: "the copy ended".into() });
    to.blocking_send((kind, std::mem::take(page))).map_err(closed)
}
