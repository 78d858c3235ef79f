//! Table `ClientEvents`, key `customerId`, `clientEventId`: one item per client event.
//!
//! Each event is a separate conditional write. A single event is a put, whose failed condition returns the stored item.
//! Several events are PartiQL inserts, 25 per call; the stored items of duplicates are then read with one call.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest, BatchStatementResponse},
};
use futures_util::future::join_all;
use punchcard_models::{
    client_event::{Channel, ClientEvent, EventName, Metadata, Section},
    erasure::ErasureKey,
    ids::{ClientEventId, CustomerId},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    Store,
    conditional_write::put_new,
    error::{FailedAttempt, StoreError},
    item::{Attributes as _, Item, b, n, s},
    read_items::read_items,
    retry::Retries,
    tombstones::Tombstones,
};

const RECORD: &str = "record client events";
/// Maximum number of statements in one `BatchExecuteStatement` call.
const MAX_STATEMENTS: usize = 25;

/// The attributes of an item.
const ATTRIBUTES: [&str; 8] =
    ["customerId", "clientEventId", "type", "event", "timestamp", "metadata", "receivedAt", "writeId"];

/// The outcome of recording an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// The event was recorded.
    New,
    /// The same event was already recorded.
    Duplicate,
    /// A different event with the same id was already recorded.
    Reused,
}

/// Records client events.
#[derive(Debug, Clone)]
pub struct ClientEventWriter {
    reads: Client,
    writes: Client,
    tombstones: Tombstones,
    table: String,
    insert: String,
}

impl ClientEventWriter {
    /// Creates a writer to the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        let table = store.table("ClientEvents");
        let attributes = ATTRIBUTES.map(|name| format!("'{name}':?")).join(",");
        let insert = format!("INSERT INTO \"{table}\" VALUE {{{attributes}}}");
        let (reads, writes) = (store.reads.clone(), store.writes.clone());
        ClientEventWriter { reads, writes, tombstones: Tombstones::new(store, "ClientEvents"), table, insert }
    }

    /// Records the events that are new and returns the outcome of each event. Event ids must be distinct. `erasure` is
    /// the key for digests of erased ids, if events were erased: those are duplicates, whatever their content was.
    ///
    /// # Errors
    /// The store call failed. Some of the events may be stored; a retry is safe.
    pub async fn record(
        &self,
        customer: &CustomerId,
        events: &[ClientEvent],
        erasure: Option<&ErasureKey>,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Vec<Recorded>, StoreError> {
        let ids = events.iter().map(|event| event.id);
        let erased = self.tombstones.of_client_events(RECORD, erasure, customer, ids, deadline).await?;
        if !erased.contains(&true) {
            return self.record_unerased(customer, events, now, deadline).await;
        }
        let others = events.iter().zip(&erased).filter(|(_, erased)| !**erased).map(|(event, _)| event.clone());
        let others: Vec<_> = others.collect();
        let mut recorded = self.record_unerased(customer, &others, now, deadline).await?.into_iter();
        let outcome = |erased| if erased { Some(Recorded::Duplicate) } else { recorded.next() };
        let outcomes: Option<_> = erased.into_iter().map(outcome).collect();
        outcomes.ok_or_else(|| StoreError::internal(RECORD, "an event without an outcome"))
    }

    async fn record_unerased(
        &self,
        customer: &CustomerId,
        events: &[ClientEvent],
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Vec<Recorded>, StoreError> {
        // Identifies items written by an earlier attempt of this call whose response was lost.
        let write = Write { customer, now, id: Uuid::new_v4() };
        match events {
            [] => Ok(Vec::new()),
            [event] => Ok(vec![self.put(&write, event, deadline).await?]),
            events => self.insert(&write, events, deadline).await,
        }
    }

    async fn put(&self, write: &Write<'_>, event: &ClientEvent, deadline: Instant) -> Result<Recorded, StoreError> {
        let mut retries = Retries::until(deadline, RECORD);
        loop {
            let item = ATTRIBUTES.iter().map(|&name| name.to_owned()).zip(write.values(event)).collect();
            match put_new(&self.writes, RECORD, &self.table, "clientEventId", item).await {
                Ok(None) => return Ok(Recorded::New),
                Ok(Some(stored)) => return write.compare(event, &stored),
                Err(failed) => retries.after(failed).await?,
            }
        }
    }

    async fn insert(
        &self,
        write: &Write<'_>,
        events: &[ClientEvent],
        deadline: Instant,
    ) -> Result<Vec<Recorded>, StoreError> {
        let mut existing = HashSet::new();
        let mut pending: Vec<&ClientEvent> = events.iter().collect();
        let mut retries = Retries::until(deadline, RECORD);
        loop {
            let calls = pending.chunks(MAX_STATEMENTS).map(|chunk| self.insert_chunk(write, chunk));
            let (mut again, mut last_failure) = (Vec::new(), None);
            for (event, outcome) in join_all(calls).await.into_iter().flatten() {
                match outcome {
                    Ok(Inserted::New) => {}
                    Ok(Inserted::Exists) => {
                        existing.insert(event.id);
                    }
                    Err(failed @ FailedAttempt::Final(_)) => retries.after(failed).await?,
                    Err(failed) => {
                        again.push(event);
                        last_failure = Some(failed);
                    }
                }
            }
            let Some(failed) = last_failure else { break };
            pending = again;
            retries.after(failed).await?;
        }
        if existing.is_empty() {
            return Ok(vec![Recorded::New; events.len()]);
        }
        let stored = self.fetch(write.customer, &existing, deadline).await?;
        let outcome = |event: &ClientEvent| match stored.get(&event.id) {
            Some(item) => write.compare(event, item),
            None if existing.contains(&event.id) => Err(StoreError::corrupt(RECORD, "a duplicate that does not exist")),
            None => Ok(Recorded::New),
        };
        events.iter().map(outcome).collect()
    }

    /// Sends up to 25 inserts in one call. Each has a separate outcome.
    async fn insert_chunk<'e>(
        &self,
        write: &Write<'_>,
        events: &[&'e ClientEvent],
    ) -> Vec<(&'e ClientEvent, Result<Inserted, FailedAttempt>)> {
        let outcomes = match self.execute(write, events).await {
            Ok(outcomes) => outcomes,
            // A failed call fails every insert.
            Err(failed) => events.iter().map(|_| Err(failed.clone())).collect(),
        };
        events.iter().copied().zip(outcomes).collect()
    }

    async fn execute(
        &self,
        write: &Write<'_>,
        events: &[&ClientEvent],
    ) -> Result<Vec<Result<Inserted, FailedAttempt>>, FailedAttempt> {
        let statement = |event: &&ClientEvent| {
            BatchStatementRequest::builder()
                .statement(&self.insert)
                .set_parameters(Some(write.values(event).into()))
                .build()
                .map_err(|error| FailedAttempt::Final(StoreError::internal(RECORD, error)))
        };
        let statements = events.iter().map(statement).collect::<Result<_, _>>()?;
        let answer = self.writes.batch_execute_statement().set_statements(Some(statements)).send().await;
        let members = answer.map_err(|error| FailedAttempt::new(RECORD, &error))?.responses.unwrap_or_default();
        if members.len() != events.len() {
            let error = StoreError::corrupt(RECORD, "a batch response with a wrong number of results");
            return Err(FailedAttempt::Final(error));
        }
        let outcome = |member: BatchStatementResponse| match member.error.and_then(|error| error.code) {
            None => Ok(Inserted::New),
            Some(BatchStatementErrorCodeEnum::DuplicateItem) => Ok(Inserted::Exists),
            Some(code) => Err(FailedAttempt::of_member(RECORD, code.as_str())),
        };
        Ok(members.into_iter().map(outcome).collect())
    }

    async fn fetch(
        &self,
        customer: &CustomerId,
        ids: &HashSet<ClientEventId>,
        deadline: Instant,
    ) -> Result<HashMap<ClientEventId, Item>, StoreError> {
        let key =
            |id: &ClientEventId| Item::from([("customerId".into(), s(customer)), ("clientEventId".into(), s(id))]);
        let items = read_items(&self.reads, RECORD, &self.table, ids.iter().map(key).collect(), deadline).await?;
        let by_id = |item: Item| {
            let id = item.text("clientEventId").and_then(|id| id.parse::<ClientEventId>().ok());
            id.map(|id| (id, item)).ok_or(StoreError::corrupt(RECORD, "a stored event"))
        };
        items.into_iter().map(by_id).collect()
    }
}

/// The outcome of one insert.
enum Inserted {
    New,
    Exists,
}

/// The data common to all events of one call.
struct Write<'a> {
    customer: &'a CustomerId,
    now: Timestamp,
    id: Uuid,
}

impl Write<'_> {
    /// Returns the values of an event's [`ATTRIBUTES`].
    fn values(&self, event: &ClientEvent) -> [AttributeValue; ATTRIBUTES.len()] {
        [
            s(self.customer),
            s(event.id),
            s(event.name.event_type().as_str()),
            s(event.name.as_str()),
            s(event.timestamp),
            AttributeValue::M(metadata_item(&event.metadata)),
            s(self.now),
            b(self.id.as_bytes()),
        ]
    }

    /// Returns the outcome for an event whose id exists in the store.
    fn compare(&self, event: &ClientEvent, stored: &Item) -> Result<Recorded, StoreError> {
        if stored.bytes("writeId") == Some(self.id.as_bytes()) {
            return Ok(Recorded::New);
        }
        let stored = stored_event(stored).ok_or(StoreError::corrupt(RECORD, "a stored event"))?;
        Ok(if stored == *event { Recorded::Duplicate } else { Recorded::Reused })
    }
}

fn metadata_item(metadata: &Metadata) -> Item {
    let Metadata { serve_token, section, channel, image_slots, category_id, curation_id, display_position } = metadata;
    let slots = image_slots.as_ref().map(|slots| AttributeValue::L(slots.iter().map(s).collect()));
    [
        ("serveToken", serve_token.as_ref().map(s)),
        ("section", section.as_ref().map(|section| s(section.as_str()))),
        ("channel", channel.map(|channel| s(channel.as_str()))),
        ("imageSlots", slots),
        ("categoryId", category_id.as_ref().map(s)),
        ("curationId", curation_id.as_ref().map(s)),
        ("displayPosition", display_position.map(n)),
    ]
    .into_iter()
    .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
    .collect()
}

pub(crate) fn stored_event(item: &Item) -> Option<ClientEvent> {
    let metadata = item.get("metadata")?.as_m().ok()?;
    let text = |name: &str| metadata.text(name).map(str::to_owned);
    let image_slots = match metadata.get("imageSlots") {
        Some(slots) => {
            let slots = slots.as_l().ok()?.iter().map(|slot| slot.as_s().ok().cloned());
            Some(slots.collect::<Option<Vec<_>>>()?)
        }
        None => None,
    };
    Some(ClientEvent {
        id: item.text("clientEventId")?.parse().ok()?,
        name: EventName::from_text(item.text("event")?)?,
        timestamp: Timestamp::from_text(item.text("timestamp")?)?,
        metadata: Metadata {
            serve_token: text("serveToken"),
            section: text("section").map(Section::stored),
            channel: metadata.text("channel").and_then(Channel::from_text),
            image_slots,
            category_id: text("categoryId"),
            curation_id: text("curationId"),
            display_position: metadata.number("displayPosition"),
        },
    })
}
