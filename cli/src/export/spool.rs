//! The temporary database of an export: items by table and day, and the progress of each part of a table.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use punchcard_archive::day_of;
use punchcard_store::{RecordKind, Start, StoredItem, TablePart};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{ExportError, private_file};

/// The file in the folder of the export.
const FILE: &str = "unfinished-export.db";

/// The progress of reading a part of a table.
#[derive(Debug, PartialEq)]
pub(super) enum Position {
    /// The start of the next page. `None`: the part's first.
    At(Option<Start>),
    /// All pages were read.
    Done,
}

/// The temporary database.
#[derive(Debug)]
pub(super) struct Spool {
    database: Connection,
    path: PathBuf,
}

impl Spool {
    /// Creates the database in an empty folder, or opens that of an interrupted export with the same name.
    ///
    /// # Errors
    /// The folder has other files, or the database cannot be used.
    pub fn open(folder: &Path, name: &str) -> Result<Self, ExportError> {
        let failed = |error| ExportError::Write { path: folder.to_owned(), error };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let path = folder.join(FILE);
        if !path.is_file() && fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(ExportError::NotEmpty(folder.to_owned()));
        }
        private_file(&path, false).map_err(failed)?;
        let database = Connection::open(&path)?;
        database.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
             CREATE TABLE IF NOT EXISTS name (name TEXT);
             CREATE TABLE IF NOT EXISTS parts (kind TEXT, part INTEGER, start TEXT, PRIMARY KEY (kind, part));
             CREATE TABLE IF NOT EXISTS items (kind TEXT, day TEXT, received_at INTEGER, partition TEXT, id TEXT, item TEXT,
                 PRIMARY KEY (kind, day, received_at, partition, id)) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS written (kind TEXT, day TEXT, PRIMARY KEY (kind, day)) WITHOUT ROWID;",
        )?;
        let was: Option<String> = database.query_row("SELECT name FROM name", [], |row| row.get(0)).optional()?;
        match was {
            None => {
                database.execute("INSERT INTO name VALUES (?1)", [name])?;
            }
            Some(was) if was != name => {
                return Err(ExportError::Other { folder: folder.to_owned(), was, is: name.to_owned() });
            }
            Some(_) => {}
        }
        Ok(Spool { database, path })
    }

    /// Returns the progress of a part.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn position(&self, part: TablePart) -> Result<Position, ExportError> {
        let start = self.database.query_row(
            "SELECT start FROM parts WHERE kind = ?1 AND part = ?2",
            params![part.kind.to_string(), part.index],
            |row| row.get::<_, Option<String>>(0),
        );
        match start.optional()? {
            None => Ok(Position::At(None)),
            Some(None) => Ok(Position::Done),
            Some(Some(start)) => start.parse().map(|start| Position::At(Some(start))).map_err(|_| ExportError::Damaged),
        }
    }

    /// Adds a page, and the progress of its part. Returns the ids of items without a time, which have no day.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add(
        &mut self,
        part: TablePart,
        items: &[StoredItem],
        position: &Position,
    ) -> Result<Vec<String>, ExportError> {
        let kind = part.kind.to_string();
        let mut without_time = Vec::new();
        let transaction = self.database.transaction()?;
        {
            // A record that is read twice, since a page was read again, is the later one.
            let mut add = transaction.prepare_cached("INSERT OR REPLACE INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for item in items {
                let id = item.id()?;
                let Ok(received_at) = item.received_at() else {
                    without_time.push(id.to_owned());
                    continue;
                };
                let partition = item.partition().unwrap_or_default();
                add.execute(params![kind, day_of(received_at), received_at.as_millis(), partition, id, item.json()])?;
            }
        }
        let start = match position {
            Position::At(start) => start.as_ref().map(ToString::to_string),
            Position::Done => None,
        };
        transaction.execute("INSERT OR REPLACE INTO parts VALUES (?1, ?2, ?3)", params![kind, part.index, start])?;
        transaction.commit()?;
        Ok(without_time)
    }

    /// The number of items.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn count(&self) -> Result<u64, ExportError> {
        Ok(self.database.query_row("SELECT count(*) FROM items", [], |row| row.get(0))?)
    }

    /// The days of a table, and whether their file is written.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn days(&self, kind: RecordKind) -> Result<Vec<(String, bool)>, ExportError> {
        let mut days = self.database.prepare(
            "SELECT day, EXISTS (SELECT 1 FROM written WHERE written.kind = ?1 AND written.day = items.day)
             FROM items WHERE kind = ?1 GROUP BY day",
        )?;
        let days = days.query_map([kind.to_string()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(days.collect::<Result<_, _>>()?)
    }

    /// The next items of a day after one, in the order of their arrival.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn items(
        &self,
        kind: RecordKind,
        day: &str,
        after: Option<&StoredItem>,
        limit: usize,
    ) -> Result<Vec<StoredItem>, ExportError> {
        let mut items = self.database.prepare_cached(
            "SELECT item FROM items WHERE kind = ?1 AND day = ?2 AND (received_at, partition, id) > (?3, ?4, ?5)
             ORDER BY received_at, partition, id LIMIT ?6",
        )?;
        let (received_at, partition, id) = match after {
            None => (i64::MIN, "", ""),
            Some(item) => (item.received_at()?.as_millis(), item.partition().unwrap_or_default(), item.id()?),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = items.query_map(params![kind.to_string(), day, received_at, partition, id, limit], |row| {
            row.get::<_, String>(0)
        })?;
        found.map(|json| StoredItem::from_json(kind, &json?).map_err(|_| ExportError::Damaged)).collect()
    }

    /// Notes that the file of a day is written.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn set_written(&self, kind: RecordKind, day: &str) -> Result<(), ExportError> {
        self.database.execute("INSERT OR IGNORE INTO written VALUES (?1, ?2)", params![kind.to_string(), day])?;
        Ok(())
    }

    /// Deletes the database: the export is complete.
    ///
    /// # Errors
    /// A file cannot be deleted.
    pub fn remove(self) -> Result<(), ExportError> {
        let Spool { database, path } = self;
        database.close().map_err(|(_, error)| error)?;
        fs::remove_file(&path).map_err(|error| ExportError::Write { path, error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(id: &str, received_at: &str) -> StoredItem {
        let json = format!(r#"{{"activityId":"{id}","receivedAt":"{received_at}"}}"#);
        StoredItem::from_json(RecordKind::Activities, &json).expect("an item")
    }

    #[test]
    fn an_interrupted_export_continues_at_the_page_that_it_had_not_read() {
        let directory = tempfile::tempdir().expect("a directory");
        let folder = directory.path().join("export");
        let part = TablePart { kind: RecordKind::Activities, index: 1, of: 2 };
        let next: Start = r#"{"activityId":"a-2"}"#.parse().expect("a start");
        let mut spool = Spool::open(&folder, "a store").expect("a spool");
        assert_eq!(spool.position(part).expect("a position"), Position::At(None));
        let page = [activity("a-2", "2026-01-02T00:00:00.000Z"), activity("a-1", "2026-01-01T23:59:59.999Z")];
        let at = Position::At(Some(next));
        assert!(spool.add(part, &page, &at).expect("added").is_empty());
        drop(spool);

        assert!(matches!(Spool::open(&folder, "another"), Err(ExportError::Other { .. })));
        let mut spool = Spool::open(&folder, "a store").expect("a spool");
        assert_eq!(spool.position(part).expect("a position"), at);
        let without_time = StoredItem::from_json(RecordKind::Activities, r#"{"activityId":"a-3"}"#).expect("an item");
        let page = [activity("a-0", "2026-01-02T00:00:00.000Z"), without_time];
        assert_eq!(spool.add(part, &page, &Position::Done).expect("added"), ["a-3"]);
        assert_eq!(spool.position(part).expect("a position"), Position::Done);
        assert_eq!(spool.count().expect("a count"), 3);
        spool.set_written(RecordKind::Activities, "2026-01-01").expect("written");
        let days = [("2026-01-01".to_owned(), true), ("2026-01-02".to_owned(), false)];
        assert_eq!(spool.days(RecordKind::Activities).expect("days"), days);

        // One at a time, by arrival and then by id.
        let mut ids = Vec::new();
        let mut after = None;
        while let [item] = &spool.items(RecordKind::Activities, "2026-01-02", after.as_ref(), 1).expect("items")[..] {
            ids.push(item.id().expect("an id").to_owned());
            after = Some(item.clone());
        }
        assert_eq!(ids, ["a-0", "a-2"]);
        spool.remove().expect("removed");
        assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 0);
    }
}
