//! The audit: derives every award again, adds up balances and counters, and compares them with the members.
//!
//! Records are read once. Sums are kept in a temporary database on disk, so that the memory does not grow with the
//! number of records. Requests may go on meanwhile: a member whose sums differ is read again, with all of its records,
//! until its item did not change in between; total limits are compared with a range of values.
//!
//! An archive is first copied to a temporary store. It has no members, so there is nothing to compare sums with: its awards,
//! reversals and refunds are derived.

mod archive;
mod command;
mod derive;
mod difference;
mod members;
mod sums;
mod totals;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use command::{Options, run};
pub use difference::Difference;
use punchcard_rewards::Catalog;
use punchcard_store::{
    HistoryReader, LedgerReader, RecordKind, Store, StoreError, StoredItem, StoredRecord, TablePart,
};

use derive::Derived;
use members::Members;
use sums::Sums;
use totals::Totals;

/// The result of an audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// The audited records.
    pub records: u64,
    /// Records of version 0.1.0, whose awards cannot be derived. Their balances are audited.
    pub unversioned: u64,
    /// Records that were erased. The amounts in their tombstones are added up; their awards cannot be derived.
    pub erased: u64,
    /// The compared members.
    pub members: u64,
    /// The compared total limits. None are compared if a person was erased meanwhile.
    pub totals: u64,
    /// True if a person was erased meanwhile, so that a record may have been read twice or not at all.
    pub is_disturbed: bool,
    /// The differences found.
    pub differences: u64,
}

/// An audit cannot be completed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The temporary database failed, for example because the disk is full.
    #[error("the temporary database failed: {0}")]
    Sums(#[from] rusqlite::Error),
}

/// The extent of an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Records with each other, and sums with the members and total limits.
    Store,
    /// Records with each other.
    Records,
}

/// The tables of records that change balances.
const EARNING: [RecordKind; 2] = [RecordKind::Activities, RecordKind::PlayerEvents];

/// Audits a store. Calls `progress` with the number of records that were read since the last call, and `found` with each
/// difference.
///
/// # Errors
/// The store or the temporary database failed.
pub async fn audit(
    store: &Store,
    scope: Scope,
    progress: impl Fn(u64),
    found: impl FnMut(Difference) + Send,
) -> Result<Report, AuditError> {
    let reader = LedgerReader::new(store);
    let mut audit = Audit {
        totals: Totals::default(),
        catalogs: Catalogs::new(store),
        reported_versions: BTreeSet::new(),
        sums: Sums::new()?,
        report: Report::default(),
        found,
    };
    let erasures = reader.erasures().await?;
    audit.read_catalogs(store).await?;
    audit.totals.read_before(&reader).await?;
    for kind in EARNING {
        audit.add_records(kind, &reader, &progress).await?;
    }
    // Limits of catalogs that were applied meanwhile.
    audit.read_catalogs(store).await?;
    if scope == Scope::Records {
        return Ok(audit.report);
    }
    let Audit { sums, totals, catalogs, mut report, mut found, .. } = audit;
    let mut members = Members { reader: &reader, catalogs, sums };
    let contradictions = members.compare(&totals, &mut report, &mut found).await?;
    // Members were read again with all of their records, and total limits cannot be.
    if reader.erasures().await? == erasures {
        report.differences += u64::try_from(contradictions.len()).unwrap_or(u64::MAX);
        contradictions.into_iter().for_each(found);
    } else {
        report.totals = 0;
        report.is_disturbed = true;
    }
    Ok(report)
}

struct Audit<F> {
    totals: Totals,
    catalogs: Catalogs,
    /// Missing and damaged versions, each reported once.
    reported_versions: BTreeSet<u64>,
    sums: Sums,
    report: Report,
    found: F,
}

/// The applied catalogs.
struct Catalogs {
    history: HistoryReader,
    unusable: Mutex<BTreeMap<u64, Difference>>,
}

impl Catalogs {
    fn new(store: &Store) -> Self {
        Catalogs { history: HistoryReader::new(store), unusable: Mutex::default() }
    }

    /// Returns a version of the catalog, or the difference that it cannot be used.
    async fn of(&self, version: u64) -> Result<Result<Arc<Catalog>, Difference>, StoreError> {
        if let Some(unusable) = self.unusable().get(&version) {
            return Ok(Err(unusable.clone()));
        }
        let unusable = match self.history.of(version).await {
            Ok(Some(catalog)) => return Ok(Ok(catalog)),
            Ok(None) => Difference::MissingVersion { version },
            Err(StoreError::Corrupt { .. }) => Difference::DamagedVersion { version },
            Err(error) => return Err(error),
        };
        self.unusable().insert(version, unusable.clone());
        Ok(Err(unusable))
    }

    fn unusable(&self) -> MutexGuard<'_, BTreeMap<u64, Difference>> {
        self.unusable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: FnMut(Difference) + Send> Audit<F> {
    fn differs(&mut self, difference: Difference) {
        self.report.differences += 1;
        (self.found)(difference);
    }

    /// Reads every applied catalog, also those that no record names.
    async fn read_catalogs(&mut self, store: &Store) -> Result<(), AuditError> {
        for version in totals::versions(store).await? {
            match self.catalogs.of(version).await? {
                Ok(catalog) => self.totals.note(&catalog),
                Err(difference) => self.unusable(version, difference),
            }
        }
        Ok(())
    }

    fn unusable(&mut self, version: u64, difference: Difference) {
        if self.reported_versions.insert(version) {
            self.differs(difference);
        }
    }

    async fn add_records(
        &mut self,
        kind: RecordKind,
        reader: &LedgerReader,
        progress: impl Fn(u64),
    ) -> Result<(), AuditError> {
        let mut start = None;
        loop {
            let page = reader.items(TablePart::whole(kind), start).await?;
            progress(u64::try_from(page.items.len()).unwrap_or(u64::MAX));
            for item in page.items {
                match item.record() {
                    Ok(StoredRecord::Activity(record)) => {
                        self.add(Derived::activity(record, &self.catalogs, reader).await?)?;
                    }
                    Ok(StoredRecord::Player(record)) => {
                        self.add(Derived::player_record(record, &self.catalogs, reader).await?)?;
                    }
                    Ok(StoredRecord::ClientEvent(_) | StoredRecord::ErasedClientEvent) => {}
                    Err(_) => self.unreadable(name(&item)),
                }
            }
            start = page.next;
            if start.is_none() {
                return Ok(());
            }
        }
    }

    fn unreadable(&mut self, record: String) {
        self.report.records += 1;
        self.differs(Difference::Unreadable { record });
    }

    /// Adds the effects of a record. One that is to be erased has none: it still exists, and is read by itself.
    fn add(&mut self, derived: Option<Derived>) -> Result<(), AuditError> {
        let Some(derived) = derived else { return Ok(()) };
        self.report.records += 1;
        self.report.erased += u64::from(derived.is_erased);
        self.report.unversioned += u64::from(derived.is_unversioned);
        if let Some((version, difference)) = derived.unusable {
            self.unusable(version, difference);
        }
        if let Some(difference) = derived.difference {
            self.differs(difference);
        }
        for (name, amount) in &derived.totals {
            self.totals.add(name, *amount);
        }
        self.totals.is_partial |= derived.is_partial;
        if let Some(alias) = &derived.alias {
            self.sums.add_alias(&derived.member, alias)?;
        }
        self.sums.add(&derived.member, &derived.adds, derived.is_partial)?;
        Ok(())
    }
}

/// Names a record in a report.
fn name(item: &StoredItem) -> String {
    let id = item.id().unwrap_or_default();
    match item.kind() {
        RecordKind::ClientEvents => format!("client event {} {id}", item.partition().unwrap_or_default()),
        RecordKind::Activities => format!("activity {id}"),
        RecordKind::PlayerEvents => format!("player request {} {id}", item.partition().unwrap_or_default()),
    }
}
