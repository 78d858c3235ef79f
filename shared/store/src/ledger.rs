//! The atomic write of a record, the member's balances and the counters of limits.
//!
//! The write is optimistic. The first attempt evaluates the award as if no limit were used, and the conditions of the
//! write verify that. A failed condition returns the existing item, and the next attempt evaluates with its counters.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::Client;
use punchcard_rewards::{Award, Counter, Spend, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    conditional_write::{Transacted, new_item, put_new, transact},
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, MAX_ITEM_BYTES, b, s, signed, size_bytes},
    member_write::MemberWrite,
    read_items::{MAX_READ_ITEMS, read_items},
    retry::Retries,
    totals::{self, StoredTotal, read_totals},
};

/// The time for which the uses of a total limit are remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);
/// Maximum number of items in a transaction.
pub(crate) const MAX_TRANSACTION_ITEMS: usize = 100;
/// The attribute of an alias that names its customer.
pub(crate) const CUSTOMER: &str = "customer";

/// Writes records together with members.
#[derive(Debug)]
pub(crate) struct Ledger {
    reads: Client,
    writes: Client,
    members: String,
    /// The last known total limits, and when they became known. An exhausted limit is detected before the write, for a
    /// while: a reversal may give uses back.
    totals: Mutex<HashMap<String, (StoredTotal, Instant)>>,
}

/// A record to write. Its key must be new.
pub(crate) struct Record<'a> {
    pub table: &'a str,
    /// The attributes of the table's key.
    pub key: &'static [&'static str],
    /// Builds the item for each attempt, because the SDK consumes it.
    pub item: &'a (dyn Fn() -> Item + Sync),
    /// A random id of this call. Identifies a record written by an earlier attempt whose response was lost.
    pub write_id: Uuid,
}

/// The effect on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Writes.
    Write,
    /// Only reads, for a dry run.
    Preview,
}

/// The member to credit, and the conditions and items that go with it.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The member's key.
    pub member: String,
    /// The condition on the member, besides its counters.
    pub expect: Expect,
    /// Attributes that are set by the member's first write.
    pub first: Item,
    /// Items that are written in the same transaction and must be new.
    pub others: Vec<Item>,
}

impl Target {
    /// Returns true if items besides the record have to be written, whatever it earns.
    fn creates(&self) -> bool {
        self.expect == Expect::New || !self.others.is_empty()
    }
}

/// A condition on a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// No condition.
    Anything,
    /// The member must not be an alias.
    NoPointer,
    /// The member must not exist.
    New,
}

/// The evaluated content of one attempt.
pub(crate) struct Entry<'c> {
    /// The attributes of the record that describe the award.
    pub earned: Item,
    /// The award and the limits that it spends.
    pub award: Award<'c>,
    /// Attribute names of the member and the amounts to add to them.
    pub adds: Vec<(String, u64)>,
}

/// The outcome of [`Ledger::write`].
pub(crate) enum Written {
    /// The record was written. Carries the attributes that describe the award.
    New(Item),
    /// A record with this key exists. Carries the existing record.
    Exists(Item),
    /// A condition on the member failed, or one of the other items exists. Carries the existing item.
    MemberChanged(Item),
    /// The record exceeds DynamoDB's item size, or the award spends more total limits than one transaction can write.
    TooLarge,
}

/// The outcome of one attempt.
enum Attempt {
    Done,
    RecordExists(Item),
    MemberMoved(Item),
    /// A total limit has more uses than the evaluation assumed. Carries the names of its shards, and the item that says so.
    TotalMoved(Vec<String>, Item),
    OtherExists(Item),
}

impl Ledger {
    pub(crate) fn new(store: &Store) -> Self {
        Ledger {
            reads: store.reads.clone(),
            writes: store.writes.clone(),
            members: store.table("Members"),
            totals: Mutex::default(),
        }
    }

    /// Writes a record and credits its award, or previews that.
    pub(crate) async fn run<'c>(
        &self,
        mode: Mode,
        record: &Record<'_>,
        target: &Target,
        retries: &mut Retries,
        evaluate: impl Fn(&Usage) -> Entry<'c>,
    ) -> Result<Written, StoreError> {
        match mode {
            Mode::Write => self.write(record, target, retries, evaluate).await,
            Mode::Preview => self.preview(record, target, retries, evaluate).await,
        }
    }

    /// Writes a record and credits its award atomically, exactly once.
    async fn write<'c>(
        &self,
        record: &Record<'_>,
        target: &Target,
        retries: &mut Retries,
        evaluate: impl Fn(&Usage) -> Entry<'c>,
    ) -> Result<Written, StoreError> {
        let operation = retries.operation();
        // Drawn from the generator whose seed makes a simulation deterministic.
        let seed = fastrand::u64(..);
        let mut usage = self.known_totals(seed);
        let mut known_member = None;
        let mut at_once = true;
        loop {
            let Entry { earned, award, adds } = evaluate(&usage);
            let mut item = (record.item)();
            item.insert("writeId".into(), b(record.write_id.as_bytes()));
            item.extend(earned.clone());
            if is_too_large(&item, target, &award) {
                return Ok(Written::TooLarge);
            }
            let is_alone = adds.is_empty() && award.spends().is_empty() && !target.creates();
            let attempt = if is_alone {
                let put = put_new(&self.writes, operation, record.table, record.key[0], item).await;
                put.map(|exists| exists.map_or(Attempt::Done, Attempt::RecordExists))
            } else {
                let adds = adds.into_iter().map(|(name, amount)| (name, signed(amount))).collect();
                let (floors, given_back) = (Vec::new(), Vec::new());
                let member = MemberWrite { target, known: known_member.as_ref(), adds, floors, given_back };
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
                Ok(Attempt::OtherExists(item)) => return Ok(Written::MemberChanged(item)),
                Ok(Attempt::MemberMoved(item)) if target.expect == Expect::New || item.contains_key(CUSTOMER) => {
                    return Ok(Written::MemberChanged(item));
                }
                Ok(Attempt::MemberMoved(item)) => {
                    // Counters of an earlier attempt may be gone, if the member was erased meanwhile.
                    usage = self.known_totals(seed);
                    set_counters(&mut usage, &item);
                    known_member = Some(item);
                }
                Ok(Attempt::TotalMoved(names, item)) => {
                    // One shard is exhausted, so others may be.
                    let items = if names.len() > 1 {
                        let read = self.read(operation, names, retries.deadline()).await;
                        read.map_err(|error| retries.outcome_of(error))?
                    } else {
                        vec![item]
                    };
                    for (name, total) in read_totals(operation, &items)? {
                        self.totals().insert(name.to_owned(), (total, Instant::now()));
                        total.set(&mut usage, name);
                    }
                }
                Err(failed) => {
                    retries.after(failed).await?;
                    at_once = true;
                    continue;
                }
            }
            // Returned counters go stale quickly, so the first attempt with them follows immediately. Every second one
            // waits, to let concurrent writers proceed.
            if at_once {
                at_once = false;
            } else {
                retries.pause().await?;
                at_once = true;
            }
        }
    }

    /// Evaluates a record as [`write`](Self::write) would, and writes nothing.
    ///
    /// The reads are not atomic. If nothing is written between them, the outcome is that of a write.
    async fn preview<'c>(
        &self,
        record: &Record<'_>,
        target: &Target,
        retries: &Retries,
        evaluate: impl Fn(&Usage) -> Entry<'c>,
    ) -> Result<Written, StoreError> {
        let (operation, deadline) = (retries.operation(), retries.deadline());
        let mut item = (record.item)();
        let key = record.key.iter().filter_map(|name| item.get_key_value(*name));
        let key = key.map(|(name, value)| (name.clone(), value.clone())).collect();
        let get = self.reads.get_item().table_name(record.table).set_key(Some(key)).consistent_read(true);
        if let Some(exists) = get.send().await.map_err(|error| StoreError::read(operation, &error))?.item {
            return Ok(Written::Exists(exists));
        }
        let others = target.others.iter().filter_map(|other| other.text("memberId").map(str::to_owned));
        let keys = std::iter::once(target.member.clone()).chain(others).collect();
        let mut usage = Usage::default();
        for item in self.read(operation, keys, deadline).await? {
            let is_member = item.text("memberId") == Some(&target.member);
            if !is_member || target.expect == Expect::New || item.contains_key(CUSTOMER) {
                return Ok(Written::MemberChanged(item));
            }
            set_counters(&mut usage, &item);
        }
        let mut known_totals = BTreeSet::new();
        loop {
            let Entry { earned, award, .. } = evaluate(&usage);
            let totals = award.spends().iter().filter(|spend| spend.counter == Counter::TotalUses);
            let names = totals.flat_map(Spend::shard_names);
            let unknown: Vec<_> = names.filter(|name| !known_totals.contains(name)).collect();
            if unknown.is_empty() {
                item.extend(earned.clone());
                let too_large = is_too_large(&item, target, &award);
                return Ok(if too_large { Written::TooLarge } else { Written::New(earned) });
            }
            for names in unknown.chunks(MAX_READ_ITEMS) {
                let items = self.read(operation, names.to_vec(), deadline).await?;
                for (name, total) in read_totals(operation, &items)? {
                    total.set(&mut usage, name);
                }
            }
            known_totals.extend(unknown);
        }
    }

    async fn read(
        &self,
        operation: &'static str,
        members: Vec<String>,
        deadline: Instant,
    ) -> Result<Vec<Item>, StoreError> {
        let keys = members.iter().map(|member| Item::from([("memberId".into(), s(member))])).collect();
        read_items(&self.reads, operation, &self.members, keys, deadline).await
    }

    fn known_totals(&self, seed: u64) -> Usage {
        let mut usage = Usage::with_seed(seed);
        let mut totals = self.totals();
        totals.retain(|_, (_, known)| known.elapsed() < REMEMBERED_FOR);
        for (name, (total, _)) in &*totals {
            total.set(&mut usage, name);
        }
        usage
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<String, (StoredTotal, Instant)>> {
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
        let others = member.target.others.clone();
        // The record comes first, because its failed condition takes precedence.
        let mut writes = vec![
            new_item(operation, record.table, record.key[0], item).map_err(FailedAttempt::Final)?,
            member.write(&self.members, &own).map_err(invalid)?,
        ];
        for other in others {
            writes.push(new_item(operation, &self.members, "memberId", other).map_err(FailedAttempt::Final)?);
        }
        let first_total = writes.len();
        for spend in &totals {
            writes.push(totals::spend(&self.members, spend).map_err(invalid)?);
        }
        Ok(match transact(&self.writes, operation, writes).await? {
            Transacted::Done => Attempt::Done,
            Transacted::ConditionFailed(0, item) => Attempt::RecordExists(item),
            Transacted::ConditionFailed(1, item) => Attempt::MemberMoved(item),
            Transacted::ConditionFailed(other, item) if other < first_total => Attempt::OtherExists(item),
            Transacted::ConditionFailed(total, item) => {
                Attempt::TotalMoved(totals[total - first_total].shard_names(), item)
            }
        })
    }
}

/// Sets the counters of a member's item.
fn set_counters(usage: &mut Usage, member: &Item) {
    for (name, value) in member {
        if let Some(used) = value.as_n().ok().and_then(|used| used.parse().ok()) {
            usage.set(name.as_str(), used);
        }
    }
}

/// Returns true if a record exceeds DynamoDB's item size, or its award one transaction: the record, the member, the
/// others and the total limits, and one item more that a correction needs to give all of them back.
fn is_too_large(record: &Item, target: &Target, award: &Award<'_>) -> bool {
    let totals = award.spends().iter().filter(|spend| spend.counter == Counter::TotalUses).count();
    size_bytes(record) > MAX_ITEM_BYTES || 3 + target.others.len() + totals > MAX_TRANSACTION_ITEMS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_uses_of_a_total_limit_are_remembered_for_30_seconds() {
        let ledger = Ledger::new(&Store::local("http://127.0.0.1:1", "test-"));
        ledger.totals().insert("cap#RULE".to_owned(), (StoredTotal { used: 5, share: None }, Instant::now()));
        tokio::time::advance(Duration::from_secs(29)).await;
        assert_eq!(ledger.known_totals(0).used("cap#RULE"), 5);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(ledger.known_totals(0).used("cap#RULE"), 0);
    }
}
