//! Pages of a partition that is not ordered by time: a player's requests, a customer's client events.
//!
//! A page never reads more than [`SORTED`] records. A partition with no more records is listed by arrival, newest first. A
//! larger one is listed by key, last first: so any page of it costs the same.

use std::{fmt, str::FromStr};

use punchcard_models::ids::{CustomerId, PlayerId};

use crate::{
    InvalidPosition, Store,
    error::StoreError,
    item::{Item, s},
    newest::RecordPosition,
    records::{RecordKind, StoredItem},
    tombstones::is_tombstone,
};

const READ: &str = "list the records of a partition";
/// Highest number of records that are read to sort them.
const SORTED: i32 = 500;

/// The order of a page's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOrder {
    /// By arrival, newest first.
    Arrival,
    /// By record id, last first.
    Id,
}

/// The end of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageEnd {
    /// The last record, of records ordered by arrival.
    Arrival(RecordPosition),
    /// The id of the last record, of records ordered by id.
    Id(String),
}

impl fmt::Display for PageEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PageEnd::Arrival(position) => write!(f, "at {position}"),
            PageEnd::Id(id) => write!(f, "id {id}"),
        }
    }
}

impl FromStr for PageEnd {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        match text.split_once(' ') {
            Some(("at", position)) => position.parse().map(PageEnd::Arrival),
            Some(("id", id)) => Ok(PageEnd::Id(id.to_owned())),
            _ => Err(InvalidPosition),
        }
    }
}

/// A part of a partition.
#[derive(Debug)]
pub struct PartitionPage {
    /// The records, as they are stored. Tombstones are left out.
    pub items: Vec<StoredItem>,
    /// Their order.
    pub order: PageOrder,
    /// The end of the page, if there are more.
    pub next: Option<PageEnd>,
}

/// Reads partitions in pages.
#[derive(Debug, Clone)]
pub struct PartitionPages {
    store: Store,
}

struct Partition<'a> {
    kind: RecordKind,
    /// The name and the value of its key.
    key: (&'static str, &'a str),
}

impl PartitionPages {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        PartitionPages { store: store.clone() }
    }

    /// Returns up to `limit` requests and refunds of a player, those after the end of another page or the first ones.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn of_player(
        &self,
        player: &PlayerId,
        after: Option<&PageEnd>,
        limit: usize,
    ) -> Result<PartitionPage, StoreError> {
        let partition = Partition { kind: RecordKind::PlayerEvents, key: ("playerId", player) };
        self.page(&partition, after, limit).await
    }

    /// Returns up to `limit` client events of a customer, those after the end of another page or the first ones.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn of_customer(
        &self,
        customer: &CustomerId,
        after: Option<&PageEnd>,
        limit: usize,
    ) -> Result<PartitionPage, StoreError> {
        let partition = Partition { kind: RecordKind::ClientEvents, key: ("customerId", customer) };
        self.page(&partition, after, limit).await
    }

    async fn page(
        &self,
        partition: &Partition<'_>,
        after: Option<&PageEnd>,
        limit: usize,
    ) -> Result<PartitionPage, StoreError> {
        if let Some(PageEnd::Id(id)) = after {
            return self.by_id(partition, Some(id), limit).await;
        }
        let (items, has_more) = self.query(partition, None, SORTED).await?;
        if has_more {
            return self.by_id(partition, None, limit).await;
        }
        let before = match after {
            Some(PageEnd::Arrival(position)) => Some(position),
            Some(PageEnd::Id(_)) | None => None,
        };
        let mut placed = Vec::with_capacity(items.len());
        for item in items {
            let position = RecordPosition::new(item.received_at()?, item.id()?.to_owned());
            if before.is_none_or(|before| position < *before) {
                placed.push((position, item));
            }
        }
        placed.sort_unstable_by(|(one, _), (other, _)| other.cmp(one));
        let has_more = placed.len() > limit;
        placed.truncate(limit);
        let next = placed.last().filter(|_| has_more).map(|(position, _)| PageEnd::Arrival(position.clone()));
        Ok(PartitionPage { items: placed.into_iter().map(|(_, item)| item).collect(), order: PageOrder::Arrival, next })
    }

    async fn by_id(
        &self,
        partition: &Partition<'_>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PartitionPage, StoreError> {
        let limit = i32::try_from(limit).unwrap_or(SORTED);
        let (items, has_more) = self.query(partition, after, limit).await?;
        let last = items.last().filter(|_| has_more).and_then(|item| item.id().ok());
        let next = last.map(|id| PageEnd::Id(id.to_owned()));
        Ok(PartitionPage { items, order: PageOrder::Id, next })
    }

    /// Reads up to `limit` records by id, last first. The flag says whether there may be more.
    async fn query(
        &self,
        partition: &Partition<'_>,
        after: Option<&str>,
        limit: i32,
    ) -> Result<(Vec<StoredItem>, bool), StoreError> {
        let Partition { kind, key: (name, value) } = *partition;
        let start = after.map(|id| Item::from([(name.to_owned(), s(value)), (kind.id().to_owned(), s(id))]));
        let query = self
            .store
            .reads
            .query()
            .table_name(self.store.table(kind.table()))
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", name)
            .expression_attribute_values(":value", s(value))
            .consistent_read(true)
            .scan_index_forward(false)
            .limit(limit)
            .set_exclusive_start_key(start);
        let page = query.send().await.map_err(|error| StoreError::read(READ, &error))?;
        let has_more = page.last_evaluated_key.is_some();
        let items = page.items.unwrap_or_default().into_iter().filter(|item| !is_tombstone(item, kind.id()));
        Ok((items.map(|item| StoredItem::new(kind, item)).collect(), has_more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_page_is_read_back() {
        for text in ["at 2026-01-02T03:04:05.006Z key#a b", "id order#1 2"] {
            let end: PageEnd = text.parse().expect("an end");
            assert_eq!(end.to_string(), text);
        }
        for text in ["", "at", "at key#a", "id", "x y"] {
            assert_eq!(text.parse::<PageEnd>(), Err(InvalidPosition), "{text}");
        }
    }
}
