//! Complete events.

use std::collections::HashSet;

use punchcard_models::timestamp::Timestamp;
use punchcard_store::{BalanceReader, Holdings, Store, StoreError};
use serde_json::{Map, Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use crate::draft::Draft;

/// The version of the schema. A version only gets optional members and new kinds; anything else is a new version.
pub const SCHEMA_VERSION: u64 = 1;
/// The source of all events.
pub const SOURCE: &str = "punchcard";

/// The kind of an event's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A client event.
    ClientEvent,
    /// An activity.
    Activity,
    /// The reversal of an activity.
    Reversal,
    /// An adjustment of a balance.
    Adjustment,
    /// A request with player events.
    PlayerEvents,
    /// An order.
    Order,
    /// A refund of an order.
    Refund,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 7] = [
        EventKind::ClientEvent,
        EventKind::Activity,
        EventKind::Reversal,
        EventKind::Adjustment,
        EventKind::PlayerEvents,
        EventKind::Order,
        EventKind::Refund,
    ];

    /// The kind in the detail.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::ClientEvent => "client-event",
            EventKind::Activity => "activity",
            EventKind::Reversal => "reversal",
            EventKind::Adjustment => "adjustment",
            EventKind::PlayerEvents => "player-events",
            EventKind::Order => "order",
            EventKind::Refund => "refund",
        }
    }

    /// The detail type, by which rules of an event bus select events.
    #[must_use]
    pub fn detail_type(self) -> &'static str {
        match self {
            EventKind::ClientEvent => "Client Event Recorded",
            EventKind::Activity => "Activity Recorded",
            EventKind::Reversal => "Activity Reversed",
            EventKind::Adjustment => "Balance Adjusted",
            EventKind::PlayerEvents => "Player Events Recorded",
            EventKind::Order => "Order Recorded",
            EventKind::Refund => "Order Refunded",
        }
    }
}

/// An event of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboundEvent {
    /// The event's id: the same whenever the event of a record is sent.
    pub id: Uuid,
    /// The kind of the record.
    pub kind: EventKind,
    /// The arrival time of the record.
    pub received_at: Timestamp,
    /// The key within which events stay in order: the member, or the customer of a client event.
    pub order_key: String,
    detail: Map<String, Value>,
}

impl OutboundEvent {
    /// The detail as JSON, as `docs/events.schema.json` describes it.
    #[must_use]
    pub fn detail(&self) -> String {
        Value::Object(self.detail.clone()).to_string()
    }

    /// The whole event in the form in which an event bus delivers it, as one line of JSON.
    #[must_use]
    pub fn envelope(&self) -> String {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.kind.detail_type(),
            "source": SOURCE,
            "account": "",
            "time": self.received_at.to_string(),
            "region": "",
            "resources": [],
            "detail": self.detail,
        })
        .to_string()
    }
}

/// Completes drafts with balances.
#[derive(Debug, Clone)]
pub struct Drafts {
    balances: BalanceReader,
}

impl Drafts {
    /// Creates a reader of the store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Drafts { balances: BalanceReader::new(store) }
    }

    /// Completes drafts, in their order. The members are read together.
    ///
    /// # Errors
    /// The store call failed.
    pub async fn complete(&self, drafts: Vec<Draft>, deadline: Instant) -> Result<Vec<OutboundEvent>, StoreError> {
        let members: HashSet<_> = drafts.iter().filter_map(|draft| draft.member.clone()).collect();
        let held = self.balances.of_all(&members, deadline).await?;
        let complete = |draft: Draft| {
            let held = draft.member.as_ref().and_then(|member| held.get(member));
            event(draft, held)
        };
        Ok(drafts.into_iter().map(complete).collect())
    }
}

fn event(draft: Draft, held: Option<&(String, Holdings)>) -> OutboundEvent {
    let Draft { id, kind, received_at, member: _, mut detail } = draft;
    detail.insert("schemaVersion".to_owned(), SCHEMA_VERSION.into());
    detail.insert("eventId".to_owned(), id.to_string().into());
    detail.insert("kind".to_owned(), kind.as_str().into());
    detail.insert("receivedAt".to_owned(), received_at.to_string().into());
    let order_key = match held {
        Some((member, Holdings { balances, points, version })) => {
            let balance = match kind {
                EventKind::PlayerEvents | EventKind::Order | EventKind::Refund => {
                    json!({"version": version, "points": points})
                }
                EventKind::ClientEvent | EventKind::Activity | EventKind::Reversal | EventKind::Adjustment => {
                    json!({"version": version, "balances": balances})
                }
            };
            detail.insert("member".to_owned(), member.as_str().into());
            detail.insert("balance".to_owned(), balance);
            member.clone()
        }
        None => detail.get("customerId").and_then(Value::as_str).unwrap_or_default().to_owned(),
    };
    OutboundEvent { id, kind, received_at, order_key, detail }
}
