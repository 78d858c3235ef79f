//! The embedded store: an in-process DynamoDB on SQLite, used through the same SDK calls as AWS.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use dynoxide::Database;
use punchcard_store::{Admin, Store, Tables};
use rusqlite::OpenFlags;

use crate::{failure::Failure, in_process::InProcess, output::notice, tables};

/// The prefix of table names, as in a stack named `punchcard`.
pub const TABLE_PREFIX: &str = "punchcard-";

/// The database file of `serve` and `store`.
pub const FILE: &str = "store.db";
/// The database file of `--demo`. Separate, because the demo credentials are public.
pub const DEMO_FILE: &str = "demo.db";
/// Time limit of waiting for other processes that use the database.
const BUSY_LIMIT: Duration = Duration::from_secs(10);
/// A loopback address with any free port.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Suffixes of SQLite's auxiliary files.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// Only the owner has access, because the data includes signing keys.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// The location of the data.
#[derive(Debug, Args)]
pub struct DataLocation {
    /// Data directory
    #[arg(long, value_name = "DIR", default_value = ".punchcard")]
    data: PathBuf,
    /// Keep all data in memory and discard it on exit
    #[arg(long, conflicts_with = "data")]
    memory: bool,
}

impl DataLocation {
    /// Opens the database file `name`.
    ///
    /// # Errors
    /// The directory cannot be created, or the database cannot be opened.
    pub fn open(&self, name: &str) -> Result<Database, Failure> {
        if self.memory {
            return Database::memory().map_err(|error| Failure::Embedded(error.to_string()));
        }
        open(&self.data, name)
    }

    /// Returns the database file `name`, or `None` if all data is in memory.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        (!self.memory).then(|| self.data.join(name))
    }

    /// Returns the data directory, or `None` if all data is in memory.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        (!self.memory).then_some(&self.data)
    }

    /// Describes the location for display.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.memory { "in memory, discarded on exit".to_owned() } else { self.data.display().to_string() }
    }
}

/// Opens the database file `name` in a directory. Creates both if they do not exist, and restricts their permissions to
/// the owner.
///
/// # Errors
/// The directory cannot be created, or the database cannot be opened.
pub fn open(directory: &Path, name: &str) -> Result<Database, Failure> {
    let file = directory.join(name);
    make_private(directory, &file).map_err(|error| Failure::Data(directory.to_owned(), error))?;
    Database::new(&file.to_string_lossy()).map_err(|error| Failure::Embedded(error.to_string()))
}

/// Rewrites a database and empties its log, so that neither holds anything that was deleted.
///
/// # Errors
/// Another process uses the database, or the disk is full.
pub fn compact(file: &Path) -> Result<(), Failure> {
    compact_within(BUSY_LIMIT, file)
}

fn compact_within(limit: Duration, file: &Path) -> Result<(), Failure> {
    let remains = |why: String| Failure::Remains(file.to_owned(), why);
    let failed = |error: rusqlite::Error| remains(error.to_string());
    let database = rusqlite::Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    database.busy_timeout(limit).map_err(failed)?;
    database.execute_batch("VACUUM").map_err(failed)?;
    let is_busy = database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    if is_busy.map_err(failed)? { Err(remains("another process is reading it".to_owned())) } else { Ok(()) }
}

fn make_private(directory: &Path, file: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    // The mode of a directory with other files, such as a home directory, is not changed.
    if holds_nothing_else(directory)? {
        fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?;
    }
    // SQLite creates auxiliary files with the mode of the database. An empty file is a valid new database.
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(file)?;
    fs::set_permissions(file, Permissions::from_mode(FILE_MODE))?;
    for suffix in BESIDE {
        let mut beside = file.as_os_str().to_owned();
        beside.push(suffix);
        match fs::set_permissions(&beside, Permissions::from_mode(FILE_MODE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn holds_nothing_else(directory: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let ours = [FILE, DEMO_FILE].iter().filter_map(|file| name.strip_prefix(file));
        if !ours.into_iter().any(|suffix| suffix.is_empty() || BESIDE.contains(&suffix)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Creates missing tables and returns the store. A store of an earlier version is upgraded, and each step is printed.
///
/// # Errors
/// The tables cannot be created.
pub async fn store(client: InProcess) -> Result<Store, Failure> {
    let store = client.store(TABLE_PREFIX);
    let tables = Tables::new(&store);
    for table in tables::of_template()? {
        for index in tables.create(&table).await? {
            notice(format_args!("upgraded the store: added index {index} to table {}", table.name));
        }
    }
    if let Some(version) = Admin::new(&store).adopt_rules(punchcard_runtime::now()).await? {
        notice(format_args!("upgraded the store: moved catalog version {version} into the history"));
    }
    Ok(store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_database_holds_nothing_that_was_deleted_and_one_in_use_is_reported() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join(FILE);
        let open = || rusqlite::Connection::open(&file).expect("a database");
        let holds = |text: &[u8]| {
            let files = fs::read_dir(directory.path()).expect("a directory");
            let mut bytes = files.map(|file| fs::read(file.expect("a file").path()).expect("a file"));
            bytes.any(|bytes| bytes.windows(text.len()).any(|window| window == text))
        };
        let writer = open();
        let set_up = "PRAGMA journal_mode = WAL; CREATE TABLE t (text); INSERT INTO t VALUES ('canary'), ('kept');
            PRAGMA wal_checkpoint; DELETE FROM t WHERE text = 'canary'";
        writer.execute_batch(set_up).expect("written");
        assert!(holds(b"canary"));
        let reader = open();
        reader.execute_batch("BEGIN; SELECT * FROM t").expect("reading");
        let refused = compact_within(Duration::from_millis(50), &file);
        assert!(matches!(refused, Err(Failure::Remains(..))), "{refused:?}");
        reader.execute_batch("COMMIT").expect("read");
        compact(&file).expect("compacted");
        assert!(!holds(b"canary") && holds(b"kept"));
    }
}
