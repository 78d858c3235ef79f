//! Table `ClientEvents`: key `customerId`, `clientEventId`; one item a client event.
//!
//! Each event is a conditional write of its own, since nothing moves but itself: one event is a put, whose failed
//! condition returns what is stored; more are PartiQL inserts, 25 a round trip, and what those report as duplicates
//! is fetched with one read.

use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::{
    Client,
    types::{AttributeValue, BatchStatementErrorCodeEnum, BatchStatementRequest},
};
use futures_util::future::try_join_all;
use punchcard_models::{
    client_event::{Channel, ClientEvent, EventName, Metadata, Section},
    ids::{ClientEventId, CustomerId},
    timestamp::Timestamp,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    item::{Attributes as _, Item, b, n, s},
    new_item::put_new,
    outage::Outage,
    read_items::read_items,
    retry::{Retries, passes},
};

const RECORD: &str = "record client events";
/// The most statements that one `BatchExecuteStatement` takes.
const STATEMENTS: usize = 25;

/// An item's attributes.
const ATTRIBUTES: [&str; 8] =
    ["customerId", "clientEventId", "type", "event", "timestamp", "metadata", "receivedAt", "writeId"];

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It is stored now.
    New,
    /// It was stored before, just the same.
    Duplicate,
    /// Another event was stored under its id before.
    Reused,
}

/// The client events.
#[derive(Debug, Clone)]
pub struct ClientEvents {
    client: Client,
    table: String,
    insert: String,
}

impl ClientEvents {
    pub(crate) fn new(client: Client, table: String) -> Self {
        let attributes = ATTRIBUTES.map(|name| format!("'{name}':?")).join(",");
        let insert = format!("INSERT INTO \"{table}\" VALUE {{{attributes}}}");
        ClientEvents { client, table, insert }
    }

    /// Records the events that are new, and says of each what became of it. The events' ids are distinct.
    ///
    /// # Errors
    /// The store could not be used. Some of the events may be stored; sending them again finds out.
    pub async fn record(
        &self,
        customer: &CustomerId,
        events: &[ClientEvent],
        now: Timestamp,
        deadline: Instant,
    ) -> Result<Vec<Recorded>, Outage> {
        // Ours alone: after a lost answer the second try meets the first one's write and knows it by this.
        let write = Write { customer, now, id: Uuid::new_v4() };
        match events {
            [event] => Ok(vec![self.put(&write, event).await?]),
            events => self.insert(&write, events, deadline).await,
        }
    }

    async fn put(&self, write: &Write<'_>, event: &ClientEvent) -> Result<Recorded, Outage> {
        let item = ATTRIBUTES.iter().map(|&name| name.to_owned()).zip(write.values(event)).collect();
        match put_new(&self.client, RECORD, &self.table, "clientEventId", item).await? {
            None => Ok(Recorded::New),
            Some(stored) => write.compare(event, &stored),
        }
    }

    async fn insert(
        &self,
        write: &Write<'_>,
        events: &[ClientEvent],
        deadline: Instant,
    ) -> Result<Vec<Recorded>, Outage> {
        let mut existing = HashSet::new();
        let mut pending: Vec<&ClientEvent> = events.iter().collect();
        let mut retries = Retries::until(deadline, RECORD);
        loop {
            let calls = pending.chunks(STATEMENTS).map(|chunk| self.insert_chunk(write, chunk));
            let mut again = Vec::new();
            for (event, outcome) in try_join_all(calls).await?.into_iter().flatten() {
                match outcome {
                    Inserted::New => {}
                    Inserted::Exists => {
                        existing.insert(event.id);
                    }
                    Inserted::Busy => again.push(event),
                }
            }
            if again.is_empty() {
                break;
            }
            pending = again;
            retries.pause().await?;
        }
        if existing.is_empty() {
            return Ok(vec![Recorded::New; events.len()]);
        }
        let stored = self.fetch(write.customer, &existing, deadline).await?;
        let verdict = |event: &ClientEvent| match stored.get(&event.id) {
            Some(item) => write.compare(event, item),
            None if existing.contains(&event.id) => Err(Outage::unreadable(RECORD, "a duplicate that is not there")),
            None => Ok(Recorded::New),
        };
        events.iter().map(verdict).collect()
    }

    /// One round trip: up to 25 inserts, each with its own outcome.
    async fn insert_chunk<'e>(
        &self,
        write: &Write<'_>,
        events: &[&'e ClientEvent],
    ) -> Result<Vec<(&'e ClientEvent, Inserted)>, Outage> {
        let statement = |event: &&ClientEvent| {
            BatchStatementRequest::builder()
                .statement(&self.insert)
                .set_parameters(Some(write.values(event).into()))
                .build()
                .map_err(|_| Outage::unreadable(RECORD, "a statement"))
        };
        let statements = events.iter().map(statement).collect::<Result<_, _>>()?;
        let answer = self.client.batch_execute_statement().set_statements(Some(statements)).send().await;
        let members = answer.map_err(|error| Outage::from_sdk(RECORD, &error))?.responses.unwrap_or_default();
        if members.len() != events.len() {
            return Err(Outage::unreadable(RECORD, "another number of answers than statements"));
        }
        let outcome = |(event, member): (&&'e ClientEvent, aws_sdk_dynamodb::types::BatchStatementResponse)| {
            let code = member.error.and_then(|error| error.code);
            let outcome = match code {
                None => Inserted::New,
                Some(BatchStatementErrorCodeEnum::DuplicateItem) => Inserted::Exists,
                Some(code) if passes(code.as_str()) => Inserted::Busy,
                Some(code) => return Err(Outage::refused(RECORD, code.as_str())),
            };
            Ok((*event, outcome))
        };
        events.iter().zip(members).map(outcome).collect()
    }

    async fn fetch(
        &self,
        customer: &CustomerId,
        ids: &HashSet<ClientEventId>,
        deadline: Instant,
    ) -> Result<HashMap<ClientEventId, Item>, Outage> {
        let key =
            |id: &ClientEventId| Item::from([("customerId".into(), s(customer)), ("clientEventId".into(), s(id))]);
        let items = read_items(&self.client, RECORD, &self.table, ids.iter().map(key).collect(), deadline).await?;
        let by_id = |item: Item| {
            let id = item.text("clientEventId").and_then(ClientEventId::from_text);
            id.map(|id| (id, item)).ok_or(Outage::unreadable(RECORD, "a stored event"))
        };
        items.into_iter().map(by_id).collect()
    }
}

/// What became of one insert.
enum Inserted {
    New,
    Exists,
    Busy,
}

/// One request's write.
struct Write<'a> {
    customer: &'a CustomerId,
    now: Timestamp,
    id: Uuid,
}

impl Write<'_> {
    /// The values of an event's [`ATTRIBUTES`].
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

    /// What an event is, given the item that its id already has.
    fn compare(&self, event: &ClientEvent, stored: &Item) -> Result<Recorded, Outage> {
        if stored.bytes("writeId") == Some(self.id.as_bytes()) {
            return Ok(Recorded::New);
        }
        let stored = stored_event(stored).ok_or(Outage::unreadable(RECORD, "a stored event"))?;
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

fn stored_event(item: &Item) -> Option<ClientEvent> {
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
        id: ClientEventId::from_text(item.text("clientEventId")?)?,
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
