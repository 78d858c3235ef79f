//! Balances in table `Members`: the attributes `pts#unit#type` of a member's item.

use std::collections::{BTreeMap, HashMap, HashSet};

use aws_sdk_dynamodb::Client;
use punchcard_models::member::MemberId;
use tokio::time::Instant;

use crate::{
    Store,
    error::StoreError,
    item::{Attributes as _, Item, s},
    ledger::CUSTOMER,
    member_write::{VERSION, points_of},
    players::POINTS,
    read_items::{MAX_READ_ITEMS, read_items},
};

const READ: &str = "read balances";

/// Points by business unit, then by points type. Corrections may make them negative.
pub type Balances = BTreeMap<String, BTreeMap<String, i64>>;

/// The balances of a member at one moment. A member without an item has none, and version 0.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    /// The points of an account or a correlation id.
    pub balances: Balances,
    /// The points of a player.
    pub points: i64,
    /// The number of writes of the member's item.
    pub version: u64,
}

/// Reads balances.
#[derive(Debug, Clone)]
pub struct BalanceReader {
    client: Client,
    table: String,
}

impl BalanceReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        BalanceReader { client: store.reads.clone(), table: store.table("Members") }
    }

    /// Returns a member's balances, which are empty for an unknown member.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn of(&self, member: &MemberId) -> Result<Balances, StoreError> {
        let get = self.client.get_item().table_name(&self.table).key("memberId", s(member)).consistent_read(true);
        let found = get.send().await.map_err(|error| StoreError::read(READ, &error))?.item.unwrap_or_default();
        Ok(balances_of(&found))
    }

    /// Returns the holdings of members, by the requested keys. A player that is an alias has those of its customer.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn of_all(
        &self,
        members: &HashSet<String>,
        deadline: Instant,
    ) -> Result<HashMap<String, (String, Holdings)>, StoreError> {
        let found = self.items(members.iter(), deadline).await?;
        let customer_of = |member: &String| found.get(member).and_then(|item| item.text(CUSTOMER));
        let customers: HashSet<_> = members.iter().filter_map(customer_of).map(str::to_owned).collect();
        let customers = self.items(customers.iter(), deadline).await?;
        let holdings = |member: &String| {
            let (owner, item) = match customer_of(member) {
                Some(customer) => (customer.to_owned(), customers.get(customer)),
                None => (member.clone(), found.get(member)),
            };
            (member.clone(), (owner, item.map(Holdings::read).unwrap_or_default()))
        };
        Ok(members.iter().map(holdings).collect())
    }

    async fn items(
        &self,
        members: impl Iterator<Item = &String>,
        deadline: Instant,
    ) -> Result<HashMap<String, Item>, StoreError> {
        let keys: Vec<_> = members.map(|member| Item::from([("memberId".into(), s(member))])).collect();
        let mut items = HashMap::new();
        for keys in keys.chunks(MAX_READ_ITEMS) {
            let found = read_items(&self.client, READ, &self.table, keys.to_vec(), deadline).await?;
            items.extend(found.into_iter().filter_map(|item| Some((item.text("memberId")?.to_owned(), item))));
        }
        Ok(items)
    }
}

impl Holdings {
    fn read(item: &Item) -> Self {
        Holdings {
            balances: balances_of(item),
            points: item.number(POINTS).unwrap_or(0),
            version: item.number(VERSION).unwrap_or(0),
        }
    }
}

fn balances_of(item: &Item) -> Balances {
    let mut balances = Balances::new();
    for (unit, points_type, points) in item.iter().filter_map(|(name, value)| points_of(name, value)) {
        balances.entry(unit).or_default().insert(points_type, points);
    }
    balances
}
