//! Writes of corrections: the record, the change of the member, the mark of a reversed activity and the uses of total
//! limits that are given back, in one transaction.

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_models::{
    correction::Adjustment,
    erasure::ErasureKey,
    ids::{ActivityId, CorrelationId},
    member::MemberId,
    session::SessionOwner,
    settings::NegativeBalances,
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    activities::{ActivityReader, REVERSED_BY},
    conditional_write::{Transacted, new_item, transact},
    corrections::{StoredCorrection, adjustment, reversal, taken_by},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, b, s},
    ledger::{MAX_TRANSACTION_ITEMS, Mode},
    member_change::MemberChange,
    member_write::points_attribute,
    retry::Retries,
    twins::Twins,
};

const CORRECT: &str = "record a correction";

/// A reversal to record.
#[derive(Debug, Clone, Copy)]
pub struct NewReversal<'a> {
    /// The id of the reversal.
    pub id: &'a ActivityId,
    /// The correlation id in the request, with which the activity was sent.
    pub correlation_id: &'a CorrelationId,
    /// The activity to reverse.
    pub original: &'a ActivityId,
    /// The client's reference.
    pub reference: Option<&'a str>,
    /// The channel.
    pub channel: Option<&'a str>,
    /// The arrival time.
    pub now: Timestamp,
    /// The key for digests of erased ids, if corrections were erased and this one's id is not random.
    pub erasure: Option<ErasureKey>,
}

/// An adjustment to record.
#[derive(Debug, Clone, Copy)]
pub struct NewAdjustment<'a> {
    /// The id of the adjustment.
    pub id: &'a ActivityId,
    /// The correlation id in the request.
    pub correlation_id: &'a CorrelationId,
    /// The owner of the correlation id, if it has a session.
    pub owner: Option<&'a SessionOwner>,
    /// The adjustment.
    pub adjustment: &'a Adjustment,
    /// The arrival time.
    pub now: Timestamp,
    /// The key for digests of erased ids, if corrections were erased.
    pub erasure: Option<ErasureKey>,
}

/// The outcome of recording a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Corrected {
    /// The correction was recorded.
    New,
    /// The correction was already recorded.
    Replay,
    /// Another correction has this reference, or one had it and was erased.
    ReferenceReused,
    /// A balance would fall below zero, which the catalog refuses.
    BelowZero,
}

/// The outcome of a reversal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reversed {
    /// The outcome of recording it.
    Corrected(Corrected),
    /// There is no such activity.
    NoSuchActivity,
    /// The activity is reversed. Carries the id of the reversal.
    AlreadyReversed(String),
    /// The activity spent more total limits than one transaction can give back.
    TooLarge,
}

/// Records corrections.
#[derive(Debug)]
pub struct CorrectionWriter {
    activities: ActivityReader,
    history: HistoryReader,
    twins: Twins,
    reads: Client,
    writes: Client,
    table: String,
    members: String,
}

/// A correction, as it is written.
struct Correction<'a> {
    id: &'a ActivityId,
    /// The record.
    item: Item,
    change: MemberChange,
    /// The activity that is reversed.
    reversed: Option<&'a ActivityId>,
}

/// A part of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Record,
    Original,
    Member,
    Total,
}

impl CorrectionWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        CorrectionWriter {
            activities: ActivityReader::new(store),
            history: HistoryReader::new(store),
            twins: Twins::new(store, "Activities"),
            reads: store.reads.clone(),
            writes: store.writes.clone(),
            table: store.table("Activities"),
            members: store.table("Members"),
        }
    }

    /// Reverses an activity, or previews that: takes back what it earned, and gives back the uses of limits.
    ///
    /// # Errors
    /// The store call failed. The request can be repeated.
    pub async fn reverse(
        &self,
        mode: Mode,
        new: NewReversal<'_>,
        negative: NegativeBalances,
        deadline: Instant,
    ) -> Result<Reversed, StoreError> {
        if self.twins.has_activity(CORRECT, new.erasure.as_ref(), new.id).await? {
            return Ok(Reversed::Corrected(Corrected::ReferenceReused));
        }
        let Some(found) = self.activities.get(new.original, new.correlation_id).await? else {
            return Ok(Reversed::NoSuchActivity);
        };
        match &found.reversed_by {
            Some(by) if **new.id == **by => return Ok(Reversed::Corrected(Corrected::Replay)),
            Some(by) => return Ok(Reversed::AlreadyReversed(by.clone())),
            None => {}
        }
        let taken = taken_by(&found, &self.history).await?;
        let item = reversal(&new, &found.member_id, &taken);
        let change = MemberChange::taking(found.member_id, &taken, negative);
        let correction = Correction { id: new.id, item, change, reversed: Some(new.original) };
        self.run(mode, &correction, deadline).await
    }

    /// Adjusts a balance, or previews that.
    ///
    /// # Errors
    /// The store call failed. The request can be repeated.
    pub async fn adjust(
        &self,
        mode: Mode,
        new: NewAdjustment<'_>,
        negative: NegativeBalances,
        deadline: Instant,
    ) -> Result<Corrected, StoreError> {
        if self.twins.has_activity(CORRECT, new.erasure.as_ref(), new.id).await? {
            return Ok(Corrected::ReferenceReused);
        }
        let member = MemberId::of(new.owner, new.correlation_id).to_string();
        let balance = points_attribute(&new.adjustment.unit, &new.adjustment.points_type);
        let item = adjustment(&new, &member);
        let change = MemberChange::of_balance(member, balance, new.adjustment.amount, negative);
        let correction = Correction { id: new.id, item, change, reversed: None };
        match self.run(mode, &correction, deadline).await? {
            Reversed::Corrected(corrected) => Ok(corrected),
            // The transaction has no activity and no total limits.
            Reversed::NoSuchActivity | Reversed::AlreadyReversed(_) | Reversed::TooLarge => {
                Err(StoreError::corrupt(CORRECT, "a failed condition"))
            }
        }
    }

    async fn run(&self, mode: Mode, correction: &Correction<'_>, deadline: Instant) -> Result<Reversed, StoreError> {
        match mode {
            Mode::Write => self.write(correction, Retries::until(deadline, CORRECT)).await,
            Mode::Preview => self.preview(correction).await,
        }
    }

    async fn write(&self, correction: &Correction<'_>, mut retries: Retries) -> Result<Reversed, StoreError> {
        // All attempts use the same id, so that a record of an earlier one is recognised.
        let write_id = Uuid::new_v4();
        let mut known = None;
        loop {
            let (parts, writes) = self.transaction(correction, write_id, known.as_ref())?;
            if writes.len() > MAX_TRANSACTION_ITEMS {
                return Ok(Reversed::TooLarge);
            }
            let (part, found) = match transact(&self.writes, CORRECT, writes).await {
                Ok(Transacted::Done) => return Ok(Reversed::Corrected(Corrected::New)),
                Ok(Transacted::ConditionFailed(index, found)) => (parts[index], found),
                Err(failed) => {
                    retries.after(failed).await?;
                    continue;
                }
            };
            match part {
                Part::Record if found.bytes("writeId") == Some(write_id.as_bytes()) => {
                    return Ok(Reversed::Corrected(Corrected::New));
                }
                Part::Record => return Ok(Reversed::Corrected(correction.compare(&found))),
                Part::Original => {
                    let by = found.text(REVERSED_BY).ok_or(StoreError::corrupt(CORRECT, "a missing activity"))?;
                    return Ok(Reversed::AlreadyReversed(by.to_owned()));
                }
                Part::Member if correction.change.is_below_zero(&found) => {
                    return Ok(Reversed::Corrected(Corrected::BelowZero));
                }
                // The member is written whole, and was written in between.
                Part::Member => {
                    if known.replace(found).is_some() {
                        retries.pause().await?;
                    }
                }
                Part::Total => return Err(StoreError::corrupt(CORRECT, "a failed condition")),
            }
        }
    }

    /// Returns what [`write`](Self::write) would return, and writes nothing. The reads are not atomic.
    async fn preview(&self, correction: &Correction<'_>) -> Result<Reversed, StoreError> {
        if let Some(found) = self.get(&self.table, "activityId", correction.id).await? {
            return Ok(Reversed::Corrected(correction.compare(&found)));
        }
        let (_, writes) = self.transaction(correction, Uuid::nil(), None)?;
        if writes.len() > MAX_TRANSACTION_ITEMS {
            return Ok(Reversed::TooLarge);
        }
        let member = self.get(&self.members, "memberId", &correction.change.member).await?.unwrap_or_default();
        let is_below_zero = correction.change.is_below_zero(&member);
        Ok(Reversed::Corrected(if is_below_zero { Corrected::BelowZero } else { Corrected::New }))
    }

    async fn get(&self, table: &str, key: &str, id: &str) -> Result<Option<Item>, StoreError> {
        let get = self.reads.get_item().table_name(table).key(key, s(id)).consistent_read(true);
        Ok(get.send().await.map_err(|error| StoreError::read(CORRECT, &error))?.item)
    }

    /// Builds the transaction. The first part that fails decides, so they are in the order in which a request is refused.
    fn transaction(
        &self,
        correction: &Correction<'_>,
        write_id: Uuid,
        known: Option<&Item>,
    ) -> Result<(Vec<Part>, Vec<TransactWriteItem>), StoreError> {
        let invalid = |error: BuildError| StoreError::internal(CORRECT, error);
        let mut item = correction.item.clone();
        item.insert("writeId".into(), b(write_id.as_bytes()));
        let mut writes = vec![(Part::Record, new_item(CORRECT, &self.table, "activityId", item)?)];
        if let Some(original) = correction.reversed {
            let mark = mark_reversed(&self.table, original, correction.id).map_err(invalid)?;
            writes.push((Part::Original, mark));
        }
        let member = correction.change.member_write(&self.members, known).map_err(invalid)?;
        writes.extend(member.map(|write| (Part::Member, write)));
        let totals = correction.change.total_writes(&self.members).map_err(invalid)?;
        writes.extend(totals.into_iter().map(|write| (Part::Total, write)));
        Ok(writes.into_iter().unzip())
    }
}

impl Correction<'_> {
    /// Compares the correction with the record that has its id.
    fn compare(&self, found: &Item) -> Corrected {
        let (own, found) = (StoredCorrection::read(&self.item), StoredCorrection::read(found));
        match own.zip(found) {
            Some((own, found)) if own.content.is_same_request_as(&found.content) => Corrected::Replay,
            Some(_) | None => Corrected::ReferenceReused,
        }
    }
}

/// Builds the update that marks an activity as reversed, on condition that it is not.
fn mark_reversed(table: &str, original: &ActivityId, by: &ActivityId) -> Result<TransactWriteItem, BuildError> {
    let update = Update::builder()
        .table_name(table)
        .key("activityId", s(original))
        .update_expression("SET #by = :by")
        .condition_expression("attribute_exists(activityId) AND attribute_not_exists(#by)")
        .expression_attribute_names("#by", REVERSED_BY)
        .expression_attribute_values(":by", s(by))
        .return_values_on_condition_check_failure(OnFailure::AllOld);
    Ok(TransactWriteItem::builder().update(update.build()?).build())
}
