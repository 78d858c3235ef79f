//! The queue of records whose events are not delivered yet: the streams of the embedded store's tables.
//!
//! A stream record is written in the transaction of its item, and deleted when its event is delivered, so nothing else
//! has to remember a position. The embedded store keeps stream records for ever and reads all of them to number the next
//! one; hence the deletion, and an index. Both are done on a connection of its own, which never holds the store's lock
//! for a sync to disk: a deletion that a power failure undoes is a repeated delivery.

use std::{path::Path, time::Duration};

use dynoxide::Database;
use punchcard_store::{RecordKind, StreamEvent, StreamRecord};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde_json::{Value, json};

use crate::{embedded::TABLE_PREFIX, failure::Failure, in_process};

/// Maximum number of records in memory.
const BATCH: usize = 100;
/// Time limit of waiting for other processes that use the database.
const BUSY_LIMIT: Duration = Duration::from_secs(10);

const SET_UP: &str = "PRAGMA synchronous = NORMAL;
    CREATE INDEX IF NOT EXISTS punchcard_stream_order
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE TABLE IF NOT EXISTS punchcard_events_off (since TEXT NOT NULL)";
const READ: &str = "SELECT id, table_name, event_name, sequence_number, keys_json, new_image FROM _stream_records
    WHERE id > ?1 ORDER BY id LIMIT ?2";

/// The queue.
#[derive(Debug)]
pub struct Queue {
    connection: Connection,
    /// Records up to here are delivered, or cannot be read.
    after: i64,
}

/// The next records, in the order in which they were written.
#[derive(Debug, Default)]
pub struct Batch {
    /// The ids of all of them.
    ids: Vec<i64>,
    /// The new ones, by their ids.
    pub records: Vec<(i64, StreamRecord)>,
}

impl Queue {
    /// Opens the queue of a database file.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn open(file: &Path) -> Result<Self, Failure> {
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(BUSY_LIMIT)?;
        connection.execute_batch(SET_UP)?;
        Ok(Queue { connection, after: 0 })
    }

    /// Turns the queue on. Returns the time since which it was off, if it was on before.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn turn_on(&self, database: &Database) -> Result<Option<String>, Failure> {
        for kind in RecordKind::ALL {
            if !is_on(database, kind)? {
                set(database, kind, true)?;
            }
        }
        let since =
            self.connection.query_row("SELECT since FROM punchcard_events_off", [], |row| row.get(0)).optional()?;
        self.connection.execute("DELETE FROM punchcard_events_off", [])?;
        Ok(since)
    }

    /// Turns the queue off, and leaves its records in it. Returns false if it was off.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn turn_off(&self, database: &Database, now: &str) -> Result<bool, Failure> {
        if !is_any_on(database)? {
            return Ok(false);
        }
        // First, so that a crash in between cannot hide the gap.
        self.connection.execute("INSERT INTO punchcard_events_off VALUES (?1)", [now])?;
        for kind in RecordKind::ALL {
            if is_on(database, kind)? {
                set(database, kind, false)?;
            }
        }
        Ok(true)
    }

    /// Returns the number of records in the queue.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn len(&self) -> Result<u64, rusqlite::Error> {
        self.connection.query_row("SELECT count(*) FROM _stream_records", [], |row| row.get(0))
    }

    /// Reads the next records.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn next(&self) -> Result<Batch, rusqlite::Error> {
        let mut batch = Batch::default();
        let mut select = self.connection.prepare_cached(READ)?;
        let mut rows = select.query((self.after, i64::try_from(BATCH).unwrap_or(i64::MAX)))?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            batch.ids.push(id);
            // Only new records give an event.
            if row.get_ref(2)?.as_str()? != "INSERT" {
                continue;
            }
            let [table, sequence_number, keys, image]: [String; 4] =
                [row.get(1)?, row.get(3)?, row.get(4)?, row.get(5)?];
            if let Some(record) = record(&table, &sequence_number, &keys, &image) {
                batch.records.push((id, record));
            }
        }
        Ok(batch)
    }

    /// Deletes records whose events are delivered, and leaves out those that cannot be read until the next start.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn done(&mut self, batch: &Batch, unreadable: &[i64]) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        for id in batch.ids.iter().filter(|id| !unreadable.contains(id)) {
            transaction.execute("DELETE FROM _stream_records WHERE id = ?1", [id])?;
        }
        transaction.commit()?;
        self.after = batch.ids.last().copied().unwrap_or(self.after);
        Ok(())
    }
}

impl Batch {
    /// Returns true if there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// Removes the records of deleted items from the queue of a database file. They get no event.
///
/// # Errors
/// The file cannot be used.
pub fn remove_deleted(file: &Path) -> Result<(), Failure> {
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_LIMIT)?;
    // They give no event, and have the keys of deleted items.
    connection.execute("DELETE FROM _stream_records WHERE event_name <> 'INSERT'", [])?;
    let database = Database::new(&file.to_string_lossy()).map_err(|error| Failure::Embedded(error.to_string()))?;
    let mut deleted = Vec::<i64>::new();
    let mut select = connection.prepare("SELECT id, table_name, keys_json FROM _stream_records")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let [table, keys]: [String; 2] = [row.get(1)?, row.get(2)?];
        let get = json!({"TableName": table, "Key": parsed(&keys)});
        if table_call(&database, "GetItem", &get)?.get("Item").is_none() {
            deleted.push(row.get(0)?);
        }
    }
    for id in deleted {
        connection.execute("DELETE FROM _stream_records WHERE id = ?1", [id])?;
    }
    Ok(())
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

/// Reads a stream record as a function reads it.
fn record(table: &str, sequence_number: &str, keys: &str, image: &str) -> Option<StreamRecord> {
    let record = json!({
        "eventID": sequence_number,
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "eventSourceARN": format!("arn:aws:dynamodb:local:000000000000:table/{table}/stream/local"),
        "awsRegion": "local",
        "dynamodb": {
            "ApproximateCreationDateTime": 0,
            "Keys": parsed(keys),
            "NewImage": parsed(image),
            "SequenceNumber": sequence_number,
            "SizeBytes": image.len(),
            "StreamViewType": "NEW_IMAGE",
        },
    });
    let event: StreamEvent = serde_json::from_str(&json!({"Records": [record]}).to_string()).ok()?;
    event.records().ok()?.pop()
}

/// Returns true if the queue is on for any kind of record.
///
/// # Errors
/// The database cannot be read.
pub fn is_any_on(database: &Database) -> Result<bool, Failure> {
    for kind in RecordKind::ALL {
        if is_on(database, kind)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_on(database: &Database, kind: RecordKind) -> Result<bool, Failure> {
    let described = table_call(database, "DescribeTable", &json!({"TableName": name(kind)}))?;
    Ok(described.pointer("/Table/StreamSpecification/StreamEnabled") == Some(&Value::Bool(true)))
}

fn set(database: &Database, kind: RecordKind, is_on: bool) -> Result<(), Failure> {
    let specification = if is_on {
        json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"})
    } else {
        json!({"StreamEnabled": false})
    };
    let update = json!({"TableName": name(kind), "StreamSpecification": specification});
    table_call(database, "UpdateTable", &update).map(drop)
}

fn name(kind: RecordKind) -> String {
    format!("{TABLE_PREFIX}{}", kind.table())
}

fn table_call(database: &Database, operation: &str, body: &Value) -> Result<Value, Failure> {
    let reply = in_process::call(database, operation, body.to_string().as_bytes());
    if reply.status != 200 {
        return Err(Failure::Embedded(reply.body));
    }
    serde_json::from_str(&reply.body).map_err(|error| Failure::Embedded(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        embedded::{self, FILE},
        in_process::InProcess,
    };

    /// The embedded store numbers each stream record after the greatest number of its table. Without the index it would
    /// read the whole queue for each request.
    #[tokio::test]
    async fn neither_a_request_nor_the_delivery_reads_the_whole_queue() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = embedded::open(directory.path(), FILE).expect("a database");
        embedded::store(InProcess::new(database)).await.expect("tables");
        let queue = Queue::open(&directory.path().join(FILE)).expect("a queue");
        let numbering = "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records
            WHERE table_name = 'x'";
        for (query, plan) in [(numbering, "USING COVERING INDEX punchcard_stream_order"), (READ, "INTEGER PRIMARY KEY")]
        {
            let mut explain = queue.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).expect("a query");
            let parameters: &[&dyn rusqlite::ToSql] = if query == READ { &[&0, &1] } else { &[] };
            let found: String = explain.query_row(parameters, |row| row.get(3)).expect("a plan");
            assert!(found.starts_with("SEARCH") && found.contains(plan), "{found}");
        }
    }

    #[tokio::test]
    async fn a_time_without_the_queue_is_told_once() {
        let directory = tempfile::tempdir().expect("a directory");
        let database = embedded::open(directory.path(), FILE).expect("a database");
        embedded::store(InProcess::new(database.clone())).await.expect("tables");
        let queue = Queue::open(&directory.path().join(FILE)).expect("a queue");
        assert!(!queue.turn_off(&database, "never on").expect("off"));
        assert_eq!(queue.turn_on(&database).expect("on"), None);
        assert!(queue.turn_off(&database, "then").expect("off"));
        assert!(!queue.turn_off(&database, "later").expect("off"));
        assert_eq!(queue.turn_on(&database).expect("on").as_deref(), Some("then"));
        assert_eq!(queue.turn_on(&database).expect("on"), None);
    }
}
