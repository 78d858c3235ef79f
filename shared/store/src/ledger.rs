//! One request, one atomic write: the record of what was sent, the member's new balance, and the limits it used.
//!
//! The first try knows nothing of the member and evaluates as if nothing were used yet; the write's conditions say
//! what it assumed. A condition that fails returns what is there, and the next try evaluates with that.

use std::{collections::HashMap, sync::Mutex};

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_rewards::{Award, Counter, Spend, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    item::{Attributes as _, Item, b, n, s},
    new_item::{Transacted, new_item, put_new, transact},
    outage::Outage,
    retry::Retries,
};

/// The most attributes that an update of a member names: an expression ends at 4 KB.
const NAMED: usize = 40;
/// The most items that one transaction writes.
const ITEMS: usize = 100;
/// Counts a member's writes.
const VERSION: &str = "version";
/// The member that another one's name stands for.
pub(crate) const CUSTOMER: &str = "customer";
/// How far a total limit is used.
const USED: &str = "used";

/// The table of members, and how it is written together with a record.
#[derive(Debug)]
pub(crate) struct Ledger {
    client: Client,
    members: String,
    /// How far total limits were used when they were last seen; they only grow. So an exhausted one is known before
    /// the write.
    totals: Mutex<HashMap<String, u64>>,
}

/// A record to be written, which has to be new.
#[derive(Clone)]
pub(crate) struct Record<'a> {
    pub table: &'a str,
    /// Any attribute of the table's key.
    pub key: &'static str,
    pub item: Item,
    /// Ours alone: after a lost answer the next try meets the first one's write and knows it by this.
    pub write_id: Uuid,
}

/// Where in the table of members a record is booked.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The member's key.
    pub member: String,
    /// What the write takes for granted of the member.
    pub expect: Expect,
    /// What the member has from its first write on.
    pub first: Item,
    /// Items that are written with it, and have to be new.
    pub others: Vec<Item>,
}

/// What a write takes for granted of a member, beside its counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Nothing.
    Anything,
    /// That it has a balance of its own, if it is there: it isn't one of another customer's names.
    NoPointer,
    /// That it isn't there.
    New,
}

/// What a try writes, given what was used before.
pub(crate) struct Entry<'c> {
    /// What the record has beside what it has anyway.
    pub earned: Item,
    /// What is paid, and what limits that uses.
    pub award: Award<'c>,
    /// What is added to attributes of the member: its balances.
    pub adds: Vec<(String, u64)>,
}

/// What became of a record.
pub(crate) enum Written {
    /// It is there now, as this item.
    New(Item),
    /// Another was there before: this one.
    Exists(Item),
    /// The place isn't what it was taken for: of the member, or of one of the others, this is there.
    Elsewhere(Item),
    /// It uses more total limits than a transaction takes.
    TooLarge,
}

/// What became of one try.
enum Tried {
    Done,
    RecordExists(Item),
    MemberMoved(Item),
    TotalMoved(String, Item),
    OtherExists(Item),
    TooLarge,
    Busy,
}

impl Ledger {
    pub(crate) fn new(client: Client, members: String) -> Self {
        Ledger { client, members, totals: Mutex::default() }
    }

    /// Writes a record, and what it earns, once and together.
    pub(crate) async fn write<'c>(
        &self,
        operation: &'static str,
        mut record: Record<'_>,
        place: &Place,
        deadline: Instant,
        evaluate: impl Fn(&Usage) -> Entry<'c>,
    ) -> Result<Written, Outage> {
        record.item.insert("writeId".into(), b(record.write_id.as_bytes()));
        let mut usage = self.known_totals();
        let mut known_member = None;
        let mut retries = Retries::until(deadline, operation);
        let mut at_once = true;
        loop {
            let Entry { earned, award, adds } = evaluate(&usage);
            record.item.extend(earned);
            let tried = if adds.is_empty() && award.spends().is_empty() {
                self.put(operation, record.clone()).await?
            } else {
                let member = MemberWrite { place, known: known_member.as_ref(), adds };
                self.transact(operation, record.clone(), member, award.spends()).await?
            };
            let is_news = match tried {
                Tried::Done => {
                    metrics::counter!("Points").increment(award.points());
                    return Ok(Written::New(record.item));
                }
                Tried::RecordExists(item) if item.bytes("writeId") == Some(record.write_id.as_bytes()) => {
                    return Ok(Written::New(item));
                }
                Tried::RecordExists(item) => return Ok(Written::Exists(item)),
                Tried::TooLarge => return Ok(Written::TooLarge),
                Tried::OtherExists(item) => return Ok(Written::Elsewhere(item)),
                Tried::MemberMoved(item) if place.expect == Expect::New || item.contains_key(CUSTOMER) => {
                    return Ok(Written::Elsewhere(item));
                }
                Tried::MemberMoved(item) => {
                    for (name, value) in &item {
                        if let Some(used) = value.as_n().ok().and_then(|used| used.parse().ok()) {
                            usage.set(name.as_str(), used);
                        }
                    }
                    known_member = Some(item);
                    true
                }
                Tried::TotalMoved(name, item) => {
                    let used = item.number(USED).ok_or(Outage::unreadable(operation, "a total limit"))?;
                    self.remember_total(&name, used);
                    usage.set(name, used);
                    true
                }
                Tried::Busy => false,
            };
            // What a condition returned is worth a try at once: it won't be true for long. But only every other time,
            // because others want to write too.
            if is_news && at_once {
                at_once = false;
            } else {
                retries.pause().await?;
                at_once = true;
            }
        }
    }

    fn known_totals(&self) -> Usage {
        let mut usage = Usage::default();
        let totals = self.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (name, used) in &*totals {
            usage.set(name.as_str(), *used);
        }
        usage
    }

    fn remember_total(&self, name: &str, used: u64) {
        let mut totals = self.totals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        totals.insert(name.to_owned(), used);
    }

    /// A record that moves nothing else.
    async fn put(&self, operation: &'static str, record: Record<'_>) -> Result<Tried, Outage> {
        let exists = put_new(&self.client, operation, record.table, record.key, record.item).await?;
        Ok(exists.map_or(Tried::Done, Tried::RecordExists))
    }

    async fn transact(
        &self,
        operation: &'static str,
        record: Record<'_>,
        member: MemberWrite<'_>,
        spends: &[Spend<'_>],
    ) -> Result<Tried, Outage> {
        let invalid = |_| Outage::unreadable(operation, "a write");
        let (totals, own): (Vec<_>, Vec<_>) = spends.iter().partition(|spend| spend.counter == Counter::TotalUses);
        let others = member.place.others.clone();
        // In this order, because the record's failed condition outranks the others.
        let mut writes = vec![
            new_item(operation, record.table, record.key, record.item)?,
            member.write(&self.members, &own).map_err(invalid)?,
        ];
        for other in others {
            writes.push(new_item(operation, &self.members, "memberId", other)?);
        }
        let first_total = writes.len();
        for spend in &totals {
            writes.push(self.spend_total(spend).map_err(invalid)?);
        }
        if writes.len() > ITEMS {
            return Ok(Tried::TooLarge);
        }
        Ok(match transact(&self.client, operation, writes).await? {
            Transacted::Done => Tried::Done,
            Transacted::Busy => Tried::Busy,
            Transacted::Failed(0, item) => Tried::RecordExists(item),
            Transacted::Failed(1, item) => Tried::MemberMoved(item),
            Transacted::Failed(other, item) if other < first_total => Tried::OtherExists(item),
            Transacted::Failed(total, item) => Tried::TotalMoved(totals[total - first_total].name(), item),
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

/// The write of a member.
struct MemberWrite<'a> {
    place: &'a Place,
    /// As it was last seen.
    known: Option<&'a Item>,
    adds: Vec<(String, u64)>,
}

impl MemberWrite<'_> {
    fn write(self, table: &str, spends: &[&Spend<'_>]) -> Result<TransactWriteItem, BuildError> {
        if self.adds.len() + spends.len() > NAMED {
            return self.replace(table, spends);
        }
        let mut update = Update::builder()
            .table_name(table)
            .key("memberId", s(&self.place.member))
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_values(":1", n(1))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        let mut adds = vec!["#version :1".to_owned()];
        let mut conditions = match self.place.expect {
            Expect::Anything => Vec::new(),
            Expect::NoPointer => vec![format!("attribute_not_exists({CUSTOMER})")],
            Expect::New => vec!["attribute_not_exists(memberId)".to_owned()],
        };
        let mut sets = Vec::new();
        for (index, (name, value)) in self.place.first.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#f{index}"), name)
                .expression_attribute_values(format!(":f{index}"), value.clone());
            sets.push(format!("#f{index} = if_not_exists(#f{index}, :f{index})"));
        }
        for (index, (name, amount)) in self.adds.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#a{index}"), name)
                .expression_attribute_values(format!(":a{index}"), n(amount));
            adds.push(format!("#a{index} :a{index}"));
        }
        for (index, spend) in spends.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#s{index}"), spend.name())
                .expression_attribute_values(format!(":s{index}"), n(spend.amount));
            adds.push(format!("#s{index} :s{index}"));
            let (condition, value) = match (spend.exact, spend.seen) {
                (true, 0) => (format!("attribute_not_exists(#s{index})"), None),
                (true, seen) => (format!("#s{index} = :m{index}"), Some(seen)),
                (false, _) => {
                    (format!("(attribute_not_exists(#s{index}) OR #s{index} <= :m{index})"), Some(spend.most_before()))
                }
            };
            conditions.push(condition);
            if let Some(value) = value {
                update = update.expression_attribute_values(format!(":m{index}"), n(value));
            }
        }
        let set = if sets.is_empty() { String::new() } else { format!("SET {} ", sets.join(", ")) };
        update = update.update_expression(format!("{set}ADD {}", adds.join(", ")));
        if !conditions.is_empty() {
            update = update.condition_expression(conditions.join(" AND "));
        }
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// Writes the member whole, if it still is as it was last seen: for more attributes than an expression can name.
    fn replace(self, table: &str, spends: &[&Spend<'_>]) -> Result<TransactWriteItem, BuildError> {
        let mut item = self.known.cloned().unwrap_or_else(|| Item::from([("memberId".into(), s(&self.place.member))]));
        for (name, value) in &self.place.first {
            item.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let spent = spends.iter().map(|spend| (spend.name(), spend.amount));
        for (name, amount) in self.adds.iter().cloned().chain(spent).chain([(VERSION.to_owned(), 1)]) {
            let before: u64 = item.number(&name).unwrap_or(0);
            item.insert(name, n(before.saturating_add(amount)));
        }
        let mut put = Put::builder()
            .table_name(table)
            .set_item(Some(item))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        put = match self.known.map(|known| known.get(VERSION)) {
            None => put.condition_expression("attribute_not_exists(memberId)"),
            // Enrolled, and never written since.
            Some(None) => put
                .condition_expression("attribute_not_exists(#version)")
                .expression_attribute_names("#version", VERSION),
            Some(Some(version)) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":version", version.clone()),
        };
        Ok(TransactWriteItem::builder().put(put.build()?).build())
    }
}

/// The balances that a member has: attributes `pts#unit#type`.
pub(crate) const POINTS: &str = "pts#";

/// A balance as an attribute's name.
pub(crate) fn points_attribute(unit: &str, points_type: &str) -> String {
    format!("{POINTS}{unit}#{points_type}")
}

/// The balance that an attribute is, if it is one.
pub(crate) fn points_of(name: &str, value: &AttributeValue) -> Option<(String, String, u64)> {
    let (unit, points_type) = name.strip_prefix(POINTS)?.split_once('#')?;
    Some((unit.to_owned(), points_type.to_owned(), value.as_n().ok()?.parse().ok()?))
}
