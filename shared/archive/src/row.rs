//! Rows: records in the columns of their table.

use punchcard_models::timestamp::Timestamp;
use punchcard_rewards::{Award, Catalog, Line};
use punchcard_store::{
    ActivityRecord, CorrectionContent, Evaluation, HistoryReader, PlayerRecord, RecordKind, SequenceNumber, StoreError,
    StoredItem, StoredRecord,
};
use serde_json::{Value, json};

use crate::{
    columns::{ColumnType, columns},
    layout::day_of,
};

/// A value of a row. `None` is an absent one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, also JSON.
    Text(Option<String>),
    /// An integer.
    Integer(Option<i64>),
    /// True or false.
    Boolean(Option<bool>),
    /// A time.
    Timestamp(Option<Timestamp>),
}

/// A record at one point of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The table.
    pub kind: RecordKind,
    /// The day on which the record arrived, in UTC.
    pub day: String,
    /// The values, in the order of [`columns`].
    pub cells: Vec<Cell>,
}

impl Row {
    /// The row of a record, with its award by offer, derived from the catalog of the record's version. Records that are
    /// read from a table have no sequence number.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if the record or its catalog cannot be read; another one if the store call failed.
    pub async fn stored(
        item: &StoredItem,
        sequence_number: Option<&SequenceNumber>,
        history: &HistoryReader,
    ) -> Result<Self, StoreError> {
        let record = item.record()?;
        let awards = match record.evaluation()? {
            Some(evaluation) => Some(Awards::of(&evaluation, &*evaluation.catalog(history).await?)),
            None => None,
        };
        Self::new(item, sequence_number, false, |column| content(column, item, &record, awards.as_ref()))
    }

    /// The row of a record that was deleted. It has nothing of the record but its key and the time of its arrival, so
    /// that an erasure does not copy what it deletes.
    ///
    /// # Errors
    /// The record has no id or time.
    pub fn removed(item: &StoredItem, sequence_number: &SequenceNumber) -> Result<Self, StoreError> {
        Self::new(item, Some(sequence_number), true, |_| None)
    }

    fn new(
        item: &StoredItem,
        sequence_number: Option<&SequenceNumber>,
        removed: bool,
        content: impl Fn(&str) -> Option<Cell>,
    ) -> Result<Self, StoreError> {
        let received_at = item.received_at()?;
        let id = item.id()?;
        let text = |text: &str| Cell::Text(Some(text.to_owned()));
        let cells = columns(item.kind()).iter().map(|column| match column.name {
            "customer_id" | "player_id" => Cell::Text(item.partition().map(str::to_owned)),
            "record_id" => text(id),
            "received_at" => Cell::Timestamp(Some(received_at)),
            "sequence_number" => Cell::Text(sequence_number.map(SequenceNumber::padded)),
            "removed" => Cell::Boolean(Some(removed)),
            name => content(name).unwrap_or_else(|| Cell::absent(column.column_type)),
        });
        Ok(Row { kind: item.kind(), day: day_of(received_at), cells: cells.collect() })
    }

    /// The value of a column.
    #[must_use]
    pub fn cell(&self, name: &str) -> Option<&Cell> {
        columns(self.kind).iter().zip(&self.cells).find(|(column, _)| column.name == name).map(|(_, cell)| cell)
    }

    /// The text of a column, if it is one of text and not absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.cell(name)? {
            Cell::Text(text) => text.as_deref(),
            Cell::Integer(_) | Cell::Boolean(_) | Cell::Timestamp(_) => None,
        }
    }

    /// The record as it is stored. `None` of one that was deleted.
    ///
    /// # Errors
    /// The row has no record that can be read.
    pub fn item(&self) -> Result<Option<StoredItem>, StoreError> {
        if self.is_removed() {
            return Ok(None);
        }
        StoredItem::from_json(self.kind, self.text("item").unwrap_or_default()).map(Some)
    }

    /// The record's partition and id, which identify it among those of its table.
    #[must_use]
    pub fn key(&self) -> (&str, &str) {
        let partition = match self.kind {
            RecordKind::ClientEvents => self.text("customer_id"),
            RecordKind::Activities => None,
            RecordKind::PlayerEvents => self.text("player_id"),
        };
        (partition.unwrap_or_default(), self.text("record_id").unwrap_or_default())
    }

    /// The version of the catalog that evaluated the record, if one did.
    #[must_use]
    pub fn catalog_version(&self) -> Option<u64> {
        match self.cell("catalog_version")? {
            Cell::Integer(version) => u64::try_from((*version)?).ok(),
            Cell::Text(_) | Cell::Boolean(_) | Cell::Timestamp(_) => None,
        }
    }

    /// True if the record is the tombstone of one that was erased.
    #[must_use]
    pub fn is_tombstone(&self) -> bool {
        self.text("record") == Some(StoredRecord::ERASED)
    }

    /// True if the record was deleted.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.cell("removed") == Some(&Cell::Boolean(Some(true)))
    }
}

impl Cell {
    pub(crate) fn is_present(&self) -> bool {
        match self {
            Cell::Text(value) => value.is_some(),
            Cell::Integer(value) => value.is_some(),
            Cell::Boolean(value) => value.is_some(),
            Cell::Timestamp(value) => value.is_some(),
        }
    }

    pub(crate) fn absent(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Cell::Text(None),
            ColumnType::Integer => Cell::Integer(None),
            ColumnType::Boolean => Cell::Boolean(None),
            ColumnType::Timestamp => Cell::Timestamp(None),
        }
    }
}

/// The value of a column that only some records have.
fn content(column: &str, item: &StoredItem, record: &StoredRecord, awards: Option<&Awards>) -> Option<Cell> {
    let text = |name: &str| item.text(name).map(|text| Cell::Text(Some(text.to_owned())));
    let time = |name: &str| item.text(name).and_then(Timestamp::from_text).map(|time| Cell::Timestamp(Some(time)));
    let owned = |text: String| Cell::Text(Some(text));
    match (column, record) {
        ("record", _) => Some(owned(record.name().to_owned())),
        ("item", _) => Some(owned(item.json())),
        ("at", StoredRecord::ClientEvent(_)) => time("timestamp"),
        ("at", _) => time("when"),
        ("channel", StoredRecord::ClientEvent(stored)) => {
            stored.event.metadata.channel.map(|channel| owned(channel.as_str().to_owned()))
        }
        ("type" | "event" | "action" | "channel", _) => text(column),
        ("metadata", _) => item.metadata_json().map(owned),
        ("correlation_id", _) => text("correlationId"),
        ("member_id", StoredRecord::Player(PlayerRecord::Request(request))) => Some(owned(request.member_id.clone())),
        ("member_id", StoredRecord::Player(PlayerRecord::Refund(refund))) => Some(owned(refund.member_id.clone())),
        ("member_id", _) => text("memberId"),
        ("awards", _) => awards.map(|awards| owned(awards.json.clone())),
        ("points", _) => points(record, awards).map(|points| Cell::Integer(Some(points))),
        ("catalog_version", _) => awards.map(|awards| Cell::Integer(i64::try_from(awards.catalog_version).ok())),
        ("data", StoredRecord::Activity(_)) => text("extendedData"),
        ("data", StoredRecord::Player(_)) => text("events"),
        _ => None,
    }
}

/// The awards of a record.
struct Awards {
    /// The points of each offer or campaign: `[{"offer":"BIG_ORDER","points":50,"unit":null}]`.
    json: String,
    points: u64,
    catalog_version: u64,
}

impl Awards {
    fn of(evaluation: &Evaluation, catalog: &Catalog) -> Self {
        let awards = evaluation.awards(catalog);
        let line = |line: &Line<'_>| json!({"offer": line.rule.id().to_string(), "unit": line.rule.unit(), "points": line.points()});
        let lines = awards.iter().flat_map(Award::trace).filter(|line| line.points() > 0).map(line);
        Awards {
            json: Value::Array(lines.collect()).to_string(),
            points: awards.iter().map(Award::points).sum(),
            catalog_version: evaluation.basis.catalog_version,
        }
    }
}

/// The points that a record adds to balances; negative if it takes them away. `None` if it does not say.
fn points(record: &StoredRecord, awards: Option<&Awards>) -> Option<i64> {
    let signed = |points: u64| i64::try_from(points).ok();
    let taken = |adds: Vec<(String, u64)>, balance: &str| {
        let taken = adds.into_iter().filter(|(name, _)| name.starts_with(balance)).map(|(_, amount)| amount);
        signed(taken.sum()).map(|points: i64| -points)
    };
    match record {
        StoredRecord::Activity(ActivityRecord::Correction(correction)) => match &correction.content {
            CorrectionContent::Reversal { .. } => taken(correction.adds(), "out#pts#"),
            CorrectionContent::Adjustment { amount, .. } => Some(*amount),
        },
        StoredRecord::Player(PlayerRecord::Refund(refund)) => taken(refund.adds(), "out#points"),
        StoredRecord::Activity(ActivityRecord::Activity(_)) | StoredRecord::Player(PlayerRecord::Request(_)) => {
            signed(awards?.points)
        }
        StoredRecord::ClientEvent(_)
        | StoredRecord::ErasedClientEvent
        | StoredRecord::Activity(ActivityRecord::Erased(_))
        | StoredRecord::Player(PlayerRecord::Erased(_)) => None,
    }
}
