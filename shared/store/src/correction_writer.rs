//! Corrections of activities and balances: reversals and adjustments.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{
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
    correction_transaction::{Correction, CorrectionTransactions, Outcome},
    corrections::{StoredCorrection, adjustment, reversal, taken_by},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, s},
    ledger::Mode,
    member_change::MemberChange,
    member_write::points_attribute,
    retry::Retries,
    tombstones::Tombstones,
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
    tombstones: Tombstones,
    transactions: CorrectionTransactions,
    table: String,
}

impl CorrectionWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        CorrectionWriter {
            activities: ActivityReader::new(store),
            history: HistoryReader::new(store),
            tombstones: Tombstones::new(store, "Activities"),
            transactions: CorrectionTransactions::new(store, "Activities", &["activityId"]),
            table: store.table("Activities"),
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
        if self.tombstones.has_activity(CORRECT, new.erasure.as_ref(), new.id).await? {
            return Ok(Reversed::Corrected(Corrected::ReferenceReused));
        }
        let write_id = Uuid::new_v4();
        let Some(found) = self.activities.get(new.original, new.correlation_id).await? else {
            let record = reversal(&new, "", &BTreeMap::new());
            let outcome = self.transactions.without_original(&record, write_id, CORRECT).await?;
            return outcome.map_or(Ok(Reversed::NoSuchActivity), |outcome| reversed(outcome, &record));
        };
        match &found.reversed_by {
            Some(by) if **new.id == **by => return Ok(Reversed::Corrected(Corrected::Replay)),
            Some(by) => return Ok(Reversed::AlreadyReversed(by.clone())),
            None => {}
        }
        let taken = taken_by(&found, &self.history).await?;
        let mark = mark_reversed(&self.table, new.original, new.id);
        let correction = Correction {
            record: reversal(&new, &found.member_id, &taken),
            mark: Some(mark.map_err(|error| StoreError::internal(CORRECT, error))?),
            change: MemberChange::taking(found.member_id, &taken, negative),
        };
        let mut retries = Retries::until(deadline, CORRECT);
        let outcome = self.transactions.run(mode, &correction, write_id, &mut retries).await?;
        reversed(outcome, &correction.record)
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
        if self.tombstones.has_activity(CORRECT, new.erasure.as_ref(), new.id).await? {
            return Ok(Corrected::ReferenceReused);
        }
        let member = MemberId::of(new.owner, new.correlation_id).to_string();
        let balance = points_attribute(&new.adjustment.unit, &new.adjustment.points_type);
        let correction = Correction {
            record: adjustment(&new, &member),
            mark: None,
            change: MemberChange::of_balance(member, balance, new.adjustment.amount, negative),
        };
        let mut retries = Retries::until(deadline, CORRECT);
        match self.transactions.run(mode, &correction, Uuid::new_v4(), &mut retries).await? {
            Outcome::New(_) => Ok(Corrected::New),
            Outcome::Exists(found) => Ok(compare(&correction.record, &found)),
            Outcome::BelowZero => Ok(Corrected::BelowZero),
            // The transaction has no mark and no total limits.
            Outcome::MarkChanged(_) | Outcome::TooLarge => Err(StoreError::corrupt(CORRECT, "a failed condition")),
        }
    }
}

fn reversed(outcome: Outcome, record: &Item) -> Result<Reversed, StoreError> {
    Ok(match outcome {
        Outcome::New(_) => Reversed::Corrected(Corrected::New),
        Outcome::Exists(found) => Reversed::Corrected(compare(record, &found)),
        Outcome::MarkChanged(found) => {
            let by = found.text(REVERSED_BY).ok_or(StoreError::corrupt(CORRECT, "a missing activity"))?;
            Reversed::AlreadyReversed(by.to_owned())
        }
        Outcome::BelowZero => Reversed::Corrected(Corrected::BelowZero),
        Outcome::TooLarge => Reversed::TooLarge,
    })
}

/// Compares the record of a correction with the one that has its id.
fn compare(own: &Item, found: &Item) -> Corrected {
    match StoredCorrection::read(own).zip(StoredCorrection::read(found)) {
        Some((own, found)) if own.content.is_same_request_as(&found.content) => Corrected::Replay,
        Some(_) | None => Corrected::ReferenceReused,
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
