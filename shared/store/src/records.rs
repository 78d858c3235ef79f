//! Stored records of the three record tables as one type, for whatever copies them elsewhere.

use std::fmt;

use punchcard_models::timestamp::Timestamp;

use crate::{
    activities::ActivityRecord,
    corrections::CorrectionContent,
    error::StoreError,
    evaluation::Evaluation,
    export::{record_item, record_json},
    item::{Attributes as _, Item},
    newest::StoredClientEvent,
    player_records::PlayerRecord,
    tombstones::{CREATED, DAY, is_tombstone},
};

const READ: &str = "read a record";

/// A record table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Table `ClientEvents`.
    ClientEvents,
    /// Table `Activities`.
    Activities,
    /// Table `PlayerEvents`.
    PlayerEvents,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [RecordKind; 3] = [RecordKind::ClientEvents, RecordKind::Activities, RecordKind::PlayerEvents];

    /// The table's name, without the prefix.
    #[must_use]
    pub fn table(self) -> &'static str {
        match self {
            RecordKind::ClientEvents => "ClientEvents",
            RecordKind::Activities => "Activities",
            RecordKind::PlayerEvents => "PlayerEvents",
        }
    }

    /// The table that the source of a stream event names, such as `arn:…:table/loyalty-Activities/stream/…`.
    pub(crate) fn of_stream(arn: &str) -> Option<Self> {
        let table = arn.split_once(":table/")?.1.split('/').next()?;
        Self::ALL.into_iter().find(|kind| table.ends_with(kind.table()))
    }

    /// The name of the attribute that identifies a record among those of its partition.
    pub(crate) fn id(self) -> &'static str {
        match self {
            RecordKind::ClientEvents => "clientEventId",
            RecordKind::Activities => "activityId",
            RecordKind::PlayerEvents => "recordId",
        }
    }

    /// The name of the attribute that names a record's partition. Activities have ids of their own.
    pub(crate) fn partition(self) -> Option<&'static str> {
        match self {
            RecordKind::ClientEvents => Some("customerId"),
            RecordKind::Activities => None,
            RecordKind::PlayerEvents => Some("playerId"),
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordKind::ClientEvents => "client_events",
            RecordKind::Activities => "activities",
            RecordKind::PlayerEvents => "player_events",
        })
    }
}

/// An item of a record table.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredItem {
    kind: RecordKind,
    item: Item,
}

/// An item of a record table, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRecord {
    /// A client event.
    ClientEvent(StoredClientEvent),
    /// An activity or a correction, or the tombstone of one.
    Activity(ActivityRecord),
    /// A player request or a refund, or the tombstone of one.
    Player(PlayerRecord),
    /// The tombstone of a client event.
    ErasedClientEvent,
}

impl StoredItem {
    pub(crate) fn new(kind: RecordKind, item: Item) -> Self {
        StoredItem { kind, item }
    }

    pub(crate) fn into_item(self) -> Item {
        self.item
    }

    /// The item's table.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        self.kind
    }

    /// The customer of a client event, or the player of a request. Activities have ids of their own.
    #[must_use]
    pub fn partition(&self) -> Option<&str> {
        self.item.text(self.kind.partition()?)
    }

    /// The record's id, among those of its partition if it has one.
    ///
    /// # Errors
    /// The item has none.
    pub fn id(&self) -> Result<&str, StoreError> {
        self.item.text(self.kind.id()).ok_or(StoreError::corrupt(READ, "a record without an id"))
    }

    /// The time at which the record arrived; of a tombstone, the day, or when it was put while it is pending.
    ///
    /// # Errors
    /// The time cannot be read.
    pub fn received_at(&self) -> Result<Timestamp, StoreError> {
        let text = self.item.text(DAY).or_else(|| self.item.text(CREATED));
        text.and_then(Timestamp::from_text).ok_or(StoreError::corrupt(READ, "the time of a record"))
    }

    /// A text attribute.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.item.text(name)
    }

    /// Every attribute, as one line of JSON.
    #[must_use]
    pub fn json(&self) -> String {
        record_json(&self.item)
    }

    /// Reads what [`StoredItem::json`] wrote.
    ///
    /// # Errors
    /// The text is not an item of this table.
    pub fn from_json(kind: RecordKind, json: &str) -> Result<Self, StoreError> {
        let item = record_item(json).ok_or(StoreError::corrupt(READ, "a record of an archive"))?;
        let item = StoredItem { kind, item };
        item.id()?;
        Ok(item)
    }

    /// Parses the item.
    ///
    /// # Errors
    /// The item cannot be read.
    pub fn record(&self) -> Result<StoredRecord, StoreError> {
        let read = || match self.kind {
            RecordKind::ClientEvents if is_tombstone(&self.item, "clientEventId") => {
                Some(StoredRecord::ErasedClientEvent)
            }
            RecordKind::ClientEvents => StoredClientEvent::read(&self.item).map(StoredRecord::ClientEvent),
            RecordKind::Activities => ActivityRecord::read(&self.item).map(StoredRecord::Activity),
            RecordKind::PlayerEvents => PlayerRecord::read(&self.item).map(StoredRecord::Player),
        };
        read().ok_or(StoreError::corrupt(READ, "a stored record"))
    }

    /// The metadata of a client event, as JSON.
    #[must_use]
    pub fn metadata_json(&self) -> Option<String> {
        self.item.get("metadata")?.as_m().ok().map(record_json)
    }
}

impl StoredRecord {
    /// The name of tombstones.
    pub const ERASED: &'static str = "erased";

    /// The name of the record's type, such as `reversal`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            StoredRecord::ClientEvent(_) => "event",
            StoredRecord::Activity(ActivityRecord::Activity(_)) => "activity",
            StoredRecord::Activity(ActivityRecord::Correction(correction)) => match correction.content {
                CorrectionContent::Reversal { .. } => "reversal",
                CorrectionContent::Adjustment { .. } => "adjustment",
            },
            StoredRecord::Player(PlayerRecord::Request(_)) => "request",
            StoredRecord::Player(PlayerRecord::Refund(_)) => "refund",
            StoredRecord::Activity(ActivityRecord::Erased(_))
            | StoredRecord::Player(PlayerRecord::Erased(_))
            | StoredRecord::ErasedClientEvent => Self::ERASED,
        }
    }

    /// The input of the record's evaluation. `None` if it earns nothing by its kind, or was recorded by version 0.1.0.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn evaluation(&self) -> Result<Option<Evaluation>, StoreError> {
        match self {
            StoredRecord::Activity(ActivityRecord::Activity(activity)) => activity.evaluation(),
            StoredRecord::Player(PlayerRecord::Request(request)) if !request.unused => request.evaluation(),
            _ => Ok(None),
        }
    }
}
