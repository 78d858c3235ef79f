//! The source of the records and catalogs of a backtest: a store, or an archive.

use std::{collections::HashMap, sync::Arc};

use punchcard_archive::Folder;
use punchcard_rewards::Catalog;
use punchcard_store::{HistoryReader, LedgerReader, RecordKind, Store, StoreError, StoredItem, TablePart};

use super::{BacktestError, spool::Spool};
use crate::budget::Budget;

/// The tables whose records earn points.
pub(super) const KINDS: [RecordKind; 2] = [RecordKind::Activities, RecordKind::PlayerEvents];
/// Number of records of an archive that are added at once.
const BATCH: usize = 1000;

/// The source of records and catalogs.
#[derive(Debug)]
pub enum Source {
    /// A store, and the read units that may be taken of it.
    Store(Box<LedgerReader>, HistoryReader, Budget),
    /// An archive, and its catalogs by version.
    Archive(Folder, HashMap<u64, Arc<Catalog>>),
}

impl Source {
    /// A store, of which so many units are read each second at most. 0: no limit.
    #[must_use]
    pub fn of_store(store: &Store, read_units: u32) -> Self {
        Source::Store(Box::new(LedgerReader::new(store)), HistoryReader::new(store), Budget::new(read_units))
    }

    /// An archive.
    ///
    /// # Errors
    /// A catalog cannot be read.
    pub fn of_archive(folder: Folder) -> Result<Self, BacktestError> {
        let catalogs = folder.catalogs()?;
        Ok(Source::Archive(folder, catalogs))
    }

    /// The approximate number of records, 0 if it is not known.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn approximate_count(&self) -> Result<u64, BacktestError> {
        match self {
            Source::Store(reader, ..) => Ok(reader.approximate_count(&KINDS).await?),
            Source::Archive(..) => Ok(0),
        }
    }

    /// Adds all records to a spool. Returns how many have no readable time; they are left out.
    pub(super) async fn read(&self, spool: &mut Spool, progress: impl Fn(u64)) -> Result<u64, BacktestError> {
        let mut without_time = 0;
        let mut add = |items: &[StoredItem]| -> Result<(), BacktestError> {
            without_time += spool.add(items)?;
            progress(u64::try_from(items.len()).unwrap_or(u64::MAX));
            Ok(())
        };
        for kind in KINDS {
            match self {
                Source::Store(reader, _, budget) => {
                    let mut start = None;
                    loop {
                        budget.wait().await;
                        let page = reader.items(TablePart::whole(kind), start).await?;
                        budget.spend(page.read_units);
                        add(&page.items)?;
                        start = page.next;
                        if start.is_none() {
                            break;
                        }
                    }
                }
                Source::Archive(folder, _) => {
                    let mut batch = Vec::with_capacity(BATCH);
                    folder.read(kind, |item| {
                        batch.push(item);
                        if batch.len() == BATCH {
                            add(&batch)?;
                            batch.clear();
                        }
                        Ok::<_, BacktestError>(())
                    })?;
                    add(&batch)?;
                }
            }
        }
        Ok(without_time)
    }

    /// A version of the catalog. `None` if it is missing or damaged.
    pub(super) async fn catalog(&self, version: u64) -> Result<Option<Arc<Catalog>>, BacktestError> {
        match self {
            Source::Store(_, history, _) => match history.of(version).await {
                Err(StoreError::Corrupt { .. }) => Ok(None),
                catalog => Ok(catalog?),
            },
            Source::Archive(_, catalogs) => Ok(catalogs.get(&version).cloned()),
        }
    }
}
