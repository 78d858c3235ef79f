//! The embedded store: DynamoDB on SQLite, in this process, behind the same SDK calls as AWS's.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use clap::Args;
use dynoxide::Database;
use punchcard_store::{Store, Tables};

use crate::{failure::Failure, in_process::InProcess, tables};

/// The prefix of the tables' names: what a stack named `punchcard` has on AWS.
pub const TABLE_PREFIX: &str = "punchcard-";

/// The database of `serve` and `store`.
pub const FILE: &str = "store.db";
/// The database of `--demo`, apart from the other one because its credentials are public.
pub const DEMO_FILE: &str = "demo.db";
/// A loopback address with any free port.
pub const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The suffixes of SQLite's files beside a database.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];
/// The data holds signing keys, so its files are the owner's alone.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// Location of the data.
#[derive(Debug, Args)]
pub struct Place {
    /// The directory that keeps the data
    #[arg(long, value_name = "DIR", default_value = ".punchcard")]
    data: PathBuf,
    /// Keep the data in memory only, and forget it at the end
    #[arg(long, conflicts_with = "data")]
    memory: bool,
}

impl Place {
    /// Opens the database `name` of this place.
    ///
    /// # Errors
    /// The directory can't be made, or the database can't be opened.
    pub fn open(&self, name: &str) -> Result<Database, Failure> {
        if self.memory {
            return Database::memory().map_err(|error| Failure::Embedded(error.to_string()));
        }
        open(&self.data, name)
    }

    /// Describes the place to a person.
    #[must_use]
    pub fn describe(&self) -> String {
        if self.memory { "memory, forgotten at the end".to_owned() } else { self.data.display().to_string() }
    }
}

/// Opens the database `name` in a directory. Makes both if they don't exist, readable by their owner alone, and
/// tightens the permissions of existing ones.
///
/// # Errors
/// The directory can't be made, or the database can't be opened.
pub fn open(directory: &Path, name: &str) -> Result<Database, Failure> {
    let file = directory.join(name);
    make_private(directory, &file).map_err(|error| Failure::Data(directory.to_owned(), error))?;
    Database::new(&file.to_string_lossy()).map_err(|error| Failure::Embedded(error.to_string()))
}

fn make_private(directory: &Path, file: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
    // A directory that is also used for something else, such as a home directory, keeps its mode.
    if holds_nothing_else(directory)? {
        fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?;
    }
    // SQLite gives the files beside the database its mode; an empty file is a new database to it.
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

/// Makes the tables that a database lacks, and returns the store on it.
///
/// # Errors
/// The tables can't be made.
pub async fn store(client: InProcess) -> Result<Store, Failure> {
    let store = client.store(TABLE_PREFIX);
    let tables = Tables::new(&store);
    for (name, key) in tables::of_template()? {
        tables.create(&name, &key).await?;
    }
    Ok(store)
}
