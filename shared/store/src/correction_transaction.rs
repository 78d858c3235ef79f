//! The transaction of a correction: its record, the mark of the record that it corrects, the change of the member and the
//! uses of total limits that are given back.

use aws_sdk_dynamodb::{Client, error::BuildError, types::TransactWriteItem};
use uuid::Uuid;

use crate::{
    Store,
    conditional_write::{Transacted, new_item, transact},
    error::StoreError,
    item::{Attributes as _, Item, b, s},
    ledger::{MAX_TRANSACTION_ITEMS, Mode},
    member_change::MemberChange,
    retry::Retries,
};

/// Writes corrections, and previews them.
#[derive(Debug)]
pub(crate) struct CorrectionTransactions {
    reads: Client,
    writes: Client,
    table: String,
    /// The attributes of the table's key.
    key: &'static [&'static str],
    members: String,
}

/// A correction, as it is written.
pub(crate) struct Correction {
    /// The record, without the id of the write.
    pub record: Item,
    /// The write of the mark of the corrected record, on condition that the mark is as it was read. `None` for a
    /// correction of a balance alone.
    pub mark: Option<TransactWriteItem>,
    pub change: MemberChange,
}

/// The outcome of a correction.
pub(crate) enum Outcome {
    /// The correction was recorded. Carries the record, which may be that of an earlier attempt.
    New(Item),
    /// Another correction has this id. Carries its record.
    Exists(Item),
    /// The mark of the corrected record is not as it was read. Carries that record.
    MarkChanged(Item),
    /// A balance would fall below zero, which the catalog refuses.
    BelowZero,
    /// More total limits are to be given back than one transaction can write.
    TooLarge,
}

/// A part of the transaction. The first that fails decides, so they are in the order in which a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Record,
    Mark,
    Member,
    Total,
}

impl CorrectionTransactions {
    /// For corrections that are recorded in a table.
    pub(crate) fn new(store: &Store, table: &str, key: &'static [&'static str]) -> Self {
        CorrectionTransactions {
            reads: store.reads.clone(),
            writes: store.writes.clone(),
            table: store.table(table),
            key,
            members: store.table("Members"),
        }
    }

    /// Writes a correction, or previews that. A record with this `write_id` was written by an earlier attempt.
    pub(crate) async fn run(
        &self,
        mode: Mode,
        correction: &Correction,
        write_id: Uuid,
        retries: &mut Retries,
    ) -> Result<Outcome, StoreError> {
        let mut known = None;
        loop {
            let (parts, writes) = self.build(correction, write_id, known.as_ref(), retries.operation())?;
            if writes.len() > MAX_TRANSACTION_ITEMS {
                return Ok(Outcome::TooLarge);
            }
            if mode == Mode::Preview {
                return self.preview(correction, retries.operation()).await;
            }
            let (part, found) = match transact(&self.writes, retries.operation(), writes).await {
                Ok(Transacted::Done) => return Ok(Outcome::New(correction.record.clone())),
                Ok(Transacted::ConditionFailed(index, found)) => (parts[index], found),
                Err(failed) => {
                    retries.after(failed).await?;
                    continue;
                }
            };
            match part {
                Part::Record => return Ok(existing(found, write_id)),
                Part::Mark => return Ok(Outcome::MarkChanged(found)),
                Part::Member if correction.change.is_below_zero(&found) => return Ok(Outcome::BelowZero),
                // The member is written whole, and was written in between.
                Part::Member => {
                    if known.replace(found).is_some() {
                        retries.pause().await?;
                    }
                }
                Part::Total => return Err(StoreError::corrupt(retries.operation(), "a failed condition")),
            }
        }
    }

    /// Returns what a write would return, and writes nothing. The reads are not atomic.
    async fn preview(&self, correction: &Correction, operation: &'static str) -> Result<Outcome, StoreError> {
        if let Some(found) = self.recorded(&correction.record, operation).await? {
            return Ok(Outcome::Exists(found));
        }
        let member = Item::from([("memberId".into(), s(&correction.change.member))]);
        let member = self.get(&self.members, member, operation).await?.unwrap_or_default();
        let is_refused = correction.change.is_below_zero(&member);
        Ok(if is_refused { Outcome::BelowZero } else { Outcome::New(correction.record.clone()) })
    }

    /// Returns the outcome of a correction whose original was not found, if its id is recorded: the original may be erased
    /// or recorded since.
    pub(crate) async fn without_original(
        &self,
        record: &Item,
        write_id: Uuid,
        operation: &'static str,
    ) -> Result<Option<Outcome>, StoreError> {
        let found = self.recorded(record, operation).await?;
        Ok(found.map(|found| existing(found, write_id)))
    }

    /// Returns the record with the key of `record`, if there is one.
    async fn recorded(&self, record: &Item, operation: &'static str) -> Result<Option<Item>, StoreError> {
        let key = self.key.iter().filter_map(|name| record.get_key_value(*name));
        let key = key.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.get(&self.table, key, operation).await
    }

    async fn get(&self, table: &str, key: Item, operation: &'static str) -> Result<Option<Item>, StoreError> {
        let get = self.reads.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        Ok(get.send().await.map_err(|error| StoreError::read(operation, &error))?.item)
    }

    fn build(
        &self,
        correction: &Correction,
        write_id: Uuid,
        known: Option<&Item>,
        operation: &'static str,
    ) -> Result<(Vec<Part>, Vec<TransactWriteItem>), StoreError> {
        let invalid = |error: BuildError| StoreError::internal(operation, error);
        let Correction { record, mark, change } = correction;
        let mut record = record.clone();
        record.insert("writeId".into(), b(write_id.as_bytes()));
        let mut writes = vec![(Part::Record, new_item(operation, &self.table, self.key[0], record)?)];
        writes.extend(mark.iter().map(|mark| (Part::Mark, mark.clone())));
        let member = change.member_write(&self.members, known).map_err(invalid)?;
        writes.extend(member.map(|write| (Part::Member, write)));
        let totals = change.total_writes(&self.members).map_err(invalid)?;
        writes.extend(totals.into_iter().map(|write| (Part::Total, write)));
        Ok(writes.into_iter().unzip())
    }
}

fn existing(found: Item, write_id: Uuid) -> Outcome {
    let is_own = found.bytes("writeId") == Some(write_id.as_bytes());
    if is_own { Outcome::New(found) } else { Outcome::Exists(found) }
}
