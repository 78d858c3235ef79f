//! Events of the tables' streams, as Lambda delivers them.
//!
//! Each record of an event is read by itself, so that one that cannot be read does not take the others with it.

use std::{fmt, str::FromStr};

use aws_lambda_events::dynamodb::EventRecord;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    error::StoreError,
    records::{RecordKind, StoredItem},
};

const READ: &str = "read a stream record";
/// "The sequence number … Minimum length of 21. Maximum length of 40."
const MAX_DIGITS: usize = 40;

/// An event, whose records are not read yet.
#[derive(Debug, Deserialize)]
pub struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Box<RawValue>>,
}

/// The part of a record that is needed even if the rest cannot be read.
#[derive(Deserialize)]
struct Numbered {
    dynamodb: Number,
}

#[derive(Deserialize)]
struct Number {
    #[serde(rename = "SequenceNumber")]
    sequence_number: String,
}

/// The place of a record in its stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber(String);

/// A sequence number that is not decimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stream record without a sequence number")]
pub struct InvalidSequenceNumber;

/// A record of a stream.
#[derive(Debug)]
pub struct StreamRecord {
    /// The record's place.
    pub sequence_number: SequenceNumber,
    /// The record, or why it cannot be read.
    pub change: Result<Change, StoreError>,
}

/// A change of an item.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// The item is new.
    Inserted(StoredItem),
    /// The item was replaced or updated. This is the new one.
    Modified(StoredItem),
    /// The item was deleted. This is the last one.
    Removed(StoredItem),
}

impl SequenceNumber {
    /// The number with leading zeros, so that texts sort like numbers.
    #[must_use]
    pub fn padded(&self) -> String {
        format!("{:0>MAX_DIGITS$}", self.0)
    }
}

impl FromStr for SequenceNumber {
    type Err = InvalidSequenceNumber;

    fn from_str(text: &str) -> Result<Self, InvalidSequenceNumber> {
        let is_number = (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Ok(SequenceNumber(text.to_owned())) } else { Err(InvalidSequenceNumber) }
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StreamEvent {
    /// Reads the records, in their order.
    ///
    /// # Errors
    /// A record has no sequence number, by which its failure could be reported.
    pub fn records(self) -> Result<Vec<StreamRecord>, InvalidSequenceNumber> {
        let read = |record: Box<RawValue>| {
            let numbered: Numbered = serde_json::from_str(record.get()).map_err(|_| InvalidSequenceNumber)?;
            let sequence_number = numbered.dynamodb.sequence_number.parse()?;
            let change = change(record.get()).ok_or(StoreError::corrupt(READ, "a record of a stream"));
            Ok(StreamRecord { sequence_number, change })
        };
        self.records.into_iter().map(read).collect()
    }
}

fn change(record: &str) -> Option<Change> {
    let record: EventRecord = serde_json::from_str(record).ok()?;
    let kind = RecordKind::of_stream(record.event_source_arn.as_deref()?)?;
    let (image, change): (_, fn(StoredItem) -> Change) = match record.event_name.as_str() {
        "INSERT" => (record.change.new_image, Change::Inserted),
        "MODIFY" => (record.change.new_image, Change::Modified),
        "REMOVE" => (record.change.old_image, Change::Removed),
        _ => return None,
    };
    let item =
        StoredItem::new(kind, image.into_inner().into_iter().map(|(name, value)| (name, value.into())).collect());
    // Without images the stream has another view type.
    item.id().ok()?;
    Some(change(item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(json: &str) -> Result<Vec<StreamRecord>, InvalidSequenceNumber> {
        serde_json::from_str::<StreamEvent>(json).expect("an event").records()
    }

    #[test]
    fn a_record_that_cannot_be_read_keeps_its_number_and_leaves_the_others() {
        let arn = "arn:aws:dynamodb:eu-west-1:1:table/p-Activities/stream/2026";
        let good = |number: u32, event: &str, image: &str| {
            format!(
                r#"{{"eventID":"1","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"eu-west-1",
                "eventName":"{event}","eventSourceARN":"{arn}","dynamodb":{{"ApproximateCreationDateTime":1,
                "Keys":{{"activityId":{{"S":"a-1"}}}},"{image}":{{"activityId":{{"S":"a-1"}}}},
                "SequenceNumber":"{number}","SizeBytes":1,"StreamViewType":"NEW_AND_OLD_IMAGES"}}}}"#
            )
        };
        let poison = r#"{"dynamodb":{"SequenceNumber":"2","NewImage":{"activityId":{"X":1}}}}"#;
        let json = format!(
            r#"{{"Records":[{},{poison},{},{}]}}"#,
            good(1, "INSERT", "NewImage"),
            good(3, "REMOVE", "OldImage"),
            good(4, "INSERT", "OldImage")
        );
        let read = records(&json).expect("records");
        assert!(matches!(&read[0].change, Ok(Change::Inserted(item)) if item.id() == Ok("a-1")), "{read:?}");
        assert!(read[1].change.is_err() && read[1].sequence_number.to_string() == "2");
        assert!(matches!(&read[2].change, Ok(Change::Removed(item)) if item.kind() == RecordKind::Activities));
        assert!(read[3].change.is_err(), "no image");
        assert_eq!(read[2].sequence_number.padded(), format!("{}3", "0".repeat(39)));
    }

    #[test]
    fn a_record_without_a_number_fails_the_event() {
        for number in [r#""""#, r#""1a""#, "1"] {
            let json = format!(r#"{{"Records":[{{"dynamodb":{{"SequenceNumber":{number}}}}}]}}"#);
            assert_eq!(records(&json).expect_err("an error"), InvalidSequenceNumber, "{number}");
        }
    }
}
