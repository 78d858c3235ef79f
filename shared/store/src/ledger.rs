//! One request, one atomic write: the record, the member's new balance, and the limits it uses.
//!
//! The first attempt evaluates as if no limit were used, and the write's conditions say so. A failed condition returns
//! the item that is there, and the next attempt evaluates with its counters.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_rewards::{Award, Counter, Spend, Usage};
use uuid::Uuid;

use crate::{
    conditional_write::{Transacted, new_item, put_new, transact},
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, MAX_ITEM_BYTES, b, n, s, size_bytes},
    member_write::MemberWrite,
    retry::Retries,
};

/// The most items that one transaction writes.
const MAX_TRANSACTION_ITEMS: usize = 100;
/// A member's attribute that names the customer it is an alias of.
pub(crate) const CUSTOMER: &str = "customer";
/// A total limit's attribute that counts its uses.
const USED: &str = "used";

/// The table of members, and how it is written together with a record.
#[derive(Debug)]
pub(crate) struct Ledger {
    client: Client,
    members: String,
    /// The uses of total limits when they were last seen. They only grow, so an exhausted limit is known before the
    /// write.
    totals: Mutex<HashMap<String, u64>>,
}

/// A record to write, which has to be new.
pub(crate) struct Record<'a> {
    pub table: &'a str,
    /// Any attribute of the table's key.
    pub key: &'static str,
    /// Builds the item, once an attempt: the SDK consumes it, and a second attempt is rare.
    pub item: &'a (dyn Fn() -> Item + Sync),
    /// A random id of the invocation. A later attempt recognises an earlier one by it, if its answer was lost.
    pub write_id: Uuid,
}

/// The member that a record is booked on.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The member's key.
    pub member: String,
    /// What the write assumes of the member.
    pub expect: Expect,
    /// Attributes that the member has from its first write on.
    pub first: Item,
    /// Items that are written with it and have to be new.
    pub others: Vec<Item>,
}

/// What a write assumes of a member, beside its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Nothing.
    Anything,
    /// That it is not an alias of another customer.
    NoPointer,
    /// That it does not exist.
    New,
}

/// The content of one attempt, as evaluated.
pub(crate) struct Entry<'c> {
    /// The record's attributes that come from the award.
    pub earned: Item,
    /// The award, and the limits it uses.
    pub award: Award<'c>,
    /// The amounts that are added to the member's balances.
    pub adds: Vec<(String, u64)>,
}

/// The outcome of [`Ledger::write`].
pub(crate) enum Written {
    /// The record is stored; these are the attributes that come from its award.
    New(Item),
    /// Another record of this id exists: this one.
    Exists(Item),
    /// The place is not as assumed: this member, or one of the other items, exists.
    Elsewhere(Item),
    /// The record is larger than an item may be, or uses more total limits than a transaction writes.
    TooLarge,
}

/// The outcome of one attempt.
enum Attempt {
    Done,
    RecordExists(Item),
    MemberMoved(Item),
    TotalMoved(String, Item),
    OtherExists(Item),
    TooLarge,
}

impl Ledger {
    pub(crate) fn new(client: Client, members: String) -> Self {
        Ledger { client, members, totals: Mutex::default() }
    }

    /// Writes a record and what it earned, once and together.
    pub(crate) async fn write<'c>(
        &self,
        record: &Record<'_>,
        place: &Place,
        retries: &mut Retries,
        evaluate: impl Fn(&Usage) -> Entry<'c>,
    ) -> Result<Written, StoreError> {
        let operation = retries.operation();
        let mut usage = self.known_totals();
        let mut known_member = None;
        let mut at_once = true;
        loop {
            let Entry { earned, award, adds } = evaluate(&usage);
            let mut item = (record.item)();
            item.insert("writeId".into(), b(record.write_id.as_bytes()));
            item.extend(earned.clone());
            if size_bytes(&item) > MAX_ITEM_BYTES {
                return Ok(Written::TooLarge);
            }
            let attempt = if adds.is_empty() && award.spends().is_empty() {
                let put = put_new(&self.client, operation, record.table, record.key, item).await;
                put.map(|exists| exists.map_or(Attempt::Done, Attempt::RecordExists))
            } else {
                let member = MemberWrite { place, known: known_member.as_ref(), adds };
                self.transact(operation, record, item, member, award.spends()).await
            };
            match attempt {
                Ok(Attempt::Done) => {
                    metrics::counter!("Points").increment(award.points());
                    return Ok(Written::New(earned));
                }
                Ok(Attempt::RecordExists(item)) if item.bytes("writeId") == Some(record.write_id.as_bytes()) => {
                    return Ok(Written::New(item));
                }
                Ok(Attempt::RecordExists(item)) => return Ok(Written::Exists(item)),
                Ok(Attempt::TooLarge) => return Ok(Written::TooLarge),
                Ok(Attempt::OtherExists(item)) => return Ok(Written::Elsewhere(item)),
                Ok(Attempt::MemberMoved(item)) if place.expect == Expect::New || item.contains_key(CUSTOMER) => {
                    return Ok(Written::Elsewhere(item));
                }
                Ok(Attempt::MemberMoved(item)) => {
                    for (name, value) in &item {
                        if let Some(used) = value.as_n().ok().and_then(|used| used.parse().ok()) {
                            usage.set(name.as_str(), used);
                        }
                    }
                    known_member = Some(item);
                }
                Ok(Attempt::TotalMoved(name, item)) => {
                    let used = item.number(USED).ok_or(StoreError::corrupt(operation, "a total limit"))?;
                    self.totals().insert(name.clone(), used);
                    usage.set(name, used);
                }
                Err(failed) => {
                    retries.after(failed).await?;
                    at_once = true;
                    continue;
                }
            }
            // A counter that a condition returned is soon out of date, so it is used at once; but only every other time,
            // to leave other writers a chance.
            if at_once {
                at_once = false;
            } else {
                retries.pause().await?;
                at_once = true;
            }
        }
    }

    fn known_totals(&self) -> Usage {
        let mut usage = Usage::default();
        for (name, used) in &*self.totals() {
            usage.set(name.as_str(), *used);
        }
        usage
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn transact(
        &self,
        operation: &'static str,
        record: &Record<'_>,
        item: Item,
        member: MemberWrite<'_>,
        spends: &[Spend<'_>],
    ) -> Result<Attempt, FailedAttempt> {
        let invalid = |error| FailedAttempt::Final(StoreError::internal(operation, error));
        let (totals, own): (Vec<_>, Vec<_>) = spends.iter().partition(|spend| spend.counter == Counter::TotalUses);
        let others = member.place.others.clone();
        // The record is first, because its failed condition outranks the others.
        let mut writes = vec![
            new_item(operation, record.table, record.key, item).map_err(FailedAttempt::Final)?,
            member.write(&self.members, &own).map_err(invalid)?,
        ];
        for other in others {
            writes.push(new_item(operation, &self.members, "memberId", other).map_err(FailedAttempt::Final)?);
        }
        let first_total = writes.len();
        for spend in &totals {
            writes.push(self.spend_total(spend).map_err(invalid)?);
        }
        if writes.len() > MAX_TRANSACTION_ITEMS {
            return Ok(Attempt::TooLarge);
        }
        Ok(match transact(&self.client, operation, writes).await? {
            Transacted::Done => Attempt::Done,
            Transacted::ConditionFailed(0, item) => Attempt::RecordExists(item),
            Transacted::ConditionFailed(1, item) => Attempt::MemberMoved(item),
            Transacted::ConditionFailed(other, item) if other < first_total => Attempt::OtherExists(item),
            Transacted::ConditionFailed(total, item) => Attempt::TotalMoved(totals[total - first_total].name(), item),
        })
    }

    /// Uses a total limit, which is an item of its own.
    fn spend_total(&self, spend: &Spend<'_>) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.members)
            .key("memberId", s(spend.name()))
            .update_expression("ADD #used :amount")
            .condition_expression("attribute_not_exists(#used) OR #used <= :most")
            .expression_attribute_names("#used", USED)
            .expression_attribute_values(":amount", n(spend.amount))
            .expression_attribute_values(":most", n(spend.most_before()))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }
}
