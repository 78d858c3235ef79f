//! The columns of each table. `template.yaml` repeats them for Athena; a test compares the two.

use punchcard_store::RecordKind;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The name.
    pub name: &'static str,
    /// The type of its values, each of which may be absent.
    pub column_type: ColumnType,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Text, also JSON.
    Text,
    /// A signed integer of 64 bits.
    Integer,
    /// True or false.
    Boolean,
    /// A time in UTC, in milliseconds.
    Timestamp,
}

impl ColumnType {
    /// The type's name in Athena's tables.
    #[must_use]
    pub fn in_athena(self) -> &'static str {
        match self {
            ColumnType::Text => "string",
            ColumnType::Integer => "bigint",
            ColumnType::Boolean => "boolean",
            ColumnType::Timestamp => "timestamp",
        }
    }

    /// The type and annotation in a Parquet schema.
    pub(crate) fn in_parquet(self) -> (&'static str, &'static str) {
        match self {
            ColumnType::Text => ("binary", " (STRING)"),
            ColumnType::Integer => ("int64", ""),
            ColumnType::Boolean => ("boolean", ""),
            ColumnType::Timestamp => ("int64", " (TIMESTAMP(MILLIS,true))"),
        }
    }
}

const fn text(name: &'static str) -> Column {
    Column { name, column_type: ColumnType::Text }
}

const fn integer(name: &'static str) -> Column {
    Column { name, column_type: ColumnType::Integer }
}

const fn timestamp(name: &'static str) -> Column {
    Column { name, column_type: ColumnType::Timestamp }
}

const REMOVED: Column = Column { name: "removed", column_type: ColumnType::Boolean };

const CLIENT_EVENTS: [Column; 12] = [
    text("customer_id"),
    text("record_id"),
    timestamp("received_at"),
    text("sequence_number"),
    REMOVED,
    text("record"),
    timestamp("at"),
    text("channel"),
    text("type"),
    text("event"),
    text("metadata"),
    text("item"),
];

const ACTIVITIES: [Column; 15] = [
    text("record_id"),
    timestamp("received_at"),
    text("sequence_number"),
    REMOVED,
    text("record"),
    text("member_id"),
    timestamp("at"),
    text("channel"),
    text("correlation_id"),
    text("action"),
    integer("points"),
    text("awards"),
    integer("catalog_version"),
    text("data"),
    text("item"),
];

const PLAYER_EVENTS: [Column; 12] = [
    text("player_id"),
    text("record_id"),
    timestamp("received_at"),
    text("sequence_number"),
    REMOVED,
    text("record"),
    text("member_id"),
    integer("points"),
    text("awards"),
    integer("catalog_version"),
    text("data"),
    text("item"),
];

/// The columns of a table, in the order of its files.
#[must_use]
pub fn columns(kind: RecordKind) -> &'static [Column] {
    match kind {
        RecordKind::ClientEvents => &CLIENT_EVENTS,
        RecordKind::Activities => &ACTIVITIES,
        RecordKind::PlayerEvents => &PLAYER_EVENTS,
    }
}
