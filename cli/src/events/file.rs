//! Events in a file, one a line.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

/// Only the owner has access, as to the data.
const FILE_MODE: u32 = 0o600;
/// Bytes that are read at once to find the last whole line.
const CHUNK_BYTES: u64 = 64 * 1024;

/// A file of events.
#[derive(Debug)]
pub struct EventFile {
    file: File,
    /// The length of the whole lines.
    length: u64,
}

impl EventFile {
    /// Opens or creates the file, and cuts a last line that a crash left incomplete: its event is still to be delivered.
    ///
    /// # Errors
    /// The file cannot be used, or another process writes it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE).open(path)?;
        file.try_lock()?;
        let length = whole_lines(&mut file)?;
        file.set_len(length)?;
        file.sync_all()?;
        // Makes the name of a new file durable.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent)?.sync_all()?;
        Ok(EventFile { file, length })
    }

    /// Appends lines, and returns when they are on disk.
    ///
    /// # Errors
    /// The file cannot be written. Nothing of the lines remains in it, unless cutting it fails too.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        match self.file.write_all(lines).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.length += u64::try_from(lines.len()).unwrap_or(u64::MAX);
                Ok(())
            }
            Err(error) => {
                self.file.set_len(self.length)?;
                Err(error)
            }
        }
    }
}

/// Returns the length up to the end of the last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut chunk = Vec::new();
        Read::by_ref(file).take(end - start).read_to_end(&mut chunk)?;
        if let Some(newline) = chunk.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + u64::try_from(newline).unwrap_or(0) + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_incomplete_last_line_is_cut_and_whole_lines_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("events");
        let long = "x".repeat(200_000);
        for (before, kept) in [
            (String::new(), String::new()),
            ("{}\n".to_owned(), "{}\n".to_owned()),
            ("{}\n{\"a".to_owned(), "{}\n".to_owned()),
            (format!("{{}}\n{long}"), "{}\n".to_owned()),
            (long, String::new()),
        ] {
            fs::write(&path, before).expect("written");
            let mut file = EventFile::open(&path).expect("a file");
            assert!(EventFile::open(&path).is_err(), "one process at a time");
            file.append(b"{\"b\":1}\n").expect("appended");
            assert_eq!(fs::read_to_string(&path).expect("read"), format!("{kept}{{\"b\":1}}\n"));
        }
    }
}
