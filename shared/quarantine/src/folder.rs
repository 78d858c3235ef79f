//! Entries as encrypted files of a directory.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use punchcard_models::timestamp::Timestamp;

use crate::{
    Entry, EntryError, EntryName,
    seal::{NoRandomness, Seal, Unopened},
};

/// The end of a file's name, after the entry's.
const SUFFIX: &str = ".sealed";
/// The end of the name of a file that is being written.
const UNFINISHED: &str = ".unfinished";
/// The time after which an unfinished file is what a killed process left.
const ABANDONED_AFTER: Duration = Duration::from_mins(1);
/// Size of a small file on most file systems.
const BLOCK_BYTES: u64 = 4096;
/// Only the owner has access, as to the store.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;

/// The limits of a folder.
#[derive(Debug, Clone, Copy)]
pub struct FolderLimits {
    /// The space that the files take. The oldest are deleted.
    pub bytes: u64,
    /// The time that an entry is kept.
    pub age: Duration,
}

/// A directory of entries. Its operations block.
#[derive(Debug)]
pub struct Folder {
    directory: PathBuf,
    seal: Seal,
}

/// A folder cannot be used, or an entry in it.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The directory or a file cannot be read or written.
    #[error("{}: {}", .0.display(), .1)]
    Io(PathBuf, #[source] io::Error),
    /// The key of the store has another length.
    #[error("the key of the quarantine is not valid")]
    Key,
    /// The system's random number generator failed, so nothing can be encrypted.
    #[error("the system's random number generator failed")]
    NoRandomness,
    /// A file cannot be decrypted.
    #[error("{} cannot be opened: {}", .0.display(), .1)]
    Unopened(PathBuf, #[source] Unopened),
    /// A file has no entry that this version can read.
    #[error("{} cannot be read: {}", .0.display(), .1)]
    Entry(PathBuf, #[source] EntryError),
    /// An entry cannot be serialised.
    #[error("the entry cannot be serialised: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<NoRandomness> for FolderError {
    fn from(_: NoRandomness) -> Self {
        FolderError::NoRandomness
    }
}

impl Folder {
    /// Opens a folder whose files are encrypted with `key`, and creates it if it does not exist.
    ///
    /// # Errors
    /// The directory cannot be created, or the key is not valid.
    pub fn create(directory: &Path, key: &[u8]) -> Result<Self, FolderError> {
        let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
        made.map_err(|error| FolderError::Io(directory.to_owned(), error))?;
        let folder = Self::open(directory, key)?;
        // The mode of a directory with other files, such as a home directory, is not changed.
        if fs::read_dir(directory)
            .is_ok_and(|files| files.flatten().all(|file| is_ours(&file.file_name().to_string_lossy())))
        {
            let private = Permissions::from_mode(DIRECTORY_MODE);
            fs::set_permissions(directory, private).map_err(|error| FolderError::Io(directory.to_owned(), error))?;
        }
        Ok(folder)
    }

    /// Opens a folder that exists.
    ///
    /// # Errors
    /// There is no such directory, or the key is not valid.
    pub fn open(directory: &Path, key: &[u8]) -> Result<Self, FolderError> {
        let seal = Seal::new(key).ok_or(FolderError::Key)?;
        fs::read_dir(directory).map_err(|error| FolderError::Io(directory.to_owned(), error))?;
        Ok(Folder { directory: directory.to_owned(), seal })
    }

    /// Returns the names of all entries, oldest first.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn names(&self) -> Result<Vec<EntryName>, FolderError> {
        let io = |error| FolderError::Io(self.directory.clone(), error);
        let mut names = Vec::new();
        for file in fs::read_dir(&self.directory).map_err(io)? {
            names.extend(name_of(&file.map_err(io)?.file_name().to_string_lossy()));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads an entry. `None` if there is none of this name, for example since it has expired.
    ///
    /// # Errors
    /// The file cannot be read, was changed, or was encrypted with another key.
    pub fn read(&self, name: &EntryName) -> Result<Option<Entry>, FolderError> {
        let path = self.path(name);
        let sealed = match fs::read(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FolderError::Io(path, error)),
        };
        let json = self.seal.open(&name.to_string(), &sealed);
        let json = json.map_err(|unopened| FolderError::Unopened(path.clone(), unopened))?;
        Entry::from_json(&json, name).map(Some).map_err(|error| FolderError::Entry(path, error))
    }

    /// Writes an entry. A process that is killed leaves the whole file or none under the entry's name.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, entry: &Entry) -> Result<(), FolderError> {
        let name = entry.name();
        let sealed = self.seal.seal(&name.to_string(), entry.to_json()?.as_bytes())?;
        let (path, unfinished) = (self.path(&name), self.directory.join(format!("{name}{UNFINISHED}")));
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&unfinished)?;
            file.write_all(&sealed)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(|error| {
            fs::remove_file(&unfinished).ok();
            FolderError::Io(path.clone(), error)
        })
    }

    /// Deletes an entry, if it exists.
    ///
    /// # Errors
    /// The file cannot be deleted.
    pub fn remove(&self, name: &EntryName) -> Result<(), FolderError> {
        remove(&self.path(name))
    }

    /// Deletes entries beyond the limits, the oldest first, and what killed processes left. Returns how many entries
    /// were deleted.
    ///
    /// # Errors
    /// The directory cannot be read, or a file cannot be deleted.
    pub fn prune(&self, limits: FolderLimits, now: Timestamp) -> Result<usize, FolderError> {
        let io = |error| FolderError::Io(self.directory.clone(), error);
        let mut kept = Vec::new();
        let mut deleted = 0;
        for file in fs::read_dir(&self.directory).map_err(io)? {
            let file = file.map_err(io)?;
            let file_name = file.file_name();
            let file_name = file_name.to_string_lossy();
            let is_older = |name: &EntryName, age| name.id.received_at().after(age) < now;
            if let Some(name) = file_name.strip_suffix(UNFINISHED).and_then(|name| name.parse().ok()) {
                if is_older(&name, ABANDONED_AFTER) {
                    remove(&file.path())?;
                }
            } else if let Some(name) = name_of(&file_name) {
                if is_older(&name, limits.age) {
                    remove(&file.path())?;
                    deleted += 1;
                } else if let Ok(about) = file.metadata() {
                    kept.push((name, about.len().max(BLOCK_BYTES)));
                }
            }
        }
        kept.sort_unstable();
        let mut bytes: u64 = kept.iter().map(|(_, bytes)| bytes).sum();
        for (name, freed) in kept {
            if bytes <= limits.bytes {
                break;
            }
            self.remove(&name)?;
            bytes -= freed;
            deleted += 1;
        }
        Ok(deleted)
    }

    fn path(&self, name: &EntryName) -> PathBuf {
        self.directory.join(format!("{name}{SUFFIX}"))
    }
}

fn name_of(file_name: &str) -> Option<EntryName> {
    file_name.strip_suffix(SUFFIX)?.parse().ok()
}

fn is_ours(file_name: &str) -> bool {
    let name = file_name.strip_suffix(SUFFIX).or_else(|| file_name.strip_suffix(UNFINISHED));
    name.is_some_and(|name| name.parse::<EntryName>().is_ok())
}

/// Deletes a file, which another process may have deleted already.
fn remove(path: &Path) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FolderError::Io(path.to_owned(), error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KEY_BYTES, entry::tests::entry};

    const KEY: [u8; KEY_BYTES] = [7; KEY_BYTES];
    const NO_LIMITS: FolderLimits = FolderLimits { bytes: u64::MAX, age: Duration::from_hours(24 * 365) };

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it exists").permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_and_not_readable_and_hold_what_was_written() {
        let directory = tempfile::tempdir().expect("a directory");
        let directory = directory.path().join("new");
        let folder = Folder::create(&directory, &KEY).expect("a folder");
        let (second, first) = (entry(2_000), entry(1_000));
        for entry in [&second, &first] {
            folder.write(entry).expect("written");
        }
        assert_eq!(mode(&directory), 0o700);
        assert_eq!(folder.names().expect("names"), [first.name(), second.name()]);
        for entry in [first, second] {
            let path = folder.path(&entry.name());
            assert_eq!(mode(&path), 0o600);
            let raw = fs::read(path).expect("a file");
            assert!(!raw.windows(8).any(|window| window == b"readable"));
            assert_eq!(folder.read(&entry.name()).expect("read"), Some(entry.clone()));
            folder.remove(&entry.name()).expect("removed");
            folder.remove(&entry.name()).expect("removed before");
            assert_eq!(folder.read(&entry.name()).expect("read"), None);
        }
        assert_eq!(fs::read_dir(&directory).expect("a directory").count(), 0);
    }

    #[test]
    fn a_file_that_was_changed_or_renamed_or_is_of_another_store_says_so() {
        let directory = tempfile::tempdir().expect("a directory");
        let folder = Folder::create(directory.path(), &KEY).expect("a folder");
        let (one, other) = (entry(1_000), entry(2_000));
        folder.write(&one).expect("written");
        let unopened = |folder: &Folder, name: &EntryName| {
            let error = folder.read(name).expect_err("an error");
            assert!(matches!(error, FolderError::Unopened(..)), "{error}");
            assert!(
                error.to_string().ends_with("it was changed, or encrypted with the key of another store"),
                "{error}"
            );
        };
        unopened(&Folder::open(directory.path(), &[8; KEY_BYTES]).expect("a folder"), &one.name());
        fs::copy(folder.path(&one.name()), folder.path(&other.name())).expect("copied");
        unopened(&folder, &other.name());
        let mut raw = fs::read(folder.path(&one.name())).expect("a file");
        raw[20] ^= 1;
        fs::write(folder.path(&one.name()), raw).expect("written");
        unopened(&folder, &one.name());
        assert!(matches!(Folder::open(directory.path(), b"short"), Err(FolderError::Key)));
        assert!(matches!(Folder::open(&directory.path().join("none"), &KEY), Err(FolderError::Io(..))));
    }

    #[test]
    fn concurrent_writers_keep_the_limit_and_no_partial_files() {
        let directory = tempfile::tempdir().expect("a directory");
        let limits = FolderLimits { bytes: 5 * BLOCK_BYTES, ..NO_LIMITS };
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let folder = Folder::create(directory.path(), &KEY).expect("a folder");
                scope.spawn(move || {
                    for number in 0..20 {
                        folder.write(&entry(writer + 10 * number)).expect("written");
                        folder.prune(limits, Timestamp::from_millis(1_000)).expect("pruned");
                    }
                });
            }
        });
        let folder = Folder::open(directory.path(), &KEY).expect("a folder");
        folder.prune(limits, Timestamp::from_millis(1_000)).expect("pruned");
        let names = folder.names().expect("names");
        assert_eq!(names.len(), 5);
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 5);
        // Those of the latest times, since each writer deletes the oldest only.
        assert!(names.iter().all(|name| name.id.received_at() >= Timestamp::from_millis(150)), "{names:?}");
        for name in names {
            folder.read(&name).expect("whole").expect("not deleted");
        }
    }

    #[test]
    fn the_oldest_entries_are_deleted_beyond_the_limits_and_other_files_never() {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("mine.txt"), "mine").expect("written");
        let folder = Folder::create(directory.path(), &KEY).expect("a folder");
        let entries: Vec<_> = (1..=5).map(|second| entry(second * 1_000)).collect();
        for entry in &entries {
            folder.write(entry).expect("written");
        }
        let now = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let names = || folder.names().expect("names");
        assert_eq!(folder.prune(NO_LIMITS, now(5)).expect("pruned"), 0);
        assert_eq!(names().len(), 5);
        let expired = FolderLimits { age: Duration::from_secs(3), ..NO_LIMITS };
        assert_eq!(folder.prune(expired, now(5)).expect("pruned"), 1);
        assert_eq!(names(), entries[1..].iter().map(Entry::name).collect::<Vec<_>>());
        // Four files take a block each.
        let full = FolderLimits { bytes: 2 * BLOCK_BYTES, ..NO_LIMITS };
        assert_eq!(folder.prune(full, now(5)).expect("pruned"), 2);
        assert_eq!(names(), entries[3..].iter().map(Entry::name).collect::<Vec<_>>());
        let unfinished = directory.path().join(format!("{}{UNFINISHED}", entries[0].name()));
        fs::write(&unfinished, "half").expect("written");
        folder.prune(NO_LIMITS, now(5)).expect("pruned");
        assert!(unfinished.exists(), "it may still be written");
        folder.prune(NO_LIMITS, now(62)).expect("pruned");
        assert!(!unfinished.exists());
        assert!(directory.path().join("mine.txt").exists());
    }
}
