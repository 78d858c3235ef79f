//! Refunds of orders.

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_models::{
    decimal::Decimal,
    erasure::ErasureKey,
    refund::{Refund, Refunded},
    settings::NegativeBalances,
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    correction_transaction::{Correction, CorrectionTransactions, Outcome},
    corrections::{KIND, TAKEN, taken_attribute},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, s},
    ledger::{CUSTOMER, Mode},
    member_change::MemberChange,
    player_events::{StoredPlayerEvents, order_record_id},
    players::{POINTS, player_key},
    refunds::{LAST_REFUND, OrderAward, OrderRefunds, REFUND, REFUNDED, StoredRefund, record_id},
    retry::Retries,
    tombstones::Tombstones,
};

const WRITE: &str = "record a refund";

/// A refund to record.
#[derive(Debug, Clone, Copy)]
pub struct NewRefund<'a> {
    /// The parsed request.
    pub refund: &'a Refund,
    /// The catalog's setting.
    pub negative: NegativeBalances,
    /// The arrival time.
    pub now: Timestamp,
    /// The key for digests of erased ids, if records were erased.
    pub erasure: Option<ErasureKey>,
}

/// The outcome of recording a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundRecorded {
    /// The refund was recorded. Carries the response body.
    New(String),
    /// The refund was already recorded. Carries its response.
    Replay(String),
    /// The id was used for another refund, or for one that was erased.
    IdReused,
    /// The player has no such order.
    NoSuchOrder,
    /// The balance would fall below zero, which the catalog refuses.
    BelowZero,
    /// The order spent more total limits than one transaction can give back.
    TooLarge,
}

/// Records refunds.
#[derive(Debug)]
pub struct RefundWriter {
    history: HistoryReader,
    tombstones: Tombstones,
    transactions: CorrectionTransactions,
    reads: Client,
    table: String,
}

impl RefundWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        RefundWriter {
            history: HistoryReader::new(store),
            tombstones: Tombstones::new(store, "PlayerEvents"),
            transactions: CorrectionTransactions::new(store, "PlayerEvents", &["playerId", "recordId"]),
            reads: store.reads.clone(),
            table: store.table("PlayerEvents"),
        }
    }

    /// Refunds an order in whole or in part, or previews that: takes back the same share of what it earned. `response` is
    /// the body of the response, given the points that are taken back and the amount.
    ///
    /// # Errors
    /// The store call failed. The request can be repeated.
    pub async fn refund(
        &self,
        mode: Mode,
        new: NewRefund<'_>,
        deadline: Instant,
        response: impl Fn(u64, &Decimal<'_>) -> String,
    ) -> Result<RefundRecorded, StoreError> {
        let (player, own_id) = (&new.refund.player, record_id(&new.refund.id));
        if self.tombstones.has_request(WRITE, new.erasure.as_ref(), player, &own_id).await? {
            return Ok(RefundRecorded::IdReused);
        }
        // All attempts use the same id, so that a record of an earlier one is recognised.
        let write_id = Uuid::new_v4();
        let mut retries = Retries::until(deadline, WRITE);
        loop {
            let planned = self.plan(&new, &response).await.map_err(|error| retries.outcome_of(error))?;
            let outcome = if let Some(correction) = planned {
                self.transactions.run(mode, &correction, write_id, &mut retries).await?
            } else {
                let recorded = self.transactions.without_original(&key(&new), write_id, WRITE).await;
                match recorded.map_err(|error| retries.outcome_of(error))? {
                    Some(outcome) => outcome,
                    None => return Ok(RefundRecorded::NoSuchOrder),
                }
            };
            return Ok(match outcome {
                Outcome::New(record) => {
                    let response = record.text("response").ok_or(StoreError::corrupt(WRITE, "a stored response"))?;
                    RefundRecorded::New(response.to_owned())
                }
                Outcome::Exists(found) => compare(&new, &found),
                // Another refund of the order was recorded.
                Outcome::MarkChanged(_) => {
                    retries.pause().await?;
                    continue;
                }
                Outcome::BelowZero => RefundRecorded::BelowZero,
                Outcome::TooLarge => RefundRecorded::TooLarge,
            });
        }
    }

    /// Reads the order, and computes what the refund takes back. Returns `None` if there is no such order.
    async fn plan(
        &self,
        new: &NewRefund<'_>,
        response: impl Fn(u64, &Decimal<'_>) -> String,
    ) -> Result<Option<Correction>, StoreError> {
        let refund = new.refund;
        let get = self.reads.get_item().table_name(&self.table).consistent_read(true);
        let get = get.key("playerId", s(&refund.player)).key("recordId", s(order_record_id(&refund.order)));
        let Some(found) = get.send().await.map_err(|error| StoreError::read(WRITE, &error))?.item else {
            return Ok(None);
        };
        let corrupt = || StoreError::corrupt(WRITE, "an order");
        let order = StoredPlayerEvents::read(&found).ok_or_else(corrupt)?;
        let evaluation = order.evaluation()?.ok_or_else(corrupt)?;
        let award = OrderAward::derive(&evaluation, &*evaluation.catalog(&self.history).await?)?;

        let before = &order.refunds;
        let after = before.refunded.and(refund.amount.as_ref(), award.paid());
        let taken = award.taken(&before.refunded, &after);
        let points = taken.get(POINTS).copied().unwrap_or(0);
        let amount = refund.amount.clone().unwrap_or_else(|| before.refunded.left_of(award.paid()));

        let mut record = key(new);
        record.extend([
            (KIND.into(), s(REFUND)),
            ("order".into(), s(&order.record_id)),
            ("time".into(), s(refund.time)),
            ("refundedBefore".into(), s(&before.refunded)),
            ("refundedAfter".into(), s(&after)),
            (TAKEN.into(), taken_attribute(&taken)),
            ("response".into(), s(response(points, &amount))),
            ("receivedAt".into(), s(new.now)),
        ]);
        let customer = Some(&order.member_id).filter(|member| **member != player_key(&refund.player));
        let optional = [
            ("amount", refund.amount.as_ref().map(s)),
            ("previous", before.last.as_ref().map(s)),
            (CUSTOMER, customer.map(s)),
        ];
        record.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let mark = self.mark_order(refund, before, &after).map_err(|error| StoreError::internal(WRITE, error))?;
        let change = MemberChange::taking(order.member_id, &taken, new.negative);
        Ok(Some(Correction { record, mark: Some(mark), change }))
    }

    /// Builds the update of the order's marks, on condition that the last refund is the one that was read.
    fn mark_order(
        &self,
        refund: &Refund,
        before: &OrderRefunds,
        after: &Refunded,
    ) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("playerId", s(&refund.player))
            .key("recordId", s(order_record_id(&refund.order)))
            .update_expression("SET #refunded = :after, #last = :refund")
            .expression_attribute_names("#refunded", REFUNDED)
            .expression_attribute_names("#last", LAST_REFUND)
            .expression_attribute_values(":after", s(after))
            .expression_attribute_values(":refund", s(record_id(&refund.id)))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let update = match &before.last {
            None => update.condition_expression("attribute_exists(recordId) AND attribute_not_exists(#last)"),
            Some(last) => update.condition_expression("#last = :last").expression_attribute_values(":last", s(last)),
        };
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }
}

/// Returns the key of a refund's record.
fn key(new: &NewRefund<'_>) -> Item {
    Item::from([("playerId".into(), s(&new.refund.player)), ("recordId".into(), s(record_id(&new.refund.id)))])
}

/// Compares a request with the record that has its id.
fn compare(new: &NewRefund<'_>, found: &Item) -> RefundRecorded {
    let refund = new.refund;
    let is_same = |found: &StoredRefund| {
        found.order == order_record_id(&refund.order)
            && found.time == refund.time.to_string()
            && found.amount == refund.amount.as_ref().map(ToString::to_string)
    };
    match StoredRefund::read(found).filter(is_same) {
        Some(recorded) => RefundRecorded::Replay(recorded.response),
        None => RefundRecorded::IdReused,
    }
}
