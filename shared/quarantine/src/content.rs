//! Bytes in JSON.

use std::borrow::Cow;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

/// Bytes, stored as JSON text if they are valid UTF-8, and otherwise as `{"base64": "…"}`. Requests are rejected for
/// invalid UTF-8 too, and have to be sent again as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Content(Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Stored {
    Text(String),
    Binary { base64: String },
}

impl Content {
    /// Returns the bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the bytes as text, for display.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content(bytes)
    }
}

impl TryFrom<Stored> for Content {
    type Error = base64::DecodeError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        Ok(Content(match stored {
            Stored::Text(text) => text.into_bytes(),
            Stored::Binary { base64 } => BASE64_STANDARD.decode(base64)?,
        }))
    }
}

impl From<Content> for Stored {
    fn from(Content(bytes): Content) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Stored::Text(text),
            Err(error) => Stored::Binary { base64: BASE64_STANDARD.encode(error.as_bytes()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_kept_exactly_and_text_readably() {
        for (bytes, stored) in
            [(&b"{\"a\":1}"[..], r#""{\"a\":1}""#), (b"", r#""""#), (b"a\xffb", r#"{"base64":"Yf9i"}"#)]
        {
            let content = Content::from(bytes.to_vec());
            assert_eq!(serde_json::to_string(&content).expect("JSON"), stored);
            assert_eq!(serde_json::from_str::<Content>(stored).expect("content"), content);
        }
        assert!(serde_json::from_str::<Content>(r#"{"base64":"?"}"#).is_err());
    }
}
