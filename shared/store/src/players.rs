//! Players in table `Members`: a player's item holds its totals or, for an alias, the key of its customer (`customer`).
//! Items `mail#…` and `mob#…` map the keyed digest of an address to a customer. A player whose requests have earned nothing
//! has records only.

use aws_sdk_dynamodb::Client;
use punchcard_models::{address::AddressDigest, ids::PlayerId, member::MemberId, timestamp::Timestamp};
use tokio::time::Instant;

use crate::{
    Store,
    conditional_write::{Transacted, new_item, put_new, transact},
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, s},
    ledger::{CUSTOMER, Expect, Target},
    read_items::read_items,
    retry::Retries,
};

const SAVE: &str = "save a player";
const READ: &str = "read a player";
/// The attribute with a player's points.
pub(crate) const POINTS: &str = "points";
/// The attribute with the number of a player's events, which earlier versions counted.
pub(crate) const EVENTS: &str = "events";

/// Returns the key of a player.
pub(crate) fn player_key(id: &PlayerId) -> String {
    MemberId::Player(id.clone()).to_string()
}

/// Finds the customers of players.
#[derive(Debug)]
pub(crate) struct PlayerResolver {
    client: Client,
    table: String,
    records: PlayerRecords,
}

impl PlayerResolver {
    pub(crate) fn new(store: &Store) -> Self {
        let (client, table) = (store.reads.clone(), store.table("Members"));
        PlayerResolver { client, table, records: PlayerRecords::new(store) }
    }

    /// Determines the member to credit. Without an address it is the player, and a write that credits fails if the player
    /// is an alias. With an address, the player and the address are read first.
    pub(crate) async fn target(
        &self,
        id: &PlayerId,
        address: Option<&AddressDigest>,
        now: Timestamp,
        retries: &mut Retries,
    ) -> Result<Target, StoreError> {
        let player = player_key(id);
        let first = Item::from([("createdAt".into(), s(now))]);
        let own = Target { member: player.clone(), expect: Expect::NoPointer, first, others: Vec::new() };
        let Some(address) = address else { return Ok(own) };
        let address = address.to_string();
        let pointer = |key: &str, customer: &str| {
            Item::from([("memberId".into(), s(key)), (CUSTOMER.into(), s(customer)), ("createdAt".into(), s(now))])
        };
        loop {
            let keys = [&player, &address].map(|key| Item::from([("memberId".into(), s(key))]));
            let (operation, deadline) = (retries.operation(), retries.deadline());
            let found = read_items(&self.client, operation, &self.table, keys.into(), deadline).await?;
            let found = |key: &str| found.iter().find(|item| item.text("memberId") == Some(key));
            let customer_of = |item: &Item| item.text(CUSTOMER).map(str::to_owned);
            let named = found(&address).and_then(customer_of);
            let customer = match found(&player) {
                Some(item) => Some(customer_of(item).unwrap_or_else(|| player.clone())),
                None if self.records.has_any(operation, id).await? => Some(player.clone()),
                None => None,
            };
            return Ok(match (customer, named) {
                // A player never changes its customer, even if the address belongs to another one.
                (Some(customer), named) => {
                    let others = if named.is_some() { Vec::new() } else { vec![pointer(&address, &customer)] };
                    Target { member: customer, others, ..own }
                }
                // Inconsistent read: one transaction created the address and the player, and only the address was seen.
                (None, Some(customer)) if customer == player => {
                    retries.pause().await?;
                    continue;
                }
                (None, Some(customer)) => {
                    let others = vec![pointer(&player, &customer)];
                    Target { member: customer, others, ..own }
                }
                (None, None) => {
                    let others = vec![pointer(&address, &player)];
                    Target { expect: Expect::New, others, ..own }
                }
            });
        }
    }
}

/// Creates players that send no events.
#[derive(Debug)]
pub struct PlayerWriter {
    client: Client,
    players: PlayerResolver,
    table: String,
}

impl PlayerWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        PlayerWriter {
            client: store.writes.clone(),
            players: PlayerResolver::new(store),
            table: store.table("Members"),
        }
    }

    /// Creates a player if it is new, and adds the address to its customer if that is new, in one write.
    ///
    /// # Errors
    /// The store call failed. The request can be repeated.
    pub async fn save(
        &self,
        id: &PlayerId,
        address: Option<&AddressDigest>,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let mut retries = Retries::until(deadline, SAVE);
        loop {
            let target = self.players.target(id, address, now, &mut retries).await;
            let Target { member, expect, first, others } = target.map_err(|error| retries.outcome_of(error))?;
            let mut items = others;
            // With an address, the target says whether the player exists.
            if address.is_none() || expect == Expect::New {
                let mut player = Item::from([("memberId".into(), s(member))]);
                player.extend(first);
                items.push(player);
            }
            match self.put_all_new(items).await {
                Ok(true) => return Ok(()),
                // The player exists.
                Ok(false) if address.is_none() => return Ok(()),
                Ok(false) => retries.pause().await?,
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    /// Puts the items in one write, and returns false if one of them exists.
    async fn put_all_new(&self, mut items: Vec<Item>) -> Result<bool, FailedAttempt> {
        if let [_] = items[..]
            && let Some(item) = items.pop()
        {
            return Ok(put_new(&self.client, SAVE, &self.table, "memberId", item).await?.is_none());
        }
        if items.is_empty() {
            return Ok(true);
        }
        let writes = items.into_iter().map(|item| new_item(SAVE, &self.table, "memberId", item));
        let writes = writes.collect::<Result<_, _>>().map_err(FailedAttempt::Final)?;
        Ok(matches!(transact(&self.client, SAVE, writes).await?, Transacted::Done))
    }
}

/// Finds out whether players have records.
#[derive(Debug, Clone)]
struct PlayerRecords {
    client: Client,
    table: String,
}

impl PlayerRecords {
    fn new(store: &Store) -> Self {
        PlayerRecords { client: store.reads.clone(), table: store.table("PlayerEvents") }
    }

    async fn has_any(&self, operation: &'static str, id: &PlayerId) -> Result<bool, StoreError> {
        let query = self.client.query().table_name(&self.table).key_condition_expression("playerId = :player");
        let query = query.expression_attribute_values(":player", s(id)).consistent_read(true).limit(1);
        let found = query.projection_expression("recordId").send().await;
        Ok(!found.map_err(|error| StoreError::read(operation, &error))?.items().is_empty())
    }
}

/// Reads players.
#[derive(Debug, Clone)]
pub struct PlayerReader {
    client: Client,
    table: String,
    records: PlayerRecords,
}

impl PlayerReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        PlayerReader { client: store.reads.clone(), table: store.table("Members"), records: PlayerRecords::new(store) }
    }

    /// Returns the points of a player's customer, or `None` for an unknown player. They are below zero if more was taken
    /// back than the customer had.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn points(&self, id: &PlayerId) -> Result<Option<i64>, StoreError> {
        let key = player_key(id);
        let player = match self.member(&key).await? {
            Some(player) => player,
            None if !self.records.has_any(READ, id).await? => return Ok(None),
            // A request that earned may have been recorded since the first read.
            None => match self.member(&key).await? {
                Some(player) => player,
                None => return Ok(Some(0)),
            },
        };
        let customer = match player.text(CUSTOMER) {
            Some(customer) => self.member(customer).await?.ok_or(StoreError::corrupt(READ, "a player"))?,
            None => player,
        };
        Ok(Some(customer.number(POINTS).unwrap_or(0)))
    }

    /// Returns true if a request named the player.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn exists(&self, id: &PlayerId) -> Result<bool, StoreError> {
        Ok(self.member(&player_key(id)).await?.is_some() || self.records.has_any(READ, id).await?)
    }

    async fn member(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let read = self.client.get_item().table_name(&self.table).key("memberId", s(key)).consistent_read(true);
        Ok(read.send().await.map_err(|error| StoreError::read(READ, &error))?.item)
    }
}
