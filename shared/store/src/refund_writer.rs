//! Writes of refunds: the record, the mark of the order, the change of the member and the uses of total limits that are
//! given back, in one transaction.

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_models::{
    decimal::Decimal,
    erasure::ErasureKey,
    ids::{OrderId, PlayerId},
    refund::{Refund, Refunded},
    settings::NegativeBalances,
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    conditional_write::{Transacted, new_item, transact},
    corrections::{KIND, TAKEN, taken_attribute},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, b, s},
    ledger::{CUSTOMER, MAX_TRANSACTION_ITEMS, Mode},
    member_change::MemberChange,
    player_events::{StoredPlayerEvents, order_record_id},
    players::{POINTS, player_key},
    refunds::{LAST_REFUND, OrderAward, OrderRefunds, REFUND, REFUNDED, StoredRefund, record_id},
    retry::Retries,
    twins::Twins,
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
    twins: Twins,
    reads: Client,
    writes: Client,
    table: String,
    members: String,
}

/// A refund, as it is written if the order's marks are as they were read.
struct Plan {
    order: OrderId,
    before: OrderRefunds,
    after: Refunded,
    /// The record.
    item: Item,
    response: String,
    change: MemberChange,
}

/// A part of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Record,
    Order,
    Member,
    Total,
}

impl RefundWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        RefundWriter {
            history: HistoryReader::new(store),
            twins: Twins::new(store, "PlayerEvents"),
            reads: store.reads.clone(),
            writes: store.writes.clone(),
            table: store.table("PlayerEvents"),
            members: store.table("Members"),
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
        if self.twins.has_request(WRITE, new.erasure.as_ref(), player, &own_id).await? {
            return Ok(RefundRecorded::IdReused);
        }
        // All attempts use the same id, so that a record of an earlier one is recognised.
        let write_id = Uuid::new_v4();
        let mut retries = Retries::until(deadline, WRITE);
        let mut known_member = None;
        loop {
            let Some(plan) = self.plan(&new, &response).await.map_err(|error| retries.outcome_of(error))? else {
                // The order may be erased since the refund was recorded, or the id be that of another order's refund.
                let recorded = self.recorded(&new).await.map_err(|error| retries.outcome_of(error))?;
                return recorded.map_or(Ok(RefundRecorded::NoSuchOrder), |found| outcome(&new, write_id, &found));
            };
            let (parts, writes) = self.transaction(&new, &plan, write_id, known_member.as_ref())?;
            if writes.len() > MAX_TRANSACTION_ITEMS {
                return Ok(RefundRecorded::TooLarge);
            }
            if mode == Mode::Preview {
                return self.preview(&new, plan).await;
            }
            let (part, found) = match transact(&self.writes, WRITE, writes).await {
                Ok(Transacted::Done) => return Ok(RefundRecorded::New(plan.response)),
                Ok(Transacted::ConditionFailed(index, found)) => (parts[index], found),
                Err(failed) => {
                    retries.after(failed).await?;
                    continue;
                }
            };
            match part {
                Part::Record => return outcome(&new, write_id, &found),
                Part::Member if plan.change.is_below_zero(&found) => return Ok(RefundRecorded::BelowZero),
                // Another refund of the order was recorded, or the member is written whole and was written in between.
                Part::Order => retries.pause().await?,
                Part::Member => {
                    if known_member.replace(found).is_some() {
                        retries.pause().await?;
                    }
                }
                Part::Total => return Err(StoreError::corrupt(WRITE, "a failed condition")),
            }
        }
    }

    /// Reads the order, and computes what the refund takes back. Returns `None` if there is no such order.
    async fn plan(
        &self,
        new: &NewRefund<'_>,
        response: impl Fn(u64, &Decimal<'_>) -> String,
    ) -> Result<Option<Plan>, StoreError> {
        let refund = new.refund;
        let found = self.get(&refund.player, &order_record_id(&refund.order)).await?;
        let Some(found) = found else { return Ok(None) };
        let corrupt = || StoreError::corrupt(WRITE, "an order");
        let order = StoredPlayerEvents::read(&found).ok_or_else(corrupt)?;
        let evaluation = order.evaluation()?.ok_or_else(corrupt)?;
        let before = order.refunds;
        let award = OrderAward::derive(&evaluation, &*evaluation.catalog(&self.history).await?)?;

        let after = before.refunded.and(refund.amount.as_ref(), award.paid());
        let taken = award.taken(&before.refunded, &after);
        let points = taken.get(POINTS).copied().unwrap_or(0);
        let amount = refund.amount.clone().unwrap_or_else(|| before.refunded.left_of(award.paid()));
        let response = response(points, &amount);

        let mut item = Item::from([
            ("playerId".into(), s(&refund.player)),
            ("recordId".into(), s(record_id(&refund.id))),
            (KIND.into(), s(REFUND)),
            ("order".into(), s(&order.record_id)),
            ("time".into(), s(refund.time)),
            ("refundedBefore".into(), s(&before.refunded)),
            ("refundedAfter".into(), s(&after)),
            (TAKEN.into(), taken_attribute(&taken)),
            ("response".into(), s(&response)),
            ("receivedAt".into(), s(new.now)),
        ]);
        let customer = Some(&order.member_id).filter(|member| **member != player_key(&refund.player));
        let optional = [
            ("amount", refund.amount.as_ref().map(s)),
            ("previous", before.last.as_ref().map(s)),
            (CUSTOMER, customer.map(s)),
        ];
        item.extend(optional.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        let change = MemberChange::taking(order.member_id, &taken, new.negative);
        Ok(Some(Plan { order: refund.order.clone(), before, after, item, response, change }))
    }

    /// Returns what the write of a plan would return, and writes nothing. The reads are not atomic.
    async fn preview(&self, new: &NewRefund<'_>, plan: Plan) -> Result<RefundRecorded, StoreError> {
        if let Some(found) = self.recorded(new).await? {
            return Ok(compare(new, &found));
        }
        let get = self.reads.get_item().table_name(&self.members).key("memberId", s(&plan.change.member));
        let member = get.consistent_read(true).send().await.map_err(|error| StoreError::read(WRITE, &error))?.item;
        let is_below_zero = plan.change.is_below_zero(&member.unwrap_or_default());
        Ok(if is_below_zero { RefundRecorded::BelowZero } else { RefundRecorded::New(plan.response) })
    }

    /// Returns the record of this refund, if there is one.
    async fn recorded(&self, new: &NewRefund<'_>) -> Result<Option<Item>, StoreError> {
        self.get(&new.refund.player, &record_id(&new.refund.id)).await
    }

    async fn get(&self, player: &PlayerId, record_id: &str) -> Result<Option<Item>, StoreError> {
        let get = self.reads.get_item().table_name(&self.table).consistent_read(true);
        let get = get.key("playerId", s(player)).key("recordId", s(record_id));
        Ok(get.send().await.map_err(|error| StoreError::read(WRITE, &error))?.item)
    }

    /// Builds the transaction. The first part that fails decides, so they are in the order in which a request is refused.
    fn transaction(
        &self,
        new: &NewRefund<'_>,
        plan: &Plan,
        write_id: Uuid,
        known_member: Option<&Item>,
    ) -> Result<(Vec<Part>, Vec<TransactWriteItem>), StoreError> {
        let invalid = |error: BuildError| StoreError::internal(WRITE, error);
        let mut item = plan.item.clone();
        item.insert("writeId".into(), b(write_id.as_bytes()));
        let mut writes = vec![
            (Part::Record, new_item(WRITE, &self.table, "recordId", item)?),
            (Part::Order, self.mark_order(new.refund, plan).map_err(invalid)?),
        ];
        let member = plan.change.member_write(&self.members, known_member).map_err(invalid)?;
        writes.extend(member.map(|write| (Part::Member, write)));
        let totals = plan.change.total_writes(&self.members).map_err(invalid)?;
        writes.extend(totals.into_iter().map(|write| (Part::Total, write)));
        Ok(writes.into_iter().unzip())
    }

    /// Builds the update of the order's marks, on condition that they are those that the plan was made with.
    fn mark_order(&self, refund: &Refund, plan: &Plan) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("playerId", s(&refund.player))
            .key("recordId", s(order_record_id(&plan.order)))
            .update_expression("SET #refunded = :after, #last = :refund")
            .expression_attribute_names("#refunded", REFUNDED)
            .expression_attribute_names("#last", LAST_REFUND)
            .expression_attribute_values(":after", s(&plan.after))
            .expression_attribute_values(":refund", s(record_id(&refund.id)))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let update = match &plan.before.last {
            None => update.condition_expression("attribute_exists(recordId) AND attribute_not_exists(#last)"),
            Some(last) => update.condition_expression("#last = :last").expression_attribute_values(":last", s(last)),
        };
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }
}

/// Returns the outcome of a request whose id has a record, maybe by an earlier attempt.
fn outcome(new: &NewRefund<'_>, write_id: Uuid, found: &Item) -> Result<RefundRecorded, StoreError> {
    if found.bytes("writeId") != Some(write_id.as_bytes()) {
        return Ok(compare(new, found));
    }
    let response = found.text("response").ok_or(StoreError::corrupt(WRITE, "a stored response"))?;
    Ok(RefundRecorded::New(response.to_owned()))
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
