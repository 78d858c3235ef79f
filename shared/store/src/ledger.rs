//! The atomic write of a record, the member's balances and the counters of limits.
//!
//! The write is optimistic. The first attempt evaluates the award as if no limit were used, and the conditions of the
//! write verify that. A failed condition returns the existing item, and the next attempt evaluates with its counters.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update},
};
use punchcard_models::{ids::ActivityId, settings::NegativeBalances};
use punchcard_rewards::{Award, Counter, Spend, Usage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    activities::REVERSED_BY,
    conditional_write::{Transacted, new_item, put_new, transact},
    corrections::OUT,
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, MAX_ITEM_BYTES, b, n, s, size_bytes},
    member_write::{MemberWrite, POINTS},
    read_items::{MAX_READ_ITEMS, read_items},
    retry::Retries,
};

/// The time for which the uses of a total limit are remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(30);
/// Maximum number of items in a transaction.
const MAX_TRANSACTION_ITEMS: usize = 100;
/// The attribute of an alias that names its customer.
pub(crate) const CUSTOMER: &str = "customer";
/// The attribute that counts the uses of a total limit.
pub(crate) const USED: &str = "used";

/// Writes records together with members.
#[derive(Debug)]
pub(crate) struct Ledger {
    reads: Client,
    writes: Client,
    members: String,
    /// The last known uses of total limits, and when they became known. An exhausted limit is detected before the
    /// write, for a while: a reversal may give uses back.
    totals: Mutex<HashMap<String, (u64, Instant)>>,
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

/// A correction: a record, what it changes of a member, and the uses of total limits that it gives back.
pub(crate) struct Correction<'a> {
    pub record: &'a Record<'a>,
    /// The member's key.
    pub member: &'a str,
    pub changes: Vec<Change>,
    /// Total limits, by key, and the uses that are given back.
    pub totals: Vec<(String, u64)>,
    /// The activity that is reversed, and the id of the reversal.
    pub reversed: Option<(&'a ActivityId, &'a ActivityId)>,
    pub negative: NegativeBalances,
}

impl Correction<'_> {
    /// Balances that must not fall below zero, and what is taken from them.
    fn floors(&self) -> Vec<(String, u64)> {
        let is_refused = |change: &&Change| {
            self.negative == NegativeBalances::Refused && change.amount < 0 && change.name.starts_with(POINTS)
        };
        let reduced = self.changes.iter().filter(is_refused);
        reduced.map(|change| (change.name.clone(), change.amount.unsigned_abs())).collect()
    }

    fn is_below_zero(&self, member: &Item) -> bool {
        self.floors().iter().any(|(name, least)| member.number(name).unwrap_or(0i64) < signed(*least))
    }
}

impl Record<'_> {
    /// Returns the outcome of a correction whose record exists: by an earlier attempt of the same call, or before.
    fn existing(&self, item: Item) -> CorrectionWritten {
        if item.bytes("writeId") == Some(self.write_id.as_bytes()) {
            CorrectionWritten::New
        } else {
            CorrectionWritten::Exists(item)
        }
    }
}

/// A part of the transaction of a correction.
#[derive(Debug, Clone, Copy)]
enum Part {
    Record,
    Member,
    Original,
    Total,
}

/// A change of one of a member's numbers.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    name: String,
    amount: i64,
}

/// The outcome of [`Ledger::correct`].
pub(crate) enum CorrectionWritten {
    /// The correction was written.
    New,
    /// A record with this key exists. Carries the existing record.
    Exists(Item),
    /// The activity is reversed. Carries the id of the reversal.
    AlreadyReversed(String),
    /// A balance would fall below zero.
    BelowZero,
    /// The correction has more items than a transaction.
    TooLarge,
}

impl Change {
    pub(crate) fn add(name: &str, amount: u64) -> Self {
        Change { name: name.to_owned(), amount: signed(amount) }
    }

    pub(crate) fn take(name: &str, amount: u64) -> Self {
        Change { name: name.to_owned(), amount: -signed(amount) }
    }

    /// The amounts to add: the change, and to the counter of what was taken away.
    fn adds(&self) -> impl Iterator<Item = (String, i64)> {
        let out = (self.amount < 0).then(|| (format!("{OUT}{}", self.name), -self.amount));
        std::iter::once((self.name.clone(), self.amount)).chain(out)
    }
}

/// The outcome of one attempt.
enum Attempt {
    Done,
    RecordExists(Item),
    MemberMoved(Item),
    TotalMoved(String, Item),
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
        let mut usage = self.known_totals();
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
            let attempt = if adds.is_empty() && award.spends().is_empty() {
                let put = put_new(&self.writes, operation, record.table, record.key[0], item).await;
                put.map(|exists| exists.map_or(Attempt::Done, Attempt::RecordExists))
            } else {
                let adds = adds.into_iter().map(|(name, amount)| (name, signed(amount))).collect();
                let member = MemberWrite { target, known: known_member.as_ref(), adds, floors: Vec::new() };
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
                    set_counters(&mut usage, &item);
                    known_member = Some(item);
                }
                Ok(Attempt::TotalMoved(name, item)) => {
                    let used = item.number(USED).ok_or(StoreError::corrupt(operation, "a total limit"))?;
                    self.totals().insert(name.clone(), (used, Instant::now()));
                    usage.set(name, used);
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
        let mut read_totals = BTreeSet::new();
        loop {
            let Entry { earned, award, .. } = evaluate(&usage);
            let totals = award.spends().iter().filter(|spend| spend.counter == Counter::TotalUses).map(Spend::name);
            let unknown: Vec<_> = totals.filter(|name| !read_totals.contains(name)).collect();
            if unknown.is_empty() {
                item.extend(earned.clone());
                let too_large = is_too_large(&item, target, &award);
                return Ok(if too_large { Written::TooLarge } else { Written::New(earned) });
            }
            for names in unknown.chunks(MAX_READ_ITEMS) {
                for total in self.read(operation, names.to_vec(), deadline).await? {
                    let name = total.text("memberId").ok_or(StoreError::corrupt(operation, "a total limit"))?;
                    let used = total.number(USED).ok_or(StoreError::corrupt(operation, "a total limit"))?;
                    usage.set(name, used);
                }
            }
            read_totals.extend(unknown);
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

    fn known_totals(&self) -> Usage {
        let mut usage = Usage::default();
        let mut totals = self.totals();
        totals.retain(|_, (_, known)| known.elapsed() < REMEMBERED_FOR);
        for (name, (used, _)) in &*totals {
            usage.set(name.as_str(), *used);
        }
        usage
    }

    fn totals(&self) -> MutexGuard<'_, HashMap<String, (u64, Instant)>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a correction atomically, exactly once, or previews that.
    pub(crate) async fn correct(
        &self,
        mode: Mode,
        correction: &Correction<'_>,
        retries: &mut Retries,
    ) -> Result<CorrectionWritten, StoreError> {
        if 3 + correction.totals.len() > MAX_TRANSACTION_ITEMS {
            return Ok(CorrectionWritten::TooLarge);
        }
        match mode {
            Mode::Write => self.write_correction(correction, retries).await,
            Mode::Preview => self.preview_correction(correction, retries).await,
        }
    }

    async fn write_correction(
        &self,
        correction: &Correction<'_>,
        retries: &mut Retries,
    ) -> Result<CorrectionWritten, StoreError> {
        let operation = retries.operation();
        let mut known: Option<Item> = None;
        loop {
            let (parts, writes) = self.correction_writes(operation, correction, known.as_ref())?;
            let (part, item) = match transact(&self.writes, operation, writes).await {
                Ok(Transacted::Done) => return Ok(CorrectionWritten::New),
                Ok(Transacted::ConditionFailed(index, item)) => (parts[index], item),
                Err(failed) => {
                    retries.after(failed).await?;
                    continue;
                }
            };
            match part {
                Part::Record => return Ok(correction.record.existing(item)),
                // An earlier attempt, or another request with the same reference, may be the one that reversed it.
                Part::Original => match self.settled(operation, correction).await? {
                    Some(settled) => return Ok(settled),
                    None => retries.pause().await?,
                },
                Part::Member if correction.is_below_zero(&item) => {
                    // The same may have taken the points.
                    let settled = self.settled(operation, correction).await?;
                    return Ok(settled.unwrap_or(CorrectionWritten::BelowZero));
                }
                Part::Member => {
                    if known.replace(item).is_some() {
                        retries.pause().await?;
                    }
                }
                Part::Total => return Err(StoreError::corrupt(operation, "a total limit")),
            }
        }
    }

    /// Returns the outcome that a correction would have, and writes nothing.
    async fn preview_correction(
        &self,
        correction: &Correction<'_>,
        retries: &Retries,
    ) -> Result<CorrectionWritten, StoreError> {
        let operation = retries.operation();
        if let Some(settled) = self.settled(operation, correction).await? {
            return Ok(settled);
        }
        let members = self.read(operation, vec![correction.member.to_owned()], retries.deadline()).await?;
        let member = members.into_iter().next().unwrap_or_default();
        let is_below_zero = correction.is_below_zero(&member);
        Ok(if is_below_zero { CorrectionWritten::BelowZero } else { CorrectionWritten::New })
    }

    /// Returns the outcome of a correction if its record exists, or its activity is reversed by another.
    async fn settled(
        &self,
        operation: &'static str,
        correction: &Correction<'_>,
    ) -> Result<Option<CorrectionWritten>, StoreError> {
        let record = correction.record;
        let get = async |id: AttributeValue| {
            let get = self.reads.get_item().table_name(record.table).key(record.key[0], id).consistent_read(true);
            get.send().await.map(|found| found.item).map_err(|error| StoreError::read(operation, &error))
        };
        let id =
            (record.item)().remove(record.key[0]).ok_or(StoreError::corrupt(operation, "a record without a key"))?;
        if let Some(exists) = get(id).await? {
            return Ok(Some(record.existing(exists)));
        }
        let Some((original, own)) = correction.reversed else { return Ok(None) };
        let original = get(s(original)).await?.ok_or(StoreError::corrupt(operation, "a missing activity"))?;
        let by = original.text(REVERSED_BY).filter(|by| *by != &**own);
        Ok(by.map(|by| CorrectionWritten::AlreadyReversed(by.to_owned())))
    }

    /// Builds the transaction of a correction. The part with the failed condition that takes precedence comes first.
    fn correction_writes(
        &self,
        operation: &'static str,
        correction: &Correction<'_>,
        known: Option<&Item>,
    ) -> Result<(Vec<Part>, Vec<TransactWriteItem>), StoreError> {
        let invalid = |error| StoreError::internal(operation, error);
        let record = correction.record;
        let mut item = (record.item)();
        item.insert("writeId".into(), b(record.write_id.as_bytes()));
        let mut writes = vec![(Part::Record, new_item(operation, record.table, record.key[0], item)?)];
        if let Some((original, by)) = correction.reversed {
            writes.push((Part::Original, mark_reversed(record.table, original, by).map_err(invalid)?));
        }
        if !correction.changes.is_empty() {
            let target = Target {
                member: correction.member.to_owned(),
                expect: Expect::Anything,
                first: Item::new(),
                others: Vec::new(),
            };
            let adds = correction.changes.iter().flat_map(Change::adds).collect();
            let member = MemberWrite { target: &target, known, adds, floors: correction.floors() };
            writes.push((Part::Member, member.write(&self.members, &[]).map_err(invalid)?));
        }
        for (name, amount) in &correction.totals {
            writes.push((Part::Total, self.give_back(name, *amount).map_err(invalid)?));
        }
        Ok(writes.into_iter().unzip())
    }

    /// Builds the update that gives uses of a total limit back.
    fn give_back(&self, name: &str, amount: u64) -> Result<TransactWriteItem, BuildError> {
        let update = Update::builder()
            .table_name(&self.members)
            .key("memberId", s(name))
            .update_expression("ADD #used :minus, #out :amount")
            .expression_attribute_names("#used", USED)
            .expression_attribute_names("#out", format!("{OUT}{USED}"))
            .expression_attribute_values(":minus", n(-signed(amount)))
            .expression_attribute_values(":amount", n(amount));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
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
            writes.push(self.spend_total(spend).map_err(invalid)?);
        }
        Ok(match transact(&self.writes, operation, writes).await? {
            Transacted::Done => Attempt::Done,
            Transacted::ConditionFailed(0, item) => Attempt::RecordExists(item),
            Transacted::ConditionFailed(1, item) => Attempt::MemberMoved(item),
            Transacted::ConditionFailed(other, item) if other < first_total => Attempt::OtherExists(item),
            Transacted::ConditionFailed(total, item) => Attempt::TotalMoved(totals[total - first_total].name(), item),
        })
    }

    /// Builds the update of a total limit, which is a separate item.
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

/// Converts an amount of points or uses, which is never near the limit.
fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
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

/// Sets the counters of a member's item.
fn set_counters(usage: &mut Usage, member: &Item) {
    for (name, value) in member {
        if let Some(used) = value.as_n().ok().and_then(|used| used.parse().ok()) {
            usage.set(name.as_str(), used);
        }
    }
}

/// Returns true if a record exceeds DynamoDB's item size, or its award one transaction: the record, the member, the
/// others and the total limits.
fn is_too_large(record: &Item, target: &Target, award: &Award<'_>) -> bool {
    let totals = award.spends().iter().filter(|spend| spend.counter == Counter::TotalUses).count();
    size_bytes(record) > MAX_ITEM_BYTES || 2 + target.others.len() + totals > MAX_TRANSACTION_ITEMS
}
