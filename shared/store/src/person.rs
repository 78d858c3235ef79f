//! All that the store knows of a person, found from any of the person's ids.
//!
//! An account and its loyalty id are one person, with all correlation ids of the account's sessions and what was sent
//! with them before the session. Players who were merged are one person, with the pointers of their addresses. The
//! tables have no index by account or customer, so `Sessions` and `Members` are scanned.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::{
    Client,
    operation::query::builders::QueryFluentBuilder,
    types::{AttributeValue, Select},
};
use futures_util::future::try_join_all;
use punchcard_models::{
    ids::{AccountId, CorrelationId, CustomerId, LoyaltyId, PlayerId},
    member::MemberId,
};
use tokio::time::Instant;

use crate::{
    Store,
    activity_pages::INDEX,
    erasures::read_erasures,
    error::StoreError,
    export::record_json,
    item::{Attributes as _, Item, s},
    ledger::CUSTOMER,
    players::player_key,
    read_items::{MAX_READ_ITEMS, read_items},
    sessions::pointer,
    tombstones::is_tombstone,
};

const READ: &str = "read a person";
/// Time limit of one read of several items.
const READ_LIMIT: std::time::Duration = std::time::Duration::from_secs(30);
/// Number of activities in a page.
const PAGE: i32 = 500;
/// Number of queries that are sent at once.
const AT_ONCE: usize = 16;
/// Number of ids in the filter of one scan. DynamoDB allows 100 operands.
const FILTERED: usize = 100;

/// Ids of a person, by role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonIds {
    /// Customers of client events.
    pub customers: BTreeSet<CustomerId>,
    /// Accounts.
    pub accounts: BTreeSet<AccountId>,
    /// Loyalty ids.
    pub loyalty_ids: BTreeSet<LoyaltyId>,
    /// Correlation ids.
    pub correlation_ids: BTreeSet<CorrelationId>,
    /// Players.
    pub players: BTreeSet<PlayerId>,
}

impl PersonIds {
    /// Returns true if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let PersonIds { customers, accounts, loyalty_ids, correlation_ids, players } = self;
        customers.is_empty()
            && accounts.is_empty()
            && loyalty_ids.is_empty()
            && correlation_ids.is_empty()
            && players.is_empty()
    }

    /// Adds all ids of another.
    pub fn extend(&mut self, other: PersonIds) {
        let PersonIds { customers, accounts, loyalty_ids, correlation_ids, players } = other;
        self.customers.extend(customers);
        self.accounts.extend(accounts);
        self.loyalty_ids.extend(loyalty_ids);
        self.correlation_ids.extend(correlation_ids);
        self.players.extend(players);
    }

    /// Returns true if an id is in both, in the same role.
    pub(crate) fn meets(&self, other: &PersonIds) -> bool {
        !(self.customers.is_disjoint(&other.customers)
            && self.accounts.is_disjoint(&other.accounts)
            && self.loyalty_ids.is_disjoint(&other.loyalty_ids)
            && self.correlation_ids.is_disjoint(&other.correlation_ids)
            && self.players.is_disjoint(&other.players))
    }
}

/// A person, as it was found.
#[derive(Debug, Clone, Default)]
pub struct Person {
    /// The ids that exist in the store.
    pub ids: PersonIds,
    /// Correlation ids that have a session.
    pub(crate) sessions: BTreeSet<CorrelationId>,
    /// Keys of items in `Members` that only point to a member.
    pub(crate) pointers: BTreeSet<String>,
    /// The members, whether their items exist or not.
    pub(crate) members: BTreeSet<String>,
    /// The customers of players that are aliases.
    customers: BTreeMap<PlayerId, String>,
}

/// A list of records in the store.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    ClientEvents(CustomerId),
    Activities(String),
    PlayerEvents(PlayerId),
}

impl Source {
    pub(crate) fn table(&self) -> &'static str {
        match self {
            Source::ClientEvents(_) => "ClientEvents",
            Source::Activities(_) => "Activities",
            Source::PlayerEvents(_) => "PlayerEvents",
        }
    }
}

/// An exported item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The table, without the prefix.
    pub table: &'static str,
    /// The item as a JSON object.
    pub json: String,
}

impl Person {
    /// Returns the member that is credited for what a player does.
    pub(crate) fn customer_of(&self, player: &PlayerId) -> String {
        self.customers.get(player).cloned().unwrap_or_else(|| player_key(player))
    }

    pub(crate) fn sources(&self) -> Vec<Source> {
        let customers = self.ids.customers.iter().cloned().map(Source::ClientEvents);
        let is_of_activities = |key: &&String| !matches!(key.parse(), Ok(MemberId::Player(_)));
        let members = self.members.iter().filter(is_of_activities).cloned().map(Source::Activities);
        let players = self.ids.players.iter().cloned().map(Source::PlayerEvents);
        customers.chain(members).chain(players).collect()
    }
}

/// Finds and reads all that the store knows of a person.
#[derive(Debug, Clone)]
pub struct PersonReader {
    pub(crate) client: Client,
    client_events: String,
    activities: String,
    player_events: String,
    sessions: String,
    members: String,
    catalog: String,
}

impl PersonReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        PersonReader {
            client: store.reads.clone(),
            client_events: store.table("ClientEvents"),
            activities: store.table("Activities"),
            player_events: store.table("PlayerEvents"),
            sessions: store.table("Sessions"),
            members: store.table("Members"),
            catalog: store.table("Catalog"),
        }
    }

    /// Returns the ids of erasures of the same person that were not completed, if there are any. Some of what has these ids
    /// may be deleted already.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn unfinished(&self, ids: &PersonIds) -> Result<Option<PersonIds>, StoreError> {
        let erasures = read_erasures(&self.client, &self.catalog).await?;
        let unfinished = erasures.into_iter().filter_map(|erasure| erasure.ids).filter(|begun| begun.meets(ids));
        Ok(unfinished.reduce(|mut all, ids| {
            all.extend(ids);
            all
        }))
    }

    /// Finds the person that has one of the ids.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn find(&self, ids: &PersonIds) -> Result<Person, StoreError> {
        let mut person = Person::default();
        self.find_customers(ids, &mut person).await?;
        self.find_accounts(ids, &mut person).await?;
        self.find_players(ids, &mut person).await?;
        Ok(person)
    }

    async fn find_customers(&self, ids: &PersonIds, person: &mut Person) -> Result<(), StoreError> {
        for customer in &ids.customers {
            if self.has_records(&Source::ClientEvents(customer.clone())).await? {
                person.ids.customers.insert(customer.clone());
            }
        }
        Ok(())
    }

    async fn find_accounts(&self, ids: &PersonIds, person: &mut Person) -> Result<(), StoreError> {
        let mut accounts = ids.accounts.clone();
        let account_of = |item: &Item| item.text("accountId").and_then(|id| id.parse::<AccountId>().ok());
        let keys: Vec<_> = ids.loyalty_ids.iter().map(pointer).collect();
        for item in self.members_by_key(keys.iter()).await? {
            accounts.extend(account_of(&item));
        }
        let mut correlation_ids = ids.correlation_ids.clone();
        for session in self.sessions_by_id(ids.correlation_ids.iter()).await? {
            accounts.extend(account_of(&session));
            person.sessions.extend(session.text("correlationId").and_then(|id| id.parse().ok()));
        }
        let names: Vec<_> = accounts.iter().map(s).collect();
        for session in self.scan(&self.sessions, "accountId", &names).await? {
            person.sessions.extend(session.text("correlationId").and_then(|id| id.parse::<CorrelationId>().ok()));
        }
        correlation_ids.extend(person.sessions.iter().cloned());

        let mut candidates: Vec<_> = accounts.iter().cloned().map(MemberId::Account).collect();
        candidates.extend(correlation_ids.iter().cloned().map(MemberId::Correlation));
        let keys: Vec<_> = candidates.iter().map(ToString::to_string).collect();
        let (mut existing, mut loyalty_ids) = (BTreeSet::new(), ids.loyalty_ids.clone());
        for item in self.members_by_key(keys.iter()).await? {
            if let Some(id) = item.text("loyaltyId").and_then(|id| id.parse::<LoyaltyId>().ok()) {
                person.ids.loyalty_ids.insert(id.clone());
                loyalty_ids.insert(id);
            }
            existing.extend(item.text("memberId").map(str::to_owned));
        }
        let keys: Vec<_> = loyalty_ids.iter().map(pointer).collect();
        for item in self.members_by_key(keys.iter()).await? {
            person.pointers.extend(item.text("memberId").map(str::to_owned));
        }
        let pointers = &person.pointers;
        person.ids.loyalty_ids.extend(loyalty_ids.into_iter().filter(|id| pointers.contains(&pointer(id))));
        for chunk in candidates.chunks(AT_ONCE) {
            let found = chunk.iter().map(|member| async {
                let key = member.to_string();
                let has = existing.contains(&key) || self.has_records(&Source::Activities(key)).await?;
                Ok::<_, StoreError>(has)
            });
            for (member, found) in chunk.iter().zip(try_join_all(found).await?) {
                let in_session = matches!(member, MemberId::Correlation(id) if person.sessions.contains(id));
                if found {
                    person.members.insert(member.to_string());
                }
                match member {
                    MemberId::Account(id) if found => _ = person.ids.accounts.insert(id.clone()),
                    MemberId::Correlation(id) if found || in_session => {
                        person.ids.correlation_ids.insert(id.clone());
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    async fn find_players(&self, ids: &PersonIds, person: &mut Person) -> Result<(), StoreError> {
        let mut customers = BTreeSet::new();
        let keys: Vec<_> = ids.players.iter().map(player_key).collect();
        let items = self.members_by_key(keys.iter()).await?;
        for player in &ids.players {
            let key = player_key(player);
            let item = items.iter().find(|item| item.text("memberId") == Some(&key));
            if item.is_none() && !self.has_records(&Source::PlayerEvents(player.clone())).await? {
                // A pointer to it may be left.
                customers.insert(key);
                continue;
            }
            person.ids.players.insert(player.clone());
            customers.insert(item.and_then(|item| item.text(CUSTOMER)).map_or(key, str::to_owned));
        }
        let names: Vec<_> = customers.iter().map(s).collect();
        for item in self.scan(&self.members, CUSTOMER, &names).await? {
            let (Some(key), Some(customer)) = (item.text("memberId"), item.text(CUSTOMER)) else { continue };
            person.pointers.insert(key.to_owned());
            if let Ok(MemberId::Player(player)) = key.parse() {
                person.customers.insert(player.clone(), customer.to_owned());
                person.ids.players.insert(player);
            }
        }
        let items = self.members_by_key(customers.iter()).await?;
        for key in customers {
            let Ok(MemberId::Player(player)) = key.parse() else { continue };
            let exists = items.iter().any(|item| item.text("memberId") == Some(&key));
            if exists || self.has_records(&Source::PlayerEvents(player.clone())).await? {
                person.members.insert(key);
                person.ids.players.insert(player);
            }
        }
        Ok(())
    }

    /// Returns the items of an attribute with one of these values.
    async fn scan(&self, table: &str, name: &str, values: &[AttributeValue]) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for values in values.chunks(FILTERED) {
            let mut scan = self.client.scan().table_name(table).consistent_read(true);
            let mut operands = Vec::new();
            for (index, value) in values.iter().enumerate() {
                operands.push(format!(":v{index}"));
                scan = scan.expression_attribute_values(format!(":v{index}"), value.clone());
            }
            let scan = scan
                .filter_expression(format!("#name IN ({})", operands.join(", ")))
                .expression_attribute_names("#name", name);
            let mut items = scan.into_paginator().items().send();
            while let Some(item) = items.next().await {
                found.push(item.map_err(|error| StoreError::read(READ, &error))?);
            }
        }
        Ok(found)
    }

    pub(crate) async fn members_by_key(&self, keys: impl Iterator<Item = &String>) -> Result<Vec<Item>, StoreError> {
        self.read(&self.members, "memberId", keys.map(s).collect()).await
    }

    async fn sessions_by_id(&self, ids: impl Iterator<Item = &CorrelationId>) -> Result<Vec<Item>, StoreError> {
        self.read(&self.sessions, "correlationId", ids.map(s).collect()).await
    }

    async fn read(&self, table: &str, key: &str, values: Vec<AttributeValue>) -> Result<Vec<Item>, StoreError> {
        let mut found = Vec::new();
        for values in values.chunks(MAX_READ_ITEMS) {
            let keys = values.iter().map(|value| Item::from([(key.to_owned(), value.clone())])).collect();
            found.extend(read_items(&self.client, READ, table, keys, Instant::now() + READ_LIMIT).await?);
        }
        Ok(found)
    }

    pub(crate) async fn has_records(&self, source: &Source) -> Result<bool, StoreError> {
        let found = self.query(source).limit(1).send().await.map_err(|error| StoreError::read(READ, &error))?;
        Ok(!found.items().is_empty())
    }

    fn query(&self, source: &Source) -> QueryFluentBuilder {
        let query = self.client.query().key_condition_expression("#key = :value");
        let (table, key, value) = match source {
            Source::ClientEvents(customer) => (&self.client_events, "customerId", s(customer)),
            Source::Activities(member) => (&self.activities, "memberId", s(member)),
            Source::PlayerEvents(player) => (&self.player_events, "playerId", s(player)),
        };
        let query = query
            .table_name(table)
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":value", value);
        match source {
            // An index cannot be read consistently.
            Source::Activities(_) => query.index_name(INDEX).limit(PAGE),
            Source::ClientEvents(_) | Source::PlayerEvents(_) => query.consistent_read(true),
        }
    }

    /// Reads a page of records.
    pub(crate) async fn page(
        &self,
        source: &Source,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let page = self.query(source).set_exclusive_start_key(start).send().await;
        let page = page.map_err(|error| StoreError::read(READ, &error))?;
        let mut items = page.items.unwrap_or_default();
        if let Source::Activities(_) = source {
            // The index holds keys only.
            let ids = items.iter().filter_map(|item| item.get("activityId").cloned()).collect();
            items = self.read(&self.activities, "activityId", ids).await?;
        }
        let sort = match source {
            Source::ClientEvents(_) => "clientEventId",
            Source::Activities(_) => "activityId",
            Source::PlayerEvents(_) => "recordId",
        };
        items.retain(|item| !is_tombstone(item, sort));
        Ok((items, page.last_evaluated_key))
    }

    /// Counts the items of a person, by table.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn count(&self, person: &Person) -> Result<BTreeMap<&'static str, usize>, StoreError> {
        let mut counts = BTreeMap::new();
        for source in person.sources() {
            let mut start = None;
            loop {
                let query = self.query(&source).select(Select::Count).set_exclusive_start_key(start);
                let query = if let Source::Activities(_) = source { query.set_limit(None) } else { query };
                let page = query.send().await.map_err(|error| StoreError::read(READ, &error))?;
                *counts.entry(source.table()).or_default() += usize::try_from(page.count).unwrap_or(0);
                start = page.last_evaluated_key;
                if start.is_none() {
                    break;
                }
            }
        }
        *counts.entry("Sessions").or_default() += person.sessions.len();
        let members = self.members_by_key(person.members.iter()).await?.len();
        *counts.entry("Members").or_default() += members + person.pointers.len();
        counts.retain(|_, count| *count > 0);
        Ok(counts)
    }

    /// Passes each item of a person to `write`, once and in no order.
    ///
    /// # Errors
    /// The store call failed, or `write` did.
    pub async fn export<E: From<StoreError>>(
        &self,
        person: &Person,
        mut write: impl FnMut(Exported) -> Result<(), E>,
    ) -> Result<(), E> {
        for source in person.sources() {
            let mut start = None;
            loop {
                let (items, next) = self.page(&source, start).await?;
                for item in items {
                    write(Exported { table: source.table(), json: record_json(&item) })?;
                }
                start = next;
                if start.is_none() {
                    break;
                }
            }
        }
        let sessions: Vec<_> = person.sessions.iter().collect();
        for ids in sessions.chunks(MAX_READ_ITEMS) {
            for item in self.sessions_by_id(ids.iter().copied()).await? {
                write(Exported { table: "Sessions", json: record_json(&item) })?;
            }
        }
        let members: Vec<_> = person.members.union(&person.pointers).collect();
        for keys in members.chunks(MAX_READ_ITEMS) {
            for item in self.members_by_key(keys.iter().copied()).await? {
                write(Exported { table: "Members", json: record_json(&item) })?;
            }
        }
        Ok(())
    }
}
