//! The temporary database of an export: items by table and day, and how far each part of a table was read.

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

/// How far a part of a table was read.
#[derive(Debug, PartialEq)]
pub(super) enum Position {
    /// Up to here. `None`: not at all.
    At(Option<Start>),
    /// To its end.
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

    /// How far a part was read.
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

    /// Adds a page, and how far its part was read. Returns the ids of items without a time, which have no day.
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
