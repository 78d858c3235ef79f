//! Sums by member and attribute, and aliases, in a temporary database on disk.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};

/// Number of sums that are kept in memory before they are written.
const BUFFERED_SUMS: usize = 50_000;
/// The attribute that marks members with records whose counters are unknown.
const PARTIAL: &str = "";

/// Sums by member and attribute, and the aliases of members.
pub(super) struct Sums {
    database: Connection,
    buffer: HashMap<(String, String), u64>,
}

/// The sums of one member.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MemberSums {
    /// By attribute.
    pub sums: BTreeMap<String, u64>,
    /// True if the counters of a record are unknown: counters may be higher than their sums.
    pub is_partial: bool,
}

impl MemberSums {
    pub fn add(&mut self, name: String, amount: u64) {
        let sum = self.sums.entry(name).or_default();
        *sum = sum.saturating_add(amount);
    }
}

impl Sums {
    /// # Errors
    /// The database cannot be created.
    pub fn new() -> Result<Self, rusqlite::Error> {
        // An empty name is a private database in a temporary file, which SQLite deletes.
        let database = Connection::open("")?;
        database.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
             CREATE TABLE sums (member TEXT, name TEXT, sum INTEGER, PRIMARY KEY (member, name)) WITHOUT ROWID;
             CREATE TABLE aliases (member TEXT, player TEXT, PRIMARY KEY (member, player)) WITHOUT ROWID;",
        )?;
        Ok(Sums { database, buffer: HashMap::new() })
    }

    /// Adds what one record added to a member.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add(&mut self, member: &str, adds: &[(String, u64)], is_partial: bool) -> Result<(), rusqlite::Error> {
        let mark = is_partial.then_some((PARTIAL, 1));
        for (name, amount) in adds.iter().map(|(name, amount)| (name.as_str(), *amount)).chain(mark) {
            let sum = self.buffer.entry((member.to_owned(), name.to_owned())).or_default();
            *sum = sum.saturating_add(amount);
        }
        if self.buffer.len() >= BUFFERED_SUMS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), rusqlite::Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let transaction = self.database.transaction()?;
        {
            let mut add = transaction.prepare_cached(
                "INSERT INTO sums VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET sum = sum + excluded.sum",
            )?;
            for ((member, name), sum) in self.buffer.drain() {
                add.execute(params![member, name, i64::try_from(sum).unwrap_or(i64::MAX)])?;
            }
        }
        transaction.commit()
    }

    /// Notes that a player is an alias of a member.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn add_alias(&self, member: &str, player: &str) -> Result<(), rusqlite::Error> {
        let mut add = self.database.prepare_cached("INSERT OR IGNORE INTO aliases VALUES (?1, ?2)")?;
        add.execute([member, player])?;
        Ok(())
    }

    /// Returns the players that are aliases of a member.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn aliases_of(&self, member: &str) -> Result<Vec<String>, rusqlite::Error> {
        let mut aliases = self.database.prepare_cached("SELECT player FROM aliases WHERE member = ?1")?;
        aliases.query_map([member], |row| row.get(0))?.collect()
    }

    /// Removes and returns the sums of a member.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub fn take(&mut self, member: &str) -> Result<MemberSums, rusqlite::Error> {
        self.flush()?;
        let mut taken = MemberSums::default();
        let mut rows = self.database.prepare_cached("DELETE FROM sums WHERE member = ?1 RETURNING name, sum")?;
        let rows = rows.query_map([member], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (name, sum) = row?;
            if name == PARTIAL {
                taken.is_partial = true;
            } else {
                taken.sums.insert(name, u64::try_from(sum).unwrap_or(0));
            }
        }
        Ok(taken)
    }

    /// Returns up to `limit` members that were not taken.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn left(&mut self, limit: u32) -> Result<Vec<String>, rusqlite::Error> {
        self.flush()?;
        let mut members = self.database.prepare_cached("SELECT DISTINCT member FROM sums LIMIT ?1")?;
        members.query_map([limit], |row| row.get(0))?.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_same_whether_they_were_written_in_between_or_not() {
        let mut sums = Sums::new().expect("a database");
        for round in 0..3 {
            for member in 0..BUFFERED_SUMS / 2 {
                let adds = [("a".to_owned(), 2), ("b".to_owned(), u64::from(member == 7))];
                sums.add(&format!("m{member}"), &adds, member == 9 && round == 1).expect("added");
            }
        }
        let expected = |b| BTreeMap::from([("a".to_owned(), 6), ("b".to_owned(), b)]);
        assert_eq!(sums.take("m7").expect("sums"), MemberSums { sums: expected(3), is_partial: false });
        assert_eq!(sums.take("m9").expect("sums"), MemberSums { sums: expected(0), is_partial: true });
        assert_eq!(sums.take("m7").expect("sums"), MemberSums::default());
        assert_eq!(sums.left(u32::MAX).expect("members").len(), BUFFERED_SUMS / 2 - 2);
    }
}
