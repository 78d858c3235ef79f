//! Total limits, whose uses any member's record may add to.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use punchcard_rewards::Counter;
use punchcard_store::{Admin, HistoryReader, LedgerReader, Store, StoreError};
use tokio::time::Instant;

/// Time limit of reading total limits.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// The sums of total limits, and their values before the records were read.
///
/// Uses only grow. A record that was written before the audit is counted, and one that is written during it may be, so
/// the sum is at least the value before and at most the value after.
pub(super) struct Totals {
    before: BTreeMap<String, u64>,
    sums: BTreeMap<String, u64>,
    /// True if the uses of a record are unknown: values may be higher than their sums.
    pub is_partial: bool,
}

impl Totals {
    /// Reads the total limits of all applied catalogs.
    ///
    /// # Errors
    /// The store failed.
    pub async fn before(store: &Store, reader: &LedgerReader) -> Result<Self, StoreError> {
        let history = HistoryReader::new(store);
        let mut names = BTreeSet::new();
        for version in versions(store).await? {
            let catalog = match history.of(version).await {
                Ok(Some(catalog)) => catalog,
                Ok(None) | Err(StoreError::Corrupt { .. }) => continue,
                Err(error) => return Err(error),
            };
            let limited = catalog.rules().filter(|rule| rule.has_total_limit());
            names.extend(limited.map(|rule| Counter::TotalUses.name(rule.id())));
        }
        let names: Vec<_> = names.into_iter().collect();
        let items = reader.members_by_key(&names, Instant::now() + READ_LIMIT).await?;
        let before = items.into_iter().flat_map(|item| item.numbers).collect();
        Ok(Totals { before, sums: BTreeMap::new(), is_partial: false })
    }

    pub fn add(&mut self, name: &str, amount: u64) {
        let sum = self.sums.entry(name.to_owned()).or_default();
        *sum = sum.saturating_add(amount);
    }

    /// Returns the sum of a total limit if it contradicts the value after the records were read.
    pub fn contradicts(&self, name: &str, after: u64) -> Option<u64> {
        let sum = self.sums.get(name).copied().unwrap_or(0);
        // Without a value before, the limit is one of a missing catalog: only equality can be asked for.
        let before = self.before.get(name).copied().unwrap_or(if self.sums.contains_key(name) { 0 } else { after });
        let least = if self.is_partial { 0 } else { before };
        ((sum < least) || (sum > after)).then_some(sum)
    }

    /// Returns the total limits that records add to.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.sums.keys()
    }
}

/// Returns the numbers of all applied versions, oldest first.
///
/// # Errors
/// The store failed.
pub(super) async fn versions(store: &Store) -> Result<Vec<u64>, StoreError> {
    let admin = Admin::new(store);
    let mut versions: Vec<_> = admin.versions(usize::MAX).await?.iter().map(|applied| applied.version).collect();
    // A store of version 0.1.0 has rules that are not in the history yet.
    match admin.rules().await {
        Ok(Some(current)) if !versions.contains(&current.version) => versions.push(current.version),
        Ok(_) | Err(StoreError::Corrupt { .. }) => {}
        Err(error) => return Err(error),
    }
    versions.sort_unstable();
    Ok(versions)
}
