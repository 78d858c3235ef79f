//! Balances in table `Members`: the attributes `pts#unit#type` of a member's item.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use punchcard_models::member::MemberId;

use crate::{Store, error::StoreError, item::s, member_write::points_of};

const READ: &str = "read balances";

/// Points by business unit, then by points type. Corrections may make them negative.
pub type Balances = BTreeMap<String, BTreeMap<String, i64>>;

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
        let mut balances = Balances::new();
        for (unit, points_type, points) in found.iter().filter_map(|(name, value)| points_of(name, value)) {
            balances.entry(unit).or_default().insert(points_type, points);
        }
        Ok(balances)
    }
}
