//! The temporary database of a backtest: all records, in the order of their arrival, and the awards of those that are reversed
//! or refunded later.

use punchcard_store::{RecordKind, StoredItem};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::BacktestError;

/// Number of records that are read at once.
const PAGE: i64 = 1000;

/// The place of a record in the order: its arrival, and its id, and its row.
pub(super) type Place = (i64, String, i64);

/// The temporary database.
#[derive(Debug)]
pub(super) struct Spool {
    database: Connection,
}

impl Spool {
    /// # Errors
    /// The database cannot be created.
    pub fn new() -> Result<Self, BacktestError> {
        // An empty name is a private database in a temporary file, which SQLite deletes.
        let database = Connection::open("")?;
        database.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;
             CREATE TABLE items (row INTEGER PRIMARY KEY, received_at INTEGER, id TEXT, kind INTEGER, item TEXT);
             CREATE TABLE earned (record TEXT PRIMARY KEY, earned TEXT) WITHOUT ROWID;",
        )?;
        Ok(Spool { database })
    }

    /// Adds records, in any order. Returns how many have no readable time; they are left out.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add(&mut self, items: &[StoredItem]) -> Result<u64, BacktestError> {
        let mut without_time = 0;
        let transaction = self.database.transaction()?;
        {
            let mut add = transaction
                .prepare_cached("INSERT INTO items (received_at, id, kind, item) VALUES (?1, ?2, ?3, ?4)")?;
            for item in items {
                let (Ok(received_at), Ok(id)) = (item.received_at(), item.id()) else {
                    without_time += 1;
                    continue;
                };
                let id = format!("{id} {}", item.partition().unwrap_or_default());
                let is_player = item.kind() == RecordKind::PlayerEvents;
                add.execute(params![received_at.as_millis(), id, is_player, item.json()])?;
            }
        }
        transaction.commit()?;
        Ok(without_time)
    }

    /// Orders the records that were added. Returns their number.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn index(&self) -> Result<u64, BacktestError> {
        // Sorting once is faster than keeping an order while records are added.
        self.database.execute_batch("CREATE INDEX items_in_order ON items (received_at, id, row)")?;
        Ok(self.database.query_row("SELECT count(*) FROM items", [], |row| row.get(0))?)
    }

    /// The next records after a place, in order, and the place of the last of them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn after(&self, place: Option<Place>) -> Result<(Vec<StoredItem>, Option<Place>), BacktestError> {
        let mut items = self.database.prepare_cached(
            "SELECT received_at, id, row, kind, item FROM items WHERE (received_at, id, row) > (?1, ?2, ?3)
             ORDER BY received_at, id, row LIMIT ?4",
        )?;
        let (received_at, id, row) = place.unwrap_or((i64::MIN, String::new(), 0));
        let mut rows = items.query(params![received_at, id, row, PAGE])?;
        let (mut found, mut last) = (Vec::new(), None);
        while let Some(row) = rows.next()? {
            let kind = if row.get(3)? { RecordKind::PlayerEvents } else { RecordKind::Activities };
            let json: String = row.get(4)?;
            found.push(StoredItem::from_json(kind, &json).map_err(|_| BacktestError::Damaged)?);
            last = Some((row.get(0)?, row.get(1)?, row.get(2)?));
        }
        Ok((found, last))
    }

    /// Stores the award of a record, as JSON.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn remember(&self, record: &str, earned: &str) -> Result<(), BacktestError> {
        let mut add = self.database.prepare_cached("INSERT OR REPLACE INTO earned VALUES (?1, ?2)")?;
        add.execute([record, earned])?;
        Ok(())
    }

    /// Returns the award of a record.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn remembered(&self, record: &str) -> Result<Option<String>, BacktestError> {
        let mut earned = self.database.prepare_cached("SELECT earned FROM earned WHERE record = ?1")?;
        Ok(earned.query_row([record], |row| row.get(0)).optional()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, received_at: &str) -> StoredItem {
        let json = format!(r#"{{"activityId":"{id}","receivedAt":"{received_at}"}}"#);
        StoredItem::from_json(RecordKind::Activities, &json).expect("an item")
    }

    #[test]
    fn records_come_back_in_the_order_of_their_arrival_over_all_pages() {
        let mut spool = Spool::new().expect("a database");
        let count = 2 * PAGE + 7;
        // Pairs of one millisecond, added from the last to the first.
        let items: Vec<_> = (0..count)
            .rev()
            .map(|number| {
                let millis = number / 2;
                let time = format!("2026-01-01T00:00:{:02}.{:03}Z", millis / 1000, millis % 1000);
                item(&format!("a-{number:05}"), &time)
            })
            .collect();
        assert_eq!(spool.add(&items).expect("added"), 0);
        assert_eq!(i64::try_from(spool.index().expect("ordered")), Ok(count));
        let (mut read, mut place) = (Vec::new(), None);
        loop {
            let (page, last) = spool.after(place).expect("a page");
            if page.is_empty() {
                break;
            }
            read.extend(page);
            place = last;
        }
        let mut expected = items;
        expected.reverse();
        assert_eq!(read, expected);
    }

    #[test]
    fn a_record_without_a_time_is_counted_and_left_out() {
        let mut spool = Spool::new().expect("a database");
        let none = StoredItem::from_json(RecordKind::Activities, r#"{"activityId":"a"}"#).expect("an item");
        assert_eq!(spool.add(&[none, item("b", "yesterday")]).expect("added"), 2);
        assert_eq!(spool.index().expect("ordered"), 0);
    }

    #[test]
    fn what_a_record_earned_is_remembered_under_its_name() {
        let spool = Spool::new().expect("a database");
        spool.remember("activity a", "{}").expect("remembered");
        assert_eq!(spool.remembered("activity a").expect("read").as_deref(), Some("{}"));
        assert_eq!(spool.remembered("activity b").expect("read"), None);
    }
}
