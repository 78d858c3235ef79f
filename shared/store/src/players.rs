//! Players in table `Members`: a player's item holds its totals or, for an alias, the key of its customer (`customer`).
//! Items `mail#…` and `mob#…` map the keyed digest of an address to a customer.

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
/// The attributes with a member's totals.
pub(crate) const POINTS: &str = "points";
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
}

impl PlayerResolver {
    pub(crate) fn new(store: &Store) -> Self {
        PlayerResolver { client: store.reads.clone(), table: store.table("Members") }
    }

    /// Determines the member to credit. Without an address it is the player, and the write fails if the player is an
    /// alias. With an address, the player and the address are read first.
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
            return Ok(match (found(&player), found(&address).and_then(customer_of)) {
                // A player never changes its customer, even if the address belongs to another one.
                (Some(item), named) => {
                    let customer = customer_of(item).unwrap_or(player);
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

/// A player's totals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlayerTotals {
    /// The time of the player's first request, in RFC 3339.
    pub created_at: String,
    /// The customer's points. Below zero if more was taken back than the customer had.
    pub points: i64,
    /// The customer's number of events.
    pub events: u64,
}

/// Reads players.
#[derive(Debug, Clone)]
pub struct PlayerReader {
    client: Client,
    table: String,
}

impl PlayerReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        PlayerReader { client: store.reads.clone(), table: store.table("Members") }
    }

    /// Returns a player's totals, or `None` for an unknown player.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn get(&self, id: &PlayerId) -> Result<Option<PlayerTotals>, StoreError> {
        let Some(player) = self.member(&player_key(id)).await? else { return Ok(None) };
        let corrupt = || StoreError::corrupt(READ, "a player");
        let created_at = player.text("createdAt").ok_or_else(corrupt)?.to_owned();
        let customer = match player.text(CUSTOMER) {
            Some(customer) => self.member(customer).await?.ok_or_else(corrupt)?,
            None => player,
        };
        let (points, events) = (customer.number(POINTS).unwrap_or(0), customer.number(EVENTS).unwrap_or(0));
        Ok(Some(PlayerTotals { created_at, points, events }))
    }

    async fn member(&self, key: &str) -> Result<Option<Item>, StoreError> {
        let read = self.client.get_item().table_name(&self.table).key("memberId", s(key)).consistent_read(true);
        Ok(read.send().await.map_err(|error| StoreError::read(READ, &error))?.item)
    }
}
