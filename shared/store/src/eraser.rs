//! Erasures of persons.
//!
//! A record is replaced by its tombstone in two steps. First the tombstones of all records are put: from then on, a request that
//! repeats one of them is refused. After a pause, in which requests end that looked for the tombstone before it was there, each
//! transaction deletes records, completes their tombstones, and moves what the records added from the member to the erased
//! member. So the books agree at every moment, and an erasure that was killed is continued by running it again.
//!
//! Then the links are deleted (sessions and pointers), and after another pause the members, which hold nothing any more.
//! The search is repeated until it finds nothing: requests may go on meanwhile, and the index of activities is eventually
//! consistent.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::{
    Client,
    error::BuildError,
    types::{
        AttributeValue, Delete, ReturnValuesOnConditionCheckFailure as OnFailure, TransactWriteItem, Update,
        builders::{DeleteBuilder, UpdateBuilder},
    },
};
use punchcard_models::{
    erasure::{ErasedId, ErasureKey, IdKind},
    member::MemberId,
    timestamp::Timestamp,
};
use punchcard_rewards::{Award, counter_of_slot, slot_of};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    activities::ActivityRecord,
    catalog::{ERASURE, ERASURES, OPEN, part_item},
    conditional_write::{Transacted, put_new, transact},
    corrections::{OUT, added_by_activity},
    erasures::{COMPLETED, IDS, MEMBERS, REMAINS, begun, ids_item, read_erasures},
    error::StoreError,
    history::HistoryReader,
    item::{Attributes as _, Item, b, n, s, signed, size_bytes},
    ledger::{Expect, MAX_TRANSACTION_ITEMS, Target},
    member_write::{MemberWrite, VERSION},
    person::{Person, PersonIds, PersonReader, Source},
    player_events::StoredPlayerEvents,
    player_records::PlayerRecord,
    players::EVENTS,
    retry::Retries,
    tombstones::{
        AMOUNTS, CREATED, DAY, PARTIAL, activity_tombstone, amounts_item, client_event_tombstone, erased_member,
        is_of_total, request_tombstone,
    },
};

const ERASE: &str = "erase a person";
/// Time limit of one write, including retries.
const WRITE_LIMIT: Duration = Duration::from_mins(1);
/// Number of records that one transaction deletes. Each takes two of its items; the member, the erased member and the
/// erasure take three.
const MAX_RECORDS: usize = 48;
/// Size of the records that one transaction deletes, in bytes. DynamoDB allows 4 MB for both records and tombstones.
const MAX_RECORD_BYTES: usize = 3_000_000;
/// Number of searches after which an erasure gives up, because requests of the person go on.
const MAX_ROUNDS: usize = 24;
/// Number of searches without records after which numbers that a member still holds are moved as they are.
const UNEXPLAINED_ROUNDS: usize = 2;
/// The day of a record whose time cannot be read.
const UNKNOWN_DAY: &str = "1970-01-01T00:00:00.000Z";

/// The pauses of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The time in which requests end that read the store before a change.
    pub settle: Duration,
    /// The age of the key from which every function knows it.
    pub key_age: Duration,
}

impl Pauses {
    /// For a store in use: twice the deadline of a request, and the age up to which functions use cached callers with one
    /// such pause more.
    pub const IN_USE: Pauses = Pauses { settle: Duration::from_secs(15), key_age: Duration::from_secs(315) };
    /// For a store that nothing else uses.
    pub const NONE: Pauses = Pauses { settle: Duration::ZERO, key_age: Duration::ZERO };
}

/// The progress of an erasure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Records were prepared.
    Prepared(usize),
    /// Requests under way have so much time to end.
    Waiting(Duration),
    /// Items were deleted.
    Deleted(usize),
}

/// An erasure that was not completed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EraseError {
    /// Requests of the person go on.
    #[error("requests of this customer go on")]
    InUse,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Erases a person.
#[derive(Debug)]
pub struct Eraser {
    reader: PersonReader,
    history: HistoryReader,
    writes: Client,
    store: Store,
    key: ErasureKey,
    key_since: Timestamp,
    /// The erasure in part `erasures` that counts, and those that it completes too.
    log: Vec<String>,
    ids: PersonIds,
    pauses: Pauses,
    clock: fn() -> Timestamp,
}

/// A record that is replaced by its tombstone.
struct Moved {
    table: &'static str,
    /// The record's key.
    key: Item,
    write_id: Option<AttributeValue>,
    /// The tombstone's key.
    tombstone: Item,
    /// True if the tombstone must have been put before.
    is_prepared: bool,
    day: String,
    effects: Option<MovedEffects>,
    bytes: usize,
}

/// The effects of a record on a member.
struct MovedEffects {
    member: String,
    amounts: BTreeMap<String, u64>,
    is_partial: bool,
}

/// A part of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// The record of this index.
    Record(usize),
    /// The tombstone of the record of this index.
    Tombstone(usize),
    /// A member.
    Member(String),
    /// The erasure.
    Log,
}

impl Eraser {
    /// Begins an erasure, or continues one of the same person, who was found by the ids `given`. `random` becomes the key
    /// of the store's digests, if it has none.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn begin(
        store: &Store,
        given: &PersonIds,
        person: &Person,
        by: Option<&str>,
        random: [u8; 32],
        pauses: Pauses,
        clock: fn() -> Timestamp,
    ) -> Result<Self, StoreError> {
        let now = clock();
        let mut eraser = Eraser {
            reader: PersonReader::new(store),
            history: HistoryReader::new(store),
            writes: store.writes.clone(),
            store: store.clone(),
            key: ErasureKey::stored(&random).ok_or(StoreError::internal(ERASE, "a key of another length"))?,
            key_since: now,
            log: Vec::new(),
            ids: PersonIds::default(),
            pauses,
            clock,
        };
        eraser.adopt_key(&random, now).await?;
        eraser.open_log(given, person, by, now).await?;
        Ok(eraser)
    }

    /// Stores the key, or takes the one that the store has.
    async fn adopt_key(&mut self, random: &[u8], now: Timestamp) -> Result<(), StoreError> {
        let mut item = part_item(OPEN, ERASURE, now);
        item.insert("key".into(), b(random));
        let Some(found) = self.put_new(item).await? else { return Ok(()) };
        let read = || Some((ErasureKey::stored(found.bytes("key")?)?, Timestamp::from_text(found.text("createdAt")?)?));
        (self.key, self.key_since) = read().ok_or(StoreError::corrupt(ERASE, "the key of erased ids"))?;
        Ok(())
    }

    /// Notes the ids from which the erasure can be continued, whatever is deleted by then. Correlation ids are found by
    /// their sessions, which are deleted after what was sent with them.
    async fn open_log(
        &mut self,
        given: &PersonIds,
        person: &Person,
        by: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.ids = person.ids.clone();
        self.ids.correlation_ids.retain(|id| given.correlation_ids.contains(id));
        for erasure in read_erasures(&self.reader.client, &self.store.table("Catalog")).await? {
            if let Some(unfinished) = erasure.ids.filter(|unfinished| unfinished.meets(&self.ids)) {
                self.ids.extend(unfinished);
                self.log.push(erasure.id);
            }
        }
        if let Some(first) = self.log.first() {
            let update =
                self.of_log(first).update_expression("SET #ids = :ids").expression_attribute_names("#ids", IDS);
            // A concurrent run may have completed it, and forgotten the ids.
            let update = update
                .condition_expression("attribute_exists(#ids)")
                .expression_attribute_values(":ids", ids_item(&self.ids));
            return self.write_log(update).await;
        }
        let id = format!("{now}#{}", Uuid::new_v4());
        self.put_new(begun(&id, by, &self.ids, now)).await?;
        self.log.push(id);
        Ok(())
    }

    async fn put_new(&self, item: Item) -> Result<Option<Item>, StoreError> {
        let (table, mut retries) = (self.store.table("Catalog"), Self::retries());
        loop {
            match put_new(&self.writes, ERASE, &table, "id", item.clone()).await {
                Ok(found) => return Ok(found),
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    fn retries() -> Retries {
        Retries::until(Instant::now() + WRITE_LIMIT, ERASE)
    }

    /// Erases the person. `remains` says that the deleted items may still be in the files of an embedded store.
    ///
    /// # Errors
    /// The store failed, or requests of the person go on. Running it again continues it.
    pub async fn run(&self, remains: bool, progress: impl Fn(Progress)) -> Result<(), EraseError> {
        let mut unexplained = 0;
        for _ in 0..MAX_ROUNDS {
            let person = self.reader.find(&self.ids).await?;
            // Before the search for records: a member that is written after it is not deleted.
            let members = self.reader.members_by_key(person.members.iter()).await?;
            let prepared = self.prepare(&person, &progress).await?;
            if prepared > 0 {
                self.settle(&progress).await;
                self.wait_for_key(&progress).await;
                self.move_records(&person, &progress).await?;
                continue;
            }
            // Records may be missing in the index that explain these numbers.
            if members.iter().any(holds_numbers) && unexplained < UNEXPLAINED_ROUNDS {
                unexplained += 1;
                self.settle(&progress).await;
                continue;
            }
            let is_leaf = |member: &Item| matches!(id_of(member), Some(MemberId::Correlation(_)));
            let (leaves, owners): (Vec<_>, Vec<_>) = members.into_iter().partition(is_leaf);
            let has_links = !person.sessions.is_empty() || !person.pointers.is_empty();
            // A member without links to it is written by requests only that read them before.
            let members = if has_links || !leaves.is_empty() { leaves } else { owners };
            let is_done = !has_links && members.is_empty();
            if is_done {
                return Ok(self.complete(remains).await?);
            }
            let mut all_deleted = true;
            for member in members {
                let is_deleted = self.delete_member(member).await?;
                progress(Progress::Deleted(usize::from(is_deleted)));
                all_deleted &= is_deleted;
            }
            // The links lead to members that are left.
            if all_deleted {
                self.delete_links(&person, &progress).await?;
            }
            self.settle(&progress).await;
        }
        Err(EraseError::InUse)
    }

    async fn settle(&self, progress: &impl Fn(Progress)) {
        wait(self.pauses.settle, progress).await;
    }

    /// Waits until every function knows the key. Before, one may record again what was deleted.
    async fn wait_for_key(&self, progress: &impl Fn(Progress)) {
        let age = (self.clock)().as_millis().saturating_sub(self.key_since.as_millis());
        let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
        wait(self.pauses.key_age.saturating_sub(age), progress).await;
    }

    /// Puts the tombstones of all records, unless they exist. Returns the number of records.
    async fn prepare(&self, person: &Person, progress: &impl Fn(Progress)) -> Result<usize, StoreError> {
        let (mut count, now) = (0, (self.clock)());
        for source in person.sources() {
            let table = self.store.table(source.table());
            let mut start = None;
            loop {
                let (items, next) = self.reader.page(&source, start).await?;
                let tombstones: Vec<_> = items.iter().filter_map(|item| self.tombstone(&source, item)).collect();
                for tombstones in tombstones.chunks(MAX_TRANSACTION_ITEMS) {
                    let put = |tombstone: &Item| {
                        let update = Update::builder()
                            .table_name(&table)
                            .set_key(Some(tombstone.clone()))
                            .update_expression("SET #created = if_not_exists(#created, :now)")
                            .expression_attribute_names("#created", CREATED)
                            .expression_attribute_values(":now", s(now));
                        Ok(TransactWriteItem::builder().update(update.build()?).build())
                    };
                    let mut retries = Self::retries();
                    loop {
                        let writes = tombstones.iter().map(put).collect::<Result<Vec<_>, BuildError>>();
                        match transact(&self.writes, ERASE, writes.map_err(invalid)?).await {
                            Ok(Transacted::Done) => break,
                            Ok(Transacted::ConditionFailed(..)) => return Err(unexpected()),
                            Err(failed) => retries.after(failed).await?,
                        }
                    }
                }
                count += tombstones.len();
                progress(Progress::Prepared(tombstones.len()));
                start = next;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(count)
    }

    /// Returns the key of a record's tombstone. `None` for an item without a key, which no read returns.
    fn tombstone(&self, source: &Source, item: &Item) -> Option<Item> {
        Some(match source {
            Source::ClientEvents(customer) => client_event_tombstone(&self.key, customer, item.text("clientEventId")?),
            Source::Activities(_) => activity_tombstone(&self.key, item.text("activityId")?),
            Source::PlayerEvents(player) => request_tombstone(&self.key, player, item.text("recordId")?),
        })
    }

    async fn move_records(&self, person: &Person, progress: &impl Fn(Progress)) -> Result<(), StoreError> {
        for source in person.sources() {
            let mut start = None;
            loop {
                let (items, next) = self.reader.page(&source, start).await?;
                // One member in a transaction. The records of a player's partition may have several.
                let mut by_member = BTreeMap::<Option<String>, Vec<Moved>>::new();
                for item in items {
                    let Some(moved) = self.moved(person, &source, item).await? else { continue };
                    let member = moved.effects.as_ref().map(|effects| effects.member.clone());
                    by_member.entry(member).or_default().push(moved);
                }
                for (member, records) in by_member {
                    for batch in batches(records) {
                        let count = self.move_batch(member.as_deref(), batch).await?;
                        progress(Progress::Deleted(count));
                    }
                }
                start = next;
                if start.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn moved(&self, person: &Person, source: &Source, item: Item) -> Result<Option<Moved>, StoreError> {
        let Some(tombstone) = self.tombstone(source, &item) else { return Ok(None) };
        let effects = match source {
            Source::ClientEvents(_) => None,
            Source::Activities(member) => Some(self.effects_of_activity(member, &item).await?),
            Source::PlayerEvents(player) => Some(self.effects_of_request(&person.customer_of(player), &item).await?),
        };
        let day = item.text("receivedAt").filter(|at| Timestamp::from_text(at).is_some() && at.is_char_boundary(10));
        let day = day.map_or_else(|| UNKNOWN_DAY.to_owned(), |at| format!("{}{}", &at[..10], &UNKNOWN_DAY[10..]));
        let bytes = size_bytes(&item);
        let key = tombstone.keys().filter_map(|name| item.get_key_value(name));
        Ok(Some(Moved {
            table: source.table(),
            key: key.map(|(name, value)| (name.clone(), value.clone())).collect(),
            write_id: item.get("writeId").cloned(),
            tombstone,
            is_prepared: true,
            day,
            effects,
            bytes,
        }))
    }

    async fn effects_of_activity(&self, member: &str, item: &Item) -> Result<MovedEffects, StoreError> {
        let (amounts, is_partial) = match ActivityRecord::read(item) {
            Some(ActivityRecord::Activity(activity)) => match added_by_activity(&activity, &self.history).await {
                Ok(amounts) => (amounts, activity.basis.is_none()),
                // Its catalog is missing or damaged: what it claims is known.
                Err(StoreError::Corrupt { .. }) => (claimed(activity.balances()), true),
                Err(error) => return Err(error),
            },
            Some(ActivityRecord::Correction(correction)) => {
                (correction.adds().into_iter().chain(correction.totals()).collect(), false)
            }
            Some(ActivityRecord::Erased(_)) | None => (BTreeMap::new(), true),
        };
        Ok(MovedEffects { member: member.to_owned(), amounts: movable(amounts), is_partial })
    }

    async fn effects_of_request(&self, customer: &str, item: &Item) -> Result<MovedEffects, StoreError> {
        let request = match PlayerRecord::read(item) {
            Some(PlayerRecord::Request(request)) => request,
            Some(PlayerRecord::Refund(refund)) => {
                let amounts = refund.adds().into_iter().chain(refund.totals());
                return Ok(MovedEffects { member: refund.member_id, amounts: movable(amounts), is_partial: false });
            }
            Some(PlayerRecord::Erased(_)) | None => {
                return Ok(MovedEffects { member: customer.to_owned(), amounts: BTreeMap::new(), is_partial: true });
            }
        };
        // Version 0.1.0 did not store the customer of a merged player.
        let member = if request.basis.is_some() { request.member_id.clone() } else { customer.to_owned() };
        let (amounts, is_partial) = match added_by_request(&request, &self.history).await {
            Ok(amounts) => (amounts, request.basis.is_none()),
            Err(StoreError::Corrupt { .. }) => (claimed(request.totals()), true),
            Err(error) => return Err(error),
        };
        Ok(MovedEffects { member, amounts: movable(amounts), is_partial })
    }

    /// Replaces records of one member by their tombstones. Returns the number of replaced records: one that changed since it
    /// was read, or has no tombstone yet, is left to the next search.
    async fn move_batch(&self, member: Option<&str>, mut batch: Vec<Moved>) -> Result<usize, StoreError> {
        // Without its item, what the member's records added is moved or lost already.
        let member = match member {
            Some(member) => {
                let key = member.to_owned();
                let exists = !self.reader.members_by_key(std::iter::once(&key)).await?.is_empty();
                Some(member).filter(|_| exists)
            }
            None => None,
        };
        let (mut known, mut retries) = (HashMap::new(), Self::retries());
        while !batch.is_empty() {
            let (parts, writes) = self.transaction(member, &batch, &known).map_err(invalid)?;
            let (part, found) = match transact(&self.writes, ERASE, writes).await {
                Ok(Transacted::Done) => break,
                Ok(Transacted::ConditionFailed(index, found)) => (parts[index].clone(), found),
                Err(failed) => {
                    retries.after(failed).await?;
                    continue;
                }
            };
            match part {
                Part::Tombstone(index) if found.contains_key(DAY) && batch[index].is_prepared => {
                    // An earlier erasure completed it, and a function that did not know of it recorded the same again.
                    batch[index].use_another_tombstone(&self.key);
                }
                Part::Record(index) | Part::Tombstone(index) => _ = batch.remove(index),
                Part::Member(key) => {
                    if known.insert(key, found).is_some() {
                        retries.pause().await?;
                    }
                }
                Part::Log => return Err(unexpected()),
            }
        }
        Ok(batch.len())
    }

    fn transaction(
        &self,
        member: Option<&str>,
        batch: &[Moved],
        known: &HashMap<String, Item>,
    ) -> Result<(Vec<Part>, Vec<TransactWriteItem>), BuildError> {
        let mut writes = Vec::new();
        let mut changes = BTreeMap::<String, i64>::new();
        for (index, moved) in batch.iter().enumerate() {
            writes.push((Part::Record(index), moved.delete(&self.store.table(moved.table))?));
            writes.push((Part::Tombstone(index), moved.complete(&self.store.table(moved.table), &self.key)?));
            for (name, amount) in moved.effects.iter().flat_map(|effects| &effects.amounts) {
                add_change(&mut changes, name, signed(*amount));
            }
        }
        let mut erased = None;
        if let Some(member) = member {
            let to = erased_member(&self.key, member);
            let back = changes.iter().map(|(name, amount)| (name.clone(), -amount)).collect();
            writes.extend(self.change(member, back, known)?);
            writes.extend(self.change(&to.to_string(), changes, known)?);
            erased = Some(to);
        }
        if let Some(first) = batch.first() {
            writes.push((Part::Log, self.count(first.table, batch.len(), erased)?));
        }
        Ok(writes.into_iter().unzip())
    }

    /// Builds the write that adds amounts to a member, if there are any.
    fn change(
        &self,
        member: &str,
        mut changes: BTreeMap<String, i64>,
        known: &HashMap<String, Item>,
    ) -> Result<Option<(Part, TransactWriteItem)>, BuildError> {
        changes.retain(|_, amount| *amount != 0);
        if changes.is_empty() {
            return Ok(None);
        }
        let (expect, first, others) = (Expect::Anything, Item::new(), Vec::new());
        let target = Target { member: member.to_owned(), expect, first, others };
        let adds = changes.into_iter().collect();
        let (floors, given_back) = (Vec::new(), Vec::new());
        let write = MemberWrite { target: &target, known: known.get(member), adds, floors, given_back };
        Ok(Some((Part::Member(member.to_owned()), write.write(&self.store.table("Members"), &[])?)))
    }

    /// Deletes a member and moves the numbers that it holds. Returns false if it was written since it was read.
    async fn delete_member(&self, item: Item) -> Result<bool, StoreError> {
        let Some(member) = item.text("memberId").map(str::to_owned) else { return Ok(false) };
        let to = erased_member(&self.key, &member);
        let numbers: BTreeMap<_, _> = numbers(&item).collect();
        let (mut known, mut retries) = (HashMap::new(), Self::retries());
        loop {
            let mut delete = Delete::builder().table_name(self.store.table("Members")).key("memberId", s(&member));
            delete = unchanged(delete, "memberId", VERSION, item.get(VERSION));
            let build = || {
                let delete = TransactWriteItem::builder().delete(delete.build()?).build();
                let mut writes = vec![(Part::Record(0), delete)];
                let moved = self.change(&to.to_string(), numbers.clone(), &known)?;
                let erased = moved.is_some().then_some(to);
                writes.extend(moved);
                writes.push((Part::Log, self.count("Members", 1, erased)?));
                Ok(writes.into_iter().unzip())
            };
            let (parts, writes): (Vec<_>, Vec<_>) = build().map_err(invalid)?;
            match transact(&self.writes, ERASE, writes).await {
                Ok(Transacted::Done) => return Ok(true),
                Ok(Transacted::ConditionFailed(index, found)) => match &parts[index] {
                    Part::Member(key) => {
                        if known.insert(key.clone(), found).is_some() {
                            retries.pause().await?;
                        }
                    }
                    Part::Record(_) => return Ok(false),
                    Part::Tombstone(_) | Part::Log => return Err(unexpected()),
                },
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    async fn delete_links(&self, person: &Person, progress: &impl Fn(Progress)) -> Result<(), StoreError> {
        let sessions: Vec<_> = person.sessions.iter().map(s).collect();
        let pointers: Vec<_> = person.pointers.iter().map(s).collect();
        for (table, key, ids) in [("Sessions", "correlationId", sessions), ("Members", "memberId", pointers)] {
            for ids in ids.chunks(MAX_TRANSACTION_ITEMS - 1) {
                progress(Progress::Deleted(self.delete_all(table, key, ids.to_vec()).await?));
            }
        }
        Ok(())
    }

    /// Deletes items. Returns the number of those that existed.
    async fn delete_all(
        &self,
        table: &'static str,
        key: &str,
        mut ids: Vec<AttributeValue>,
    ) -> Result<usize, StoreError> {
        let mut retries = Self::retries();
        while !ids.is_empty() {
            let delete = |id: &AttributeValue| {
                let delete = Delete::builder()
                    .table_name(self.store.table(table))
                    .key(key, id.clone())
                    .condition_expression("attribute_exists(#key)")
                    .expression_attribute_names("#key", key);
                Ok(TransactWriteItem::builder().delete(delete.build()?).build())
            };
            let count = self.count(table, ids.len(), None);
            let writes: Result<Vec<_>, _> = ids.iter().map(delete).chain([count]).collect();
            match transact(&self.writes, ERASE, writes.map_err(invalid)?).await {
                Ok(Transacted::Done) => break,
                Ok(Transacted::ConditionFailed(index, _)) if index < ids.len() => _ = ids.remove(index),
                Ok(Transacted::ConditionFailed(..)) => return Err(unexpected()),
                Err(failed) => retries.after(failed).await?,
            }
        }
        Ok(ids.len())
    }

    /// Builds the update that counts deleted items, and notes an erased member. It is part of each transaction, so that the
    /// counts are exact, and an audit notices an erasure that goes on.
    fn count(&self, table: &str, items: usize, erased: Option<ErasedId>) -> Result<TransactWriteItem, BuildError> {
        let id = self.log.first().map_or("", String::as_str);
        let mut add = "ADD #table :items".to_owned();
        let mut update =
            self.of_log(id).expression_attribute_names("#table", table).expression_attribute_values(":items", n(items));
        if let Some(erased) = erased {
            add.push_str(", #members :members");
            update = update
                .expression_attribute_names("#members", MEMBERS)
                .expression_attribute_values(":members", AttributeValue::Ss(vec![erased.to_string()]));
        }
        Ok(TransactWriteItem::builder().update(update.update_expression(add).build()?).build())
    }

    fn of_log(&self, id: &str) -> UpdateBuilder {
        Update::builder()
            .table_name(self.store.table("Catalog"))
            .key("part", s(ERASURES))
            .key("id", s(id))
            .condition_expression("attribute_exists(id)")
    }

    async fn write_log(&self, update: UpdateBuilder) -> Result<(), StoreError> {
        let write = TransactWriteItem::builder().update(update.build().map_err(invalid)?).build();
        let mut retries = Self::retries();
        loop {
            match transact(&self.writes, ERASE, vec![write.clone()]).await {
                Ok(Transacted::Done) => return Ok(()),
                Ok(Transacted::ConditionFailed(..)) => return Err(unexpected()),
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    /// Notes that the erasure is complete, and forgets the ids.
    async fn complete(&self, remains: bool) -> Result<(), StoreError> {
        for (index, id) in self.log.iter().enumerate() {
            let mut set = "SET #completed = :now".to_owned();
            let mut update = self
                .of_log(id)
                .expression_attribute_names("#completed", COMPLETED)
                .expression_attribute_values(":now", s((self.clock)()))
                .expression_attribute_names("#ids", IDS);
            if remains && index == 0 {
                set.push_str(", #remains = :remains");
                update = update
                    .expression_attribute_names("#remains", REMAINS)
                    .expression_attribute_values(":remains", AttributeValue::Bool(true));
            }
            self.write_log(update.update_expression(format!("{set} REMOVE #ids"))).await?;
        }
        Ok(())
    }

    /// Notes that the files of an embedded store hold nothing any more that was deleted.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn clear_remains(store: &Store) -> Result<(), StoreError> {
        let (table, reads) = (store.table("Catalog"), &store.reads);
        for erasure in read_erasures(reads, &table).await?.iter().filter(|erasure| erasure.has_remains) {
            let update =
                store.writes.update_item().table_name(&table).key("part", s(ERASURES)).key("id", s(&erasure.id));
            let update = update.update_expression("REMOVE #remains").expression_attribute_names("#remains", REMAINS);
            update.send().await.map_err(|error| StoreError::read(ERASE, &error))?;
        }
        Ok(())
    }

    /// Returns the erasure's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.log.first().map_or("", String::as_str)
    }
}

impl Moved {
    fn delete(&self, table: &str) -> Result<TransactWriteItem, BuildError> {
        let delete = Delete::builder().table_name(table).set_key(Some(self.key.clone()));
        let key = self.key.keys().next().map_or("", String::as_str);
        let delete = unchanged(delete, key, "writeId", self.write_id.as_ref());
        Ok(TransactWriteItem::builder().delete(delete.build()?).build())
    }

    fn complete(&self, table: &str, key: &ErasureKey) -> Result<TransactWriteItem, BuildError> {
        let mut set = "SET #day = :day".to_owned();
        let condition = if self.is_prepared { "attribute_exists(#created) AND " } else { "" };
        let mut update = Update::builder()
            .table_name(table)
            .set_key(Some(self.tombstone.clone()))
            .condition_expression(format!("{condition}attribute_not_exists(#day)"))
            .expression_attribute_names("#day", DAY)
            .expression_attribute_names("#created", CREATED)
            .expression_attribute_values(":day", s(&self.day))
            .return_values_on_condition_check_failure(OnFailure::AllOld);
        if let Some(MovedEffects { member, amounts, is_partial }) = &self.effects {
            set.push_str(", memberId = :member, #amounts = :amounts");
            update = update
                .expression_attribute_names("#amounts", AMOUNTS)
                .expression_attribute_values(":member", s(erased_member(key, member)))
                .expression_attribute_values(":amounts", amounts_item(amounts));
            if *is_partial {
                set.push_str(", #partial = :partial");
                update = update
                    .expression_attribute_names("#partial", PARTIAL)
                    .expression_attribute_values(":partial", AttributeValue::Bool(true));
            }
        }
        let update = update.update_expression(format!("{set} REMOVE #created"));
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// Replaces the tombstone by one of this very write.
    fn use_another_tombstone(&mut self, key: &ErasureKey) {
        self.is_prepared = false;
        let (name, kind) = match self.table {
            "ClientEvents" => ("clientEventId", IdKind::ClientEvent),
            "PlayerEvents" => ("recordId", IdKind::PlayerRequest),
            _ => ("activityId", IdKind::Activity),
        };
        let write_id = self.write_id.as_ref().and_then(|id| id.as_b().ok()).map_or(&[][..], AsRef::as_ref);
        let id = format!("{}\0{write_id:?}", self.key.text(name).unwrap_or_default());
        self.tombstone.insert(name.into(), s(key.digest(kind, &id)));
    }
}

/// Adds the condition that an item exists, and that an attribute of it is as it was read.
fn unchanged(delete: DeleteBuilder, key: &str, name: &str, value: Option<&AttributeValue>) -> DeleteBuilder {
    let delete = delete.expression_attribute_names("#unchanged", name);
    match value {
        Some(value) => delete
            .condition_expression("#unchanged = :unchanged")
            .expression_attribute_values(":unchanged", value.clone()),
        // An item that does not exist has no attributes.
        None => delete
            .condition_expression("attribute_exists(#key) AND attribute_not_exists(#unchanged)")
            .expression_attribute_names("#key", key),
    }
}

/// Adds an amount of a record to the changes of its member. What a correction took away is counted, and missing in the
/// number. Total limits are no numbers of a member.
fn add_change(changes: &mut BTreeMap<String, i64>, name: &str, amount: i64) {
    if is_of_total(name) {
        return;
    }
    *changes.entry(name.to_owned()).or_default() += amount;
    if let Some(number) = name.strip_prefix(OUT) {
        *changes.entry(number.to_owned()).or_default() -= amount;
    }
}

/// Splits records into those of one transaction each.
fn batches(records: Vec<Moved>) -> Vec<Vec<Moved>> {
    let mut batches = Vec::<Vec<Moved>>::new();
    let mut bytes = 0;
    for record in records {
        bytes += record.bytes;
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_RECORDS && bytes <= MAX_RECORD_BYTES => batch.push(record),
            _ => {
                bytes = record.bytes;
                batches.push(vec![record]);
            }
        }
    }
    batches
}

fn id_of(member: &Item) -> Option<MemberId> {
    member.text("memberId")?.parse().ok()
}

/// Returns the balances and counters of a member that are not 0.
fn numbers(member: &Item) -> impl Iterator<Item = (String, i64)> {
    let numbers = member.iter().filter(|(name, _)| *name != VERSION && *name != EVENTS);
    let numbers = numbers.filter_map(|(name, value)| Some((name.clone(), value.as_n().ok()?.parse().ok()?)));
    numbers.filter(|(name, number)| *number != 0 && !is_slot(name))
}

/// Returns true for the slot of a period's counter. Such a counter is not moved: an erased member has no more activities.
fn is_slot(name: &str) -> bool {
    counter_of_slot(name, 0).is_some()
}

/// Returns the amounts that are moved from a member to the erased one.
fn movable(amounts: impl IntoIterator<Item = (String, u64)>) -> BTreeMap<String, u64> {
    let is_of_period = |name: &str| slot_of(name.strip_prefix(OUT).unwrap_or(name)).is_some();
    amounts.into_iter().filter(|(name, _)| !is_of_period(name)).collect()
}

fn holds_numbers(member: &Item) -> bool {
    numbers(member).next().is_some()
}

fn claimed(amounts: Option<Vec<(String, u64)>>) -> BTreeMap<String, u64> {
    amounts.unwrap_or_default().into_iter().collect()
}

/// Returns what a player's request added to totals, counters and total limits, derived with the catalog of its version.
/// Of a request that version 0.1.0 recorded, only the totals are known.
async fn added_by_request(
    request: &StoredPlayerEvents,
    history: &HistoryReader,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let Some(evaluation) = request.evaluation()? else {
        return request.totals().map(|totals| totals.into_iter().collect()).ok_or_else(unexpected);
    };
    let catalog = evaluation.catalog(history).await?;
    let award: Award<'_> = evaluation.awards(&catalog).into_iter().collect();
    let spent = award.spends().iter().map(|spend| (spend.name(), spend.amount));
    let totals = StoredPlayerEvents::totals_of(award.points());
    let mut added = BTreeMap::new();
    for (name, amount) in totals.into_iter().chain(spent) {
        *added.entry(name).or_default() += amount;
    }
    Ok(added)
}

async fn wait(pause: Duration, progress: &impl Fn(Progress)) {
    if !pause.is_zero() {
        progress(Progress::Waiting(pause));
        tokio::time::sleep(pause).await;
    }
}

fn invalid(error: BuildError) -> StoreError {
    StoreError::internal(ERASE, error)
}

/// A condition failed that holds as long as nothing else changes the item.
fn unexpected() -> StoreError {
    StoreError::corrupt(ERASE, "a failed condition")
}
