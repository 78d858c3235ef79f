//! The newest records of a partition that is not ordered by time: a player's requests, a customer's client events.
//!
//! The whole partition is read for each page, but only the page is kept in memory.

use std::{cmp::Ordering, collections::BinaryHeap, fmt, str::FromStr};

use aws_sdk_dynamodb::Client;
use punchcard_models::{
    client_event::ClientEvent,
    ids::{CustomerId, PlayerId},
    timestamp::Timestamp,
};

use crate::{
    InvalidPosition, Store,
    client_events::stored_event,
    error::StoreError,
    item::{Attributes as _, Item, s},
    player_records::PlayerRecord,
    tombstones::is_tombstone,
};

const READ: &str = "read the newest records";

/// The place of a record among those of its partition, which are ordered by arrival and then by id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordPosition {
    received_at: Timestamp,
    id: String,
}

impl RecordPosition {
    pub(crate) fn new(received_at: Timestamp, id: String) -> Self {
        RecordPosition { received_at, id }
    }
}

impl fmt::Display for RecordPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.received_at, self.id)
    }
}

impl FromStr for RecordPosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (received_at, id) = text.split_once(' ').ok_or(InvalidPosition)?;
        let received_at = Timestamp::from_text(received_at).ok_or(InvalidPosition)?;
        Ok(RecordPosition { received_at, id: id.to_owned() })
    }
}

/// A stored client event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClientEvent {
    /// The event.
    pub event: ClientEvent,
    /// The arrival time.
    pub received_at: Timestamp,
}

impl StoredClientEvent {
    pub(crate) fn read(item: &Item) -> Option<Self> {
        let received_at = Timestamp::from_text(item.text("receivedAt")?)?;
        Some(StoredClientEvent { event: stored_event(item)?, received_at })
    }
}

/// A part of a partition's records.
#[derive(Debug)]
pub struct Newest<T> {
    /// The records, newest first.
    pub records: Vec<T>,
    /// The position of the last one, if there are more.
    pub next: Option<RecordPosition>,
}

/// Reads the newest records of players and customers.
#[derive(Debug, Clone)]
pub struct NewestReader {
    client: Client,
    player_events: String,
    client_events: String,
}

/// A record with its position, ordered so that the oldest is the greatest.
struct Kept<T>(RecordPosition, T);

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Kept<T> {}

impl<T> PartialOrd for Kept<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Kept<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.0.cmp(&self.0)
    }
}

impl NewestReader {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let (player_events, client_events) = (store.table("PlayerEvents"), store.table("ClientEvents"));
        NewestReader { client: store.reads.clone(), player_events, client_events }
    }

    /// Returns up to `limit` requests and refunds of a player, those before a position or the newest.
    ///
    /// # Errors
    /// The store call failed, or a record cannot be read.
    pub async fn player_events(
        &self,
        player: &PlayerId,
        before: Option<&RecordPosition>,
        limit: usize,
    ) -> Result<Newest<PlayerRecord>, StoreError> {
        let read = |item: &Item| {
            let record = PlayerRecord::read(item)?;
            let (received_at, id) = match &record {
                PlayerRecord::Request(request) => (&request.received_at, &request.record_id),
                PlayerRecord::Refund(refund) => (&refund.received_at, &refund.record_id),
                PlayerRecord::Erased(_) => return None,
            };
            let position = RecordPosition { received_at: Timestamp::from_text(received_at)?, id: id.clone() };
            Some((position, record))
        };
        self.newest(&self.player_events, ("playerId", "recordId", player), before, limit, read).await
    }

    /// Returns up to `limit` client events of a customer, those before a position or the newest.
    ///
    /// # Errors
    /// The store call failed, or a record cannot be read.
    pub async fn client_events(
        &self,
        customer: &CustomerId,
        before: Option<&RecordPosition>,
        limit: usize,
    ) -> Result<Newest<StoredClientEvent>, StoreError> {
        let read = |item: &Item| {
            let stored = StoredClientEvent::read(item)?;
            let position = RecordPosition { received_at: stored.received_at, id: stored.event.id.to_string() };
            Some((position, stored))
        };
        self.newest(&self.client_events, ("customerId", "clientEventId", customer), before, limit, read).await
    }

    async fn newest<T>(
        &self,
        table: &str,
        (key, id, value): (&str, &str, &str),
        before: Option<&RecordPosition>,
        limit: usize,
        read: impl Fn(&Item) -> Option<(RecordPosition, T)>,
    ) -> Result<Newest<T>, StoreError> {
        let query = self
            .client
            .query()
            .table_name(table)
            .key_condition_expression("#key = :value")
            .expression_attribute_names("#key", key)
            .expression_attribute_values(":value", s(value))
            .consistent_read(true);
        let mut items = query.into_paginator().items().send();
        // One more than asked for, to know whether there are more.
        let mut newest = BinaryHeap::with_capacity(limit + 2);
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| StoreError::read(READ, &error))?;
            if is_tombstone(&item, id) {
                continue;
            }
            let (position, record) = read(&item).ok_or(StoreError::corrupt(READ, "a stored record"))?;
            if before.is_some_and(|before| position >= *before) {
                continue;
            }
            newest.push(Kept(position, record));
            if newest.len() > limit + 1 {
                newest.pop();
            }
        }
        let has_more = newest.len() > limit;
        let mut kept = newest.into_sorted_vec();
        kept.truncate(limit);
        let next = kept.last().filter(|_| has_more).map(|Kept(position, _)| position.clone());
        Ok(Newest { records: kept.into_iter().map(|Kept(_, record)| record).collect(), next })
    }
}
