//! Safe retries of requests that carry no id of their own (draft-ietf-httpapi-idempotency-key-header).

use std::ops::Deref;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    ids::{ActivityId, CorrelationId, MAX_ID},
    json::Value,
};

/// An `Idempotency-Key`: 1 to 128 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Reads a header's value.
    ///
    /// # Errors
    /// Empty, longer, or with other characters: says so as a sentence.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if (1..=MAX_ID).contains(&text.len()) && printable {
            Ok(IdempotencyKey(text.to_owned()))
        } else {
            Err("The Idempotency-Key must have 1 to 128 printable ASCII characters")
        }
    }

    /// The id of the activity that this key asks for: the same one every time, and another for every correlation id.
    #[must_use]
    pub fn activity_id(&self, correlation_id: &CorrelationId) -> ActivityId {
        /// Made for this, and for nothing else.
        const NAMESPACE: Uuid = Uuid::from_u128(0x5d0f_4c57_2b0e_4a6e_9a3c_7b1d_5f68_e2a4);
        // A correlation id has no NUL, so no two pairs read the same.
        Uuid::new_v5(&NAMESPACE, format!("{correlation_id}\0{}", self.0).as_bytes()).into()
    }
}

impl Deref for IdempotencyKey {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The SHA-256 of a validated request's canonical form: by it a retry is told from another request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayloadDigest([u8; 32]);

impl PayloadDigest {
    /// Of a request.
    #[must_use]
    pub fn of(canonical: &Value<'_>) -> Self {
        PayloadDigest(Sha256::digest(canonical.to_string()).into())
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_short_printable_ascii() {
        for text in ["a", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"", " ~", &"x".repeat(128)] {
            assert!(IdempotencyKey::new(text).is_ok(), "{text}");
        }
        for text in ["", "é", "a\tb", "a\u{7f}", &"x".repeat(129)] {
            assert!(IdempotencyKey::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_asks_for_one_activity_of_one_correlation_id() {
        let key = |text: &str| IdempotencyKey::new(text).expect("a key");
        let correlation = |text: &str| CorrelationId::from_text(text).expect("an id");
        let id = key("k").activity_id(&correlation("c"));
        assert_eq!(id, key("k").activity_id(&correlation("c")));
        assert_ne!(id, key("k2").activity_id(&correlation("c")));
        assert_ne!(id, key("k").activity_id(&correlation("c2")));
    }
}
