//! Ids and names of entries.

use std::{fmt, str::FromStr};

use punchcard_models::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{NoContext, Uuid};

/// The id of an entry: a UUID v7 of the time at which the request arrived, so that ids sort by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct EntryId(Uuid);

/// Not the id of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id that `punchcard quarantine list` shows")]
pub struct InvalidEntryId;

impl EntryId {
    /// Creates an id.
    #[must_use]
    pub fn new(received_at: Timestamp) -> Self {
        let millis = u64::try_from(received_at.as_millis()).unwrap_or_default();
        let nanos = u32::try_from(millis % 1000 * 1_000_000).unwrap_or_default();
        EntryId(Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, millis / 1000, nanos)))
    }

    /// Returns the time at which the request arrived.
    #[must_use]
    pub fn received_at(self) -> Timestamp {
        let (seconds, nanos) = self.0.get_timestamp().map_or((0, 0), |timestamp| timestamp.to_unix());
        let millis = seconds.saturating_mul(1000).saturating_add(u64::from(nanos / 1_000_000));
        Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl TryFrom<Uuid> for EntryId {
    type Error = InvalidEntryId;

    fn try_from(uuid: Uuid) -> Result<Self, InvalidEntryId> {
        if uuid.get_version_num() == 7 { Ok(EntryId(uuid)) } else { Err(InvalidEntryId) }
    }
}

impl From<EntryId> for Uuid {
    fn from(id: EntryId) -> Self {
        id.0
    }
}

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, InvalidEntryId> {
        Uuid::try_parse(text).map_err(|_| InvalidEntryId)?.try_into()
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an entry: its id, and what entries are selected by without being read. Names sort by time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryName {
    /// The id.
    pub id: EntryId,
    /// The function that rejected the request.
    pub function: String,
    /// The status of the response.
    pub status: u16,
}

/// Start of the names of the objects in a bucket.
pub const OBJECTS: &str = "requests/";
/// End of the names of the objects in a bucket.
const OBJECT_SUFFIX: &str = ".json";

impl EntryName {
    /// Returns the name of the object in a bucket. All of its characters may be in a URL.
    #[must_use]
    pub fn object(&self) -> String {
        format!("{OBJECTS}{self}{OBJECT_SUFFIX}")
    }

    /// Returns the name of the entry that an object has.
    #[must_use]
    pub fn of_object(object: &str) -> Option<Self> {
        object.strip_prefix(OBJECTS)?.strip_suffix(OBJECT_SUFFIX)?.parse().ok()
    }
}

/// `0192468a-2f1e-7d3b-9a51-0c2f4b6d8e10.send-activity.400`
impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.id, self.function, self.status)
    }
}

impl FromStr for EntryName {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, InvalidEntryId> {
        let mut parts = text.split('.');
        let (Some(id), Some(function), Some(status), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidEntryId);
        };
        let is_function =
            !function.is_empty() && function.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
        let name = EntryName {
            id: id.parse()?,
            function: function.to_owned(),
            status: status.parse().map_err(|_| InvalidEntryId)?,
        };
        // Only the form that is written, so that a name is the same text again.
        if is_function && name.to_string() == text { Ok(name) } else { Err(InvalidEntryId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_time_of_arrival_and_sort_by_it() {
        let at = Timestamp::from_millis(1_727_766_000_123);
        let id = EntryId::new(at);
        assert_eq!(id.received_at(), at);
        assert!(id.to_string() < EntryId::new(Timestamp::from_millis(at.as_millis() + 1)).to_string());
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in ["", "1", "12395199-1565-4565-bf99-3f94ee505d12"] {
            assert_eq!(other.parse::<EntryId>(), Err(InvalidEntryId), "{other:?}");
        }
    }

    #[test]
    fn a_name_is_read_as_it_is_written_and_in_no_other_form() {
        let id = EntryId::new(Timestamp::from_millis(1));
        let name = EntryName { id, function: "send-activity".to_owned(), status: 400 };
        assert_eq!(name.to_string().parse(), Ok(name));
        let upper = id.to_string().to_uppercase();
        for other in [
            format!("{id}.send-activity"),
            format!("{id}.send-activity.400.json"),
            format!("{id}.send-activity.0400"),
            format!("{id}..400"),
            format!("{id}.../../x.400"),
            format!("{id}.a/b.400"),
            format!("{upper}.send-activity.400"),
        ] {
            assert_eq!(other.parse::<EntryName>(), Err(InvalidEntryId), "{other:?}");
        }
    }

    #[test]
    fn an_object_has_the_name_of_its_entry() {
        let id = EntryId::new(Timestamp::from_millis(7));
        let name = EntryName { id, function: "send-activity".to_owned(), status: 400 };
        assert_eq!(name.object(), format!("requests/{id}.send-activity.400.json"));
        assert_eq!(EntryName::of_object(&name.object()), Some(name.clone()));
        for other in ["requests/", "requests/x.json", "other/x", &name.object()[1..]] {
            assert_eq!(EntryName::of_object(other), None, "{other}");
        }
    }
}
