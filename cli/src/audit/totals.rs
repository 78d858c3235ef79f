//! Total limits, whose uses any member's record may add to.

use std::{collections::BTreeMap, time::Duration};

use punchcard_rewards::{Catalog, Rule};
use punchcard_store::{Admin, LedgerReader, OUT, Store, StoreError};
use tokio::time::Instant;

/// Time limit of reading total limits.
const READ_LIMIT: Duration = Duration::from_mins(1);

/// The sums of total limits, and of uses that were given back (`out#`), and their values before the records were read.
///
/// Both only grow. A record that was written before the audit is counted, and one that is written during it may be, so
/// the sum is at least the value before and at most the value after.
#[derive(Debug, Default)]
pub(super) struct Totals {
    before: BTreeMap<String, i64>,
    sums: BTreeMap<String, u64>,
    /// True if the uses of a record are unknown: values may be higher than their sums.
    pub is_partial: bool,
}

impl Totals {
    /// Notes the total limits of a catalog. One that was not noted before is unused so far.
    pub fn note(&mut self, catalog: &Catalog) {
        for name in catalog.rules().flat_map(Rule::total_names) {
            self.before.entry(format!("{OUT}{name}")).or_default();
            self.before.entry(name).or_default();
        }
    }

    /// Reads the values of the noted limits, before any record is read.
    ///
    /// # Errors
    /// The store failed.
    pub async fn read_before(&mut self, reader: &LedgerReader) -> Result<(), StoreError> {
        let names: Vec<_> = self.before.keys().filter(|name| !name.starts_with(OUT)).cloned().collect();
        let items = reader.members_by_key(&names, Instant::now() + READ_LIMIT).await?;
        self.before.extend(items.into_iter().flat_map(|item| item.numbers));
        Ok(())
    }

    pub fn add(&mut self, name: &str, amount: u64) {
        let sum = self.sums.entry(name.to_owned()).or_default();
        *sum = sum.saturating_add(amount);
    }

    /// Returns the sum of a total limit if it contradicts the value after the records were read.
    pub fn contradicts(&self, name: &str, after: i64) -> Option<i64> {
        let sum = self.sums.get(name).copied().unwrap_or(0).cast_signed();
        let least = match self.before.get(name) {
            _ if self.is_partial => 0,
            Some(before) => *before,
            // No catalog has this limit, so no request adds to it.
            None => after,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_lies_between_the_values_before_and_after_the_records_were_read() {
        let catalog = r#"{"campaigns":[{"id":"RUSH","event":"e","points":1,"limits":{"usesInTotal":9}}]}"#;
        let mut totals = Totals::default();
        totals.note(&Catalog::from_json(catalog).expect("a catalog"));
        // The first use came after its table was read.
        assert_eq!(totals.contradicts("cap#RUSH", 1), None);
        totals.add("cap#RUSH", 2);
        assert_eq!(totals.contradicts("cap#RUSH", 2), None);
        assert_eq!(totals.contradicts("cap#RUSH", 3), None);
        assert_eq!(totals.contradicts("cap#RUSH", 1), Some(2));
        totals.before.insert("cap#RUSH".to_owned(), 3);
        assert_eq!(totals.contradicts("cap#RUSH", 3), Some(2));
        assert_eq!(totals.contradicts("cap#UNKNOWN", 1), Some(0));
        totals.is_partial = true;
        assert_eq!(totals.contradicts("cap#RUSH", 3), None);
    }
}
