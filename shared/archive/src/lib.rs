//! The archive: records as Parquet files.
//!
//! ```text
//! records/KIND/day=YYYY-MM-DD/NAME.parquet    KIND is client_events, activities or player_events; day in UTC
//! records/catalogs/version=N.json             each applied catalog, as stored
//! ```
//!
//! A file is never changed. A record that changes later, such as an activity that is reversed, is a further row with a
//! greater sequence number; one that is deleted is a row that is marked as removed and has no content. A row may be in
//! several files. A reader takes, for each partition and id, the row with the greatest sequence number.

mod columns;
mod file;
mod folder;
mod layout;
mod row;

pub use columns::{Column, ColumnType, columns};
pub use file::{ArchiveError, FileWriter, read, rows, write};
pub use folder::{Folder, FolderError};
pub use layout::{catalog_path, day_of, day_path, file_path};
pub use row::{Cell, Row};
