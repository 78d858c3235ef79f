//! Table `Members`, to look up balances: attributes `pts#unit#type` of a member's item.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::Client;
use punchcard_models::member::MemberId;

use crate::{item::s, ledger::points_of, outage::Outage};

const READ: &str = "read balances";

/// Points by business unit, then by type.
pub type Balances = BTreeMap<String, BTreeMap<String, u64>>;

/// The members, to look up what they have.
#[derive(Debug, Clone)]
pub struct BalanceReader {
    client: Client,
    table: String,
}

impl BalanceReader {
    pub(crate) fn new(client: Client, table: String) -> Self {
        BalanceReader { client, table }
    }

    /// What a member has; nothing, if it is unknown.
    ///
    /// # Errors
    /// The store could not be used.
    pub async fn of(&self, member: &MemberId) -> Result<Balances, Outage> {
        let read = self.client.get_item().table_name(&self.table).key("memberId", s(member)).consistent_read(true);
        let found = read.send().await.map_err(|error| Outage::from_sdk(READ, &error))?.item.unwrap_or_default();
        let mut balances = Balances::new();
        for (unit, points_type, points) in found.iter().filter_map(|(name, value)| points_of(name, value)) {
            balances.entry(unit).or_default().insert(points_type, points);
        }
        Ok(balances)
    }
}
