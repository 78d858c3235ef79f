//! Tombstones: the rest of an erased record.
//!
//! A tombstone has the digest of the record's key, so that a repeated request is recognised, and the amounts that the record
//! added, so that all sums still hold. It is put before its record is deleted, and is pending until then. A request that
//! meets a tombstone is a duplicate, whether the tombstone is pending or not: the record may be deleted before the request's write.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use punchcard_models::{
    erasure::{ErasedId, ErasureKey, IdKind},
    ids::{ActivityId, ClientEventId, CustomerId, PlayerId},
    member::MemberId,
};
use tokio::time::Instant;

use crate::{
    Store,
    corrections::{OUT, is_total},
    error::StoreError,
    item::{Attributes as _, Item, n, s},
    players::player_key,
    read_items::read_items,
};

/// The attribute of a complete tombstone with the day on which the record arrived. Pending tombstones have none.
pub(crate) const DAY: &str = "receivedAt";
/// The attribute of a tombstone with the time at which the tombstone was put. Complete tombstones have none.
pub(crate) const CREATED: &str = "createdAt";
/// The attribute with the amounts that the record added, by name.
pub(crate) const AMOUNTS: &str = "amounts";
/// The attribute of a tombstone of which not all amounts are known.
pub(crate) const PARTIAL: &str = "partial";

/// The rest of an erased activity, correction or player request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasedRecord {
    /// The digest of the record's id.
    pub id: ErasedId,
    /// The partition of an erased player request: the digest of its player. `None` of an activity or correction.
    pub player: Option<ErasedId>,
    /// The effects of the record. `None` if it is not deleted yet.
    pub effects: Option<Effects>,
}

/// The effects of an erased record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// The erased member.
    pub member: ErasedId,
    /// The day on which the record arrived, in RFC 3339.
    pub day: String,
    /// The amounts that the record added, by the names of balances, counters and total limits.
    pub amounts: BTreeMap<String, u64>,
    /// True if the record used limits, and it is not known which.
    pub is_partial: bool,
}

impl Effects {
    /// Returns the amounts that the record added to its member.
    #[must_use]
    pub fn adds(&self) -> Vec<(String, u64)> {
        self.amounts(|name| !is_of_total(name))
    }

    /// Returns the amounts that the record added to total limits.
    #[must_use]
    pub fn totals(&self) -> Vec<(String, u64)> {
        self.amounts(is_of_total)
    }

    fn amounts(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, u64)> {
        let wanted = self.amounts.iter().filter(|(name, _)| is_wanted(name));
        wanted.map(|(name, amount)| (name.clone(), *amount)).collect()
    }
}

/// Returns true for the counter of a total limit, and for that of uses that were given back.
pub(crate) fn is_of_total(name: &str) -> bool {
    is_total(name.strip_prefix(OUT).unwrap_or(name))
}

impl ErasedRecord {
    /// Reads the tombstone of an activity or correction. Returns `None` for an item that is none.
    pub(crate) fn of_activity(item: &Item) -> Option<Self> {
        Self::read(item.text("activityId")?.parse().ok()?, None, item)
    }

    /// Reads the tombstone of a player request. Returns `None` for an item that is none.
    pub(crate) fn of_request(item: &Item) -> Option<Self> {
        let player = item.text("playerId")?.parse().ok()?;
        Self::read(item.text("recordId")?.parse().ok()?, Some(player), item)
    }

    fn read(id: ErasedId, player: Option<ErasedId>, item: &Item) -> Option<Self> {
        let Some(day) = item.text(DAY) else { return Some(ErasedRecord { id, player, effects: None }) };
        let amount = |(name, value): (&String, &AttributeValue)| Some((name.clone(), value.as_n().ok()?.parse().ok()?));
        let effects = Effects {
            member: item.text("memberId")?.parse().ok()?,
            day: day.to_owned(),
            amounts: item.get(AMOUNTS)?.as_m().ok()?.iter().map(amount).collect::<Option<_>>()?,
            is_partial: item.contains_key(PARTIAL),
        };
        Some(ErasedRecord { id, player, effects: Some(effects) })
    }
}

/// Returns true if an item is a tombstone.
pub(crate) fn is_tombstone(item: &Item, key: &str) -> bool {
    item.text(key).is_some_and(|id| id.parse::<ErasedId>().is_ok())
}

pub(crate) fn amounts_item(amounts: &BTreeMap<String, u64>) -> AttributeValue {
    AttributeValue::M(amounts.iter().map(|(name, amount)| (name.clone(), n(amount))).collect())
}

/// Returns the key of an activity's or correction's tombstone.
pub(crate) fn activity_tombstone(key: &ErasureKey, id: &str) -> Item {
    Item::from([("activityId".into(), s(key.digest(IdKind::Activity, id)))])
}

/// Returns the key of the tombstone of a player's request.
pub(crate) fn request_tombstone(key: &ErasureKey, player: &PlayerId, record_id: &str) -> Item {
    Item::from([
        ("playerId".into(), s(key.digest(IdKind::Member, &player_key(player)))),
        ("recordId".into(), s(key.digest(IdKind::PlayerRequest, record_id))),
    ])
}

/// Returns the key of a client event's tombstone.
pub(crate) fn client_event_tombstone(key: &ErasureKey, customer: &CustomerId, id: &str) -> Item {
    Item::from([
        ("customerId".into(), s(key.digest(IdKind::Customer, customer))),
        ("clientEventId".into(), s(key.digest(IdKind::ClientEvent, id))),
    ])
}

/// Finds the tombstones of records, before they are written again.
#[derive(Debug, Clone)]
pub(crate) struct Tombstones {
    client: Client,
    table: String,
}

impl Tombstones {
    pub(crate) fn new(store: &Store, table: &str) -> Self {
        Tombstones { client: store.reads.clone(), table: store.table(table) }
    }

    /// Returns true if the activity or correction was erased. A store without a key has no tombstones.
    pub(crate) async fn has_activity(
        &self,
        operation: &'static str,
        key: Option<&ErasureKey>,
        id: &ActivityId,
    ) -> Result<bool, StoreError> {
        match key {
            Some(key) => self.has(operation, activity_tombstone(key, id)).await,
            None => Ok(false),
        }
    }

    /// Returns true if the player's request was erased.
    pub(crate) async fn has_request(
        &self,
        operation: &'static str,
        key: Option<&ErasureKey>,
        player: &PlayerId,
        record_id: &str,
    ) -> Result<bool, StoreError> {
        match key {
            Some(key) => self.has(operation, request_tombstone(key, player, record_id)).await,
            None => Ok(false),
        }
    }

    async fn has(&self, operation: &'static str, tombstone: Item) -> Result<bool, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(tombstone)).consistent_read(true);
        Ok(get.send().await.map_err(|error| StoreError::read(operation, &error))?.item.is_some())
    }

    /// Returns for each event whether it was erased.
    pub(crate) async fn of_client_events(
        &self,
        operation: &'static str,
        key: Option<&ErasureKey>,
        customer: &CustomerId,
        ids: impl Iterator<Item = ClientEventId>,
        deadline: Instant,
    ) -> Result<Vec<bool>, StoreError> {
        let Some(key) = key else { return Ok(ids.map(|_| false).collect()) };
        let tombstones: Vec<_> = ids.map(|id| client_event_tombstone(key, customer, &id.to_string())).collect();
        let found = read_items(&self.client, operation, &self.table, tombstones.clone(), deadline).await?;
        let is_found =
            |tombstone: &Item| found.iter().any(|item| item.get("clientEventId") == tombstone.get("clientEventId"));
        Ok(tombstones.iter().map(is_found).collect())
    }
}

/// Returns the key of the member that `member` becomes when it is erased. One that cannot be parsed has a digest too.
pub(crate) fn erased_member(key: &ErasureKey, member: &str) -> ErasedId {
    let parsed = member.parse::<MemberId>();
    parsed.map_or_else(|_| key.digest(IdKind::Member, member), |member| member.erased(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ErasureKey {
        ErasureKey::stored(&[7; 32]).expect("a key")
    }

    #[test]
    fn a_tombstone_is_pending_until_it_has_the_day_of_its_record() {
        let mut item = activity_tombstone(&key(), "a-1");
        item.insert(CREATED.into(), s("2026-01-01T00:00:00.000Z"));
        assert!(ErasedRecord::of_activity(&item).is_some_and(|tombstone| tombstone.effects.is_none()));
        let amounts = BTreeMap::from([("pts#U#T".to_owned(), 5), ("cap#R".to_owned(), 1), ("out#cap#R".to_owned(), 1)]);
        item.insert(DAY.into(), s("2026-01-01T00:00:00.000Z"));
        item.insert("memberId".into(), s(erased_member(&key(), "acct#A-1")));
        item.insert(AMOUNTS.into(), amounts_item(&amounts));
        let effects = ErasedRecord::of_activity(&item).and_then(|tombstone| tombstone.effects).expect("effects");
        assert_eq!(effects.amounts, amounts);
        assert_eq!((effects.adds().len(), effects.totals().len()), (1, 2));
    }

    #[test]
    fn a_record_is_no_tombstone() {
        for id in ["a-1", "erased", "erased:0a"] {
            let item = Item::from([("activityId".to_owned(), s(id))]);
            assert!(ErasedRecord::of_activity(&item).is_none() && !is_tombstone(&item, "activityId"), "{id}");
        }
    }
}
