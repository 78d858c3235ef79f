//! Names of files and folders.

use chrono::{DateTime, Utc};
use punchcard_models::timestamp::Timestamp;
use punchcard_store::{RecordKind, SequenceNumber};

/// The folder of all records and catalogs.
pub(crate) const ROOT: &str = "records";

/// The day of a time in UTC, as in the names of folders.
#[must_use]
pub fn day_of(time: Timestamp) -> String {
    DateTime::<Utc>::from_timestamp_millis(time.as_millis()).unwrap_or_default().format("%Y-%m-%d").to_string()
}

/// The path of a table's folder for a day.
#[must_use]
pub fn day_path(kind: RecordKind, day: &str) -> String {
    format!("{ROOT}/{kind}/day={day}")
}

/// The path of the file with those records of a batch that belong to a day. `first` is the first of the batch, so a
/// batch that is delivered again overwrites its files.
#[must_use]
pub fn file_path(kind: RecordKind, day: &str, first: &SequenceNumber) -> String {
    format!("{}/{}.parquet", day_path(kind, day), first.padded())
}

/// The path of an applied catalog.
#[must_use]
pub fn catalog_path(version: u64) -> String {
    format!("{ROOT}/catalogs/version={version}.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_sort_by_day_and_sequence_number() {
        let path = |millis, number: &str| {
            let day = day_of(Timestamp::from_millis(millis));
            file_path(RecordKind::Activities, &day, &number.parse().expect("a number"))
        };
        let day = 24 * 60 * 60 * 1000;
        assert_eq!(path(day, "7"), format!("records/activities/day=1970-01-02/{:0>40}.parquet", 7));
        assert!(path(0, "9") < path(0, "10") && path(day - 1, "10") < path(day, "9"));
        assert_eq!(catalog_path(3), "records/catalogs/version=3.json");
    }
}
