//! Whole-table reads of records and members, for audits.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use aws_sdk_dynamodb::{Client, Config, config::timeout::TimeoutConfig, types::ReturnConsumedCapacity};
use punchcard_models::{
    erasure::{ErasedId, ErasureKey},
    ids::{ActivityId, PlayerId},
    member::MemberId,
};
use punchcard_rewards::counter_of_slot;
use tokio::time::Instant;

use crate::{
    InvalidPosition, Store,
    activities::{ActivityRecord, StoredActivity},
    activity_pages::{ActivityPages, Position},
    catalog::read_callers,
    corrections::OUT,
    erasures::{Erasure, read_erasures},
    error::StoreError,
    export::{record_item, record_json},
    item::{Attributes as _, Item, s, signed},
    ledger::CUSTOMER,
    player_records::PlayerRecord,
    read_items::{MAX_READ_ITEMS, read_items},
    records::{RecordKind, StoredItem},
    tombstones::{activity_tombstone, request_tombstone},
    totals::USED,
};

const READ: &str = "read all records";
/// Time limit of counting a table. The embedded store reads all of it, which takes seconds with a million records.
const COUNT_LIMIT: Duration = Duration::from_mins(2);
/// Number of activities in a page of one member's.
const PAGE: usize = 500;
/// Maximum number of items in a page of a table. DynamoDB ends a page after 1 MB anyway; the embedded store first reads
/// as many items as it may return.
const MAX_SCANNED: i32 = 3000;

/// Reads records and members.
#[derive(Debug, Clone)]
pub struct LedgerReader {
    client: Client,
    pages: ActivityPages,
    client_events: String,
    activities: String,
    player_events: String,
    members: String,
    catalog: String,
}

/// A part of a table.
#[derive(Debug)]
pub struct Page<T> {
    /// The items. An item that cannot be read is represented by its key.
    pub items: Vec<Result<T, String>>,
    /// The start of the next page, if there is one.
    pub next: Option<Start>,
}

/// The start of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Start(Item);

/// A part of a record table, of several that can be read at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TablePart {
    /// The table.
    pub kind: RecordKind,
    /// The part's number, from 0.
    pub index: i32,
    /// The number of parts.
    pub of: i32,
}

impl TablePart {
    /// All of a table.
    #[must_use]
    pub fn whole(kind: RecordKind) -> Self {
        TablePart { kind, index: 0, of: 1 }
    }
}

/// A page of a record table, as it is stored.
#[derive(Debug)]
pub struct ItemPage {
    /// The items.
    pub items: Vec<StoredItem>,
    /// The read units that the page took.
    pub read_units: f64,
    /// The start of the next page, if there is one.
    pub next: Option<Start>,
}

/// The start as JSON, from which it can be read again.
impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&record_json(&self.0))
    }
}

impl FromStr for Start {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        record_item(text).map(Start).ok_or(InvalidPosition)
    }
}

/// An item of table `Members`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredMember {
    /// The key.
    pub key: String,
    /// The customer, if the item is a pointer to one.
    pub customer: Option<String>,
    /// Sums of all amounts that were added to balances and counters, by attribute name, and of all that were taken away,
    /// by [`OUT`] and the name. Both only grow: a balance is their difference. Those of a total limit are under the item's own
    /// key. A counter of a period is its present value, under the counter's name. A negative number can only be a tampered one.
    pub numbers: BTreeMap<String, i64>,
    /// The number of writes.
    pub version: u64,
}

impl LedgerReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        LedgerReader {
            client: store.reads.clone(),
            pages: ActivityPages::new(store),
            client_events: store.table("ClientEvents"),
            activities: store.table("Activities"),
            player_events: store.table("PlayerEvents"),
            members: store.table("Members"),
            catalog: store.table("Catalog"),
        }
    }

    fn table(&self, kind: RecordKind) -> &str {
        match kind {
            RecordKind::ClientEvents => &self.client_events,
            RecordKind::Activities => &self.activities,
            RecordKind::PlayerEvents => &self.player_events,
        }
    }

    /// Returns the approximate number of records, for a progress bar. DynamoDB counts every six hours.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn approximate_count(&self, kinds: &[RecordKind]) -> Result<u64, StoreError> {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(COUNT_LIMIT).operation_timeout(COUNT_LIMIT);
        let patient = Config::builder().timeout_config(timeouts.build());
        let mut count = 0;
        for kind in kinds {
            let describe = self.client.describe_table().table_name(self.table(*kind)).customize();
            let described = describe.config_override(patient.clone()).send().await;
            let described = described.map_err(|error| StoreError::read(READ, &error))?.table;
            let items = described.and_then(|table| table.item_count).unwrap_or(0);
            count += u64::try_from(items).unwrap_or(0);
        }
        Ok(count)
    }

    /// Reads a page of all members, in no order.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn members(&self, start: Option<Start>) -> Result<Page<StoredMember>, StoreError> {
        self.scan(&self.members, start, stored_member, |item| item.text("memberId").map(str::to_owned)).await
    }

    /// Reads a page of one of several parts of a record table, in no order.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn items(&self, part: TablePart, start: Option<Start>) -> Result<ItemPage, StoreError> {
        let mut scan = self
            .client
            .scan()
            .table_name(self.table(part.kind))
            .consistent_read(true)
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .limit(MAX_SCANNED)
            .set_exclusive_start_key(start.map(|start| start.0));
        // The embedded store sorts all of a segment for each page, but reads a whole table in the order of its keys.
        if part.of > 1 {
            scan = scan.segment(part.index).total_segments(part.of);
        }
        let page = scan.send().await.map_err(|error| StoreError::read(READ, &error))?;
        let items = page.items.unwrap_or_default().into_iter().map(|item| StoredItem::new(part.kind, item));
        Ok(ItemPage {
            items: items.collect(),
            read_units: page.consumed_capacity.and_then(|consumed| consumed.capacity_units).unwrap_or(0.0),
            next: page.last_evaluated_key.map(Start),
        })
    }

    async fn scan<T>(
        &self,
        table: &str,
        start: Option<Start>,
        read: impl Fn(&Item) -> Option<T>,
        key: impl Fn(&Item) -> Option<String>,
    ) -> Result<Page<T>, StoreError> {
        let scan = self.client.scan().table_name(table).consistent_read(true).limit(MAX_SCANNED);
        let scan = scan.set_exclusive_start_key(start.map(|start| start.0));
        let page = scan.send().await.map_err(|error| StoreError::read(READ, &error))?;
        let items = page.items.unwrap_or_default();
        let items = items.iter().map(|item| read(item).ok_or_else(|| key(item).unwrap_or_default()));
        Ok(Page { items: items.collect(), next: page.last_evaluated_key.map(Start) })
    }

    /// Returns the items of members or total limits, those that exist.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn members_by_key(&self, keys: &[String], deadline: Instant) -> Result<Vec<StoredMember>, StoreError> {
        let mut members = Vec::new();
        for keys in keys.chunks(MAX_READ_ITEMS) {
            let keys = keys.iter().map(|key| Item::from([("memberId".into(), s(key))])).collect();
            let found = read_items(&self.client, READ, &self.members, keys, deadline).await?;
            members.extend(found.iter().filter_map(stored_member));
        }
        Ok(members)
    }

    /// Returns an activity by its id, whatever its correlation id.
    ///
    /// # Errors
    /// The store call failed, or the activity cannot be read.
    pub async fn activity(&self, id: &ActivityId) -> Result<Option<StoredActivity>, StoreError> {
        Ok(self.activity_record(id).await?.and_then(ActivityRecord::activity))
    }

    /// Returns an activity or a correction by its id.
    ///
    /// # Errors
    /// The store call failed, or the record cannot be read.
    pub async fn activity_record(&self, id: &ActivityId) -> Result<Option<ActivityRecord>, StoreError> {
        let get = self.client.get_item().table_name(&self.activities).key("activityId", s(id)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        found.map(|item| ActivityRecord::read(&item).ok_or(StoreError::corrupt(READ, "a stored activity"))).transpose()
    }

    /// Returns one of a player's requests or refunds.
    ///
    /// # Errors
    /// The store call failed, or the record cannot be read.
    pub async fn player_record(&self, player: &PlayerId, record_id: &str) -> Result<Option<PlayerRecord>, StoreError> {
        let get = self.client.get_item().table_name(&self.player_events).consistent_read(true);
        let get = get.key("playerId", s(player)).key("recordId", s(record_id));
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        let read = |item| PlayerRecord::read(&item).ok_or(StoreError::corrupt(READ, "stored player events"));
        found.map(read).transpose()
    }

    /// Returns a record as it is stored, by its id and, but for activities, the customer or player in whose partition it
    /// is.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn item(
        &self,
        kind: RecordKind,
        partition: Option<&str>,
        id: &str,
    ) -> Result<Option<StoredItem>, StoreError> {
        let get = self.client.get_item().table_name(self.table(kind)).key(kind.id(), s(id)).consistent_read(true);
        let get = match (kind.partition(), partition) {
            (Some(name), Some(value)) => get.key(name, s(value)),
            (_, _) => get,
        };
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item;
        Ok(found.map(|item| StoredItem::new(kind, item)))
    }

    /// Reads a page of a member's activities and corrections, newest first. The index is eventually consistent.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn activities_of(
        &self,
        member: &MemberId,
        after: Option<&Position>,
        deadline: Instant,
    ) -> Result<(Vec<Result<ActivityRecord, String>>, Option<Position>), StoreError> {
        self.pages.items(member, after, PAGE, deadline).await
    }

    /// Reads a page of a player's requests and refunds, ordered by record id.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn player_records_of(
        &self,
        player: &PlayerId,
        start: Option<Start>,
    ) -> Result<Page<PlayerRecord>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(&self.player_events)
            .key_condition_expression("playerId = :player")
            .expression_attribute_values(":player", s(player))
            .set_exclusive_start_key(start.map(|start| start.0))
            .consistent_read(true);
        let page = query.send().await.map_err(|error| StoreError::read(READ, &error))?;
        let key = |item: &Item| item.text("recordId").unwrap_or_default().to_owned();
        let items = page.items.unwrap_or_default();
        let items = items.iter().map(|item| PlayerRecord::read(item).ok_or_else(|| key(item)));
        Ok(Page { items: items.collect(), next: page.last_evaluated_key.map(Start) })
    }

    /// Returns the erased requests of an erased member, from the partitions of all its players. Reads the whole table.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn erased_requests_of(&self, member: ErasedId) -> Result<Vec<PlayerRecord>, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.player_events)
            .consistent_read(true)
            .filter_expression("memberId = :member")
            .expression_attribute_values(":member", s(member));
        let items = scan.into_paginator().items().send().collect::<Result<Vec<_>, _>>().await;
        let items = items.map_err(|error| StoreError::read(READ, &error))?;
        Ok(items.iter().filter_map(PlayerRecord::read).collect())
    }

    /// Returns true if the activity or correction with this id was erased, or will be.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn is_erased(&self, id: &ActivityId) -> Result<bool, StoreError> {
        let Some(key) = self.erasure_key().await? else { return Ok(false) };
        self.exists(&self.activities, activity_tombstone(&key, id)).await
    }

    /// Returns true if the player's request or refund was erased, or will be.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn is_request_erased(&self, player: &PlayerId, record_id: &str) -> Result<bool, StoreError> {
        let Some(key) = self.erasure_key().await? else { return Ok(false) };
        self.exists(&self.player_events, request_tombstone(&key, player, record_id)).await
    }

    /// Returns true if an erasure of the member is under way.
    ///
    /// # Errors
    /// The store call failed, or an erasure cannot be read.
    pub async fn is_being_erased(&self, member: &MemberId) -> Result<bool, StoreError> {
        let Some(key) = self.erasure_key().await? else { return Ok(false) };
        let erased = member.erased(&key);
        let erasures = self.erasures().await?;
        Ok(erasures.iter().any(|erasure| erasure.completed_at.is_none() && erasure.members.contains(&erased)))
    }

    async fn erasure_key(&self) -> Result<Option<ErasureKey>, StoreError> {
        Ok(read_callers(&self.client, &self.catalog).await?.erasure)
    }

    async fn exists(&self, table: &str, key: Item) -> Result<bool, StoreError> {
        let get = self.client.get_item().table_name(table).set_key(Some(key)).consistent_read(true);
        Ok(get.send().await.map_err(|error| StoreError::read(READ, &error))?.item.is_some())
    }

    /// Returns all erasures, oldest first. Each deletion of records changes the erasure's counts.
    ///
    /// # Errors
    /// The store call failed, or an erasure cannot be read.
    pub async fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        read_erasures(&self.client, &self.catalog).await
    }

    /// Returns the players that are aliases of a customer. Reads the whole table.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn aliases_of(&self, customer: &MemberId) -> Result<Vec<PlayerId>, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.members)
            .consistent_read(true)
            .filter_expression("#customer = :customer")
            .expression_attribute_names("#customer", CUSTOMER)
            .expression_attribute_values(":customer", s(customer));
        let mut items = scan.into_paginator().items().send();
        let mut aliases = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| StoreError::read(READ, &error))?;
            // Addresses are pointers too.
            if let Some(Ok(MemberId::Player(player))) = item.text("memberId").map(str::parse) {
                aliases.push(player);
            }
        }
        Ok(aliases)
    }
}

fn stored_member(item: &Item) -> Option<StoredMember> {
    let key = item.text("memberId")?.to_owned();
    let mut stored = BTreeMap::<String, i64>::new();
    for (name, value) in item {
        if let Some(number) = value.as_n().ok().and_then(|number| number.parse().ok()) {
            let slot = u64::try_from(number).ok().and_then(|value| counter_of_slot(name, value));
            if let Some((counter, used)) = slot {
                stored.insert(counter, signed(used));
                continue;
            }
            let name = match name.as_str() {
                USED => key.clone(),
                name if name.strip_prefix(OUT) == Some(USED) => format!("{OUT}{key}"),
                name => name.to_owned(),
            };
            stored.insert(name, number);
        }
    }
    let version = stored.remove("version").and_then(|version| u64::try_from(version).ok()).unwrap_or(0);
    let added = |(name, number): (&String, &i64)| {
        let taken = stored.get(&format!("{OUT}{name}")).copied().unwrap_or(0);
        (name.clone(), number.saturating_add(taken))
    };
    let numbers = stored.iter().map(added).collect();
    Some(StoredMember { customer: item.text(CUSTOMER).map(str::to_owned), numbers, version, key })
}
