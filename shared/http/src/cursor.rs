//! Cursors of paged lists: opaque to clients, so that a position may change its form.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

/// Encodes a position as a cursor.
#[must_use]
pub fn encode(position: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(position)
}

/// Decodes a cursor, or returns `None` if it is none.
#[must_use]
pub fn decode(cursor: &str) -> Option<String> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()
}
