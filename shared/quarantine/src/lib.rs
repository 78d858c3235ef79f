//! The quarantine: rejected requests, kept so that they can be sent again once the client or the catalog is corrected.
//!
//! An [`Entry`] is a request without its credentials, and its response. One that has credentials elsewhere than in their
//! headers ([`has_credentials`]) is not to be kept. On AWS entries are objects of a bucket,
//! which S3 encrypts and deletes after some days. `punchcard serve` keeps them in a [`Folder`], which does the same
//! itself.
//!
//! ```
//! use punchcard_models::timestamp::Timestamp;
//! use punchcard_quarantine::{Entry, EntryId, kept_headers};
//! use uuid::Uuid;
//!
//! let sent = [("content-type", &b"application/json"[..]), ("apikey", b"secret")];
//! let entry = Entry {
//!     id: EntryId::new(Timestamp::from_millis(1_727_766_000_000)),
//!     request_id: Uuid::new_v4(),
//!     function: "track-event".to_owned(),
//!     method: "POST".to_owned(),
//!     path: "/integrations/event".to_owned(),
//!     headers: kept_headers(sent),
//!     body: b"{}".to_vec().into(),
//!     status: 400,
//!     response: r#"{"code":4,"message":"The PlayerUniqueId field is required."}"#.to_owned(),
//! };
//! let json = entry.to_json().unwrap();
//! assert!(!json.contains("secret"));
//! assert_eq!(Entry::from_json(json.as_bytes(), &entry.name()).unwrap(), entry);
//! ```

mod content;
mod credentials;
mod entry;
mod folder;
mod id;
mod seal;

pub use content::Content;
pub use credentials::has_credentials;
pub use entry::{Entry, EntryError, kept_headers};
pub use folder::{Folder, FolderError, FolderLimits};
pub use id::{EntryId, EntryName, InvalidEntryId, OBJECTS};
pub use seal::{KEY_BYTES, Unopened};
