//! Entries, and their stored form.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Content, EntryId, EntryName};

/// The version of the stored form.
const VERSION: u32 = 1;

/// The headers that are kept: those that the API reads, and that are no credentials. All others are left out, since
/// clients send keys, tokens and cookies in headers of many names. `content-encoding` is no longer true of the body.
const KEPT: [&str; 7] = [
    "content-type",
    "idempotency-key",
    "prefer",
    "x-cdlx-request-id",
    "x-identifier-type",
    "x-mock-data",
    "x-source-customer-id",
];

/// A rejected request without its credentials, and its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The id, which contains the time at which the request arrived.
    pub id: EntryId,
    /// The request id, in the response and in log lines.
    pub request_id: Uuid,
    /// The function that rejected the request.
    pub function: String,
    /// The method.
    pub method: String,
    /// The percent-encoded path, without the query: no request that records anything has parameters there.
    pub path: String,
    /// The headers by name, in lower case.
    pub headers: BTreeMap<String, Content>,
    /// The body, decompressed.
    pub body: Content,
    /// The status of the response.
    pub status: u16,
    /// The body of the response, which has the reasons.
    pub response: String,
}

/// An entry cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// The entry was written by a later version.
    #[error("it has version {0}, which this version of punchcard cannot read")]
    Version(u32),
    /// The entry has another name than it was stored under.
    #[error("it was stored under another name")]
    Renamed,
    /// The path would lead to another host.
    #[error("its path is not valid")]
    Path,
    /// The entry is not JSON of the stored form. The cause is not shown: it quotes the entry.
    #[error("it is not a quarantined request")]
    Malformed,
}

/// The stored form. `receivedAt` is for people who read the JSON; the id has the same time.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<E> {
    version: u32,
    received_at: String,
    #[serde(flatten)]
    entry: E,
}

/// Selects the headers that are kept. Names are in lower case.
pub fn kept_headers<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> BTreeMap<String, Content> {
    let kept = headers.into_iter().filter(|(name, _)| KEPT.contains(name));
    kept.map(|(name, value)| (name.to_owned(), Content::from(value.to_vec()))).collect()
}

impl Entry {
    /// Returns the name under which the entry is stored.
    #[must_use]
    pub fn name(&self) -> EntryName {
        EntryName { id: self.id, function: self.function.clone(), status: self.status }
    }

    /// Returns the stored form.
    ///
    /// # Errors
    /// It cannot be serialised, which does not happen.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let stored = Stored { version: VERSION, received_at: self.id.received_at().to_string(), entry: self };
        serde_json::to_string(&stored)
    }

    /// Reads the stored form of the entry with this name.
    ///
    /// # Errors
    /// It is damaged, of a later version, or of another entry.
    pub fn from_json(json: &[u8], name: &EntryName) -> Result<Self, EntryError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_slice(json).map_err(|_| EntryError::Malformed)?;
        if version != VERSION {
            return Err(EntryError::Version(version));
        }
        let Stored::<Entry> { entry, .. } = serde_json::from_slice(json).map_err(|_| EntryError::Malformed)?;
        // A path such as `@host/` would become part of the host, to which the request goes with credentials.
        if !entry.path.starts_with('/') || !entry.path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EntryError::Path);
        }
        if entry.name() == *name { Ok(entry) } else { Err(EntryError::Renamed) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use punchcard_models::timestamp::Timestamp;

    use super::*;

    pub(crate) fn entry(received_at: i64) -> Entry {
        Entry {
            id: EntryId::new(Timestamp::from_millis(received_at)),
            request_id: Uuid::new_v4(),
            function: "send-activity".to_owned(),
            method: "POST".to_owned(),
            path: "/client/users/c-1/activities/a-1".to_owned(),
            headers: kept_headers([("content-type", &b"application/json"[..]), ("prefer", b"\xff")]),
            body: b"{\"note\":\"readable\"}".to_vec().into(),
            status: 400,
            response: "{}".to_owned(),
        }
    }

    #[test]
    fn credentials_and_unknown_headers_are_left_out() {
        let sent =
            ["authorization", "apikey", "secretkey", "x-gb-token", "cookie", "user-agent", "content-type", "prefer"];
        let kept = kept_headers(sent.map(|name| (name, &b"value"[..])));
        assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["content-type", "prefer"]);
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let entry = entry(1_727_766_000_000);
        let json = entry.to_json().expect("JSON");
        assert!(json.starts_with(r#"{"version":1,"receivedAt":"2024-10-01T07:00:00.000Z","id":""#), "{json}");
        assert_eq!(Entry::from_json(json.as_bytes(), &entry.name()).expect("an entry"), entry);
    }

    #[test]
    fn what_is_not_an_entry_says_why() {
        let entry = entry(1_727_766_000_000);
        let json = entry.to_json().expect("JSON");
        let why = |json: &str| Entry::from_json(json.as_bytes(), &entry.name()).expect_err("an error").to_string();
        let version = json.replace(r#""version":1"#, r#""version":2"#);
        assert_eq!(why(&version), "it has version 2, which this version of punchcard cannot read");
        assert_eq!(why(&json.replace("/client", "@evil.example/")), "its path is not valid");
        assert_eq!(why(&json.replace("send-activity", "refund-order")), "it was stored under another name");
        for malformed in ["", "{}", "null", "[]", &json[..json.len() - 1], &json.replace(r#""POST""#, "7")] {
            assert_eq!(why(malformed), "it is not a quarantined request");
        }
    }
}
