//! Part `erasures` of table `Catalog`: one item an erasure. It holds the plain ids while the erasure is under way, so that
//! it can be continued from any of them, and none afterwards.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
};

use aws_sdk_dynamodb::{Client, types::AttributeValue};
use punchcard_models::{erasure::ErasedId, ids::InvalidId, timestamp::Timestamp};

use crate::{
    catalog::{ERASURES, part_item, read_part},
    error::StoreError,
    item::{Attributes as _, Item, s},
    person::PersonIds,
};

const READ: &str = "read the erasures";

pub(crate) const IDS: &str = "ids";
pub(crate) const COMPLETED: &str = "completedAt";
pub(crate) const MEMBERS: &str = "members";
/// Marks an erasure in an embedded store whose files may still hold what was deleted.
pub(crate) const REMAINS: &str = "remains";
const BY: &str = "by";

/// The tables from which an erasure deletes items. Each is the name of an attribute with the number of deleted items.
pub(crate) const TABLES: [&str; 5] = ["ClientEvents", "Activities", "PlayerEvents", "Sessions", "Members"];

/// An erasure of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// The erasure's id: the time at which it began, `#` and a UUID.
    pub id: String,
    /// The time at which it began, in RFC 3339.
    pub begun_at: String,
    /// The time at which it was complete, in RFC 3339.
    pub completed_at: Option<String>,
    /// The one who ran it.
    pub by: Option<String>,
    /// Numbers of deleted items, by table.
    pub deleted: BTreeMap<String, u64>,
    /// The erased members.
    pub members: BTreeSet<ErasedId>,
    /// The ids that it erases, while it is under way.
    pub ids: Option<PersonIds>,
    /// True if the files of an embedded store may still hold what was deleted.
    pub has_remains: bool,
}

/// Reads all erasures, oldest first.
pub(crate) async fn read_erasures(client: &Client, table: &str) -> Result<Vec<Erasure>, StoreError> {
    let items = read_part(client, table, ERASURES).await?;
    let corrupt = || StoreError::corrupt(READ, "an erasure");
    items.iter().map(|item| read(item).ok_or_else(corrupt)).collect()
}

fn read(item: &Item) -> Option<Erasure> {
    let text = |name: &str| item.text(name).map(str::to_owned);
    let deleted = TABLES.into_iter().filter_map(|table| Some((table.to_owned(), item.number(table)?)));
    let members = match item.get(MEMBERS) {
        Some(members) => members.as_ss().ok()?.iter().map(|member| member.parse().ok()).collect::<Option<_>>()?,
        None => BTreeSet::new(),
    };
    Some(Erasure {
        id: text("id")?,
        begun_at: text("createdAt")?,
        completed_at: text(COMPLETED),
        by: text(BY),
        deleted: deleted.collect(),
        members,
        ids: match item.get(IDS) {
            Some(ids) => Some(read_ids(ids.as_m().ok()?)?),
            None => None,
        },
        has_remains: item.contains_key(REMAINS),
    })
}

/// Builds the item of an erasure that begins.
pub(crate) fn begun(id: &str, by: Option<&str>, ids: &PersonIds, now: Timestamp) -> Item {
    let mut item = part_item(ERASURES, id, now);
    item.extend(by.map(|by| (BY.to_owned(), s(by))));
    item.insert(IDS.into(), ids_item(ids));
    item
}

pub(crate) fn ids_item(ids: &PersonIds) -> AttributeValue {
    fn list<T: ToString>(ids: &BTreeSet<T>) -> AttributeValue {
        AttributeValue::L(ids.iter().map(|id| s(id.to_string())).collect())
    }
    let PersonIds { customers, accounts, loyalty_ids, correlation_ids, players } = ids;
    AttributeValue::M(Item::from([
        ("customers".into(), list(customers)),
        ("accounts".into(), list(accounts)),
        ("loyaltyIds".into(), list(loyalty_ids)),
        ("correlationIds".into(), list(correlation_ids)),
        ("players".into(), list(players)),
    ]))
}

fn read_ids(ids: &Item) -> Option<PersonIds> {
    fn list<T: FromStr<Err = InvalidId> + Ord>(ids: &Item, name: &str) -> Option<BTreeSet<T>> {
        ids.get(name)?.as_l().ok()?.iter().map(|id| id.as_s().ok()?.parse().ok()).collect()
    }
    Some(PersonIds {
        customers: list(ids, "customers")?,
        accounts: list(ids, "accounts")?,
        loyalty_ids: list(ids, "loyaltyIds")?,
        correlation_ids: list(ids, "correlationIds")?,
        players: list(ids, "players")?,
    })
}
