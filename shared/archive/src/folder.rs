//! An archive in a folder of this machine: an export, or a copy of the bucket.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use punchcard_rewards::Catalog;
use punchcard_store::{RecordKind, StoreError, StoredItem};
use sha2::{Digest as _, Sha256};

use crate::{
    file::{ArchiveError, rows},
    layout::{ROOT, catalog_path},
    row::Row,
};

/// An archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is no archive in the folder.
    #[error("there is no archive in {}: it has no folder {ROOT}", .0.display())]
    NoArchive(PathBuf),
    /// A file or folder cannot be read.
    #[error("can't read {}: {error}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// A file has other content than it should.
    #[error("{}: {error}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The cause.
        error: ArchiveError,
    },
    /// A record of a file cannot be read.
    #[error("{}: a record cannot be read: {error}", path.display())]
    Record {
        /// The file's path.
        path: PathBuf,
        /// The cause.
        error: StoreError,
    },
    /// A catalog cannot be read.
    #[error("{} is not a catalog that this version can read", .0.display())]
    Catalog(PathBuf),
}

/// An archive in a folder.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
}

/// The digest of a record's key. Half of a SHA-256: no two records share it.
type Key = [u8; 16];

/// The last state of each tombstone so far, with its sequence number.
type Tombstones = HashMap<Key, (Option<String>, StoredItem)>;

/// The files of a table for one day.
#[derive(Debug)]
struct Day {
    kind: RecordKind,
    files: Vec<PathBuf>,
}

impl Folder {
    /// Opens an archive.
    ///
    /// # Errors
    /// There is none.
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let folder = Folder { root: root.to_owned() };
        if folder.root.join(ROOT).is_dir() { Ok(folder) } else { Err(FolderError::NoArchive(folder.root)) }
    }

    /// Calls `each` with the last state of every record of a table that was not deleted, day by day, and then with those
    /// of the tombstones: a tombstone is pending on the day of the erasure, and then complete on that of its record.
    ///
    /// # Errors
    /// A file cannot be read, or `each` failed.
    pub fn read<E: From<FolderError>>(
        &self,
        kind: RecordKind,
        mut each: impl FnMut(StoredItem) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut tombstones = HashMap::new();
        for day in self.days(kind)? {
            day.read(&mut tombstones, &mut each)?;
        }
        tombstones.into_values().try_for_each(|(_, tombstone)| each(tombstone))
    }

    /// The applied catalogs, by version.
    ///
    /// # Errors
    /// A catalog cannot be read.
    pub fn catalogs(&self) -> Result<HashMap<u64, Arc<Catalog>>, FolderError> {
        let mut catalogs = HashMap::from([(0, Arc::default())]);
        for (version, json) in self.catalogs_json()? {
            let invalid = |_| FolderError::Catalog(self.root.join(catalog_path(version)));
            catalogs.insert(version, Arc::new(Catalog::from_json(&json).map_err(invalid)?));
        }
        Ok(catalogs)
    }

    /// The applied catalogs as they are stored, in the order of their versions.
    ///
    /// # Errors
    /// A catalog cannot be read.
    pub fn catalogs_json(&self) -> Result<Vec<(u64, String)>, FolderError> {
        let mut catalogs = Vec::new();
        for path in entries(&self.root.join(ROOT).join("catalogs"))? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let version = name.strip_prefix("version=").and_then(|name| name.strip_suffix(".json"));
            let Some(version) = version.and_then(|version| version.parse().ok()) else { continue };
            let json = fs::read_to_string(&path).map_err(|error| FolderError::Read { path, error })?;
            catalogs.push((version, json));
        }
        catalogs.sort_unstable_by_key(|(version, _)| *version);
        Ok(catalogs)
    }

    fn days(&self, kind: RecordKind) -> Result<Vec<Day>, FolderError> {
        let mut days = Vec::new();
        for path in entries(&self.root.join(ROOT).join(kind.to_string()))? {
            let mut files = entries(&path)?;
            files.retain(|file| file.extension().is_some_and(|extension| extension == "parquet"));
            days.push(Day { kind, files });
        }
        Ok(days)
    }
}

impl Day {
    /// Reads the files twice if they may have a record more than once: first which row of it is the last.
    fn read<E: From<FolderError>>(
        &self,
        tombstones: &mut Tombstones,
        each: &mut impl FnMut(StoredItem) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut last: HashMap<Key, (Option<String>, usize)> = HashMap::new();
        let mut number = 0;
        if self.files.len() > 1 || self.has_sequence_numbers()? {
            self.rows(|row, _| {
                let place = (row.text("sequence_number").map(str::to_owned), number);
                number += 1;
                let held = last.entry(digest(&row)).or_insert_with(|| place.clone());
                // An absent number is the smallest.
                if held.0 <= place.0 {
                    *held = place;
                }
                Ok::<_, E>(())
            })?;
        }
        number = 0;
        self.rows(|row, path| {
            let key = digest(&row);
            let is_last = last.get(&key).is_none_or(|(_, last)| *last == number);
            number += 1;
            let failed = |error| FolderError::Record { path: path.to_owned(), error };
            let Some(item) = row.item().map_err(failed)?.filter(|_| is_last) else { return Ok(()) };
            if !row.is_tombstone() {
                return each(item);
            }
            let sequence_number = row.text("sequence_number").map(str::to_owned);
            if tombstones.get(&key).is_none_or(|(held, _)| *held <= sequence_number) {
                tombstones.insert(key, (sequence_number, item));
            }
            Ok(())
        })
    }

    fn has_sequence_numbers(&self) -> Result<bool, FolderError> {
        let Some(path) = self.files.first() else { return Ok(false) };
        let failed = |error| FolderError::File { path: path.clone(), error };
        let first = rows(self.kind, open(path)?).map_err(failed)?.next().transpose().map_err(failed)?;
        Ok(first.is_some_and(|row| row.text("sequence_number").is_some()))
    }

    fn rows<E: From<FolderError>>(&self, mut each: impl FnMut(Row, &Path) -> Result<(), E>) -> Result<(), E> {
        for path in &self.files {
            let failed = |error| FolderError::File { path: path.clone(), error };
            for row in rows(self.kind, open(path)?).map_err(failed)? {
                each(row.map_err(failed)?, path)?;
            }
        }
        Ok(())
    }
}

fn digest(row: &Row) -> Key {
    let (partition, id) = row.key();
    let hash = Sha256::new().chain_update(partition).chain_update([0]).chain_update(id).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    half
}

fn open(path: &Path) -> Result<File, FolderError> {
    File::open(path).map_err(|error| FolderError::Read { path: path.to_owned(), error })
}

/// The entries of a folder, ordered by name. A folder that does not exist has none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let failed = |error| FolderError::Read { path: folder.to_owned(), error };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>().map_err(failed)?;
    paths.sort_unstable();
    Ok(paths)
}
