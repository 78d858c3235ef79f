//! A temporary store with the records and catalogs of an archive.

use std::{io, path::Path};

use dynoxide::Database;
use punchcard_archive::Folder;
use punchcard_store::{Importer, Store, StoredItem};
use tempfile::TempDir;
use tokio::runtime::Handle;

use super::EARNING;
use crate::{embedded, failure::Failure, in_process::InProcess};

/// Number of records that are copied at a time.
const COPIED: usize = 1000;

/// A store that is deleted when it is dropped.
pub(super) struct Copy {
    pub store: Store,
    pub records: u64,
    _directory: TempDir,
}

/// Copies an archive.
///
/// # Errors
/// The archive cannot be read, or the disk is full.
pub(super) async fn copy(archive: &Path) -> Result<Copy, Failure> {
    let folder = Folder::open(archive)?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join(embedded::FILE);
    // Without syncs, which take most of the time of a copy and keep nothing that is needed after a crash.
    let opened = Database::new(&file.to_string_lossy());
    let opened = opened.and_then(|database| database.enable_bulk_loading().map(|()| database));
    let database = opened.map_err(|error| Failure::Embedded(error.to_string()))?;
    let store = embedded::store(InProcess::new(database)).await?;
    let importer = Importer::new(&store);
    for (version, json) in folder.catalogs_json()? {
        importer.put_catalog(version, &json, punchcard_runtime::now()).await?;
    }
    // Files are read on a thread for blocking work.
    let runtime = Handle::current();
    let copying = tokio::task::spawn_blocking(move || {
        let mut records = 0;
        let mut put = |kind, page: &mut Vec<StoredItem>| {
            records += u64::try_from(page.len()).unwrap_or(u64::MAX);
            runtime.block_on(importer.put(kind, std::mem::take(page)))
        };
        for kind in EARNING {
            let mut page = Vec::with_capacity(COPIED);
            folder.read(kind, |item| {
                page.push(item);
                if page.len() == COPIED {
                    put(kind, &mut page)?;
                }
                Ok::<_, Failure>(())
            })?;
            put(kind, &mut page)?;
        }
        Ok::<_, Failure>(records)
    });
    let records = copying.await.map_err(io::Error::from)??;
    Ok(Copy { store, records, _directory: directory })
}
